/* SPDX-License-Identifier: MIT */
/*
 * Values of options: JSON values and texts are alike ("64k", 65536 and "65536"; true and "on").
 */
#include "qapi/option-value.h"

#include <cairn/nearest.h>
#include <cairn/size.h>

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define MAX_LISTED_CHOICES 8

static QObject *convert_bool(const char *name, const QObject *value, GError **error)
{
    static const char *const words[] = {
        "on", "off", "yes", "no", "true", "false", "y", "n", NULL
    };
    const char *text = qobject_get_str(value);
    bool flag;

    if (qobject_get_bool(value, &flag)) {
        return qbool_new(flag);
    }
    for (int i = 0; text && words[i]; i++) {
        if (g_str_equal(text, words[i])) {
            return qbool_new(i % 2 == 0);
        }
    }
    cairn_set_error(error, EINVAL, "Parameter '%s' expects 'on' or 'off'", name);
    return NULL;
}

static QObject *convert_size(const char *name, const QObject *value, GError **error)
{
    const char *text = qobject_get_str(value);
    uint64_t bytes;
    int ret;

    if (qobject_get_uint(value, &bytes)) {
        return qnum_new_uint(bytes);
    }
    ret = text ? cutils_parse_size(text, &bytes, NULL) : -EINVAL;
    if (ret == 0) {
        return qnum_new_uint(bytes);
    }
    if (ret == -ERANGE) {
        cairn_set_error(error, ERANGE, "Value '%s' is out of range for parameter '%s'", text, name);
        return NULL;
    }
    cairn_set_error(error, EINVAL, "Parameter '%s' expects a non-negative number below 2^64", name);
    cairn_error_append_hint(error, "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, "
                            "tera-, peta-");
    cairn_error_append_hint(error, "and exabytes, respectively.");
    if (text) {
        cairn_error_append_size(error, text);
    }
    return NULL;
}

/* Decimal or 0x hex, with a sign. A leading 0 is decimal, as in sizes. */
static int parse_number(const char *text, int64_t *number)
{
    const char *digits = text + (*text == '-');
    bool is_hex = g_ascii_strncasecmp(digits, "0x", 2) == 0 && g_ascii_isxdigit(digits[2]);
    char *end;

    if (!is_hex && !g_ascii_isdigit(digits[0])) {
        return -EINVAL;
    }
    errno = 0;
    *number = g_ascii_strtoll(text, &end, is_hex ? 16 : 10);
    return *end ? -EINVAL : -errno;
}

static QObject *convert_number(const char *name, const QObject *value, GError **error)
{
    const char *text = qobject_get_str(value);
    uint64_t positive;
    int64_t number;
    int ret;

    if (qobject_get_int(value, &number)) {
        return qnum_new_int(number);
    }
    if (qobject_get_uint(value, &positive)) {
        cairn_set_error(error, ERANGE,
                        "Value '%" G_GUINT64_FORMAT "' is out of range for parameter '%s'",
                        positive, name);
        return NULL;
    }
    ret = text ? parse_number(text, &number) : -EINVAL;
    if (ret == 0) {
        return qnum_new_int(number);
    }
    if (ret == -ERANGE) {
        cairn_set_error(error, ERANGE, "Value '%s' is out of range for parameter '%s'", text, name);
    } else {
        cairn_set_error(error, EINVAL, "Parameter '%s' expects a number", name);
    }
    return NULL;
}

/* A few words are listed; of many the nearest is named. */
static void hint_choices(const char *name, const char *const *choices, const char *shown,
                         GError **error)
{
    g_autofree char *list = NULL;

    if (g_strv_length((char **)choices) > MAX_LISTED_CHOICES) {
        cairn_error_append_nearest(error, shown, choices);
        return;
    }
    list = g_strjoinv(", ", (char **)choices);
    cairn_error_append_hint(error, "Accepted values of '%s': %s", name, list);
}

/* The word of @choices that @value stands for; true and false are "on" and "off" there. */
static QObject *convert_choice(const char *name, const char *const *choices, const QObject *value,
                               GError **error)
{
    const char *text = qobject_get_str(value);
    g_autofree char *shown = NULL;
    bool flag;

    if (qobject_get_bool(value, &flag)) {
        text = flag ? "on" : "off";
    }
    if (text && g_strv_contains(choices, text)) {
        return qstring_new(text);
    }
    shown = text ? g_strdup(text) : qobject_to_json(value, false);
    cairn_set_error(error, EINVAL, "invalid parameter value: %s", shown);
    hint_choices(name, choices, shown, error);
    return NULL;
}

static QObject *convert_string(const char *name, const QObject *value, GError **error)
{
    const char *text = qobject_get_str(value);

    if (!text) {
        cairn_set_error(error, EINVAL, "Parameter '%s' expects a string", name);
        return NULL;
    }
    return qstring_new(text);
}

QObject *option_value_convert(const char *name, OptionType type, const char *const *choices,
                              const QObject *value, GError **error)
{
    switch (type) {
    case OPTION_BOOL:
        return convert_bool(name, value, error);
    case OPTION_SIZE:
        return convert_size(name, value, error);
    case OPTION_NUMBER:
        return convert_number(name, value, error);
    case OPTION_STRING:
        return choices ? convert_choice(name, choices, value, error)
                       : convert_string(name, value, error);
    }
    g_assert_not_reached();
}
