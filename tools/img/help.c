/* SPDX-License-Identifier: MIT */
/*
 * What --help and --version print. A test compares the options named here with the man page.
 */
#include "img/img.h"

#include <stdio.h>

static const char help_head[] =
    "usage: %s [standard options] command [command options]\n"
    "Cairn disk image utility\n"
    "\n"
    "    -h, --help           print this help and exit\n"
    "    -V, --version        print the version and exit\n"
    "    -T, --trace PATTERN  accepted for compatibility; there are no trace events\n"
    "    --strict             follow names in images only within the image's folder,\n"
    "                         and take backing files of unknown format for raw\n"
    "\n"
    "Command syntax:\n"
    "  amend [--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] [--force]"
    " -o options filename\n"
    "  bench [-c count] [-d depth] [-f fmt] [--flush-interval=flush_interval] [-i aio]"
    " [--image-opts] [-n] [--no-drain] [-o offset] [--object objectdef] [--pattern=pattern] [-q]"
    " [-s buffer_size] [-S step_size] [-t cache] [-w] [-U] filename\n"
    "  bitmap (--merge source | --add | --remove | --clear | --enable | --disable)..."
    " [-b source_file [-F source_fmt]] [-g granularity] [--object objectdef]"
    " [--image-opts | -f fmt] filename bitmap\n"
    "  check [--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt]"
    " [-r [leaks | all]] [-T src_cache] [-U] filename\n"
    "  commit [--object objectdef] [--image-opts] [-b base] [-d] [-f fmt] [-p] [--progress=pfmt]"
    " [-q] [-r rate_limit] [-t cache] filename\n"
    "  compare [--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p]"
    " [--progress=pfmt] [-q] [-s] [-U] filename1 filename2\n"
    "  convert [--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero]"
    " [--bitmaps [--skip-broken-bitmaps]] [-U] [-C] [-c] [-p] [--progress=pfmt] [-q] [-n]"
    " [-f fmt] [-t cache] [-T src_cache] [-O output_fmt] [-B backing_file [-F backing_fmt]]"
    " [-o options] [-l snapshot_param] [-S sparse_size] [-r rate_limit] [-m num_coroutines]"
    " [-W] [--salvage] filename [filename2 [...]] output_filename\n"
    "  create [--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u]"
    " [-o options] filename [size]\n"
    "  drivers [--output=ofmt] [driver...]\n"
    "  explain [--object objectdef] [--image-opts] [-f fmt] [-U] filename\n"
    "  info [--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U]"
    " filename\n"
    "  map [--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset]"
    " [--max-length=len] [--output=ofmt] [-U] filename\n"
    "  rebase [--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] [-T src_cache]"
    " [-p] [--progress=pfmt] [-u] -b backing_file [-F backing_fmt] filename\n"
    "  measure [--output=ofmt] [-O output_fmt] [-o options] [--size N | [--object objectdef]"
    " [--image-opts] [-f fmt] [-l snapshot_param] [-U] filename]\n"
    "  resize [--object objectdef] [--image-opts] [-f fmt] [--preallocation=prealloc] [-q]"
    " [--shrink] filename [+ | -]size\n"
    "  snapshot [--object objectdef] [--image-opts] [-U] [-q] [-l | -a snapshot | -c snapshot |"
    " -d snapshot] filename\n";

static const char help_common[] =
    "\n"
    "Parameters of several commands (--strict may stand behind the command, too):\n"
    "  filename        an image: a path, PROTOCOL:..., or json:{...}\n"
    "  --object        an object that options refer to by its id, mostly\n"
    "                  secret,id=ID,file=PATH; --object help lists the types\n"
    "  --image-opts    file names are option strings (driver=...,file.filename=...)\n"
    "  -f, --format    format of the image; without it the image is probed\n"
    "  -T, -t          cache mode of the source and of the target: none, writeback\n"
    "                  (default of sources), writethrough, directsync, unsafe (default\n"
    "                  of convert's target)\n"
    "  -o              options of the new image, name=value,...; help lists them\n"
    "  -p              show progress; --progress=json prints it as JSON lines\n"
    "  -q              print errors only\n"
    "  -U, --force-share  open without taking locks (read-only commands)\n"
    "  --output        human or json\n"
    "  size            bytes, or with a suffix k, M, G, T, P or E (powers of 1024)\n";

