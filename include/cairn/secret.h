/* SPDX-License-Identifier: MIT */
/*
 * Secrets: passwords and keys by id, in memory of their own (guard pages, kept
 * out of core dumps and of forked children, locked where the system allows,
 * wiped on release). A secret's bytes appear in no message. Source of the
 * option names and messages: docs/options-and-secrets.md.
 */
#ifndef CAIRN_SECRET_H
#define CAIRN_SECRET_H

#include <cairn/qdict.h>

G_BEGIN_DECLS

typedef struct CairnSecrets CairnSecrets;       /* a store; its calls may be made on any thread */

CAIRN_API CairnSecrets *cairn_secrets_new(void);
CAIRN_API CairnSecrets *cairn_secrets_ref(CairnSecrets *store);
CAIRN_API void cairn_secrets_unref(CairnSecrets *store);

/**
 * cairn_secrets_add:
 * @props: flat: id, and one of data, file; format (raw, base64); keyid, iv
 * Returns: false with @error for a bad or duplicate id, missing data, an
 * unreadable file, a bad encoding, an unknown property.
 */
CAIRN_API bool cairn_secrets_add(CairnSecrets *store, const QDict *props,
                                 GError **error);
CAIRN_API bool cairn_secrets_add_bytes(CairnSecrets *store, const char *id,
                                       const void *data, size_t bytes,
                                       GError **error);
/** cairn_secrets_remove: wipes the store's copy; false if there is none of that id. */
CAIRN_API bool cairn_secrets_remove(CairnSecrets *store, const char *id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CairnSecrets, cairn_secrets_unref)

G_END_DECLS

#endif
