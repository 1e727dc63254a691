/*
 * update_snapshot.c - snapshots and the refs that name them.
 *
 * "Retry" failures (a sequence number or first row id that another commit has overtaken) are 409, as the reference's RetryableValidationException: the client rebases.
 */
#include "catalog/commit/draft.h"

#include <inttypes.h>
#include <stdio.h>

#include "storage/base/thread.h"

static void id_text(int64_t id, char out[24])
{
    (void)snprintf(out, 24, "%" PRId64, id);
}

static bool was_added(const struct draft *d, int64_t id)
{
    char text[24];

    id_text(id, text);
    return json_object_get(d->added_snapshots, text) != NULL;
}

/* ---- add-snapshot ---- */

static struct err check_base(const struct draft *d)
{
    if (!draft_binding_schema(d))
        return FAIL(ERR_INVALID, "Attempting to add a snapshot before a schema is added");
    if (json_array_size(json_object_get(d->metadata, "partition-specs")) == 0)
        return FAIL(ERR_INVALID, "Attempting to add a snapshot before a partition spec is added");
    if (json_array_size(json_object_get(d->metadata, "sort-orders")) == 0)
        return FAIL(ERR_INVALID, "Attempting to add a snapshot before a sort order is added");
    return OK;
}

static struct err check_sequence(struct draft *d, const json_t *snapshot)
{
    int64_t sequence = 0, parent = -1;

    if (draft_format(d) < 2) return OK;
    TRY(json_need_i64(snapshot, "sequence-number", &sequence));
    TRY(json_want_i64(snapshot, "parent-snapshot-id", &parent));
    const int64_t last = draft_int(d, "last-sequence-number", 0);
    if (sequence <= last && parent >= 0)
        return err_fail(ERR_COMMIT_FAILED,
                        "Cannot add snapshot with sequence number %" PRId64
                        " older than last sequence number %" PRId64,
                        sequence, last);
    if (sequence > last) draft_set_int(d, "last-sequence-number", sequence);
    return OK;
}

static struct err check_rows(struct draft *d, const json_t *snapshot)
{
    int64_t first = 0, added = 0;

    if (draft_format(d) < 3) return OK;
    if (!json_is_integer(json_object_get(snapshot, "first-row-id")))
        return FAIL(ERR_INVALID, "Cannot add a snapshot: first-row-id is null");
    TRY(json_need_i64(snapshot, "first-row-id", &first));
    TRY(json_want_i64(snapshot, "added-rows", &added));
    const int64_t next = draft_int(d, "next-row-id", 0);
    if (first < next)
        return err_fail(ERR_COMMIT_FAILED,
                        "Cannot add a snapshot, first-row-id is behind table next-row-id: %" PRId64
                        " < %" PRId64,
                        first, next);
    if (added < 0) return FAIL(ERR_INVALID, "Cannot add a snapshot: added-rows is negative");
    if (__builtin_add_overflow(first, added, &first))
        return FAIL(ERR_INVALID, "Cannot add a snapshot: its row ids are out of range");
    draft_set_int(d, "next-row-id", first);
    return OK;
}

static struct err check_snapshot(const json_t *snapshot)
{
    struct str list = STR_NONE;
    int64_t number;

    TRY(json_need_i64(snapshot, "snapshot-id", &number));
    if (number < 0) return FAIL(ERR_INVALID, "field 'snapshot-id' is negative");
    TRY(json_need_i64(snapshot, "timestamp-ms", &number));
    TRY(json_want_str(snapshot, "manifest-list", &list));
    return OK;
}

struct err update_add_snapshot(struct draft *d, const json_t *update)
{
    json_t *snapshot, *list;
    int64_t id;
    char text[24];

    TRY(json_need_object(update, "snapshot", &snapshot));
    TRY(check_snapshot(snapshot));
    TRY(check_base(d));
    TRY(json_need_i64(snapshot, "snapshot-id", &id));
    if (draft_find(d, "snapshots", "snapshot-id", id))
        return err_fail(ERR_INVALID, "Snapshot already exists for id: %" PRId64, id);
    TRY(check_sequence(d, snapshot));
    TRY(check_rows(d, snapshot));
    list = draft_own(d, "snapshots", true);
    id_text(id, text);
    if (!list || json_array_append(list, snapshot) != 0) return no_memory();
    if (json_object_set_new(d->added_snapshots, text, json_true()) != 0) return no_memory();
    return OK;
}

/* ---- refs ---- */

/* main moves: current-snapshot-id follows, and the log gets an entry with the snapshot's own time when it is new, else with this commit's (a rollback). */
static struct err move_main(struct draft *d, const json_t *snapshot, int64_t id)
{
    const int64_t time = was_added(d, id) ? json_integer_value(json_object_get(snapshot, "timestamp-ms"))
                                          : d->now_ms;

    if (draft_int(d, "current-snapshot-id", -1) == id) return OK;
    json_t *log = draft_own(d, "snapshot-log", true);
    json_t *entry = json_pack("{s:I, s:I}", "timestamp-ms", (json_int_t)time, "snapshot-id", (json_int_t)id);
    if (!log || !entry || json_array_append_new(log, entry) != 0) return no_memory();
    draft_set_int(d, "current-snapshot-id", id);
    return OK;
}

