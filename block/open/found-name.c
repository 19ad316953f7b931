/* SPDX-License-Identifier: MIT */
/*
 * Names found in images. An image is hostile until its owner says otherwise:
 *
 * 1. Such a name is a plain path, resolved against the image's folder; never a protocol, JSON, or
 *    anything below /dev or /proc. That holds under every policy.
 * 2. Which files it may lead to says the program's gate, or else the context's policy. Both judge
 *    the file that the path leads to, not its spelling.
 * 3. What was judged is what is opened: the driver compares device and inode (bdrv_check_found()),
 *    so nobody gains by putting another file, or a link, in its place meanwhile.
 */
#include "block/block-int.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that a path leads to. */
typedef struct FoundFile {
    char *real;                 /* its path without links; NULL: there is none */
    struct stat st;
} FoundFile;

static void found_file_clear(FoundFile *file)
{
    g_free(file->real);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FoundFile, found_file_clear)

static bool found_refuse(const char *name, const char *why, GError **error)
{
    g_autofree char *escaped = g_strescape(name, NULL);

    cairn_set_error(error, EPERM, "Backing file name '%s' found in the image %s", escaped, why);
    cairn_error_append_hint(error, "The owner of the image can name its backing file by the "
                            "option backing.file.filename.");
    return false;
}

/* ---- what holds under every policy ---- */

/* Those of two bytes are U+0080 to U+009F. */
static bool found_has_control(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

static bool path_is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strncmp(path, folder, length)
        && (path[length] == '/' || path[length] == '\0' || g_str_equal(folder, "/"));
}

/* Shared memory is a file system of plain files; the rest of /dev are devices. */
static bool path_is_special(const char *path)
{
    return path_is_below(path, "/proc")
        || (path_is_below(path, "/dev") && !path_is_below(path, "/dev/shm"));
}

/* As spelt: what ".." makes of it depends on the links before it. */
static bool path_begins_special(const char *path)
{
    const char *p = path;

    while (*p == '/' || g_str_has_prefix(p, "./")) {
        p++;
    }
    return path[0] == '/' && path_is_special(p - 1);
}

static bool found_check_plain(const char *name, GError **error)
{
    if (found_has_control(name)) {
        return found_refuse(name, "contains control characters", error);
    }
    if (path_has_protocol(name)) {
        return found_refuse(name, "is not a plain path", error);
    }
    return true;
}

static bool found_check_special(const char *name, const char *path, const FoundFile *file,
                                GError **error)
{
    g_autofree char *lexical = g_canonicalize_filename(path, NULL);

    if (path_begins_special(path) || path_is_special(lexical)
        || (file->real && path_is_special(file->real))) {
        return found_refuse(name, "leads into /dev or /proc", error);
    }
    return true;
}

/* ---- gate and policy ---- */

static bool found_check_folder(BlockDriverState *bs, const FoundFile *file, GError **error)
{
    g_autofree char *dir = bdrv_image_dir(bs);
    g_autofree char *folder = dir ? realpath(dir[0] ? dir : ".", NULL) : NULL;

    if (!dir) {
        return found_refuse(bs->backing_file, "has no folder to stay in", error);
    }
    if (file->real && folder && !path_is_below(file->real, folder)) {
        return found_refuse(bs->backing_file, "leads out of the image's folder", error);
    }
    return true;
}

static bool found_check_policy(BlockDriverState *bs, const FoundFile *file, GError **error)
{
    switch (bs->priv->ctx->policy) {
    case CAIRN_IMAGE_POLICY_NONE:
        return found_refuse(bs->backing_file, "is not followed: the policy forbids it", error);
    case CAIRN_IMAGE_POLICY_SAME_FOLDER:
        return found_check_folder(bs, file, error);
    default:
        return true;
    }
}

