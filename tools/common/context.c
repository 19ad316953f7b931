/* SPDX-License-Identifier: MIT */
/*
 * The library context of a tool, and the objects that the user puts into it.
 */
#include "common/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What has been said once about an image need not be said each time it is opened. */
static bool context_is_new_warning(const char *text)
{
    static GMutex lock;
    static GHashTable *said;
    bool is_new;

    g_mutex_lock(&lock);
    if (!said) {
        said = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    is_new = g_hash_table_add(said, g_strdup(text));
    g_mutex_unlock(&lock);
    return is_new;
}

/*
 * Scripts know these without the program's name: what is said of a guessed format, by blkverify,
 * and by quorum where it does the same.
 */
static void context_print_warning(const char *text, void *opaque)
{
    if (!context_is_new_warning(text)) {
        return;
    }
    if (g_str_has_prefix(text, "WARNING: ") || g_str_has_prefix(text, "blkverify: ")
        || g_str_has_prefix(text, "quorum: ")) {
        fflush(stdout);
        fprintf(stderr, "%s\n", text);
    } else {
        tool_warn("%s", text);
    }
}

/* Not a warning but what was asked for: which request stands at a breakpoint. */
static void context_print_notice(const char *text, void *opaque)
{
    puts(text);
}

/* ---- --allow-backing ---- */

static GPtrArray *context_folders;      /* real paths; NULL: none. Of the process, as its command line is */

static bool context_is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strcmp(folder, "/") || (!strncmp(path, folder, length) && path[length] == '/');
}

static CairnGateVerdict context_gate(const CairnFoundName *found, void *opaque)
{
    for (guint i = 0; context_folders && i < context_folders->len; i++) {
        if (context_is_below(found->path, g_ptr_array_index(context_folders, i))) {
            return CAIRN_GATE_ALLOW;
        }
    }
    return CAIRN_GATE_POLICY;
}

bool tool_allow_backing(const char *folder, GError **error)
{
    char *real = realpath(folder, NULL);

    if (!real || !g_file_test(real, G_FILE_TEST_IS_DIR)) {
        cairn_set_error_errno(error, real ? ENOTDIR : errno, "--allow-backing=%s", folder);
        free(real);
        return false;
    }
    if (!context_folders) {
        context_folders = g_ptr_array_new_with_free_func(free);
    }
    g_ptr_array_add(context_folders, real);
    return true;
}

/* ---- the context ---- */

CairnContext *tool_context_new(bool strict)
{
    CairnContext *ctx = cairn_context_new();

    cairn_context_set_warn_func(ctx, context_print_warning, NULL);
    cairn_context_set_notice_func(ctx, context_print_notice, NULL);
    cairn_context_set_image_gate(ctx, context_gate, NULL);
    if (!strict) {
        cairn_context_set_image_policy(ctx, CAIRN_IMAGE_POLICY_ALLOW_ALL);
    }
    return ctx;
}

static bool object_print_help(const char *type, GError **error)
{
    g_autofree char *text = cairn_object_help(type, error);

    if (!text) {
        return false;
    }
    fputs(text, stdout);
    return true;
}

/* Where the word at @p ends: a single comma (a doubled one belongs to it), or the text. */
static const char *object_word_end(const char *p)
{
    while (*p && (p[0] != ',' || p[1] == ',')) {
        p += p[0] == ',' ? 2 : 1;
    }
    return p;
}

/*
 * The name of a type whose properties are asked for ("secret,help"), or NULL. Looks at the text in
 * place: it may hold a password, of which no copy is to stay behind.
 */
static char *object_help_type(const char *text)
{
    const char *first_end = object_word_end(text);
    const char *type = g_str_has_prefix(text, "qom-type=") ? text + strlen("qom-type=") : text;

    if (memchr(text, '{', first_end - text)) {
        return NULL;
    }
    for (const char *p = first_end; *p;) {
        const char *word = p + 1;
        size_t length;

        p = object_word_end(word);
        length = p - word;
        if ((length == 4 && !strncmp(word, "help", 4)) || (length == 1 && word[0] == '?')) {
            return g_strndup(type, first_end - type);
        }
    }
    return NULL;
}

static void object_hide_data(char *text)
{
    char *data = strstr(text, "data");

    for (char *p = data ? data + 4 : NULL; p && *p; p++) {
        *p = '*';
    }
}

bool tool_object_add(CairnContext *ctx, char *text, bool *is_help, GError **error)
{
    g_autofree char *help_type = object_help_type(text);
    bool ok;

    *is_help = help_type || !strcmp(text, "help") || !strcmp(text, "?");
    if (*is_help) {
        return object_print_help(help_type, error);
    }
    ok = cairn_object_add(ctx, text, error);
    object_hide_data(text);
    return ok;
}
