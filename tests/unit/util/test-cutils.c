/* SPDX-License-Identifier: MIT */
/* Sizes in and out; checked ranges; bytes in a fixed order. */
#include "util/cutils.h"

#include <errno.h>
#include <string.h>

typedef struct SizeCase {
    const char *text;
    int ret;
    uint64_t bytes;
} SizeCase;

static const SizeCase size_cases[] = {
    { "0", 0, 0 },
    { "512", 0, 512 },
    { "010", 0, 10 },
    { "1b", 0, 1 }, { "1B", 0, 1 },
    { "1k", 0, 1024 }, { "1K", 0, 1024 },
    { "2m", 0, 2 << 20 }, { "3G", 0, (uint64_t)3 << 30 }, { "1t", 0, (uint64_t)1 << 40 },
    { "1P", 0, (uint64_t)1 << 50 }, { "15E", 0, (uint64_t)15 << 60 }, { "1e", 0, (uint64_t)1 << 60 },
    { "1.5k", 0, 1536 }, { "1.k", 0, 1024 }, { "0.3k", 0, 307 }, { "0.1k", 0, 102 },
    { "0.0009765625k", 0, 1 }, { "9.99P", 0, UINT64_C(11247740069357813) },
    { "1.50000000000000000000000000000000000k", 0, 1536 },
    { "1.0", 0, 1 }, { "1.", 0, 1 }, { "1.0b", 0, 1 },
    { "0x10", 0, 16 }, { "0X1f", 0, 31 }, { "0x1b", 0, 27 }, { "0x1E", 0, 30 },
    { "0x10k", 0, 16384 }, { "0xffffffffffffffff", 0, UINT64_MAX },
    { "18446744073709551615", 0, UINT64_MAX },
    { " 1k", 0, 1024 }, { "+1k", 0, 1024 },
    { "18446744073709551616", -ERANGE }, { "16E", -ERANGE }, { "0x10000000000000000", -ERANGE },
    { "999999999999999999999k", -ERANGE }, { "18014398509481984k", -ERANGE },
    { "18014398509481983.99k", 0, UINT64_MAX - 1023 + 1013 },
    { "", -EINVAL }, { " ", -EINVAL }, { "k", -EINVAL }, { ".", -EINVAL }, { ".5k", -EINVAL },
    { "1.5", -EINVAL }, { "1.5b", -EINVAL }, { "1.00000000000000000001", -EINVAL },
    { "1e3", -EINVAL }, { "1kb", -EINVAL }, { "1KiB", -EINVAL }, { "1 k", -EINVAL },
    { "1k ", -EINVAL }, { "-1", -EINVAL }, { "-0", -EINVAL }, { "0x", -EINVAL }, { "0xg", -EINVAL },
    { "0x1.8k", -EINVAL }, { "1.2.3k", -EINVAL }, { "nan", -EINVAL }, { "inf", -EINVAL },
    { "1y", -EINVAL }, { "1\xc3\xa4", -EINVAL }, { "++1", -EINVAL }, { "1,5k", -EINVAL },
    { "99999999999999999999x", -EINVAL },
};

static void test_parse_size(gconstpointer data)
{
    const SizeCase *c = data;
    uint64_t bytes = 77;

    g_assert_cmpint(cutils_parse_size(c->text, &bytes, NULL), ==, c->ret);
    g_assert_cmpuint(bytes, ==, c->ret == 0 ? c->bytes : 77);
}

static void test_hex_suffix_is_told(void)
{
    bool hex_suffix = false;
    uint64_t bytes;

    g_assert_cmpint(cutils_parse_size("0x10k", &bytes, &hex_suffix), ==, 0);
    g_assert_true(hex_suffix);
    g_assert_cmpint(cutils_parse_size("0x10", &bytes, &hex_suffix), ==, 0);
    g_assert_false(hex_suffix);
    g_assert_cmpint(cutils_parse_size("10k", &bytes, &hex_suffix), ==, 0);
    g_assert_false(hex_suffix);
}

