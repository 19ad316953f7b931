/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files of its corpus, as an ordinary test. Prints TAP. */
#include "tests/fuzz/fuzz.h"

#include <glib.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = argc == 2 ? g_dir_open(argv[1], 0, &error) : NULL;
    const char *name;
    int count = 0;

    if (!dir) {
        fprintf(stderr, "%s\n", error ? error->message : "usage: replay FOLDER");
        return 1;
    }
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(argv[1], name, NULL);
        g_autofree char *data = NULL;
        gsize bytes;

        if (!g_file_get_contents(path, &data, &bytes, &error)) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
        LLVMFuzzerTestOneInput((const uint8_t *)data, bytes);
        printf("ok %d - %s\n", ++count, name);
        fflush(stdout);
    }
    printf("1..%d\n", count);
    return count ? 0 : 1;
}
