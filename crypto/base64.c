/* SPDX-License-Identifier: MIT */
/*
 * Base64 decoding of secrets.
 * Invariant: decoded bytes stand in SecMem only; the decoder's own state is wiped.
 */
#include "crypto/base64.h"

#include <errno.h>
#include <nettle/base64.h>
#include <string.h>

static bool base64_has_only_valid(const uint8_t *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (!g_ascii_isalnum(text[i]) && !strchr("+/=\n", text[i])) {
            return false;
        }
        if (!text[i]) {                 /* strchr() finds the terminator, too */
            return false;
        }
    }
    return true;
}

SecMem *qcrypto_base64_decode(const uint8_t *text, size_t bytes, GError **error)
{
    g_autoptr(SecMem) out = NULL;
    struct base64_decode_ctx ctx;
    size_t out_bytes = 0;
    bool is_complete;

    if (!base64_has_only_valid(text, bytes)) {
        cairn_set_error(error, EINVAL, "Base64 data contains invalid characters");
        return NULL;
    }
    out = secmem_new(BASE64_DECODE_LENGTH(bytes), error);
    if (!out) {
        return NULL;
    }
    base64_decode_init(&ctx);
    is_complete = base64_decode_update(&ctx, &out_bytes, out->data, bytes, (const char *)text) &&
                  base64_decode_final(&ctx);
    explicit_bzero(&ctx, sizeof(ctx));
    if (!is_complete) {
        cairn_set_error(error, EINVAL, "Base64 data is cut short or wrongly padded");
        return NULL;
    }
    secmem_shrink(out, out_bytes);
    return g_steal_pointer(&out);
}
