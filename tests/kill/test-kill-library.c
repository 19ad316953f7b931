/* SPDX-License-Identifier: MIT */
/*
 * The library, killed under random load. Whatever the moment, the image then opens, checks clean
 * but for leaks, and each sector holds what was written to it last before the last flush that was
 * acknowledged, or something written later; the backing file is as it was. Several sessions follow
 * each other on one image, so that what one left behind is built upon by the next.
 */
#include <cairn/block.h>
#include <cairn/secret.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kill-run.h"
#include "load.h"

enum { RUNS = 40, SESSIONS = 3, REQUESTS = 250, MOST_CALLS = 500, BACKING_BYTES = 6 << 20 };

typedef struct ImageKind {
    const char *name;
    const char *options;                /* of creation */
    bool has_backing, is_encrypted;
} ImageKind;

static const ImageKind kinds[] = {
    { "4k", "cluster_size=4096" },
    { "64k", "cluster_size=65536" },
    { "512-backed", "cluster_size=512", .has_backing = true },
    { "64k-backed", "cluster_size=65536", .has_backing = true },
    { "aes", "cluster_size=4096,encrypt.format=aes,encrypt.key-secret=key", .is_encrypted = true },
    { "aes-backed", "cluster_size=4096,encrypt.format=aes,encrypt.key-secret=key",
      .has_backing = true, .is_encrypted = true },
};

typedef struct Fixture {
    CairnContext *ctx;
    char *dir, *image, *base, *open;    /* open: the options of opening */
    GByteArray *backing;
    const ImageKind *kind;
    gint64 now[LOAD_SECTORS];           /* the number that a sector bore when last read */
    guint32 next;                       /* number of the next request */
    guint kills;
} Fixture;

/* ---- an image ---- */

static void make_backing(Fixture *f)
{
    f->backing = g_byte_array_new();
    g_byte_array_set_size(f->backing, BACKING_BYTES);
    for (guint32 i = 0; i < BACKING_BYTES / LOAD_SECTOR; i++) {
        load_fill(f->backing->data + i * LOAD_SECTOR, i, LOAD_BACKING);
    }
    g_assert_true(g_file_set_contents(f->base, (char *)f->backing->data, BACKING_BYTES, NULL));
}

static void make_image(Fixture *f, const ImageKind *kind)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = qdict_from_keyval(kind->options, NULL, &error);

    g_assert_no_error(error);
    f->kind = kind;
    if (kind->has_backing) {
        qdict_put_str(options, "backing_file", "base.raw");
        qdict_put_str(options, "backing_fmt", "raw");
    }
    g_unlink(f->image);
    blk_create(f->ctx, f->image, "qcow", options, LOAD_BYTES, &error);
    g_assert_no_error(error);
    g_free(f->open);
    f->open = g_strdup_printf("driver=qcow,file.driver=file,file.filename=%s%s", f->image,
                              kind->is_encrypted ? ",encrypt.key-secret=key" : "");
    for (guint32 i = 0; i < LOAD_SECTORS; i++) {
        f->now[i] = kind->has_backing && i < BACKING_BYTES / LOAD_SECTOR ? LOAD_BACKING : 0;
    }
    f->next = LOAD_BACKING + 1;
}

/* ---- a session ---- */

/* Returns: the messages of a load that was killed at call number @at, or made all its requests. */
static GArray *run_load(Fixture *f, guint32 seed, guint at, int part)
{
    g_autofree char *first = g_strdup_printf("%u", f->next);
    g_autofree char *random = g_strdup_printf("%u", seed);
    g_autofree char *requests = g_strdup_printf("%u", REQUESTS);
    char *argv[] = { (char *)g_getenv("CAIRN_KILL_LOAD"), f->open, first, random, requests, NULL };
    g_auto(GStrv) env = kill_environment(at, part, NULL);
    GArray *messages = g_array_new(FALSE, FALSE, sizeof(LoadMessage));
    g_autoptr(GError) error = NULL;
    LoadMessage m;
    GPid pid;
    int out, status;

    g_spawn_async_with_pipes(NULL, argv, env, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL,
                             &out, NULL, &error);
    g_assert_no_error(error);
    while (read(out, &m, sizeof(m)) == sizeof(m)) {
        g_array_append_val(messages, m);
    }
    close(out);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    f->kills += WIFSIGNALED(status);
    g_assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
    f->next += REQUESTS + 1;
    return messages;
}

/* ---- what may be there ---- */

typedef struct Request {
    LoadMessage m;
    guint begin, end;                   /* places among the messages; end 0: no answer came */
} Request;

