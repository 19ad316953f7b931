/* SPDX-License-Identifier: MIT */
/*
 * What an image is, as trees by the schema's ImageInfo: what the tools' info prints.
 *
 * 1. Describing reads no guest data and opens no other file; a chain is opened image by image, each
 *    without its backing file and its key.
 * 2. A chain ends: by its length, or because an image in it was met before (device and inode, or
 *    name).
 */
#include <errno.h>
#include <sys/stat.h>

#include "block/block-int.h"
#include "qapi/block-types.h"

/* Longest chain; opening has limits of its own (docs/options-and-secrets.md). */
#define INFO_CHAIN_MAX 200

/* ---- one node ----------------------------------------------------------- */

bool bdrv_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    *info = (BlockDriverInfo) { 0 };
    while (!bs->drv->bdrv_get_info) {
        BdrvChild *below = bdrv_filtered_child(bs);

        if (!below) {
            cairn_set_error(error, ENOTSUP, "Driver '%s' has nothing to tell of its nodes",
                            bs->drv->format_name);
            return false;
        }
        bs = below->bs;
    }
    return bs->drv->bdrv_get_info(bs, info, error);
}

static BlockDriverState *info_root(BlockBackend *blk, GError **error)
{
    if (!blk->root) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return NULL;
    }
    return blk->root->bs;
}

/* ---- the tools' tree ----------------------------------------------------- */

typedef struct InfoAllocated {
    BlockDriverState *bs;
    int64_t bytes;              /* or -errno */
} InfoAllocated;

static void coroutine_fn info_co_allocated(void *opaque)
{
    InfoAllocated *a = opaque;

    a->bytes = bdrv_co_get_allocated_file_size(a->bs);
}

static void info_fill_sizes(BlockBackend *blk, ImageInfo *info)
{
    BlockDriverState *bs = blk->root->bs;
    InfoAllocated allocated = { .bs = bs };
    BlockDriverInfo driver;

    bdrv_run_co(info_co_allocated, &allocated);
    info->has_actual_size = allocated.bytes >= 0;
    info->actual_size = allocated.bytes;
    /* Where no driver has something to say there is no clean or dirty. */
    if (bdrv_get_info(bs, &driver, NULL)) {
        info->has_cluster_size = driver.cluster_size > 0;
        info->cluster_size = driver.cluster_size;
        info->has_dirty_flag = true;
        info->dirty_flag = driver.is_dirty;
    }
}

static void info_fill_names(BlockDriverState *bs, ImageInfo *info)
{
    info->filename = g_strdup(bs->filename);
    info->format = g_strdup(bs->drv->format_name);
    if (bs->backing_file) {
        info->backing_filename = g_strdup(bs->backing_file);
        info->full_backing_filename = bdrv_full_backing_name(bs, NULL);
        info->backing_filename_format = g_strdup(bs->backing_format);
    }
}

static QDict *info_describe(BlockBackend *blk, GError **error)
{
    BlockDriverState *bs = info_root(blk, error);
    ImageInfo *info;
    QDict *tree;

    if (!bs) {
        return NULL;
    }
    info = g_new0(ImageInfo, 1);
    info->virtual_size = blk_getlength(blk);
    if (info->virtual_size < 0) {
        cairn_set_error_errno(error, -info->virtual_size, "Could not get the size of '%s'",
                              bs->filename);
        qapi_ImageInfo_free(info);
        return NULL;
    }
    info_fill_names(bs, info);
    info_fill_sizes(blk, info);
    info->has_encrypted = bs->encrypted;
    info->encrypted = bs->encrypted;
    tree = qapi_ImageInfo_to_qdict(info);
    qapi_ImageInfo_free(info);
    return tree;
}

QDict *blk_get_image_info(BlockBackend *blk, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);

    return info_describe(blk, error);
}

/* ---- a chain ------------------------------------------------------------- */

typedef struct InfoChain {
    CairnContext *ctx;
    int flags;                  /* BLK_O_* of every image */
    bool whole;                 /* more than the first */
    GHashTable *seen;           /* keys of the images met */
    QList *list;
} InfoChain;

/* What the next image is opened by. */
typedef struct InfoStep {
    char *filename;             /* NULL: the options say it */
    QDict *options;             /* flat */
    QDict *backing;             /* flat: options given for its backing file */
    bool ends;                  /* "backing" is null: there is no more */
    bool probe;
} InfoStep;

