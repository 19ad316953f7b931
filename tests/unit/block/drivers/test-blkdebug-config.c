/* SPDX-License-Identifier: MIT */
#include "block/drivers/blkdebug-config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static BlkdebugConfig *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    BlkdebugConfig *config = blkdebug_config_parse(text, strlen(text), "c", &error);

    g_assert_no_error(error);
    g_assert_nonnull(config);
    return config;
}

static const BlkdebugInjectError *inject_at(const BlkdebugConfig *config, guint i)
{
    g_assert_cmpuint(i, <, config->injects->len);
    return config->injects->pdata[i];
}

static void refuse_bytes(const char *text, size_t bytes, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(blkdebug_config_parse(text, bytes, "c", &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->domain, ==, CAIRN_ERROR);
    g_assert_cmpstr(error->message, ==, message);
}

static void refuse(const char *text, const char *message)
{
    refuse_bytes(text, strlen(text), message);
}

/* ---- what is understood ------------------------------------------------------ */

static void test_all(void)
{
    g_autoptr(BlkdebugConfig) config = parse(
        "# rules\n\n[inject-error]\nevent = \"write_aio\"\niotype = \"write-zeroes\"\n"
        "state = \"2\"\nerrno = \"28\"\nsector = \"-1\"\nskip = \"3\"\nonce = \"on\"\n"
        "immediately = \"yes\"\n[set-state]\nevent = \"none\"\nstate = \"1\"\n"
        "new_state = \"2\"\n");
    const BlkdebugInjectError *o = inject_at(config, 0);
    const BlkdebugSetState *s;

    g_assert_cmpuint(config->injects->len, ==, 1);
    g_assert_cmpint(o->event, ==, BLKDEBUG_EVENT_WRITE_AIO);
    g_assert_cmpint(o->iotype, ==, BLKDEBUG_IOTYPE_WRITE_ZEROES);
    g_assert_cmpint(o->state, ==, 2);
    g_assert_cmpint(o->q_errno, ==, 28);
    g_assert_cmpint(o->sector, ==, -1);
    g_assert_cmpint(o->skip, ==, 3);
    g_assert_true(o->once && o->immediately);
    g_assert_cmpuint(config->set_states->len, ==, 1);
    s = config->set_states->pdata[0];
    g_assert_cmpint(s->event, ==, BLKDEBUG_EVENT_NONE);
    g_assert_cmpint(s->new_state, ==, 2);
}

static void test_order(void)
{
    g_autoptr(BlkdebugConfig) config = parse(
        "[inject-error]\nevent = \"read_aio\"\n[set-state]\nevent = \"pwritev\"\n"
        "[inject-error]\nevent = \"write_aio\"\n");

    g_assert_cmpint(inject_at(config, 0)->event, ==, BLKDEBUG_EVENT_READ_AIO);
    g_assert_cmpint(inject_at(config, 1)->event, ==, BLKDEBUG_EVENT_WRITE_AIO);
    g_assert_cmpuint(config->set_states->len, ==, 1);
}

/* Blanks, comments, ends of lines, an id: none of it matters. */
static void test_spellings(void)
{
    static const char *const texts[] = {
        "[inject-error]\nevent = \"write_aio\"",
        "[inject-error]\nevent=\"write_aio\"\n",
        "  [inject-error]  # the first\n\t event \t=\t \"write_aio\" # why\n",
        "[inject-error]\r\nevent = \"write_aio\"\r\n",
        "\n\n#\n# x\n  # y\n[inject-error \"a.b-c_1\"]\n\nevent = \"write_aio\"\n\n",
        "[inject-error]\nevent = \"read_aio\"\nevent = \"write_aio\"\n",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(BlkdebugConfig) config = parse(texts[i]);

        g_assert_cmpuint(config->injects->len, ==, 1);
        g_assert_cmpint(inject_at(config, 0)->event, ==, BLKDEBUG_EVENT_WRITE_AIO);
        g_assert_false(inject_at(config, 0)->has_q_errno);
    }
}

static void test_nothing(void)
{
    static const char *const texts[] = { "", "\n", "#", "# x\n\n  \t\n" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(BlkdebugConfig) config = parse(texts[i]);

        g_assert_cmpuint(config->injects->len + config->set_states->len, ==, 0);
    }
}

/* ---- what is refused ------------------------------------------------------------ */

static void test_syntax(void)
{
    static const char *const wanted = "c:2: Expected NAME = \"VALUE\"";
    static const char *const lines[] = {
        "event", "event =", "event = write_aio", "event = \"write_aio", "= \"x\"", "=",
        "event \"write_aio\"", "event = \"write_aio\" garbage", "; comment", "\"event\" = \"x\"",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *text = g_strconcat("[inject-error]\n", lines[i], "\n", NULL);

        refuse(text, wanted);
    }
}

static void test_groups(void)
{
    refuse("event = \"none\"\n", "c:1: no group defined");
    refuse("\n[bogus]\n", "c:2: There is no option group 'bogus'");
    refuse("[]\n", "c:1: There is no option group ''");
    refuse("[inject-error\n", "c:1: Expected [GROUP] or [GROUP \"ID\"]");
    refuse("[inject-error] x\n", "c:1: Expected [GROUP] or [GROUP \"ID\"]");
    refuse("[inject-error \"a]\n", "c:1: Expected [GROUP] or [GROUP \"ID\"]");
    refuse("[inject-error a]\n", "c:1: Expected [GROUP] or [GROUP \"ID\"]");
    refuse("[inject-errors]\n", "c:1: There is no option group 'inject-errors'");
    refuse("[inject-error \"a\"]\nevent = \"none\"\n[inject-error \"a\"]\n",
           "c:3: Duplicate ID 'a' for inject-error");
}

static void test_ids(void)
{
    static const char *const ids[] = { "", "1a", "-", "a b", "a,", "\xc3\xa4" };

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autofree char *text = g_strdup_printf("[inject-error \"%s\"]\n", ids[i]);

        refuse(text, "c:1: Parameter 'id' expects an identifier\nIdentifiers consist of letters, "
               "digits, '-', '.', '_', starting with a letter.");
    }
}

