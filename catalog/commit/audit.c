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

/* As text, cut where it is too long, between two characters. */
static json_t *name_of(struct str name)
{
    size_t len = name.len < LIMIT_AUDIT_NAME ? name.len : LIMIT_AUDIT_NAME;

    while (len && len < name.len && ((unsigned char)name.data[len] & 0xc0) == 0x80) len--;
    return text_of(str_slice(name, 0, len));
}

static json_t *value_of(const json_t *value)
{
    return json_is_string(value) ? name_of(json_str(value)) : json_deep_copy(value);
}

/* A list that is being told, and the bytes that it shares with others. */
struct telling {
    json_t *list;
    size_t *left;
    json_int_t more; /* names for which there was no room */
};

static void add_name(struct telling *t, json_t *name)
{
    const size_t bytes = json_dumpb(name, NULL, 0, JSON_ENCODE_ANY) + 1;

    if (t->more || bytes > *t->left || json_array_size(t->list) == LIMIT_AUDIT_NAMES) {
        t->more++;
        json_decref(name);
        return;
    }
    *t->left -= bytes;
    (void)json_array_append_new(t->list, name);
}

/* entry[field]: the items of an array, or the keys of an object, as far as there is room; entry["more"]: how many there are besides. */
static void tell_names(json_t *entry, const char *field, const json_t *from, size_t *left)
{
    struct telling t = { .list = json_array(), .left = left };
    const char *key;
    json_t *value;
    size_t i;

    json_object_foreach((json_t *)from, key, value)
    {
        add_name(&t, name_of(str_from_z(key)));
    }
    json_array_foreach(from, i, value)
    {
        add_name(&t, value_of(value));
    }
    (void)json_object_set_new(entry, field, t.list);
    if (!t.more) return;
    t.more += json_integer_value(json_object_get(entry, "more"));
    (void)json_object_set_new(entry, "more", json_integer(t.more));
}

json_t *audit_of_properties(const json_t *properties)
{
    json_t *details = json_object();
    size_t left = LIMIT_AUDIT_TOLD;

    tell_names(details, "properties", properties, &left);
    return details;
}

json_t *audit_of_lists(const json_t *lists)
{
    json_t *details = json_object(), *list;
    size_t left = LIMIT_AUDIT_TOLD;
    const char *name;

    json_object_foreach((json_t *)lists, name, list)
    {
        tell_names(details, name, list, &left);
    }
    return details;
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

static void tell_kept(json_t *entry, const char *field, const json_t *value, size_t *left)
{
    if (json_is_array(value)) tell_names(entry, field, value, left);
    else if (value) (void)json_object_set_new(entry, field, value_of(value));
}

static void tell_more(json_t *entry, const json_t *update, const char *action, size_t *left)
{
    const json_t *snapshot = json_object_get(update, "snapshot");

    if (snapshot) (void)json_object_set(entry, "snapshot-id", json_object_get(snapshot, "snapshot-id"));
    if (snapshot)
        tell_kept(entry, "operation", json_object_get(json_object_get(snapshot, "summary"), "operation"),
                  left);
    if (strcmp(action, "set-snapshot-ref") == 0)
        (void)json_object_set(entry, "snapshot-id", json_object_get(update, "snapshot-id"));
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        if (strcmp(action, told[i].action) != 0) continue;
        if (told[i].kept) tell_kept(entry, told[i].kept, json_object_get(update, told[i].kept), left);
        if (told[i].keys) tell_names(entry, "keys", json_object_get(update, told[i].keys), left);
    }
}

/* An update that there is no room for is in the counts all the same. The last one may go beyond by what it has besides a list of names. */
static void tell_update(json_t *list, const json_t *update, const char *action, size_t *left)
{
    size_t rest = *left;

    if (*left == 0 || json_array_size(list) == LIMIT_AUDIT_NAMES) return;
    json_t *entry = json_pack("{s:s}", "action", action);
    if (entry) tell_more(entry, update, action, &rest);
    const size_t bytes = json_dumpb(entry, NULL, 0, 0);
    *left -= bytes < *left ? bytes : *left;
    (void)json_array_append_new(list, entry);
}

static void count_action(json_t *counts, const char *action)
{
    const json_int_t n = json_integer_value(json_object_get(counts, action));
    (void)json_object_set_new(counts, action, json_integer(n + 1));
}

json_t *audit_of_updates(const json_t *updates, size_t bytes_max)
{
    json_t *list = json_array(), *counts = json_object(), *update;
    size_t i, left = bytes_max;

    json_array_foreach(updates, i, update)
    {
        const char *action = json_string_value(json_object_get(update, "action"));
        if (!action) continue;
        count_action(counts, action);
        tell_update(list, update, action, &left);
    }
    return json_pack("{s:I, s:o, s:o}", "update-count", (json_int_t)json_array_size(updates), "actions",
                     counts, "updates", list);
}