static void info_step_clear(InfoStep *step)
{
    g_clear_pointer(&step->filename, g_free);
    g_clear_pointer(&step->options, qobject_unref);
    g_clear_pointer(&step->backing, qobject_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InfoStep, info_step_clear)

/* Takes over @options. */
static void info_step_init(InfoStep *step, const char *filename, QDict *options, bool probe)
{
    QObject *own;

    *step = (InfoStep) { .filename = g_strdup(filename), .options = options, .probe = probe };
    qdict_flatten(options);
    step->backing = qdict_extract_subqdict(options, "backing.");
    own = qdict_take(options, "backing");
    step->ends = own != NULL;       /* null; a node's name leads to what is open already */
    qobject_unref(own);
}

/* As the user would have to write it. */
static char *info_step_name(const InfoStep *step)
{
    GString *text;

    if (step->filename) {
        return g_strdup(step->filename);
    }
    text = g_string_new(NULL);
    for (size_t i = 0; i < qdict_size(step->options); i++) {
        const char *value = qobject_get_str(qdict_value_at(step->options, i));
        g_auto(GStrv) parts = g_strsplit(value ? value : "", ",", -1);
        g_autofree char *escaped = g_strjoinv(",,", parts);

        g_string_append_printf(text, "%s%s=%s", i ? "," : "", qdict_key_at(step->options, i),
                               escaped);
    }
    return g_string_free(text, FALSE);
}

static char *info_image_key(const char *filename)
{
    struct stat st;

    if (filename && stat(filename, &st) == 0) {
        return g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    }
    return g_strdup(filename);
}

static bool info_chain_enter(InfoChain *chain, const char *filename, GError **error)
{
    char *key = info_image_key(filename);

    if (key && !g_hash_table_add(chain->seen, key)) {
        cairn_set_error(error, ELOOP, "Backing file '%s' creates an infinite loop.", filename);
        return false;
    }
    if (qlist_size(chain->list) >= INFO_CHAIN_MAX) {
        cairn_set_error(error, ELOOP, "The backing chain has more than %d images",
                        INFO_CHAIN_MAX);
        return false;
    }
    return true;
}

/* Makes @step that of the backing file of @blk. */
static bool info_next_step(BlockBackend *blk, InfoStep *step, GError **error)
{
    g_autoptr(QDict) options = g_steal_pointer(&step->backing);
    g_autofree char *path = NULL;
    int flags = 0;

    if (!bdrv_backing_target(blk->root->bs, options, &path, &flags, error)) {
        return false;
    }
    info_step_clear(step);
    info_step_init(step, path, g_steal_pointer(&options), flags & BLK_O_PROBE);
    return true;
}

static BlockBackend *info_open(InfoChain *chain, const InfoStep *step, GError **error)
{
    BlockBackend *blk = blk_open_qdict(chain->ctx, step->filename, step->options,
                                       chain->flags | (step->probe ? BLK_O_PROBE : 0), error);

    found_name_forget(chain->ctx);
    if (!blk) {
        g_autofree char *name = info_step_name(step);

        g_prefix_error(error, "Could not open '%s': ", name);
    }
    return blk;
}

/* Describes the image of @step and makes @step that of the next; @more: whether there is one. */
static bool info_chain_step(InfoChain *chain, InfoStep *step, bool *more, GError **error)
{
    g_autoptr(BlockBackend) blk = NULL;
    QDict *info;

    if (!info_chain_enter(chain, step->filename, error)) {
        return false;
    }
    blk = info_open(chain, step, error);
    if (!blk) {
        return false;
    }
    info = info_describe(blk, error);
    if (!info) {
        return false;
    }
    qlist_append(chain->list, info);
    *more = chain->whole && !step->ends &&
            (blk->root->bs->backing_file || qdict_size(step->backing) > 0);
    return !*more || info_next_step(blk, step, error);
}

QList *cairn_image_info(CairnContext *ctx, const char *filename, const QDict *options, int flags,
                        bool whole, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(QList) list = qlist_new();
    InfoChain chain = {
        .ctx = context_or_default(ctx), .whole = whole, .seen = seen, .list = list,
        .flags = (flags & ~(BLK_O_RDWR | BLK_O_PROBE)) | BLK_O_NO_BACKING | BLK_O_NO_IO,
    };
    g_auto(InfoStep) step = { 0 };
    bool more = true;
    bool ok = true;

    info_step_init(&step, filename, options ? qdict_clone_shallow(options) : qdict_new(),
                   flags & BLK_O_PROBE);
    CTL_LOCK_GUARD(chain.ctx);
    while (ok && more) {
        ok = info_chain_step(&chain, &step, &more, error);
    }
    return ok ? g_steal_pointer(&list) : NULL;
}