static void test_same_id_of_two_groups(void)
{
    g_autoptr(BlkdebugConfig) config = parse("[inject-error \"a\"]\nevent = \"none\"\n"
                                             "[set-state \"a\"]\nevent = \"none\"\n");

    g_assert_cmpuint(config->injects->len + config->set_states->len, ==, 2);
}

static void test_values(void)
{
    refuse("[inject-error]\nevent = \"foo\"\n", "c:2: invalid parameter value: foo");
    refuse("[inject-error]\nevent = \"\"\n", "c:2: invalid parameter value: ");
    refuse("[inject-error]\nerrno = \"x\"\n", "c:2: Parameter 'errno' expects a number");
    refuse("[inject-error]\nerrno = \"-1\"\n",
           "c:2: Parameter 'errno' must be between 0 and 4095");
    refuse("[inject-error]\n\nonce = \"1\"\n", "c:3: Parameter 'once' expects 'on' or 'off'");
    refuse("[inject-error]\nbogus = \"1\"\n", "c:2: Parameter 'bogus' is unexpected");
    refuse("[inject-error]\nnew_state = \"1\"\n", "c:2: Parameter 'new_state' is unexpected");
    refuse("[set-state]\nerrno = \"1\"\n", "c:2: Parameter 'errno' is unexpected");
    refuse("[set-state]\nnew_state = \"99999999999\"\n",
           "c:2: Parameter 'new_state' must be between 0 and 2147483647");
    refuse("[inject-error]\nevent.x = \"none\"\n", "c:2: Parameter 'event.x' is unexpected");
}

/* The line of the section that lacks it. */
static void test_missing_event(void)
{
    refuse("[inject-error]\nerrno = \"5\"\n", "c:1: Missing event name for rule");
    refuse("\n[set-state]\n\n[inject-error]\nevent = \"none\"\n",
           "c:2: Missing event name for rule");
}

