/* SPDX-License-Identifier: MIT */
/*
 * Commands of cairn-img that are made to fail or killed, from files that are the same each time;
 * and what these files must hold then. See kill-at.c and fail-alloc.c for the ways to fail.
 */
#ifndef TESTS_KILL_COMMANDS_H
#define TESTS_KILL_COMMANDS_H

#include <cairn/block.h>

#include "../tool/tool-run.h"

enum { COMMAND_FILES = 4 };

typedef struct Run {
    ToolFolder folder;
    CairnContext *ctx;
    const struct Command *command;
    guint hits;                         /* commands that did not end by themselves */
} Run;

typedef enum Promise {
    OLD_OR_NEW,         /* the target reads as before or as after */
    SAME,               /* it reads the same all the time */
    START_SAME,         /* as far as it goes afterwards; what is given up may be gone early */
} Promise;

typedef struct Command {
    const char *name, *line;
    void (*make)(Run *run);
    Promise promise;
    const char *writes;                 /* the other file that it may change, or NULL */
    bool damaged;                       /* the target is, before it */
} Command;

/* An image as it reads. */
typedef struct Image {
    gint64 bytes;
    guint8 *data;                       /* NULL: no image */
} Image;

/* Bytes of all files that a command begins with; no data: no file. */
typedef struct Files {
    char *data[COMMAND_FILES];
    gsize bytes[COMMAND_FILES];
} Files;

/* What a command starts from and comes to, found out by letting it end. */
typedef struct Course {
    Files files;
    Image before, after, written;       /* written: of command->writes */
    guint calls;                        /* what the library counted that @env preloads */
} Course;

/* Ended by a name of NULL. */
extern const Command writing_commands[];        /* each makes calls that change files */
extern const Command reading_commands[];        /* the target is as it was */

void run_setup(Run *run);
void run_teardown(Run *run);
/* Makes run->command. @env: taken over; NULL: the test's own. Free with tool_run_clear(). */
ToolRun run_tool(const Run *run, char **env);

/* Makes the files, then the command, in the environment @env, which tells the count in "count". */
void course_init(Course *course, Run *run, char **env);
void course_clear(Course *course);
/* Puts the files back. */
void course_restart(const Course *course, const Run *run);
/* The files are as they may be when the command did not end. */
void course_assert_stopped(const Course *course, const Run *run);
/* The command has done its work. */
void course_assert_done(const Course *course, const Run *run);
/* No file is there that should not be. */
void course_assert_tidy(const Run *run);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Course, course_clear)

#endif
