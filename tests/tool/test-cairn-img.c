/* SPDX-License-Identifier: MIT */
/*
 * cairn-img by its own contract: exit statuses, messages, and that a wrong command line costs
 * nobody a file. What it shares with the peer is held against the peer itself in tests/interop.
 */
#include "tool-run.h"

#include <signal.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HINT "Try 'cairn-img --help' for more information\n"

/* ---- the command line ------------------------------------------------ */

static void usage_no_arguments(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "", 1, "cairn-img: Not enough arguments\n" HINT);
}

static void usage_unknown_command(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "frobnicate x", 1, "cairn-img: Command not found: frobnicate\n" HINT);
}

static void usage_unknown_option(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "info -Z x", 1, "cairn-img: unrecognized option '-Z'\n" HINT);
    tool_must_fail(f, "info --zz x", 1, "cairn-img: unrecognized option '--zz'\n" HINT);
    tool_must_fail(f, "create -f", 1, "cairn-img: missing argument for option '-f'\n" HINT);
}

static void usage_misspelt(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "convrt a b", 1, "cairn-img: Command not found: convrt\n" HINT
                   "Did you mean 'convert'?\n");
    tool_must_fail(f, "info --bakcing-chain a", 1, "cairn-img: unrecognized option"
                   " '--bakcing-chain'\n" HINT "Did you mean '--backing-chain'?\n");
    tool_must_fail(f, "create -f qcwo a 1M", 1, "cairn-img: a: Unknown file format 'qcwo'\n"
                   "Formats of new images: qcow, raw\nDid you mean 'qcow'?\n");
    tool_must_fail(f, "drivers quorun", 1, "cairn-img: Unknown driver 'quorun'\n"
                   "Did you mean 'quorum'?\n");
    tool_must_fail(f, "drivers --output=xml", 1, "cairn-img: --output must be used with human"
                   " or json as argument.\n");
    tool_must_fail(f, "info -f qcow2 a", 1, "cairn-img: Could not open 'a': Unknown driver"
                   " 'qcow2'\n");
}

static void usage_help(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = { "-h", "--help", "create -h", "map --help" };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_assert_cmpint(run.status, ==, 0);
        g_assert_true(g_str_has_prefix(run.out, "cairn-img version "));
        g_assert_nonnull(strstr(run.out, "\nusage: cairn-img "));
        g_assert_nonnull(strstr(run.out, "\nSupported formats: "));
        g_assert_nonnull(strstr(run.out, " qcow"));
    }
}

static void usage_version(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "-V");
    g_auto(GStrv) lines = g_strsplit(run.out, "\n", -1);

    g_assert_cmpint(run.status, ==, 0);
    g_assert_cmpint(g_strv_length(lines), ==, 3);       /* two, and what follows the last newline */
}

static void usage_name_of_link(ToolFolder *f, gconstpointer data)
{
    g_autofree char *link = tool_path(f, "qemu-img");
    g_autofree char *line = NULL;
    g_auto(GStrv) argv = NULL;
    g_autofree char *err = NULL;

    g_assert_cmpint(symlink(g_getenv("CAIRN_TOOL"), link), ==, 0);
    argv = g_strsplit(line = g_strdup_printf("%s nope", link), " ", -1);
    g_assert_true(g_spawn_sync(NULL, argv, NULL, 0, NULL, NULL, NULL, &err, NULL, NULL));
    g_assert_true(g_str_has_prefix(err, "qemu-img: Command not found: nope\n"
                                   "Try 'qemu-img --help'"));
}

/* ---- create ------------------------------------------------------------ */

static void create_formatting_line(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "create -f qcow a.qcow 1M");

    g_assert_cmpstr(run.out, ==, "Formatting 'a.qcow', fmt=qcow size=1048576\n");
    g_assert_cmpint(run.status, ==, 0);
}

static void create_quiet(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "create a.raw 1M -q");

    g_assert_cmpstr(run.out, ==, "");
    g_assert_cmpint(run.status, ==, 0);
}

/* Each of these destroys the file in the peer. */
static void create_failure_keeps_file(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "create -f qcow keep 0",
        "create -f qcow -o encrypt.format=aes keep 1M",
        "create -f qcow -o encrypt.format=aes,encrypt.key-secret=none keep 1M",
        "create -f qcow -o encrypt.format=luks keep 1M",
        "create -f qcow -o preallocation=bad keep 1M",
        "create -o preallocation=bad keep 1M",
        "create -f qcow keep 2E",
        "create -f qcow -b none.raw -F raw keep 1M",
    };

    tool_make_raw(f, "before", 8192, 8192);
    tool_make_raw(f, "keep", 8192, 8192);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        tool_assert_same_files(f, "before", "keep");
    }
}