static void test_bytes(void)
{
    refuse_bytes("[inject-error]\nevent = \"none\"\0x\n", 32, "c:2: The line is not text in UTF-8");
    refuse_bytes("\0", 1, "c:1: The line is not text in UTF-8");
    refuse("#\n\xff\n", "c:2: The line is not text in UTF-8");
}

/* ---- files -------------------------------------------------------------------------- */

static char *config_dir;        /* made and removed by main */

static char *test_file(const char *name)
{
    return g_build_filename(config_dir, name, NULL);
}

static void refuse_file(const char *path, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(blkdebug_config_read(path, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    g_assert_true(g_str_has_suffix(error->message, message));
}

static void test_read(void)
{
    g_autofree char *path = test_file("config");
    g_autoptr(BlkdebugConfig) config = NULL;
    const char *text = "[inject-error]\nevent = \"none\"\n";

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    config = blkdebug_config_read(path, NULL);
    unlink(path);
    g_assert_nonnull(config);
    g_assert_cmpuint(config->injects->len, ==, 1);
}

static void test_unreadable(void)
{
    refuse_file("/nonexistent/x", ENOENT,
                "Could not read blkdebug config file: No such file or directory");
    refuse_file("/", EISDIR, "Cannot read config file: Is a directory");
}

static void test_too_large(void)
{
    g_autofree char *path = test_file("large");

    g_assert_true(g_file_set_contents(path, "#", -1, NULL));
    g_assert_cmpint(truncate(path, BLKDEBUG_CONFIG_MAX_BYTES + 1), ==, 0);
    refuse_file(path, EFBIG, "A config file has at most 1048576 bytes");
    unlink(path);
    refuse_file("/dev/zero", EFBIG, "A config file has at most 1048576 bytes");
}

/* A FIFO without a writer is empty; nobody waits for one. */
static void test_fifo(void)
{
    g_autofree char *path = test_file("fifo");
    g_autoptr(BlkdebugConfig) config = NULL;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    config = blkdebug_config_read(path, NULL);
    unlink(path);
    g_assert_nonnull(config);
    g_assert_cmpuint(config->injects->len, ==, 0);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    config_dir = g_dir_make_tmp("cairn-blkdebug-XXXXXX", NULL);
    g_assert_nonnull(config_dir);
    g_test_add_func("/blkdebug-config/parse/knows-all-options", test_all);
    g_test_add_func("/blkdebug-config/parse/keeps-the-order", test_order);
    g_test_add_func("/blkdebug-config/parse/blanks-and-comments-do-not-matter", test_spellings);
    g_test_add_func("/blkdebug-config/parse/may-say-nothing", test_nothing);
    g_test_add_func("/blkdebug-config/parse/ids-are-of-a-group", test_same_id_of_two_groups);
    g_test_add_func("/blkdebug-config/refused/what-is-no-assignment", test_syntax);
    g_test_add_func("/blkdebug-config/refused/what-is-no-group", test_groups);
    g_test_add_func("/blkdebug-config/refused/what-is-no-identifier", test_ids);
    g_test_add_func("/blkdebug-config/refused/bad-values-by-line", test_values);
    g_test_add_func("/blkdebug-config/refused/section-without-event", test_missing_event);
    g_test_add_func("/blkdebug-config/refused/what-is-no-text", test_bytes);
    g_test_add_func("/blkdebug-config/file/is-read", test_read);
    g_test_add_func("/blkdebug-config/file/unreadable-is-refused", test_unreadable);
    g_test_add_func("/blkdebug-config/file/too-large-is-refused", test_too_large);
    g_test_add_func("/blkdebug-config/file/fifo-is-not-waited-for", test_fifo);
    ret = g_test_run();
    g_assert_cmpint(rmdir(config_dir), ==, 0);
    g_free(config_dir);
    return ret;
}
