/*
 * update.c - the metadata updates of the REST specification: one row each, in its order.
 *
 * To add one: a row here, and its function in the file for its subject. A unit test compares the names with the specification's list.
 */
#include "catalog/commit/draft.h"

enum { TABLE = 1 << METADATA_TABLE, VIEW = 1 << METADATA_VIEW };

static const struct update_rule {
    const char *action;
    unsigned on;
    update_fn *apply;
} rules[] = {
    { "assign-uuid", TABLE | VIEW, update_assign_uuid },
    { "upgrade-format-version", TABLE | VIEW, update_upgrade_format },
    { "add-schema", TABLE | VIEW, update_add_schema },
    { "set-current-schema", TABLE, update_set_current_schema },
    { "add-spec", TABLE, update_add_spec },
    { "set-default-spec", TABLE, update_set_default_spec },
    { "add-sort-order", TABLE, update_add_order },
    { "set-default-sort-order", TABLE, update_set_default_order },
    { "add-snapshot", TABLE, update_add_snapshot },
    { "set-snapshot-ref", TABLE, update_set_ref },
    { "remove-snapshots", TABLE, update_remove_snapshots },
    { "remove-snapshot-ref", TABLE, update_remove_ref },
    { "set-location", TABLE | VIEW, update_set_location },
    { "set-properties", TABLE | VIEW, update_set_properties },
    { "remove-properties", TABLE | VIEW, update_remove_properties },
    { "add-view-version", VIEW, update_add_view_version },
    { "set-current-view-version", VIEW, update_set_view_version },
    { "set-statistics", TABLE, update_set_statistics },
    { "remove-statistics", TABLE, update_remove_statistics },
    { "set-partition-statistics", TABLE, update_set_partition_statistics },
    { "remove-partition-statistics", TABLE, update_remove_partition_statistics },
    { "remove-partition-specs", TABLE, update_remove_specs },
    { "remove-schemas", TABLE, update_remove_schemas },
    { "add-encryption-key", TABLE, update_add_key },
    { "remove-encryption-key", TABLE, update_remove_key },
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

const char *update_name(size_t i)
{
    return i < RULE_COUNT ? rules[i].action : NULL;
}

struct err update_apply(struct draft *d, const json_t *update)
{
    struct str action;

    if (!json_is_object(update)) return FAIL(ERR_INVALID, "an update must be an object");
    TRY(json_need_str(update, "action", &action));
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (!str_is(action, rules[i].action)) continue;
        if (!(rules[i].on & (1u << d->kind)))
            return err_fail(ERR_INVALID, "Cannot apply update %s here", rules[i].action);
        return rules[i].apply(d, update);
    }
    return err_fail(ERR_INVALID, "Unknown metadata update: %.*s", STR_ARG(action));
}
