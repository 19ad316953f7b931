/* SPDX-License-Identifier: MIT */
/*
 * Staging of new files; see stage.h.
 *
 * The signals that end a program undo the work, too: their handler does no more than unlink or
 * empty what the one record of this file says, which is complete before it is armed.
 */
#include "img/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "img/stage-attr.h"

#define STAGE_SUFFIX ".cairn-part"
#define STAGE_LINKS_MAX 40              /* as the kernel's */
#define STAGE_TRIES 20                  /* of making the other file, against others who do */
/* Behind the bytes that images are locked by (100 to 203): "this file is being made". */
#define STAGE_LOCK_BYTE 400

/* ---- signals ------------------------------------------------------------------- */

enum { STAGE_UNDO_WAIT = 100 };         /* beside ImgStageKind: the file is being made now */

static struct {
    volatile sig_atomic_t kind;         /* IMG_STAGE_DIRECT: nothing to undo */
    volatile sig_atomic_t caught;       /* a signal that came during STAGE_UNDO_WAIT; 0: none */
    char path[PATH_MAX];
    int fd;
} stage_undo;


static void stage_on_signal(int number)
{
    if (stage_undo.kind == STAGE_UNDO_WAIT) {
        stage_undo.caught = number;
        return;
    }
    if (stage_undo.kind == IMG_STAGE_IN_PLACE) {
        if (ftruncate(stage_undo.fd, 0) < 0) {
            stage_undo.kind = IMG_STAGE_DIRECT;     /* nothing more can be done */
        }
    } else if (stage_undo.kind != IMG_STAGE_DIRECT) {
        unlink(stage_undo.path);
    }
    raise(number);                      /* its handler is the default one again */
}

static void stage_catch(int number)
{
    struct sigaction action = { .sa_handler = stage_on_signal, .sa_flags = (int)SA_RESETHAND };
    struct sigaction before;

    if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
        sigaction(number, &action, NULL);
    }
}

static void stage_catch_all(void)
{
    stage_catch(SIGHUP);
    stage_catch(SIGINT);
    stage_catch(SIGQUIT);
    stage_catch(SIGTERM);
}

static void stage_disarm(void)
{
    stage_undo.kind = IMG_STAGE_DIRECT;
}

static void stage_arm(const ImgStage *stage)
{
    const char *path = stage->kind == IMG_STAGE_NEW ? stage->target : stage->path;

    if (strlen(path) >= sizeof(stage_undo.path)) {
        stage_disarm();
        return;
    }
    strcpy(stage_undo.path, path);
    stage_undo.fd = stage->fd;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    stage_undo.kind = stage->kind;
    stage_catch_all();
}

/* A signal that comes now waits until it is known whether there is something to undo. */
static void stage_wait_begin(void)
{
    stage_undo.caught = 0;
    stage_undo.kind = STAGE_UNDO_WAIT;
    stage_catch_all();
}

/* The record is armed or disarmed. */
static void stage_wait_end(void)
{
    if (stage_undo.caught) {
        stage_on_signal(stage_undo.caught);
    }
}

/* ---- names ------------------------------------------------------------------------ */

static bool stage_is_file_name(const char *name)
{
    return name[strcspn(name, ":/")] != ':';
}

/* A path whose last part is no link. NULL: too many links. */
static char *stage_resolve(const char *path)
{
    g_autofree char *at = g_strdup(path);

    for (int i = 0; i < STAGE_LINKS_MAX; i++) {
        g_autofree char *link = g_file_read_link(at, NULL);
        g_autofree char *folder = g_path_get_dirname(at);

        if (!link) {
            return g_steal_pointer(&at);
        }
        g_free(at);
        at = g_path_is_absolute(link) ? g_strdup(link) : g_build_filename(folder, link, NULL);
    }
    return NULL;
}

/*
 * Never without a slash, so that it is no protocol's name. A long name is shortened, but stays one
 * of its own.
 */
static char *stage_part_path(const char *target)
{
    g_autofree char *folder = g_path_get_dirname(target);
    g_autofree char *base = g_path_get_basename(target);
    g_autofree char *name = NULL;

    if (strlen(base) + strlen(STAGE_SUFFIX) <= NAME_MAX) {
        name = g_strconcat(base, STAGE_SUFFIX, NULL);
    } else {
        name = g_strdup_printf("%.*s-%08x" STAGE_SUFFIX,
                               (int)(NAME_MAX - strlen(STAGE_SUFFIX) - 9), base, g_str_hash(base));
    }
    return g_build_filename(folder, name, NULL);
}

