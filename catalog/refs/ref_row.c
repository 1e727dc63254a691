/*
 * ref_row.c - keys and values of the reference rows.
 */
#include "catalog/refs/ref_row.h"

#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/row_code.h"

enum { VERSION = 1, VERSION_INTENT = 2 }; /* only rows that have one are of the second */

const struct ref_id ref_root = { { 0 } };

static const char *const kind_names[REF_KIND_COUNT] = {
    [REF_METADATA] = "metadata", [REF_LIST] = "manifest-list", [REF_MANIFEST] = "manifest",
    [REF_DATA] = "data",         [REF_DELETES] = "deletes",    [REF_STATISTICS] = "statistics",
};

const char *ref_kind_name(enum ref_kind kind)
{
    return kind_names[kind];
}

/* On disk. */
static uint8_t how_read(enum ref_kind kind)
{
    return kind == REF_LIST ? 1 : kind == REF_MANIFEST ? 2 : 0;
}

struct ref_id ref_id_of(enum ref_kind kind, struct str place)
{
    const struct digest_value sum = digest_of(DIGEST_SHA256, place.data, place.len);
    struct ref_id id;

    memcpy(id.bytes, sum.bytes, REF_PLACE);
    id.bytes[REF_PLACE] = how_read(kind);
    return id;
}

