/* SPDX-License-Identifier: MIT */
/*
 * The image locks: which bytes are taken, who excludes whom, that nothing is left behind, and that
 * other programs which use the same bytes agree (with qemu-io as the other one, where it is
 * installed).
 */
#include "block/drivers/file-lock.h"

#include <cairn/driver.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define R  BLK_PERM_CONSISTENT_READ
#define W  BLK_PERM_WRITE
#define WU BLK_PERM_WRITE_UNCHANGED
#define RS BLK_PERM_RESIZE

typedef struct Fixture {
    char *dir;
    char *path;
    FileSys sys;
    FileFault fault;
    int fd[3];
    FileLock lock[3];
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("cairn-file-lock-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->path = g_build_filename(f->dir, "image", NULL);
    g_assert_true(g_file_set_contents(f->path, "", 0, NULL));
    g_assert_cmpint(truncate(f->path, 1 << 20), ==, 0);
    f->sys.fault = &f->fault;
    for (size_t i = 0; i < G_N_ELEMENTS(f->fd); i++) {
        f->fd[i] = open(f->path, O_RDWR | O_CLOEXEC);
        g_assert_cmpint(f->fd[i], >=, 0);
        file_lock_init(&f->lock[i], &f->sys, f->fd[i]);
    }
}

static void teardown(Fixture *f, gconstpointer data)
{
    for (size_t i = 0; i < G_N_ELEMENTS(f->fd); i++) {
        close(f->fd[i]);
    }
    g_unlink(f->path);
    g_rmdir(f->dir);
    g_free(f->path);
    g_free(f->dir);
}

/* Which of the bytes 100..103 and 200..203 somebody else than @fd holds, as two masks. */
static void seen_locks(int fd, uint64_t *perm, uint64_t *unshared)
{
    *perm = *unshared = 0;
    for (int byte = 0; byte < 300; byte++) {
        struct flock fl = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
        };

        g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &fl), ==, 0);
        if (fl.l_type == F_UNLCK) {
            continue;
        }
        g_assert_true((byte >= 100 && byte < 104) || (byte >= 200 && byte < 204));
        *(byte < 200 ? perm : unshared) |= 1ull << (byte % 100);
    }
}

static void assert_seen(Fixture *f, uint64_t perm, uint64_t unshared)
{
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    uint64_t p, u;

    seen_locks(fd, &p, &u);
    close(fd);
    g_assert_cmphex(p, ==, perm);
    g_assert_cmphex(u, ==, unshared);
}

#define HELD_HERE "This process itself has it open already."

static void assert_extends(Fixture *f, int i, uint64_t perm, uint64_t unshared)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(file_lock_extend(&f->lock[i], perm, unshared, true, "x.img", &error));
    g_assert_no_error(error);
}

static void assert_refused(Fixture *f, int i, uint64_t perm, uint64_t unshared,
                           const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(file_lock_extend(&f->lock[i], perm, unshared, true, "x.img", &error));
    g_assert_error(error, CAIRN_ERROR, EAGAIN);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_bytes(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W | RS, W | RS);
    assert_seen(f, R | W | RS, W | RS);
    file_lock_reduce(&f->lock[0], R, W | RS);
    assert_seen(f, R, W | RS);
    file_lock_reduce(&f->lock[0], 0, 0);
    assert_seen(f, 0, 0);
}

static void test_readers(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, W | RS);
    assert_extends(f, 1, R, W | RS);
    assert_seen(f, R, W | RS);
}

static void test_writer_after_reader(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, W | RS);
    assert_refused(f, 1, R | W | RS, W | RS,
                   "Failed to get \"write\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
    g_assert_cmphex(f->lock[1].perm, ==, 0);
    assert_seen(f, R, W | RS);
}

static void test_reader_after_writer(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W, 0);
    assert_refused(f, 1, R, W | RS, "Failed to get shared \"write\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
    assert_seen(f, R | W, 0);
}

static void test_resize(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, RS);
    assert_extends(f, 1, R | W, 0);
    assert_refused(f, 2, RS, 0, "Failed to get \"resize\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
}

static void test_unchanged(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, R | WU);
    assert_refused(f, 1, WU, 0, "Failed to get \"write unchanged\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
    assert_refused(f, 1, R, 0, "Failed to get \"consistent read\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
}

static void test_sharing_writers(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W, 0);
    assert_extends(f, 1, R | W, 0);
}

static void test_refusal_keeps(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, 0);
    assert_extends(f, 1, R, W | RS);
    assert_refused(f, 0, R | W, 0, "Failed to get \"write\" lock\n"
                   "Is another process using the image [x.img]?\n" HELD_HERE);
    g_assert_cmphex(f->lock[0].perm, ==, R);
    file_lock_reduce(&f->lock[1], 0, 0);
    assert_seen(f, R, 0);
}

static void test_forced(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W, W | R);
    g_assert_true(file_lock_extend(&f->lock[1], R, 0, false, "x.img", NULL));
    g_assert_cmphex(f->lock[1].perm, ==, R);
}

