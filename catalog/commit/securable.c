/*
 * securable.c - from names, files and ids to the chain of things that a check walks.
 *
 * A path is read in one view or transaction: a row for each level. From a file it goes the other way: place -> uuid -> row of the table -> id of its namespace
 * -> name of that -> as from a name. A level that is missing ends the path; whether that matters is the caller's to say, since who may not see what is there
 * must not see what is not.
 */
#include "catalog/commit/securable.h"

#include <string.h>

#include "catalog/commit/entity.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- values ---- */

enum { ID_BYTES = 8, UUID_BYTES = 36 };

struct securable securable_of_id(enum securable_kind kind, uint64_t id)
{
    struct securable s = { .kind = (uint8_t)kind };

    put_be64(s.id, id);
    return s;
}

struct securable securable_of_uuid(enum securable_kind kind, struct str uuid)
{
    struct securable s = { .kind = (uint8_t)kind };

    memcpy(s.id, uuid.data, uuid.len < UUID_BYTES ? uuid.len : UUID_BYTES);
    return s;
}

int securable_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct securable));
}

static size_t id_bytes(uint8_t kind)
{
    return kind == SECURABLE_TABLE || kind == SECURABLE_VIEW ? UUID_BYTES : ID_BYTES;
}

struct str securable_key(const struct securable *s, char out[SECURABLE_KEY_MAX])
{
    const size_t len = id_bytes(s->kind);

    out[0] = (char)s->kind;
    memcpy(out + 1, s->id, len);
    return str_of(out, 1 + len);
}

struct err securable_from_key(struct str key, struct securable *ret, struct str *ret_rest)
{
    struct securable s = { .kind = key.len ? (uint8_t)key.data[0] : UINT8_MAX };

    if (s.kind > SECURABLE_VIEW || key.len < 1 + id_bytes(s.kind))
        return FAIL(ERR_CORRUPT, "the key of a grant is damaged");
    memcpy(s.id, key.data + 1, id_bytes(s.kind));
    *ret_rest = str_from(key, 1 + id_bytes(s.kind));
    *ret = s;
    return OK;
}

/* ---- from names ---- */

static void push(struct securable_path *path, struct securable s)
{
    path->nodes[path->count++] = s;
}

/* The namespaces of the path, as far as they are there. */
static struct err find_namespaces(struct rows *r, const struct ns_path *ns, struct arena *arena,
                                  struct securable_path *path)
{
    struct ns_path part = { .count = 0 };
    struct ns_row row;

    while (part.count < ns->count) {
        part.levels[part.count] = ns->levels[part.count];
        part.count++;
        const struct err e = ns_row_get(r, path->catalog_id, &part, arena, &row);
        if (e.code == ERR_NO_SUCH_NAMESPACE) return e;
        TRY(e);
        push(path, securable_of_id(SECURABLE_NAMESPACE, row.id));
        path->ns_id = row.id;
    }
    return OK;
}

static struct err find_table(struct rows *r, const struct securable_name *name, struct arena *arena,
                             struct securable_path *path)
{
    const bool is_view = name->kind == METADATA_VIEW;
    const struct str key = table_key(path->catalog_id, path->ns_id, name->name, arena);
    struct table_row row;
    struct str value;

    if (!key.data) return no_memory();
    TRY(rows_get(r, is_view ? SPACE_VIEWS : SPACE_TABLES, key, &value));
    TRY(table_row_decode(key, value, arena, &row));
    push(path, securable_of_uuid(is_view ? SECURABLE_VIEW : SECURABLE_TABLE, str_from_z(row.uuid)));
    path->location = row.location;
    return OK;
}

static struct err find_below(struct rows *r, const struct securable_name *name, struct arena *arena,
                             struct securable_path *path)
{
    if (name->ns) TRY(find_namespaces(r, name->ns, arena, path));
    return name->name.len ? find_table(r, name, arena, path) : OK;
}

