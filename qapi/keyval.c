/* SPDX-License-Identifier: MIT */
/*
 * Option strings: "a.b=c,d=e" to a flat dictionary of texts. Pure, linear, within the limits of
 * qobject-int.h.
 *
 * A word ends at a comma; in a value (and in the implied first word) a doubled comma stands for one.
 * Without an implied key the list is of creation options, where empty words at the ends are refused;
 * with one, a comma at the end is let pass. Both as the peer does.
 */
#include "qapi/qobject-int.h"

#include <errno.h>
#include <string.h>

/* Takes a value from @text, up to a single comma or the end, and undoubles its commas. */
static char *keyval_take_value(const char **text)
{
    GString *value = g_string_new(NULL);
    const char *p = *text;

    for (;;) {
        size_t run = strcspn(p, ",");

        g_string_append_len(value, p, run);
        p += run;
        if (p[0] != ',' || p[1] != ',') {
            break;
        }
        g_string_append_c(value, ',');
        p += 2;
    }
    *text = p;
    return g_string_free(value, FALSE);
}

static bool keyval_put(QDict *dict, const char *key, const char *value, GError **error)
{
    size_t dots = 0;

    for (const char *p = key; *p; p++) {
        dots += *p == '.';
    }
    if (!*key) {
        cairn_set_error(error, EINVAL, "Invalid parameter ''");
        return false;
    }
    if (dots >= QAPI_MAX_DEPTH) {
        cairn_set_error(error, EINVAL, "An option name has more than %d parts", QAPI_MAX_DEPTH);
        return false;
    }
    qdict_put_str(dict, key, value);
    if (qdict_size(dict) > QAPI_MAX_KEYS) {
        cairn_set_error(error, E2BIG, "More than %d options", QAPI_MAX_KEYS);
        return false;
    }
    return true;
}

/* "key" is on, "nokey" is off. "no" alone is a key as any other. */
static bool keyval_put_bare(QDict *dict, const char *word, GPtrArray *bare, GError **error)
{
    bool is_off = g_str_has_prefix(word, "no") && word[2];

    if (bare) {
        g_ptr_array_add(bare, g_strdup(word));
    }
    return keyval_put(dict, is_off ? word + 2 : word, is_off ? "off" : "on", error);
}

/* Parses one word, which begins at @text. */
static bool keyval_take_word(QDict *dict, const char **text, const char *implied_key,
                             GPtrArray *bare, GError **error)
{
    size_t len = strcspn(*text, "=,");
    g_autofree char *word = NULL;
    g_autofree char *value = NULL;

    if ((*text)[len] != '=' && implied_key) {
        value = keyval_take_value(text);
        return keyval_put(dict, implied_key, value, error);
    }
    word = g_strndup(*text, len);
    if ((*text)[len] != '=') {
        *text += len;
        return keyval_put_bare(dict, word, bare, error);
    }
    *text += len + 1;
    value = keyval_take_value(text);
    return keyval_put(dict, word, value, error);
}

static bool keyval_check(const char *text, const char *implied_key, GError **error)
{
    if (strlen(text) > QAPI_MAX_TEXT) {
        cairn_set_error(error, E2BIG, "An option string is longer than %d bytes", QAPI_MAX_TEXT);
        return false;
    }
    if (!implied_key && (!*text || *text == ',')) {
        cairn_set_error(error, EINVAL, "Invalid option list: %s", text);
        return false;
    }
    return true;
}

static bool keyval_parse(QDict *dict, const char *text, const char *implied_key, GPtrArray *bare,
                         GError **error)
{
    const char *p = text;

    while (*p) {
        if (!keyval_take_word(dict, &p, p == text ? implied_key : NULL, bare, error)) {
            return false;
        }
        if (!*p) {
            break;
        }
        p++;                    /* the comma */
        if (!*p && !implied_key) {
            cairn_set_error(error, EINVAL, "Invalid option list: %s", text);
            return false;
        }
    }
    return true;
}

QDict *qdict_from_keyval_bare(const char *text, const char *implied_key, char ***bare,
                              GError **error)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    if (!keyval_check(text, implied_key, error) ||
        !keyval_parse(dict, text, implied_key, words, error)) {
        return NULL;
    }
    if (bare) {
        g_ptr_array_add(words, NULL);
        *bare = (char **)g_ptr_array_steal(words, NULL);
    }
    return g_steal_pointer(&dict);
}

QDict *qdict_from_keyval(const char *text, const char *implied_key, GError **error)
{
    return qdict_from_keyval_bare(text, implied_key, NULL, error);
}
