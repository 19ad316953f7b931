/* SPDX-License-Identifier: MIT */
/*
 * Puts cases through the commands, and judges. What holds for every run: no signal, no hang, memory
 * within bounds, a message where it fails, nothing on the terminal that an image could act through,
 * and every file as it was (but for commit's).
 */
#include "run.h"
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((gint64)1 << 20)
#define MAX_RSS (256 * MIB)
#define MAX_INFO_RSS (16 * MIB)
#define MAX_INFO_CPU_US 50000
#define MAX_FAILURES_SHOWN 20

/* Then memory and time are the sanitizer's, and a run takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED TRUE
#define SAMPLE 16
#else
#define IS_SANITIZED FALSE
#define SAMPLE 1
#endif

const char *const runner_commands[RUNNER_COMMANDS] = {
    "info", "check", "map", "convert", "compare", "commit", "explain", "(words)",
};

enum { INFO, CHECK, MAP, CONVERT, COMPARE, COMMIT, EXPLAIN, WORDS };

/* One case in one command. */
typedef struct Trial {
    HostileRunner *r;
    const HostileCase *c;
    int command;
    const char *words[32];
    ToolRun run;
    gboolean failed;
} Trial;

const char *hostile_folder(const HostileRunner *r)
{
    return r->folder;
}

/* ---- which cases ---- */

gboolean hostile_wants(HostileRunner *r, guint each, char **name, const char *format, ...)
{
    va_list args;
    gboolean is_wanted;

    va_start(args, format);
    *name = g_strdup_vprintf(format, args);
    va_end(args);
    is_wanted = (r->is_all || r->only || r->family_count++ % (each * SAMPLE) == 0)
        && (!r->only || g_pattern_match_simple(r->only, *name));
    if (!is_wanted) {
        g_clear_pointer(name, g_free);
    }
    return is_wanted;
}

/* ---- failures ---- */

static void G_GNUC_PRINTF(2, 3) trial_fail(Trial *t, const char *format, ...)
{
    g_autofree char *line = g_strjoinv(" ", (char **)t->words);
    g_autofree char *text = NULL;
    va_list args;

    if (t->failed || t->r->failures++ >= MAX_FAILURES_SHOWN) {
        t->failed = TRUE;
        return;
    }
    t->failed = TRUE;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *err = g_strescape(t->run.err ? t->run.err : "", NULL);
    printf("# %s: %s: %s\n#   stderr: %s\n#   make it: hostile-run --make FOLDER '%s'\n"
           "#   run it:  cd FOLDER && cairn-img %s\n", t->c->name, runner_commands[t->command],
           text, err, t->c->name, line);
}

/* ---- files ---- */

static char *case_path(const HostileRunner *r, const char *name)
{
    return g_build_filename(r->folder, name, NULL);
}

static void case_write(const HostileRunner *r, const HostileFile *file)
{
    g_autofree char *path = case_path(r, file->name);
    g_autofree char *folder = g_path_get_dirname(path);
    int fd;

    g_assert(g_mkdir_with_parents(folder, 0700) == 0);
    if (file->is_hard) {
        g_autofree char *target = case_path(r, file->target);

        g_assert(link(target, path) == 0);
    } else if (!file->bytes) {
        g_assert(symlink(file->target, path) == 0);
    } else {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        g_assert(fd >= 0);
        g_assert(write(fd, file->bytes->data, file->bytes->len) == (gssize)file->bytes->len);
        close(fd);
    }
}

static void case_remove(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir))) {
            g_autofree char *inner = g_build_filename(path, name, NULL);

            case_remove(inner);
        }
    }
    g_remove(path);
}

static gboolean case_is_unchanged(const HostileRunner *r, const HostileCase *c,
                                  const HostileFile *file)
{
    g_autofree char *path = case_path(r, file->name);
    g_autofree char *data = NULL;
    struct stat st;
    gsize length;

    if (!file->bytes || !g_strcmp0(file->name, c->canary)) {
        return lstat(path, &st) == 0 && (file->bytes || file->is_hard || S_ISLNK(st.st_mode));
    }
    return stat(path, &st) == 0 && st.st_size == (off_t)file->bytes->len
        && g_file_get_contents(path, &data, &length, NULL)
        && !memcmp(data, file->bytes->data, length);
}

static void trial_check_files(Trial *t)
{
    for (size_t i = 0; i < t->c->file_count; i++) {
        if (!case_is_unchanged(t->r, t->c, &t->c->files[i])) {
            trial_fail(t, "'%s' has changed", t->c->files[i].name);
        }
    }
}

/* ---- what holds for every run ---- */

/* The user's own words may have lines. */
static gboolean text_is_tame(const char *text, gboolean may_have_lines)
{
    for (const guchar *p = (const guchar *)text; *p; p++) {
        if ((*p < 0x20 && *p != '\n') || *p == 0x7f) {
            return FALSE;
        }
    }
    return may_have_lines || !strstr(text, "\nfake:");    /* what images of these cases put behind a line's end */
}

