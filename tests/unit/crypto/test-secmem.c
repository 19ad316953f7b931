/* SPDX-License-Identifier: MIT */
/* Secret memory: what the kernel says of its pages, what a child sees, what stays after release. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/secmem.h"

/* The flags of the mapping that holds @address, as /proc/self/smaps writes them: " rd wr dd ". */
static char *smaps_flags(const void *address)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    bool is_inside = false;

    g_assert_true(g_file_get_contents("/proc/self/smaps", &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        unsigned long start, end;

        if (sscanf(*line, "%lx-%lx ", &start, &end) == 2) {
            is_inside = (unsigned long)address >= start && (unsigned long)address < end;
        } else if (is_inside && g_str_has_prefix(*line, "VmFlags:")) {
            return g_strdup(*line + strlen("VmFlags:"));
        }
    }
    return NULL;
}

static void test_flags(void)
{
    g_autoptr(SecMem) mem = secmem_new(100, NULL);
    g_autofree char *flags = smaps_flags(mem->data);

    g_assert_nonnull(flags);
    g_assert_nonnull(strstr(flags, " dd "));
    g_assert_nonnull(strstr(flags, " wf "));
    if (!strstr(flags, " lo ")) {
        g_test_message("locking is not allowed here");
    }
}

static void test_sizes(void)
{
    const size_t sizes[] = { 0, 1, 15, 16, 17, 4095, 4096, 4097, 70000 };

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(SecMem) mem = secmem_new(sizes[i], NULL);

        g_assert_cmpuint(mem->size, ==, sizes[i]);
        g_assert_cmpuint((uintptr_t)mem->data % 16, ==, 0);
        for (size_t k = 0; k < sizes[i]; k++) {
            g_assert_cmpuint(mem->data[k], ==, 0);
        }
        memset(mem->data, 0xa5, sizes[i]);
    }
}

/* Runs @func in a child and tells how it ended. */
static int child_status(void (*func)(SecMem *), SecMem *mem)
{
    int status;
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        func(mem);
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0) {
        g_assert_cmpint(errno, ==, EINTR);
    }
    return status;
}

static void child_expect_empty(SecMem *mem)
{
    for (size_t i = 0; i < mem->size; i++) {
        if (mem->data[i]) {
            _exit(1);
        }
    }
    secmem_unref(mem);
}

static void child_write_after(SecMem *mem)
{
    *(volatile uint8_t *)(mem->data + mem->size) = 1;
}

static void child_read_before(SecMem *mem)
{
    uintptr_t page = sysconf(_SC_PAGESIZE);

    (void)*(volatile uint8_t *)(((uintptr_t)mem->data & ~(page - 1)) - 1);
}

static void test_fork(void)
{
    g_autoptr(SecMem) mem = secmem_new_copy("0123456789abcdef", 16, NULL);
    int status = child_status(child_expect_empty, mem);

    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
    g_assert_cmpmem(mem->data, 16, "0123456789abcdef", 16);
}

static void test_guards(void)
{
    g_autoptr(SecMem) mem = secmem_new(64, NULL);
    int after = child_status(child_write_after, mem);
    int before = child_status(child_read_before, mem);

    /* A sanitizer catches the signal and exits; either way the child does not go on. */
    g_assert_false(WIFEXITED(after) && WEXITSTATUS(after) == 0);
    g_assert_false(WIFEXITED(before) && WEXITSTATUS(before) == 0);
}

/*
 * Whether the bytes at @data are still mapped and as they were: asked of the kernel, so that it
 * cannot fault.
 */
static bool memory_holds(const uint8_t *data, const void *bytes, size_t n)
{
    g_autofree uint8_t *copy = g_malloc(n);
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ssize_t got = pread(fd, copy, n, (off_t)(uintptr_t)data);

    close(fd);
    return got == (ssize_t)n && memcmp(copy, bytes, n) == 0;
}

static void test_release(void)
{
    SecMem *mem = secmem_new_copy("0123456789abcdef", 16, NULL);
    SecMem *other = secmem_ref(mem);
    uint8_t *data = mem->data;

    secmem_unref(mem);
    g_assert_true(memory_holds(data, "0123456789abcdef", 16));
    secmem_unref(other);
    g_assert_false(memory_holds(data, "0123456789abcdef", 16));
}

static void test_shrink(void)
{
    g_autoptr(SecMem) mem = secmem_new_copy("0123456789abcdef", 16, NULL);
    static const uint8_t zeros[12];

    secmem_shrink(mem, 4);
    g_assert_cmpuint(mem->size, ==, 4);
    g_assert_cmpmem(mem->data, 4, "0123", 4);
    g_assert_cmpmem(mem->data + 4, 12, zeros, 12);
}

static void test_too_large(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(secmem_new(SIZE_MAX, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEM);
    g_assert_null(secmem_new(SIZE_MAX / 2 + 1, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crypto/secmem/pages/stay-out-of-dumps-and-children", test_flags);
    g_test_add_func("/crypto/secmem/any-size/is-zeroed-and-aligned", test_sizes);
    g_test_add_func("/crypto/secmem/forked-child/sees-zeros-and-can-release", test_fork);
    g_test_add_func("/crypto/secmem/access-outside/ends-the-process", test_guards);
    g_test_add_func("/crypto/secmem/last-release/leaves-nothing", test_release);
    g_test_add_func("/crypto/secmem/shrink/wipes-the-rest", test_shrink);
    g_test_add_func("/crypto/secmem/size-past-the-limit/is-refused", test_too_large);
    return g_test_run();
}