/* ---- info -------------------------------------------------------------- */

static void info_needs_no_backing(ToolFolder *f, gconstpointer data)
{
    tool_must(f, "create -q -f qcow -u -b none.raw -F raw o.qcow 1M");
    tool_must(f, "info o.qcow");
}

/* A name in an image may hold what a terminal acts on, and lines that look like the tool's. */
static void info_escapes_names(ToolFolder *f, gconstpointer data)
{
    gsize bytes;

    tool_must(f, "create -q -f qcow -u -b 123456789012345 -F raw o.qcow 1M");
    g_autofree char *image = tool_read_file(f, "o.qcow", &bytes);

    memcpy(image + 56, "a\nfile: \033[2J\302\2337", 15);
    tool_write_file(f, "o.qcow", image, bytes);
    g_auto(ToolRun) run = tool_run(f, "info o.qcow");

    g_assert_nonnull(strstr(run.out, "backing file: a\\nfile: \\033[2J\\302\2337"));
    tool_run_clear(&run);
    run = tool_run(f, "info -f 'a\033[2J' o.qcow");
    g_assert_null(strchr(run.err, '\033'));
}

static void info_json_is_stable(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 4096, 4096);

    g_auto(ToolRun) run = tool_run(f, "info --output=json -f raw a.raw");

    g_assert_cmpstr(run.out, ==, "{\n    \"virtual-size\": 4096,\n    \"filename\": \"a.raw\",\n"
                    "    \"format\": \"raw\",\n    \"actual-size\": 4096,\n"
                    "    \"dirty-flag\": false\n}\n");
}

/* ---- check ------------------------------------------------------------- */

static void check_raw_is_unsupported(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 4096, 0);
    tool_must_fail(f, "check a.raw", 63,
                   "cairn-img: This image format does not support checks\n");
}

static void check_clean_qcow(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 1 << 20, 100000);
    tool_must(f, "convert -O qcow a.raw a.qcow");

    g_auto(ToolRun) run = tool_run(f, "check a.qcow");

    g_assert_cmpstr(run.err, ==, "");
    g_assert_true(g_str_has_prefix(run.out, "No errors were found on the image.\n"
                                   "25/256 = 9.77% allocated, "));
    g_assert_nonnull(strstr(run.out, "\nImage end offset: "));
    g_assert_cmpint(run.status, ==, 0);
}

/* Two clusters of random place at the end of the file, of which no table knows. */
static void check_leaks(ToolFolder *f, gconstpointer data)
{
    g_autofree char *image = NULL;
    g_auto(ToolRun) run = { 0 };
    size_t bytes;

    tool_make_raw(f, "a.raw", 1 << 20, 100000);
    tool_must(f, "convert -O qcow a.raw a.qcow");
    image = tool_read_file(f, "a.qcow", &bytes);
    image = g_realloc(image, bytes + 8192);
    memset(image + bytes, 7, 8192);
    tool_write_file(f, "a.qcow", image, bytes + 8192);
    run = tool_run(f, "check a.qcow");
    g_assert_cmpint(run.status, ==, 3);
    g_assert_true(g_str_has_prefix(run.out, "\n2 leaked clusters were found on the image.\n"
                                   "This means waste of disk space, but no harm to data.\n"));
    g_assert_true(g_str_has_prefix(run.err, "Leaked"));
    tool_run_clear(&run);
    run = tool_run(f, "check -r leaks a.qcow");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_true(g_str_has_prefix(run.out, "The following inconsistencies were found and repaired:"
                                   "\n\n    2 leaked clusters\n    0 corruptions\n\n"
                                   "Double checking the fixed image now...\n"
                                   "No errors were found on the image.\n"));
    tool_must(f, "check a.qcow");
    tool_must(f, "compare a.raw a.qcow");
}

