/*
 * manage_row.c - finding, changing and listing the rows of identities.
 */
#include "admin/iam/manage_row.h"

#include "admin/iam/principal.h"
#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"

struct err manage_run(const struct iam_call *c, txn_fn *fn, void *arg)
{
    TRY(meta_run(c->store->meta, fn, arg));
    return iam_put_in_force(c->iam);
}

struct err manage_find(struct rows *r, const struct iam_ref *ref, struct arena *arena, struct manage_row *ret)
{
    struct manage_row row = { .kind = ref->kind };
    struct catalog_row c;
    int64_t id;

    if (ref->kind == IAM_CATALOG_ROLE) {
        TRY(catalog_row_get(r, ref->catalog, arena, &c));
        row.catalog_id = c.id;
    }
    row.key = iam_row_key(ref->kind, row.catalog_id, ref->name, arena);
    if (!row.key.data) return no_memory();
    TRY(iam_row_get(r, ref->kind, row.catalog_id, ref->name, arena, &row.json));
    TRY(json_need_i64(row.json, "id", &id));
    row.id = (uint64_t)id;
    *ret = row;
    return OK;
}

struct err manage_put(struct txn *txn, const struct manage_row *row)
{
    return iam_row_put(txn, iam_space(row->kind), row->key, row->json);
}

struct err manage_put_changed(struct txn *txn, const struct manage_row *row)
{
    const json_int_t version = json_integer_value(json_object_get(row->json, "version"));

    if (json_object_set_new(row->json, "version", json_integer(version + 1)) != 0
        || json_object_set_new(row->json, "updated-ms", json_integer(clock_now_ms())) != 0)
        return no_memory();
    return manage_put(txn, row);
}

struct err manage_check_stored(const struct iam_call *c, const struct iam_ref *ref)
{
    const struct directory *d;

    TRY(iam_directory(c->iam, c->arena, &d));
    if (ref->kind != IAM_PRINCIPAL) return OK;
    const struct principal *p = directory_find_name(d, ref->name);
    if (!p || p->is_stored) return OK;
    return err_fail(ERR_INVALID,
                    "the principal '%.*s' belongs to the server's configuration: change it there",
                    STR_ARG(ref->name));
}

struct err manage_audit(struct txn *txn, const struct iam_call *c, const char *operation,
                        const struct iam_ref *ref, const json_t *details)
{
    const struct str object = ref->kind == IAM_CATALOG_ROLE
        ? arena_printf(c->arena, "%.*s/%.*s", STR_ARG(ref->catalog), STR_ARG(ref->name))
        : ref->name;

    return object.data ? audit_put(txn, c->who, operation, object, details) : no_memory();
}

/* ---- lists ---- */

struct collector {
    const struct iam_call *c;
    const struct manage_query *q;
    struct iam_entity *all;
    size_t count, room;
};

static struct err collect(struct collector *l, struct str key, struct str value)
{
    struct arena *arena = l->c->arena;
    const struct str name = arena_str(arena, iam_row_name(l->q->kind, key));
    struct iam_entity entity;
    json_t *row;

    if (!name.data) return no_memory();
    TRY(entity_parse(value, &row));
    if (!json_defer(arena, row)) return no_memory();
    TRY(iam_row_entity(row, name, &entity));
    if (l->q->keep && !l->q->keep(row, &entity, l->q->arg)) return OK;
    struct iam_entity *more = arena_grow(arena, l->all, l->count, &l->room, sizeof(*more));
    if (!more) return no_memory();
    l->all = more;
    l->all[l->count++] = entity;
    return OK;
}

struct err manage_list(const struct iam_call *c, const struct manage_query *q, struct iam_entity **ret,
                       size_t *ret_count)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct collector l = { .c = c, .q = q };
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    TRY(view_open(c->store->meta, &view));
    rows_scan_begin(&scan, view, iam_space(q->kind), q->prefix, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value) && str_starts(key, q->prefix))
        e = collect(&l, key, value);
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = l.all;
    *ret_count = l.count;
    return OK;
}

bool manage_has_role(const json_t *row, uint64_t role_id)
{
    const json_t *list = json_object_get(row, "roles"), *id;
    size_t i;

    json_array_foreach(list, i, id)
    {
        if ((uint64_t)json_integer_value(id) == role_id) return true;
    }
    return false;
}
