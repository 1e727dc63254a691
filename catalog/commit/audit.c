/*
 * audit.c - rows of the audit log, and what is told of a change.
 */
#include "catalog/commit/audit.h"

#include <string.h>

#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { KEY_BYTES = 24 };

static void key_of(int64_t ms, uint8_t key[KEY_BYTES])
{
    const struct uid uid = ids_uid();

    put_be64(key, (uint64_t)ms);
    memcpy(key + 8, uid.bytes, sizeof(uid.bytes));
}

/* Names come from requests, and a row must be printable whatever they are. */
static json_t *text_of(struct str s)
{
    json_t *text = json_of_str(s);
    return text ? text : json_string("?");
}

static json_t *row_of(const struct actor *who, int64_t ms, struct str operation, struct str object,
                      struct str outcome)
{
    char time[CLOCK_ISO_SIZE];

    clock_iso(ms, time);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", time, "request-id",
                     text_of(who->request_id), "principal", text_of(who->principal), "roles",
                     text_of(who->roles), "address", text_of(who->address), "catalog", text_of(who->catalog),
                     "operation", text_of(operation), "object", text_of(object), "outcome", text_of(outcome));
}

/* Details that would make a row too long are told by their size. */
static json_t *bounded(const json_t *details)
{
    struct buf out;

    buf_init(&out, LIMIT_AUDIT_DETAILS);
    const bool fits = json_print(details, &out).code == ERR_OK && !out.is_failed;
    buf_done(&out);
    return fits ? json_incref((json_t *)details) : json_pack("{s:b}", "too-long-to-keep", 1);
}

struct err audit_put(struct txn *txn, const struct actor *who, const char *operation, struct str object,
                     const json_t *details)
{
    uint8_t key[KEY_BYTES];
    const int64_t ms = clock_now_ms();
    CLEANUP(json_freep) json_t *row = row_of(who, ms, str_from_z(operation), object, STR("ok"));

    key_of(ms, key);
    if (row && details) (void)json_object_set_new(row, "details", bounded(details));
    return entity_put(txn, SPACE_AUDIT, str_of(key, sizeof(key)), row);
}

struct err audit_put_event(struct txn *txn, const struct audit_event *e)
{
    char last[CLOCK_ISO_SIZE];
    uint8_t key[KEY_BYTES];
    CLEANUP(json_freep) json_t *row = row_of(&e->who, e->first_ms, e->operation, e->object, e->outcome);

    key_of(e->first_ms, key);
    clock_iso(e->last_ms, last);
    if (row && e->status) (void)json_object_set_new(row, "status", json_integer(e->status));
    if (row && e->count > 1) {
        (void)json_object_set_new(row, "count", json_integer((json_int_t)e->count));
        (void)json_object_set_new(row, "last-time", json_string(last));
    }
    return entity_put(txn, SPACE_AUDIT, str_of(key, sizeof(key)), row);
}

/* ---- what is told of a change ---- */

static void add_name(json_t *list, json_t *name)
{
    if (json_array_size(list) < LIMIT_AUDIT_NAMES) (void)json_array_append_new(list, name);
    else json_decref(name);
}

static json_t *keys_of(const json_t *object)
{
    json_t *list = json_array(), *value;
    const char *key;

    json_object_foreach((json_t *)object, key, value)
    {
        add_name(list, json_string(key));
    }
    return list;
}

json_t *audit_of_properties(const json_t *properties)
{
    return json_pack("{s:o}", "properties", keys_of(properties));
}

/* clang-format off */
/* What is told of an update beside its action: the first field is kept as it is, of the second the keys alone. */
static const struct {
    const char *action, *kept, *keys;
} told[] = {
    { "add-snapshot",         NULL,              NULL },
    { "set-snapshot-ref",     "ref-name",        NULL },
    { "remove-snapshot-ref",  "ref-name",        NULL },
    { "remove-snapshots",     "snapshot-ids",    NULL },
    { "set-properties",       NULL,              "updates" },
    { "remove-properties",    "removals",        NULL },
    { "set-current-schema",   "schema-id",       NULL },
    { "remove-schemas",       "schema-ids",      NULL },
    { "set-default-spec",     "spec-id",         NULL },
    { "remove-partition-specs", "spec-ids",      NULL },
    { "set-location",         "location",        NULL },
    { "upgrade-format-version", "format-version", NULL },
};
/* clang-format on */

static json_t *first_of(const json_t *value)
{
    json_t *list, *item;
    size_t i;

    if (!json_is_array(value) || json_array_size(value) <= LIMIT_AUDIT_NAMES)
        return json_incref((json_t *)value);
    list = json_array();
    json_array_foreach(value, i, item)
    {
        add_name(list, json_incref(item));
    }
    return list;
}

static void tell_more(json_t *entry, const json_t *update, const char *action)
{
    const json_t *snapshot = json_object_get(update, "snapshot");

    if (snapshot) (void)json_object_set(entry, "snapshot-id", json_object_get(snapshot, "snapshot-id"));
    if (snapshot)
        (void)json_object_set(entry, "operation",
                              json_object_get(json_object_get(snapshot, "summary"), "operation"));
    if (strcmp(action, "set-snapshot-ref") == 0)
        (void)json_object_set(entry, "snapshot-id", json_object_get(update, "snapshot-id"));
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (strcmp(action, told[i].action) != 0) continue;
        const json_t *kept = told[i].kept ? json_object_get(update, told[i].kept) : NULL;
        if (kept) (void)json_object_set_new(entry, told[i].kept, first_of(kept));
        if (told[i].keys)
            (void)json_object_set_new(entry, "keys", keys_of(json_object_get(update, told[i].keys)));
    }
}

json_t *audit_of_updates(const json_t *updates)
{
    json_t *list = json_array(), *update;
    size_t i;

    json_array_foreach(updates, i, update)
    {
        const char *action = json_string_value(json_object_get(update, "action"));
        if (!action || i >= LIMIT_AUDIT_NAMES) continue;
        json_t *entry = json_pack("{s:s}", "action", action);
        if (entry) tell_more(entry, update, action);
        (void)json_array_append_new(list, entry);
    }
    return json_pack("{s:I, s:o}", "update-count", (json_int_t)json_array_size(updates), "updates", list);
}
