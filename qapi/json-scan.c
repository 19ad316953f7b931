/* SPDX-License-Identifier: MIT */
/*
 * The passes before and after jansson: see json-scan.h. Both are linear and do not recurse.
 */
#include "qapi/json-scan.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "qapi/qobject-int.h"

#define NUMBER_CHARS "0123456789+-.eE"
#define KEYWORD_SHOWN 40

typedef struct JsonScan {
    const char *p;              /* what comes next */
    GString *out;
    GPtrArray *numbers;
    bool in_list[QAPI_MAX_DEPTH + 1];   /* [depth]: the innermost bracket is "[" */
    int depth;
    int keys;                   /* keys and further list elements so far */
} JsonScan;

static bool scan_fail(GError **error, int err, const char *reason)
{
    cairn_set_error(error, err, "JSON parse error, %s", reason);
    return false;
}

/* Copies a string with quotes of either kind as one with double quotes. */
static bool scan_string(JsonScan *scan, GError **error)
{
    char quote = *scan->p++;

    g_string_append_c(scan->out, '"');
    for (; *scan->p != quote; scan->p++) {
        if (!*scan->p) {
            return scan_fail(error, EINVAL, "unterminated string");
        }
        if (*scan->p == '\\' && scan->p[1] == '\'') {
            scan->p++;
        } else if (*scan->p == '\\' && scan->p[1]) {
            g_string_append_c(scan->out, *scan->p++);
        } else if (*scan->p == '"') {
            g_string_append_c(scan->out, '\\');
        }
        g_string_append_c(scan->out, *scan->p);
    }
    scan->p++;
    g_string_append_c(scan->out, '"');
    return true;
}

static bool is_integer(const char *token)
{
    const char *digits = token + (*token == '-');

    return *digits && !digits[strspn(digits, "0123456789")] && (*digits != '0' || !digits[1]);
}

/* The value of a well-formed token; of any other it does not matter, as jansson refuses it. */
static QObject *number_value(const char *token, bool *fits_jansson)
{
    char *end;
    int64_t i64;
    uint64_t u64;

    *fits_jansson = true;
    if (!is_integer(token)) {
        return qnum_new_double(g_ascii_strtod(token, NULL));
    }
    errno = 0;
    i64 = g_ascii_strtoll(token, &end, 10);
    if (!errno) {
        return qnum_new_int(i64);
    }
    *fits_jansson = false;
    errno = 0;
    u64 = g_ascii_strtoull(token, &end, 10);
    if (!errno && *token != '-') {
        return qnum_new_uint(u64);
    }
    return qnum_new_double(g_ascii_strtod(token, NULL));
}

static bool scan_number(JsonScan *scan, GError **error)
{
    size_t len = strspn(scan->p, NUMBER_CHARS);
    g_autofree char *token = g_strndup(scan->p, len);
    bool fits_jansson;
    QObject *value = number_value(token, &fits_jansson);
    double approx;

    g_ptr_array_add(scan->numbers, value);
    if (qobject_get_double(value, &approx) && !isfinite(approx)) {
        return scan_fail(error, ERANGE, "number out of range");
    }
    g_string_append(scan->out, fits_jansson ? token : "0");
    scan->p += len;
    return true;
}

static bool scan_keyword(JsonScan *scan, GError **error)
{
    static const char *const known[] = { "true", "false", "null", NULL };
    size_t len = 0;
    g_autofree char *word = NULL;

    while (g_ascii_isalnum(scan->p[len]) || scan->p[len] == '_') {
        len++;
    }
    word = g_strndup(scan->p, MIN(len, KEYWORD_SHOWN));
    if (len > KEYWORD_SHOWN || !g_strv_contains(known, word)) {
        cairn_set_error(error, EINVAL, "JSON parse error, invalid keyword '%s'", word);
        return false;
    }
    g_string_append(scan->out, word);
    scan->p += len;
    return true;
}

/* Brackets, separators and what jansson will refuse. */
static bool scan_other(JsonScan *scan, GError **error)
{
    char c = *scan->p++;

    if (c == '[' || c == '{') {
        if (scan->depth == QAPI_MAX_DEPTH) {
            return scan_fail(error, E2BIG, "nesting deeper than 128");
        }
        scan->in_list[++scan->depth] = c == '[';
    } else if ((c == ']' || c == '}') && scan->depth) {
        scan->depth--;
    } else if (c == ':' || (c == ',' && scan->in_list[scan->depth])) {
        scan->keys++;
    }
    if (scan->keys > QAPI_MAX_KEYS) {
        return scan_fail(error, E2BIG, "more than 4096 keys");
    }
    g_string_append_c(scan->out, c);
    return true;
}

static bool scan_token(JsonScan *scan, GError **error)
{
    if (*scan->p == '"' || *scan->p == '\'') {
        return scan_string(scan, error);
    }
    if (g_ascii_isdigit(*scan->p) || *scan->p == '-') {
        return scan_number(scan, error);
    }
    if (g_ascii_isalpha(*scan->p) || *scan->p == '_') {
        return scan_keyword(scan, error);
    }
    return scan_other(scan, error);
}

char *json_scan(const char *text, GPtrArray *numbers, GError **error)
{
    JsonScan scan = { .p = text, .numbers = numbers };

    G_STATIC_ASSERT(QAPI_MAX_DEPTH == 128 && QAPI_MAX_KEYS == 4096 && QAPI_MAX_TEXT == 1 << 20);
    if (strlen(text) > QAPI_MAX_TEXT) {
        scan_fail(error, E2BIG, "text longer than 1 MiB");
        return NULL;
    }
    scan.out = g_string_sized_new(strlen(text) + 1);
    while (*scan.p) {
        if (!scan_token(&scan, error)) {
            g_string_free(scan.out, TRUE);
            return NULL;
        }
    }
    return g_string_free(scan.out, FALSE);
}

/* The length of the string at @p, quotes included. */
static size_t string_token_len(const char *p)
{
    size_t len = 1;

    while (p[len] != '"') {
        len += p[len] == '\\' ? 2 : 1;
    }
    return len + 1;
}

char *json_replace_numbers(const char *text, const GPtrArray *numbers)
{
    GString *out = g_string_new(NULL);
    guint next = 0;

    for (const char *p = text; *p; ) {
        const char *instead = NULL;
        size_t len = 1;

        if (*p == '"') {
            len = string_token_len(p);
        } else if (g_ascii_isdigit(*p) || *p == '-') {
            len = strspn(p, NUMBER_CHARS);
            g_assert(next < numbers->len);
            instead = numbers->pdata[next++];
        }
        if (instead) {
            g_string_append(out, instead);
        } else {
            g_string_append_len(out, p, (gssize)len);
        }
        p += len;
    }
    return g_string_free(out, FALSE);
}
