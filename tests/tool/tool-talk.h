/* SPDX-License-Identifier: MIT */
/* A tool that runs while the test speaks to it and hears what it says. */
#ifndef TESTS_TOOL_TALK_H
#define TESTS_TOOL_TALK_H

#include "tool-run.h"

typedef struct ToolTalk {
    GPid pid;
    int in, out;                /* its standard input and output */
    GString *heard;
} ToolTalk;

/* @words: as for tool_run(). Its standard error is the test's. */
void tool_talk_start(ToolTalk *talk, const ToolFolder *folder, const char *words);
void tool_talk_say(ToolTalk *talk, const char *text);
/* Waits until @text is in what it has said. */
void tool_talk_hear(ToolTalk *talk, const char *text);
/* Ends its input and waits for it. Returns its exit status, 128 + n for signal n. */
int tool_talk_end(ToolTalk *talk);

#endif
