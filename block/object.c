/* SPDX-License-Identifier: MIT */
/*
 * Objects that a user makes by text: secrets.
 * Source of the names and messages: docs/secrets.md.
 */
#include "block/object-int.h"

#include <errno.h>

#include "block/block-int.h"
#include "crypto/secret-int.h"

#define OBJECT_TYPE_KEY "qom-type"
#define OBJECT_TYPE_SECRET "secret"

static QDict *object_parse_keyval(const char *text, GError **error)
{
    g_auto(GStrv) bare = NULL;
    g_autoptr(QDict) props = qdict_from_keyval_bare(text, OBJECT_TYPE_KEY, &bare, error);

    if (props && bare[0]) {
        cairn_set_error(error, EINVAL, "Expected '=' after parameter '%s'", bare[0]);
        return NULL;
    }
    return g_steal_pointer(&props);
}

static QDict *object_parse(const char *text, GError **error)
{
    g_autoptr(QObject) tree = NULL;

    if (!object_is_json(text)) {
        return object_parse_keyval(text, error);
    }
    tree = qobject_from_json(text, error);
    return tree ? qobject_ref(qobject_to_qdict(tree)) : NULL;
}

static bool object_check_type(const QDict *props, GError **error)
{
    const char *type = qdict_get_try_str(props, OBJECT_TYPE_KEY);

    if (!type) {
        cairn_set_error(error, EINVAL, "Parameter '" OBJECT_TYPE_KEY "' is missing");
        return false;
    }
    if (!g_str_equal(type, OBJECT_TYPE_SECRET)) {
        cairn_set_error(error, EINVAL, "Parameter '" OBJECT_TYPE_KEY "' does not accept value '%s'",
                        type);
        cairn_error_append_hint(error, "Known types: " OBJECT_TYPE_SECRET);
        return false;
    }
    return true;
}

bool cairn_object_add(CairnContext *ctx, const char *text, GError **error)
{
    g_autofree char *rest = NULL;
    g_autoptr(SecMem) data = NULL;
    g_autoptr(QDict) props = NULL;

    if (!object_split_data(text, &rest, &data, error)) {
        return false;
    }
    props = object_parse(rest, error);
    if (!props || !object_check_type(props, error)) {
        return false;
    }
    qdict_del(props, OBJECT_TYPE_KEY);
    if (data) {
        qdict_del(props, "data");       /* JSON: the empty text that stands for it */
    }
    return secrets_add_data(cairn_context_get_secrets(context_or_default(ctx)), props, data,
                            error);
}

char *cairn_object_help(const char *type, GError **error)
{
    if (g_strcmp0(type, OBJECT_TYPE_SECRET) != 0) {
        return g_strdup("List of user creatable objects:\n"
                        "  " OBJECT_TYPE_SECRET "\n");
    }
    return g_strdup(OBJECT_TYPE_SECRET " options:\n"
                    "  data=<string>\n"
                    "  file=<string>\n"
                    "  format=<QCryptoSecretFormat>\n"
                    "  iv=<string>\n"
                    "  keyid=<string>\n");
}

bool cairn_secret_add_file(CairnContext *ctx, const char *id, const char *filename,
                           GError **error)
{
    g_autoptr(QDict) props = qdict_new();

    qdict_put_str(props, "id", id);
    qdict_put_str(props, "file", filename);
    return cairn_secrets_add(cairn_context_get_secrets(context_or_default(ctx)), props, error);
}

bool cairn_secret_add_bytes(CairnContext *ctx, const char *id, const void *data, size_t bytes,
                            GError **error)
{
    return cairn_secrets_add_bytes(cairn_context_get_secrets(context_or_default(ctx)), id, data,
                                   bytes, error);
}
