/* SPDX-License-Identifier: MIT */
/*
 * The public face of sizes; the grammar itself is tested with cutils.
 */
#include <cairn/size.h>

#include <errno.h>

static void parse_valid(void)
{
    bool hex_suffix = true;
    uint64_t bytes = 0;

    g_assert_cmpint(cairn_parse_size("1.5k", &bytes, &hex_suffix), ==, 0);
    g_assert_cmpuint(bytes, ==, 1536);
    g_assert_false(hex_suffix);
    g_assert_cmpint(cairn_parse_size("010", &bytes, NULL), ==, 0);
    g_assert_cmpuint(bytes, ==, 10);
}

static void parse_hex_suffix(void)
{
    bool hex_suffix = false;
    uint64_t bytes = 0;

    g_assert_cmpint(cairn_parse_size("0x10k", &bytes, &hex_suffix), ==, 0);
    g_assert_cmpuint(bytes, ==, 16384);
    g_assert_true(hex_suffix);
}

static void parse_invalid(void)
{
    static const char *const texts[] = { "", "x", "-1", "1e3", "1kb", "1.5", " " };
    uint64_t bytes;

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_test_message("'%s'", texts[i]);
        g_assert_cmpint(cairn_parse_size(texts[i], &bytes, NULL), ==, -EINVAL);
    }
    g_assert_cmpint(cairn_parse_size("16E", &bytes, NULL), ==, -ERANGE);
}

static void suggest(void)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        { "10MB", "bad\nDid you mean '10M'?" }, { "10MiB", "bad\nDid you mean '10M'?" },
        { "10 gib", "bad\nDid you mean '10g'?" }, { "1.5 k", "bad\nDid you mean '1.5k'?" },
        { "512 bytes", "bad\nDid you mean '512'?" }, { "512 B", "bad\nDid you mean '512'?" },
        { "10X", "bad" }, { "MB", "bad" }, { "", "bad" }, { "1.5", "bad" }, { "1.5B", "bad" },
        { "99999EB", "bad" }, { "-1MB", "bad" }, { "1kkb", "bad" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("'%s'", cases[i].text);
        cairn_set_error(&error, EINVAL, "bad");
        cairn_error_append_size(&error, cases[i].text);
        g_assert_cmpstr(error->message, ==, cases[i].wanted);
    }
}

static void format(void)
{
    g_autofree char *one = cairn_format_size(1 << 20);
    g_autofree char *most = cairn_format_size(1022976);

    g_assert_cmpstr(one, ==, "1 MiB");
    g_assert_cmpstr(most, ==, "999 KiB");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/size/parse/valid/gives-bytes", parse_valid);
    g_test_add_func("/size/parse/suffix-on-hex/is-told", parse_hex_suffix);
    g_test_add_func("/size/parse/invalid/is-refused", parse_invalid);
    g_test_add_func("/size/suggest/unit-of-another-kind/brings-ours", suggest);
    g_test_add_func("/size/format/has-three-digits", format);
    return g_test_run();
}