static const char help_commands[] =
    "\n"
    "Parameters of amend:\n"
    "  -o              options to change (no built-in format can)\n"
    "  --force         allow unsafe changes\n"
    "\n"
    "Parameters of bench:\n"
    "  -c, -d          how many requests (75000), and how many at a time (64)\n"
    "  -s, -S, -o      bytes of a request (4k), from one to the next (as -s), of the first\n"
    "  -w              write, which overwrites the image; --pattern is the byte written\n"
    "  --flush-interval  with -w: flush each time so many requests have been sent\n"
    "  --no-drain      do not wait for requests before a flush\n"
    "  -i              threads, native or io_uring; -n is the same as -i native\n"
    "\n"
    "Parameters of bitmap (no built-in format has any):\n"
    "  --add, --remove, --clear, --enable, --disable  what to do with the bitmap\n"
    "  --merge         bitmap whose bits are added\n"
    "  -b, --source-file, -F, --source-format  image that it is in, and its format\n"
    "  -g, --granularity  bytes for each bit of a new bitmap\n"
    "\n"
    "Parameters of check:\n"
    "  -r, --repair    leaks: give back unused clusters; all: repair errors, too\n"
    "  exit status     0 clean, 1 could not check, 2 corrupt, 3 leaks, 63 not supported\n"
    "\n"
    "Parameters of commit:\n"
    "  -b              a backing file further down; the image then keeps what it holds\n"
    "  -d              do not empty the image afterwards\n"
    "  -r              bytes per second at most\n"
    "\n"
    "Parameters of compare:\n"
    "  -F              format of the second image\n"
    "  -s              strict: sizes and allocation must agree, too\n"
    "  exit status     0 equal, 1 different, 2 not started, 3 and 4 input errors\n"
    "\n"
    "Parameters of convert:\n"
    "  -O              format of the target (default: raw)\n"
    "  -B, -F          backing file of the target, and its format\n"
    "  -C              let the host copy where it can: files may share blocks\n"
    "  -c              compress the target's data\n"
    "  -l              snapshot of the source (no built-in format has any)\n"
    "  -m              how many requests run in parallel (1 to 16, default 8)\n"
    "  -n              do not create the target, write into the one that is there\n"
    "  -r              bytes per second at most\n"
    "  -S              least run of zeros that is left out (default 4k); 0 writes all\n"
    "  -W              write the target out of order\n"
    "  --bitmaps, --skip-broken-bitmaps  copy bitmaps (no built-in format has any)\n"
    "  --salvage       take unreadable sectors for zeros and go on\n"
    "  --target-image-opts  the target's name is an option string (needs -n)\n"
    "  --target-is-zero     the target reads as zeros already (needs -n)\n"
    "\n"
    "Parameters of create:\n"
    "  -b, -F          backing file, and its format\n"
    "  -u              do not open the backing file\n"
    "\n"
    "Parameters of info:\n"
    "  --backing-chain describe every image of the chain\n"
    "\n"
    "Parameters of map:\n"
    "  -s, --start-offset  where to start\n"
    "  -l, --max-length    how many bytes to describe\n"
    "  --output            also svg: a picture of the chain and what each image holds\n"
    "\n"
    "Parameters of rebase:\n"
    "  -b, -F          the new backing file (\"\": none), and its format\n"
    "  -u              unsafe: change the name only, read and copy nothing\n"
    "\n"
    "Parameters of measure:\n"
    "  -O              format of the image that would be made (default: raw)\n"
    "  --size          its size, where no file is given\n"
    "\n"
    "Parameters of resize:\n"
    "  --preallocation off, falloc or full: how the added space is allocated\n"
    "  --shrink        allow a smaller size: what lies behind it is lost\n"
    "  size            the last argument; a sign counts from the old size\n"
    "\n"
    "Parameters of snapshot (no built-in format has any):\n"
    "  -l              list snapshots, as without any of these options\n"
    "  -a, -c, -d      apply, create or delete a snapshot\n";

void img_print_version(void)
{
    printf("%s version %s (Cairn)\n", tool_prog(), TOOL_VERSION);
    printf("Copyright (c) 2026 The Cairn developers\n");
}

void img_print_help(CairnContext *ctx)
{
    g_autoptr(CairnContext) own = ctx ? cairn_context_ref(ctx) : cairn_context_new();
    g_auto(GStrv) drivers = cairn_context_list_drivers(own, false);
    g_autofree char *names = g_strjoinv(" ", drivers);

    img_print_version();
    printf(help_head, tool_prog());
    fputs(help_common, stdout);
    fputs(help_commands, stdout);
    printf("\nSupported formats: %s\n", names);
}
