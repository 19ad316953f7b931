/* SPDX-License-Identifier: MIT */
/* cairn-io: what the comparison with the peer cannot tell, as the peer has nothing like it. */
#include "tool-run.h"

#include <string.h>

/* An empty overlay of 1 MiB on @backing, as qcow's header says it. */
static void write_overlay(const ToolFolder *f, const char *name, const char *backing)
{
    guint8 image[1024] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 1 };

    g_assert_cmpuint(strlen(backing), <=, 64);
    image[15] = 48;                             /* where the backing file's name stands */
    image[19] = (guint8)strlen(backing);
    image[29] = 0x10;                           /* 1 MiB */
    image[32] = 9;                              /* clusters of 512 bytes */
    image[33] = 12;
    image[47] = 128;                            /* the L1 table */
    memcpy(image + 48, backing, strlen(backing));
    tool_write_file(f, name, image, sizeof(image));
}

static void strict_refuses_backing_elsewhere(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) followed = { 0 }, refused = { 0 };

    write_overlay(f, "o.qcow", "/etc/hostname");
    followed = tool_run(f, "-r -f qcow -c 'read -q 0 512' o.qcow");
    g_assert_cmpint(followed.status, ==, 0);
    refused = tool_run(f, "--strict -r -f qcow -c 'read -q 0 512' o.qcow");
    g_assert_cmpint(refused.status, ==, 1);
    g_assert_nonnull(strstr(refused.err, "/etc/hostname"));
}

static void strict_follows_backing_beside(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "base.raw", 1 << 20, 512);
    write_overlay(f, "o.qcow", "base.raw");
    tool_must(f, "--strict -r -f qcow -c 'read -q 0 512' o.qcow");
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/io/strict/backing-file-elsewhere/is-refused", strict_refuses_backing_elsewhere);
    CASE("/io/strict/backing-file-beside/is-followed", strict_follows_backing_beside);
    return g_test_run();
}
