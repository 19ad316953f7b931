/* SPDX-License-Identifier: MIT */
/*
 * CairnContext: everything that is process-wide in other block layers. Two
 * contexts share nothing. A function that takes a context accepts NULL for the default one.
 */
#ifndef CAIRN_CONTEXT_H
#define CAIRN_CONTEXT_H

#include <cairn/aio.h>
#include <cairn/secret.h>

G_BEGIN_DECLS

typedef struct CairnContext CairnContext;

CAIRN_API CairnContext *cairn_context_new(void);
CAIRN_API CairnContext *cairn_context_ref(CairnContext *ctx);
CAIRN_API void cairn_context_unref(CairnContext *ctx);

/** cairn_context_default: the one process-wide object, made at the first use. */
CAIRN_API CairnContext *cairn_context_default(void);

/* What names found inside images may open (docs/options-and-secrets.md). */
typedef enum CairnImagePolicy {
    CAIRN_IMAGE_POLICY_SAME_FOLDER, /* the default: regular files in the image's folder or below, no links out; a backing file of unrecorded format is raw */
    CAIRN_IMAGE_POLICY_ALLOW_ALL,   /* the tools: any plain path; a backing file's format is probed */
    CAIRN_IMAGE_POLICY_NONE,        /* no name found in an image is followed */
} CairnImagePolicy;

CAIRN_API void cairn_context_set_image_policy(CairnContext *ctx, CairnImagePolicy policy);
CAIRN_API CairnImagePolicy cairn_context_get_image_policy(CairnContext *ctx);

/* A name found in an image, about to be opened: a plain path, not below /dev or /proc. */
typedef struct CairnFoundName {
    const char *name;           /* as it stands in the image; no control characters */
    const char *image;          /* the file name of the image that holds it */
    const char *path;           /* of the file it leads to now: absolute, without links */
} CairnFoundName;

typedef enum CairnGateVerdict {
    CAIRN_GATE_POLICY,          /* the context's policy decides */
    CAIRN_GATE_ALLOW,           /* it is opened, whatever folder it is in; under other policies than ALLOW_ALL if it is a regular file */
    CAIRN_GATE_REFUSE,          /* it is not */
} CairnGateVerdict;

/* Called in the thread that opens, outside coroutines; must not open or close anything in the context. */
typedef CairnGateVerdict CairnImageGateFunc(const CairnFoundName *found, void *opaque);

/**
 * cairn_context_set_image_gate:
 * @func: NULL: none; @opaque must live as long as it is set
 * Asked for each name found in an image whose file exists, before the policy. What is opened then
 * is the file that was asked about: one put in its place meanwhile is refused (EPERM).
 */
CAIRN_API void cairn_context_set_image_gate(CairnContext *ctx, CairnImageGateFunc *func,
                                            void *opaque);

/**
 * cairn_context_set_restricted:
 * @drivers: NULL-ended names of the drivers that may be opened, or NULL for no limit
 * The mode of an embedder that runs guests: drivers refuse what they only support for
 * getting data out (AES-encrypted qcow).
 */
CAIRN_API void cairn_context_set_restricted(CairnContext *ctx, bool restricted,
                                            const char *const *drivers);

/** cairn_secret_add_file: the file's whole content becomes the secret @id. */
CAIRN_API bool cairn_secret_add_file(CairnContext *ctx, const char *id,
                                     const char *filename, GError **error);
CAIRN_API bool cairn_secret_add_bytes(CairnContext *ctx, const char *id,
                                      const void *data, size_t bytes,
                                      GError **error);

/**
 * cairn_object_add:
 * @text: as after --object: "secret,id=sec0,file=key.txt", or a JSON object with "qom-type"
 */
CAIRN_API bool cairn_object_add(CairnContext *ctx, const char *text, GError **error);

/** cairn_object_help: @type NULL: the object types, else the type's options. Free with g_free(). */
CAIRN_API char *cairn_object_help(const char *type, GError **error);

/**
 * cairn_context_stop_workers: ends the worker threads of @ctx; the next request that needs one starts
 * it anew, from the caller's thread, and so with what binds that one: Landlock rules, namespaces, processors.
 * No request may be under way.
 */
CAIRN_API void cairn_context_stop_workers(CairnContext *ctx);

/** cairn_context_list_drivers: NULL-ended names; @formats_only leaves out protocols. Free with g_strfreev(). */
CAIRN_API char **cairn_context_list_drivers(CairnContext *ctx, bool formats_only);

/** cairn_context_list_nodes: NULL-ended node names. Free with g_strfreev(). */
CAIRN_API char **cairn_context_list_nodes(CairnContext *ctx);

/** cairn_context_list_blockers: NULL-ended reasons why @operation ("migration") is blocked now. Free with g_strfreev(). */
CAIRN_API char **cairn_context_list_blockers(CairnContext *ctx, const char *operation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CairnContext, cairn_context_unref)

G_END_DECLS

#endif
