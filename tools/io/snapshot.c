/* SPDX-License-Identifier: MIT */
/*
 * cairn-io -s: a temporary overlay takes the writes, and is gone with the program.
 *
 * 1. The temporary file has no name by the time the first byte of it is written: whatever ends the
 *    program, nothing is left.
 * 2. What the image holds encrypted, the temporary file holds encrypted too, with a key that nobody
 *    else knows.
 * 3. The image is used as a backing file is: for reading, with the locks of one.
 */
#include "io/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/tool.h"

#define SNAPSHOT_FOLDER "/var/tmp"      /* /tmp is often memory */
#define SNAPSHOT_CLUSTER 65536
#define SNAPSHOT_KEY_BYTES 16

/* ---- the file ---- */

static const char *snapshot_folder(void)
{
    const char *folder = g_getenv("TMPDIR");

    return folder && *folder ? folder : SNAPSHOT_FOLDER;
}

/* For file systems without nameless files: the name goes at once. */
static int snapshot_named_file(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "cairn-io.XXXXXX", NULL);
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd >= 0) {
        unlink(path);
    }
    return fd;
}

/* Returns a descriptor, or -1 with @error. */
static int snapshot_file(GError **error)
{
    const char *folder = snapshot_folder();
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        fd = snapshot_named_file(folder);
    }
    if (fd < 0) {
        cairn_set_error_errno(error, errno, "Could not open temporary file in '%s'", folder);
    }
    return fd;
}

/* ---- its key ---- */

/* A password must be text: its bytes have seven bits. Returns the secret's id, NULL with @error. */
static char *snapshot_add_key(IoShell *shell, GError **error)
{
    g_autofree char *id = g_strdup("cairn-io-snapshot");
    uint8_t key[SNAPSHOT_KEY_BYTES];
    bool ok;

    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
        cairn_set_error_errno(error, errno, "Could not make a key for the temporary file");
        return NULL;
    }
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(1 + key[i] % 127);
    }
    ok = cairn_secret_add_bytes(shell->ctx, id, key, sizeof(key), error);
    explicit_bzero(key, sizeof(key));
    return ok ? g_steal_pointer(&id) : NULL;
}

/* ---- the overlay ---- */

static bool snapshot_create(IoShell *shell, const char *path, int64_t bytes, const char *key,
                            GError **error)
{
    g_autoptr(QDict) options = qdict_new();

    qdict_put_int(options, "cluster_size", SNAPSHOT_CLUSTER);
    if (key) {
        qdict_put_str(options, "encrypt.format", "aes");
        qdict_put_str(options, "encrypt.key-secret", key);
    }
    return blk_create(shell->ctx, path, "qcow", options, bytes, error);
}

/* What is thrown away need not reach the disk, whatever the image's cache mode. */
static QDict *snapshot_options(const char *path, BlockBackend *base, const char *key)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "qcow");
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", path);
    qdict_put_str(options, "file.aio", "threads");
    qdict_put_bool(options, "file.cache.direct", false);
    qdict_put_bool(options, "file.cache.no-flush", true);
    qdict_put_str(options, "backing", blk_get_node_name(base));
    if (key) {
        qdict_put_str(options, "encrypt.key-secret", key);
    }
    return options;
}

/* @key: a secret's id; NULL: not encrypted. */
static BlockBackend *snapshot_open(IoShell *shell, const char *path, BlockBackend *base, int flags,
                                   const char *key, GError **error)
{
    int64_t bytes = blk_getlength(base);

    if (bytes < 0) {
        cairn_set_error_errno(error, (int)-bytes, "Could not get image size");
        return NULL;
    }
    if (!snapshot_create(shell, path, bytes, key, error)) {
        g_prefix_error(error, "Could not create temporary overlay: ");
        return NULL;
    }
    g_autoptr(QDict) options = snapshot_options(path, base, key);

    return blk_open_qdict(shell->ctx, NULL, options, flags, error);
}

/* The key is known to the overlay, and to nobody else. */
static BlockBackend *snapshot_open_with_key(IoShell *shell, const char *path, BlockBackend *base,
                                            int flags, GError **error)
{
    g_autofree char *key = snapshot_add_key(shell, error);
    BlockBackend *overlay = key ? snapshot_open(shell, path, base, flags, key, error) : NULL;

    if (key) {
        cairn_secrets_remove(cairn_context_get_secrets(shell->ctx), key);
    }
    return overlay;
}

BlockBackend *io_snapshot_new(IoShell *shell, BlockBackend *base, int flags, GError **error)
{
    int fd = snapshot_file(error);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    BlockBackend *overlay;

    if (fd < 0) {
        return NULL;
    }
    overlay = blk_is_encrypted(base) ? snapshot_open_with_key(shell, path, base, flags, error)
                                     : snapshot_open(shell, path, base, flags, NULL, error);
    close(fd);                  /* the overlay has its own */
    return overlay;
}
