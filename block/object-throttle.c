/* SPDX-License-Identifier: MIT */
/*
 * The object type throttle-group: limits that disks keep to together, as the filter "throttle"
 * asks for.
 */
#include "block/object-int.h"

#include <errno.h>
#include <inttypes.h>

#include "block/block-int.h"
#include "crypto/secret-int.h"
#include "util/throttle-group.h"

static const char *const kind_names[THROTTLE_KINDS] = {
    [THROTTLE_BPS_TOTAL] = "bps-total", [THROTTLE_BPS_READ] = "bps-read",
    [THROTTLE_BPS_WRITE] = "bps-write", [THROTTLE_IOPS_TOTAL] = "iops-total",
    [THROTTLE_IOPS_READ] = "iops-read", [THROTTLE_IOPS_WRITE] = "iops-write",
};

/* Where the limit @name is kept; NULL: there is none of that name. */
static int64_t *throttle_slot(ThrottleConfig *config, const char *name)
{
    if (!strcmp(name, "iops-size")) {
        return &config->iops_size;
    }
    for (int i = 0; i < THROTTLE_KINDS; i++) {
        ThrottleLimit *limit = &config->limits[i];
        const char *rest = g_str_has_prefix(name, kind_names[i]) ? name + strlen(kind_names[i])
                                                                 : "no";

        if (!*rest) {
            return &limit->rate;
        }
        if (!strcmp(rest, "-max")) {
            return &limit->burst;
        }
        if (!strcmp(rest, "-max-length")) {
            return &limit->burst_length;
        }
    }
    return NULL;
}

/* ---- values ---------------------------------------------------------------------- */

static bool throttle_number_of_text(const char *key, const char *text, int64_t *number,
                                    GError **error)
{
    char *end;

    errno = 0;
    *number = g_ascii_strtoll(text, &end, 0);
    if (errno || end == text || *end) {
        cairn_set_error(error, EINVAL, "Parameter '%s' expects integer", key);
        return false;
    }
    return true;
}

static bool throttle_number(const ObjectText *text, const char *key, const QObject *value,
                            int64_t *number, GError **error)
{
    const char *string = qobject_get_str(value);

    if (string && !text->is_json) {
        return throttle_number_of_text(key, string, number, error);
    }
    if (!qobject_get_int(value, number)) {
        cairn_set_error(error, EINVAL, "Invalid parameter type for '%s', expected: integer", key);
        return false;
    }
    return true;
}

/* Two spellings: "x-NAME" and "limits.NAME". */
static const char *throttle_name_of(const char *key)
{
    return g_str_has_prefix(key, "x-") ? key + strlen("x-")
        : g_str_has_prefix(key, "limits.") ? key + strlen("limits.") : NULL;
}

static bool throttle_set(ThrottleConfig *config, const ObjectText *text, const char *key,
                         const QObject *value, GError **error)
{
    const char *name = throttle_name_of(key);
    int64_t *slot = name ? throttle_slot(config, name) : NULL;
    int64_t number;

    if (!slot) {
        cairn_set_error(error, EINVAL, "Parameter '%s' is unexpected", key);
        cairn_error_append_hint(error, "Its limits are bps-total, bps-read, bps-write, "
                                "iops-total, iops-read, iops-write, each also with -max and "
                                "-max-length, and iops-size; each behind 'x-' or 'limits.'");
        return false;
    }
    if (!throttle_number(text, key, value, &number, error)) {
        return false;
    }
    if (number < 0 && g_str_has_prefix(key, "x-")) {
        cairn_set_error(error, EINVAL, "Property values cannot be negative");
        return false;
    }
    if (g_str_has_suffix(key, "-length") && (number < 0 || number > UINT32_MAX)) {
        cairn_set_error(error, EINVAL, "%s value must be in the range [0, %" PRIu32 "]", key,
                        UINT32_MAX);
        return false;
    }
    *slot = number;
    return true;
}

static bool throttle_parse(ThrottleConfig *config, const ObjectText *text, GError **error)
{
    throttle_config_init(config);
    for (size_t i = 0; i < qdict_size(text->props); i++) {
        const char *key = qdict_key_at(text->props, i);
        QObject *value = qdict_value_at(text->props, i);

        if (!strcmp(key, "id")) {
            continue;
        }
        if (!strcmp(key, "limits")) {
            if (qobject_to_qdict(value)) {
                continue;           /* {} */
            }
            cairn_set_error(error, EINVAL, "Invalid parameter type for 'limits', expected: object");
            return false;
        }
        if (!throttle_set(config, text, key, value, error)) {
            return false;
        }
    }
    return throttle_config_check(config, error);
}

/* ---- the type ----------------------------------------------------------------------- */

static bool throttle_check_id(const ObjectText *text, GError **error)
{
    if (!text->id) {
        cairn_set_error(error, EINVAL, qdict_haskey(text->props, "id")
                        ? "Invalid parameter type for 'id', expected: string"
                        : "Parameter 'id' is missing");
        return false;
    }
    if (!object_check_id(text->id, error)) {
        return false;
    }
    if (secrets_has(cairn_context_get_secrets(text->ctx), text->id)) {
        object_set_duplicate(text->id, error);
        return false;
    }
    return true;
}

static void throttle_unref(void *opaque)
{
    throttle_group_unref(opaque);
}

static bool throttle_add(ObjectText *text, GError **error)
{
    ThrottleConfig config;

    qdict_flatten(text->props);
    text->id = qdict_get_try_str(text->props, "id");
    if (text->data) {
        cairn_set_error(error, EINVAL, "Parameter 'data' is unexpected");
        return false;
    }
    if (!throttle_check_id(text, error) || !throttle_parse(&config, text, error)) {
        return false;
    }
    object_insert(text->ctx, object_throttle_group.name, text->id, throttle_group_new(&config),
                  throttle_unref);
    return true;
}

const ObjectType object_throttle_group = {
    .name = "throttle-group",
    .help = "  limits=<ThrottleLimits>\n"
            "  x-bps-read-max-length=<int>\n"
            "  x-bps-read-max=<int>\n"
            "  x-bps-read=<int>\n"
            "  x-bps-total-max-length=<int>\n"
            "  x-bps-total-max=<int>\n"
            "  x-bps-total=<int>\n"
            "  x-bps-write-max-length=<int>\n"
            "  x-bps-write-max=<int>\n"
            "  x-bps-write=<int>\n"
            "  x-iops-read-max-length=<int>\n"
            "  x-iops-read-max=<int>\n"
            "  x-iops-read=<int>\n"
            "  x-iops-size=<int>\n"
            "  x-iops-total-max-length=<int>\n"
            "  x-iops-total-max=<int>\n"
            "  x-iops-total=<int>\n"
            "  x-iops-write-max-length=<int>\n"
            "  x-iops-write-max=<int>\n"
            "  x-iops-write=<int>\n",
    .add = throttle_add,
};
