/* SPDX-License-Identifier: MIT */
/*
 * Permissions: what each user of a node does to it, and what it lets others do meanwhile.
 *
 * 1. A node's cumulative permission is all that its parents do; what it shares is what all of
 *    them allow. No parent does what another one does not allow.
 * 2. An update runs in the order of the graph, parents first, and is all or nothing: every node
 *    is checked (drivers lock the file here), then every node is set; or all is as it was.
 */
#include "block/block-int.h"

#define PERM_CHANGES ((uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE))

struct PermUpdate {
    GPtrArray *order;           /* BlockDriverState *, parents before children */
    GHashTable *reopen;         /* borrowed; node -> BlockReopenState *, or NULL */
    guint checked;              /* nodes of order whose check_perm has succeeded */
};

static const struct {
    uint64_t perm;
    const char *name;
} perm_names[] = {
    { BLK_PERM_CONSISTENT_READ, "consistent read" },
    { BLK_PERM_WRITE, "write" },
    { BLK_PERM_WRITE_UNCHANGED, "write unchanged" },
    { BLK_PERM_RESIZE, "resize" },
};

char *bdrv_perm_names(uint64_t perm)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(perm_names); i++) {
        if (perm & perm_names[i].perm) {
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", perm_names[i].name);
        }
    }
    return g_string_free(text, FALSE);
}

/* ---- what a parent needs of a child ---- */

static const BlockReopenState *perm_reopen_of(GHashTable *reopen, BlockDriverState *bs)
{
    return reopen ? g_hash_table_lookup(reopen, bs) : NULL;
}

static bool perm_is_writable(BlockDriverState *bs, const BlockReopenState *reopen)
{
    return reopen ? (reopen->flags & BLK_O_RDWR) != 0 : !bs->read_only;
}

/* A backing file is only read; where the overlay's users can do with changing data, so can it. */
static void perm_needs_of_overlay(uint64_t perm, uint64_t shared, uint64_t *nperm,
                                  uint64_t *nshared)
{
    *nperm = perm & BLK_PERM_CONSISTENT_READ;
    *nshared = shared & BLK_PERM_WRITE ? BLK_PERM_ALL : BLK_PERM_ALL & ~PERM_CHANGES;
}

/*
 * The storage of a format. Its metadata must not change under it, whatever the guest's disk may
 * stand, and a writable format writes it even when the guest does not.
 */
static void perm_needs_of_storage(BdrvChildRole role, bool is_writable, uint64_t perm,
                                  uint64_t shared, uint64_t *nperm, uint64_t *nshared)
{
    if (perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)) {
        perm |= PERM_CHANGES;
    }
    if (role & BDRV_CHILD_METADATA) {
        perm |= BLK_PERM_CONSISTENT_READ;
        perm |= is_writable ? PERM_CHANGES : 0;
        shared = BLK_PERM_ALL & ~PERM_CHANGES;
    }
    *nperm = perm & ~(uint64_t)BLK_PERM_WRITE_UNCHANGED;
    *nshared = shared;
}

/* Whether a filter passes writes on without the flag that says that they change nothing. */
static bool perm_forgets_unchanged(const BlockDriverState *bs, uint64_t perm)
{
    return perm & BLK_PERM_WRITE_UNCHANGED && bs->drv->bdrv_co_pwritev
        && !(bs->supported_write_flags & BDRV_REQ_WRITE_UNCHANGED);
}

void bdrv_default_perms(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                        const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                        uint64_t *nperm, uint64_t *nshared)
{
    if (role & BDRV_CHILD_FILTERED) {
        *nperm = perm | (perm_forgets_unchanged(bs, perm) ? BLK_PERM_WRITE : 0);
        *nshared = shared;
    } else if (role & BDRV_CHILD_COW) {
        perm_needs_of_overlay(perm, shared, nperm, nshared);
    } else {
        perm_needs_of_storage(role, perm_is_writable(bs, reopen), perm, shared, nperm, nshared);
    }
}

static void perm_cumulative(BlockDriverState *bs, uint64_t *perm, uint64_t *shared)
{
    *perm = 0;
    *shared = BLK_PERM_ALL;
    for (guint i = 0; i < bs->priv->parents->len; i++) {
        const BdrvChild *use = bs->priv->parents->pdata[i];

        *perm |= use->perm;
        *shared &= use->shared_perm;
    }
}

void bdrv_child_needs(BlockDriverState *bs, BdrvChild *child, const BlockReopenState *reopen,
                      uint64_t *nperm, uint64_t *nshared)
{
    uint64_t perm, shared;

    perm_cumulative(bs, &perm, &shared);
    if (bs->drv->bdrv_child_perm) {
        bs->drv->bdrv_child_perm(bs, child, child->role, reopen, perm, shared, nperm, nshared);
    } else {
        bdrv_default_perms(bs, child, child->role, reopen, perm, shared, nperm, nshared);
    }
    if (child->bs->open_flags & BLK_O_FORCE_SHARE || child->frozen) {
        *nshared = BLK_PERM_ALL;
    }
}

/* ---- conflicts ---- */

static char *perm_describe_user(const BdrvChild *use)
{
    return use->parent_bs
        ? g_strdup_printf("node '%s' as '%s'", bdrv_label(use->parent_bs), use->name)
        : g_strdup_printf("a block device as '%s'", use->name);
}

