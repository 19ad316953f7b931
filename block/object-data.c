/* SPDX-License-Identifier: MIT */
/*
 * Takes the secret bytes out of an object's description before any parser makes copies of it.
 *
 * 1. The value of "data" is copied to secret memory only; what the parsers see has none.
 * 2. A spelling that this does not know (an escaped key, \u in the value) is left to the parser:
 *    right, but with copies on the heap.
 */
#include <string.h>

#include "block/object-int.h"

#define DATA_KEY "data"

bool object_is_json(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '{';
}

/* ---- option strings ------------------------------------------------------ */

/* The end of the "key=value" that starts at @p: a single comma, or the end of the text. */
static const char *keyval_end(const char *p)
{
    while (*p && (p[0] != ',' || p[1] == ',')) {
        p += p[0] == ',' ? 2 : 1;
    }
    return p;
}

static SecMem *keyval_value(const char *p, const char *end, GError **error)
{
    SecMem *mem = secmem_new(end - p, error);
    size_t n = 0;

    for (; mem && p < end; p++) {
        mem->data[n++] = *p;
        p += *p == ',';             /* doubled */
    }
    if (mem) {
        secmem_shrink(mem, n);
    }
    return mem;
}

static bool keyval_split(const char *text, GString *rest, SecMem **data, GError **error)
{
    for (const char *p = text; *p;) {
        const char *end = keyval_end(p);

        if (g_str_has_prefix(p, DATA_KEY "=")) {
            secmem_unref(*data);
            *data = keyval_value(p + strlen(DATA_KEY "="), end, error);
            if (!*data) {
                return false;
            }
            p = end + (*end == ',');
        } else {
            end += *end == ',';
            g_string_append_len(rest, p, end - p);
            p = end;
        }
    }
    if (*data && rest->len && rest->str[rest->len - 1] == ',') {
        g_string_truncate(rest, rest->len - 1);
    }
    return true;
}

/* ---- JSON ---------------------------------------------------------------- */

/* The closing quote of the string that opens at @p, or NULL. */
static const char *json_string_end(const char *p)
{
    char quote = *p++;

    while (*p && *p != quote) {
        p += *p == '\\' && p[1] ? 2 : 1;
    }
    return *p ? p : NULL;
}

static const char *json_skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* The opening quote of the value of the object's own member "data", or NULL. */
static const char *json_find_data(const char *text)
{
    int depth = 0;

    for (const char *p = text; *p; p++) {
        const char *end;

        depth += (*p == '{' || *p == '[') - (*p == '}' || *p == ']');
        if (*p != '"' && *p != '\'') {
            continue;
        }
        end = json_string_end(p);
        if (!end) {
            return NULL;
        }
        if (depth == 1 && end - p == 1 + (int)strlen(DATA_KEY) &&
            !strncmp(p + 1, DATA_KEY, strlen(DATA_KEY)) && *json_skip_space(end + 1) == ':') {
            p = json_skip_space(json_skip_space(end + 1) + 1);
            return *p == '"' || *p == '\'' ? p : NULL;
        }
        p = end;
    }
    return NULL;
}

/* What the letter after a backslash stands for; 0 for those that are left to the parser. */
static char json_unescape(char letter)
{
    static const char letters[] = "\"'\\/bfnrt", values[] = "\"'\\/\b\f\n\r\t";
    const char *found = letter ? strchr(letters, letter) : NULL;

    return found ? values[found - letters] : 0;
}

/* *@data stays NULL where the text between the quotes is one for the parser. */
static bool json_value(const char *p, const char *end, SecMem **data, GError **error)
{
    g_autoptr(SecMem) mem = secmem_new(end - p, error);
    size_t n = 0;

    if (!mem) {
        return false;
    }
    for (; p < end; p++) {
        char c = *p == '\\' ? json_unescape(*++p) : *p;

        if ((guchar)c < 0x20 && *p == c) {
            return true;            /* a raw control character: not JSON */
        }
        if (!c) {
            return true;
        }
        mem->data[n++] = c;
    }
    secmem_shrink(mem, n);
    *data = g_steal_pointer(&mem);
    return true;
}

static bool json_split(const char *text, GString *rest, SecMem **data, GError **error)
{
    const char *value = json_find_data(text);
    const char *end = value ? json_string_end(value) : NULL;

    if (end && g_utf8_validate(value, end - value, NULL) &&
        !json_value(value + 1, end, data, error)) {
        return false;
    }
    if (!*data) {
        g_string_append(rest, text);
        return true;
    }
    g_string_append_len(rest, text, value + 1 - text);
    g_string_append(rest, end);
    return true;
}

bool object_split_data(const char *text, char **rest, SecMem **data, GError **error)
{
    GString *out = g_string_new(NULL);
    bool ok;

    *data = NULL;
    ok = object_is_json(text) ? json_split(text, out, data, error)
                              : keyval_split(text, out, data, error);
    *rest = g_string_free(out, !ok);
    return ok;
}
