/* SPDX-License-Identifier: MIT */
/*
 * cairn-img explain: tells a person what an image is, what it is made of, what is risky about it,
 * and which commands to use next. Nothing is changed; scripts use info, check and map.
 */
#include "img/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define EXPLAIN_LONG_CHAIN 8            /* images: each look-up may pass through all of them */
#define EXPLAIN_FRAGMENTED_PERCENT 50

/* A finding, and the command that mends it. */
typedef struct Finding {
    char *text;
    char *command;              /* NULL: none does */
} Finding;

typedef struct Explain {
    Img *img;
    ImgCommon common;
    const char *filename;
    char *quoted;               /* the name as a shell takes it */
    QList *chain;               /* ImageInfo, top first; at least the image itself */
    GArray *findings;
    bool is_unsound;            /* a finding has to be mended before anything else works */
} Explain;

static void finding_clear(gpointer data)
{
    Finding *finding = data;

    g_free(finding->text);
    g_free(finding->command);
}

/* Takes both over. */
static void explain_find(Explain *e, char *text, char *command)
{
    Finding finding = { text, command };

    g_array_append_val(e->findings, finding);
}

static const QDict *explain_top(const Explain *e)
{
    return qobject_to_qdict(qlist_at(e->chain, 0));
}

/* Only where it must be: most names read better as they are. */
static char *explain_quote(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+%@";

    return name[0] && name[0] != '-' && strspn(name, plain) == strlen(name)
        ? g_strdup(name) : g_shell_quote(name);
}

static bool explain_is_encrypted(const Explain *e)
{
    return qdict_get_try_bool(explain_top(e), "encrypted", false);
}

