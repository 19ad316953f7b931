/* SPDX-License-Identifier: MIT */
/*
 * The picture of a map: what a guest reads and from which image it comes, then each image of the
 * chain with what it holds itself, seen or hidden.
 *
 * The disk is divided into columns; memory and the size of the picture do not grow with the image.
 */
#include "img/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SVG_COLUMNS = 800, SVG_ROW = 34, SVG_GAP = 30, SVG_LEFT = 20, SVG_TOP = 56,
    SVG_DEPTHS = 8,             /* images told apart by colour */
};

static const char *const svg_colours[SVG_DEPTHS] = {
    "#2563a8", "#c2571a", "#3d8a40", "#8a3d84", "#a88a1a", "#1a8a8a", "#a83247", "#5a5f66",
};

/* Bytes of each kind that a column holds. */
typedef struct SvgCell {
    int64_t data[SVG_DEPTHS], zero;
} SvgCell;

typedef struct SvgRow {
    int64_t start, end;         /* bytes */
    int64_t data, zero;         /* of the whole row */
    SvgCell cells[SVG_COLUMNS];
} SvgRow;

/* ---- collecting ---- */

static int64_t svg_column_start(const SvgRow *row, int column)
{
    return row->start + (int64_t)((double)(row->end - row->start) * column / SVG_COLUMNS);
}

static void svg_add(SvgRow *row, int64_t offset, int64_t bytes, int depth, bool is_zero)
{
    int64_t stop = MIN(offset + bytes, row->end);
    double scale = SVG_COLUMNS / (double)(row->end - row->start);
    int column = CLAMP((int)((offset - row->start) * scale) - 1, 0, SVG_COLUMNS - 1);

    *(is_zero ? &row->zero : &row->data) += stop - offset;
    for (; column < SVG_COLUMNS; column++) {
        int64_t from = MAX(svg_column_start(row, column), offset);
        int64_t to = MIN(svg_column_start(row, column + 1), stop);
        SvgCell *cell = &row->cells[column];

        if (from >= stop) {
            break;
        }
        if (to > from) {
            *(is_zero ? &cell->zero : &cell->data[depth % SVG_DEPTHS]) += to - from;
        }
    }
}

typedef int SvgStatusFunc(BlockBackend *blk, int64_t offset, int64_t bytes, BlockStatus *status);

/* @depth: of the image, where @status tells of one alone. */
static bool svg_collect(SvgRow *row, BlockBackend *blk, SvgStatusFunc *ask, int depth,
                        GError **error)
{
    int64_t offset = row->start;
    int64_t length = blk_getlength(blk);
    int64_t end = MIN(row->end, length);

    while (offset < end) {
        BlockStatus status = { 0 };
        int ret = ask(blk, offset, end - offset, &status);
        bool is_held = status.flags & BDRV_BLOCK_ALLOCATED;

        if (ret < 0 || status.bytes <= 0) {
            cairn_set_error_errno(error, ret < 0 ? -ret : EIO, "Could not read file metadata");
            return false;
        }
        if (is_held || ask == blk_block_status_chain) {
            svg_add(row, offset, status.bytes, depth + status.depth,
                    status.flags & BDRV_BLOCK_ZERO || !is_held);
        }
        offset += status.bytes;
    }
    return true;
}

/* ---- drawing ---- */

static void svg_print_rect(int x, int y, int width, const char *fill, double opacity)
{
    printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" "
           "fill-opacity=\"%.2f\"/>\n", x, y, width, SVG_ROW, fill, opacity);
}

/* What most of the column is; how much of it, is the opacity. */
static const char *svg_cell_fill(const SvgRow *row, int column, double *opacity)
{
    const SvgCell *cell = &row->cells[column];
    int64_t most = cell->zero, held = cell->zero;
    int64_t width = svg_column_start(row, column + 1) - svg_column_start(row, column);
    const char *fill = "#c9ced6";

    for (int i = 0; i < SVG_DEPTHS; i++) {
        held += cell->data[i];
        if (cell->data[i] && cell->data[i] >= most / 4) {
            most = MAX(most, cell->data[i]);
            fill = svg_colours[i];
        }
    }
    if (!held) {
        return NULL;
    }
    *opacity = ((int)(MIN(held / (double)MAX(width, 1), 1.0) * 8 + 0.999)) / 8.0;
    return fill;
}

/* Equal neighbours are one rectangle. */
static void svg_print_cells(const SvgRow *row, int y)
{
    int from = 0;

    while (from < SVG_COLUMNS) {
        double opacity = 0, next = 0;
        const char *fill = svg_cell_fill(row, from, &opacity);
        int to = from + 1;

        while (to < SVG_COLUMNS && svg_cell_fill(row, to, &next) == fill && next == opacity) {
            to++;
        }
        if (fill) {
            svg_print_rect(SVG_LEFT + from, y, to - from, fill, opacity);
        }
        from = to;
    }
}

