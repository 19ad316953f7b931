/* SPDX-License-Identifier: MIT */
/* Secrets: what is accepted, the text of each refusal, and what is left in memory afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crypto/secret-int.h"

#define KEY_BASE64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="    /* 32 zero bytes */
#define IV_BASE64 "AAAAAAAAAAAAAAAAAAAAAA=="                            /* 16 zero bytes */
/* openssl enc -aes-256-cbc of "hello" under that key and vector */
#define SEALED_HELLO "wjXeJNI54DzI43fGBPymew=="

/* "a=1,b=2" -> the store's answer. */
static bool add(CairnSecrets *store, const char *props, GError **error)
{
    g_autoptr(QDict) dict = qdict_from_keyval(props, NULL, NULL);

    g_assert_nonnull(dict);
    return cairn_secrets_add(store, dict, error);
}

static void assert_added(CairnSecrets *store, const char *props)
{
    g_autoptr(GError) error = NULL;

    add(store, props, &error);
    g_assert_no_error(error);
}

static void assert_refused(CairnSecrets *store, const char *props, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(add(store, props, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    if (strchr(error->message, '\n')) {
        *strchr(error->message, '\n') = '\0';
    }
    g_assert_cmpstr(error->message, ==, message);
}

static void assert_secret(CairnSecrets *store, const char *id, const void *bytes, size_t n)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SecMem) mem = secrets_lookup(store, id, &error);

    g_assert_no_error(error);
    g_assert_cmpmem(mem->data, mem->size, bytes, n);
}

static void test_data(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();

    assert_added(store, "id=raw,data=12,,34");
    assert_secret(store, "raw", "12,34", 5);
    assert_added(store, "id=raw2,data=x,format=raw,iv=junk");
    assert_added(store, "id=b64,data=QUJD,format=base64");
    assert_secret(store, "b64", "ABC", 3);
    assert_added(store, "id=a-b._9,data=z");
    assert_added(store, "id=empty,data=");
    assert_secret(store, "empty", "", 0);
    g_assert_true(cairn_secrets_add_bytes(store, "bytes", "a\0b", 3, NULL));
    assert_secret(store, "bytes", "a\0b", 3);
}

static void test_file(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    g_autofree char *dir = g_dir_make_tmp("cairn-secret-XXXXXX", NULL);
    g_autofree char *name = g_build_filename(dir, "key", NULL);
    g_autofree char *props = g_strdup_printf("id=s,file=%s", name);
    g_autofree char *big = g_malloc0(20000);

    memset(big, 'k', 20000);
    g_assert_true(g_file_set_contents(name, big, 20000, NULL));
    assert_added(store, props);
    assert_secret(store, "s", big, 20000);

    g_assert_true(g_file_set_contents(name, "123456\n", 7, NULL));
    g_assert_true(cairn_secrets_remove(store, "s"));
    assert_added(store, props);
    assert_secret(store, "s", "123456\n", 7);
    g_unlink(name);
    g_rmdir(dir);
}

static void test_pipe(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    g_autofree char *props = NULL;
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_cmpint(write(fds[1], "from a pipe", 11), ==, 11);
    close(fds[1]);
    props = g_strdup_printf("id=s,file=/dev/fd/%d", fds[0]);
    assert_added(store, props);
    close(fds[0]);
    assert_secret(store, "s", "from a pipe", 11);
}

static void test_file_too_large(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();

    assert_refused(store, "id=s,file=/dev/zero", EFBIG,
                   "Unable to read /dev/zero: a secret has at most 1048576 bytes");
}

static void test_messages(void)
{
    const struct { const char *props; int code; const char *message; } cases[] = {
        { "id=s", EINVAL, "Either 'file' or 'data' must be provided" },
        { "id=s,data=a,file=b", EINVAL, "'file' and 'data' are mutually exclusive" },
        { "id=s,file=/nonexist", ENOENT,
          "Unable to read /nonexist: Failed to open file “/nonexist”: No such file or directory" },
        { "id=s,file=/", EISDIR, "Unable to read /: Error reading file “/”: Is a directory" },
        { "id=s,data=a,format=hex", EINVAL, "Parameter 'format' does not accept value 'hex'" },
        { "id=s,data=a,format=", EINVAL, "Parameter 'format' does not accept value ''" },
        { "id=s,data=!!,format=base64", EINVAL, "Base64 data contains invalid characters" },
        { "id=s,data=QQ=,format=base64", EINVAL, "Base64 data is cut short or wrongly padded" },
        { "id=s,data=a,bogus=1", EINVAL, "Parameter 'bogus' is unexpected" },
        { "data=a", EINVAL, "Parameter 'id' is missing" },
        { "id=,data=a", EINVAL, "Parameter 'id' expects an identifier" },
        { "id=1s,data=a", EINVAL, "Parameter 'id' expects an identifier" },
        { "id=s/t,data=a", EINVAL, "Parameter 'id' expects an identifier" },
        { "id=old,data=a", EEXIST,
          "attempt to add duplicate property 'old' to object (type 'container')" },
        { "id=old", EEXIST,
          "attempt to add duplicate property 'old' to object (type 'container')" },
        { "id=s,data=a,keyid=k", ENOENT, "No secret with id 'k'" },
        { "id=s,data=a,keyid=s", ENOENT, "No secret with id 's'" },
        { "id=s,data=a,keyid=old", EINVAL, "Key should be 32 bytes in length" },
        { "id=s,data=a,keyid=key", EINVAL, "IV is required to decrypt secret" },
        { "id=s,data=a,keyid=key,iv=AAAA", EINVAL, "IV should be 16 bytes in length not 3" },
        { "id=s,data=a,keyid=key,iv=!!", EINVAL, "Base64 data contains invalid characters" },
    };
    g_autoptr(CairnSecrets) store = cairn_secrets_new();

    assert_added(store, "id=old,data=x");
    assert_added(store, "id=key,data=" KEY_BASE64 ",format=base64");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_refused(store, cases[i].props, cases[i].code, cases[i].message);
        g_assert_false(secrets_has(store, "s"));
    }
    assert_secret(store, "old", "x", 1);
}

