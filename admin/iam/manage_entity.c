/*
 * manage_entity.c - making, showing, changing and dropping principals, principal roles and catalog roles.
 */
#include "admin/iam/manage.h"

#include "admin/iam/manage_credentials.h"
#include "admin/iam/manage_row.h"
#include "admin/iam/principal.h"
#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { NAME_BYTES_MAX = 256 };

/* "CreatePrincipal" and its like: one word for each kind. */
static const struct {
    const char *create, *update, *drop;
} operations[] = {
    [IAM_PRINCIPAL] = { "CreatePrincipal", "UpdatePrincipal", "DeletePrincipal" },
    [IAM_PRINCIPAL_ROLE] = { "CreatePrincipalRole", "UpdatePrincipalRole", "DeletePrincipalRole" },
    [IAM_CATALOG_ROLE] = { "CreateCatalogRole", "UpdateCatalogRole", "DeleteCatalogRole" },
};

/* ---- names and properties ---- */

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f) return true;
    }
    return false;
}

static struct err check_name(const struct iam_ref *ref)
{
    const struct str name = ref->name, reserved = STR("system$");

    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return err_fail(ERR_INVALID, "the name of a %s has 1 to %d bytes", iam_noun(ref->kind),
                        NAME_BYTES_MAX);
    if (ref->kind == IAM_PRINCIPAL && name.len > LIMIT_CREDENTIAL)
        return err_fail(ERR_INVALID, "the name of a principal has at most %d bytes", LIMIT_CREDENTIAL);
    if (!str_is_utf8(name) || has_control(name))
        return FAIL(ERR_INVALID, "a name is UTF-8 without control characters");
    if (str_eq_nocase(str_slice(str_trim(name), 0, reserved.len), reserved))
        return err_fail(ERR_INVALID, "the name '%.*s' begins as only the server's own may", STR_ARG(name));
    return OK;
}

/* ---- create ---- */

struct plan {
    const struct iam_call *c;
    const struct iam_ref *ref;
    const struct iam_new *made;
    const json_t *properties;
    int64_t version;
    struct iam_credentials credentials;
    struct manage_row row; /* what came of it */
};

static json_t *new_row(const struct plan *p, uint64_t id)
{
    const json_int_t now = clock_now_ms();
    const json_t *properties = p->made->properties;
    json_t *row = json_pack("{s:I, s:i, s:I, s:I, s:o}", "id", (json_int_t)id, "version", 1, "created-ms",
                            now, "updated-ms", now, "properties",
                            properties ? json_deep_copy(properties) : json_object());

    if (row && p->made->is_federated) (void)json_object_set_new(row, "federated", json_true());
    if (row && p->made->is_rotation_required)
        (void)json_object_set_new(row, "rotation-required", json_true());
    return row;
}

static struct err check_free(struct txn *txn, const struct plan *p, struct str key)
{
    struct err e = OK;

    if (rows_have(txn_rows(txn), iam_space(p->ref->kind), key, &e))
        return err_fail(ERR_EXISTS, "%s already exists: %.*s", iam_noun(p->ref->kind), STR_ARG(p->ref->name));
    return e;
}

static struct err create_fn(struct txn *txn, void *arg)
{
    struct plan *p = arg;
    struct manage_row row = { .kind = p->ref->kind };
    struct catalog_row c;

    if (row.kind == IAM_CATALOG_ROLE) {
        TRY(catalog_row_get(txn_rows(txn), p->ref->catalog, p->c->arena, &c));
        row.catalog_id = c.id;
    }
    row.key = iam_row_key(row.kind, row.catalog_id, p->ref->name, p->c->arena);
    if (!row.key.data) return no_memory();
    TRY(check_free(txn, p, row.key));
    TRY(entity_new_id(txn, &row.id));
    row.json = new_row(p, row.id);
    if (!row.json || !json_defer(p->c->arena, row.json)) return no_memory();
    if (row.kind == IAM_PRINCIPAL) TRY(credentials_put(txn, p->c, &row, p->ref->name, &p->credentials));
    TRY(manage_put(txn, &row));
    p->row = row;
    return manage_audit(txn, p->c, operations[row.kind].create, p->ref, NULL);
}

static struct err check_name_is_free(const struct iam_call *c, const struct iam_ref *ref)
{
    const struct directory *d;

