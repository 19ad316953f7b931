/* SPDX-License-Identifier: MIT */
/* Base64 into secret memory: the vectors of RFC 4648 section 10, and what is refused. */
#include <errno.h>
#include <string.h>

#include "crypto/base64.h"

static void test_vectors(void)
{
    const struct { const char *text, *plain; } vectors[] = {
        { "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg==", "foob" },
        { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" }, { "Zm9v\nYmFy\n", "foobar" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(SecMem) mem = qcrypto_base64_decode((const uint8_t *)vectors[i].text,
                                                      strlen(vectors[i].text), &error);

        g_assert_no_error(error);
        g_assert_cmpmem(mem->data, mem->size, vectors[i].plain, strlen(vectors[i].plain));
    }
}

static void assert_refused(const char *text, size_t bytes, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(qcrypto_base64_decode((const uint8_t *)text, bytes, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_invalid(void)
{
    const char *message = "Base64 data contains invalid characters";

    assert_refused("!!", 2, message);
    assert_refused("Zm9v YmFy", 9, message);
    assert_refused("Zm9v\r\n", 6, message);
    assert_refused("Zm9v\0Zm9v", 9, message);
    assert_refused("Zm9\xc3", 4, message);
    assert_refused("-_-_", 4, message);
}

static void test_cut(void)
{
    const char *message = "Base64 data is cut short or wrongly padded";

    assert_refused("Z", 1, message);
    assert_refused("Zm9", 3, message);
    assert_refused("Zg=", 3, message);
    assert_refused("Zg==Zg==", 8, message);
    assert_refused("====", 4, message);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crypto/base64/rfc-4648-vectors/match", test_vectors);
    g_test_add_func("/crypto/base64/foreign-characters/are-refused", test_invalid);
    g_test_add_func("/crypto/base64/wrong-end/is-refused", test_cut);
    return g_test_run();
}