static bool perm_check_pair(const BdrvChild *wants, const BdrvChild *has, GError **error)
{
    uint64_t conflict = wants->perm & ~has->shared_perm;

    if (!conflict) {
        return true;
    }
    g_autofree char *holder = perm_describe_user(has);
    g_autofree char *asker = perm_describe_user(wants);
    g_autofree char *names = bdrv_perm_names(conflict);

    cairn_set_error(error, EPERM,
                    "Conflicts with use by %s, which does not allow '%s' on %s (wanted by %s)",
                    holder, names, bdrv_label(wants->bs), asker);
    return false;
}

static bool perm_check_parents(BlockDriverState *bs, GError **error)
{
    GPtrArray *parents = bs->priv->parents;

    /* Newest first, so that the message blames who came last. */
    for (guint i = parents->len; i-- > 0;) {
        for (guint j = 0; j < parents->len; j++) {
            if (i != j && !perm_check_pair(parents->pdata[i], parents->pdata[j], error)) {
                return false;
            }
        }
    }
    return true;
}

static bool perm_check_node(PermUpdate *update, BlockDriverState *bs, GError **error)
{
    const BlockReopenState *reopen = perm_reopen_of(update->reopen, bs);
    uint64_t perm, shared;

    if (!perm_check_parents(bs, error)) {
        return false;
    }
    perm_cumulative(bs, &perm, &shared);
    if ((perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)) && !perm_is_writable(bs, reopen)) {
        cairn_set_error(error, EROFS, "Block node is read-only");
        return false;
    }
    if (bs->priv->is_open && bs->drv->bdrv_check_perm
        && !bs->drv->bdrv_check_perm(bs, perm, shared, error)) {
        return false;
    }
    for (guint i = 0; i < bs->priv->children->len; i++) {
        BdrvChild *child = bs->priv->children->pdata[i];

        bdrv_child_needs(bs, child, reopen, &child->perm, &child->shared_perm);
    }
    return true;
}

/* ---- updates ---- */

static void perm_save_edges(PermUpdate *update)
{
    for (guint i = 0; i < update->order->len; i++) {
        BlockDriverState *bs = update->order->pdata[i];

        for (guint j = 0; j < bs->priv->children->len; j++) {
            BdrvChild *child = bs->priv->children->pdata[j];

            child->saved_perm = child->perm;
            child->saved_shared = child->shared_perm;
        }
    }
}

static void perm_restore_edges(PermUpdate *update)
{
    for (guint i = 0; i < update->order->len; i++) {
        BlockDriverState *bs = update->order->pdata[i];

        for (guint j = 0; j < bs->priv->children->len; j++) {
            BdrvChild *child = bs->priv->children->pdata[j];

            child->perm = child->saved_perm;
            child->shared_perm = child->saved_shared;
        }
    }
}

static void perm_update_free(PermUpdate *update)
{
    g_ptr_array_unref(update->order);
    g_free(update);
}

void bdrv_perm_abort(PermUpdate *update)
{
    for (guint i = update->checked; i-- > 0;) {
        BlockDriverState *bs = update->order->pdata[i];

        if (bs->priv->is_open && bs->drv->bdrv_abort_perm) {
            bs->drv->bdrv_abort_perm(bs);
        }
    }
    perm_restore_edges(update);
    perm_update_free(update);
}

PermUpdate *bdrv_perm_prepare(BlockDriverState *const *roots, int count, GHashTable *reopen,
                              GError **error)
{
    PermUpdate *update = g_new0(PermUpdate, 1);

    update->order = bdrv_graph_order_of(roots, count);
    update->reopen = reopen;
    perm_save_edges(update);
    while (update->checked < update->order->len) {
        if (!perm_check_node(update, update->order->pdata[update->checked], error)) {
            bdrv_perm_abort(update);
            return NULL;
        }
        update->checked++;
    }
    return update;
}

void bdrv_perm_commit(PermUpdate *update)
{
    for (guint i = 0; i < update->order->len; i++) {
        BlockDriverState *bs = update->order->pdata[i];

        perm_cumulative(bs, &bs->priv->perm, &bs->priv->shared_perm);
        if (bs->priv->is_open && bs->drv->bdrv_set_perm) {
            bs->drv->bdrv_set_perm(bs, bs->priv->perm, bs->priv->shared_perm);
        }
    }
    perm_update_free(update);
}

bool bdrv_refresh_perms(BlockDriverState *bs, GHashTable *reopen, GError **error)
{
    PermUpdate *update = bdrv_perm_prepare(&bs, 1, reopen, error);

    if (!update) {
        return false;
    }
    bdrv_perm_commit(update);
    return true;
}

bool bdrv_refresh_child_perms(BlockDriverState *bs, GError **error)
{
    return bdrv_refresh_perms(bs, NULL, error);
}

bool bdrv_child_try_set_perm(BdrvChild *child, uint64_t perm, uint64_t shared, GError **error)
{
    uint64_t old_perm = child->perm, old_shared = child->shared_perm;

    child->perm = perm;
    child->shared_perm = shared;
    if (bdrv_refresh_perms(child->bs, NULL, error)) {
        return true;
    }
    child->perm = old_perm;
    child->shared_perm = old_shared;
    return false;
}