/* Two guest clusters in one place: the second entry of the first table becomes the first. */
static void check_corruption(ToolFolder *f, gconstpointer data)
{
    g_autofree char *image = NULL;
    g_auto(ToolRun) run = { 0 };
    guint64 l1, l2;
    size_t bytes;

    tool_make_raw(f, "a.raw", 1 << 20, 100000);
    tool_must(f, "convert -O qcow a.raw a.qcow");
    image = tool_read_file(f, "a.qcow", &bytes);
    memcpy(&l1, image + 40, 8);
    memcpy(&l2, image + GUINT64_FROM_BE(l1), 8);
    memcpy(image + GUINT64_FROM_BE(l2) + 8, image + GUINT64_FROM_BE(l2), 8);
    tool_write_file(f, "a.qcow", image, bytes);
    run = tool_run(f, "check a.qcow");
    g_assert_cmpint(run.status, ==, 2);
    g_assert_true(g_str_has_prefix(run.out, "\n1 errors were found on the image.\nData may be"
                                   " corrupted, or further writes to the image may corrupt it."
                                   "\n"));
    tool_run_clear(&run);
    run = tool_run(f, "check -q a.qcow");
    g_assert_cmpint(run.status, ==, 2);
    g_assert_cmpstr(run.out, ==, "");
    tool_run_clear(&run);
    tool_must(f, "convert -O raw a.qcow before.raw");
    run = tool_run(f, "check -r leaks a.qcow");
    g_assert_cmpint(run.status, ==, 2);
    tool_run_clear(&run);
    run = tool_run(f, "check -r all a.qcow");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_nonnull(strstr(run.out, "    1 corruptions\n"));
    g_assert_nonnull(strstr(run.err, "overlaps something else; it is copied\n"));
    tool_must(f, "check a.qcow");
    tool_must(f, "compare before.raw a.qcow");
}

static void check_bad_arguments(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "check -r some a.raw", 1, "cairn-img: Unknown option value for -r"
                   " (expecting 'leaks' or 'all'): some\n" HINT);
    tool_must_fail(f, "check none", 1, "cairn-img: Could not open 'none': Could not open 'none':"
                   " No such file or directory\n");
}

/* ---- map --------------------------------------------------------------- */

static void map_empty_range(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 4096, 4096);
    run = tool_run(f, "map --output=json -s 1M a.raw");
    g_assert_cmpstr(run.out, ==, "[]\n");
    g_assert_cmpint(run.status, ==, 0);
}

static void map_merges_neighbours(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_must(f, "create -q -f qcow a.qcow 1T");
    run = tool_run(f, "map --output=json a.qcow");
    g_assert_cmpstr(run.out, ==, "[{ \"start\": 0, \"length\": 1099511627776, \"depth\": 0,"
                    " \"present\": false, \"zero\": true, \"data\": false}]\n");
}

/* ---- compare ------------------------------------------------------------ */

static void compare_statuses(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 1 << 20, 70000);
    tool_make_raw(f, "b.raw", 1 << 20, 69999);
    tool_must(f, "compare a.raw a.raw");
    run = tool_run(f, "compare a.raw b.raw");
    g_assert_cmpint(run.status, ==, 1);
    g_assert_cmpstr(run.out, ==, "Content mismatch at offset 69632!\n");
    tool_must_fail(f, "compare a.raw none", 2, "cairn-img: Could not open 'none': Could not open"
                   " 'none': No such file or directory\n");
}

static void compare_wrong_arguments(ToolFolder *f, gconstpointer data)
{
    tool_must_fail(f, "compare a.raw", 2, "cairn-img: Expecting two image file names\n" HINT);
    tool_must_fail(f, "compare -Z a b", 2, "cairn-img: unrecognized option '-Z'\n" HINT);
}

/* ---- convert ------------------------------------------------------------ */

static void convert_round_trip(ToolFolder *f, gconstpointer data)
{
    static const char *const flags[] = { "", "-c", "-W", "-c -W", "-S 0", "-m 1", "-S 64k" };

    tool_make_raw(f, "a.raw", 3 << 20, 1500000);
    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        g_autofree char *line = g_strdup_printf("convert %s -O qcow a.raw a.qcow", flags[i]);

        tool_must(f, line);
        tool_must(f, "convert -O raw a.qcow b.raw");
        tool_assert_same_files(f, "a.raw", "b.raw");
    }
}