struct err securable_find(struct rows *r, const struct securable_name *name, struct arena *arena,
                          struct securable_path *ret)
{
    struct securable_path path = { .count = 0 };
    struct catalog_row c;

    TRY(catalog_row_get(r, name->catalog, arena, &c));
    path.catalog_id = c.id;
    path.location = c.base_location;
    push(&path, securable_of_id(SECURABLE_CATALOG, c.id));
    const struct err e = find_below(r, name, arena, &path);
    if (e.code != ERR_NO_SUCH_NAMESPACE && e.code != ERR_NOT_FOUND) TRY(e);
    path.is_whole = e.code == ERR_OK;
    *ret = path;
    return OK;
}

/* ---- from ids ---- */

/* "catalog id be64, levels joined by 0x1F" */
static struct err ns_path_of_key(struct str key, struct arena *arena, uint64_t *ret_catalog_id,
                                 struct ns_path *ret)
{
    struct ns_path path = { .count = 0 };
    const struct str kept = arena_str(arena, key);
    struct str level;

    if (!kept.data) return no_memory();
    if (kept.len <= ID_BYTES) return FAIL(ERR_CORRUPT, "the key of a namespace is damaged");
    for (struct str_split it = str_split_on(str_from(kept, ID_BYTES), 0x1f); str_split_next(&it, &level);) {
        if (path.count == NAMESPACE_LEVELS_MAX) return FAIL(ERR_CORRUPT, "the key of a namespace is damaged");
        path.levels[path.count++] = level;
    }
    *ret_catalog_id = get_be64(kept.data);
    *ret = path;
    return OK;
}

struct err securable_of_namespace(struct rows *r, uint64_t ns_id, struct arena *arena,
                                  struct ns_path *ret_path, struct securable_path *ret)
{
    struct securable_path path = { .count = 0 };
    struct ns_path names;
    uint8_t id[ID_BYTES];
    struct str key;

    put_be64(id, ns_id);
    TRY(rows_get(r, SPACE_NAMESPACE_IDS, str_of(id, sizeof(id)), &key));
    TRY(ns_path_of_key(key, arena, &path.catalog_id, &names));
    push(&path, securable_of_id(SECURABLE_CATALOG, path.catalog_id));
    const struct err e = find_namespaces(r, &names, arena, &path);
    if (e.code == ERR_NO_SUCH_NAMESPACE || (e.code == ERR_OK && path.ns_id != ns_id))
        return FAIL(ERR_NOT_FOUND, "the namespace is not there any more");
    TRY(e);
    path.is_whole = true;
    *ret_path = names;
    *ret = path;
    return OK;
}

struct err securable_home(struct rows *r, struct str uuid, uint64_t *ret_ns_id)
{
    struct str key;

    TRY(rows_get(r, SPACE_TABLE_IDS, uuid, &key));
    if (key.len < 2 * ID_BYTES) return FAIL(ERR_CORRUPT, "the place of a table's row is damaged");
    *ret_ns_id = get_be64(key.data + ID_BYTES);
    return OK;
}

struct err securable_of_file(struct rows *r, struct str bucket, struct str key, struct arena *arena,
                             struct securable_path *ret)
{
    struct securable_path path;
    struct ns_path names;
    struct str uuid, row_key;
    struct err e = OK;

    TRY(table_of_key(r, bucket, key, arena, &uuid));
    TRY(rows_get(r, SPACE_TABLE_IDS, uuid, &row_key));
    if (row_key.len <= 2 * ID_BYTES) return FAIL(ERR_CORRUPT, "the place of a table's row is damaged");
    row_key = arena_str(arena, row_key);
    if (!row_key.data) return no_memory();
    TRY(securable_of_namespace(r, get_be64(row_key.data + ID_BYTES), arena, &names, &path));
    const bool is_view = rows_have(r, SPACE_VIEWS, row_key, &e);
    TRY(e);
    push(&path, securable_of_uuid(is_view ? SECURABLE_VIEW : SECURABLE_TABLE, uuid));
    *ret = path;
    return OK;
}

