/* SPDX-License-Identifier: MIT */
/*
 * --sandbox: what a tool may still do while it works on an image that nobody vouches for. Should
 * the image get the better of Cairn's code, the process is of little use: it starts no program,
 * reaches no network and no other process, and touches no file but those of its task.
 *
 * 1. Two steps. tool_sandbox_begin() comes before the first byte of an image is read, and leaves
 *    what opening takes, as names of backing files stand in images. tool_sandbox_narrow() comes
 *    when all is open, and leaves these files only.
 * 2. System calls are limited by seccomp, for all threads; files by Landlock, which binds a thread
 *    and those that it starts: worker threads are ended before.
 * 3. Both are asked of the kernel by system call; no library is needed.
 */
#ifndef TOOLS_COMMON_SANDBOX_H
#define TOOLS_COMMON_SANDBOX_H

#include <cairn/cairn.h>

#include <sys/syscall.h>

/* Headers of the C library may be older. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

typedef enum ToolSandboxMode {
    TOOL_SANDBOX_OFF,           /* the default: as the peer */
    TOOL_SANDBOX_ON,            /* what the kernel has of it */
    TOOL_SANDBOX_REQUIRE,       /* an error if it is not in force as a whole */
} ToolSandboxMode;

typedef struct ToolSandbox {
    ToolSandboxMode mode;
    bool reads_only;            /* no step of the task changes a file */
    bool is_begun;
} ToolSandbox;

/* on, off, require. */
bool tool_sandbox_parse(const char *text, ToolSandboxMode *mode, GError **error);

/* Only the first call does something. */
bool tool_sandbox_begin(ToolSandbox *sandbox, GError **error);

/*
 * From here on, by name only the files that are open now can be opened; and what stands in @folder
 * (NULL: nothing), where files may also be made, renamed and removed. @ctx: must be at rest.
 */
bool tool_sandbox_narrow(const ToolSandbox *sandbox, CairnContext *ctx, const char *folder,
                         GError **error);

/*
 * All threads of the process: system calls that the tools do not need fail with ENOSYS from now on.
 * (sandbox-calls.c) Returns: 0, or -errno.
 */
int tool_sandbox_limit_calls(void);

#endif