static void trial_check_bounds(Trial *t)
{
    HostileMost *most = &t->r->most[t->command];
    gint64 rss = t->run.rss - t->r->start_rss;

    most->runs++;
    most->rss = MAX(most->rss, rss);
    most->cpu_us = MAX(most->cpu_us, t->run.cpu_us);
    if (t->run.status >= 128 || t->run.status == 125 || t->run.status == 126) {
        gboolean hangs = t->run.status == 128 + SIGALRM || t->run.status == 128 + SIGXCPU;

        trial_fail(t, hangs ? "hangs" : "ended by signal %d", t->run.status - 128);
    }
    if (!IS_SANITIZED && (t->run.rss > MAX_RSS || (t->command == INFO && rss > MAX_INFO_RSS))) {
        trial_fail(t, "takes %" G_GINT64_FORMAT " KiB over start-up", rss / 1024);
    }
    if (!IS_SANITIZED && t->command == INFO && t->run.cpu_us > MAX_INFO_CPU_US) {
        trial_fail(t, "takes %" G_GINT64_FORMAT " us", t->run.cpu_us);
    }
    if (!text_is_tame(t->run.out, t->command == WORDS)
        || !text_is_tame(t->run.err, t->command == WORDS)) {
        trial_fail(t, "prints control characters, or a line of the image's own");
    }
    if (t->run.status == 1 && t->command != COMPARE
        && !strstr(t->run.err, t->command == CHECK ? "ERROR: " : "cairn-img: ")
        && !strstr(t->run.err, "cairn-img: ")) {
        trial_fail(t, "fails without a message");
    }
}

static void trial_run(Trial *t)
{
    tool_run_clear(&t->run);
    t->run = tool_run(t->r->tool, t->r->folder, t->words);
    trial_check_bounds(t);
    if (t->command < COMMIT || t->command == WORDS) {
        trial_check_files(t);
    }
}

/* COMMAND [case's options] words... */
static void trial_words(Trial *t, int command, const char *const *words)
{
    g_auto(GStrv) options = g_strsplit(t->c->options ? t->c->options : "", " ", 4);
    int n = 0;

    t->command = command;
    t->words[n++] = runner_commands[command];
    for (char **p = options; *p; p++) {
        t->words[n++] = g_intern_string(*p);
    }
    for (; *words; words++) {
        t->words[n++] = *words;
    }
    t->words[n] = NULL;
}

static void trial_command(Trial *t, int command, const char *const *words)
{
    trial_words(t, command, words);
    trial_run(t);
}

/* Returns: whether it was expected to fail, with @message; then that is judged. */
static gboolean trial_is_refused(Trial *t, const char *message)
{
    int wanted = t->command == COMPARE ? 2 : 1;

    if (!message) {
        return FALSE;
    }
    if (t->run.status != wanted) {
        trial_fail(t, "exit status %d, expected %d", t->run.status, wanted);
    } else if (!strstr(t->run.err, message)) {
        trial_fail(t, "does not say '%s'", message);
    }
    return TRUE;
}

static void trial_expect(Trial *t, gboolean is_expected, const char *what)
{
    if (!is_expected) {
        trial_fail(t, "exit status %d, expected %s", t->run.status, what);
    }
}

/* ---- the commands ---- */

static void case_info(Trial *t)
{
    trial_command(t, INFO, (const char *[]){ t->c->files[0].name, NULL });
    if (!trial_is_refused(t, t->c->verdict.refused)) {
        trial_expect(t, t->run.status == 0, "0");
    }
}

static const char *case_chain(const HostileCase *c)
{
    return c->verdict.refused ? c->verdict.refused : c->verdict.chain;
}

static void case_check(Trial *t)
{
    const HostileVerdict *v = &t->c->verdict;
    g_autofree char *mask = g_strdup_printf("one of the mask %#x", (guint)v->check);

    trial_command(t, CHECK, (const char *[]){ t->c->files[0].name, NULL });
    if (!trial_is_refused(t, case_chain(t->c))) {
        int status = t->run.status == 63 ? 1 : t->run.status;

        trial_expect(t, status < 8 && (v->check >> status & 1), mask);
    }
}

static void case_map(Trial *t)
{
    trial_command(t, MAP, (const char *[]){ "--output=json", t->c->files[0].name, NULL });
    if (!trial_is_refused(t, case_chain(t->c))) {
        trial_expect(t, t->run.status == 0, "0");
    }
}

/* Returns whether there is a copy. */
static gboolean case_convert(Trial *t)
{
    int read = t->c->verdict.read;

    trial_command(t, CONVERT, (const char *[]){ "-O", "raw", t->c->files[0].name, "out.raw", NULL });
    if (!trial_is_refused(t, case_chain(t->c))) {
        trial_expect(t, t->run.status == 0 ? read & HOSTILE_READS : read & HOSTILE_READ_FAILS,
                     read == HOSTILE_READS ? "0" : "1");
    }
    return t->run.status == 0;
}

