/*
 * bootstrap.c - service_admin and catalog_admin. A row that is there is left as it is: what was granted and revoked since stays so.
 */
#include "admin/iam/bootstrap.h"

#include "admin/iam/iam_row.h"
#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* A role's row as new. */
static json_t *new_role(uint64_t id)
{
    const json_int_t now = clock_now_ms();

    return json_pack("{s:I, s:i, s:I, s:I, s:{}}", "id", (json_int_t)id, "version", 1, "created-ms", now,
                     "updated-ms", now, "properties");
}

/* *ret_made: it was not there. */
static struct err ensure_role(struct txn *txn, enum iam_kind kind, uint64_t catalog_id, const char *name,
                              struct arena *arena, json_t **ret, bool *ret_made)
{
    const struct str key = iam_row_key(kind, catalog_id, str_from_z(name), arena);
    uint64_t id;

    if (!key.data) return no_memory();
    const struct err e = iam_row_get(txn_rows(txn), kind, catalog_id, str_from_z(name), arena, ret);
    *ret_made = e.code == ERR_NOT_FOUND;
    if (e.code != ERR_NOT_FOUND) return e;
    TRY(entity_new_id(txn, &id));
    json_t *row = new_role(id);
    if (!row || !json_defer(arena, row)) return no_memory();
    *ret = row;
    return iam_row_put(txn, iam_space(kind), key, row);
}

static struct err grant(struct txn *txn, uint64_t catalog_id, uint64_t role_id, enum privilege p)
{
    const struct securable catalog = securable_of_id(SECURABLE_CATALOG, catalog_id);
    char bytes[GRANT_KEY_MAX];

    return txn_put(txn, SPACE_GRANTS, grant_key(&catalog, role_id, p, bytes), STR("{}"));
}

static struct err give_to_service_admin(struct txn *txn, json_t *role_id, struct arena *arena)
{
    json_t *service, *roles;
    bool made;

    TRY(ensure_role(txn, IAM_PRINCIPAL_ROLE, 0, SERVICE_ADMIN, arena, &service, &made));
    roles = json_object_get(service, "roles");
    if (!roles) {
        roles = json_array();
        if (json_object_set_new(service, "roles", roles) != 0) return no_memory();
    }
    if (json_array_append(roles, role_id) != 0) return no_memory();
    return iam_row_put(txn, SPACE_PRINCIPAL_ROLES, STR(SERVICE_ADMIN), service);
}

struct err iam_catalog_made(struct txn *txn, uint64_t catalog_id, struct arena *arena)
{
    json_t *role;
    bool made;

    TRY(ensure_role(txn, IAM_CATALOG_ROLE, catalog_id, CATALOG_ADMIN, arena, &role, &made));
    if (!made) return OK;
    json_t *id = json_object_get(role, "id");
    TRY(grant(txn, catalog_id, (uint64_t)json_integer_value(id), PRIV_CATALOG_MANAGE_ACCESS));
    TRY(grant(txn, catalog_id, (uint64_t)json_integer_value(id), PRIV_CATALOG_MANAGE_METADATA));
    return give_to_service_admin(txn, id, arena);
}

/* ---- dropping ---- */

/* catalog_admin alone may be left. */
static struct err check_no_other_role(struct txn *txn, uint64_t catalog_id)
{
    struct rows_scan scan;
    struct str key, value;
    uint8_t prefix[8];
    struct err e = OK;

    put_be64(prefix, catalog_id);
    rows_scan_begin(&scan, txn_rows(txn), SPACE_CATALOG_ROLES, str_of(prefix, sizeof(prefix)), false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value)
           && str_starts(key, str_of(prefix, sizeof(prefix)))) {
        const struct str name = iam_row_name(IAM_CATALOG_ROLE, key);
        if (!str_is(name, CATALOG_ADMIN))
            e = err_fail(ERR_INVALID, "the catalog has the catalog role '%.*s': drop it first",
                         STR_ARG(name));
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err iam_catalog_dropped(struct txn *txn, uint64_t catalog_id, struct arena *arena)
{
    const struct securable catalog = securable_of_id(SECURABLE_CATALOG, catalog_id);
    const struct str key = iam_row_key(IAM_CATALOG_ROLE, catalog_id, STR(CATALOG_ADMIN), arena);

    if (!key.data) return no_memory();
    TRY(check_no_other_role(txn, catalog_id));
    TRY(txn_del(txn, SPACE_CATALOG_ROLES, key));
    TRY(securable_forget(txn, &catalog, arena));
    return access_epoch_raise(txn);
}

/* ---- at the start ---- */

struct boot {
    struct arena *arena;
    uint64_t catalog_id; /* 0: service_admin alone */
};

static struct err boot_fn(struct txn *txn, void *arg)
{
    const struct boot *b = arg;
    json_t *service;
    bool made;

    if (b->catalog_id) return iam_catalog_made(txn, b->catalog_id, b->arena);
    return ensure_role(txn, IAM_PRINCIPAL_ROLE, 0, SERVICE_ADMIN, b->arena, &service, &made);
}

/* A transaction that would write nothing is not made: a start of a store that has all costs no flush. */
static struct err boot(struct meta *meta, enum iam_kind kind, const char *name, struct boot *b)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    json_t *row;

    TRY(view_open(meta, &view));
    const struct err e = iam_row_get(view, kind, b->catalog_id, str_from_z(name), b->arena, &row);
    view = view_close(view);
    return e.code == ERR_NOT_FOUND ? meta_run(meta, boot_fn, b) : e;
}

struct err iam_bootstrap(struct iam *iam)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    struct store store = { .meta = iam_meta(iam) };
    struct boot b = { .arena = arena };
    struct catalog_info *catalogs;
    size_t count;

    if (!arena) return no_memory();
    TRY(boot(store.meta, IAM_PRINCIPAL_ROLE, SERVICE_ADMIN, &b));
    TRY(catalog_list(&store, arena, &catalogs, &count));
    for (size_t i = 0; i < count; i++) {
        b.catalog_id = catalogs[i].id;
        TRY(boot(store.meta, IAM_CATALOG_ROLE, CATALOG_ADMIN, &b));
    }
    return iam_reload(iam);
}