    TRY(iam_directory(c->iam, c->arena, &d));
    if (ref->kind != IAM_PRINCIPAL || !directory_find_name(d, ref->name)) return OK;
    return err_fail(ERR_EXISTS, "Principal already exists: %.*s", STR_ARG(ref->name));
}

struct err iam_entity_create(const struct iam_call *c, const struct iam_ref *ref, const struct iam_new *made,
                             struct iam_entity *ret, struct iam_credentials *ret_credentials)
{
    struct plan p = { .c = c, .ref = ref, .made = made };

    TRY(check_name(ref));
    TRY(json_check_properties(made->properties));
    TRY(check_name_is_free(c, ref));
    if (ref->kind == IAM_PRINCIPAL) TRY(credentials_make(c->arena, &p.credentials));
    TRY(manage_run(c, create_fn, &p));
    if (ref->kind == IAM_PRINCIPAL && ret_credentials) *ret_credentials = p.credentials;
    return iam_row_entity(p.row.json, ref->name, ret);
}

/* ---- show ---- */

/* A principal of the configuration has no row: it is what it is since the start. */
static struct err configured_entity(const struct principal *p, struct arena *arena, struct iam_entity *ret)
{
    json_t *none = json_object();

    if (!none || !json_defer(arena, none)) return no_memory();
    *ret = (struct iam_entity){
        .name = p->name, .client_id = p->client_id, .properties = none, .version = 1
    };
    return OK;
}

static struct err find_configured(const struct iam_call *c, const struct iam_ref *ref,
                                  const struct principal **ret)
{
    const struct directory *d;

    TRY(iam_directory(c->iam, c->arena, &d));
    *ret = ref->kind == IAM_PRINCIPAL ? directory_find_name(d, ref->name) : NULL;
    if (*ret && (*ret)->is_stored) *ret = NULL;
    return OK;
}

struct err iam_entity_get(const struct iam_call *c, const struct iam_ref *ref, struct iam_entity *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct principal *configured = NULL;
    struct manage_row row;

    TRY(find_configured(c, ref, &configured));
    if (configured) return configured_entity(configured, c->arena, ret);
    TRY(view_open(c->store->meta, &view));
    TRY(manage_find(view, ref, c->arena, &row));
    return iam_row_entity(row.json, ref->name, ret);
}

static struct err catalog_prefix(const struct iam_call *c, const struct iam_ref *ref, struct str *ret)
{
    struct catalog_info catalog;

    *ret = STR_NONE;
    if (ref->kind != IAM_CATALOG_ROLE) return OK;
    TRY(catalog_get(c->store, ref->catalog, c->arena, &catalog));
    *ret = iam_row_key(IAM_CATALOG_ROLE, catalog.id, STR(""), c->arena);
    return ret->data ? OK : no_memory();
}

/* Those of the configuration, and those of the rows, in one order. */
static struct err merge_configured(const struct iam_call *c, struct iam_entity **all, size_t *count)
{
    const struct directory *d;
    size_t used = 0, next = 0;

    TRY(iam_directory(c->iam, c->arena, &d));
    struct iam_entity *merged = arena_array(c->arena, struct iam_entity, *count + d->principal_count);
    if (!merged) return no_memory();
    for (size_t i = 0; i < d->principal_count; i++) {
        if (d->principals[i].is_stored) continue;
        while (next < *count && str_cmp((*all)[next].name, d->principals[i].name) < 0)
            merged[used++] = (*all)[next++];
        TRY(configured_entity(&d->principals[i], c->arena, &merged[used++]));
    }
    while (next < *count) merged[used++] = (*all)[next++];
    *all = merged;
    *count = used;
    return OK;
}

struct err iam_entity_list(const struct iam_call *c, const struct iam_ref *ref, struct iam_entity **ret,
                           size_t *ret_count)
{
    struct manage_query q = { .kind = ref->kind };
    struct iam_entity *all;
    size_t count;

    TRY(catalog_prefix(c, ref, &q.prefix));
    TRY(manage_list(c, &q, &all, &count));
    if (ref->kind == IAM_PRINCIPAL) TRY(merge_configured(c, &all, &count));
    *ret = all;
    *ret_count = count;
    return OK;
}

/* ---- update ---- */

