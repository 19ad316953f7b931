/* SPDX-License-Identifier: MIT */
/*
 * Running the built tool; its path stands in the environment, set by the build.
 */
#include "tool-run.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOOL_VARIABLE "CAIRN_TOOL"

void tool_folder_setup(ToolFolder *folder, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    folder->path = g_dir_make_tmp("cairn-tool-XXXXXX", &error);
    g_assert_no_error(error);
}

void tool_folder_teardown(ToolFolder *folder, gconstpointer data)
{
    GDir *dir = g_dir_open(folder->path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = tool_path(folder, name);

        g_unlink(path);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_rmdir(folder->path);
    g_free(folder->path);
}

char *tool_path(const ToolFolder *folder, const char *name)
{
    return g_build_filename(folder->path, name, NULL);
}

static ToolRun tool_spawn(const ToolFolder *folder, const char *line, char **env,
                          GSpawnChildSetupFunc setup)
{
    const char *program = g_getenv(TOOL_VARIABLE);
    g_autofree char *whole = g_strdup_printf("%s %s", program, line);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    ToolRun run = { 0 };
    int status;

    g_assert_nonnull(program);
    g_shell_parse_argv(whole, NULL, &argv, &error);
    g_assert_no_error(error);
    g_spawn_sync(folder->path, argv, env, G_SPAWN_DEFAULT, setup, NULL, &run.out, &run.err,
                 &status, &error);
    g_assert_no_error(error);
    run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return run;
}

ToolRun tool_run_setup(const ToolFolder *folder, const char *line, GSpawnChildSetupFunc setup)
{
    return tool_spawn(folder, line, NULL, setup);
}

ToolRun tool_run(const ToolFolder *folder, const char *line)
{
    return tool_spawn(folder, line, NULL, NULL);
}

ToolRun tool_run_env(const ToolFolder *folder, const char *line, char **env)
{
    return tool_spawn(folder, line, env, NULL);
}

void tool_run_clear(ToolRun *run)
{
    g_free(run->out);
    g_free(run->err);
}

void tool_must(const ToolFolder *folder, const char *line)
{
    g_auto(ToolRun) run = tool_run(folder, line);

    g_test_message("%s", line);
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpint(run.status, ==, 0);
}

void tool_must_fail(const ToolFolder *folder, const char *line, int status, const char *err)
{
    g_auto(ToolRun) run = tool_run(folder, line);

    g_test_message("%s", line);
    g_assert_cmpstr(run.err, ==, err);
    g_assert_cmpstr(run.out, ==, "");
    g_assert_cmpint(run.status, ==, status);
}

void tool_write_file(const ToolFolder *folder, const char *name, const void *data, size_t bytes)
{
    g_autofree char *path = tool_path(folder, name);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, data, bytes, &error);
    g_assert_no_error(error);
}

void tool_make_raw(const ToolFolder *folder, const char *name, gint64 bytes, size_t data_bytes)
{
    g_autofree guint8 *data = g_malloc(data_bytes + 1);
    g_autofree char *path = tool_path(folder, name);

    for (size_t i = 0; i < data_bytes; i++) {
        data[i] = 1 + (i * 7 + i / 4096) % 255;
    }
    tool_write_file(folder, name, data, data_bytes);
    g_assert_cmpint(truncate(path, bytes), ==, 0);
}

char *tool_read_file(const ToolFolder *folder, const char *name, size_t *bytes)
{
    g_autofree char *path = tool_path(folder, name);
    g_autoptr(GError) error = NULL;
    char *data;

    g_file_get_contents(path, &data, bytes, &error);
    g_assert_no_error(error);
    return data;
}

void tool_assert_same_files(const ToolFolder *folder, const char *a, const char *b)
{
    size_t bytes_a, bytes_b;
    g_autofree char *data_a = tool_read_file(folder, a, &bytes_a);
    g_autofree char *data_b = tool_read_file(folder, b, &bytes_b);

    g_assert_cmpmem(data_a, bytes_a, data_b, bytes_b);
}