/* An image equals its copy, and where none could be made not even itself. */
static void case_compare(Trial *t, gboolean has_copy)
{
    const char *name = t->c->files[0].name;

    trial_command(t, COMPARE, (const char *[]){ "-F", has_copy ? "raw" : "qcow", name,
                                                has_copy ? "out.raw" : name, NULL });
    if (!trial_is_refused(t, case_chain(t->c))) {
        trial_expect(t, (t->run.status == 0) == has_copy, has_copy ? "0" : "another than 0");
    }
}

static struct stat case_stat(const HostileRunner *r, const char *name)
{
    g_autofree char *path = case_path(r, name);
    struct stat st;

    g_assert(stat(path, &st) == 0);
    return st;
}

/* What was committed is what was copied before. A backing file longer than the disk keeps its end. */
static void case_check_committed(Trial *t)
{
    const HostileCase plain = { .name = t->c->name };
    Trial after = { .r = t->r, .c = &plain };

    if (strcmp(t->c->files[1].name, "base.raw")
        || case_stat(t->r, "base.raw").st_size > case_stat(t->r, "out.raw").st_size) {
        return;
    }
    trial_command(&after, COMPARE, (const char *[]){ "-f", "raw", "-F", "raw", "base.raw",
                                                     "out.raw", NULL });
    trial_expect(&after, after.run.status == 0, "0: the backing file holds what was committed");
    tool_run_clear(&after.run);
}

static void case_commit(Trial *t, gboolean has_copy)
{
    const HostileFile *image = &t->c->files[0];

    trial_command(t, COMMIT, (const char *[]){ image->name, NULL });
    if (!trial_is_refused(t, case_chain(t->c))) {
        trial_expect(t, t->run.status <= 1, "0 or 1");
    }
    if (case_stat(t->r, image->name).st_blocks * 512 > 4 * (gint64)image->bytes->len + MIB) {
        trial_fail(t, "leaves an image that takes much more space than before");
    }
    if (t->run.status == 0 && has_copy) {
        case_check_committed(t);
    }
}

/* ---- cases ---- */

static int case_watch(const HostileRunner *r, const HostileCase *c)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (c->canary) {
        g_autofree char *path = case_path(r, c->canary);

        g_assert(inotify_add_watch(fd, path, IN_OPEN | IN_ACCESS) >= 0);
    }
    return fd;
}

static void case_check_canary(Trial *t, int watch)
{
    struct inotify_event event;
    gboolean is_opened = read(watch, &event, sizeof(event)) > 0;

    if (is_opened != t->c->canary_opens) {
        trial_fail(t, "the canary was %sopened", is_opened ? "" : "not ");
    }
    close(watch);
}

static void case_run(HostileRunner *r, const HostileCase *c)
{
    Trial t = { .r = r, .c = c };
    int watch = case_watch(r, c);
    gboolean has_copy;

    case_info(&t);
    case_check(&t);
    case_map(&t);
    has_copy = case_convert(&t);
    case_compare(&t, has_copy);
    case_commit(&t, has_copy);
    if (c->canary) {
        trial_command(&t, EXPLAIN, (const char *[]){ c->files[0].name, NULL });
    }
    case_check_canary(&t, watch);
    tool_run_clear(&t.run);
}

void hostile_try(HostileRunner *r, const HostileCase *c)
{
    g_assert(c->file_count <= HOSTILE_MAX_FILES);
    for (size_t i = 0; i < c->file_count; i++) {
        case_write(r, &c->files[i]);
    }
    r->cases++;
    if (!r->make) {
        case_run(r, c);
        case_remove(r->folder);
        g_assert(g_mkdir(r->folder, 0700) == 0);
    }
}

static GByteArray *case_base(void)
{
    static GByteArray *base;

    if (!base) {
        base = g_byte_array_new();
        g_byte_array_set_size(base, 4096);
        memset(base->data, 0xba, base->len);
    }
    return base;
}

void hostile_try_image(HostileRunner *r, const char *name, const char *options,
                       const GByteArray *image, const HostileVerdict *verdict)
{
    const HostileFile files[] = { { "image", image }, { "base.raw", case_base() } };

    hostile_try(r, &(HostileCase){
        .name = name, .files = files, .file_count = 2, .options = options, .verdict = *verdict,
    });
}

void hostile_try_words(HostileRunner *r, const char *name, const char *const *words,
                       const char *message)
{
    const HostileFile file = { "base.raw", case_base() };
    const HostileCase c = { .name = name, .files = &file, .file_count = 1 };
    Trial t = { .r = r, .c = &c, .command = WORDS };
    int n = 0;

    case_write(r, &file);
    for (; words[n]; n++) {
        t.words[n] = words[n];
    }
    r->cases++;
    if (r->make) {
        return;
    }
    trial_run(&t);
    if (!trial_is_refused(&t, message)) {
        trial_expect(&t, t.run.status == 0, "0");
    }
    tool_run_clear(&t.run);
}
