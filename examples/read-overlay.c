/* SPDX-License-Identifier: MIT */
/*
 * Reads an encrypted overlay whose key is a secret object, and prints its first sector as hex.
 *
 *   read-overlay OVERLAY KEYFILE
 *
 * The overlay may have a plain backing file: names found in images are followed
 * within the image's own folder, which is the library's default.
 */
#include <cairn/block.h>

#include <stdio.h>

static int fail(const GError *error)
{
    fprintf(stderr, "read-overlay: %s\n", error->message);
    return 1;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(BlockBackend) disk = NULL;
    uint8_t sector[BDRV_SECTOR_SIZE];
    int ret;

    if (argc != 3) {
        fprintf(stderr, "usage: read-overlay OVERLAY KEYFILE\n");
        return 1;
    }
    if (!cairn_secret_add_file(ctx, "sec0", argv[2], &error)) {
        return fail(error);
    }
    qdict_put_str(options, "driver", "qcow");
    qdict_put_str(options, "encrypt.key-secret", "sec0");
    disk = blk_open_qdict(ctx, argv[1], options, 0, &error);
    if (!disk) {
        return fail(error);
    }
    ret = blk_pread(disk, 0, sizeof(sector), sector);
    if (ret < 0) {
        fprintf(stderr, "read-overlay: reading: %s\n", g_strerror(-ret));
        return 1;
    }
    printf("%s: %" PRId64 " bytes\n", blk_get_filename(disk), blk_getlength(disk));
    for (size_t i = 0; i < sizeof(sector); i++) {
        printf("%02x%s", sector[i], i % 32 == 31 ? "\n" : "");
    }
    return 0;
}
