/* SPDX-License-Identifier: MIT */
/* Backing files: names found in images, whose word counts, the gate, chains that do not end. */
#include "mem-driver.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRICT CAIRN_IMAGE_POLICY_SAME_FOLDER
#define ALLOW CAIRN_IMAGE_POLICY_ALLOW_ALL

typedef struct Fixture {
    char *top;                  /* the folder of all */
    char *dir;                  /* top/images */
    CairnContext *ctx;
} Fixture;

static void write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char sector[512] = { 0 };

    g_strlcpy(sector, text, sizeof(sector));
    g_assert_true(g_file_set_contents(path, sector, sizeof(sector), NULL));
}

static void set_up(Fixture *f, gconstpointer data)
{
    g_autofree char *deeper = NULL;

    f->top = g_dir_make_tmp("cairn-backing-XXXXXX", NULL);
    f->dir = g_build_filename(f->top, "images", NULL);
    deeper = g_build_filename(f->dir, "deeper", NULL);
    g_assert_cmpint(g_mkdir_with_parents(deeper, 0700), ==, 0);
    f->ctx = test_context_new();
    write_file(f->dir, "base", "plain bytes");
    write_file(deeper, "base", "deeper bytes");
    write_file(f->top, "canary", "canary");
}

static void remove_tree(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir))) {
            g_autofree char *inner = g_build_filename(path, name, NULL);

            remove_tree(inner);
        }
    }
    g_remove(path);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    cairn_context_unref(f->ctx);
    remove_tree(f->top);
    g_free(f->top);
    g_free(f->dir);
}

static BlockBackend *open_tf(Fixture *f, const char *path, const char *more, GError **error)
{
    g_autofree char *options = g_strdup_printf("driver=tf,file.driver=file,file.filename=%s%s%s",
                                               path, more ? "," : "", more ? more : "");

    return blk_open_opts(f->ctx, options, 0, error);
}

static BlockBackend *open_image(Fixture *f, const char *backing, const char *format,
                                const char *more, GError **error)
{
    g_autofree char *path = test_write_tf(f->dir, "top", backing, format);

    return open_tf(f, path, more, error);
}

static void assert_reads(BlockBackend *blk, const char *text)
{
    BlockDriverState *bs = blk->root->bs->backing->bs;
    BdrvChild child = { .bs = bs, .perm = BLK_PERM_CONSISTENT_READ,
                        .shared_perm = BLK_PERM_ALL };
    char buf[64] = { 0 };

    g_assert_cmpint(bdrv_pread(&child, 0, (int64_t)strlen(text), buf), ==, 0);
    g_assert_cmpstr(buf, ==, text);
}

/* ---- names that are followed ---- */

static const struct {
    const char *claim;
    const char *name;           /* %s: the image's folder */
    CairnImagePolicy policy;
    const char *text;
} followed[] = {
    { "/backing/strict/same-folder/is-opened", "base", STRICT, "plain bytes" },
    { "/backing/strict/below/is-opened", "deeper/base", STRICT, "deeper bytes" },
    { "/backing/strict/absolute-inside/is-opened", "%s/base", STRICT, "plain bytes" },
    { "/backing/strict/dot/is-opened", "./base", STRICT, "plain bytes" },
    { "/backing/strict/down-and-up/is-opened", "deeper/../base", STRICT, "plain bytes" },
    { "/backing/allow-all/outside/is-opened", "../canary", ALLOW, "canary" },
    { "/backing/allow-all/colon-after-slash/is-opened", "./a:b", ALLOW, "colon" },
};

static void test_followed(Fixture *f, gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(GString) name = g_string_new(followed[i].name);
    g_autoptr(GError) error = NULL;

    g_string_replace(name, "%s", f->dir, 0);
    write_file(f->dir, "a:b", "colon");
    cairn_context_set_image_policy(f->ctx, followed[i].policy);
    g_autoptr(BlockBackend) blk = open_image(f, name->str, "raw", NULL, &error);

    g_assert_no_error(error);
    assert_reads(blk, followed[i].text);
    g_assert_true(blk->root->bs->backing->bs->read_only);
}