/* ---- the change number ---- */

#define EPOCH_NAME STR("iam")

struct err access_epoch_get(struct rows *r, uint64_t *ret)
{
    struct str value;
    const struct err e = rows_get(r, SPACE_EPOCHS, EPOCH_NAME, &value);

    *ret = 0;
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (value.len != 8) return FAIL(ERR_CORRUPT, "the change number of the identities is damaged");
    *ret = get_be64(value.data);
    return OK;
}

struct err access_epoch_raise(struct txn *txn)
{
    uint64_t epoch;
    uint8_t bytes[8];

    TRY(access_epoch_get(txn_rows(txn), &epoch));
    put_be64(bytes, epoch + 1);
    return txn_put(txn, SPACE_EPOCHS, EPOCH_NAME, str_of(bytes, sizeof(bytes)));
}

/* ---- what hangs at them ---- */

/* Keys of a scan are valid until its next step, so each is taken out in a step of its own. LIMIT_GRANTS_ON keeps this within a transaction. */
struct err securable_forget(struct txn *txn, const struct securable *s, struct arena *arena)
{
    char bytes[SECURABLE_KEY_MAX];
    const struct str prefix = securable_key(s, bytes);

    for (bool is_first = true;; is_first = false) {
        struct rows_scan scan;
        struct str key, value, found = STR_NONE;

        rows_scan_begin(&scan, txn_rows(txn), SPACE_GRANTS, prefix, false);
        const bool is_one = rows_scan_next(&scan, &key, &value) && str_starts(key, prefix);
        if (is_one) found = arena_str(arena, key);
        const struct err e = scan.err;
        rows_scan_done(&scan);
        TRY(e);
        if (!is_one) return is_first ? OK : access_epoch_raise(txn);
        if (!found.data) return no_memory();
        TRY(txn_del(txn, SPACE_GRANTS, found));
    }
}

/* ---- rows that older stores lack ---- */

enum { MIGRATE_ROWS = 500 };

struct migration {
    struct str from; /* in the arena */
    bool is_done;
    struct arena *arena;
};

static struct err migrate_row(struct txn *txn, struct str key, struct str value)
{
    CLEANUP(json_freep) json_t *json = NULL;
    uint8_t id[ID_BYTES];
    int64_t number;

    TRY(entity_parse(value, &json));
    TRY(json_need_i64(json, "id", &number));
    put_be64(id, (uint64_t)number);
    return txn_put(txn, SPACE_NAMESPACE_IDS, str_of(id, sizeof(id)), key);
}

static struct err migrate_fn(struct txn *txn, void *arg)
{
    struct migration *m = arg;
    struct rows_scan scan;
    struct str key, value, last = m->from;
    struct err e = OK;
    size_t count = 0;

    rows_scan_begin(&scan, txn_rows(txn), SPACE_NAMESPACES, m->from, false);
    while (e.code == ERR_OK && count < MIGRATE_ROWS && rows_scan_next(&scan, &key, &value)) {
        last = arena_join(m->arena, key, STR("\x01")); /* no name holds it, so nothing lies between */
        e = last.data ? migrate_row(txn, key, value) : no_memory();
        count++;
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    m->is_done = count < MIGRATE_ROWS;
    m->from = last;
    return m->is_done ? txn_put(txn, SPACE_SYSTEM, STR("namespace-ids"), STR("1")) : OK;
}

struct err securable_migrate(struct store *s)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    CLEANUP(view_closep) struct rows *view = NULL;
    struct migration m = { .arena = arena };
    struct err e = OK;

    if (!arena) return no_memory();
    TRY(view_open(s->meta, &view));
    const bool is_there = rows_have(view, SPACE_SYSTEM, STR("namespace-ids"), &e);
    view = view_close(view);
    TRY(e);
    while (!is_there && !m.is_done) TRY(meta_run(s->meta, migrate_fn, &m));
    return OK;
}
