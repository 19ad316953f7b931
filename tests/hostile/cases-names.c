/* SPDX-License-Identifier: MIT */
/* What names in images lead to: chains, canaries, odd names; and magics that are no names. */
#include "hostile.h"

#include <string.h>

/* ---- chains ---- */

typedef struct Chain {
    HostileFile files[HOSTILE_MAX_FILES];
    size_t count;
} Chain;

static void chain_clear(Chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->files[i].bytes) {
            g_byte_array_unref((GByteArray *)chain->files[i].bytes);
        }
    }
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chain, chain_clear)

static void chain_add(Chain *chain, const char *name, const char *backing)
{
    chain->files[chain->count++] = (HostileFile){
        .name = g_intern_string(name), .bytes = hostile_overlay(backing, strlen(backing), "qcow"),
    };
}

static void chain_link(Chain *chain, const char *name, const char *target, gboolean is_hard)
{
    chain->files[chain->count++] = (HostileFile){ .name = name, .target = target,
                                                  .is_hard = is_hard };
}

static void chain_try(HostileRunner *r, const char *name, const char *options, const Chain *chain,
                      const char *message)
{
    const HostileCase c = {
        .name = name, .files = chain->files, .file_count = chain->count, .options = options,
        .verdict = { .chain = message, .check = HOSTILE_CLEAN, .read = HOSTILE_READS },
    };

    hostile_try(r, &c);
}

/* @depth backing files, the last of which is raw. */
static void chain_deep(HostileRunner *r, int depth, const char *options, const char *message)
{
    g_autofree char *name = NULL;
    g_auto(Chain) chain = { .count = 0 };

    if (!hostile_wants(r, 1, &name, "chains/depth/%d%s", depth, options)) {
        return;
    }
    g_autofree char *last = g_strdup_printf("deep%d", depth);

    for (int i = 0; i < depth; i++) {
        g_autofree char *own = g_strdup_printf("deep%d", i);
        g_autofree char *next = g_strdup_printf("deep%d", i + 1);

        chain_add(&chain, own, next);
    }
    chain.files[chain.count++] = (HostileFile){
        g_intern_string(last), hostile_overlay("", 0, NULL),
    };
    chain_try(r, name, options, &chain, message);
}

#define LOOP "creates an infinite loop"
#define LIMIT "which is the limit"

static void chain_loops(HostileRunner *r, const char *options)
{
    static const struct {
        const char *name, *a, *b, *link, *target;
        gboolean is_hard;
    } loops[] = {
        { "itself", "a", NULL },
        { "itself-by-dots", "././a", NULL },
        { "two", "b", "a" },
        { "symlink", "link", NULL, "link", "a" },
        { "hardlink", "link", NULL, "link", "a", TRUE },
        { "two-by-symlink", "b", "link", "link", "a" },
        { "two-by-hardlink", "b", "link", "link", "a", TRUE },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(loops); i++) {
        g_autofree char *name = NULL;
        g_auto(Chain) chain = { .count = 0 };

        if (!hostile_wants(r, 1, &name, "chains/loop/%s%s", loops[i].name, options)) {
            continue;
        }
        chain_add(&chain, "a", loops[i].a);
        if (loops[i].b) {
            chain_add(&chain, "b", loops[i].b);
        }
        if (loops[i].link) {
            chain_link(&chain, loops[i].link, loops[i].target, loops[i].is_hard);
        }
        chain_try(r, name, options, &chain, LOOP);
    }
}

void hostile_chains(HostileRunner *r)
{
    chain_loops(r, "-f qcow");
    chain_loops(r, "-f qcow --strict");
    chain_deep(r, 1, "-f qcow", NULL);
    chain_deep(r, 200, "-f qcow", NULL);
    chain_deep(r, 201, "-f qcow", LIMIT);
    chain_deep(r, 1000, "-f qcow", LIMIT);
    chain_deep(r, 64, "-f qcow --strict", NULL);
    chain_deep(r, 65, "-f qcow --strict", LIMIT);
    chain_deep(r, 1000, "-f qcow --strict", LIMIT);
}

/* ---- canaries ---- */

/* Ways to say "../canary" from images/; %s: the folder. Below images/: link, folder (links out), sub. */
static const char *const canary_names[] = {
    "../canary", "%s/canary", "./../canary", "sub/../../canary", "..//canary", "../././canary",
    "../images/../canary", "link", "./link", "folder/canary", "sub/link", "folder/images/link",
    "%s/images/../canary", "/../%s/canary", "image/../../canary", "chain/../link",
    "../case/canary",
};

