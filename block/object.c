/* SPDX-License-Identifier: MIT */
/*
 * Objects that a user makes by text. Secrets are kept by the store of secrets; what else there
 * is, here.
 *
 * An id is unique among the objects of a context, whatever their types.
 * Source of the names and messages: docs/secrets.md, docs/drivers/throttle.md.
 */
#include "block/object-int.h"

#include <errno.h>

#include "block/block-int.h"
#include "crypto/secret-int.h"

#define OBJECT_TYPE_KEY "qom-type"

/* ---- what a context has ---------------------------------------------------------- */

typedef struct CairnObject {
    const char *type;
    void *instance;
    GDestroyNotify unref;
} CairnObject;

static void object_free(void *opaque)
{
    CairnObject *object = opaque;

    object->unref(object->instance);
    g_free(object);
}

GHashTable *objects_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, object_free);
}

void object_insert(CairnContext *ctx, const char *type, const char *id, void *instance,
                   GDestroyNotify unref)
{
    CairnObject *object = g_new(CairnObject, 1);

    *object = (CairnObject){ .type = type, .instance = instance, .unref = unref };
    g_hash_table_insert(ctx->objects, g_strdup(id), object);
}

void *bdrv_find_object(BlockDriverState *bs, const char *type, const char *id)
{
    const CairnObject *object = g_hash_table_lookup(bs->priv->ctx->objects, id);

    return object && !strcmp(object->type, type) ? object->instance : NULL;
}

/* ---- types ------------------------------------------------------------------------ */

static bool object_add_secret(ObjectText *text, GError **error)
{
    return secrets_add_data(cairn_context_get_secrets(text->ctx), text->props, text->data, error);
}

static const ObjectType object_secret = {
    .name = "secret",
    .help = "  data=<string>\n"
            "  file=<string>\n"
            "  format=<QCryptoSecretFormat>\n"
            "  iv=<string>\n"
            "  keyid=<string>\n",
    .add = object_add_secret,
};

static const ObjectType *const object_types[] = { &object_secret, &object_throttle_group };

static const ObjectType *object_find_type(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(object_types); i++) {
        if (!g_strcmp0(object_types[i]->name, name)) {
            return object_types[i];
        }
    }
    return NULL;
}

/* Takes the type out of @props. */
static const ObjectType *object_take_type(QDict *props, GError **error)
{
    const char *name = qdict_get_try_str(props, OBJECT_TYPE_KEY);
    const ObjectType *type = object_find_type(name);
    g_autoptr(GString) known = g_string_new(NULL);

    if (!name) {
        cairn_set_error(error, EINVAL, "Parameter '" OBJECT_TYPE_KEY "' is missing");
        return NULL;
    }
    if (!type) {
        for (size_t i = 0; i < G_N_ELEMENTS(object_types); i++) {
            g_string_append_printf(known, "%s%s", i ? ", " : "", object_types[i]->name);
        }
        cairn_set_error(error, EINVAL, "Parameter '" OBJECT_TYPE_KEY "' does not accept value '%s'",
                        name);
        cairn_error_append_hint(error, "Known types: %s", known->str);
        return NULL;
    }
    qdict_del(props, OBJECT_TYPE_KEY);
    return type;
}

/* ---- adding ------------------------------------------------------------------------ */

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

bool cairn_object_add(CairnContext *ctx, const char *text, GError **error)
{
    g_autofree char *rest = NULL;
    g_autoptr(SecMem) data = NULL;
    g_autoptr(QDict) props = NULL;
    const ObjectType *type;
    ObjectText object;

    ctx = context_or_default(ctx);
    if (!object_split_data(text, &rest, &data, error)) {
        return false;
    }
    props = object_parse(rest, error);
    type = props ? object_take_type(props, error) : NULL;
    if (!type) {
        return false;
    }
    if (data) {
        qdict_del(props, "data");       /* JSON: the empty text that stands for it */
    }
    CTL_LOCK_GUARD(ctx);
    object = (ObjectText){
        .ctx = ctx, .id = qdict_get_try_str(props, "id"), .props = props, .data = data,
        .is_json = object_is_json(text),
    };
    if (object.id && g_hash_table_contains(ctx->objects, object.id)) {
        object_set_duplicate(object.id, error);
        return false;
    }
    return type->add(&object, error);
}

char *cairn_object_help(const char *name, GError **error)
{
    const ObjectType *type = object_find_type(name);
    GString *text = g_string_new(NULL);

    if (type) {
        g_string_append_printf(text, "%s options:\n%s", type->name, type->help);
        return g_string_free(text, FALSE);
    }
    g_string_append(text, "List of user creatable objects:\n");
    for (size_t i = 0; i < G_N_ELEMENTS(object_types); i++) {
        g_string_append_printf(text, "  %s\n", object_types[i]->name);
    }
    return g_string_free(text, FALSE);
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
