/* SPDX-License-Identifier: MIT */
/*
 * cairn-img map: where an image's data lies. A streaming printer: it holds one entry, the one that may still
 * grow, however large the image.
 */
#include "img/map.h"

#include <errno.h>
#include <inttypes.h>
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

/*
 * printf("%#-16" PRIx64), of which an image of a hundred thousand extents makes a fifth of all work.
 * Returns: where the next cell begins.
 */
static char *map_put_cell(char *to, int64_t value)
{
    static const char digits[] = "0123456789abcdef";
    char *end = to + MAP_CELL;
    int bits = value ? (63 - __builtin_clzll((uint64_t)value)) / 4 * 4 : 0;

    if (value) {
        *to++ = '0';
        *to++ = 'x';
    }
    for (; bits >= 0; bits -= 4) {
        *to++ = digits[((uint64_t)value >> bits) & 15];
    }
    while (to < end) {
        *to++ = ' ';
    }
    return to;
}

static void map_print_line(const MapEntry *e)
{
    char line[3 * (MAP_CELL + 2)];
    char *to = line;

    to = map_put_cell(to, e->start);
    to = map_put_cell(to, e->length);
    to = map_put_cell(to, e->offset);
    fwrite(line, 1, to - line, stdout);
    puts(e->filename ? e->filename : "");
}

static bool map_print_human(const MapEntry *e, GError **error)
{
    if (e->is_data && !e->is_zero && !e->has_offset) {
        cairn_set_error(error, ENOTSUP,
                        "File contains external, encrypted or compressed clusters.");
        return false;
    }
    if (e->is_data && !e->is_zero) {
        map_print_line(e);
    }
    return true;
}

static void map_print_json(MapPrinter *printer, const MapEntry *e)
{
    printf("%s{ \"start\": %" PRId64 ", \"length\": %" PRId64 ", \"depth\": %d,"
           " \"present\": %s, \"zero\": %s, \"data\": %s", printer->has_printed ? ",\n" : "",
           e->start, e->length, e->depth, e->is_present ? "true" : "false",
           e->is_zero ? "true" : "false", e->is_data ? "true" : "false");
    if (e->has_offset) {
        printf(", \"offset\": %" PRId64, e->offset);
    }
    putchar('}');
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
