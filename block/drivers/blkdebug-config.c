/* SPDX-License-Identifier: MIT */
/*
 * blkdebug's file of rules: sections [inject-error] and [set-state], each with lines
 * NAME = "VALUE", whose names and values are those of the options. "#" begins a comment. A section
 * may have an id, [inject-error "first"], which says nothing but has to be its own.
 *
 * Each line is checked when it is read, so that a message names the line that is wrong.
 */
#include "blkdebug-config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "blkdebug-rules.h"

#define CONFIG_BLANKS " \t\r\f\v"
#define CONFIG_ID_CHARS G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._"

/* Adds the rule that a section says, or (@config is NULL) only looks whether it says one. */
typedef bool ConfigAddFunc(BlkdebugConfig *config, const QDict *section, GError **error);

typedef struct ConfigGroup {
    const char *name;
    ConfigAddFunc *add;
} ConfigGroup;

typedef struct ConfigParser {
    const char *filename;
    int line;                   /* from 1 */
    BlkdebugConfig *config;
    GHashTable *ids;            /* "GROUP ID", owned */
    const ConfigGroup *group;   /* of the section that is open; NULL: none yet */
    QDict *section;             /* its values as texts; owned */
    int section_line;
} ConfigParser;

/* ---- what sections say ------------------------------------------------------ */

static bool config_add_inject(BlkdebugConfig *config, const QDict *section, GError **error)
{
    g_autoptr(BlkdebugInjectError) rule = qapi_BlkdebugInjectError_parse(section, error);

    if (!rule || !blkdebug_check_inject(rule, error)) {
        return false;
    }
    if (config) {
        g_ptr_array_add(config->injects, g_steal_pointer(&rule));
    }
    return true;
}

static bool config_add_set_state(BlkdebugConfig *config, const QDict *section, GError **error)
{
    g_autoptr(BlkdebugSetState) rule = qapi_BlkdebugSetState_parse(section, error);

    if (!rule || !blkdebug_check_set_state(rule, error)) {
        return false;
    }
    if (config) {
        g_ptr_array_add(config->set_states, g_steal_pointer(&rule));
    }
    return true;
}

static const ConfigGroup config_groups[] = {
    { "inject-error", config_add_inject },
    { "set-state", config_add_set_state },
};

/* ---- words of a line --------------------------------------------------------- */

static const char *config_skip_blanks(const char *p)
{
    return p + strspn(p, CONFIG_BLANKS);
}

/* Nothing but blanks or a comment. */
static bool config_is_over(const char *p)
{
    p = config_skip_blanks(p);
    return !*p || *p == '#';
}

/* The text between quotes at *@p, which moves behind them; NULL if there is none. */
static char *config_take_quoted(const char **p)
{
    const char *end = **p == '"' ? strchr(*p + 1, '"') : NULL;
    char *text;

    if (!end) {
        return NULL;
    }
    text = g_strndup(*p + 1, (gsize)(end - *p - 1));
    *p = end + 1;
    return text;
}

/* ---- sections ------------------------------------------------------------------ */

static bool config_end_section(ConfigParser *parser, GError **error)
{
    g_autoptr(QDict) section = g_steal_pointer(&parser->section);

    if (!section) {
        return true;
    }
    if (!qdict_haskey(section, "event")) {
        parser->line = parser->section_line;
        cairn_set_error(error, EINVAL, "Missing event name for rule");
        return false;
    }
    return parser->group->add(parser->config, section, error);
}

static const ConfigGroup *config_find_group(const char *name, size_t length, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(config_groups); i++) {
        if (strlen(config_groups[i].name) == length
            && !memcmp(config_groups[i].name, name, length)) {
            return &config_groups[i];
        }
    }
    cairn_set_error(error, EINVAL, "There is no option group '%.*s'", (int)length, name);
    return NULL;
}

static bool config_check_id(ConfigParser *parser, const char *id, GError **error)
{
    if (!g_ascii_isalpha(id[0]) || id[strspn(id, CONFIG_ID_CHARS)]) {
        cairn_set_error(error, EINVAL, "Parameter 'id' expects an identifier");
        cairn_error_append_hint(error, "Identifiers consist of letters, digits, '-', '.', '_', "
                                "starting with a letter.");
        return false;
    }
    if (!g_hash_table_add(parser->ids, g_strconcat(parser->group->name, " ", id, NULL))) {
        cairn_set_error(error, EEXIST, "Duplicate ID '%s' for %s", id, parser->group->name);
        return false;
    }
    return true;
}

/* @p: behind the group's name: ] or "id"] */
static bool config_read_id(ConfigParser *parser, const char *p, GError **error)
{
    g_autofree char *id = NULL;

    p = config_skip_blanks(p);
    if (*p == '"') {
        id = config_take_quoted(&p);
        p = config_skip_blanks(p);
    }
    if (*p != ']' || !config_is_over(p + 1)) {
        cairn_set_error(error, EINVAL, "Expected [GROUP] or [GROUP \"ID\"]");
        return false;
    }
    return !id || config_check_id(parser, id, error);
}

