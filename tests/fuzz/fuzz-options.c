/* SPDX-License-Identifier: MIT */
/* Option strings: parsed, made a tree, flattened again, and held against a table. */
#include "tests/fuzz/fuzz.h"

#include <cairn/qdict.h>

static const OptionDesc table[] = {
    { .name = "size", .type = OPTION_SIZE },
    { .name = "n", .type = OPTION_NUMBER },
    { .name = "on", .type = OPTION_BOOL },
    { .name = "a.b", .type = OPTION_STRING },
    { NULL },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_autofree char *text = g_strndup((const char *)data, bytes);
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) flat = qdict_from_keyval(text, bytes % 2 ? "driver" : NULL, &error);
    g_autoptr(QObject) tree = NULL;
    g_autoptr(QDict) taken = NULL;

    if (!flat) {
        g_assert_nonnull(error);
        return 0;
    }
    tree = qdict_crumple(flat, NULL);
    if (tree && qobject_to_qdict(tree)) {
        qdict_flatten(qobject_to_qdict(tree));
        g_assert_cmpuint(qdict_size(qobject_to_qdict(tree)), ==, qdict_size(flat));
    }
    taken = options_absorb(table, flat, &error);
    if (!taken) {
        g_assert_nonnull(error);
    }
    return 0;
}
