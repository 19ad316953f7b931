/* SPDX-License-Identifier: MIT */
/* cairn-io: result lines and dumps, in the form that scripts filter. */
#include "io/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A number with @decimals places, without them where all are zero. */
static void format_trimmed(char *out, size_t bytes, double value, int decimals,
                           const char *unit)
{
    char number[64];
    char zeros[16];
    size_t len;

    snprintf(number, sizeof(number), "%.*f", decimals, value);
    snprintf(zeros, sizeof(zeros), ".%0*d", decimals, 0);
    len = strlen(number);
    if (len > strlen(zeros) && !strcmp(number + len - strlen(zeros), zeros)) {
        number[len - strlen(zeros)] = '\0';
    }
    snprintf(out, bytes, "%s %s", number, unit);
}

static void format_size(char *out, size_t bytes, double value, int byte_decimals)
{
    static const char *const units[] = {
        "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
    };
    size_t unit = 0;

    while (value >= 1024 && unit < G_N_ELEMENTS(units) - 1) {
        value /= 1024;
        unit++;
    }
    format_trimmed(out, bytes, value, unit ? 3 : byte_decimals, units[unit]);
}

char *io_format_size(double bytes)
{
    char text[64];

    format_size(text, sizeof(text), bytes, 3);
    return g_strdup(text);
}

/* "H:MM:SS.ss", or "SS.ss sec" below a minute where a machine need not read it. */
static void format_time(char *out, size_t bytes, double seconds, bool machine)
{
    int64_t whole = (int64_t)seconds;
    int hours = (int)(whole / 3600), minutes = (int)(whole / 60 % 60);
    double rest = seconds - (double)(whole - whole % 60);

    if (machine || whole >= 60) {
        snprintf(out, bytes, "%d:%02d:%05.2f", hours, minutes, rest);
    } else {
        snprintf(out, bytes, "%05.2f sec", rest);
    }
}

void io_report_print(const IoReport *report)
{
    double seconds = (double)(g_get_monotonic_time() - report->start_us) / G_USEC_PER_SEC;
    double rate, ops_rate;
    char size[64], time[32], speed[64];

    if (report->quiet) {
        return;
    }
    seconds = MAX(seconds, 1e-6);
    rate = (double)report->done / seconds;
    ops_rate = 1 / seconds;
    format_time(time, sizeof(time), seconds, report->machine);
    if (report->machine) {
        printf("%" PRId64 ",1,%s,%.3f,%.3f\n", report->done, time, rate, ops_rate);
        return;
    }
    format_size(size, sizeof(size), (double)report->done, 3);
    format_size(speed, sizeof(speed), rate, 6);
    printf("%s %" PRId64 "/%" PRId64 " bytes at offset %" PRId64 "\n", report->verb,
           report->done, report->requested, report->offset);
    printf("%s, 1 ops; %s (%s/sec and %.4f ops/sec)\n", size, time, speed, ops_rate);
}

void io_explain_range(IoShell *shell, int ret, int64_t offset, int64_t bytes)
{
    int64_t length = ret == -EIO ? blk_getlength(shell->blk) : -1;
    char size[64];

    if (length < 0 || (offset <= length && bytes <= length - offset)) {
        return;
    }
    format_size(size, sizeof(size), (double)length, 3);
    fflush(stdout);
    fprintf(stderr, "The image ends at offset %" PRId64 " (%s).\n", length, size);
}

void io_dump(const uint8_t *buf, int64_t bytes, int64_t offset)
{
    for (int64_t i = 0; i < bytes; i += 16) {
        int n = (int)MIN(16, bytes - i);

        printf("%08" PRIx64 ":  ", (uint64_t)(offset + i));
        for (int j = 0; j < n; j++) {
            printf("%02x ", buf[i + j]);
        }
        printf(" ");
        for (int j = 0; j < n; j++) {
            putchar(g_ascii_isalnum(buf[i + j]) ? buf[i + j] : '.');
        }
        printf("\n");
    }
}
