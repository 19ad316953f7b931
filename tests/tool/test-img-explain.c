/* SPDX-License-Identifier: MIT */
/* What cairn-img tells a person: explain, drivers, and the picture of a map. */
#include "tool-run.h"

#include <glib/gstdio.h>
#include <string.h>

static char *say(const ToolFolder *folder, const char *line)
{
    g_auto(ToolRun) run = tool_run(folder, line);

    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpint(run.status, ==, 0);
    return g_steal_pointer(&run.out);
}

#define SAYS(text, part) g_assert_nonnull(strstr(text, part))
#define SAYS_NOT(text, part) g_assert_null(strstr(text, part))

static void make_chain(const ToolFolder *folder)
{
    tool_make_raw(folder, "base.raw", 1 << 20, 65536);
    tool_must(folder, "create -q -f qcow -b base.raw -F raw over.qcow 2M");
}

/* ---- explain ---- */

static void test_sound_overlay(ToolFolder *folder, gconstpointer data)
{
    make_chain(folder);
    g_autofree char *text = say(folder, "explain over.qcow");

    SAYS(text, "A guest sees a disk of 2 MiB");
    SAYS(text, "comes from base.raw (raw, 1 MiB)");
    SAYS(text, "0 of 4096 clusters hold data");
    SAYS(text, "Nothing is wrong with it.");
    SAYS(text, "cairn-img commit -f qcow over.qcow");
}

static void test_guessed_raw(ToolFolder *folder, gconstpointer data)
{
    make_chain(folder);
    g_autofree char *guessed = say(folder, "explain base.raw");
    g_autofree char *named = say(folder, "explain -f raw base.raw");

    SAYS(guessed, "that was guessed");
    SAYS(named, "Nothing is wrong with it.");
}

static void test_unrecorded_backing(ToolFolder *folder, gconstpointer data)
{
    gsize bytes;

    make_chain(folder);
    g_autofree char *image = tool_read_file(folder, "over.qcow", &bytes);

    memset(image + 48, 0, 4);           /* the record's magic */
    tool_write_file(folder, "over.qcow", image, bytes);
    g_autofree char *text = say(folder, "explain over.qcow");

    SAYS(text, "is not recorded");
    SAYS(text, "cairn-img rebase -u -b base.raw -F raw over.qcow");
}

/* Nothing that an image names is opened but by the policy. */
static void test_backing_by_json(ToolFolder *folder, gconstpointer data)
{
    static const char json[] = "json:{\"driver\":\"file\",\"filename\":\"base.raw\"}";
    gsize bytes;

    tool_make_raw(folder, "base.raw", 1 << 20, 65536);
    tool_must(folder, "create -q -f qcow -u -b some-name-as-long-as-the-one-that-stands-there-later"
              " -F raw over.qcow 1M");
    g_autofree char *image = tool_read_file(folder, "over.qcow", &bytes);

    memset(image + 48, 0, 4);           /* the record's magic */
    image[19] = (char)strlen(json);
    memcpy(image + 56, json, strlen(json));
    tool_write_file(folder, "over.qcow", image, bytes);
    g_autofree char *text = say(folder, "explain over.qcow");

    SAYS(text, "-F FORMAT over.qcow");
    SAYS(text, "is not a plain path");
}

static void test_missing_backing(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *path = tool_path(folder, "base.raw");

    make_chain(folder);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_autofree char *text = say(folder, "explain over.qcow");

    SAYS(text, "Its chain cannot be opened: Could not open backing file");
    SAYS(text, "cairn-img rebase -u -b NAME -F FORMAT over.qcow");
    g_assert_null(strstr(text, "What you can do next"));
}

static void test_leaving_the_folder(ToolFolder *folder, gconstpointer data)
{
    make_chain(folder);
    g_autofree char *path = tool_path(folder, "sub");
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    tool_must(folder, "create -q -f qcow -b ../base.raw -F raw sub/o.qcow");
    g_autofree char *text = say(folder, "explain sub/o.qcow");

    SAYS(text, "Programs that do not trust images (and --strict) refuse it");
    SAYS_NOT(text, "cannot be opened");
}

