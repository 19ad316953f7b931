/* SPDX-License-Identifier: MIT */
/*
 * AioContext as a GSource: its epoll descriptor is the only thing that the GMainContext looks
 * at, so an idle context costs the loop one descriptor however many it has inside.
 */
#include "util/aio-int.h"

typedef struct AioSource {
    GSource source;             /* must be first */
    AioContext *ctx;            /* owns the source, destroys it before it ends */
} AioSource;

/*
 * What is scheduled, or prepared for the ring, inside a dispatch makes no event. So a main loop that
 * is run from there would not see it by the descriptor.
 */
static gboolean aio_source_prepare(GSource *source, gint *timeout)
{
    AioContext *ctx = ((AioSource *)source)->ctx;

    *timeout = -1;
    return aio_has_tasks(ctx) || aio_ring_has_unsent(ctx);
}

static gboolean aio_source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    AioContext *ctx = aio_context_ref(((AioSource *)source)->ctx);

    aio_context_poll(ctx, false);
    aio_context_unref(ctx);
    return G_SOURCE_CONTINUE;
}

/* check: GLib's own, by the descriptor. */
static GSourceFuncs aio_source_funcs = {
    .prepare = aio_source_prepare, .dispatch = aio_source_dispatch,
};

GSource *aio_context_get_source(AioContext *ctx)
{
    if (!ctx->source) {
        ctx->source = g_source_new(&aio_source_funcs, sizeof(AioSource));
        ((AioSource *)ctx->source)->ctx = ctx;
        g_source_set_static_name(ctx->source, "AioContext");
        g_source_set_can_recurse(ctx->source, true);
        g_source_add_unix_fd(ctx->source, ctx->epoll_fd, G_IO_IN);
    }
    return ctx->source;
}

void aio_source_destroy(AioContext *ctx)
{
    if (ctx->source) {
        g_source_destroy(ctx->source);
        g_clear_pointer(&ctx->source, g_source_unref);
    }
}