/* The requests in order, and where the last flush began that was acknowledged. */
static GArray *collect(const GArray *messages, guint *flushed)
{
    GArray *requests = g_array_new(FALSE, FALSE, sizeof(Request));

    *flushed = 0;
    for (guint i = 0; i < messages->len; i++) {
        const LoadMessage *m = &g_array_index(messages, LoadMessage, i);
        Request new = { *m, .begin = i };

        if (!m->is_end) {
            g_array_append_val(requests, new);
            continue;
        }
        for (guint k = requests->len; k-- > 0;) {
            Request *r = &g_array_index(requests, Request, k);

            if (r->m.number == m->number) {
                r->end = i;
                *flushed = MAX(*flushed, m->kind == LOAD_FLUSH ? r->begin : 0);
                break;
            }
        }
    }
    return requests;
}

static gint64 value_of(const Request *r)
{
    return r->m.kind == LOAD_WRITE ? r->m.number : 0;
}

/* A discard is a hint: what it was about may stay. */
static bool is_durable(const Request *r, guint flushed)
{
    return r->end && (r->m.kind == LOAD_WRITE || r->m.kind == LOAD_ZERO) &&
           (r->end < flushed || r->m.is_durable);
}

/* By the requests on @sector from the newest to the last durable one; before that, @base. */
static bool may_hold(const GArray *requests, guint flushed, guint32 sector, gint64 base,
                     gint64 number)
{
    for (guint k = requests->len; k-- > 0;) {
        const Request *r = &g_array_index(requests, Request, k);

        if (r->m.kind == LOAD_FLUSH || sector < r->m.sector ||
            sector >= r->m.sector + r->m.count) {
            continue;
        }
        if (value_of(r) == number) {
            return true;
        }
        if (is_durable(r, flushed)) {
            return false;
        }
    }
    return number == base;
}

static void verify_sectors(Fixture *f, const guint8 *buf, const GArray *messages)
{
    guint flushed;
    g_autoptr(GArray) requests = collect(messages, &flushed);

    for (guint32 i = 0; i < LOAD_SECTORS; i++) {
        gint64 number = load_number(buf + (gsize)i * LOAD_SECTOR, i);

        if (number < 0 || !may_hold(requests, flushed, i, f->now[i], number)) {
            g_error("%s: sector %u holds %" G_GINT64_FORMAT " (before this session %"
                    G_GINT64_FORMAT ")", f->kind->name, i, number, f->now[i]);
        }
        f->now[i] = number;
    }
}

static void verify(Fixture *f, const GArray *messages)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = blk_open_opts(f->ctx, f->open, 0, &error);
    g_autofree guint8 *buf = g_malloc(LOAD_BYTES);
    g_autofree char *backing = NULL;
    BlockCheckResult r = { 0 };
    gsize bytes;

    g_assert_no_error(error);
    blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error);
    g_assert_no_error(error);
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.check_errors, ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, LOAD_BYTES, buf), ==, 0);
    verify_sectors(f, buf, messages);
    g_assert_true(g_file_get_contents(f->base, &backing, &bytes, NULL));
    g_assert_cmpmem(backing, bytes, f->backing->data, f->backing->len);
}

/* ---- the runs ---- */

static void run(guint32 seed, gpointer opaque)
{
    Fixture *f = opaque;
    GRand *rand = g_rand_new_with_seed(seed);

    make_image(f, &kinds[seed % G_N_ELEMENTS(kinds)]);
    for (int i = 0; i < SESSIONS; i++) {
        guint at = (guint)g_rand_int_range(rand, 1, MOST_CALLS);
        int part = g_rand_int_range(rand, 0, 1001);
        g_autoptr(GArray) messages = NULL;

        g_test_message("%s, session %d: killed at call %u", f->kind->name, i, at);
        messages = run_load(f, g_rand_int(rand), at, part);
        verify(f, messages);
    }
    g_rand_free(rand);
}

static void test_kill(void)
{
    Fixture f = { .ctx = cairn_context_new(), .dir = g_dir_make_tmp("cairn-kill-XXXXXX", NULL) };

    g_assert_true(cairn_secret_add_bytes(f.ctx, "key", "cairn", 5, NULL));
    f.image = g_build_filename(f.dir, "image.qcow", NULL);
    f.base = g_build_filename(f.dir, "base.raw", NULL);
    make_backing(&f);
    kill_each_seed(RUNS, run, &f);
    g_assert_cmpuint(f.kills, >, 0);
    g_test_message("%u sessions killed", f.kills);
    g_unlink(f.image);
    g_unlink(f.base);
    g_rmdir(f.dir);
    g_byte_array_unref(f.backing);
    g_free(f.open);
    g_free(f.image);
    g_free(f.base);
    g_free(f.dir);
    cairn_context_unref(f.ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kill/library/flushed-data-is-there", test_kill);
    return g_test_run();
}