static void test_encrypted(ToolFolder *folder, gconstpointer data)
{
    tool_must(folder, "create -q -f qcow --object secret,id=s,data=x "
              "-o encrypt.format=aes,encrypt.key-secret=s 'a b.qcow' 1M");
    g_autofree char *text = say(folder, "explain 'a b.qcow'");

    SAYS(text, "Encrypted: its data needs a password");
    SAYS(text, "does not hold by today's standards");
    SAYS(text, "'driver=qcow,file.filename=a b.qcow,encrypt.key-secret=s'");
}

/* Each command that explain proposes works, on a copy of what it was proposed for. */
static void must_propose_what_works(ToolFolder *folder, const char *image, const char *line,
                                    guint least)
{
    g_autofree char *text = say(folder, line);
    g_auto(GStrv) lines = g_strsplit(strstr(text, "What you can do next"), "\n", -1);
    gsize bytes;
    g_autofree char *before = tool_read_file(folder, image, &bytes);
    guint count = 0;

    for (guint i = 0; lines[i]; i++) {
        const char *command = strstr(lines[i], "cairn-img ");

        if (command) {
            tool_write_file(folder, image, before, bytes);
            g_free(say(folder, command + strlen("cairn-img ")));
            count++;
        }
    }
    g_assert_cmpuint(count, >=, least);
}

static void test_proposals(ToolFolder *folder, gconstpointer data)
{
    make_chain(folder);
    tool_write_file(folder, "PASSWORD-FILE", "x", 1);
    tool_must(folder, "create -q -f qcow -b base.raw -F raw overlay.qcow");
    tool_must(folder, "create -q -f qcow -b base.raw -F raw --object secret,id=s,data=x "
              "-o encrypt.format=aes,encrypt.key-secret=s 'a, b.qcow'");
    must_propose_what_works(folder, "base.raw", "explain -f raw base.raw", 3);
    must_propose_what_works(folder, "overlay.qcow", "explain overlay.qcow", 4);
    must_propose_what_works(folder, "a, b.qcow", "explain 'a, b.qcow'", 3);
    must_propose_what_works(folder, "over.qcow",
                            "explain --image-opts driver=qcow,file.filename=over.qcow", 3);
}

static void test_leaks_and_errors(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *grown = g_malloc(1 << 16);
    gsize bytes;

    tool_make_raw(folder, "d.raw", 1 << 20, 65536);
    tool_must(folder, "convert -f raw -O qcow d.raw d.qcow");
    g_autofree char *image = tool_read_file(folder, "d.qcow", &bytes);
    g_autofree char *leaky = g_malloc(bytes + 65536);

    memset(grown, 7, 1 << 16);
    memcpy(leaky, image, bytes);
    memcpy(leaky + bytes, grown, 65536);
    tool_write_file(folder, "leaky.qcow", leaky, bytes + 65536);
    g_autofree char *text = say(folder, "explain leaky.qcow");

    SAYS(text, "clusters of the file belong to nothing");
    SAYS(text, "cairn-img check -r leaks leaky.qcow");
    tool_write_file(folder, "cut.qcow", image, bytes - 32768);
    g_autofree char *cut = say(folder, "explain cut.qcow");

    SAYS(cut, "errors. Copy what can still be read first");
    g_assert_null(strstr(cut, "What you can do next"));
}

