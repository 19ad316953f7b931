/* SPDX-License-Identifier: MIT */
/* cairn-io: what the comparison with the peer cannot tell, as the peer has nothing like it. */
#include "tool-talk.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* 1 MiB, clusters of 512 bytes, nothing in it. */
static void write_empty(const ToolFolder *f, const char *name)
{
    write_overlay(f, name, "");
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

static void allow_backing_widens_strict(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) refused = { 0 };

    write_overlay(f, "o.qcow", "/etc/hostname");
    tool_must(f, "--allow-backing /usr --allow-backing /etc -r -f qcow -c 'read -q 0 512' o.qcow");
    refused = tool_run(f, "--allow-backing /usr -r -f qcow -c 'read -q 0 512' o.qcow");
    g_assert_cmpint(refused.status, ==, 1);
    tool_must_fail(f, "--allow-backing nope -r o.qcow", 1,
                   "cairn-io: --allow-backing=nope: No such file or directory\n");
}

static void strict_follows_backing_beside(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "base.raw", 1 << 20, 512);
    write_overlay(f, "o.qcow", "base.raw");
    tool_must(f, "--strict -r -f qcow -c 'read -q 0 512' o.qcow");
}

/* ---- requests that were started ------------------------------------------- */

static void aio_failure_is_failure(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "-f raw -c 'aio_read -q 1M 512' a", "-f raw -c 'aio_write -q 1M 512' -c aio_flush a",
        "-f raw -c 'aio_write -q -z 1M 512' -c length a", "-f raw -c 'aio_read -q -P 255 0 512' a",
    };

    tool_make_raw(f, "a", 1 << 20, 4096);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s", lines[i]);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_cmpstr(run.err, ==, i < 3 ? "The image ends at offset 1048576 (1 MiB).\n" : "");
    }
}

static void aio_ends_before_exit(ToolFolder *f, gconstpointer data)
{
    size_t bytes;

    tool_make_raw(f, "a", 1 << 20, 0);
    tool_must(f, "-f raw -c 'aio_write -q -P 7 0 512k' -c 'aio_write -q -P 7 512k 512k' -c quit a");

    g_autofree char *content = tool_read_file(f, "a", &bytes);

    g_assert_cmpuint(bytes, ==, 1 << 20);
    for (size_t i = 0; i < bytes; i++) {
        g_assert_cmpint(content[i], ==, 7);
    }
}

/* ---- a program that is spoken to ---------------------------------------------- */

static void piped_result_comes_while_waiting(ToolFolder *f, gconstpointer data)
{
    ToolTalk talk;

    tool_make_raw(f, "a", 1 << 20, 4096);
    tool_talk_start(&talk, f, "-f raw a");
    tool_talk_say(&talk, "aio_write -P 1 0 64k\n");
    tool_talk_hear(&talk, "wrote 65536/65536 bytes at offset 0\n");
    tool_talk_say(&talk, "length\nalloc 0 64k\nbogus\n");
    tool_talk_hear(&talk, "1 MiB\n");
    tool_talk_hear(&talk, "65536/65536 bytes allocated at offset 0 bytes\n");
    g_assert_cmpint(tool_talk_end(&talk), ==, 1);
}

/* ---- breakpoints -------------------------------------------------------------- */

static void wait_without_breakpoints_fails(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", 1 << 20, 4096);
    run = tool_run(f, "-f raw -c 'wait_break A' a");
    g_assert_cmpstr(run.out, ==, "Could not wait for breakpoint A: Operation not supported\n");
    g_assert_cmpint(run.status, ==, 1);
}

/* ---- truncation --------------------------------------------------------------- */

static void lock_byte(int fd, short type, off_t byte)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
}

/* Whether somebody else uses the permission to resize. */
static bool resize_is_used(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 103, .l_len = 1,
    };

    g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &lock), ==, 0);
    return lock.l_type != F_UNLCK;
}

static void truncation_sets_length(ToolFolder *f, gconstpointer data)
{
    size_t bytes;

    tool_make_raw(f, "a", 1 << 20, 4096);
    tool_must(f, "-f raw -c 'truncate 2M' a");
    g_free(tool_read_file(f, "a", &bytes));
    g_assert_cmpuint(bytes, ==, 2 << 20);
    tool_must(f, "-f raw -c 'truncate 1000' a");
    g_free(tool_read_file(f, "a", &bytes));
    g_assert_cmpuint(bytes, ==, 1000);
}

static void truncation_gives_the_permission_back(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a");
    ToolTalk talk;
    int fd;

    tool_make_raw(f, "a", 1 << 20, 4096);
    fd = open(path, O_RDWR | O_CLOEXEC);
    tool_talk_start(&talk, f, "-f raw a");
    tool_talk_say(&talk, "truncate 2M\nlength\n");
    tool_talk_hear(&talk, "2 MiB\n");
    g_assert_false(resize_is_used(fd));
    g_assert_cmpint(tool_talk_end(&talk), ==, 0);
    close(fd);
}