int ref_id_cmp(const struct ref_id *a, const struct ref_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* ---- keys ---- */

struct str ref_key_pair(struct str uuid, struct ref_id id, uint8_t out[REF_PAIR])
{
    memcpy(out, uuid.data, REF_UUID);
    memcpy(out + REF_UUID, id.bytes, REF_ID);
    return str_of(out, REF_PAIR);
}

struct str ref_key_holds(struct str uuid, struct ref_id owner, struct ref_id file, uint8_t out[REF_HOLDS_KEY])
{
    memcpy(out, uuid.data, REF_UUID);
    memcpy(out + REF_UUID, owner.bytes, REF_ID);
    memcpy(out + REF_PAIR, file.bytes, REF_ID);
    return str_of(out, REF_HOLDS_KEY);
}

struct str ref_key_held(struct ref_id file, struct str uuid, struct ref_id owner, uint8_t out[REF_HELD_KEY])
{
    memcpy(out, file.bytes, REF_ID);
    memcpy(out + REF_ID, uuid.data, REF_UUID);
    memcpy(out + REF_PAIR, owner.bytes, REF_ID);
    return str_of(out, REF_HELD_KEY);
}

struct err ref_any(struct rows *r, enum space space, struct str prefix, bool *ret)
{
    struct rows_scan scan;
    struct str key, value;

    rows_scan_begin(&scan, r, space, prefix, false);
    const bool found = rows_scan_next(&scan, &key, &value) && str_starts(key, prefix);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = found;
    return OK;
}

struct err ref_is_named(struct rows *r, struct ref_id id, bool *ret)
{
    return ref_any(r, SPACE_REF_HELD, str_of(id.bytes, REF_PLACE), ret);
}

struct err ref_is_queued(struct rows *r, struct str uuid, struct ref_id id, bool *ret)
{
    uint8_t key[REF_PAIR];

    (void)ref_key_pair(uuid, id, key);
    return ref_any(r, SPACE_REF_QUEUE, str_of(key, REF_UUID + REF_PLACE), ret);
}

/* ---- files ---- */

struct err ref_file_put(struct txn *txn, enum space space, struct str key, const struct ref_file *f)
{
    struct buf out;

    buf_init(&out, LIMIT_ROW_VALUE);
    buf_char(&out, f->intent ? VERSION_INTENT : VERSION);
    buf_char(&out, (char)f->kind);
    row_put_varint(&out, f->size);
    row_put_varint(&out, (uint64_t)f->since_ms);
    row_put_str(&out, f->place);
    row_put_str(&out, f->why);
    if (f->intent) row_put_varint(&out, f->intent);
    struct err e = buf_err(&out);
    if (e.code == ERR_OK) e = txn_put(txn, space, key, buf_view(&out));
    buf_done(&out);
    return e;
}

struct err ref_file_decode(struct str value, struct ref_file *ret)
{
    struct row_reader r = row_reader_of(value);
    struct ref_file f;

    const uint64_t version = row_uint(&r, 1);
    f.kind = (enum ref_kind)row_uint(&r, 1);
    f.size = row_varint(&r);
    f.since_ms = (int64_t)row_varint(&r);
    f.place = row_str(&r);
    f.why = row_str(&r);
    f.intent = version == VERSION_INTENT ? row_varint(&r) : 0;
    if (r.is_bad || r.at != r.end || version < VERSION || version > VERSION_INTENT
        || f.kind >= REF_KIND_COUNT)
        return FAIL(ERR_CORRUPT, "a reference row is damaged");
    f.id = ref_id_of(f.kind, f.place);
    *ret = f;
    return OK;
}

struct err ref_file_keep(struct str value, struct arena *arena, struct ref_file *ret)
{
    struct ref_file f;

    TRY(ref_file_decode(value, &f));
    f.place = arena_str(arena, f.place);
    f.why = arena_str(arena, f.why);
    if (!f.place.data || !f.why.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = f;
    return OK;
}

struct err ref_place(struct str url, bool is_external, struct arena *arena, struct str *ret)
{
    struct str bucket, key, scheme;
    const size_t colon = str_find(url, STR("://"));

    if (colon == url.len) return err_fail(ERR_INVALID, "'%.*s' is not a URL", STR_ARG(url));
    scheme = str_slice(url, 0, colon);
    if (!str_is_nocase(scheme, "s3") && !str_is_nocase(scheme, "s3a") && !str_is_nocase(scheme, "s3n")) {
        *ret = STR_NONE;
        return OK;
    }
    TRY(location_parse(url, arena, &bucket, &key));
    if (key.len == 0) return err_fail(ERR_INVALID, "'%.*s' names no file", STR_ARG(url));
    *ret = arena_printf(arena, "%s%.*s/%.*s", is_external ? PLACE_EXTERNAL : "", STR_ARG(bucket),
                        STR_ARG(key));
    return ret->data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct ref_file ref_file_at(enum ref_kind kind, struct str place, uint64_t size)
{
    return (struct ref_file){ .kind = kind, .size = size, .place = place, .id = ref_id_of(kind, place) };
}

/* ---- tables ---- */

static json_t *counts_of(const uint64_t counts[REF_KIND_COUNT])
{
    json_t *list = json_array();

    for (int i = 0; i < REF_KIND_COUNT; i++) json_array_append_new(list, json_integer((json_int_t)counts[i]));
    return list;
}

static void counts_from(const json_t *list, uint64_t ret[REF_KIND_COUNT])
{
    for (size_t i = 0; i < REF_KIND_COUNT; i++)
        ret[i] = (uint64_t)json_integer_value(json_array_get(list, i));
}

static uint64_t number_of(const json_t *json, const char *field)
{
    return (uint64_t)json_integer_value(json_object_get(json, field));
}

struct err ref_table_get(struct rows *r, struct str uuid, struct ref_table *ret)
{
    CLEANUP(json_freep) json_t *json = NULL;

    TRY(entity_get(r, SPACE_REF_TABLES, uuid, &json));
    *ret = (struct ref_table){
        .turn = number_of(json, "turn"),
        .known = number_of(json, "known"),
        .known_ms = (int64_t)number_of(json, "known-ms"),
        .has_gc = json_is_true(json_object_get(json, "gc")),
        .deletes_metadata = json_is_true(json_object_get(json, "deletes-metadata")),
        .removes_orphans = json_is_true(json_object_get(json, "removes-orphans")),
        .grace_ms = (int64_t)number_of(json, "grace-ms"),
        .queued_files = number_of(json, "queued-files"),
        .queued_bytes = number_of(json, "queued-bytes"),
        .expired_ms = (int64_t)number_of(json, "expired-ms"),
        .expired = number_of(json, "expired"),
        .orphans_ms = (int64_t)number_of(json, "orphans-ms"),
    };
    counts_from(json_object_get(json, "live-files"), ret->live_files);
    counts_from(json_object_get(json, "live-bytes"), ret->live_bytes);
    const struct str why = json_str(json_object_get(json, "why"));
    if (why.len) memcpy(ret->why, why.data, why.len < sizeof(ret->why) ? why.len : sizeof(ret->why) - 1);
    return OK;
}

struct err ref_table_put(struct txn *txn, struct str uuid, const struct ref_table *t)
{
    CLEANUP(json_freep)
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:b, s:b, s:b, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o*}", "turn",
        (json_int_t)t->turn, "known", (json_int_t)t->known, "known-ms", (json_int_t)t->known_ms, "gc",
        t->has_gc, "deletes-metadata", t->deletes_metadata, "removes-orphans", t->removes_orphans, "grace-ms",
        (json_int_t)t->grace_ms, "live-files", counts_of(t->live_files), "live-bytes",
        counts_of(t->live_bytes), "queued-files", (json_int_t)t->queued_files, "queued-bytes",
        (json_int_t)t->queued_bytes, "expired-ms", (json_int_t)t->expired_ms, "expired",
        (json_int_t)t->expired, "orphans-ms", (json_int_t)t->orphans_ms, "why",
        t->why[0] ? json_of_str(str_from_z(t->why)) : NULL);
    return entity_put(txn, SPACE_REF_TABLES, uuid, json);
}

struct err ref_row_of(struct rows *r, struct str uuid, struct arena *arena, struct table_row *ret)
{
    struct str found, value;

    TRY(rows_get(r, SPACE_TABLE_IDS, uuid, &found));
    const struct str key = arena_str(arena, found);
    if (!key.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(rows_get(r, SPACE_TABLES, key, &value)); /* the uuid of a view: there is no such table */
    TRY(table_row_decode(key, value, arena, ret));
    ret->space = SPACE_TABLES;
    return OK;
}

struct err ref_table_is_whole(struct rows *r, struct str uuid, bool *ret, const char **ret_why)
{
    struct ref_table t;
    bool is_behind, has_unread;
    const struct err e = ref_table_get(r, uuid, &t);

    *ret = false;
    *ret_why = "its files are not known yet";
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (t.known == 0) return OK;
    *ret_why = "its last commits are not worked in yet";
    TRY(ref_any(r, SPACE_REF_COMMITS, uuid, &is_behind));
    if (is_behind) return OK;
    *ret_why = "a manifest or manifest list of it cannot be read";
    TRY(ref_any(r, SPACE_REF_TODO, uuid, &has_unread));
    *ret = !has_unread;
    return OK;
}
