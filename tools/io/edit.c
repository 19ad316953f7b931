/* SPDX-License-Identifier: MIT */
/*
 * cairn-io: editing, history and completion of lines at a terminal, where libedit was there to
 * build with. Without it, and on a terminal that can do nothing, lines are read as they are.
 */
#include "io/io.h"

#ifdef HAVE_LIBEDIT

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "common/tool.h"

#define EDIT_HISTORY_LINES 1000
#define EDIT_END 4              /* Ctrl-D */

struct IoEdit {
    IoShell *shell;
    EditLine *el;
    History *history;
    char *prompt;
    bool interrupted;
};

static IoEdit *edit_of(EditLine *el)
{
    void *edit = NULL;

    el_get(el, EL_CLIENTDATA, &edit);
    return edit;
}

static char *edit_prompt(EditLine *el)
{
    return edit_of(el)->prompt;
}

static void edit_redraw(void *opaque)
{
    IoEdit *edit = opaque;

    el_set(edit->el, EL_REFRESH);
}

/* One character, of one or more bytes; requests are served while it has not come. */
static int edit_getc(EditLine *el, wchar_t *out)
{
    IoEdit *edit = edit_of(el);
    mbstate_t state = { 0 };

    for (;;) {
        char byte;
        ssize_t bytes;
        size_t ret;

        if (!io_input_wait(edit->shell, edit_redraw, edit)) {
            edit->interrupted = true;
            errno = EINTR;
            return -1;
        }
        bytes = read(STDIN_FILENO, &byte, 1);
        if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (bytes <= 0) {
            return (int)bytes;
        }
        if (byte == '\0') {     /* what the system makes of one typed while a command ran */
            byte = EDIT_END;
        }
        ret = mbrtowc(out, &byte, 1, &state);
        if (ret <= 1) {
            return 1;
        }
        if (ret == (size_t)-1) {
            state = (mbstate_t) { 0 };  /* no character of this locale: dropped */
        }
    }
}

/* ---- completion ---- */

/* The names that begin with the @length bytes at @word. Free with g_ptr_array_unref(). */
static GPtrArray *edit_candidates(const char *word, size_t length)
{
    GPtrArray *names = g_ptr_array_new();

    for (const IoCommand *c = io_commands; c->name; c++) {
        if (!strncmp(c->name, word, length)) {
            g_ptr_array_add(names, (gpointer)c->name);
        }
    }
    return names;
}

/* How many bytes all of @names begin with. */
static size_t edit_common_length(const GPtrArray *names)
{
    const char *first = g_ptr_array_index(names, 0);
    size_t length = strlen(first);

    for (guint i = 1; i < names->len; i++) {
        const char *other = g_ptr_array_index(names, i);
        size_t same = 0;

        while (same < length && first[same] == other[same]) {
            same++;
        }
        length = same;
    }
    return length;
}

/* Where the name of a command that is being typed starts; NULL: the cursor stands elsewhere. */
static const char *edit_command_word(const LineInfo *line, size_t *length)
{
    const char *word = line->buffer;

    word += strspn(word, " ");
    if (line->cursor - word >= 5 && !strncmp(word, "help ", 5)) {
        word += 5;
    }
    if (word > line->cursor || memchr(word, ' ', (size_t)(line->cursor - word))) {
        return NULL;
    }
    *length = (size_t)(line->cursor - word);
    return word;
}

static unsigned char edit_complete(EditLine *el, int key)
{
    size_t length = 0, common;
    const char *word = edit_command_word(el_line(el), &length);
    g_autoptr(GPtrArray) names = word ? edit_candidates(word, length) : g_ptr_array_new();
    g_autofree char *more = NULL;

    if (names->len == 0) {
        return CC_ERROR;
    }
    common = edit_common_length(names);
    if (names->len > 1 && common == length) {
        putchar('\n');
        for (guint i = 0; i < names->len; i++) {
            printf("%s%s", (const char *)g_ptr_array_index(names, i),
                   i + 1 < names->len ? "  " : "\n");
        }
        fflush(stdout);
        return CC_REDISPLAY;
    }
    more = g_strdup_printf("%.*s%s", (int)(common - length),
                           (const char *)g_ptr_array_index(names, 0) + length,
                           names->len == 1 ? " " : "");
    return el_insertstr(el, more) < 0 ? CC_ERROR : CC_REFRESH;
}

/* ---- life ---- */

static void edit_set_up(IoEdit *edit)
{
    HistEvent event;

    history(edit->history, &event, H_SETSIZE, EDIT_HISTORY_LINES);
    history(edit->history, &event, H_SETUNIQUE, 1);
    el_set(edit->el, EL_CLIENTDATA, edit);
    el_set(edit->el, EL_PROMPT, edit_prompt);
    el_set(edit->el, EL_GETCFN, edit_getc);
    el_set(edit->el, EL_SIGNAL, 1);
    el_set(edit->el, EL_EDITOR, "emacs");
    el_set(edit->el, EL_HIST, history, edit->history);
    el_wset(edit->el, EL_ADDFN, L"complete-command", L"Complete a command", edit_complete);
    el_set(edit->el, EL_BIND, "^I", "complete-command", NULL);
    el_source(edit->el, NULL);  /* the user's own ~/.editrc */
}

IoEdit *io_edit_new(IoShell *shell)
{
    const char *term = g_getenv("TERM");
    IoEdit *edit;

    if (!term || !*term || !strcmp(term, "dumb")) {
        return NULL;
    }
    setlocale(LC_CTYPE, "");
    edit = g_new0(IoEdit, 1);
    edit->shell = shell;
    edit->prompt = g_strdup_printf("%s> ", tool_prog());
    edit->el = el_init(tool_prog(), stdin, stdout, stderr);
    edit->history = history_init();
    if (!edit->el || !edit->history) {
        io_edit_free(edit);
        return NULL;
    }
    edit_set_up(edit);
    return edit;
}

void io_edit_free(IoEdit *edit)
{
    if (!edit) {
        return;
    }
    if (edit->el) {
        el_end(edit->el);
    }
    if (edit->history) {
        history_end(edit->history);
    }
    g_free(edit->prompt);
    g_free(edit);
}

char *io_edit_line(IoEdit *edit, bool *interrupted)
{
    const char *line;
    HistEvent event;
    int length = 0;

    edit->interrupted = false;
    el_set(edit->el, EL_PREP_TERM, 1);  /* so that nothing is typed between prompt and this */
    line = el_gets(edit->el, &length);
    *interrupted = edit->interrupted;
    if (edit->interrupted) {
        el_reset(edit->el);
        return g_strdup("");
    }
    if (!line || length <= 0) {
        return NULL;
    }
    if (line[strspn(line, " \n")]) {
        history(edit->history, &event, H_ENTER, line);
    }
    return g_strndup(line, strcspn(line, "\n"));
}

#else

IoEdit *io_edit_new(IoShell *shell)
{
    return NULL;
}

void io_edit_free(IoEdit *edit)
{
}

char *io_edit_line(IoEdit *edit, bool *interrupted)
{
    g_assert_not_reached();
}

#endif