static void test_off(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W, W);
    file_lock_init(&f->lock[1], &f->sys, -1);
    assert_extends(f, 1, R | W, W);
    file_lock_reduce(&f->lock[1], 0, 0);
    g_assert_true(file_lock_move(&f->lock[1], f->fd[2]));
}

static void test_move(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W | RS, W | RS);
    g_assert_true(file_lock_move(&f->lock[0], f->fd[2]));
    close(f->fd[0]);
    f->fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_seen(f, R | W | RS, W | RS);
    file_lock_reduce(&f->lock[0], R, 0);
    assert_seen(f, R, 0);
}

static void test_move_fails(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W, W);
    for (int at = 1; at <= 3; at++) {
        f->fault = (FileFault) { .kinds = 1u << FILE_SYS_LOCK, .at = at, .error = ENOLCK };
        g_assert_false(file_lock_move(&f->lock[0], f->fd[2]));
        g_assert_cmpint(f->lock[0].fd, ==, f->fd[0]);
    }
    close(f->fd[2]);
    f->fd[2] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_seen(f, R | W, W);
}

/* Whichever call fails, what is held afterwards is what was held before. */
static void test_each_fails(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R, 0);
    for (int at = 1; at <= 8; at++) {
        g_autoptr(GError) error = NULL;

        f->fault = (FileFault) { .kinds = 1u << FILE_SYS_LOCK, .at = at, .error = ENOLCK };
        g_assert_false(file_lock_extend(&f->lock[0], R | W | RS, W | RS, true, "x.img", &error));
        g_assert_error(error, CAIRN_ERROR, ENOLCK);
        g_assert_true(strstr(error->message, "x.img") != NULL);
        assert_seen(f, R, 0);
    }
    f->fault.calls = 0;
    f->fault.at = 9;
    assert_extends(f, 0, R | W | RS, W | RS);
    g_assert_cmpint(f->fault.calls, ==, 8);
}

static void test_owner(Fixture *f, gconstpointer data)
{
    int to_child[2], to_parent[2];
    g_autofree char *message = NULL;
    char byte = 0;
    pid_t pid;

    g_assert_cmpint(pipe(to_child), ==, 0);
    g_assert_cmpint(pipe(to_parent), ==, 0);
    pid = fork();
    if (pid == 0) {
        struct flock fl = {
            .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 201, .l_len = 1,
        };
        bool ok = fcntl(f->fd[0], F_SETLK, &fl) == 0 && write(to_parent[1], &byte, 1) == 1 &&
                  read(to_child[0], &byte, 1) == 1;

        _exit(ok ? 0 : 1);
    }
    g_assert_cmpint(read(to_parent[0], &byte, 1), ==, 1);
    message = g_strdup_printf("Failed to get \"write\" lock\n"
                              "Is another process using the image [x.img]?\n"
                              "It is locked by process %d.", (int)pid);
    assert_refused(f, 1, W, 0, message);
    g_assert_cmpint(write(to_child[1], &byte, 1), ==, 1);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    assert_extends(f, 1, W, 0);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
}

/* Another process, that opens the file for itself, takes @perm and @unshared: does it get them? */
static bool other_process_gets(Fixture *f, uint64_t perm, uint64_t unshared)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        FileLock lock;

        file_lock_init(&lock, &f->sys, open(f->path, O_RDONLY | O_CLOEXEC));
        _exit(file_lock_extend(&lock, perm, unshared, true, "x.img", NULL) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_processes(Fixture *f, gconstpointer data)
{
    assert_extends(f, 0, R | W | RS, W | RS);
    g_assert_false(other_process_gets(f, R | W, W));
    g_assert_false(other_process_gets(f, R, W | RS));
    g_assert_true(other_process_gets(f, R, 0));
    file_lock_reduce(&f->lock[0], R, W | RS);
    g_assert_true(other_process_gets(f, R, W | RS));
    file_lock_reduce(&f->lock[0], 0, 0);
    g_assert_true(other_process_gets(f, R | W | RS, W | RS));
}

/* ---- the peer --------------------------------------------------------------- */

typedef struct PeerCase {
    const char *path;
    const char *const argv[8];  /* before the image's name */
    uint64_t perm, unshared;    /* what it holds while it runs */
} PeerCase;

static const PeerCase peer_cases[] = {
    { "/file/lock/peer/raw-writable/holds-our-bytes", { "-f", "raw", NULL }, R | W, 0 },
    { "/file/lock/peer/raw-read-only/holds-our-bytes", { "-r", "-f", "raw", NULL }, R, 0 },
    { "/file/lock/peer/qcow-writable/holds-our-bytes", { "-f", "qcow", NULL },
      R | W | RS, W | RS },
    { "/file/lock/peer/qcow-read-only/holds-our-bytes", { "-r", "-f", "qcow", NULL }, R, W | RS },
    { "/file/lock/peer/qcow-forced/holds-our-bytes", { "-r", "-U", "-f", "qcow", NULL }, R, 0 },
};

static bool have_peer(void)
{
    g_autofree char *io = g_find_program_in_path("qemu-io");

    if (!io) {
        g_test_skip("qemu-io is not installed");
    }
    return io != NULL;
}

/* A smallest possible qcow (version 1) of 1 MiB. */
static void write_qcow(Fixture *f)
{
    uint8_t image[560] = {
        'Q', 'F', 'I', 0xfb, 0, 0, 0, 1, [24 + 5] = 0x10, [32] = 12, 9, [40 + 7] = 48,
    };

    g_assert_cmpint(truncate(f->path, 0), ==, 0);
    g_assert_cmpint(pwrite(f->fd[0], image, sizeof(image), 0), ==, sizeof(image));
}

typedef struct Peer {
    GPid pid;
    int in, out;
} Peer;

/* Starts the peer with the image open; returns once it has answered a command. */
static Peer peer_start(Fixture *f, const char *const *options)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    Peer peer;
    char buf[64];

    g_ptr_array_add(argv, (char *)"qemu-io");
    for (; *options; options++) {
        g_ptr_array_add(argv, (char *)*options);
    }
    g_ptr_array_add(argv, f->path);
    g_ptr_array_add(argv, NULL);
    g_assert_true(g_spawn_async_with_pipes(NULL, (char **)argv->pdata, NULL,
                                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                           NULL, &peer.pid, &peer.in, &peer.out, NULL, NULL));
    g_assert_cmpint(write(peer.in, "length\n", 7), ==, 7);
    for (char last = 0; last != 'B'; ) {        /* "1 MiB" */
        ssize_t n = read(peer.out, buf, sizeof(buf));

        g_assert_cmpint(n, >, 0);
        last = memchr(buf, 'B', n) ? 'B' : 0;
    }
    return peer;
}

