/* SPDX-License-Identifier: MIT */
/* The control plane's errors: see include/cairn/error.h. */
#include <cairn/error.h>

#include <errno.h>

G_DEFINE_QUARK(cairn-error-quark, cairn_error)

void cairn_set_error(GError **error, int err, const char *format, ...)
{
    int saved = errno;
    va_list ap;

    if (error) {
        va_start(ap, format);
        g_return_if_fail(*error == NULL);
        *error = g_error_new_valist(CAIRN_ERROR, err, format, ap);
        va_end(ap);
    }
    errno = saved;
}

void cairn_set_error_errno(GError **error, int err, const char *format, ...)
{
    int saved = errno;
    va_list ap;

    if (error) {
        g_autofree char *text = NULL;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        cairn_set_error(error, err, "%s: %s", text, g_strerror(err));
    }
    errno = saved;
}

void cairn_error_append_hint(GError **error, const char *format, ...)
{
    g_autofree char *hint = NULL;
    char *message;
    va_list ap;

    if (!error || !*error) {
        return;
    }
    va_start(ap, format);
    hint = g_strdup_vprintf(format, ap);
    va_end(ap);
    message = g_strdup_printf("%s\n%s", (*error)->message, hint);
    g_free((*error)->message);
    (*error)->message = message;
}

int cairn_error_errno(const GError *error)
{
    if (!error) {
        return 0;
    }
    return error->domain == CAIRN_ERROR && error->code > 0 ? error->code : EIO;
}