static void svg_print_row(const SvgRow *row, int number, const char *colour, const char *title)
{
    int y = SVG_TOP + number * (SVG_ROW + SVG_GAP);
    g_autofree char *data = cairn_format_size(row->data);
    g_autofree char *zero = cairn_format_size(row->zero);
    g_autofree char *text = g_markup_printf_escaped("%s - %s data, %s zeros", title, data, zero);

    printf("<g>\n");
    if (colour) {
        printf("<rect x=\"%d\" y=\"%d\" width=\"10\" height=\"10\" fill=\"%s\"/>\n", SVG_LEFT,
               y - 15, colour);
    }
    printf("<text x=\"%d\" y=\"%d\">%s</text>\n", SVG_LEFT + (colour ? 16 : 0), y - 6, text);
    printf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
           "stroke=\"#8b9099\"/>\n", SVG_LEFT, y, SVG_COLUMNS, SVG_ROW);
    svg_print_cells(row, y);
    printf("</g>\n");
}

static void svg_print_head(const char *filename, const SvgRow *row, int rows)
{
    int height = SVG_TOP + rows * (SVG_ROW + SVG_GAP) + 20;
    g_autofree char *from = cairn_format_size(row->start);
    g_autofree char *to = cairn_format_size(row->end);
    g_autofree char *title = g_markup_printf_escaped("%s, %s to %s", filename, from, to);

    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
           "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n",
           SVG_COLUMNS + 2 * SVG_LEFT, height, SVG_COLUMNS + 2 * SVG_LEFT, height);
    printf("<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", title);
    printf("<text x=\"%d\" y=\"22\" font-size=\"14\" font-weight=\"bold\">%s</text>\n", SVG_LEFT,
           title);
    printf("<text x=\"%d\" y=\"%d\" fill=\"#5a5f66\">Grey: reads as zeros. The paler, the less of "
           "the column.</text>\n", SVG_LEFT, height - 10);
}

/* ---- the chain ---- */

/* An image of the chain alone: neither its backing file nor a key is needed for this. */
static BlockBackend *svg_open_layer(Img *img, const MapArgs *args, const QDict *info, int depth,
                                    GError **error)
{
    int flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE;
    ToolImage image = img_image(&args->common, args->filename, flags);

    if (depth > 0) {
        image.name = qdict_get_try_str(info, "filename");
        image.format = qdict_get_try_str(info, "format");
        image.image_opts = false;
    }
    return img_open(img, &image, error);
}

static bool svg_layer(Img *img, const MapArgs *args, SvgRow *row, const QDict *info, int depth,
                      GError **error)
{
    g_autoptr(BlockBackend) blk = svg_open_layer(img, args, info, depth, error);
    g_autofree char *title = NULL;

    memset(row->cells, 0, sizeof(row->cells));
    row->data = row->zero = 0;
    if (!blk || !svg_collect(row, blk, blk_block_status, depth, error)) {
        return false;
    }
    title = g_strdup_printf("%s%s (%s)", depth ? "Backing file: " : "",
                            qdict_get_try_str(info, "filename"),
                            qdict_get_try_str(info, "format"));
    svg_print_row(row, depth + 1, svg_colours[depth % SVG_DEPTHS], title);
    return true;
}

static QList *svg_chain(Img *img, const MapArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename,
                                BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE);
    const char *filename;
    g_autoptr(QDict) options = tool_image_options(&image, &filename, error);

    return options ? cairn_image_info(img->ctx, filename, options, tool_open_flags(&image), true,
                                      error) : NULL;
}

bool map_svg(Img *img, const MapArgs *args, BlockBackend *blk, int64_t end, GError **error)
{
    g_autoptr(QList) chain = svg_chain(img, args, error);
    g_autofree SvgRow *row = g_new0(SvgRow, 1);

    row->start = MIN(args->start, end);
    row->end = MAX(end, row->start + 1);
    if (!chain || !svg_collect(row, blk, blk_block_status_chain, 0, error)) {
        return false;
    }
    svg_print_head(args->filename, row, (int)qlist_size(chain) + 1);
    svg_print_row(row, 0, NULL, "What a guest reads");
    for (size_t i = 0; i < qlist_size(chain); i++) {
        if (!svg_layer(img, args, row, qobject_to_qdict(qlist_at(chain, i)), (int)i, error)) {
            return false;
        }
    }
    printf("</svg>\n");
    return true;
}
