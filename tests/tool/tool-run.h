/* SPDX-License-Identifier: MIT */
/*
 * Runs a built tool as a script would, in a folder of the test's own.
 */
#ifndef TESTS_TOOL_RUN_H
#define TESTS_TOOL_RUN_H

#include <glib.h>

typedef struct ToolRun {
    int status;                 /* of the exit; 128 + n for signal n */
    char *out, *err;
} ToolRun;

typedef struct ToolFolder {
    char *path;
} ToolFolder;

void tool_folder_setup(ToolFolder *folder, gconstpointer data);
void tool_folder_teardown(ToolFolder *folder, gconstpointer data);
/* The path of a file in the folder. Free with g_free(). */
char *tool_path(const ToolFolder *folder, const char *name);

/* @line: split as a shell does; @setup: run in the child before the program, or NULL. */
ToolRun tool_run_setup(const ToolFolder *folder, const char *line, GSpawnChildSetupFunc setup);
ToolRun tool_run(const ToolFolder *folder, const char *line);
/* Likewise, in the environment @env. */
ToolRun tool_run_env(const ToolFolder *folder, const char *line, char **env);
void tool_run_clear(ToolRun *run);

/* Must succeed and say nothing on stderr. */
void tool_must(const ToolFolder *folder, const char *line);
/* Must end with @status and say exactly @err, with nothing on stdout. */
void tool_must_fail(const ToolFolder *folder, const char *line, int status, const char *err);

void tool_write_file(const ToolFolder *folder, const char *name, const void *data, size_t bytes);
/* A file of @bytes, of which the first @data_bytes hold a pattern that is nowhere zero. */
void tool_make_raw(const ToolFolder *folder, const char *name, gint64 bytes, size_t data_bytes);
char *tool_read_file(const ToolFolder *folder, const char *name, size_t *bytes);
void tool_assert_same_files(const ToolFolder *folder, const char *a, const char *b);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ToolRun, tool_run_clear)

#endif
