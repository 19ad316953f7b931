/* SPDX-License-Identifier: MIT */
/*
 * cairn-img drivers: every driver with its options, straight from the library's tables.
 */
#include "img/img.h"

#include <errno.h>
#include <stdio.h>

typedef struct DriversArgs {
    ImgCommon common;
    char **names;               /* of argv: only these; none: all */
    int name_count;
} DriversArgs;

static ImgStep drivers_parse(Img *img, DriversArgs *args, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        IMG_LONG_OPTIONS_POLICY,
        { "output", required_argument, NULL, IMG_OPTION_OUTPUT },
        { NULL },
    };
    ImgStep step = IMG_STEP_RUN;
    bool known;
    int c;

    while (step == IMG_STEP_RUN &&
           (c = tool_getopt(argc, argv, ":h", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
    }
    args->names = argv + optind;
    args->name_count = argc - optind;
    return step == IMG_STEP_RUN && !img_check_output(&args->common, error) ? IMG_STEP_FAILED
                                                                           : step;
}

/* ---- for people ---- */

static void drivers_print_option(const QDict *option)
{
    const char *help = qdict_get_try_str(option, "help");
    const char *fallback = qdict_get_try_str(option, "default");
    const QList *choices = qobject_to_qlist(qdict_get(option, "choices"));
    g_autofree char *spelling = g_strdup_printf("%s=<%s>", qdict_get_try_str(option, "name"),
                                                qdict_get_try_str(option, "type"));

    printf("    %-28s %s", spelling, help ? help : "");
    for (size_t i = 0; choices && i < qlist_size(choices); i++) {
        printf("%s%s", i ? ", " : ": ", qobject_get_str(qlist_at(choices, i)));
    }
    if (fallback) {
        printf(" (default: %s)", fallback);
    }
    if (qdict_get_try_bool(option, "reopenable", false)) {
        printf(" [reopen]");
    }
    putchar('\n');
}

static void drivers_print_options(const QDict *driver, const char *key, const char *title)
{
    const QList *options = qobject_to_qlist(qdict_get(driver, key));

    if (!options || qlist_size(options) == 0) {
        return;
    }
    printf("  %s:\n", title);
    for (size_t i = 0; i < qlist_size(options); i++) {
        drivers_print_option(qobject_to_qdict(qlist_at(options, i)));
    }
}

static void drivers_print_driver(const QDict *driver)
{
    const QList *can = qobject_to_qlist(qdict_get(driver, "can"));
    const char *prefix = qdict_get_try_str(driver, "prefix");

    printf("%s (%s", qdict_get_try_str(driver, "name"), qdict_get_try_str(driver, "kind"));
    if (prefix) {
        printf(", names %s:...", prefix);
    }
    printf(")\n");
    for (size_t i = 0; can && i < qlist_size(can); i++) {
        printf("%s%s", i ? ", " : "  Can: ", qobject_get_str(qlist_at(can, i)));
    }
    if (can && qlist_size(can)) {
        putchar('\n');
    }
    drivers_print_options(driver, "runtime-options", "Runtime options");
    drivers_print_options(driver, "create-options", "Creation options");
}

static void drivers_print_human(const QDict *all, const QList *drivers, bool is_complete)
{
    for (size_t i = 0; i < qlist_size(drivers); i++) {
        printf("%s", i ? "\n" : "");
        drivers_print_driver(qobject_to_qdict(qlist_at(drivers, i)));
    }
    if (is_complete) {
        printf("\nEvery driver\n");
        drivers_print_options(all, "common-options", "Runtime options");
    }
}

/* ---- the command ---- */

static QObject *drivers_find(Img *img, const QList *all, const char *name, GError **error)
{
    g_auto(GStrv) known = cairn_context_list_drivers(img->ctx, false);

    for (size_t i = 0; i < qlist_size(all); i++) {
        QObject *driver = qlist_at(all, i);

        if (!g_strcmp0(qdict_get_try_str(qobject_to_qdict(driver), "name"), name)) {
            return driver;
        }
    }
    cairn_set_error(error, ENOENT, "Unknown driver '%s'", name);
    cairn_error_append_nearest(error, name, (const char *const *)known);
    return NULL;
}

static QList *drivers_choose(Img *img, const DriversArgs *args, const QDict *all, GError **error)
{
    QList *every = qobject_to_qlist(qdict_get(all, "drivers"));
    g_autoptr(QList) chosen = qlist_new();

    if (args->name_count == 0) {
        return qobject_ref(every);
    }
    for (int i = 0; i < args->name_count; i++) {
        QObject *driver = drivers_find(img, every, args->names[i], error);

        if (!driver) {
            return NULL;
        }
        qlist_append_obj(chosen, qobject_ref(driver));
    }
    return g_steal_pointer(&chosen);
}

int img_drivers(Img *img, int argc, char **argv, GError **error)
{
    DriversArgs args = { 0 };
    ImgStep step = drivers_parse(img, &args, argc, argv, error);
    g_autoptr(QDict) all = NULL;
    g_autoptr(QList) chosen = NULL;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    all = cairn_describe_drivers(img->ctx);
    chosen = drivers_choose(img, &args, all, error);
    if (!chosen) {
        return 1;
    }
    if (args.common.is_json) {
        g_autofree char *text = NULL;

        qdict_put(all, "drivers", qobject_ref(chosen));
        text = qobject_to_json(QOBJECT(all), true);
        puts(text);
    } else {
        drivers_print_human(all, chosen, args.name_count == 0);
    }
    return 0;
}