static CairnGateVerdict found_ask_gate(BlockDriverState *bs, const FoundFile *file)
{
    CairnContext *ctx = bs->priv->ctx;
    const CairnFoundName found = { .name = bs->backing_file, .image = bs->filename,
                                   .path = file->real };

    return ctx->gate_func && file->real ? ctx->gate_func(&found, ctx->gate_opaque)
                                        : CAIRN_GATE_POLICY;
}

static bool found_check_allowed(BlockDriverState *bs, const FoundFile *file, GError **error)
{
    bool is_any_kind = bs->priv->ctx->policy == CAIRN_IMAGE_POLICY_ALLOW_ALL || !file->real;

    switch (found_ask_gate(bs, file)) {
    case CAIRN_GATE_ALLOW:
        break;
    case CAIRN_GATE_POLICY:
        if (!found_check_policy(bs, file, error)) {
            return false;
        }
        break;
    default:
        return found_refuse(bs->backing_file, "is refused by this program", error);
    }
    return is_any_kind || S_ISREG(file->st.st_mode)
        || found_refuse(bs->backing_file, "is not a regular file", error);
}

/* ---- the file ---- */

/* Its identity and its path are those of one file, whatever happens to the name meanwhile. */
static bool found_look(const char *path, FoundFile *file, GError **error)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *real = g_malloc0(PATH_MAX + 1);

    if (fd < 0) {
        return true;            /* the open says what is missing */
    }
    bool ok = fstat(fd, &file->st) == 0 && readlink(link, real, PATH_MAX) > 0;

    if (ok) {
        file->real = g_steal_pointer(&real);
    } else {
        cairn_set_error_errno(error, errno, "Cannot tell where '%s' leads", path);
    }
    close(fd);
    return ok;
}

void found_name_forget(CairnContext *ctx)
{
    g_clear_pointer(&ctx->found_path, g_free);
}

/* Where there is no file, none is expected: one that is there a moment later was not judged. */
static void found_remember(CairnContext *ctx, const char *path, const FoundFile *file)
{
    found_name_forget(ctx);
    ctx->found_path = g_strdup(path);
    ctx->found_dev = file->st.st_dev;
    ctx->found_ino = file->st.st_ino;
    ctx->found_exists = file->real != NULL;
}

bool bdrv_check_found(BlockDriverState *bs, const char *path, const struct stat *st,
                      GError **error)
{
    CairnContext *ctx = bs->priv->ctx;

    if (g_strcmp0(ctx->found_path, path)) {
        return true;
    }
    bool is_same = ctx->found_exists && st->st_dev == ctx->found_dev
        && st->st_ino == ctx->found_ino;

    found_name_forget(ctx);
    if (!is_same) {
        cairn_set_error(error, EPERM, "'%s' was replaced while it was being opened", path);
    }
    return is_same;
}

/* ---- the way from name to path ---- */

char *bdrv_full_backing_name(BlockDriverState *bs, GError **error)
{
    g_autofree char *dir = bdrv_image_dir(bs);

    if (bs->backing_file[0] == '/' || path_has_protocol(bs->backing_file)) {
        return g_strdup(bs->backing_file);
    }
    if (!dir) {
        cairn_set_error(error, EINVAL, "Cannot tell the folder of '%s', which its backing file "
                        "'%s' is relative to", bs->filename, bs->backing_file);
        return NULL;
    }
    return path_combine(dir, bs->backing_file);
}

char *found_name_resolve(BlockDriverState *bs, GError **error)
{
    g_auto(FoundFile) file = { 0 };
    g_autofree char *path = NULL;

    if (!found_check_plain(bs->backing_file, error)) {
        return NULL;
    }
    path = bdrv_full_backing_name(bs, error);
    if (!path || !found_look(path, &file, error)
        || !found_check_special(bs->backing_file, path, &file, error)
        || !found_check_allowed(bs, &file, error)) {
        return NULL;
    }
    found_remember(bs->priv->ctx, path, &file);
    return g_steal_pointer(&path);
}