/* The image as it stands on a command line, with what the command needs: its format, or its password. */
static char *explain_image_words(const Explain *e)
{
    const char *format = qdict_get_try_str(explain_top(e), "format");
    g_auto(GStrv) parts = g_strsplit(e->filename, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", parts);
    g_autofree char *options = NULL, *quoted = NULL;

    if (e->common.image_opts) {
        return g_strdup_printf("--image-opts %s", e->quoted);
    }
    if (!explain_is_encrypted(e)) {
        return g_strdup_printf("-f %s %s", format, e->quoted);
    }
    options = g_strdup_printf("driver=%s,file.filename=%s,encrypt.key-secret=s", format, escaped);
    quoted = explain_quote(options);
    return g_strdup_printf("--object secret,id=s,file=PASSWORD-FILE --image-opts %s", quoted);
}

/* ---- what it is ---- */

static void explain_print_sizes(const QDict *info)
{
    g_autofree char *size = cairn_format_size(qdict_get_try_int(info, "virtual-size", 0));
    g_autofree char *file = cairn_format_size(qdict_get_try_int(info, "actual-size", 0));

    printf("  A guest sees a disk of %s", size);
    if (qdict_haskey(info, "actual-size")) {
        printf("; the file takes %s of the host's disk", file);
    }
    printf(".\n");
}

static void explain_print_format(const QDict *info)
{
    const char *format = qdict_get_try_str(info, "format");
    int64_t cluster_size = qdict_get_try_int(info, "cluster-size", 0);

    if (!strcmp(format, "raw")) {
        printf("  raw: the bytes of the disk, one to one, with nothing added.\n");
    } else if (cluster_size) {
        printf("  %s: space is allocated when it is written, in clusters of %" PRId64
               " bytes.\n", format, cluster_size);
    } else {
        printf("  Read by the driver '%s'.\n", format);
    }
    if (qdict_get_try_bool(info, "encrypted", false)) {
        printf("  Encrypted: its data needs a password (a secret object) to be read.\n");
    }
}

static void explain_print_chain(const Explain *e)
{
    for (size_t i = 1; i < qlist_size(e->chain); i++) {
        const QDict *info = qobject_to_qdict(qlist_at(e->chain, i));
        g_autofree char *size = cairn_format_size(qdict_get_try_int(info, "virtual-size", 0));

        printf("  %s %s (%s, %s)\n",
               i == 1 ? "What it does not hold comes from" : "  and that is an overlay of",
               qdict_get_try_str(info, "filename"), qdict_get_try_str(info, "format"), size);
    }
}

/* ---- risks of the name and the chain ---- */

static void explain_guess(Explain *e, BlockBackend *blk)
{
    if (!e->common.format && !e->common.image_opts && blk_get_probe_score(blk) == 1) {
        explain_find(e, g_strdup("Nothing in the file says that it is raw: that was guessed. Name the "
                                 "format, or a guest that writes another format's header into its disk "
                                 "chooses how it is opened next time."),
                     g_strdup_printf("cairn-img info -f raw %s", e->quoted));
    }
}

static void explain_unrecorded_backing(Explain *e)
{
    const QDict *info = explain_top(e);
    const char *name = qdict_get_try_str(info, "backing-filename");
    g_autofree char *shown = tool_printable(name ? name : "");
    g_autofree char *quoted = explain_quote(shown);
    const char *format = NULL;

    if (!name || qdict_get_try_str(info, "backing-filename-format")) {
        return;
    }
    /* The chain holds it if the policy let it be opened. */
    if (qlist_size(e->chain) > 1) {
        format = qdict_get_try_str(qobject_to_qdict(qlist_at(e->chain, 1)), "format");
    }
    explain_find(e, g_strdup_printf("The format of its backing file '%s' is not recorded, so it is "
                                    "guessed each time: whoever can write that file chooses how it is "
                                    "read. Record it.", shown),
                 g_strdup_printf("cairn-img rebase -u -b %s -F %s %s", quoted,
                                 format ? format : "FORMAT", e->quoted));
}

/* The rules of a program that does not trust images. */
static void explain_strict_rules(Explain *e, const ToolImage *image)
{
    CairnImagePolicy policy = cairn_context_get_image_policy(e->img->ctx);
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(GError) error = NULL;
    ToolImage strict = *image;

    if (!qdict_get_try_str(explain_top(e), "backing-filename")) {
        return;
    }
    strict.flags |= BLK_O_NO_IO;
    strict.flags &= ~BLK_O_NO_BACKING;
    blk = tool_open_image(e->img->ctx, &strict, &error);
    if (!blk) {
        explain_find(e, g_strdup_printf("Its chain cannot be opened: %s", error->message),
                     g_strdup_printf("cairn-img rebase -u -b NAME -F FORMAT %s", e->quoted));
        e->is_unsound = true;
        return;
    }
    g_clear_pointer(&blk, blk_unref);
    cairn_context_set_image_policy(e->img->ctx, CAIRN_IMAGE_POLICY_SAME_FOLDER);
    blk = tool_open_image(e->img->ctx, &strict, &error);
    cairn_context_set_image_policy(e->img->ctx, policy);
    if (!blk) {
        explain_find(e, g_strdup_printf("Programs that do not trust images (and --strict) refuse it: "
                                        "%s", error->message), NULL);
    }
}

static void explain_long_chain(Explain *e)
{
    size_t images = qlist_size(e->chain);

    if (images > EXPLAIN_LONG_CHAIN) {
        explain_find(e, g_strdup_printf("It is made of %zu images; a read may have to look through all of "
                                        "them. Bring them together.", images),
                     g_strdup_printf("cairn-img convert -O %s %s all-in-one.img",
                                     qdict_get_try_str(explain_top(e), "format"), e->quoted));
    }
}

static void explain_encryption(Explain *e)
{
    g_autofree char *words = explain_image_words(e);

    if (explain_is_encrypted(e)) {
        explain_find(e, g_strdup("Its encryption (AES-CBC, the password itself as key) does not hold by "
                                 "today's standards. Get the data out, and encrypt the disk below or "
                                 "inside the guest instead."),
                     g_strdup_printf("cairn-img convert %s -O raw plain.raw", words));
    }
}

/* ---- risks inside ---- */

static void explain_print_counts(const BlockCheckResult *r)
{
    if (r->total_clusters > 0) {
        printf("  %" PRId64 " of %" PRId64 " clusters hold data (%.1f%%)", r->allocated_clusters,
               r->total_clusters, 100.0 * r->allocated_clusters / r->total_clusters);
        if (r->compressed_clusters) {
            printf(", %" PRId64 " of them compressed", r->compressed_clusters);
        }
        printf(".\n");
    }
}

static void explain_findings_of_check(Explain *e, const BlockCheckResult *r)
{
    if (r->corruptions || r->check_errors) {
        explain_find(e, g_strdup_printf("Its tables have %" PRId64 " errors. Copy what can still be read "
                                        "first, then repair the copy.",
                                        r->corruptions + r->check_errors),
                     g_strdup_printf("cairn-img convert --salvage -O qcow %s rescued.qcow", e->quoted));
        e->is_unsound = true;
    }
    if (r->leaks) {
        explain_find(e, g_strdup_printf("%" PRId64 " clusters of the file belong to nothing, as after a "
                                        "crash. That costs space, and no data.", r->leaks),
                     g_strdup_printf("cairn-img check -r leaks %s", e->quoted));
    }
    if (r->allocated_clusters > r->compressed_clusters &&
        100 * (r->fragmented_clusters - r->compressed_clusters) >
        EXPLAIN_FRAGMENTED_PERCENT * (r->allocated_clusters - r->compressed_clusters)) {
        explain_find(e, g_strdup("Its clusters lie scattered in the file, which makes long reads slow."),
                     g_strdup_printf("cairn-img compact %s", e->quoted));
    }
}

static void explain_inside(Explain *e, BlockBackend *blk)
{
    BlockCheckResult result = { 0 };
    g_autoptr(GError) error = NULL;
    int features = cairn_format_features(e->img->ctx, blk_get_format(blk));

    if (!(features & CAIRN_FORMAT_CHECK)) {
        return;
    }
    if (!blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error)) {
        explain_find(e, g_strdup_printf("It could not be checked: %s", error->message), NULL);
        return;
    }
    explain_print_counts(&result);
    explain_findings_of_check(e, &result);
}