/* The target of each line exists and must be found as it was. */
static void convert_failure_keeps_target(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "convert -O none a.raw keep",
        "convert -O qcow -o bogus=1 a.raw keep",
        "convert -O qcow -o encrypt.format=aes a.raw keep",
        "convert -O qcow -o encrypt.format=aes,encrypt.key-secret=none a.raw keep",
        "convert -c a.raw keep",
        "convert -O qcow -B none.raw -F raw a.raw keep",
        "convert -O qcow -B a.raw a.raw keep",
        "convert -O qcow -B a.raw -F none a.raw keep",
        "convert none.raw keep",
        "convert a.raw none.raw keep",
        "convert -t none-such a.raw keep",
        "convert -l snap a.raw keep",
        "convert --bitmaps a.raw keep",
        "convert -o preallocation=bad a.raw keep",
        "convert -O qcow empty.raw keep",
    };

    tool_make_raw(f, "a.raw", 1 << 20, 70000);
    tool_make_raw(f, "empty.raw", 0, 0);
    tool_make_raw(f, "before", 8192, 8192);
    tool_make_raw(f, "keep", 8192, 8192);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        tool_assert_same_files(f, "before", "keep");
    }
}

/* The file is cut in its last cluster, in its data, behind its tables, and behind its header. */
static void convert_of_cut_image(ToolFolder *f, gconstpointer data)
{
    static const int ends[] = { 24064, 18000, 8192, 4096, 560 };

    tool_make_raw(f, "a.raw", 16384, 16384);
    tool_must(f, "convert -O qcow a.raw whole.qcow");
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *path = tool_path(f, "cut.qcow");
        g_auto(ToolRun) run = { 0 };

        tool_must(f, "convert -O qcow a.raw cut.qcow");
        g_assert_cmpint(truncate(path, ends[i]), ==, 0);
        run = tool_run(f, "convert -f qcow cut.qcow b.raw");
        g_assert_cmpint(run.status, ==, 1);
        g_assert_nonnull(strstr(run.err, "lie past the end of the source's file"));
        tool_must(f, "convert --salvage -f qcow cut.qcow b.raw");
        tool_run_clear(&run);
        run = tool_run(f, "compare -f qcow -F qcow whole.qcow cut.qcow");
        g_assert_cmpint(run.status, !=, 0);
        tool_run_clear(&run);
        run = tool_run(f, "compare -f qcow -F raw cut.qcow b.raw");
        g_assert_cmpint(run.status, ==, 4);
        g_assert_true(g_regex_match_simple("^cairn-img: Error while reading offset \\d+ of cut\\.qcow: "
                                           "Input/output error\n\\d+ bytes of guest data lie past the "
                                           "end of the file\\.\n$", run.err, 0, 0));
    }
}

/* The disk ends within the last cluster: what the file lacks of that cluster is no loss. */
static void convert_of_image_cut_behind_disk(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "cut.qcow");
    struct stat st;

    tool_make_raw(f, "a.raw", 4096 + 512, 4096 + 512);
    tool_must(f, "convert -O qcow a.raw cut.qcow");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(truncate(path, st.st_size - 4096 + 512), ==, 0);
    tool_must(f, "convert -f qcow cut.qcow b.raw");
    tool_assert_same_files(f, "a.raw", "b.raw");
}

static void convert_onto_itself(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "convert a.raw a.raw", "convert a.raw ./a.raw", "convert a.raw link",
        "convert --image-opts driver=raw,file.filename=a.raw,file.locking=off a.raw",
        "convert -n a.raw link",
        "convert -n --image-opts driver=raw,file.filename=a.raw,file.locking=off a.raw",
    };
    g_autofree char *path = tool_path(f, "a.raw"), *other = tool_path(f, "link");

    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    g_assert_cmpint(link(path, other), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_assert_nonnull(strstr(run.err, "Failed to get \"write\" lock\n"
                                "Is another process using the image ["));
        g_assert_cmpint(run.status, ==, 1);
        tool_assert_same_files(f, "before", "a.raw");
    }
}

/* The peer destroys the backing file and then reads what is left of it. */
static void convert_onto_own_backing(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "base.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    tool_must(f, "create -q -f qcow -b base.raw -F raw mid.qcow");
    tool_must(f, "create -q -f qcow -b mid.qcow -F qcow top.qcow");
    run = tool_run(f, "convert top.qcow base.raw");
    g_assert_cmpint(run.status, ==, 1);
    tool_assert_same_files(f, "before", "base.raw");
}

static void convert_without_effect_warns(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 65536, 0);
    run = tool_run(f, "convert -O qcow -o size=3M a.raw a.qcow");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_true(g_str_has_prefix(run.err, "cairn-img: warning: -o size= has no effect"));
}

/* ---- secrets ------------------------------------------------------------- */

static char *process_arguments(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid);
    char *text = NULL;
    gsize bytes = 0;

    g_assert_true(g_file_get_contents(path, &text, &bytes, NULL));
    for (gsize i = 0; i + 1 < bytes; i++) {
        text[i] = text[i] ? text[i] : ' ';
    }
    return text;
}

