/* SPDX-License-Identifier: MIT */
/* cairn-io -s: what becomes of the temporary overlay, and what it holds. */
#include "tool-talk.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB (1 << 20)
#define ENCRYPTED "--object secret,id=s,data=abc -s --image-opts " \
                  "driver=qcow,file.filename=e.qcow,encrypt.key-secret=s"

/* Temporary files go into the test's folder. */
static void setup(ToolFolder *f, gconstpointer data)
{
    tool_folder_setup(f, data);
    g_setenv("TMPDIR", f->path, TRUE);
}

static void teardown(ToolFolder *f, gconstpointer data)
{
    g_unsetenv("TMPDIR");
    tool_folder_teardown(f, data);
}

/* 1 MiB, clusters of 512 bytes, nothing in it, encrypted. */
static void write_encrypted(const ToolFolder *f, const char *name)
{
    guint8 image[48 + 4096] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 1 };

    image[29] = 0x10;                           /* 1 MiB */
    image[32] = 9;                              /* clusters of 512 bytes */
    image[33] = 12;
    image[39] = 1;                              /* AES */
    image[47] = 48;                             /* the L1 table */
    tool_write_file(f, name, image, sizeof(image));
}

static int count_files(const ToolFolder *f)
{
    GDir *dir = g_dir_open(f->path, 0, NULL);
    int count = 0;

    while (g_dir_read_name(dir)) {
        count++;
    }
    g_dir_close(dir);
    return count;
}

/* The file that @talk's tool has open and that has no name; NULL if there is none. */
static char *read_nameless(const ToolTalk *talk, gsize *bytes)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", talk->pid);
    GDir *dir = g_dir_open(folder, 0, NULL);
    char *content = NULL;
    const char *name;

    g_assert_nonnull(dir);
    while (!content && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);

        if (target && g_str_has_suffix(target, " (deleted)")) {
            g_assert_true(g_file_get_contents(path, &content, bytes, NULL));
        }
    }
    g_dir_close(dir);
    return content;
}

/* Whether 64 bytes of @byte follow one another in what the temporary file holds. */
static bool temporary_file_holds(const ToolTalk *talk, guint8 byte)
{
    char run[64];
    gsize bytes = 0;
    g_autofree char *content = read_nameless(talk, &bytes);

    g_assert_nonnull(content);
    memset(run, byte, sizeof(run));
    return memmem(content, bytes, run, sizeof(run)) != NULL;
}

static void image_stays(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a", MIB, 65536);
    tool_make_raw(f, "b", MIB, 65536);
    tool_must(f, "-s -f raw -c 'write -q -P 7 0 1M' -c flush -c 'read -q -P 7 0 1M' a");
    tool_assert_same_files(f, "a", "b");
    g_assert_cmpint(count_files(f), ==, 2);
}

static void killed_leaves_nothing(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 65536);
    run = tool_run(f, "-s -f raw -c 'write -q -P 7 0 512k' -c 'sigraise 9' a");
    g_assert_cmpint(run.status, ==, 128 + 9);
    g_assert_cmpint(count_files(f), ==, 1);
}

static void running_has_a_file_without_name(ToolFolder *f, gconstpointer data)
{
    ToolTalk talk;

    tool_make_raw(f, "a", MIB, 65536);
    tool_talk_start(&talk, f, "-s -f raw a");
    tool_talk_say(&talk, "write -P 199 0 64k\n");
    tool_talk_hear(&talk, "wrote 65536/65536 bytes at offset 0\n");
    g_assert_true(temporary_file_holds(&talk, 199));
    g_assert_cmpint(count_files(f), ==, 1);
    g_assert_cmpint(tool_talk_end(&talk), ==, 0);
}

static void encrypted_is_encrypted(ToolFolder *f, gconstpointer data)
{
    ToolTalk talk;

    write_encrypted(f, "e.qcow");
    tool_talk_start(&talk, f, ENCRYPTED);
    tool_talk_say(&talk, "write -P 199 0 64k\nread -P 199 0 64k\n");
    tool_talk_hear(&talk, "read 65536/65536 bytes at offset 0\n");
    g_assert_false(temporary_file_holds(&talk, 199));
    g_assert_cmpint(tool_talk_end(&talk), ==, 0);
}

static void encrypted_can_be_reopened(ToolFolder *f, gconstpointer data)
{
    write_encrypted(f, "e.qcow");
    tool_must(f, "--object secret,id=s,data=abc "
                 "-c 'open -s -o driver=qcow,encrypt.key-secret=s e.qcow' -c 'write -q -P 9 0 64k' "
                 "-c 'reopen -r' -c 'read -q -P 9 0 64k' -c 'reopen -w -c none' "
                 "-c 'write -q -P 8 5 512' -c 'read -q -P 8 5 512' -c close "
                 "-c 'open -s -o driver=qcow,encrypt.key-secret=s e.qcow' -c 'write -q -P 9 0 64k' "
                 "-c 'read -q -P 9 0 64k'");
}

static void key_is_another_each_time(ToolFolder *f, gconstpointer data)
{
    char *content[2];
    gsize bytes[2];

    write_encrypted(f, "e.qcow");
    for (int i = 0; i < 2; i++) {
        ToolTalk talk;

        tool_talk_start(&talk, f, ENCRYPTED);
        tool_talk_say(&talk, "write -P 199 0 64k\n");
        tool_talk_hear(&talk, "wrote 65536/65536 bytes at offset 0\n");
        content[i] = read_nameless(&talk, &bytes[i]);
        g_assert_nonnull(content[i]);
        g_assert_cmpint(tool_talk_end(&talk), ==, 0);
    }
    g_assert_cmpuint(bytes[0], ==, bytes[1]);
    g_assert_cmpint(memcmp(content[0], content[1], bytes[0]), !=, 0);
    g_free(content[0]);
    g_free(content[1]);
}

static void no_folder_is_told(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a", MIB, 0);
    g_setenv("TMPDIR", "/nonexistent", TRUE);
    tool_must_fail(f, "-s -f raw -c length a", 1,
                   "cairn-io: can't open device a: Could not open temporary file in "
                   "'/nonexistent': No such file or directory\n");
}

static void allow_few_files(gpointer data)
{
    const struct rlimit limit = { 32, 32 };

    setrlimit(RLIMIT_NOFILE, &limit);
}

static void many_times_leaks_no_file(ToolFolder *f, gconstpointer data)
{
    g_autoptr(GString) line = g_string_new(NULL);
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    for (int i = 0; i < 64; i++) {
        g_string_append(line, "-c 'open -s -o driver=raw a' -c 'write -q 0 1' -c close ");
    }
    run = tool_run_setup(f, line->str, allow_few_files);
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpint(run.status, ==, 0);
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, setup, function, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/io/snapshot/written/the-image-stays-as-it-was", image_stays);
    CASE("/io/snapshot/killed/leaves-nothing", killed_leaves_nothing);
    CASE("/io/snapshot/running/its-file-has-no-name", running_has_a_file_without_name);
    CASE("/io/snapshot/encrypted/its-file-is-encrypted", encrypted_is_encrypted);
    CASE("/io/snapshot/encrypted/can-be-reopened", encrypted_can_be_reopened);
    CASE("/io/snapshot/encrypted/its-key-is-new-each-time", key_is_another_each_time);
    CASE("/io/snapshot/no-folder/is-told", no_folder_is_told);
    CASE("/io/snapshot/again-and-again/leaks-no-file", many_times_leaks_no_file);
    return g_test_run();
}