static void test_wrong_type(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    g_autoptr(QDict) props = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(props, "id", "s");
    qdict_put_int(props, "data", 123456);
    g_assert_false(cairn_secrets_add(store, props, &error));
    g_assert_cmpstr(error->message, ==, "Invalid parameter type for 'data', expected: string");
    g_assert_null(strstr(error->message, "123456"));
}

static void test_encrypted(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();

    assert_added(store, "id=key,data=" KEY_BASE64 ",format=base64");
    assert_added(store, "id=s,keyid=key,iv=" IV_BASE64 ",format=base64,data=" SEALED_HELLO);
    assert_secret(store, "s", "hello", 5);
}

/* Whatever is wrong with the payload, a caller who can try payloads learns one bit only. */
static void test_encrypted_garbage(void)
{
    const char *const payloads[] = {
        "AAAAAAAAAAAAAAAAAAAAAA==",             /* padding byte out of range */
        "wjXeJNI54DzI43fGBPymeg==",             /* last bit of the right one changed */
        "AAAA",                                 /* not whole blocks */
        "",
        /* openssl enc -nopad of 16 bytes that end in 00, in 11 (hex), and in 01 02 */
        "DjJWM+NnL1CZ648KV8OO+w==", "+q9oTf+MVT2UZ/4a90rFXQ==", "UAnsMVuSBe7YtPDSSfHnQA==",
        NULL,
    };
    g_autoptr(CairnSecrets) store = cairn_secrets_new();

    assert_added(store, "id=key,data=" KEY_BASE64 ",format=base64");
    assert_added(store, "id=other,data=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,format=base64");
    for (int i = 0; payloads[i]; i++) {
        g_autofree char *props = g_strdup_printf(
            "id=s,keyid=key,iv=" IV_BASE64 ",format=base64,data=%s", payloads[i]);

        assert_refused(store, props, EINVAL,
                       "Incorrect number of padding bytes found on decrypted data");
    }
    assert_refused(store, "id=s,keyid=other,iv=" IV_BASE64 ",format=base64,data=" SEALED_HELLO,
                   EINVAL, "Incorrect number of padding bytes found on decrypted data");
}

static void test_reader_outlives_remove(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    g_autoptr(SecMem) mem = NULL;
    g_autoptr(GError) error = NULL;

    assert_added(store, "id=s,data=borrowed");
    mem = secrets_lookup(store, "s", NULL);
    g_assert_true(cairn_secrets_remove(store, "s"));
    g_assert_false(cairn_secrets_remove(store, "s"));
    g_assert_cmpmem(mem->data, mem->size, "borrowed", 8);
    g_assert_null(secrets_lookup(store, "s", &error));
    g_assert_error(error, CAIRN_ERROR, ENOENT);
    g_assert_cmpstr(error->message, ==, "No secret with id 's'");
}

/* ---- nothing stays in memory -------------------------------------------- */

#define CANARY_BYTES 24

/*
 * The canary stands nowhere in this program but where it was put: it is made of its mirror image.
 */
static void canary_write(uint8_t *out)
{
    static const char mask[] = "\x1b\x51\x17\x42\x2c\x39\x0e\x61\x33\x5d\x7a\x19"
                               "\x44\x28\x6f\x05\x71\x3a\x12\x4c\x68\x23\x57\x0d";

    for (int i = 0; i < CANARY_BYTES; i++) {
        out[i] = mask[i] ^ (0x20 + i);
    }
}

static bool canary_at(const uint8_t *p)
{
    static const char mask[] = "\x1b\x51\x17\x42\x2c\x39\x0e\x61\x33\x5d\x7a\x19"
                               "\x44\x28\x6f\x05\x71\x3a\x12\x4c\x68\x23\x57\x0d";
    unsigned differ = 0;

    for (int i = 0; i < CANARY_BYTES; i++) {
        differ |= p[i] ^ mask[i] ^ (0x20 + i);
    }
    return !differ;
}

