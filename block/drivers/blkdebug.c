/* SPDX-License-Identifier: MIT */
/*
 * blkdebug: passes an image through, and makes its requests fail or stop where rules and
 * breakpoints say so. It also has limits like a real device's, and checks that the core keeps to
 * them.
 *
 * 1. The rules are set by open and count under a lock of their own (blkdebug-rules.c).
 * 2. What is not named by a rule passes unchanged: data, zeros, discards, flags, status.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "blkdebug-break.h"
#include "blkdebug-config.h"
#include "blkdebug-rules.h"
#include "qapi/block-options.h"
#include "util/cutils.h"

#define BLKDEBUG_MAX_ALIGN MiB          /* what the core takes */

typedef struct BlkdebugState {
    BdrvChild *image;           /* never NULL while open */
    char *config;               /* file of rules; NULL: none */
    BlkdebugRules *rules;
    BlkdebugBreaks breaks;
    bool is_plain;              /* a name can say it all: no options but config */

    /* Set by open, never changed. bytes, 0: as the image */
    uint64_t align, max_transfer, opt_write_zero, max_write_zero, opt_discard, max_discard;
    uint64_t take_perms, unshare_perms;     /* BLK_PERM_* */
} BlkdebugState;

/* ---- options --------------------------------------------------------------------- */

static bool blkdebug_parse_filename(const char *filename, QDict *options, GError **error)
{
    const char *config, *colon;

    if (!g_str_has_prefix(filename, "blkdebug:")) {
        qdict_put_str(options, "x-image", filename);
        return true;
    }
    config = filename + strlen("blkdebug:");
    colon = strchr(config, ':');
    if (!colon) {
        cairn_set_error(error, EINVAL, "blkdebug requires both config file and image path");
        return false;
    }
    if (colon > config) {
        g_autofree char *name = g_strndup(config, (gsize)(colon - config));

        qdict_put_str(options, "config", name);
    }
    qdict_put_str(options, "x-image", colon + 1);
    return true;
}

/* @unit: 0: any value */
static bool blkdebug_check_limit(const char *name, uint64_t value, uint64_t unit, GError **error)
{
    if (value >= INT_MAX || (unit && value % unit)) {
        cairn_set_error(error, EINVAL, "Cannot meet constraints with %s %" G_GUINT64_FORMAT, name,
                        value);
        return false;
    }
    return true;
}

static bool blkdebug_check_limits(const BlkdebugState *s, GError **error)
{
    if (s->align && (!is_power_of_2(s->align) || s->align > BLKDEBUG_MAX_ALIGN)) {
        return blkdebug_check_limit("align", s->align, UINT64_MAX, error);
    }
    return blkdebug_check_limit("max-transfer", s->max_transfer, s->align, error)
        && blkdebug_check_limit("opt-write-zero", s->opt_write_zero, s->align, error)
        && blkdebug_check_limit("max-write-zero", s->max_write_zero,
                                MAX(s->opt_write_zero, s->align), error)
        && blkdebug_check_limit("opt-discard", s->opt_discard, s->align, error)
        && blkdebug_check_limit("max-discard", s->max_discard, MAX(s->opt_discard, s->align),
                                error);
}

static uint64_t blkdebug_perms(const BlkdebugPermission *list, size_t count)
{
    static const uint64_t perms[] = {
        [BLKDEBUG_PERMISSION_CONSISTENT_READ] = BLK_PERM_CONSISTENT_READ,
        [BLKDEBUG_PERMISSION_WRITE] = BLK_PERM_WRITE,
        [BLKDEBUG_PERMISSION_WRITE_UNCHANGED] = BLK_PERM_WRITE_UNCHANGED,
        [BLKDEBUG_PERMISSION_RESIZE] = BLK_PERM_RESIZE,
    };
    uint64_t mask = 0;

    for (size_t i = 0; i < count; i++) {
        mask |= perms[list[i]];
    }
    return mask;
}