static struct err update_fn(struct txn *txn, void *arg)
{
    struct plan *p = arg;
    struct manage_row row;
    struct iam_entity entity;

    TRY(manage_find(txn_rows(txn), p->ref, p->c->arena, &row));
    TRY(iam_row_entity(row.json, p->ref->name, &entity));
    if (entity.version != p->version)
        return err_fail(ERR_CONFLICT, "%s '%.*s' has the entity version %lld, not %lld", iam_noun(row.kind),
                        STR_ARG(p->ref->name), (long long)entity.version, (long long)p->version);
    if (json_object_set_new(row.json, "properties", json_deep_copy(p->properties)) != 0) return no_memory();
    TRY(manage_put_changed(txn, &row));
    p->row = row;
    return manage_audit(txn, p->c, operations[row.kind].update, p->ref, NULL);
}

struct err iam_entity_update(const struct iam_call *c, const struct iam_ref *ref, int64_t version,
                             const json_t *properties, struct iam_entity *ret)
{
    struct plan p = { .c = c, .ref = ref, .properties = properties, .version = version };

    TRY(json_check_properties(properties));
    TRY(manage_check_stored(c, ref));
    TRY(manage_run(c, update_fn, &p));
    return iam_row_entity(p.row.json, ref->name, ret);
}

/* ---- drop ---- */

static struct err check_may_go(const struct iam_ref *ref)
{
    const bool is_own = (ref->kind == IAM_PRINCIPAL_ROLE && str_is(ref->name, SERVICE_ADMIN))
        || (ref->kind == IAM_CATALOG_ROLE && str_is(ref->name, CATALOG_ADMIN));

    if (!is_own) return OK;
    return err_fail(ERR_INVALID, "the role '%.*s' cannot be dropped", STR_ARG(ref->name));
}

static struct err drop_fn(struct txn *txn, void *arg)
{
    struct plan *p = arg;

    TRY(manage_find(txn_rows(txn), p->ref, p->c->arena, &p->row));
    TRY(txn_del(txn, iam_space(p->row.kind), p->row.key));
    if (p->row.kind == IAM_PRINCIPAL) TRY(credentials_forget(txn, p->row.json));
    TRY(access_epoch_raise(txn));
    return manage_audit(txn, p->c, operations[p->row.kind].drop, p->ref, NULL);
}

/* ---- what was granted to a catalog role that is gone ---- */

enum { FORGET_ROWS = 500 };

struct forget {
    struct arena *arena;
    uint64_t role_id;
    struct str keys[FORGET_ROWS];
    size_t count;
};

static struct err find_grant(struct forget *f, struct str key)
{
    struct securable on;
    enum privilege p;
    uint64_t role_id;

    TRY(grant_from_key(key, &on, &role_id, &p));
    if (role_id != f->role_id) return OK;
    f->keys[f->count] = arena_str(f->arena, key);
    return f->keys[f->count++].data ? OK : no_memory();
}

/* The rows mean nothing any more; they only take space. */
static struct err forget_fn(struct txn *txn, void *arg)
{
    struct forget *f = arg;
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    f->count = 0;
    rows_scan_begin(&scan, txn_rows(txn), SPACE_GRANTS, STR_NONE, false);
    while (e.code == ERR_OK && f->count < FORGET_ROWS && rows_scan_next(&scan, &key, &value))
        e = find_grant(f, key);
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    for (size_t i = 0; i < f->count && e.code == ERR_OK; i++) e = txn_del(txn, SPACE_GRANTS, f->keys[i]);
    return e;
}

static struct err forget_grants(const struct iam_call *c, uint64_t role_id)
{
    struct forget *f = arena_new_of(c->arena, struct forget);

    if (!f) return no_memory();
    *f = (struct forget){ .arena = c->arena, .role_id = role_id };
    do TRY(meta_run_freeing(c->store->meta, forget_fn, f));
    while (f->count == FORGET_ROWS);
    return OK;
}

struct err iam_entity_drop(const struct iam_call *c, const struct iam_ref *ref)
{
    struct plan p = { .c = c, .ref = ref };

    TRY(check_may_go(ref));
    TRY(manage_check_stored(c, ref));
    TRY(manage_run(c, drop_fn, &p));
    return ref->kind == IAM_CATALOG_ROLE ? forget_grants(c, p.row.id) : OK;
}