/* @p: behind the bracket */
static bool config_begin_section(ConfigParser *parser, const char *p, GError **error)
{
    size_t length = strcspn(p, CONFIG_BLANKS "]\"");

    if (!config_end_section(parser, error)) {
        return false;
    }
    parser->group = config_find_group(p, length, error);
    if (!parser->group || !config_read_id(parser, p + length, error)) {
        return false;
    }
    parser->section = qdict_new();
    parser->section_line = parser->line;
    return true;
}

/* ---- lines ---------------------------------------------------------------------- */

/* Alone with an event, so that what is wrong is wrong with this line. */
static bool config_check_value(const ConfigParser *parser, const char *name, const char *value,
                               GError **error)
{
    g_autoptr(QDict) single = qdict_new();

    qdict_put_str(single, "event", "none");
    qdict_put_str(single, name, value);
    return parser->group->add(NULL, single, error);
}

static bool config_read_value(ConfigParser *parser, const char *p, GError **error)
{
    size_t length = strcspn(p, CONFIG_BLANKS "=\"");
    g_autofree char *name = g_strndup(p, length);
    g_autofree char *value = NULL;

    p = config_skip_blanks(p + length);
    if (length && *p == '=') {
        p = config_skip_blanks(p + 1);
        value = config_take_quoted(&p);
    }
    if (!value || !config_is_over(p)) {
        cairn_set_error(error, EINVAL, "Expected NAME = \"VALUE\"");
        return false;
    }
    if (!parser->section) {
        cairn_set_error(error, EINVAL, "no group defined");
        return false;
    }
    if (!config_check_value(parser, name, value, error)) {
        return false;
    }
    qdict_put_str(parser->section, name, value);
    return true;
}

static bool config_read_line(ConfigParser *parser, const char *text, size_t bytes,
                             GError **error)
{
    g_autofree char *line = g_strndup(text, bytes);
    const char *p = config_skip_blanks(line);

    /* Also finds a NUL, which would hide the rest. */
    if (!g_utf8_validate(text, (gssize)bytes, NULL)) {
        cairn_set_error(error, EINVAL, "The line is not text in UTF-8");
        return false;
    }
    if (config_is_over(p)) {
        return true;
    }
    return *p == '[' ? config_begin_section(parser, p + 1, error)
                     : config_read_value(parser, p, error);
}

static bool config_read_all(ConfigParser *parser, const char *text, size_t bytes, GError **error)
{
    while (bytes > 0) {
        const char *newline = memchr(text, '\n', bytes);
        size_t length = newline ? (size_t)(newline - text) : bytes;
        size_t step = newline ? length + 1 : length;

        parser->line++;
        if (!config_read_line(parser, text, length, error)) {
            return false;
        }
        text += step;
        bytes -= step;
    }
    return config_end_section(parser, error);
}

/* ---- the file -------------------------------------------------------------------- */

static BlkdebugConfig *config_new(void)
{
    BlkdebugConfig *config = g_new(BlkdebugConfig, 1);

    config->injects = g_ptr_array_new_with_free_func((GDestroyNotify)qapi_BlkdebugInjectError_free);
    config->set_states = g_ptr_array_new_with_free_func((GDestroyNotify)qapi_BlkdebugSetState_free);
    return config;
}

void blkdebug_config_free(BlkdebugConfig *config)
{
    g_ptr_array_unref(config->injects);
    g_ptr_array_unref(config->set_states);
    g_free(config);
}

BlkdebugConfig *blkdebug_config_parse(const char *text, size_t bytes, const char *filename,
                                      GError **error)
{
    g_autoptr(BlkdebugConfig) config = config_new();
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ConfigParser parser = { .filename = filename, .config = config, .ids = ids };
    bool ok = config_read_all(&parser, text, bytes, error);

    qobject_unref(parser.section);
    if (!ok) {
        g_prefix_error(error, "%s:%d: ", filename, parser.line);
        return NULL;
    }
    return g_steal_pointer(&config);
}

/* Without waiting for whoever might open the other end of a FIFO. */
static int config_open(const char *filename)
{
    int fd = open(filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0) {
        fcntl(fd, F_SETFL, 0);
    }
    return fd;
}

/* How much there is, up to @size; -errno. */
static ssize_t config_load(int fd, char *buf, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = read(fd, buf + done, size - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : (ssize_t)done;
        }
        done += (size_t)n;
    }
    return (ssize_t)done;
}

BlkdebugConfig *blkdebug_config_read(const char *filename, GError **error)
{
    g_autofree char *text = g_malloc(BLKDEBUG_CONFIG_MAX_BYTES + 1);
    int fd = config_open(filename);
    ssize_t bytes;

    if (fd < 0) {
        cairn_set_error_errno(error, errno, "Could not read blkdebug config file");
        return NULL;
    }
    bytes = config_load(fd, text, BLKDEBUG_CONFIG_MAX_BYTES + 1);
    close(fd);
    if (bytes < 0) {
        cairn_set_error_errno(error, (int)-bytes, "Cannot read config file");
        return NULL;
    }
    if (bytes > BLKDEBUG_CONFIG_MAX_BYTES) {
        cairn_set_error(error, EFBIG, "%s: A config file has at most %d bytes", filename,
                        BLKDEBUG_CONFIG_MAX_BYTES);
        return NULL;
    }
    return blkdebug_config_parse(text, (size_t)bytes, filename, error);
}