static bool blkdebug_take_limits(BlkdebugState *s, const BlockdevOptionsBlkdebug *o,
                                 GError **error)
{
    s->align = o->has_align ? o->align : 0;
    s->max_transfer = o->has_max_transfer ? o->max_transfer : 0;
    s->opt_write_zero = o->has_opt_write_zero ? o->opt_write_zero : 0;
    s->max_write_zero = o->has_max_write_zero ? o->max_write_zero : 0;
    s->opt_discard = o->has_opt_discard ? o->opt_discard : 0;
    s->max_discard = o->has_max_discard ? o->max_discard : 0;
    s->take_perms = blkdebug_perms(o->take_child_perms, o->n_take_child_perms);
    s->unshare_perms = blkdebug_perms(o->unshare_child_perms, o->n_unshare_child_perms);
    return blkdebug_check_limits(s, error);
}

/* ---- rules ------------------------------------------------------------------------- */

static bool blkdebug_add_rules(BlkdebugRules *rules, BlkdebugInjectError *const *injects,
                               size_t n_injects, BlkdebugSetState *const *set_states,
                               size_t n_set_states, GError **error)
{
    for (size_t i = 0; i < n_injects; i++) {
        if (!blkdebug_rules_add_inject(rules, injects[i], error)) {
            return false;
        }
    }
    for (size_t i = 0; i < n_set_states; i++) {
        if (!blkdebug_rules_add_set_state(rules, set_states[i], error)) {
            return false;
        }
    }
    return true;
}

/* Those of the file come before those of the options. */
static bool blkdebug_take_rules(BlkdebugState *s, const BlockdevOptionsBlkdebug *o,
                                GError **error)
{
    g_autoptr(BlkdebugConfig) config = NULL;

    if (o->config) {
        config = blkdebug_config_read(o->config, error);
        if (!config || !blkdebug_add_rules(s->rules,
                                           (BlkdebugInjectError *const *)config->injects->pdata,
                                           config->injects->len,
                                           (BlkdebugSetState *const *)config->set_states->pdata,
                                           config->set_states->len, error)) {
            return false;
        }
        s->config = g_strdup(o->config);
    }
    return blkdebug_add_rules(s->rules, o->inject_error, o->n_inject_error, o->set_state,
                              o->n_set_state, error);
}

/* ---- open and close ------------------------------------------------------------------ */

static void blkdebug_clear(BlkdebugState *s)
{
    g_clear_pointer(&s->config, g_free);
    g_clear_pointer(&s->rules, blkdebug_rules_free);
    blkdebug_breaks_cleanup(&s->breaks);
}

static bool blkdebug_open_image(BlockDriverState *bs, const char *name, GError **error)
{
    BlkdebugState *s = bs->opaque;

    return bdrv_open_child_named(bs, "image", name, BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY,
                                 &s->image, error);
}

/* Each rule is searched for among all options: a bound before that is done. */
static bool blkdebug_check_count(const QDict *opts, GError **error)
{
    int rules = 0;

    for (size_t i = 0; i < qdict_size(opts); i++) {
        rules += g_str_has_suffix(qdict_key_at(opts, i), ".event");
    }
    if (rules > 2 * BLKDEBUG_MAX_RULES) {
        cairn_set_error(error, E2BIG, "There are more than %d rules", 2 * BLKDEBUG_MAX_RULES);
        return false;
    }
    return true;
}

static bool blkdebug_open_all(BlockDriverState *bs, QDict *opts, GError **error)
{
    g_autoptr(BlockdevOptionsBlkdebug) o = NULL;
    BlkdebugState *s = bs->opaque;

    o = blkdebug_check_count(opts, error) ? qapi_BlockdevOptionsBlkdebug_parse(opts, error) : NULL;
    if (!o || !blkdebug_take_limits(s, o, error) || !blkdebug_take_rules(s, o, error)
        || !blkdebug_open_image(bs, o->x_image, error)) {
        return false;
    }
    s->is_plain = qdict_size(opts) == (o->config != NULL) + (size_t)(o->x_image != NULL);
    blkdebug_rules_event(s->rules, BLKDEBUG_EVENT_NONE);
    return true;
}

static bool blkdebug_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    BlkdebugState *s = bs->opaque;

    s->rules = blkdebug_rules_new();
    blkdebug_breaks_init(&s->breaks, bs);
    if (!blkdebug_open_all(bs, opts, error)) {
        blkdebug_clear(s);
        return false;
    }
    return true;
}

static void blkdebug_close(BlockDriverState *bs)
{
    blkdebug_clear(bs->opaque);
}

/* ---- the graph -------------------------------------------------------------------------- */