/* ---- names that are refused ---- */

#define REFUSED "Could not open backing file: Backing file name '%s' found in the image "
#define NOT_PLAIN "is not a plain path"
#define CONTROL "contains control characters"
#define SPECIAL "leads into /dev or /proc"
#define OUT "leads out of the image's folder"

static const struct {
    const char *claim;
    const char *name;
    const char *shown;          /* NULL: as the name */
    CairnImagePolicy policy;
    const char *why;
} refused[] = {
#define BOTH(claim, name, shown, why)                                        \
    { "/backing/strict/" claim "/is-refused", name, shown, STRICT, why },    \
    { "/backing/allow-all/" claim "/is-refused", name, shown, ALLOW, why }
    BOTH("json", "json:{\"driver\":\"file\",\"filename\":\"../canary\"}",
         "json:{\\\"driver\\\":\\\"file\\\",\\\"filename\\\":\\\"../canary\\\"}", NOT_PLAIN),
    BOTH("json-upper", "JSON:{}", NULL, NOT_PLAIN),
    BOTH("file-protocol", "file:../canary", NULL, NOT_PLAIN),
    BOTH("file-url", "file:///etc/passwd", NULL, NOT_PLAIN),
    BOTH("nbd", "nbd:localhost:10809", NULL, NOT_PLAIN),
    BOTH("nbd-url", "nbd+unix:///x?socket=/s", NULL, NOT_PLAIN),
    BOTH("mem", "mem:4k", NULL, NOT_PLAIN),
    BOTH("fd", "fd:3", NULL, NOT_PLAIN),
    BOTH("empty-protocol", ":base", NULL, NOT_PLAIN),
    BOTH("unknown-protocol", "base:x", NULL, NOT_PLAIN),
    BOTH("newline", "base\nE: fake", "base\\nE: fake", CONTROL),
    BOTH("escape", "\033[2Jbase", "\\033[2Jbase", CONTROL),
    BOTH("delete", "base\177", "base\\177", CONTROL),
    BOTH("csi-of-two-bytes", "base\302\2332J", "base\\302\\2332J", CONTROL),
    BOTH("tab", "\tbase", "\\tbase", CONTROL),
    BOTH("dev", "/dev/zero", NULL, SPECIAL),
    BOTH("dev-slashes", "//dev///zero", NULL, SPECIAL),
    BOTH("dev-dots", "/dev/./zero", NULL, SPECIAL),
    BOTH("dev-around", "/tmp/../dev/zero", NULL, SPECIAL),
    BOTH("dev-out-of-shm", "/dev/shm/../zero", NULL, SPECIAL),
    BOTH("dev-folder", "/dev", NULL, SPECIAL),
    BOTH("dev-fd", "/dev/fd/0", NULL, SPECIAL),
    BOTH("dev-stdin", "/dev/stdin", NULL, SPECIAL),
    BOTH("proc", "/proc/self/environ", NULL, SPECIAL),
    BOTH("proc-fd", "/proc/self/fd/0", NULL, SPECIAL),
    BOTH("proc-root", "/proc/self/root/etc/passwd", NULL, SPECIAL),
    BOTH("dev-climbing", "../../../../../../../../dev/zero", NULL, SPECIAL),
    BOTH("through-dev-and-proc", "/dev/fd/../../self/cwd/base", NULL, SPECIAL),
    BOTH("through-proc", "//./proc/self/root/../../etc/hostname", NULL, SPECIAL),
    BOTH("proc-by-link", "to-proc/version", NULL, SPECIAL),
    { "/backing/strict/up/is-refused", "../canary", NULL, STRICT, OUT },
    { "/backing/strict/up-and-down/is-refused", "../images/../canary", NULL, STRICT, OUT },
    { "/backing/strict/deep-up/is-refused", "deeper/../../canary", NULL, STRICT, OUT },
    { "/backing/strict/absolute/is-refused", "/etc/passwd", NULL, STRICT, OUT },
    { "/backing/strict/link-out/is-refused", "link", NULL, STRICT, OUT },
    { "/backing/strict/folder-link-out/is-refused", "linked/canary", NULL, STRICT, OUT },
    { "/backing/strict/sibling-of-like-name/is-refused", "../images2/base", NULL, STRICT, OUT },
    { "/backing/strict/fifo/is-refused", "fifo", NULL, STRICT, "is not a regular file" },
    { "/backing/strict/folder/is-refused", "deeper", NULL, STRICT, "is not a regular file" },
    { "/backing/none/same-folder/is-refused", "base", NULL, CAIRN_IMAGE_POLICY_NONE,
      "is not followed: the policy forbids it" },
#undef BOTH
};

