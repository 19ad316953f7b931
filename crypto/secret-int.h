/* SPDX-License-Identifier: MIT */
/* How the library's own code reads secrets and adds them without leaving copies. */
#ifndef CRYPTO_SECRET_INT_H
#define CRYPTO_SECRET_INT_H

#include <cairn/secret.h>

#include "crypto/secmem.h"

/*
 * A reference to the decoded bytes, which nobody changes: they outlive the store's entry. "No
 * secret with id 'x'" (ENOENT). Any thread.
 */
SecMem *secrets_lookup(CairnSecrets *store, const char *id, GError **error);
bool secrets_has(CairnSecrets *store, const char *id);

/* What an object of any type may be called; false with @error. */
bool object_check_id(const char *id, GError **error);
/* The error about an id that is taken. */
void object_set_duplicate(const char *id, GError **error);

/*
 * As cairn_secrets_add(), with the value of "data" in @data (borrowed; NULL: none) rather than in
 * @props.
 */
bool secrets_add_data(CairnSecrets *store, const QDict *props, SecMem *data, GError **error);

#endif
