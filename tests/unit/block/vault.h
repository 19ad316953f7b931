/* SPDX-License-Identifier: MIT */
/*
 * Two drivers for tests of the core: "vault", a protocol whose files live in memory ("vault:NAME"),
 * and "toy", a format with a 64-byte header (magic, size, name of the backing file).
 */
#ifndef TEST_VAULT_H
#define TEST_VAULT_H

#include <cairn/cairn.h>

/* A context that knows both drivers; the files are forgotten. */
CairnContext *vault_context_new(void);
/* The bytes of a file, or NULL. */
const GByteArray *vault_file(const char *name);
void vault_put(const char *name, const void *data, size_t bytes);
/* What the next calls are to do: a positive errno, 0 for success. */
void vault_fail_create(int err);
void vault_fail_flush(int err);
void toy_fail_create(int err);
int vault_flushes(void);

#endif