static bool stage_is_at(int fd, const char *path)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* ---- the other file ----------------------------------------------------------------- */

/* 0, -EAGAIN: another process is at work, or another -errno: nobody can tell. */
static int stage_lock(int fd)
{
    struct flock fl = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = STAGE_LOCK_BYTE, .l_len = 1,
    };

    if (fcntl(fd, F_OFD_SETLK, &fl) == 0) {
        return 0;
    }
    return errno == EACCES ? -EAGAIN : -errno;
}

/* Removes what a killed process has left. 0, -EAGAIN or -errno as above. */
static int stage_remove_left_over(const char *path)
{
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    int ret;

    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    ret = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() ? stage_lock(fd)
                                                                             : -EEXIST;
    if (ret == 0 && stage_is_at(fd, path)) {
        unlink(path);
    }
    close(fd);
    return ret;
}

/* A new, locked file at @path; or -errno. */
static int stage_make_part(const char *path, mode_t mode)
{
    for (int i = 0; i < STAGE_TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        int ret;

        if (fd < 0 && errno != EEXIST) {
            return -errno;
        }
        if (fd >= 0) {
            ret = stage_lock(fd);
            if (ret != -EAGAIN && stage_is_at(fd, path)) {
                return fd;
            }
            close(fd);              /* another process took it for a left-over */
            continue;
        }
        ret = stage_remove_left_over(path);
        if (ret < 0) {
            return ret;
        }
    }
    return -EAGAIN;
}

static void stage_set_busy(const ImgStage *stage, GError **error)
{
    cairn_set_error(error, EAGAIN, "Failed to get \"write\" lock\n"
                    "Is another process using the image [%s]?", stage->shown);
}

/* ---- the choice ---------------------------------------------------------------------- */

/* True: stage->kind is chosen, be it that the file cannot be made beside. False: @error. */
static bool stage_choose_beside(ImgStage *stage, mode_t mode, GError **error)
{
    g_autofree char *path = stage_part_path(stage->target);
    int fd;

    stage_wait_begin();
    fd = stage_make_part(path, mode);
    if (fd >= 0) {
        stage->kind = IMG_STAGE_BESIDE;
        stage->fd = fd;
        stage->path = g_steal_pointer(&path);
        stage->is_begun = true;
        stage_arm(stage);
    } else {
        stage_disarm();
    }
    stage_wait_end();
    if (fd == -EAGAIN) {
        stage_set_busy(stage, error);
    }
    return fd != -EAGAIN;
}

static void stage_abandon_beside(ImgStage *stage)
{
    unlink(stage->path);
    stage_disarm();
    close(stage->fd);
    g_clear_pointer(&stage->path, g_free);
    stage->fd = -1;
    stage->is_begun = false;
}

/* The locks by which other processes know that the old file is being replaced. */
static bool stage_hold(ImgStage *stage, Img *img, int share, GError **error)
{
    g_autoptr(QDict) options = qdict_new();

    g_clear_pointer(&stage->held, blk_unref);
    qdict_put_str(options, "driver", "file");
    qdict_put_str(options, "filename", stage->shown);
    stage->held = blk_open_qdict(img->ctx, NULL, options, BLK_O_RDWR | BLK_O_RESIZE | share,
                                 error);
    return stage->held != NULL;
}

/* A file that is overwritten is locked by those who do it. */
static void stage_let_go_in_place(ImgStage *stage)
{
    if (stage->kind == IMG_STAGE_IN_PLACE) {
        g_clear_pointer(&stage->held, blk_unref);
    }
}

/* @fd: the old file; taken over. */
static bool stage_choose_for_old(ImgStage *stage, Img *img, int fd, const struct stat *st,
                                 GError **error)
{
    bool may_replace = stage_may_replace(fd, stage->target, st);

    stage->kind = IMG_STAGE_IN_PLACE;
    stage->fd = fd;
    if (!stage_hold(stage, img, BLK_O_SHARE_WRITE, error) ||
        (may_replace && !stage_choose_beside(stage, 0600, error))) {
        return false;
    }
    if (stage->kind == IMG_STAGE_BESIDE && stage_copy_attributes(fd, st, stage->fd)) {
        close(fd);
        return true;
    }
    if (stage->kind == IMG_STAGE_BESIDE) {
        stage_abandon_beside(stage);
        stage->kind = IMG_STAGE_IN_PLACE;
        stage->fd = fd;
    }
    stage_let_go_in_place(stage);
    return true;
}

