/* SPDX-License-Identifier: MIT */
/*
 * cairn-img in its sandbox: every command does its work, on raw and qcow, as it does without.
 */
#include "tool-run.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In this order: each finds what those before it have made. */
static const char *const lines[] = {
    "create -q -f qcow base.qcow 4M",
    "convert -f raw -O qcow a.raw base.qcow",
    "convert -c -f raw -O qcow a.raw packed.qcow",
    ("convert -f raw -O qcow --object secret,id=s,data=key -o encrypt.format=aes,"
     "encrypt.key-secret=s a.raw secret.qcow"),
    "create -q -f qcow -b base.qcow -F qcow top.qcow",
    "dd -f raw -O qcow if=a.raw of=dd.qcow bs=64k",
    "convert -n -f raw -O qcow a.raw top.qcow",
    "check -q top.qcow",
    "info -f qcow --backing-chain top.qcow",
    "map top.qcow",
    "map --output=svg top.qcow",
    "measure -O raw top.qcow",
    "compare -q -f raw -F qcow a.raw top.qcow",
    "commit -q -f qcow top.qcow",
    "rebase -b packed.qcow -F qcow top.qcow",
    "rebase -u -b base.qcow -F qcow top.qcow",
    "resize -q base.qcow 8M",
    "compact -q base.qcow",
    "compact -q base.qcow small.qcow",
    "check -q -r all base.qcow",
    "explain base.qcow",
    "bench -q -f qcow -w -d 4 -c 64 --flush-interval=8 top.qcow",
    "bench -q -f raw -c 64 -t none -i io_uring a.raw",
    "convert -f qcow -O raw top.qcow a2.raw",
    "convert -C -f raw -O raw a.raw a3.raw",
};

static void commands_work_inside(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 4 << 20, 1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *line = g_strdup_printf("--sandbox=require %s", lines[i]);
        g_auto(ToolRun) run = tool_run(f, line);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 0);
        g_assert_cmpstr(run.err, ==, "");
    }
    tool_must(f, "convert --object secret,id=s,data=key --image-opts -O raw"
                 " driver=qcow,file.filename=secret.qcow,encrypt.key-secret=s a4.raw");
    tool_assert_same_files(f, "a.raw", "a3.raw");
    tool_assert_same_files(f, "a.raw", "a4.raw");
}

/* Failing inside leaves no more than failing outside. */
static void failures_are_told(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "info --sandbox=require none.qcow");

    g_assert_cmpint(run.status, ==, 1);
    g_assert_nonnull(strstr(run.err, "No such file or directory"));
    tool_must_fail(f, "info --sandbox=maybe x", 1,
                   "cairn-img: --sandbox must be used with on, off or require as argument.\n");
}

/* In builds with AddressSanitizer, whose search for leaks stops the process as a debugger would. */
static void leave_leaks_to_other_tests(void)
{
    const char *options = g_getenv("ASAN_OPTIONS");
    g_autofree char *all = g_strdup_printf("%s:detect_leaks=0", options ? options : "");

    g_setenv("ASAN_OPTIONS", all, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    leave_leaks_to_other_tests();
    if (syscall(444, NULL, 0, 1) < 1) {
        g_test_message("this kernel has no Landlock");
        return g_test_run();
    }
    if (g_getenv("LLVM_PROFILE_FILE")) {
        g_test_message("what counts branches could not write its file from inside");
        return g_test_run();
    }
    g_test_add("/img/sandbox/commands", ToolFolder, NULL, tool_folder_setup, commands_work_inside,
               tool_folder_teardown);
    g_test_add("/img/sandbox/failures", ToolFolder, NULL, tool_folder_setup, failures_are_told,
               tool_folder_teardown);
    return g_test_run();
}
