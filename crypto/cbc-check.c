/* SPDX-License-Identifier: MIT */
/* Lanes against nettle, on data whose bytes all differ from their neighbours'. */
#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <string.h>

#include "crypto/cbc-lanes.h"

#define CHECK_SECTOR 32         /* two blocks: the second one depends on the first */
#define CHECK_BYTES (CBC_LANES * CHECK_SECTOR)

static void check_fill(uint8_t *to, size_t bytes, int step)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(i * step + i / 16);
    }
}

bool cbc_lanes_agree(const CbcLanesOps *ops)
{
    uint8_t key[16], ivs[CBC_LANES][16], chain[16];
    uint8_t in[CHECK_BYTES], out[CHECK_BYTES], wanted[CHECK_BYTES];
    struct aes128_ctx aes;
    CbcLanesKey lanes __attribute__((aligned(16)));
    bool agree;

    check_fill(key, sizeof(key), 11);
    check_fill((uint8_t *)ivs, sizeof(ivs), 7);
    check_fill(in, sizeof(in), 29);
    ops->set_key(&lanes, key);

    ops->encrypt(&lanes, (const uint8_t (*)[16])ivs, in, out, CHECK_SECTOR);
    aes128_set_encrypt_key(&aes, key);
    for (int i = 0; i < CBC_LANES; i++) {
        memcpy(chain, ivs[i], sizeof(chain));
        cbc_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, 16, chain, CHECK_SECTOR,
                    wanted + i * CHECK_SECTOR, in + i * CHECK_SECTOR);
    }
    agree = memcmp(out, wanted, sizeof(out)) == 0;

    memcpy(chain, ivs[0], sizeof(chain));
    memcpy(out, in, sizeof(out));       /* in place, as most sectors are */
    ops->decrypt(&lanes, chain, out, out, CHECK_BYTES);
    aes128_set_decrypt_key(&aes, key);
    cbc_decrypt(&aes, (nettle_cipher_func *)aes128_decrypt, 16, ivs[0], CHECK_BYTES, wanted, in);
    return agree && memcmp(out, wanted, sizeof(out)) == 0 &&
           memcmp(chain, ivs[0], sizeof(chain)) == 0;
}