static bool stage_choose(ImgStage *stage, Img *img, GError **error)
{
    struct stat st;
    int fd;

    if (stat(stage->target, &st) < 0) {
        stage->kind = errno == ENOENT ? IMG_STAGE_NEW : IMG_STAGE_DIRECT;
        return stage->kind == IMG_STAGE_DIRECT || stage_choose_beside(stage, 0644, error);
    }
    if (!S_ISREG(st.st_mode)) {
        return true;
    }
    fd = open(stage->target, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return true;                    /* the creation will say why */
    }
    return stage_choose_for_old(stage, img, fd, &st, error);
}

bool img_stage_begin(ImgStage *stage, Img *img, const char *filename, GError **error)
{
    const char *name = g_str_has_prefix(filename, "file:") ? filename + strlen("file:") : filename;

    *stage = (ImgStage) { .fd = -1, .shown = g_strdup(name) };
    if (name[0] && (name != filename || stage_is_file_name(name))) {
        stage->target = stage_resolve(name);
    }
    if (stage->target && !stage_choose(stage, img, error)) {
        return false;
    }
    if (!stage->path) {
        stage->path = g_strdup(filename);
    }
    return true;
}

bool img_stage_claim(ImgStage *stage, Img *img, GError **error)
{
    bool is_old = stage->held || stage->kind == IMG_STAGE_IN_PLACE;

    if (is_old && !stage_hold(stage, img, 0, error)) {
        return false;
    }
    stage_let_go_in_place(stage);
    return true;
}

/* ---- the work ------------------------------------------------------------------------- */

void img_stage_release(ImgStage *stage)
{
    g_clear_pointer(&stage->held, blk_unref);
}

void img_stage_created(ImgStage *stage)
{
    if (!stage->is_begun && stage->kind != IMG_STAGE_DIRECT) {
        stage->is_begun = true;
        stage_arm(stage);
    }
}

bool img_stage_create(ImgStage *stage, BlockCreate *create, GError **error)
{
    if (!blk_create_run_at(create, stage->path, error)) {
        img_stage_explain(stage, error);
        return false;
    }
    img_stage_created(stage);
    return true;
}

bool img_stage_narrow(const ImgStage *stage, Img *img, GError **error)
{
    g_autofree char *folder = stage->target ? g_path_get_dirname(stage->target) : NULL;

    return img_sandbox_narrow(img, folder, error);
}

bool img_stage_is_elsewhere(const ImgStage *stage)
{
    g_autofree char *seen = g_path_get_dirname(stage->shown);
    g_autofree char *real = stage->target ? g_path_get_dirname(stage->target) : NULL;

    return real && strcmp(seen, real) != 0;
}

static void stage_sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);                      /* some file systems know no such thing */
        close(fd);
    }
}

bool img_stage_commit(ImgStage *stage, bool durable, GError **error)
{
    if (stage->kind == IMG_STAGE_BESIDE && rename(stage->path, stage->target) < 0) {
        cairn_set_error_errno(error, errno, "Could not rename the finished image to '%s'",
                              stage->shown);
        return false;
    }
    stage->is_begun = false;
    stage_disarm();
    if (durable && stage->target) {
        stage_sync_folder(stage->target);
    }
    return true;
}

void img_stage_explain(const ImgStage *stage, GError **error)
{
    int err;

    if (stage->kind != IMG_STAGE_BESIDE || !error || !*error) {
        return;
    }
    g_auto(GStrv) parts = g_strsplit((*error)->message, stage->path, -1);

    g_free((*error)->message);
    (*error)->message = g_strjoinv(stage->shown, parts);
    err = cairn_error_errno(*error);
    if (stage->held && (err == ENOSPC || err == EDQUOT)) {
        cairn_error_append_hint(error, "The old file is kept until the new one is whole; "
                                "removing it first makes room.");
    }
}

void img_stage_clear(ImgStage *stage)
{
    if (stage->is_begun && stage->kind == IMG_STAGE_IN_PLACE) {
        if (ftruncate(stage->fd, 0) < 0) {
            tool_warn("'%s' could not be emptied: it holds a part of the image only",
                      stage->shown);
        }
    } else if (stage->is_begun && stage->kind == IMG_STAGE_BESIDE) {
        unlink(stage->path);
    } else if (stage->is_begun && stage->kind == IMG_STAGE_NEW) {
        unlink(stage->target);
    }
    stage_disarm();
    g_clear_pointer(&stage->held, blk_unref);
    if (stage->fd >= 0) {
        close(stage->fd);
    }
    stage->fd = -1;
    stage->is_begun = false;
    g_clear_pointer(&stage->path, g_free);
    g_clear_pointer(&stage->target, g_free);
    g_clear_pointer(&stage->shown, g_free);
}
