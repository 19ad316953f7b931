/* SPDX-License-Identifier: MIT */
/*
 * The steps of the sandbox, and its rules for files (Landlock; landlock(7)).
 */
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Numbers of the kernel's interface, from its documentation (userspace-api/landlock); headers of
 * distributions lack those that came after them.
 */
enum {
    RIGHT_EXECUTE = 1 << 0,
    RIGHT_WRITE_FILE = 1 << 1,
    RIGHT_READ_FILE = 1 << 2,
    RIGHT_READ_DIR = 1 << 3,
    RIGHT_REMOVE_FILE = 1 << 5,
    RIGHT_MAKE_REG = 1 << 8,
    RIGHT_REFER = 1 << 13,      /* ABI 2 */
    RIGHT_TRUNCATE = 1 << 14,   /* ABI 3 */
    RIGHT_IOCTL_DEV = 1 << 15,  /* ABI 5 */

    RIGHTS_READ = RIGHT_READ_FILE | RIGHT_READ_DIR | RIGHT_IOCTL_DEV,
    RIGHTS_OPEN_FILE = RIGHT_READ_FILE | RIGHT_WRITE_FILE | RIGHT_TRUNCATE | RIGHT_IOCTL_DEV,
    RIGHTS_FOLDER = RIGHTS_OPEN_FILE | RIGHT_READ_DIR | RIGHT_REMOVE_FILE | RIGHT_MAKE_REG
                    | RIGHT_REFER,
    NET_TCP = 3,                /* ABI 4: bind, connect */
    SCOPE_ALL = 3,              /* ABI 6: abstract sockets, signals */
    VERSION_QUERY = 1,
    RULE_PATH_BENEATH = 1,
};

typedef struct LandlockRuleset {
    uint64_t files, net, scoped;
} LandlockRuleset;

typedef struct __attribute__((packed)) LandlockBeneath {
    uint64_t allowed;
    int32_t fd;
} LandlockBeneath;

/* ---- rulesets ------------------------------------------------------------------------ */

/* What the kernel knows; 0: no Landlock. */
static int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, VERSION_QUERY);

    return version > 0 ? (int)version : 0;
}

/* The rights that version @version can refuse. */
static uint64_t landlock_rights(int version)
{
    uint64_t rights = RIGHT_REFER - 1;

    rights |= version >= 2 ? RIGHT_REFER : 0;
    rights |= version >= 3 ? RIGHT_TRUNCATE : 0;
    rights |= version >= 5 ? RIGHT_IOCTL_DEV : 0;
    return rights;
}

/* A new ruleset that refuses all it can. Returns: the descriptor, or -errno. */
static int landlock_new(int version)
{
    LandlockRuleset ruleset = {
        .files = landlock_rights(version),
        .net = version >= 4 ? NET_TCP : 0,
        .scoped = version >= 6 ? SCOPE_ALL : 0,
    };
    size_t size = version >= 6 ? sizeof(ruleset) : version >= 4 ? 16 : 8;
    long fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);

    return fd < 0 ? -errno : (int)fd;
}

/* Returns: 0, or -errno; -EBADFD for what is no file of a file system. */
static int landlock_allow(int ruleset, int version, int fd, uint64_t rights)
{
    LandlockBeneath rule = { .allowed = rights & landlock_rights(version), .fd = fd };

    return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

static int landlock_allow_path(int ruleset, int version, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    int ret = fd < 0 ? -errno : landlock_allow(ruleset, version, fd, rights);

    if (fd >= 0) {
        close(fd);
    }
    return ret;
}

static int landlock_enforce(int ruleset)
{
    return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* ---- what is allowed ------------------------------------------------------------------ */

/* Until all is open: any file may be read; and written to, if that is the task. */
static int sandbox_limit_files(const ToolSandbox *sandbox)
{
    int version = landlock_version();
    int ruleset = version ? landlock_new(version) : -ENOSYS;
    int ret;

    if (ruleset < 0) {
        return ruleset;
    }
    ret = landlock_allow_path(ruleset, version, "/",
                              sandbox->reads_only ? RIGHTS_READ : RIGHTS_FOLDER);
    ret = ret < 0 ? ret : landlock_enforce(ruleset);
    close(ruleset);
    return ret;
}

/* Images are opened again by name when their rights change. */
static int sandbox_allow_open_files(int ruleset, int version)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;
    int ret = 0;

    while (dir && ret == 0 && (name = g_dir_read_name(dir))) {
        int fd = atoi(name);
        struct stat st;

        if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
            ret = landlock_allow(ruleset, version, fd, RIGHTS_OPEN_FILE);
            ret = ret == -EBADFD ? 0 : ret;
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return ret;
}

static int sandbox_limit_to_open_files(const char *folder)
{
    int version = landlock_version();
    int ruleset = version ? landlock_new(version) : -ENOSYS;
    int ret;

    if (ruleset < 0) {
        return ruleset;
    }
    ret = sandbox_allow_open_files(ruleset, version);
    if (ret == 0 && folder) {
        ret = landlock_allow_path(ruleset, version, folder, RIGHTS_FOLDER);
    }
    ret = ret < 0 ? ret : landlock_enforce(ruleset);
    close(ruleset);
    return ret;
}

/* ---- the steps ------------------------------------------------------------------------- */

bool tool_sandbox_parse(const char *text, ToolSandboxMode *mode, GError **error)
{
    static const char *const names[] = { "off", "on", "require", NULL };

    for (int i = 0; names[i]; i++) {
        if (!strcmp(text, names[i])) {
            *mode = (ToolSandboxMode)i;
            return true;
        }
    }
    cairn_set_error(error, EINVAL, "--sandbox must be used with on, off or require as argument.");
    return false;
}

/* Whether the work may go on though a step ended with @ret. */
static bool sandbox_accept(const ToolSandbox *sandbox, int ret, const char *what, GError **error)
{
    if (ret == 0 || sandbox->mode != TOOL_SANDBOX_REQUIRE) {
        return true;
    }
    cairn_set_error_errno(error, -ret, "Could not set up the sandbox: %s", what);
    cairn_error_append_hint(error, "--sandbox=on goes on with what the system offers.");
    return false;
}

bool tool_sandbox_begin(ToolSandbox *sandbox, GError **error)
{
    if (sandbox->mode == TOOL_SANDBOX_OFF || sandbox->is_begun) {
        return true;
    }
    sandbox->is_begun = true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        return sandbox_accept(sandbox, -errno, "no_new_privs", error);
    }
    return sandbox_accept(sandbox, sandbox_limit_files(sandbox), "Landlock", error)
        && sandbox_accept(sandbox, tool_sandbox_limit_calls(), "seccomp", error);
}

bool tool_sandbox_narrow(const ToolSandbox *sandbox, CairnContext *ctx, const char *folder,
                         GError **error)
{
    if (!sandbox->is_begun) {
        return true;
    }
    cairn_context_stop_workers(ctx);
    return sandbox_accept(sandbox, sandbox_limit_to_open_files(folder), "Landlock", error);
}