/* The secret is in the list until the tool has read it; the copy that it then makes takes for ever. */
static void secret_leaves_process_list(ToolFolder *f, gconstpointer data)
{
    char *argv[] = { (char *)g_getenv("CAIRN_TOOL"), "convert", "-r", "1", "--object",
                     "secret,id=s,data=canary", "a.raw", "b.raw", NULL };
    g_autofree char *arguments = NULL;
    GPid pid;

    tool_make_raw(f, "a.raw", 1 << 20, 1 << 20);
    g_assert_true(g_spawn_async(f->path, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                &pid, NULL));
    for (int tries = 0; tries < 1000; tries++) {
        g_free(arguments);
        arguments = process_arguments(pid);
        if (strstr(arguments, "data*")) {
            break;
        }
        g_usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    g_assert_null(strstr(arguments, "canary"));
    g_assert_nonnull(strstr(arguments, "a.raw"));
}

/* A new image must not take the place of a file that its own backing file needs. */
static void backing_of_backing_is_kept(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "create -f qcow -b top.qcow -F qcow base.raw",
        "create -f qcow -b top.qcow -F qcow middle.qcow",
        "convert -O qcow -B top.qcow -F qcow other.raw base.raw",
        "convert -O qcow -B top.qcow -F qcow other.raw link.raw",
        "convert -O qcow -B top.qcow -F qcow other.raw middle.qcow",
        "compact top.qcow base.raw", "compact top.qcow middle.qcow", "compact top.qcow ./top.qcow",
    };
    g_autofree char *base = tool_path(f, "base.raw"), *link = tool_path(f, "link.raw");

    tool_make_raw(f, "base.raw", 65536, 65536);
    tool_make_raw(f, "other.raw", 65536, 512);
    tool_must(f, "create -q -f qcow -b base.raw -F raw middle.qcow");
    tool_must(f, "create -q -f qcow -b middle.qcow -F qcow top.qcow");
    tool_must(f, "convert -f raw -O raw base.raw copy.raw");
    g_assert_cmpint(symlink(base, link), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_cmpstr(run.out, ==, "");
        g_assert_nonnull(strstr(run.err, g_str_has_prefix(lines[i], "compact")
                                ? "is part of 'top.qcow'"
                                : "with the same filename as a backing file of 'top.qcow'"));
        tool_must(f, "compare -q -f qcow -F raw top.qcow copy.raw");
    }
}

/* ---- what must not wait ------------------------------------------------- */

/* Nobody will ever write to the FIFO, and the chains have no end. */
static void endless_images_are_refused(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "info fifo", "info -f raw fifo", "map fifo", "check fifo", "compare fifo a.raw",
        "convert fifo b.raw", "convert a.raw fifo", "convert -n a.raw fifo", "create fifo 1M",
        "dd if=fifo of=b.raw", "dd if=a.raw of=fifo", "resize -f raw fifo 1M", "measure fifo",
        "bench fifo", "snapshot -l fifo", "create -f qcow -b fifo -F raw b.qcow",
        "info --backing-chain one.qcow", "map one.qcow", "check one.qcow", "convert one.qcow b.raw",
        "compare one.qcow a.raw", "dd if=one.qcow of=b.raw", "bench one.qcow", "measure one.qcow",
        "map self.qcow",
    };
    g_autofree char *path = tool_path(f, "fifo"), *none = tool_path(f, "b.raw");

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    tool_make_raw(f, "a.raw", 65536, 512);
    tool_must(f, "create -q -f qcow -u -b two.qcow -F qcow one.qcow 1M");
    tool_must(f, "create -q -f qcow -u -b one.qcow -F qcow two.qcow 1M");
    tool_must(f, "create -q -f qcow -u -b ./self.qcow -F qcow self.qcow 1M");
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, >=, 1);
        g_assert_cmpint(run.status, <=, 2);
        g_assert_true(g_str_has_prefix(run.err, "cairn-img: "));
        g_assert_cmpint(access(none, F_OK), !=, 0);
    }
}

/* ---- policy -------------------------------------------------------------- */

static void strict_refuses_backing_elsewhere(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_must(f, "create -q -f qcow -u -b /etc/hostname -F raw o.qcow 1M");
    tool_must(f, "map o.qcow");
    run = tool_run(f, "--strict map o.qcow");
    g_assert_cmpint(run.status, ==, 1);
    tool_run_clear(&run);
    run = tool_run(f, "map --strict o.qcow");
    g_assert_cmpint(run.status, ==, 1);
}