/* ---- the report ---- */

static void explain_print_findings(const Explain *e)
{
    printf("\nWhat to know\n");
    if (e->findings->len == 0) {
        printf("  Nothing is wrong with it.\n");
    }
    for (guint i = 0; i < e->findings->len; i++) {
        const Finding *finding = &g_array_index(e->findings, Finding, i);

        printf("  - %s\n", finding->text);
        if (finding->command) {
            printf("      %s\n", finding->command);
        }
    }
}

/* Only a plain file may be a backing file, and only without a key can its size be read. */
static bool explain_can_be_backing(const Explain *e)
{
    struct stat st;

    return !e->common.image_opts && !explain_is_encrypted(e) && stat(e->filename, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static void explain_print_next(const Explain *e)
{
    const QDict *info = explain_top(e);
    bool is_empty = qdict_get_try_int(info, "virtual-size", 0) == 0;
    const char *format = qdict_get_try_str(info, "format");
    bool is_raw = !strcmp(format, "raw");
    bool is_overlay = qdict_haskey(info, "backing-filename");
    g_autofree char *words = explain_image_words(e);

    if (e->is_unsound || is_empty) {
        return;
    }
    printf("\nWhat you can do next\n");
    printf("  See where the data lies:        cairn-img map%s %s\n",
           explain_is_encrypted(e) ? " --output=json" : "", words);
    printf("  Copy it as a %-16s   cairn-img convert %s -O %s copy.%s\n",
           is_raw ? "small qcow:" : "raw disk:", words, is_raw ? "qcow -c" : "raw",
           is_raw ? "qcow" : "raw");
    if (explain_can_be_backing(e)) {
        printf("  Try changes, keep it as is:     cairn-img create -f qcow -b %s -F %s %s.qcow\n",
               e->quoted, format, g_strcmp0(e->filename, "overlay.qcow") ? "overlay" : "overlay-2");
    }
    if (is_overlay) {
        printf("  Bring it into its backing file: cairn-img commit %s\n", words);
    }
    if (is_overlay && cairn_format_features(e->img->ctx, format) & CAIRN_FORMAT_REBASE) {
        printf("  Make it stand alone:            cairn-img rebase -b '' %s\n", words);
    }
}

/* The chain as far as it goes; what breaks it is a finding (explain_strict_rules()). */
static bool explain_read_chain(Explain *e, const ToolImage *image, GError **error)
{
    const char *filename;
    g_autoptr(QDict) options = tool_image_options(image, &filename, error);

    if (!options) {
        return false;
    }
    e->chain = cairn_image_info(e->img->ctx, filename, options, tool_open_flags(image), true,
                                NULL);
    if (!e->chain) {
        e->chain = cairn_image_info(e->img->ctx, filename, options, tool_open_flags(image), false,
                                    error);
    }
    return e->chain != NULL;
}

static bool explain_run(Explain *e, GError **error)
{
    ToolImage image = img_image(&e->common, e->filename,
                                BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = img_open(e->img, &image, error);

    if (!blk || !explain_read_chain(e, &image, error)) {
        return false;
    }
    printf("%s\n", e->filename);
    explain_print_sizes(explain_top(e));
    explain_print_format(explain_top(e));
    explain_print_chain(e);
    explain_inside(e, blk);
    explain_guess(e, blk);
    g_clear_pointer(&blk, blk_unref);
    explain_unrecorded_backing(e);
    explain_strict_rules(e, &image);
    explain_long_chain(e);
    explain_encryption(e);
    explain_print_findings(e);
    explain_print_next(e);
    return true;
}

static ImgStep explain_parse(Explain *e, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { NULL },
    };
    ImgStep step = IMG_STEP_RUN;
    bool known;
    int c;

    while (step == IMG_STEP_RUN && (c = tool_getopt(argc, argv, ":Uf:h", options, error)) != -1) {
        step = img_common_option(e->img, &e->common, c, &known, error);
    }
    if (step != IMG_STEP_RUN) {
        return step;
    }
    e->filename = img_one_filename(argc, argv, error);
    return e->filename && img_check_format_option(e->common.image_opts, e->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

int img_explain(Img *img, int argc, char **argv, GError **error)
{
    g_autoptr(GArray) findings = g_array_new(FALSE, FALSE, sizeof(Finding));
    Explain e = { .img = img, .findings = findings };
    ImgStep step = explain_parse(&e, argc, argv, error);
    bool ok;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    g_array_set_clear_func(findings, finding_clear);
    e.quoted = explain_quote(e.filename);
    ok = explain_run(&e, error);
    g_free(e.quoted);
    qobject_unref(e.chain);
    return ok ? 0 : 1;
}