/* Nothing can be made of a disk of no bytes, and no overlay of what is not a plain file. */
static void test_what_overlays_cannot_use(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *empty = NULL, *wrapped = NULL, *device = NULL;

    tool_make_raw(folder, "empty.raw", 0, 0);
    empty = say(folder, "explain -f raw empty.raw");
    g_assert_null(strstr(empty, "What you can do next"));
    make_chain(folder);
    wrapped = say(folder, "explain -f raw blkdebug::base.raw");
    SAYS(wrapped, "cairn-img map -f raw blkdebug::base.raw");
    g_assert_null(strstr(wrapped, "cairn-img create"));
    device = say(folder, "explain -f raw null-co://");
    g_assert_null(strstr(device, "cairn-img create"));
}

static void test_unreadable(ToolFolder *folder, gconstpointer data)
{
    tool_must_fail(folder, "explain nope", 1,
                   "cairn-img: Could not open 'nope': Could not open 'nope': No such file or "
                   "directory\n");
}

/* ---- drivers ---- */

static void test_drivers(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *text = say(folder, "drivers qcow");
    g_autofree char *all = say(folder, "drivers");
    g_autofree char *json = say(folder, "drivers --output=json raw");

    SAYS(text, "qcow (format)");
    SAYS(text, "l2-cache-size=<size>");
    SAYS(text, "(default: 32M) [reopen]");
    SAYS_NOT(text, "raw (format)");
    SAYS(all, "file (protocol, names file:...)");
    SAYS(all, "cache.direct=<bool>");
    SAYS(json, "\"common-options\": [");
    SAYS(json, "\"name\": \"raw\"");
    SAYS_NOT(json, "\"name\": \"qcow\"");
}

/* ---- the picture ---- */

static void test_picture(ToolFolder *folder, gconstpointer data)
{
    make_chain(folder);
    g_autofree char *text = say(folder, "map --output=svg over.qcow");
    g_autofree char *part = say(folder, "map --output=svg -s 1M -l 64k over.qcow");

    g_assert_true(g_str_has_prefix(text, "<svg xmlns=\"http://www.w3.org/2000/svg\""));
    g_assert_true(g_str_has_suffix(text, "</svg>\n"));
    SAYS(text, "What a guest reads - 64 KiB data, 1.94 MiB zeros");
    SAYS(text, "over.qcow (qcow) - 0 B data, 0 B zeros");
    SAYS(text, "Backing file: base.raw (raw) - 64 KiB data, 960 KiB zeros");
    SAYS(part, "What a guest reads - 0 B data, 64 KiB zeros");
}

static void test_picture_of_a_strange_name(ToolFolder *folder, gconstpointer data)
{
    tool_make_raw(folder, "a<b>&c.raw", 65536, 512);
    g_autofree char *text = say(folder, "map -f raw --output=svg 'a<b>&c.raw'");

    SAYS(text, "a&lt;b&gt;&amp;c.raw");
    SAYS_NOT(text, "<b>");
}

#define ADD(path, func) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, func, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/img-explain/sound-overlay/has-nothing-wrong", test_sound_overlay);
    ADD("/img-explain/guessed-raw/is-a-risk", test_guessed_raw);
    ADD("/img-explain/unrecorded-backing/is-a-risk-with-its-remedy", test_unrecorded_backing);
    ADD("/img-explain/backing-by-json/is-not-opened", test_backing_by_json);
    ADD("/img-explain/missing-backing/is-told", test_missing_backing);
    ADD("/img-explain/backing-outside/is-refused-by-the-strict", test_leaving_the_folder);
    ADD("/img-explain/encryption/is-called-weak", test_encrypted);
    ADD("/img-explain/next-commands/work-as-they-are", test_proposals);
    ADD("/img-explain/leaks-and-errors/have-remedies", test_leaks_and_errors);
    ADD("/img-explain/no-plain-disk/has-no-overlay", test_what_overlays_cannot_use);
    ADD("/img-explain/no-file/is-an-error", test_unreadable);
    ADD("/img-drivers/options/are-those-of-the-schema", test_drivers);
    ADD("/img-map/svg/shows-every-image-of-the-chain", test_picture);
    ADD("/img-map/svg/escapes-names", test_picture_of_a_strange_name);
    return g_test_run();
}