/* Also called when another node has come into the image's place. */
static bool blkdebug_refresh_limits(BlockDriverState *bs, GError **error)
{
    const BlkdebugState *s = bs->opaque;
    const BlockDriverState *image = s->image->bs;
    BlockLimits *bl = &bs->bl;

    bl->request_alignment = s->align ? (uint32_t)s->align : bl->request_alignment;
    bl->max_transfer = (int64_t)s->max_transfer;
    bl->pwrite_zeroes_alignment = (uint32_t)s->opt_write_zero;
    bl->max_pwrite_zeroes = (int64_t)s->max_write_zero;
    bl->pdiscard_alignment = (uint32_t)s->opt_discard;
    bl->max_pdiscard = (int64_t)s->max_discard;
    bs->supported_write_flags = BDRV_REQ_WRITE_UNCHANGED
        | (BDRV_REQ_FUA & image->supported_write_flags);
    bs->supported_zero_flags = (BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK)
        & image->supported_zero_flags;
    return true;
}

static void blkdebug_child_perm(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                                const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                                uint64_t *nperm, uint64_t *nshared)
{
    const BlkdebugState *s = bs->opaque;

    bdrv_default_perms(bs, child, role, reopen, perm, shared, nperm, nshared);
    *nperm |= s->take_perms;
    *nshared &= ~s->unshare_perms;
}

/*
 * "blkdebug:CONFIG:IMAGE" where that opens the same again: the image is one that its name alone
 * opens, as a protocol's, and the config's name has no colon.
 */
static void blkdebug_refresh_filename(BlockDriverState *bs)
{
    const BlkdebugState *s = bs->opaque;
    const BlockDriverState *image = s->image->bs;

    if (!s->is_plain || !image->drv->protocol_name || !image->exact_filename[0]
        || (s->config && strchr(s->config, ':'))) {
        return;
    }
    g_free(bs->exact_filename);
    bs->exact_filename = g_strdup_printf("blkdebug:%s:%s", s->config ? s->config : "",
                                         image->exact_filename);
}

/* ---- data ----------------------------------------------------------------------------------- */

/* 0, or what the request fails with. */
static int coroutine_fn blkdebug_co_check(BlockDriverState *bs, BlkdebugIotype iotype,
                                          int64_t offset, int64_t bytes)
{
    BlkdebugState *s = bs->opaque;
    bool immediately = false;
    int ret = blkdebug_rules_check(s->rules, iotype, offset, bytes, &immediately);

    if (ret < 0 && !immediately) {
        aio_co_wake(coroutine_self());
        coroutine_yield();
    }
    return ret;
}

/* The core's promises. @max: bytes, 0: none */
static void blkdebug_check_request(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                   int64_t max)
{
    int64_t align = bs->bl.request_alignment;

    g_assert(offset % align == 0 && bytes % align == 0);
    g_assert(!max || bytes <= MAX(max, align));
}

/*
 * How many bytes of a request go to the image, or what it fails with. Where blocks are larger than a
 * sector, the last one may pass the image's end. What does is the core's padding, unless the
 * request may make the image longer.
 */
static int64_t coroutine_fn blkdebug_co_admit(BlockDriverState *bs, BlkdebugIotype iotype,
                                              int64_t offset, int64_t bytes, bool may_grow)
{
    BlkdebugState *s = bs->opaque;
    int ret = blkdebug_co_check(bs, iotype, offset, bytes);
    int64_t length;

    if (ret < 0) {
        return ret;
    }
    if (bs->bl.request_alignment <= BDRV_SECTOR_SIZE || may_grow) {
        return bytes;
    }
    length = bdrv_co_getlength(s->image);
    return length < 0 ? length : CLAMP(ROUND_UP_TO(length, BDRV_SECTOR_SIZE) - offset, 0, bytes);
}

static int64_t coroutine_fn blkdebug_co_get_allocated_file_size(BlockDriverState *bs)
{
    return -ENOTSUP;            /* nothing here is what the host's disk holds */
}