static const char *const retention_fields[] = { "min-snapshots-to-keep", "max-snapshot-age-ms",
                                                "max-ref-age-ms" };

static struct err ref_of_update(const json_t *update, int64_t id, json_t **ret)
{
    struct str type;

    TRY(json_need_str(update, "type", &type));
    const bool is_tag = str_is_nocase(type, "tag");
    if (!is_tag && !str_is_nocase(type, "branch"))
        return err_fail(ERR_INVALID, "Invalid ref type: %.*s", STR_ARG(type));
    json_t *ref = json_pack("{s:I, s:s}", "snapshot-id", (json_int_t)id, "type", is_tag ? "tag" : "branch");
    if (!ref) return no_memory();
    for (size_t i = 0; i < sizeof(retention_fields) / sizeof(retention_fields[0]); i++) {
        const json_t *value = json_object_get(update, retention_fields[i]);
        const bool is_for_tags = i == 2;
        if (!value || json_is_null(value)) continue;
        if (!json_is_integer(value) || json_integer_value(value) <= 0 || (is_tag && !is_for_tags)) {
            json_decref(ref);
            return err_fail(ERR_INVALID, "Invalid %s for a %s", retention_fields[i],
                            is_tag ? "tag" : "branch");
        }
        json_object_set(ref, retention_fields[i], (json_t *)value);
    }
    *ret = ref;
    return OK;
}

/* The name of a ref as a C string: jansson's keys are. */
static struct err ref_name(const json_t *update, const char **ret)
{
    const json_t *name = json_object_get(update, "ref-name");

    if (!json_is_string(name) || json_string_length(name) == 0)
        return FAIL(ERR_INVALID, "field 'ref-name' must be a string that is not empty");
    *ret = json_string_value(name);
    return OK;
}

struct err update_set_ref(struct draft *d, const json_t *update)
{
    CLEANUP(json_freep) json_t *ref = NULL;
    const char *name;
    int64_t id;

    TRY(ref_name(update, &name));
    TRY(json_need_i64(update, "snapshot-id", &id));
    const json_t *snapshot = draft_find(d, "snapshots", "snapshot-id", id);
    if (!snapshot) return err_fail(ERR_INVALID, "Cannot set %s to unknown snapshot: %" PRId64, name, id);
    TRY(ref_of_update(update, id, &ref));
    const bool is_main = str_is(str_from_z(name), "main");
    if (is_main && str_is(json_str(json_object_get(ref, "type")), "tag"))
        return FAIL(ERR_INVALID, "Cannot set main to a tag");
    if (is_main) TRY(move_main(d, snapshot, id));
    const json_t *before = json_object_get(json_object_get(d->metadata, "refs"), name);
    if (before && json_equal(before, ref)) return OK;
    json_t *refs = draft_own(d, "refs", false);
    return refs && json_object_set(refs, name, ref) == 0 ? OK : no_memory();
}

static struct err drop_ref(struct draft *d, const char *name)
{
    json_t *refs;

    if (!json_object_get(json_object_get(d->metadata, "refs"), name)) return OK;
    if (str_is(str_from_z(name), "main")) {
        draft_set_int(d, "current-snapshot-id", -1);
        d->is_main_dropped = true;
    }
    refs = draft_own(d, "refs", false);
    if (!refs) return no_memory();
    json_object_del(refs, name);
    return OK;
}

struct err update_remove_ref(struct draft *d, const json_t *update)
{
    const char *name;

    TRY(ref_name(update, &name));
    return drop_ref(d, name);
}

/* ---- remove-snapshots ---- */

/* Refs that now point at nothing go too. */
static struct err drop_dangling(struct draft *d)
{
    const char *name;
    json_t *ref;
    CLEANUP(json_freep) json_t *names = json_array();
    size_t i;

    json_object_foreach(json_object_get(d->metadata, "refs"), name, ref)
    {
        const int64_t id = json_integer_value(json_object_get(ref, "snapshot-id"));
        if (!draft_find(d, "snapshots", "snapshot-id", id)) json_array_append_new(names, json_string(name));
    }
    json_array_foreach(names, i, ref)
    {
        TRY(drop_ref(d, json_string_value(ref)));
    }
    return OK;
}

struct err update_remove_snapshots(struct draft *d, const json_t *update)
{
    json_t *ids;

    TRY(json_need_array(update, "snapshot-ids", &ids));
    const size_t before = json_array_size(json_object_get(d->metadata, "snapshots"));
    TRY(draft_remove(d, "snapshots", "snapshot-id", ids));
    if (json_array_size(json_object_get(d->metadata, "snapshots")) == before) return OK;
    d->are_snapshots_removed = true;
    TRY(draft_remove(d, "statistics", "snapshot-id", ids));
    TRY(draft_remove(d, "partition-statistics", "snapshot-id", ids));
    return drop_dangling(d);
}