static int canary_count_range(int mem_fd, unsigned long start, unsigned long end)
{
    size_t n = end - start;
    g_autofree uint8_t *copy = g_malloc(n);
    ssize_t got = pread(mem_fd, copy, n, (off_t)start);
    int count = 0;

    for (ssize_t i = 0; i + CANARY_BYTES <= got; i++) {
        count += canary_at(copy + i);
    }
    if (got > 0) {
        explicit_bzero(copy, got);
    }
    return count;
}

/* ThreadSanitizer maps more than can be looked through. */
#ifdef __SANITIZE_THREAD__
#define CANARY_CAN_LOOK false
#else
#define CANARY_CAN_LOOK true
#endif

/* In the writable mappings of this process that are not huge (sanitizers' shadows). */
static int canary_count(void)
{
    g_autofree char *maps = NULL;
    g_auto(GStrv) lines = NULL;
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    int count = 0;

    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    lines = g_strsplit(maps, "\n", -1);
    for (char **line = lines; *line; line++) {
        unsigned long start, end;
        char mode[5];

        if (sscanf(*line, "%lx-%lx %4s", &start, &end, mode) == 3 && mode[1] == 'w' &&
            end - start < 64ul << 20) {
            count += canary_count_range(fd, start, end);
        }
    }
    close(fd);
    return count;
}

static void test_wiped(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    uint8_t canary[CANARY_BYTES];

    g_assert_cmpint(canary_count(), ==, 0);
    canary_write(canary);
    g_assert_true(cairn_secrets_add_bytes(store, "s", canary, sizeof(canary), NULL));
    explicit_bzero(canary, sizeof(canary));
    g_assert_cmpint(canary_count(), ==, 1);
    g_assert_true(cairn_secrets_remove(store, "s"));
    g_assert_cmpint(canary_count(), ==, 0);
}

static void test_wiped_file(void)
{
    CairnSecrets *store = cairn_secrets_new();
    g_autofree char *dir = g_dir_make_tmp("cairn-secret-XXXXXX", NULL);
    g_autofree char *name = g_build_filename(dir, "key", NULL);
    g_autofree char *props = g_strdup_printf("id=s,file=%s", name);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    uint8_t canary[CANARY_BYTES];

    canary_write(canary);
    g_assert_cmpint(write(fd, canary, sizeof(canary)), ==, sizeof(canary));
    close(fd);
    explicit_bzero(canary, sizeof(canary));
    assert_added(store, props);
    g_assert_cmpint(canary_count(), ==, 1);
    cairn_secrets_unref(store);
    g_assert_cmpint(canary_count(), ==, 0);
    g_unlink(name);
    g_rmdir(dir);
}

/* ---- threads ------------------------------------------------------------ */

typedef struct ThreadCase {
    CairnSecrets *store;
    int index;
    int added;                  /* of the ids that all threads compete for */
} ThreadCase;

static gpointer thread_body(gpointer opaque)
{
    ThreadCase *t = opaque;

    for (int i = 0; i < 50; i++) {
        g_autofree char *id = g_strdup_printf("shared%d", i);
        g_autofree char *own = g_strdup_printf("own%d", t->index);
        g_autoptr(SecMem) mem = NULL;

        t->added += cairn_secrets_add_bytes(t->store, id, id, strlen(id), NULL);
        mem = secrets_lookup(t->store, id, NULL);
        g_assert_cmpmem(mem->data, mem->size, id, strlen(id));
        g_assert_true(cairn_secrets_add_bytes(t->store, own, own, strlen(own), NULL));
        g_assert_true(cairn_secrets_remove(t->store, own));
    }
    return NULL;
}

static void test_threads(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    ThreadCase cases[4];
    GThread *threads[4];
    int added = 0;

    for (int i = 0; i < 4; i++) {
        cases[i] = (ThreadCase) { .store = store, .index = i };
        threads[i] = g_thread_new("secrets", thread_body, &cases[i]);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
        added += cases[i].added;
    }
    g_assert_cmpint(added, ==, 50);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crypto/secret/data/is-kept-decoded", test_data);
    g_test_add_func("/crypto/secret/file/is-kept-whole", test_file);
    g_test_add_func("/crypto/secret/pipe/is-read-to-its-end", test_pipe);
    g_test_add_func("/crypto/secret/endless-file/is-refused", test_file_too_large);
    g_test_add_func("/crypto/secret/each-mistake/has-its-message", test_messages);
    g_test_add_func("/crypto/secret/number-for-data/is-refused-unseen", test_wrong_type);
    g_test_add_func("/crypto/secret/encrypted/is-decrypted", test_encrypted);
    g_test_add_func("/crypto/secret/encrypted-garbage/has-one-message", test_encrypted_garbage);
    g_test_add_func("/crypto/secret/reader/outlives-removal", test_reader_outlives_remove);
    if (CANARY_CAN_LOOK) {
        g_test_add_func("/crypto/secret/removed/is-gone-from-memory", test_wiped);
        g_test_add_func("/crypto/secret/from-file/leaves-no-copy", test_wiped_file);
    }
    g_test_add_func("/crypto/secret/threads/agree-on-one-owner", test_threads);
    return g_test_run();
}
