/* SPDX-License-Identifier: MIT */
/* IOVector and the zero check. */
#include <cairn/iov.h>

#include <string.h>

/* Three elements over "0123456789", the middle one empty: "012", "", "3456789". */
static void init_three(IOVector *v, char *buf)
{
    memcpy(buf, "0123456789", 10);
    io_vector_init(v, 0);
    io_vector_add(v, buf, 3);
    io_vector_add(v, buf, 0);
    io_vector_add(v, buf + 3, 7);
}

static void test_size_is_the_sum(void)
{
    g_auto(IOVector) v;
    char buf[10];

    init_three(&v, buf);
    g_assert_cmpint(v.niov, ==, 3);
    g_assert_cmpuint(v.size, ==, 10);
    io_vector_reset(&v);
    g_assert_cmpint(v.niov, ==, 0);
    g_assert_cmpuint(v.size, ==, 0);
    for (int i = 0; i < 100; i++) {
        io_vector_add(&v, buf, i);
    }
    g_assert_cmpint(v.niov, ==, 100);
    g_assert_cmpuint(v.size, ==, 4950);
    g_assert_cmpuint(v.iov[99].iov_len, ==, 99);
}

static void test_external_is_borrowed(void)
{
    char buf[10];
    struct iovec iov[] = { { buf, 4 }, { buf + 4, 6 } };
    IOVector v;

    io_vector_init_external(&v, iov, 2);
    g_assert_true(v.iov == iov);
    g_assert_cmpuint(v.size, ==, 10);
    io_vector_destroy(&v);
    g_assert_cmpuint(iov[1].iov_len, ==, 6);
}

static void test_copies_at_every_place(void)
{
    g_auto(IOVector) v;
    char buf[10], out[10], expected[10];

    for (size_t offset = 0; offset <= 10; offset++) {
        for (size_t bytes = 0; bytes <= 10 - offset; bytes++) {
            init_three(&v, buf);
            io_vector_to_buf_at(&v, offset, out, bytes);
            g_assert_cmpmem(out, bytes, buf + offset, bytes);

            memcpy(expected, buf, 10);
            memcpy(expected + offset, "ABCDEFGHIJ", bytes);
            io_vector_from_buf_at(&v, offset, "ABCDEFGHIJ", bytes);
            g_assert_cmpmem(buf, 10, expected, 10);

            memset(expected + offset, 'x', bytes);
            io_vector_memset(&v, offset, 'x', bytes);
            g_assert_cmpmem(buf, 10, expected, 10);
            io_vector_destroy(&v);
        }
    }
    init_three(&v, buf);
    io_vector_from_buf(&v, "abcd", 4);
    io_vector_to_buf(&v, out, 5);
    g_assert_cmpmem(out, 5, "abcd4", 5);
}

static void test_slice_shares_memory(void)
{
    char buf[10], out[10];

    for (size_t offset = 0; offset <= 10; offset++) {
        for (size_t bytes = 0; bytes <= 10 - offset; bytes++) {
            g_auto(IOVector) v;
            g_auto(IOVector) part;

            init_three(&v, buf);
            io_vector_slice(&part, &v, offset, bytes);
            g_assert_cmpuint(part.size, ==, bytes);
            io_vector_to_buf(&part, out, bytes);
            g_assert_cmpmem(out, bytes, buf + offset, bytes);
            io_vector_memset(&part, 0, '#', bytes);
            g_assert_true(bytes == 0 || memchr(buf, '#', 10) == buf + offset);
        }
    }
}

static void test_slice_of_one_element_is_one(void)
{
    char buf[10];
    IOVector v, part;

    io_vector_init_buf(&v, buf, 10);
    io_vector_slice(&part, &v, 2, 5);
    g_assert_cmpint(part.niov, ==, 1);
    g_assert_true(part.iov[0].iov_base == buf + 2);
    g_assert_cmpuint(part.iov[0].iov_len, ==, 5);
    io_vector_destroy(&part);
}

