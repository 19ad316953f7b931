/* SPDX-License-Identifier: MIT */
/* Secret objects from option strings: taken or refused with a message that does not show the data. */
#include "tests/fuzz/fuzz.h"

#include <cairn/secret.h>
#include <string.h>

/* Whether @secret stands in @text more than once: as the data, and as a name or a value that a message may quote. */
static bool stands_elsewhere(const char *text, const char *secret)
{
    const char *first = strstr(text, secret);

    return first && strstr(first + 1, secret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_autofree char *text = g_strndup((const char *)data, bytes);
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) props = qdict_from_keyval(text, NULL, NULL);
    g_autoptr(CairnSecrets) store = NULL;

    /* Files are none of this target's business. */
    if (!props || qdict_haskey(props, "file")) {
        return 0;
    }
    store = cairn_secrets_new();
    cairn_secrets_add_bytes(store, "key", "0123456789abcdef0123456789abcdef", 32, NULL);
    if (!cairn_secrets_add(store, props, &error)) {
        const char *secret = qdict_get_try_str(props, "data");

        g_assert_nonnull(error);
        g_assert_false(secret && strlen(secret) > 40 && !stands_elsewhere(text, secret) &&
                       strstr(error->message, secret));
    }
    return 0;
}