static void make_link(const char *dir, const char *name, const char *target)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void test_refused(Fixture *f, gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *fifo = g_build_filename(f->dir, "fifo", NULL);
    g_autofree char *sibling = g_build_filename(f->top, "images2", NULL);
    g_autofree char *start = g_strdup_printf(
        REFUSED "%s", refused[i].shown ? refused[i].shown : refused[i].name, refused[i].why);
    g_autoptr(GError) error = NULL;

    make_link(f->dir, "link", "../canary");
    make_link(f->dir, "linked", "..");
    make_link(f->dir, "to-proc", "/proc");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(sibling, 0700), ==, 0);
    write_file(sibling, "base", "x");
    cairn_context_set_image_policy(f->ctx, refused[i].policy);
    g_assert_null(open_image(f, refused[i].name, "raw", NULL, &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    g_assert_cmpint(strcspn(error->message, "\n"), ==, strlen(start));
    g_assert_true(g_str_has_prefix(error->message, start));
}

static void test_folder_unknown_is_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    /* An image in memory has no folder. */
    g_assert_null(blk_open(f->ctx, "json:{'driver':'tf','file':{'driver':'mem','hex':'"
                           TF_HEX "000000000000000000000000" "62617365'}}", 0, &error));
    g_assert_nonnull(strstr(error->message, "Cannot tell the folder of"));
}

/* ---- the program's gate ---- */

typedef struct Gate {
    CairnGateVerdict verdict;
    int asked;
    char *name, *image, *path;  /* of the last question */
    const char *link, *target;  /* what is made meanwhile, or NULL */
} Gate;

static CairnGateVerdict gate_answer(const CairnFoundName *found, void *opaque)
{
    Gate *gate = opaque;

    gate->asked++;
    g_assert_cmpint(gate->asked, ==, 1);
    gate->name = g_strdup(found->name);
    gate->image = g_strdup(found->image);
    gate->path = g_strdup(found->path);
    if (gate->link) {
        g_remove(gate->link);
        g_assert_cmpint(symlink(gate->target, gate->link), ==, 0);
    }
    return gate->verdict;
}

static void gate_clear(Gate *gate)
{
    g_free(gate->name);
    g_free(gate->image);
    g_free(gate->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Gate, gate_clear)

static void test_gate_allows(Fixture *f, gconstpointer data)
{
    g_auto(Gate) gate = { .verdict = CAIRN_GATE_ALLOW };
    g_autofree char *canary = g_build_filename(f->top, "canary", NULL);
    g_autofree char *image = g_build_filename(f->dir, "top", NULL);

    make_link(f->dir, "link", "../canary");
    cairn_context_set_image_policy(f->ctx, GPOINTER_TO_INT(data));
    cairn_context_set_image_gate(f->ctx, gate_answer, &gate);
    g_autoptr(BlockBackend) blk = open_image(f, "./link", "raw", NULL, NULL);

    g_assert_nonnull(blk);
    assert_reads(blk, "canary");
    g_assert_cmpstr(gate.name, ==, "./link");
    g_assert_cmpstr(gate.image, ==, image);
    g_assert_cmpstr(gate.path, ==, canary);
}

/* What holds under every policy holds for the gate, too; and it opens nothing but files. */
static void test_gate_is_not_asked(Fixture *f, gconstpointer data)
{
    static const char *const names[] = { "/dev/null", "json:{}", "fd:0", "a\nb", "missing",
                                         "/proc/self/exe" };
    g_auto(Gate) gate = { .verdict = CAIRN_GATE_ALLOW };
    g_autoptr(GError) error = NULL;

    cairn_context_set_image_gate(f->ctx, gate_answer, &gate);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_null(open_image(f, names[i], "raw", NULL, NULL));
        g_assert_cmpint(gate.asked, ==, 0);
    }
    g_assert_null(open_image(f, "deeper", "raw", NULL, &error));
    g_assert_nonnull(strstr(error->message, "is not a regular file"));
}