/* What is never opened, strict or not. */
static const char *const canary_never[] = {
    "file:../canary", "file:%s/canary", "file://%s/canary", "FILE:../canary", "raw:../canary",
    "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"../canary\"}}",
    "json:{\"driver\":\"file\",\"filename\":\"../canary\"}",
    "json:{\"driver\":\"file\",\"filename\":\"%s/canary\"}", "json:{'filename':'../canary'}",
    "host_device:../canary", "blkdebug::../canary", "blkverify:../canary:../canary",
    "null-co://,../canary", "fat:../canary", "nbd+unix:///?socket=../canary",
    "/proc/self/cwd/../canary", "/proc/self/cwd/canary", "/proc/thread-self/cwd/canary",
    "/dev/fd/../../self/cwd/canary", "../canary\n", "\t../canary",
};

/* @opens: the other way round, so that a canary that cannot sing is noticed. */
static void canary_try(HostileRunner *r, const char *name, const char *options,
                       const char *spelling, gboolean opens)
{
    g_autoptr(GString) backing = g_string_new(spelling);
    g_autoptr(GByteArray) canary = hostile_overlay("", 0, NULL);

    g_string_replace(backing, "%s", hostile_folder(r), 0);
    g_autoptr(GByteArray) image = hostile_overlay(backing->str, backing->len, "raw");
    const HostileFile files[] = {
        { "images/image", image },
        { "canary", canary },
        { .name = "images/link", .target = "../canary" },
        { .name = "images/folder", .target = ".." },
        { "images/sub/other", image },
        { .name = "images/sub/link", .target = "../link" },
    };
    const HostileCase c = {
        .name = name, .files = files, .file_count = G_N_ELEMENTS(files), .options = options,
        .canary = "canary", .canary_opens = opens,
        .verdict = { .chain = opens ? NULL : "", .check = HOSTILE_CLEAN, .read = HOSTILE_READS },
    };

    hostile_try(r, &c);
}

static void canaries_try(HostileRunner *r, const char *options, const char *const *names,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "canaries/%s%s", options, names[i])) {
            canary_try(r, name, options, names[i], FALSE);
        }
    }
}

void hostile_canaries(HostileRunner *r)
{
    g_autofree char *name = NULL;

    canaries_try(r, "-f qcow --strict", canary_names, G_N_ELEMENTS(canary_names));
    canaries_try(r, "-f qcow --strict", canary_never, G_N_ELEMENTS(canary_never));
    canaries_try(r, "-f qcow", canary_never, G_N_ELEMENTS(canary_never));
    if (hostile_wants(r, 1, &name, "canaries/control")) {
        canary_try(r, name, "-f qcow", canary_names[0], TRUE);
    }
}

/* ---- names ---- */

static void name_try(HostileRunner *r, const char *name, const char *options, const void *backing,
                     size_t bytes, const char *format, const char *message)
{
    g_autoptr(GByteArray) image = hostile_overlay(backing, bytes, format);
    const HostileVerdict verdict = { .chain = message, .check = HOSTILE_CLEAN,
                                     .read = HOSTILE_READS };

    hostile_try_image(r, name, options, image, &verdict);
}

/* Each byte as a name of its own, at the start, inside, and at the end of one. */
static void names_bytes(HostileRunner *r)
{
    for (int i = 0; i < 4 * 256; i++) {
        const char byte = (char)(i / 4);
        char text[] = { 'b', 'a', 's', 'e', '\n' };
        g_autofree char *name = NULL;

        text[i % 4] = byte;
        if (hostile_wants(r, 3, &name, "names/byte/%d-at-%d", i / 4, i % 4)) {
            name_try(r, name, "-f qcow", text, i % 8 < 4 ? 4 : 5, "raw", "");
        }
    }
}

static void names_lengths(HostileRunner *r)
{
    for (int length = 1; length <= 1024; length++) {
        g_autofree char *text = g_strnfill((gsize)length, 'n'), *name = NULL;
        g_autoptr(GByteArray) image = hostile_overlay(text, (size_t)length, NULL);
        const HostileVerdict verdict = {
            .refused = length > 1023 ? "Backing file name too long" : NULL, .chain = "",
            .check = HOSTILE_CLEAN,
        };

        if (hostile_wants(r, length < 1000 ? 16 : 1, &name, "names/length/%d", length)) {
            hostile_try_image(r, name, "-f qcow", image, &verdict);
        }
    }
}

