/* SPDX-License-Identifier: MIT */
/*
 * Images made to do harm, what each is to come to, and the runner that puts them through cairn-img.
 *
 * 1. What is expected comes from the format's description (model.c), or stands with the case; never
 *    from the library.
 * 2. A family of cases asks for each one whether it is wanted, so that only those are built.
 * 3. The runner is one process that forks for each run: it stays small, and starts no thread.
 */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <glib.h>

/* ---- expectations ---- */

/* Exit statuses that `check` may end with: a mask. */
enum {
    HOSTILE_CLEAN = 1 << 0, HOSTILE_CORRUPT = 1 << 2, HOSTILE_LEAKS = 1 << 3,
    HOSTILE_UNCHECKABLE = 1 << 1,
};

/* How reading the whole disk ends: a mask. */
enum { HOSTILE_READS = 1, HOSTILE_READ_FAILS = 2 };

typedef struct HostileVerdict {
    const char *refused;        /* NULL: it opens; else what every message holds, "" for any */
    const char *chain;          /* NULL: so does its chain; else what commands that need it say */
    int check, read;            /* HOSTILE_*, of an image that opens */
} HostileVerdict;

/* ---- cases ---- */

typedef struct HostileFile {
    const char *name;           /* below the case's folder */
    const GByteArray *bytes;    /* NULL: a link */
    const char *target;         /* of a symbolic link, or of a hard one with @is_hard */
    gboolean is_hard;
} HostileFile;

#define HOSTILE_MAX_FILES 1024

typedef struct HostileCase {
    const char *name;
    const HostileFile *files;   /* the first is the image */
    size_t file_count;
    const char *options;        /* words that stand before the image's name, or NULL */
    const char *canary;         /* a file that nothing may open, or NULL */
    gboolean canary_opens;      /* that it is opened is what is expected */
    HostileVerdict verdict;
} HostileCase;

typedef struct HostileRunner HostileRunner;

/* Whether the case of that name is to be run; a sampled family runs each n-th case only, with --all all. */
gboolean hostile_wants(HostileRunner *r, guint each, char **name, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
/* Where a case's files stand: absolute. */
const char *hostile_folder(const HostileRunner *r);
/* Puts it through all commands. */
void hostile_try(HostileRunner *r, const HostileCase *c);
/* As above, of one image and nothing beside it. */
void hostile_try_image(HostileRunner *r, const char *name, const char *options,
                       const GByteArray *image, const HostileVerdict *verdict);
/*
 * One command line of cairn-img, in a folder that holds base.raw; @message: what stderr holds and why it fails, NULL: it
 * succeeds.
 */
void hostile_try_words(HostileRunner *r, const char *name, const char *const *words,
                       const char *message);

/* ---- building images (image.c) ---- */

/* A sound image of four L2 tables' span; whole clusters of data, and a compressed one at its end. */
typedef struct HostileImage {
    int cluster_bits, l2_bits;
    gint64 cluster, l2_bytes;   /* bytes */
    gint64 l1, tables[2], data[2], stream, stream_bytes;    /* where they stand */
    GByteArray *bytes;
} HostileImage;

#define HOSTILE_L1_ENTRIES 4

void hostile_image_init(HostileImage *image, int cluster_bits, int l2_bits, gboolean has_backing);
void hostile_image_clear(HostileImage *image);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HostileImage, hostile_image_clear)

/* Big-endian, of @width bytes. */
void hostile_put(GByteArray *bytes, gint64 at, int width, guint64 value);
GByteArray *hostile_zeros(gint64 length);
/* Of an image without a backing file. */
void hostile_put_header(GByteArray *bytes, int cluster_bits, int l2_bits, guint64 size, gint64 l1);
/* Appends one cluster, compressed; returns the stream's length. */
gint64 hostile_add_stream(GByteArray *bytes, gint64 cluster);
/* A header of 64 KiB, without tables, that names a backing file; @format: recorded, or NULL. */
GByteArray *hostile_overlay(const void *name, size_t name_bytes, const char *format);

/* ---- what the format's description says (model.c) ---- */

HostileVerdict hostile_model(const GByteArray *image);

/* ---- the cases ---- */

typedef void HostileFamily(HostileRunner *r);

HostileFamily hostile_headers, hostile_sizes, hostile_fields, hostile_cuts, hostile_entries,
              hostile_streams, hostile_garbage, hostile_bombs, hostile_chains, hostile_canaries, hostile_names,
              hostile_magics, hostile_options;

#endif
