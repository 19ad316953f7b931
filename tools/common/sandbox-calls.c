/* SPDX-License-Identifier: MIT */
/*
 * The system calls that are left in the sandbox (seccomp(2)). The list is of what Cairn, GLib and
 * the C library call on the way of the tools' work, threads included; all others fail with ENOSYS,
 * which is what a library that tries a newer call first knows how to take.
 *
 * Missing on purpose: io_uring, whose requests pass no filter; prctl() but for the names of
 * threads; whatever starts a program, makes a socket, looks at another process or changes who this
 * one is.
 */
#include "common/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define CALLS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CALLS_ARCH AUDIT_ARCH_AARCH64
#endif

#ifndef CALLS_ARCH
int tool_sandbox_limit_calls(void)
{
    return -ENOSYS;             /* no list for this machine */
}
#else

/* Allowed with any arguments. */
static const uint16_t calls_allowed[] = {
    /* bytes of files */
    SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_preadv,
    SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_fsync, SYS_fdatasync, SYS_ftruncate,
    SYS_fallocate, SYS_fadvise64, SYS_sync_file_range, SYS_copy_file_range,
    /* files: which ones is for Landlock to say */
    SYS_openat, SYS_openat2, SYS_close, SYS_close_range, SYS_fstat, SYS_newfstatat, SYS_statx,
    SYS_fstatfs, SYS_statfs, SYS_fcntl, SYS_flock, SYS_dup, SYS_dup3, SYS_getdents64, SYS_readlinkat,
    SYS_faccessat, SYS_faccessat2, SYS_getcwd, SYS_unlinkat, SYS_renameat, SYS_renameat2,
    SYS_linkat, SYS_fchmod, SYS_fchown, SYS_utimensat, SYS_umask, SYS_memfd_create,
    SYS_fgetxattr, SYS_flistxattr, SYS_fsetxattr, SYS_fremovexattr, SYS_getxattr, SYS_listxattr,
    /* memory */
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_membarrier,
    /* threads, time, events */
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getattr, SYS_exit, SYS_exit_group,
    SYS_restart_syscall, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack,
    SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday,
    SYS_ppoll, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2,
    SYS_pipe2, SYS_timerfd_create, SYS_timerfd_settime,
    /* this process */
    SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getgroups, SYS_getrandom, SYS_getrusage, SYS_times, SYS_uname, SYS_sysinfo, SYS_getcpu,
    /* a further limit */
    SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self,
#ifdef __x86_64__
    /* what newer machines have under the names above */
    SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_unlink, SYS_rename, SYS_link,
    SYS_dup2, SYS_poll, SYS_select, SYS_epoll_wait, SYS_pipe, SYS_time, SYS_getdents,
#endif
};

/* Allowed only if (argument & mask) is value, or, with @unless, if it is not. Arguments of 32 bits. */
static const struct {
    uint16_t call;
    uint8_t arg;
    bool unless;
    uint32_t mask, value;
} calls_conditional[] = {
    { SYS_clone, 0, false, CLONE_THREAD, CLONE_THREAD },    /* no process */
    { SYS_mmap, 2, false, PROT_EXEC, 0 },                   /* no new code */
    { SYS_mprotect, 2, false, PROT_EXEC, 0 },
    { SYS_prctl, 0, false, UINT32_MAX, PR_SET_NAME },
    { SYS_ioctl, 1, true, UINT32_MAX, TIOCSTI },            /* no typing in the user's name */
    { SYS_prlimit64, 2, false, UINT32_MAX, 0 },             /* to look, not to set */
};

#define DATA(member) ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define IF_EQUAL(value, then, otherwise) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (then), (otherwise))
#define REFUSE (SECCOMP_RET_ERRNO | ENOSYS)

typedef struct CallFilter {
    struct sock_filter code[2 * G_N_ELEMENTS(calls_allowed) + 6 * G_N_ELEMENTS(calls_conditional)
                            + 16];
    unsigned short length;
} CallFilter;

static void filter_add(CallFilter *filter, struct sock_filter instruction)
{
    g_assert(filter->length < G_N_ELEMENTS(filter->code));
    filter->code[filter->length++] = instruction;
}

/* Calls of another machine's numbering, of which the lists say nothing. */
static void filter_add_machine(CallFilter *filter, uint32_t arch)
{
    filter_add(filter, (struct sock_filter)LOAD(DATA(arch)));
    filter_add(filter, (struct sock_filter)IF_EQUAL(arch, 1, 0));
    filter_add(filter, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
}

static void filter_add_conditional(CallFilter *filter, size_t i)
{
    uint32_t arg = DATA(args) + 8u * calls_conditional[i].arg
                   + (G_BYTE_ORDER == G_BIG_ENDIAN ? 4 : 0);
    bool unless = calls_conditional[i].unless;

    filter_add(filter, (struct sock_filter)IF_EQUAL(calls_conditional[i].call, 0, 5));
    filter_add(filter, (struct sock_filter)LOAD(arg));
    filter_add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
                                                    calls_conditional[i].mask));
    filter_add(filter, (struct sock_filter)IF_EQUAL(calls_conditional[i].value, unless, !unless));
    filter_add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    filter_add(filter, (struct sock_filter)RETURN(REFUSE));
}

/* A signal to this process itself: abort() sends one. */
static void filter_add_own_signals(CallFilter *filter)
{
    filter_add(filter, (struct sock_filter)IF_EQUAL(SYS_tgkill, 0, 4));
    filter_add(filter, (struct sock_filter)LOAD(DATA(args)));
    filter_add(filter, (struct sock_filter)IF_EQUAL((uint32_t)getpid(), 0, 1));
    filter_add(filter, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    filter_add(filter, (struct sock_filter)RETURN(REFUSE));
}

int tool_sandbox_limit_calls(void)
{
    CallFilter filter = { .length = 0 };
    struct sock_fprog program = { .filter = filter.code };
    long ret;

    filter_add_machine(&filter, CALLS_ARCH);
    filter_add(&filter, (struct sock_filter)LOAD(DATA(nr)));
    for (size_t i = 0; i < G_N_ELEMENTS(calls_allowed); i++) {
        filter_add(&filter, (struct sock_filter)IF_EQUAL(calls_allowed[i], 0, 1));
        filter_add(&filter, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(calls_conditional); i++) {
        filter_add_conditional(&filter, i);
    }
    filter_add_own_signals(&filter);
    filter_add(&filter, (struct sock_filter)RETURN(REFUSE));
    program.len = filter.length;
    ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    return ret < 0 ? -errno : ret > 0 ? -EBUSY : 0;     /* > 0: the thread that cannot take it */
}
#endif
