/* SPDX-License-Identifier: MIT */
/* The description of drivers: what the tables say, for built-in drivers and others. */
#include "mem-driver.h"

static const char *const describe_choices[] = { "red", "green", NULL };

static const OptionDesc describe_options[] = {
    { "colour", OPTION_STRING, "Looks", "red", true, describe_choices },
    { "count", OPTION_NUMBER, NULL },
    { NULL },
};

static const BlockDriver bdrv_described = {
    .format_name = "a-filter", .is_filter = true, .runtime_options = describe_options,
};

static const QDict *find(const QList *list, const char *name)
{
    for (size_t i = 0; i < qlist_size(list); i++) {
        const QDict *dict = qobject_to_qdict(qlist_at(list, i));

        if (!g_strcmp0(qdict_get_try_str(dict, "name"), name)) {
            return dict;
        }
    }
    return NULL;
}

static const QList *list_of(const QDict *dict, const char *key)
{
    return qobject_to_qlist(qdict_get(dict, key));
}

static void test_all_drivers_by_name(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(QDict) all = cairn_describe_drivers(ctx);
    g_auto(GStrv) names = cairn_context_list_drivers(ctx, false);
    const QList *drivers = list_of(all, "drivers");

    g_assert_cmpuint(qlist_size(drivers), ==, g_strv_length(names));
    for (size_t i = 0; i < qlist_size(drivers); i++) {
        const QDict *driver = qobject_to_qdict(qlist_at(drivers, i));

        g_assert_cmpstr(qdict_get_try_str(driver, "name"), ==, names[i]);
    }
    g_assert_nonnull(find(list_of(all, "common-options"), "node-name"));
}

static void test_own_driver(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    const QDict *driver, *option;

    g_assert_true(bdrv_register(ctx, &bdrv_described, NULL));
    g_autoptr(QDict) all = cairn_describe_drivers(ctx);

    driver = find(list_of(all, "drivers"), "a-filter");
    g_assert_cmpstr(qdict_get_try_str(driver, "kind"), ==, "filter");
    g_assert_null(qdict_get_try_str(driver, "prefix"));
    g_assert_cmpuint(qlist_size(list_of(driver, "can")), ==, 0);
    option = find(list_of(driver, "runtime-options"), "colour");
    g_assert_cmpstr(qdict_get_try_str(option, "type"), ==, "str");
    g_assert_cmpstr(qdict_get_try_str(option, "help"), ==, "Looks");
    g_assert_cmpstr(qdict_get_try_str(option, "default"), ==, "red");
    g_assert_true(qdict_get_try_bool(option, "reopenable", false));
    g_assert_cmpuint(qlist_size(list_of(option, "choices")), ==, 2);
    option = find(list_of(driver, "runtime-options"), "count");
    g_assert_cmpstr(qdict_get_try_str(option, "type"), ==, "int");
    g_assert_false(qdict_haskey(option, "help") || qdict_haskey(option, "reopenable"));
}

static void test_abilities(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(QDict) all = cairn_describe_drivers(ctx);
    const QDict *qcow = find(list_of(all, "drivers"), "qcow");
    const QDict *file = find(list_of(all, "drivers"), "file");

    g_assert_cmpstr(qdict_get_try_str(qcow, "kind"), ==, "format");
    g_assert_cmpstr(qdict_get_try_str(file, "kind"), ==, "protocol");
    g_assert_cmpstr(qdict_get_try_str(file, "prefix"), ==, "file");
    g_assert_cmpstr(qobject_get_str(qlist_at((QList *)list_of(qcow, "can"), 0)), ==, "create");
    g_assert_nonnull(find(list_of(qcow, "create-options"), "cluster_size"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/describe/all-drivers/stand-by-name", test_all_drivers_by_name);
    g_test_add_func("/describe/own-driver/is-told-by-its-table", test_own_driver);
    g_test_add_func("/describe/abilities/are-those-of-the-driver", test_abilities);
    return g_test_run();
}
