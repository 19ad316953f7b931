/* SPDX-License-Identifier: MIT */
/* blkdebug's file of rules: parsed or refused, and what is parsed makes rules that can be used. */
#include "tests/fuzz/fuzz.h"

#include "block/drivers/blkdebug-config.h"
#include "block/drivers/blkdebug-rules.h"

static void use(const BlkdebugConfig *config)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();
    bool immediately;

    for (guint i = 0; i < MIN(config->injects->len, BLKDEBUG_MAX_RULES); i++) {
        g_assert_true(blkdebug_rules_add_inject(rules, config->injects->pdata[i], NULL));
    }
    for (guint i = 0; i < MIN(config->set_states->len, BLKDEBUG_MAX_RULES); i++) {
        g_assert_true(blkdebug_rules_add_set_state(rules, config->set_states->pdata[i], NULL));
    }
    for (int event = 0; event < BLKDEBUG_EVENT__MAX; event++) {
        blkdebug_rules_event(rules, (BlkdebugEvent)event);
        for (int iotype = 0; iotype < BLKDEBUG_IOTYPE__MAX; iotype++) {
            int ret = blkdebug_rules_check(rules, (BlkdebugIotype)iotype, 512, 1024,
                                           &immediately);

            g_assert_true(ret <= 0 && ret >= -4095);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkdebugConfig) config = blkdebug_config_parse((const char *)data, bytes, "c",
                                                             &error);

    g_assert_true(!config == (error != NULL));
    if (config) {
        use(config);
    } else {
        g_assert_true(g_str_has_prefix(error->message, "c:"));
    }
    return 0;
}