static int coroutine_fn blkdebug_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                           const IOVector *iov, int flags)
{
    BlkdebugState *s = bs->opaque;
    g_auto(IOVector) part = { 0 };
    int64_t inside;

    blkdebug_check_request(bs, offset, bytes, bs->bl.max_transfer);
    inside = blkdebug_co_admit(bs, BLKDEBUG_IOTYPE_READ, offset, bytes, false);
    if (inside < 0) {
        return (int)inside;
    }
    if (inside == bytes) {
        return bdrv_co_preadv(s->image, offset, bytes, iov, flags);
    }
    io_vector_memset(iov, (size_t)inside, 0, (size_t)(bytes - inside));
    io_vector_slice(&part, iov, 0, (size_t)inside);
    return bdrv_co_preadv(s->image, offset, inside, &part, flags);
}

static int coroutine_fn blkdebug_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov, int flags)
{
    BlkdebugState *s = bs->opaque;
    g_auto(IOVector) part = { 0 };
    int64_t inside;

    blkdebug_check_request(bs, offset, bytes, bs->bl.max_transfer);
    inside = blkdebug_co_admit(bs, BLKDEBUG_IOTYPE_WRITE, offset, bytes,
                               s->image->perm & BLK_PERM_RESIZE);
    if (inside < 0) {
        return (int)inside;
    }
    if (inside == bytes) {
        return bdrv_co_pwritev(s->image, offset, bytes, iov, flags);
    }
    io_vector_slice(&part, iov, 0, (size_t)inside);
    return bdrv_co_pwritev(s->image, offset, inside, &part, flags);
}

static int coroutine_fn blkdebug_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                       int64_t bytes, const IOVector *iov)
{
    BlkdebugState *s = bs->opaque;
    int ret = blkdebug_co_check(bs, BLKDEBUG_IOTYPE_WRITE, offset, bytes);

    return ret < 0 ? ret
        : bdrv_co_pwritev(s->image, offset, bytes, iov, BDRV_REQ_WRITE_COMPRESSED);
}

/* Less than a unit is not for a device that works in units: it is written as bytes, or left out. */
static int coroutine_fn blkdebug_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                  int64_t bytes, int flags)
{
    BlkdebugState *s = bs->opaque;
    int ret;

    blkdebug_check_request(bs, offset, bytes,
                           MAX(bs->bl.max_pwrite_zeroes, bs->bl.pwrite_zeroes_alignment));
    if (bytes < bs->bl.pwrite_zeroes_alignment) {
        return -ENOTSUP;
    }
    ret = blkdebug_co_check(bs, BLKDEBUG_IOTYPE_WRITE_ZEROES, offset, bytes);
    return ret < 0 ? ret : bdrv_co_pwrite_zeroes(s->image, offset, bytes, flags);
}

static int coroutine_fn blkdebug_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    BlkdebugState *s = bs->opaque;
    int64_t inside;

    blkdebug_check_request(bs, offset, bytes,
                           MAX(bs->bl.max_pdiscard, bs->bl.pdiscard_alignment));
    inside = blkdebug_co_admit(bs, BLKDEBUG_IOTYPE_DISCARD, offset, bytes, false);
    return inside < 0 ? (int)inside : bdrv_co_pdiscard(s->image, offset, inside);
}

/* The bytes have to come by here. */
static int coroutine_fn blkdebug_co_copy_range_from(BlockDriverState *bs, int64_t offset,
                                                    BdrvChild *target, int64_t target_offset,
                                                    int64_t bytes)
{
    return -ENOTSUP;
}

/* A flush that is ignored cannot fail; the image may still have an order of writes to keep. */
static int coroutine_fn blkdebug_co_flush(BlockDriverState *bs)
{
    BlkdebugState *s = bs->opaque;
    int ret = bs->open_flags & BLK_O_NO_FLUSH ? 0
        : blkdebug_co_check(bs, BLKDEBUG_IOTYPE_FLUSH, 0, 0);

    return ret < 0 ? ret : bdrv_co_flush(s->image);
}