static void test_concat_appends(void)
{
    g_auto(IOVector) v;
    g_auto(IOVector) all;
    char buf[10], out[9];

    init_three(&v, buf);
    io_vector_init(&all, 1);
    io_vector_concat(&all, &v, 8, 2);
    io_vector_concat(&all, &v, 1, 4);
    io_vector_concat(&all, &v, 3, 0);
    io_vector_concat(&all, &v, 2, 3);
    g_assert_cmpuint(all.size, ==, 9);
    io_vector_to_buf(&all, out, 9);
    g_assert_cmpmem(out, 9, "891234234", 9);
}

static void test_out_of_range_is_refused(void)
{
    if (g_test_subprocess()) {
        char buf[10];
        IOVector v;

        io_vector_init_buf(&v, buf, 10);
        io_vector_memset(&v, 4, 0, 7);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*v->size*");
}

static void test_alignment_counts_address_and_length(void)
{
    static char buf[4096] __attribute__((aligned(512)));
    g_auto(IOVector) v;

    io_vector_init(&v, 2);
    g_assert_true(io_vector_is_aligned(&v, 512));
    io_vector_add(&v, buf, 1024);
    g_assert_true(io_vector_is_aligned(&v, 512));
    io_vector_add(&v, buf + 512, 8);
    g_assert_false(io_vector_is_aligned(&v, 512));
    g_assert_true(io_vector_is_aligned(&v, 8));
    io_vector_add(&v, buf + 1, 512);
    g_assert_false(io_vector_is_aligned(&v, 2));
    g_assert_true(io_vector_is_aligned(&v, 1));
}

/* ---- zeros ------------------------------------------------------------------ */

/* One set byte at every place of every short length, and at unaligned addresses. */
static void test_one_byte_is_seen(void)
{
    char buf[300] = { 0 };

    for (size_t start = 0; start < 4; start++) {
        for (size_t bytes = 1; bytes <= 290; bytes += bytes < 140 ? 1 : 29) {
            g_assert_true(cairn_buffer_is_zero(buf + start, bytes));
            for (size_t i = 0; i < bytes; i++) {
                buf[start + i] = (char)0x80;
                g_assert_false(cairn_buffer_is_zero(buf + start, bytes));
                buf[start + i] = 0;
            }
        }
    }
}

static void test_bytes_outside_do_not_count(void)
{
    for (size_t bytes = 0; bytes <= 200; bytes++) {
        g_autofree char *exact = g_malloc0(bytes + 2);

        exact[0] = 1;
        exact[bytes + 1] = 1;
        g_assert_true(cairn_buffer_is_zero(exact + 1, bytes));
    }
    g_assert_true(cairn_buffer_is_zero(NULL, 0));
}

static void test_vector_is_zero(void)
{
    g_auto(IOVector) v;
    char buf[10];

    init_three(&v, buf);
    io_vector_memset(&v, 2, 0, 6);
    g_assert_true(io_vector_is_zero(&v, 2, 6));
    g_assert_false(io_vector_is_zero(&v, 1, 7));
    g_assert_false(io_vector_is_zero(&v, 2, 7));
    g_assert_true(io_vector_is_zero(&v, 0, 0));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/iov/size-is-the-sum", test_size_is_the_sum);
    g_test_add_func("/iov/external/is-borrowed", test_external_is_borrowed);
    g_test_add_func("/iov/copies-at-every-place", test_copies_at_every_place);
    g_test_add_func("/iov/slice/shares-memory", test_slice_shares_memory);
    g_test_add_func("/iov/slice/of-one-element/is-one", test_slice_of_one_element_is_one);
    g_test_add_func("/iov/concat/appends", test_concat_appends);
    g_test_add_func("/iov/out-of-range/is-refused", test_out_of_range_is_refused);
    g_test_add_func("/iov/alignment-counts-address-and-length",
                    test_alignment_counts_address_and_length);
    g_test_add_func("/iov/zero/one-byte-anywhere-is-seen", test_one_byte_is_seen);
    g_test_add_func("/iov/zero/bytes-outside-do-not-count", test_bytes_outside_do_not_count);
    g_test_add_func("/iov/zero/of-a-part-of-a-vector", test_vector_is_zero);
    return g_test_run();
}