static const struct {
    uint64_t bytes;
    const char *text;
} format_cases[] = {
    { 0, "0 B" }, { 1, "1 B" }, { 512, "512 B" }, { 999, "999 B" }, { 1000, "0.977 KiB" },
    { 1024, "1 KiB" }, { 1536, "1.5 KiB" }, { 1022976, "999 KiB" }, { 1023487, "999 KiB" },
    { 1023488, "1000 KiB" }, { 1023999, "1000 KiB" }, { 1024000, "0.977 MiB" },
    { 1047552, "0.999 MiB" }, { 1234567, "1.18 MiB" }, { 123457024, "118 MiB" },
    { (uint64_t)10 << 40, "10 TiB" }, { (uint64_t)1 << 50, "1 PiB" },
    { (uint64_t)8 << 60, "8 EiB" }, { UINT64_MAX, "16 EiB" },
};

static void test_format_size(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(format_cases); i++) {
        g_autofree char *text = cutils_format_size(format_cases[i].bytes);

        g_assert_cmpstr(text, ==, format_cases[i].text);
    }
}

static void test_format_has_no_exponent(void)
{
    for (int shift = 0; shift < 54; shift++) {
        for (int step = -100; step <= 100; step++) {
            uint64_t bytes = (UINT64_C(1000) << shift) + step * (INT64_MAX >> (63 - shift)) / 100;
            g_autofree char *text = cutils_format_size(bytes);

            g_assert_null(strchr(text, 'e'));
        }
    }
}

static void test_range_fits(void)
{
    g_assert_true(range_fits(0, 0, 0));
    g_assert_true(range_fits(5, 5, 10));
    g_assert_true(range_fits(10, 0, 10));
    g_assert_false(range_fits(5, 6, 10));
    g_assert_false(range_fits(11, 0, 10));
    g_assert_false(range_fits(-1, 1, 10));
    g_assert_false(range_fits(1, -1, 10));
    g_assert_false(range_fits(INT64_MAX, INT64_MAX, INT64_MAX));
    g_assert_true(range_fits(INT64_MAX - 1, 1, INT64_MAX));
}

static void test_bytes_are_in_order(void)
{
    static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    uint8_t out[9] = { 0 };

    g_assert_cmphex(be16_load(bytes + 1), ==, 0x0102);
    g_assert_cmphex(be32_load(bytes + 1), ==, 0x01020304);
    g_assert_cmphex(be64_load(bytes + 1), ==, UINT64_C(0x0102030405060708));
    be64_store(out + 1, UINT64_C(0x0102030405060708));
    g_assert_cmpmem(out, 9, bytes, 9);
    be32_store(out + 1, 0x04030201);
    be16_store(out + 5, 0x0605);
    g_assert_cmpmem(out, 7, "\0\4\3\2\1\6\5", 7);
    le64_store(out + 1, UINT64_C(0x0807060504030201));
    g_assert_cmpmem(out, 9, bytes, 9);
}

static void test_power_of_2(void)
{
    g_assert_false(is_power_of_2(0));
    g_assert_true(is_power_of_2(1));
    g_assert_false(is_power_of_2(3));
    g_assert_true(is_power_of_2(UINT64_C(1) << 63));
    g_assert_false(is_power_of_2(UINT64_MAX));
}

/* A path has no room for "/" and for blanks at its end. */
static void add_size_cases(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(size_cases); i++) {
        g_autofree char *escaped = g_strescape(size_cases[i].text, NULL);
        g_autofree char *path = g_strdup_printf("/cutils/parse-size/'%s'/%s", escaped,
                                                size_cases[i].ret ? "is-refused" : "is-read");

        g_test_add_data_func(path, &size_cases[i], test_parse_size);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_size_cases();
    g_test_add_func("/cutils/parse-size/suffix-on-hex/is-told", test_hex_suffix_is_told);
    g_test_add_func("/cutils/format-size/three-digits", test_format_size);
    g_test_add_func("/cutils/format-size/no-exponent", test_format_has_no_exponent);
    g_test_add_func("/cutils/range/fits-without-overflow", test_range_fits);
    g_test_add_func("/cutils/endian/bytes-are-in-order", test_bytes_are_in_order);
    g_test_add_func("/cutils/power-of-2", test_power_of_2);
    return g_test_run();
}
