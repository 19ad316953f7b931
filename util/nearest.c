/* SPDX-License-Identifier: MIT */
/*
 * The nearest name, by the number of slips that lead from one to the other.
 */
#include <cairn/nearest.h>

#include <string.h>

#define NEAREST_MAX_LENGTH 64   /* longer words are no misspelt names */

/* How many slips a word of @length letters may hold and still be recognised. */
static int nearest_limit(size_t length)
{
    return length < 3 ? 0 : length < 5 ? 1 : length < 9 ? 2 : 3;
}

/* The cell of @row for a[i - 1] and b[j - 1]; @before and @row are the lines above. */
static int nearest_cell(const char *a, size_t i, const char *b, size_t j, const int *twice_before,
                        const int *before, const int *row)
{
    int cost = g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]);
    int best = MIN(before[j - 1] + cost, MIN(before[j], row[j - 1]) + 1);
    bool is_swap = i > 1 && j > 1 && g_ascii_tolower(a[i - 1]) == g_ascii_tolower(b[j - 2]) &&
                   g_ascii_tolower(a[i - 2]) == g_ascii_tolower(b[j - 1]);

    return is_swap ? MIN(best, twice_before[j - 2] + 1) : best;
}

/* Letters added, left out, replaced, or swapped with a neighbour. */
static int nearest_distance(const char *a, const char *b)
{
    int rows[3][NEAREST_MAX_LENGTH + 1] = { 0 };
    size_t length_a = strlen(a), length_b = strlen(b);

    for (size_t j = 0; j <= length_b; j++) {
        rows[0][j] = (int)j;
    }
    for (size_t i = 1; i <= length_a; i++) {
        int *row = rows[i % 3];

        row[0] = (int)i;
        for (size_t j = 1; j <= length_b; j++) {
            row[j] = nearest_cell(a, i, b, j, rows[(i + 1) % 3], rows[(i + 2) % 3], row);
        }
    }
    return rows[length_a % 3][length_b];
}

/* Whether the two are the same but for their digits. */
static bool nearest_is_other_version(const char *a, const char *b)
{
    do {
        a += strspn(a, "0123456789");
        b += strspn(b, "0123456789");
        if (g_ascii_tolower(*a) != g_ascii_tolower(*b)) {
            return false;
        }
    } while (*a++ && *b++);
    return true;
}

const char *cairn_nearest_name(const char *word, const char *const *names)
{
    size_t length = strlen(word);
    int best_distance = nearest_limit(length) + 1;
    const char *best = NULL;

    if (length > NEAREST_MAX_LENGTH) {
        return NULL;
    }
    for (; *names; names++) {
        int distance;

        if (strlen(*names) > NEAREST_MAX_LENGTH) {
            continue;
        }
        if (!strcmp(word, *names)) {
            return NULL;
        }
        distance = nearest_distance(word, *names);
        if (distance < best_distance &&
            (!nearest_is_other_version(word, *names) || distance == 0)) {
            best = *names;
            best_distance = distance;
        }
    }
    return best;
}

void cairn_error_append_nearest(GError **error, const char *word, const char *const *names)
{
    const char *name = cairn_nearest_name(word, names);

    if (name) {
        cairn_error_append_hint(error, "Did you mean '%s'?", name);
    }
}