static void test_gate_refuses(Fixture *f, gconstpointer data)
{
    g_auto(Gate) gate = { .verdict = CAIRN_GATE_REFUSE };
    g_autoptr(GError) error = NULL;

    cairn_context_set_image_policy(f->ctx, ALLOW);
    cairn_context_set_image_gate(f->ctx, gate_answer, &gate);
    g_assert_null(open_image(f, "base", "raw", NULL, &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    g_assert_nonnull(strstr(error->message, "is refused by this program"));
}

static void test_gate_leaves_it_to_the_policy(Fixture *f, gconstpointer data)
{
    g_auto(Gate) inside = { .verdict = CAIRN_GATE_POLICY };
    g_auto(Gate) outside = { .verdict = CAIRN_GATE_POLICY };

    cairn_context_set_image_gate(f->ctx, gate_answer, &inside);
    g_autoptr(BlockBackend) blk = open_image(f, "base", "raw", NULL, NULL);

    g_assert_nonnull(blk);
    cairn_context_set_image_gate(f->ctx, gate_answer, &outside);
    g_assert_null(open_image(f, "../canary", "raw", NULL, NULL));
    g_assert_cmpint(outside.asked, ==, 1);
}

/* Between the judgement and the opening another file is put in the place of the judged one. */
static void test_replaced_is_refused(Fixture *f, gconstpointer data)
{
    g_autofree char *link = g_build_filename(f->dir, "base", NULL);
    g_auto(Gate) gate = { .verdict = CAIRN_GATE_POLICY, .link = link, .target = "../canary" };
    g_autofree char *message = g_strdup_printf("Could not open backing file: '%s' was replaced "
                                               "while it was being opened", link);
    g_autoptr(GError) error = NULL;

    cairn_context_set_image_policy(f->ctx, GPOINTER_TO_INT(data));
    cairn_context_set_image_gate(f->ctx, gate_answer, &gate);
    g_assert_null(open_image(f, "base", "raw", NULL, &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    g_assert_cmpstr(error->message, ==, message);
    /* The owner may open what is there now. */
    g_autofree char *options = g_strdup_printf("driver=raw,file.driver=file,file.filename=%s",
                                               link);
    g_autoptr(BlockBackend) blk = blk_open_opts(f->ctx, options, 0, NULL);

    g_assert_nonnull(blk);
}

/* ---- formats ---- */

static void test_recorded_format_is_used(Fixture *f, gconstpointer data)
{
    g_autofree char *base = test_write_tf(f->dir, "fmt", NULL, NULL);
    g_autoptr(BlockBackend) recorded = open_image(f, "fmt", "tf", NULL, NULL);
    g_autoptr(BlockBackend) bytes = open_image(f, "fmt", "raw", NULL, NULL);

    g_assert_cmpstr(recorded->root->bs->backing->bs->drv->format_name, ==, "tf");
    g_assert_cmpstr(bytes->root->bs->backing->bs->drv->format_name, ==, "raw");
}

static void test_unrecorded_format_is_raw_or_probed(Fixture *f, gconstpointer data)
{
    g_autofree char *base = test_write_tf(f->dir, "fmt", NULL, NULL);
    g_autoptr(BlockBackend) strict = open_image(f, "fmt", NULL, NULL, NULL);

    g_assert_cmpstr(strict->root->bs->backing->bs->drv->format_name, ==, "raw");
    cairn_context_set_image_policy(f->ctx, ALLOW);
    g_autoptr(BlockBackend) guessed = open_image(f, "fmt", NULL, NULL, NULL);

    g_assert_cmpstr(guessed->root->bs->backing->bs->drv->format_name, ==, "tf");
}

/* Also no driver that reads something else than one file. */
static void test_recorded_protocol_is_refused(Fixture *f, gconstpointer data)
{
    static const char *const names[] = { "file", "null-co", "throttle", "blkdebug", "quorum",
                                         "nope" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *message = g_strdup_printf("Could not open backing file: Unknown driver "
                                                   "'%s'", names[i]);
        g_autoptr(GError) error = NULL;

        g_assert_null(open_image(f, "base", names[i], NULL, &error));
        g_assert_cmpstr(error->message, ==, message);
    }
}

static void test_owners_format_wins(Fixture *f, gconstpointer data)
{
    g_autofree char *base = test_write_tf(f->dir, "fmt", NULL, NULL);
    g_autoptr(BlockBackend) blk = open_image(f, "fmt", "raw", "backing.driver=tf", NULL);

    g_assert_cmpstr(blk->root->bs->backing->bs->drv->format_name, ==, "tf");
}

/* ---- the owner's word ---- */

static void keep_text(const char *text, void *opaque)
{
    g_string_append(opaque, text);
}

static void test_null_means_none(Fixture *f, gconstpointer data)
{
    g_autofree char *path = test_write_tf(f->dir, "top", "nope", NULL);
    g_autofree char *json = g_strdup_printf(
        "json:{'driver':'tf','file':{'driver':'file','filename':'%s'},'backing':null}", path);
    g_autoptr(GString) heard = g_string_new(NULL);

    cairn_context_set_warn_func(f->ctx, keep_text, heard);
    g_autoptr(BlockBackend) null = blk_open(f->ctx, json, 0, NULL);

    g_assert_false(blk_has_backing(null));
    g_assert_cmpstr(heard->str, ==, "");
    g_autoptr(BlockBackend) empty = open_tf(f, path, "backing=", NULL);

    g_assert_false(blk_has_backing(empty));
    g_assert_cmpstr(heard->str, ==,
                    "Use of \"backing\": \"\" is deprecated; use \"backing\": null instead");
    g_assert_nonnull(strstr(blk_get_filename(empty), "\"backing\": null"));
}

static void test_filename_option_replaces(Fixture *f, gconstpointer data)
{
    g_autofree char *more = g_strdup_printf("backing.driver=raw,backing.file.filename=%s/canary",
                                            f->top);
    g_autoptr(BlockBackend) blk = open_image(f, "nope", "tf", more, NULL);

    assert_reads(blk, "canary");
    g_assert_true(g_str_has_prefix(blk_get_filename(blk), "json:"));
}

static void test_replaced_format_needs_leave(Fixture *f, gconstpointer data)
{
    g_autofree char *more = g_strdup_printf("backing.file.filename=%s/canary", f->top);
    g_autoptr(GError) error = NULL;

    g_assert_null(open_image(f, "base", "raw", more, &error));
    g_assert_cmpstr(error->message, ==, "Could not open backing file: "
                    "no format given: name it, or allow probing");
    cairn_context_set_image_policy(f->ctx, ALLOW);
    g_autoptr(BlockBackend) blk = open_image(f, "base", "tf", more, NULL);

    assert_reads(blk, "canary");
}

static void test_node_replaces(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) mem = test_open_opts(f->ctx, "driver=mem,node-name=m,hex=6d656d", 0);
    g_autoptr(BlockBackend) blk = open_image(f, "nope", NULL, "backing=m", NULL);

    assert_reads(blk, "mem");
    g_autoptr(GError) error = NULL;

    g_assert_null(open_image(f, "base", NULL, "backing=null", &error));
    g_assert_cmpstr(error->message, ==, "Could not open backing file: "
                    "Cannot find device='null' nor node-name='null'");
}

static void test_other_options_are_added(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_image(f, "base", "raw",
                                             "backing.node-name=b,backing.cache.direct=off",
                                             NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(blk->root->bs->backing->bs->node_name, ==, "b");
    g_assert_null(open_image(f, "base", "raw", "backing.filename=x", &error));
    g_assert_true(g_str_has_prefix(error->message, "Could not open backing file: Block format "
                                   "'raw' does not support the option 'filename'"));
}

static void test_image_without_backing_takes_one(Fixture *f, gconstpointer data)
{
    g_autofree char *more = g_strdup_printf("backing.driver=raw,backing.file.filename=%s/base",
                                            f->dir);
    g_autoptr(BlockBackend) blk = open_image(f, NULL, NULL, more, NULL);

    assert_reads(blk, "plain bytes");
}

static void test_no_backing_opens_none(Fixture *f, gconstpointer data)
{
    g_autofree char *path = test_write_tf(f->dir, "top", "/proc/nope", NULL);
    g_autofree char *options = g_strdup_printf(
        "driver=tf,file.driver=file,file.filename=%s,backing.driver=raw", path);
    g_autoptr(BlockBackend) blk = blk_open_opts(f->ctx, options, BLK_O_NO_BACKING, NULL);

    g_assert_nonnull(blk);
    g_assert_false(blk_has_backing(blk));
    g_assert_cmpstr(blk_get_filename(blk), ==, path);
}

static void test_no_backing_wants_known_node(Fixture *f, gconstpointer data)
{
    g_autofree char *path = test_write_tf(f->dir, "top", "base", NULL);
    g_autofree char *options = g_strdup_printf(
        "driver=tf,file.driver=file,file.filename=%s,backing=null", path);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_opts(f->ctx, options, BLK_O_NO_BACKING, &error));
    g_assert_cmpstr(error->message, ==, "Could not open backing file: Cannot find device='null' "
                    "nor node-name='null'");
}

static void test_missing_is_named(Fixture *f, gconstpointer data)
{
    g_autofree char *wanted = g_strdup_printf(
        "Could not open backing file: Could not open '%s/nope': No such file or directory",
        f->dir);
    g_autoptr(GError) error = NULL;

    g_assert_null(open_image(f, "nope", "raw", NULL, &error));
    g_assert_error(error, CAIRN_ERROR, ENOENT);
    g_assert_cmpstr(error->message, ==, wanted);
}

/* ---- chains ---- */

static const struct {
    const char *claim;
    const char *top, *middle;   /* names found in the images "top" and "middle" */
    bool hard;                  /* "alias" is a hard link, else a symbolic one */
} loops[] = {
    { "/backing/loop/of-itself/is-found", "top", NULL, false },
    { "/backing/loop/of-two/is-found", "middle", "top", false },
    { "/backing/loop/by-symbolic-link/is-found", "middle", "alias", false },
    { "/backing/loop/by-hard-link/is-found", "middle", "alias", true },
};

static void test_loop(Fixture *f, gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *top = test_write_tf(f->dir, "top", loops[i].top, "tf");
    g_autofree char *middle = test_write_tf(f->dir, "middle", loops[i].middle, "tf");
    g_autofree char *alias = g_build_filename(f->dir, "alias", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(loops[i].hard ? link(top, alias) : symlink("top", alias), ==, 0);
    g_assert_null(open_tf(f, top, NULL, &error));
    g_assert_error(error, CAIRN_ERROR, ELOOP);
    g_assert_true(g_str_has_suffix(error->message, "' creates an infinite loop."));
    g_assert_nonnull(strstr(error->message, loops[i].middle ? loops[i].middle : "top"));
}

static char *write_chain(Fixture *f, int backing_files)
{
    char *path = test_write_tf(f->dir, "c0", NULL, NULL);

    for (int i = 1; i <= backing_files; i++) {
        g_autofree char *name = g_strdup_printf("c%d", i);
        g_autofree char *below = g_strdup_printf("c%d", i - 1);

        g_free(path);
        path = test_write_tf(f->dir, name, below, "tf");
    }
    return path;
}

static const struct {
    const char *claim;
    CairnImagePolicy policy;
    int backing_files;
    bool opens;
} depths[] = {
    { "/backing/depth/strict-64/opens", STRICT, 64, true },
    { "/backing/depth/strict-65/is-refused", STRICT, 65, false },
    { "/backing/depth/allow-all-200/opens", ALLOW, 200, true },
    { "/backing/depth/allow-all-201/is-refused", ALLOW, 201, false },
};

static void test_depth(Fixture *f, gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *path = write_chain(f, depths[i].backing_files);
    g_autoptr(GError) error = NULL;

    cairn_context_set_image_policy(f->ctx, depths[i].policy);
    g_autoptr(BlockBackend) blk = open_tf(f, path, NULL, &error);

    if (depths[i].opens) {
        g_assert_no_error(error);
        g_assert_true(blk_has_backing(blk));
        return;
    }
    g_assert_null(blk);
    g_assert_error(error, CAIRN_ERROR, ELOOP);
    g_assert_true(g_str_has_suffix(error->message, "which is the limit"));
    g_assert_cmpuint(f->ctx->backends->len, ==, 0);
    g_assert_cmpuint(g_hash_table_size(f->ctx->nodes), ==, 0);
}

#define ADD(path, i, func) \
    g_test_add(path, Fixture, GSIZE_TO_POINTER(i), set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(followed); i++) {
        ADD(followed[i].claim, i, test_followed);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        ADD(refused[i].claim, i, test_refused);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(loops); i++) {
        ADD(loops[i].claim, i, test_loop);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
        ADD(depths[i].claim, i, test_depth);
    }
    ADD("/backing/strict/folder-unknown/is-refused", 0, test_folder_unknown_is_refused);
    ADD("/backing/gate/allows/outside-the-folder", STRICT, test_gate_allows);
    ADD("/backing/gate/allows/though-nothing-is-followed", CAIRN_IMAGE_POLICY_NONE,
        test_gate_allows);
    ADD("/backing/gate/allows/not-what-is-never-opened", 0, test_gate_is_not_asked);
    ADD("/backing/gate/refuses/what-the-policy-allows", 0, test_gate_refuses);
    ADD("/backing/gate/leaves-it/to-the-policy", 0, test_gate_leaves_it_to_the_policy);
    ADD("/backing/strict/replaced-meanwhile/is-refused", STRICT, test_replaced_is_refused);
    ADD("/backing/allow-all/replaced-meanwhile/is-refused", ALLOW, test_replaced_is_refused);
    ADD("/backing/format/recorded/is-used", 0, test_recorded_format_is_used);
    ADD("/backing/format/unrecorded/is-raw-or-probed", 0,
        test_unrecorded_format_is_raw_or_probed);
    ADD("/backing/format/recorded-protocol/is-refused", 0, test_recorded_protocol_is_refused);
    ADD("/backing/format/owners/wins", 0, test_owners_format_wins);
    ADD("/backing/option/null/means-none", 0, test_null_means_none);
    ADD("/backing/option/filename/replaces", 0, test_filename_option_replaces);
    ADD("/backing/option/filename/format-needs-leave", 0, test_replaced_format_needs_leave);
    ADD("/backing/option/node/replaces", 0, test_node_replaces);
    ADD("/backing/option/others/are-added", 0, test_other_options_are_added);
    ADD("/backing/option/image-without-one/takes-it", 0, test_image_without_backing_takes_one);
    ADD("/backing/no-backing/opens-none", 0, test_no_backing_opens_none);
    ADD("/backing/no-backing/unknown-node/is-refused", 0, test_no_backing_wants_known_node);
    ADD("/backing/missing/is-named", 0, test_missing_is_named);
    return g_test_run();
}