static void truncation_is_refused_by_others(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a");
    int fd;

    tool_make_raw(f, "a", 1 << 20, 4096);
    fd = open(path, O_RDWR | O_CLOEXEC);
    lock_byte(fd, F_RDLCK, 203);
    tool_must_fail(f, "-f raw -c 'truncate 2M' a", 1, "cairn-io: Failed to get \"resize\" lock\n"
                   "Is another process using the image [a]?\n");
    lock_byte(fd, F_UNLCK, 203);
    tool_must(f, "-f raw -c 'truncate 2M' a");
    close(fd);
}

/* ---- reopening ------------------------------------------------------------------ */

static void reopening_is_refused_by_a_lock(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "q.qcow");
    ToolTalk talk;
    int fd;

    write_empty(f, "q.qcow");
    fd = open(path, O_RDWR | O_CLOEXEC);
    lock_byte(fd, F_RDLCK, 201);
    tool_talk_start(&talk, f, "-r -f qcow q.qcow");
    tool_talk_say(&talk, "reopen -w -c none\nwrite 0 1\nread -q 0 512\nlength\n");
    tool_talk_hear(&talk, "1 MiB\n");
    lock_byte(fd, F_UNLCK, 201);
    tool_talk_say(&talk, "reopen -w -c none\nwrite -P 1 0 1\n");
    tool_talk_hear(&talk, "wrote 1/1 bytes at offset 0\n");
    g_assert_cmpint(tool_talk_end(&talk), ==, 1);
    close(fd);
}

static void reopening_without_permission_keeps_reading(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a");

    if (geteuid() == 0) {
        g_test_skip("root may write everything");
        return;
    }
    tool_make_raw(f, "a", 1 << 20, 4096);
    g_assert_cmpint(chmod(path, 0444), ==, 0);
    tool_must_fail(f, "-r -f raw -c 'reopen -w' -c 'read -q 0 512' a", 1,
                   "cairn-io: Could not open 'a': Permission denied\n");
}

/* ---- data that stays ------------------------------------------------------------ */

static void discard_is_ignored(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a", 1 << 20, 65536);
    tool_make_raw(f, "b", 1 << 20, 65536);
    tool_must(f, "-f raw -c 'discard -q 0 64k' a");
    tool_must(f, "-c 'open -o driver=raw a' -c 'discard -q 0 64k'");
    tool_assert_same_files(f, "a", "b");
    tool_must(f, "-d unmap -f raw -c 'discard -q 0 64k' a");
}

static void compressed_write_over_data(ToolFolder *f, gconstpointer data)
{
    write_empty(f, "q.qcow");
    tool_must(f, "-f qcow -c 'write -q -P 1 0 1k' -c 'write -q -c -P 2 0 512' "
                 "-c 'read -q -P 2 0 512' -c 'read -q -P 1 512 512' q.qcow");
    tool_must(f, "-f qcow -c 'write -q -P 3 0 100' -c 'read -q -P 3 0 100' "
                 "-c 'read -q -P 2 100 412' -c 'read -q -P 1 512 512' q.qcow");
}

static void compressed_write_between_clusters(ToolFolder *f, gconstpointer data)
{
    static const char *const ranges[] = { "512 1k", "1k 1k", "0 256", "256 512", "0 1" };

    write_empty(f, "q.qcow");
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_autofree char *line = g_strdup_printf("-f qcow -c 'write -c %s' q.qcow", ranges[i]);
        g_auto(ToolRun) run = tool_run(f, line);

        g_test_message("%s", line);
        g_assert_cmpint(run.status, ==, 1);
    }
    tool_must(f, "-f qcow -c 'read -q -P 0 0 1M' q.qcow");
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

static void option_errors_begin_with_the_name(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "--bogus");

    g_assert_cmpint(run.status, ==, 1);
    g_assert_cmpstr(run.err, ==, "cairn-io: unrecognized option '--bogus'\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/io/strict/backing-file-elsewhere/is-refused", strict_refuses_backing_elsewhere);
    CASE("/io/allow-backing/widens-strict", allow_backing_widens_strict);
    CASE("/io/strict/backing-file-beside/is-followed", strict_follows_backing_beside);
    CASE("/io/aio/failure/is-a-failed-command", aio_failure_is_failure);
    CASE("/io/aio/started/ends-before-exit", aio_ends_before_exit);
    CASE("/io/piped/started/result-comes-while-waiting", piped_result_comes_while_waiting);
    CASE("/io/wait_break/without-breakpoints/fails-at-once", wait_without_breakpoints_fails);
    CASE("/io/options/unknown/is-told-under-the-program's-name", option_errors_begin_with_the_name);
    CASE("/io/truncate/sets-the-length", truncation_sets_length);
    CASE("/io/truncate/gives-the-permission-back", truncation_gives_the_permission_back);
    CASE("/io/truncate/resizing-forbidden/is-refused", truncation_is_refused_by_others);
    CASE("/io/reopen/locked-by-another/leaves-all-as-it-was", reopening_is_refused_by_a_lock);
    CASE("/io/reopen/not-permitted/goes-on-reading", reopening_without_permission_keeps_reading);
    CASE("/io/discard/not-asked-for/keeps-data", discard_is_ignored);
    CASE("/io/write/compressed/replaces-data", compressed_write_over_data);
    CASE("/io/write/compressed/not-a-cluster/is-refused", compressed_write_between_clusters);
    return g_test_run();
}
