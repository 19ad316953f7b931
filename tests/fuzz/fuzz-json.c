/* SPDX-License-Identifier: MIT */
/* JSON that is taken is printed and read again to the same tree. */
#include "tests/fuzz/fuzz.h"

#include <cairn/qdict.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_autofree char *text = g_strndup((const char *)data, bytes);
    g_autoptr(GError) error = NULL;
    g_autoptr(QObject) tree = qobject_from_json(text, &error);

    if (!tree) {
        g_assert_true(g_str_has_prefix(error->message, "JSON parse error, "));
        return 0;
    }
    for (int pretty = 0; pretty < 2; pretty++) {
        g_autofree char *printed = qobject_to_json(tree, pretty);
        g_autoptr(QObject) again = qobject_from_json(printed, &error);

        g_assert_no_error(error);
        g_assert_true(qobject_is_equal(tree, again));
    }
    return 0;
}
