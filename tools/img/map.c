/* SPDX-License-Identifier: MIT */
/*
 * cairn-img map: where an image's data lies. A streaming printer: it holds one entry, the one that may still
 * grow, however large the image.
 */
#include "img/map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAP_CELL 16             /* columns, but of numbers with more digits */

typedef struct MapEntry {
    int64_t start, length;      /* bytes; length 0: no entry yet */
    int depth;
    bool is_present, is_zero, is_data, has_offset;
    int64_t offset;             /* valid with has_offset */
    const char *filename;       /* the library's; NULL: unknown */
} MapEntry;

typedef struct MapPrinter {
    bool is_json;
    bool has_printed;
    MapEntry pending;
} MapPrinter;

/* Beside the forms of other commands a picture. */
static bool map_check_output(MapArgs *args, GError **error)
{
    args->is_svg = !g_strcmp0(args->common.output, "svg");
    if (args->is_svg || img_check_output(&args->common, error)) {
        return true;
    }
    cairn_error_append_hint(error, "Accepted values of '--output': human, json, svg");
    return false;
}

static ImgStep map_parse_options(Img *img, MapArgs *args, int argc, char **argv,
                                 GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "max-length", required_argument, NULL, 'l' },
        { "output", required_argument, NULL, IMG_OPTION_OUTPUT },
        { "start-offset", required_argument, NULL, 's' },
        { NULL },
    };
    ImgStep step;
    bool known, ok = true;
    int c;

    while (ok && (c = tool_getopt(argc, argv, ":Uf:hl:s:", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == 's') {
            ok = tool_parse_size("start offset", optarg, 0, INT64_MAX, &args->start, error);
        } else if (c == 'l') {
            ok = tool_parse_size("max length", optarg, 0, INT64_MAX, &args->length, error);
        }
    }
    return ok ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static ImgStep map_parse(Img *img, MapArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = map_parse_options(img, args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step;
    }
    args->filename = img_one_filename(argc, argv, error);
    return args->filename && map_check_output(args, error) &&
           img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

/* ---- lines: printf's were a third of the time of a map of a hundred thousand extents ---- */

typedef struct MapLine {
    char text[256];             /* the longest, of JSON, has less than 200 characters */
    size_t length;
} MapLine;

static void map_line_add(MapLine *line, const char *text)
{
    size_t n = strlen(text);

    g_assert(line->length + n <= sizeof(line->text));
    memcpy(line->text + line->length, text, n);
    line->length += n;
}

/* Inline, so that a division by @base is a multiplication. */
static inline void map_line_add_number(MapLine *line, uint64_t value, unsigned base)
{
    char digits[24], *from = digits + sizeof(digits) - 1;

    *from = '\0';
    do {
        *--from = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    map_line_add(line, from);
}

/* As printf("%#-16" PRIx64): a 0 is plain. */
static void map_line_add_cell(MapLine *line, uint64_t value)
{
    size_t before = line->length;

    map_line_add(line, value ? "0x" : "");
    map_line_add_number(line, value, 16);
    while (line->length < before + MAP_CELL) {
        line->text[line->length++] = ' ';
    }
}

static void map_line_print(const MapLine *line)
{
    fwrite(line->text, 1, line->length, stdout);
}

/* ---- entries ---- */

static bool map_print_human(const MapEntry *e, GError **error)
{
    MapLine line = { .length = 0 };

    if (e->is_data && !e->is_zero && !e->has_offset) {
        cairn_set_error(error, ENOTSUP,
                        "File contains external, encrypted or compressed clusters.");
        return false;
    }
    if (e->is_data && !e->is_zero) {
        map_line_add_cell(&line, e->start);
        map_line_add_cell(&line, e->length);
        map_line_add_cell(&line, e->offset);
        map_line_print(&line);
        puts(e->filename ? e->filename : "");
    }
    return true;
}

static void map_print_json(MapPrinter *printer, const MapEntry *e)
{
    MapLine line = { .length = 0 };

    map_line_add(&line, printer->has_printed ? ",\n{ \"start\": " : "{ \"start\": ");
    map_line_add_number(&line, e->start, 10);
    map_line_add(&line, ", \"length\": ");
    map_line_add_number(&line, e->length, 10);
    map_line_add(&line, ", \"depth\": ");
    map_line_add_number(&line, e->depth, 10);
    map_line_add(&line, e->is_present ? ", \"present\": true" : ", \"present\": false");
    map_line_add(&line, e->is_zero ? ", \"zero\": true" : ", \"zero\": false");
    map_line_add(&line, e->is_data ? ", \"data\": true" : ", \"data\": false");
    if (e->has_offset) {
        map_line_add(&line, ", \"offset\": ");
        map_line_add_number(&line, e->offset, 10);
    }
    map_line_add(&line, "}");
    map_line_print(&line);
    printer->has_printed = true;
}

static bool map_flush_entry(MapPrinter *printer, GError **error)
{
    if (printer->pending.length == 0) {
        return true;
    }
    if (printer->is_json) {
        map_print_json(printer, &printer->pending);
        return true;
    }
    return map_print_human(&printer->pending, error);
}

static bool map_entry_continues(const MapEntry *a, const MapEntry *b)
{
    return a->length > 0 && a->is_zero == b->is_zero && a->is_data == b->is_data &&
           a->is_present == b->is_present && a->depth == b->depth &&
           a->has_offset == b->has_offset && g_strcmp0(a->filename, b->filename) == 0 &&
           (!a->has_offset || a->offset + a->length == b->offset);
}

static bool map_add_entry(MapPrinter *printer, const MapEntry *entry, GError **error)
{
    if (map_entry_continues(&printer->pending, entry)) {
        printer->pending.length += entry->length;
        return true;
    }
    if (!map_flush_entry(printer, error)) {
        return false;
    }
    printer->pending = *entry;
    return true;
}

static MapEntry map_entry(int64_t start, const BlockStatus *status)
{
    bool has_offset = status->flags & BDRV_BLOCK_OFFSET_VALID;

    return (MapEntry) {
        .start = start,
        .length = status->bytes,
        .depth = status->depth,
        .is_present = status->flags & BDRV_BLOCK_ALLOCATED,
        .is_zero = status->flags & BDRV_BLOCK_ZERO,
        .is_data = status->flags & BDRV_BLOCK_DATA,
        .has_offset = has_offset,
        .offset = has_offset ? status->host_offset : 0,
        .filename = has_offset ? status->filename : NULL,
    };
}

/* The end of what is asked for; -1 with @error. */
static int64_t map_end(const MapArgs *args, BlockBackend *blk, GError **error)
{
    int64_t end = blk_getlength(blk);

    if (end < 0) {
        cairn_set_error_errno(error, -end, "Could not get the length of '%s'", args->filename);
        return -1;
    }
    if (args->length >= 0 && args->length < end - args->start) {
        end = args->start + args->length;
    }
    return end;
}

static bool map_walk(const MapArgs *args, BlockBackend *blk, int64_t end, MapPrinter *printer,
                     GError **error)
{
    int64_t offset = args->start;

    while (offset < end) {
        BlockStatus status = { 0 };
        int ret = blk_block_status_chain(blk, offset, end - offset, &status);
        MapEntry entry;

        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "Could not read file metadata");
            return false;
        }
        entry = map_entry(offset, &status);
        if (!map_add_entry(printer, &entry, error)) {
            return false;
        }
        offset += status.bytes;
    }
    return map_flush_entry(printer, error);
}

static bool map_run(Img *img, const MapArgs *args, BlockBackend *blk, GError **error)
{
    MapPrinter printer = { .is_json = args->common.is_json };
    int64_t end = map_end(args, blk, error);

    if (end < 0) {
        return false;
    }
    if (args->is_svg) {
        return map_svg(img, args, blk, end, error);
    }
    if (printer.is_json) {
        putchar('[');
    } else {
        printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    }
    if (!map_walk(args, blk, end, &printer, error)) {
        return false;
    }
    if (printer.is_json) {
        puts("]");
    }
    return true;
}

int img_map(Img *img, int argc, char **argv, GError **error)
{
    MapArgs args = { .length = -1 };
    ImgStep step = map_parse(img, &args, argc, argv, error);
    g_autoptr(BlockBackend) blk = NULL;
    ToolImage image;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    image = img_image(&args.common, args.filename, BLK_O_SHARE_WRITE);
    blk = img_open(img, &image, error);
    return blk && img_sandbox_narrow(img, NULL, error) && map_run(img, &args, blk, error) ? 0 : 1;
}
