/* SPDX-License-Identifier: MIT */
/* Sizes as people write and read them. Integers only: no rounding on the way in. */
#include "util/cutils.h"

#include <errno.h>
#include <string.h>

#define FRACTION_DIGITS_MAX 18      /* 10^18 fits 64 bits; digits after that are not counted */

/* ---- parsing ---------------------------------------------------------------- */

/* The decimals after the point: value / scale, < 1. */
typedef struct SizeFraction {
    uint64_t value;
    uint64_t scale;
    bool is_zero;
} SizeFraction;

/* Moves *@text over the digits. Returns: how many there were; -ERANGE above 2^64 - 1. */
static int size_parse_digits(const char **text, unsigned base, uint64_t *number)
{
    int count = 0;
    bool overflow = false;

    *number = 0;
    for (; base == 16 ? g_ascii_isxdigit(**text) : g_ascii_isdigit(**text); (*text)++, count++) {
        overflow |= __builtin_mul_overflow(*number, (uint64_t)base, number);
        overflow |= __builtin_add_overflow(*number, (uint64_t)g_ascii_xdigit_value(**text), number);
    }
    return overflow ? -ERANGE : count;
}

static SizeFraction size_parse_fraction(const char **text)
{
    SizeFraction f = { .value = 0, .scale = 1, .is_zero = true };

    for (int i = 0; g_ascii_isdigit(**text); (*text)++, i++) {
        f.is_zero &= **text == '0';
        if (i < FRACTION_DIGITS_MAX) {
            f.value = f.value * 10 + (**text - '0');
            f.scale *= 10;
        }
    }
    return f;
}

/* Returns: how many bits the suffix @c shifts, or -1. */
static int size_suffix_shift(char c)
{
    static const char suffixes[] = "BKMGTPE";
    const char *found = c ? strchr(suffixes, g_ascii_toupper(c)) : NULL;

    return found ? (int)(found - suffixes) * 10 : -1;
}

/* The whole part of @f times 2^@shift: a long division, as 32-bit machines have no wider numbers. */
static uint64_t size_shift_fraction(const SizeFraction *f, int shift)
{
    uint64_t rest = f->value, whole = 0;

    for (int i = 0; i < shift; i++) {
        rest *= 2;              /* below 2 * 10^18 */
        whole = whole * 2 + (rest >= f->scale);
        rest -= rest >= f->scale ? f->scale : 0;
    }
    return whole;
}

static int size_scale(uint64_t number, const SizeFraction *fraction, int shift, uint64_t *bytes)
{
    if (shift == 0 && !fraction->is_zero) {
        return -EINVAL;
    }
    if (number > UINT64_MAX >> shift) {
        return -ERANGE;
    }
    *bytes = (number << shift) + size_shift_fraction(fraction, shift);
    return 0;
}

int cutils_parse_size(const char *text, uint64_t *bytes, bool *hex_suffix)
{
    SizeFraction fraction = { .value = 0, .scale = 1, .is_zero = true };
    bool is_hex;
    uint64_t number;
    int count, shift = 0;

    while (g_ascii_isspace(*text)) {
        text++;
    }
    text += *text == '+';
    is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    text += is_hex ? 2 : 0;
    count = size_parse_digits(&text, is_hex ? 16 : 10, &number);
    if (count == 0) {
        return -EINVAL;
    }
    if (*text == '.' && !is_hex) {
        text++;
        fraction = size_parse_fraction(&text);
    }
    if (hex_suffix) {
        *hex_suffix = is_hex && *text;
    }
    if (*text) {
        shift = size_suffix_shift(*text++);
    }
    if (shift < 0 || *text) {
        return -EINVAL;
    }
    return count < 0 ? count : size_scale(number, &fraction, shift, bytes);
}

/* ---- formatting -------------------------------------------------------------- */

char *cutils_format_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = bytes;
    size_t unit = 0;

    while (value >= 1000 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    /* From 999.5 three digits would be written "1e+03". */
    return g_strdup_printf(value >= 999.5 ? "%.0f %s" : "%.3g %s", value, units[unit]);
}