static void map_status(ToolFolder *f, const char *line, int status, const char *message)
{
    g_auto(ToolRun) run = tool_run(f, line);

    g_assert_cmpint(run.status, ==, status);
    g_assert_nonnull(strstr(run.err, message));
}

static void allow_backing_widens_strict(ToolFolder *f, gconstpointer data)
{
    static const char *const folders[] = { "images", "pool", "pool-2" };

    for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *path = tool_path(f, folders[i]);

        g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    }
    tool_make_raw(f, "pool/a.raw", 1 << 20, 4096);
    tool_make_raw(f, "pool-2/b.raw", 1 << 20, 4096);
    tool_must(f, "create -q -f qcow -b ../pool/a.raw -F raw images/a.qcow");
    tool_must(f, "create -q -f qcow -b ../pool-2/b.raw -F raw images/b.qcow");
    map_status(f, "map --strict images/a.qcow", 1, "leads out of the image's folder");
    map_status(f, "--allow-backing pool map images/a.qcow", 0, "");
    map_status(f, "map --allow-backing=./images/../pool images/a.qcow", 0, "");
    map_status(f, "--allow-backing pool map images/b.qcow", 1, "leads out of the image's folder");
    map_status(f, "--allow-backing pool map --allow-backing pool-2 images/b.qcow", 0, "");
    map_status(f, "--allow-backing missing map images/a.qcow", 1,
               "cairn-img: --allow-backing=missing: No such file or directory");
    map_status(f, "map --allow-backing pool/a.raw images/a.qcow", 1, "Not a directory");
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/usage/no-arguments/say-so", usage_no_arguments);
    CASE("/img/usage/unknown-command/is-named", usage_unknown_command);
    CASE("/img/usage/unknown-option/is-named", usage_unknown_option);
    CASE("/img/usage/misspelt/brings-the-nearest", usage_misspelt);
    CASE("/img/usage/help/names-formats", usage_help);
    CASE("/img/usage/version/is-two-lines", usage_version);
    CASE("/img/usage/a-link/gives-its-name", usage_name_of_link);
    CASE("/img/create/prints-what-it-makes", create_formatting_line);
    CASE("/img/create/quiet/prints-nothing", create_quiet);
    CASE("/img/create/failure/keeps-the-file", create_failure_keeps_file);
    CASE("/img/info/missing-backing/is-no-error", info_needs_no_backing);
    CASE("/img/info/names-in-images/are-escaped", info_escapes_names);
    CASE("/img/info/json/has-a-fixed-order", info_json_is_stable);
    CASE("/img/check/raw/exits-63", check_raw_is_unsupported);
    CASE("/img/check/clean-qcow/exits-0", check_clean_qcow);
    CASE("/img/check/leaks/exit-3", check_leaks);
    CASE("/img/check/corruption/exits-2", check_corruption);
    CASE("/img/check/bad-arguments/exit-1", check_bad_arguments);
    CASE("/img/map/empty-range/is-an-empty-list", map_empty_range);
    CASE("/img/map/equal-neighbours/are-one-entry", map_merges_neighbours);
    CASE("/img/compare/statuses/tell-the-verdict", compare_statuses);
    CASE("/img/compare/wrong-arguments/exit-2", compare_wrong_arguments);
    CASE("/img/convert/raw-qcow-raw/is-the-same", convert_round_trip);
    CASE("/img/convert/failure/keeps-the-target", convert_failure_keeps_target);
    CASE("/img/convert/cut-image/fails-unless-salvaged", convert_of_cut_image);
    CASE("/img/convert/cut-behind-the-disk/is-whole", convert_of_image_cut_behind_disk);
    CASE("/img/convert/onto-itself/is-refused", convert_onto_itself);
    CASE("/img/convert/onto-own-backing-file/is-refused", convert_onto_own_backing);
    CASE("/img/backing-file/of-a-backing-file/is-kept", backing_of_backing_is_kept);
    CASE("/img/convert/option-without-effect/is-warned-of", convert_without_effect_warns);
    CASE("/img/secret/data/leaves-the-process-list", secret_leaves_process_list);
    CASE("/img/endless/fifo-or-loop/is-refused", endless_images_are_refused);
    CASE("/img/strict/backing-file-elsewhere/is-refused", strict_refuses_backing_elsewhere);
    CASE("/img/allow-backing/widens-strict", allow_backing_widens_strict);
    return g_test_run();
}