static int coroutine_fn blkdebug_co_block_status(BlockDriverState *bs, bool want_zero,
                                                 int64_t offset, int64_t bytes, int64_t *pnum,
                                                 int64_t *map, BlockDriverState **file)
{
    BlkdebugState *s = bs->opaque;
    int ret;

    blkdebug_check_request(bs, offset, bytes, 0);
    ret = blkdebug_co_check(bs, BLKDEBUG_IOTYPE_BLOCK_STATUS, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    *pnum = bytes;
    *map = offset;
    *file = s->image->bs;
    return BDRV_BLOCK_RAW | BDRV_BLOCK_OFFSET_VALID;
}

/* ---- events and breakpoints ---- */

/* Rules first: what a stopped request finds when it goes on is what was set as it came. */
static void coroutine_fn blkdebug_co_debug_event(BlockDriverState *bs, const char *name)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugEvent event;

    if (!blkdebug_rules_has_events(s->rules) && !blkdebug_breaks_any(&s->breaks)) {
        return;
    }
    event = blkdebug_event_find(name);
    if (event == BLKDEBUG_EVENT__MAX) {
        return;
    }
    blkdebug_rules_event(s->rules, event);
    if (blkdebug_breaks_any(&s->breaks) && coroutine_in()) {
        blkdebug_breaks_event(&s->breaks, event);
    }
}

static bool blkdebug_found(bool found, GError **error)
{
    if (!found) {
        cairn_set_error(error, ENOENT, "%s", g_strerror(ENOENT));
    }
    return found;
}

static bool blkdebug_debug_breakpoint(BlockDriverState *bs, const char *name, const char *tag,
                                      GError **error)
{
    BlkdebugState *s = bs->opaque;
    BlkdebugEvent event = blkdebug_event_find(name);

    if (!blkdebug_found(event != BLKDEBUG_EVENT__MAX, error)) {
        return false;
    }
    blkdebug_breaks_add(&s->breaks, event, tag);
    return true;
}

static bool blkdebug_debug_remove_breakpoint(BlockDriverState *bs, const char *tag,
                                             GError **error)
{
    BlkdebugState *s = bs->opaque;

    return blkdebug_found(blkdebug_breaks_remove(&s->breaks, tag), error);
}

static bool blkdebug_debug_resume(BlockDriverState *bs, const char *tag, GError **error)
{
    BlkdebugState *s = bs->opaque;

    return blkdebug_found(blkdebug_breaks_resume(&s->breaks, tag), error);
}

static int blkdebug_debug_is_suspended(BlockDriverState *bs, const char *tag)
{
    BlkdebugState *s = bs->opaque;

    return blkdebug_breaks_is_suspended(&s->breaks, tag);
}

static const char *const blkdebug_strong_options[] = {
    "config", "align", "max-transfer", "opt-write-zero", "max-write-zero", "opt-discard",
    "max-discard", "inject-error.", "set-state.", "take-child-perms.", "unshare-child-perms.",
    NULL
};

const BlockDriver bdrv_blkdebug = {
    .format_name                     = "blkdebug",
    .protocol_name                   = "blkdebug",
    .instance_size                   = sizeof(BlkdebugState),
    .is_filter                       = true,
    .filtered_name                   = "image",
    .runtime_options                 = qapi_options_BlockdevOptionsBlkdebug,
    .strong_runtime_opts             = blkdebug_strong_options,
    .bdrv_parse_filename             = blkdebug_parse_filename,
    .bdrv_open                       = blkdebug_open,
    .bdrv_close                      = blkdebug_close,
    .bdrv_refresh_filename           = blkdebug_refresh_filename,
    .bdrv_refresh_limits             = blkdebug_refresh_limits,
    .bdrv_child_perm                 = blkdebug_child_perm,
    .bdrv_co_get_allocated_file_size = blkdebug_co_get_allocated_file_size,
    .bdrv_co_preadv                  = blkdebug_co_preadv,
    .bdrv_co_pwritev                 = blkdebug_co_pwritev,
    .bdrv_co_pwritev_compressed      = blkdebug_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes           = blkdebug_co_pwrite_zeroes,
    .bdrv_co_pdiscard                = blkdebug_co_pdiscard,
    .bdrv_co_copy_range_from         = blkdebug_co_copy_range_from,
    .bdrv_co_flush                   = blkdebug_co_flush,
    .bdrv_co_block_status            = blkdebug_co_block_status,
    .bdrv_co_debug_event             = blkdebug_co_debug_event,
    .bdrv_debug_breakpoint           = blkdebug_debug_breakpoint,
    .bdrv_debug_remove_breakpoint    = blkdebug_debug_remove_breakpoint,
    .bdrv_debug_resume               = blkdebug_debug_resume,
    .bdrv_debug_is_suspended         = blkdebug_debug_is_suspended,
};