static void peer_stop(Peer *peer)
{
    int status;

    close(peer->in);
    g_assert_cmpint(waitpid(peer->pid, &status, 0), ==, peer->pid);
    close(peer->out);
    g_assert_cmpint(status, ==, 0);
}

static void test_peer_bytes(Fixture *f, gconstpointer data)
{
    const PeerCase *c = data;
    Peer peer;

    if (!have_peer()) {
        return;
    }
    write_qcow(f);
    peer = peer_start(f, c->argv);
    assert_seen(f, c->perm, c->unshared);
    peer_stop(&peer);
    assert_seen(f, 0, 0);
}

static void test_peer_excludes_us(Fixture *f, gconstpointer data)
{
    const char *const options[] = { "-f", "qcow", NULL };
    Peer peer;

    if (!have_peer()) {
        return;
    }
    write_qcow(f);
    peer = peer_start(f, options);
    assert_refused(f, 0, R | W | RS, W | RS, "Failed to get \"write\" lock\n"
                   "Is another process using the image [x.img]?");
    assert_refused(f, 0, R, W | RS, "Failed to get shared \"write\" lock\n"
                   "Is another process using the image [x.img]?");
    peer_stop(&peer);
    assert_extends(f, 0, R | W | RS, W | RS);
}

static void test_we_exclude_peer(Fixture *f, gconstpointer data)
{
    const char *const argv[] = { "qemu-io", "-f", "qcow", "-c", "length", f->path, NULL };
    g_autofree char *text = NULL;
    int status;

    if (!have_peer()) {
        return;
    }
    write_qcow(f);
    assert_extends(f, 0, R, W | RS);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                               &text, &status, NULL));
    g_assert_cmpint(status, !=, 0);
    g_assert_true(strstr(text, "Failed to get \"write\" lock\n"
                         "Is another process using the image [") != NULL);
}

#define ADD(path, func) g_test_add("/file/lock/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    ADD("bytes/are-100-and-200", test_bytes);
    ADD("readers/coexist", test_readers);
    ADD("writer-after-reader/is-refused", test_writer_after_reader);
    ADD("reader-after-writer/is-refused", test_reader_after_writer);
    ADD("resize/unshared/is-refused", test_resize);
    ADD("read-and-write-unchanged/unshared/are-refused", test_unchanged);
    ADD("writers-that-share/coexist", test_sharing_writers);
    ADD("refusal/keeps-what-was-held", test_refusal_keeps);
    ADD("forced/does-not-test", test_forced);
    ADD("off/does-nothing", test_off);
    ADD("move/keeps-every-byte-locked", test_move);
    ADD("move/failure/leaves-the-old-locks", test_move_fails);
    ADD("extend/each-call-fails/nothing-changes", test_each_fails);
    ADD("conflict/with-a-process-lock/names-the-process", test_owner);
    ADD("two-processes/exclude-each-other", test_processes);
    for (size_t i = 0; i < G_N_ELEMENTS(peer_cases); i++) {
        g_test_add(peer_cases[i].path, Fixture, &peer_cases[i], setup, test_peer_bytes, teardown);
    }
    ADD("peer/writer/excludes-us", test_peer_excludes_us);
    ADD("peer/we/exclude-it", test_we_exclude_peer);
    return g_test_run();
}