/* What is shown may not act, nor pass for a line of the tool. */
static const char *const names_that_act[] = {
    "\033[2J\033[Hbase", "base\nfake: yes", "base\r\nfake: yes", "\033]0;title\007", "\b\b\b\bbase",
    "base\nfake: file format: raw", "\nfake:", "\033[31mred", "a\177b", "\302\233[2J",
};

static void names_acting(HostileRunner *r)
{
    for (int i = 0; i < (int)G_N_ELEMENTS(names_that_act); i++) {
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "names/acting/%d", i)) {
            name_try(r, name, "-f qcow", names_that_act[i], strlen(names_that_act[i]), NULL, "");
        }
    }
}

/* The record of the backing file's format: only formats count; else it is as if there were none. */
static void names_records(HostileRunner *r)
{
    static const struct {
        const char *format, *options, *message;
    } records[] = {
        { "raw", "-f qcow --strict", NULL }, { "qcow", "-f qcow --strict", "not in qcow format" },
        { "file", "-f qcow --strict", NULL }, { "blkdebug", "-f qcow --strict", NULL },
        { "quorum", "-f qcow --strict", NULL }, { "null-co", "-f qcow --strict", NULL },
        { "host_device", "-f qcow --strict", NULL }, { "nbd", "-f qcow --strict", NULL },
        { "json:{}", "-f qcow --strict", NULL }, { "r\001w", "-f qcow --strict", NULL },
        { "copy-on-read", "-f qcow", NULL }, { "throttle", "-f qcow", NULL },
        { "123456789012345", "-f qcow", NULL }, { "RAW", "-f qcow", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(records); i++) {
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "names/record/%zu", i)) {
            name_try(r, name, records[i].options, "base.raw", 8, records[i].format,
                     records[i].message);
        }
    }
}

void hostile_names(HostileRunner *r)
{
    names_bytes(r);
    names_lengths(r);
    names_acting(r);
    names_records(r);
}

/* ---- magics ---- */

static const struct {
    const char *format;
    size_t offset;
    const char *bytes;
    size_t length;
} magics[] = {
#define MAGIC(format, offset, bytes) { format, offset, bytes, sizeof(bytes) - 1 }
    MAGIC("qcow2", 0, "QFI\xfb\0\0\0\2"), MAGIC("qcow2", 0, "QFI\xfb\0\0\0\3"),
    MAGIC("qcow2", 0, "QFI\xfb\0\0\0\0"), MAGIC("qed", 0, "QED\0"), MAGIC("vmdk", 0, "KDMV"),
    MAGIC("vmdk", 0, "COWD"), MAGIC("vmdk", 0, "# Disk DescriptorFile"),
    MAGIC("vdi", 64, "\x7f\x10\xda\xbe"), MAGIC("vhdx", 0, "vhdxfile"),
    MAGIC("vpc", 0, "conectix"), MAGIC("parallels", 0, "WithoutFreeSpace"),
    MAGIC("parallels", 0, "WithouFreSpacExt"), MAGIC("bochs", 0, "Bochs Virtual HD Image"),
    MAGIC("cloop", 0, "#!/bin/sh\n#V2.0 Format\n"), MAGIC("dmg", 0, "koly"),
    MAGIC("luks", 0, "LUKS\xba\xbe"),
#undef MAGIC
};

/* A file that ends with the magic, or goes on behind it: never raw by a guess, always by name. */
static void magic_try(HostileRunner *r, size_t i, guint length, gboolean is_named)
{
    g_autoptr(GByteArray) image = g_byte_array_new();
    g_autofree char *name = NULL;
    g_autofree char *message = g_strdup_printf("Format '%s' is not supported by this build",
                                               magics[i].format);
    const HostileVerdict verdict = { .refused = is_named ? NULL : message,
                                     .check = HOSTILE_UNCHECKABLE, .read = HOSTILE_READS };

    if (!hostile_wants(r, 1, &name, "magics/%zu/%u%s", i, length, is_named ? "-named" : "")) {
        return;
    }
    g_byte_array_set_size(image, length);
    memset(image->data, 0, length);
    memcpy(image->data + magics[i].offset, magics[i].bytes, magics[i].length);
    hostile_try_image(r, name, is_named ? "-f raw" : NULL, image, &verdict);
}

void hostile_magics(HostileRunner *r)
{
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++) {
        for (int is_named = 0; is_named < 2; is_named++) {
            magic_try(r, i, (guint)(magics[i].offset + magics[i].length), is_named);
            magic_try(r, i, 512, is_named);
            magic_try(r, i, 4096, is_named);
        }
    }
}
