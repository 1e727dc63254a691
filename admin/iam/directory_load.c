/*
 * directory_load.c - from rows to roles with rights and principals with roles.
 *
 * Everything is read in one view, whole: catalog roles (id -> catalog), grants (catalog role -> privileges on things), principal roles (their rights: the
 * grants of all their catalog roles, sorted by thing and merged), principals. What refers to something that is gone gives nothing.
 */
#include "admin/iam/directory.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/commit/entity.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"

static struct err no_memory_for_identities(void)
{
    return FAIL(ERR_NO_MEMORY, "no memory for the identities");
}

/* An array that grows in the arena. */
struct list {
    void *items;
    size_t count, room;
};

static void *list_add(struct list *l, size_t size, struct arena *arena)
{
    void *items = arena_grow(arena, l->items, l->count, &l->room, size);

    if (!items) return NULL;
    l->items = items;
    return (char *)items + size * l->count++;
}

/* A catalog role, and what is granted to it. */
struct catalog_role {
    uint64_t id, catalog_id;
};

struct granted {
    uint64_t role_id;
    struct right right;
};

struct loader {
    const struct iam *iam;
    struct rows *rows;
    struct arena *arena;
    struct list catalog_roles, granted, roles, principals, keys;
};

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_role_then_thing(const void *a, const void *b)
{
    const struct granted *x = a, *y = b;
    const int order = by_id(&x->role_id, &y->role_id);
    return order ? order : securable_cmp(&x->right.on, &y->right.on);
}

static int by_thing(const void *a, const void *b)
{
    const struct right *x = a, *y = b;
    return securable_cmp(&x->on, &y->on);
}

static void sort(struct list *l, size_t size, int (*cmp)(const void *, const void *))
{
    if (l->count) qsort(l->items, l->count, size, cmp);
}

/* ---- a space, row by row ---- */

typedef struct err take_fn(struct loader *l, struct str key, struct str value);

static struct err each_row(struct loader *l, enum space space, take_fn *take)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, l->rows, space, STR_NONE, false);
    while (e.code == ERR_OK && rows_scan_next(&scan, &key, &value)) e = take(l, key, value);
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* The row's JSON (borrowed until the next row is taken) and what all kinds have. */
static struct err read_row(enum iam_kind kind, struct loader *l, struct str key, struct str value,
                           json_t **ret_json, struct iam_entity *ret)
{
    const struct str name = arena_str(l->arena, iam_row_name(kind, key));

    if (!name.data) return no_memory_for_identities();
    TRY(entity_parse(value, ret_json));
    return iam_row_entity(*ret_json, name, ret);
}

static struct err take_catalog_role(struct loader *l, struct str key, struct str value)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct iam_entity entity;

    if (key.len <= 8) return FAIL(ERR_CORRUPT, "the key of a catalog role is damaged");
    TRY(read_row(IAM_CATALOG_ROLE, l, key, value, &json, &entity));
    struct catalog_role *role = list_add(&l->catalog_roles, sizeof(*role), l->arena);
    if (!role) return no_memory_for_identities();
    *role = (struct catalog_role){ .id = entity.id, .catalog_id = get_be64(key.data) };
    return OK;
}

static const struct catalog_role *find_catalog_role(const struct loader *l, uint64_t id)
{
    if (!l->catalog_roles.count) return NULL;
    return bsearch(&id, l->catalog_roles.items, l->catalog_roles.count, sizeof(struct catalog_role), by_id);
}

static struct err take_grant(struct loader *l, struct str key, struct str value)
{
    struct granted g = { .role_id = 0 };
    enum privilege p;

    (void)value;
    TRY(grant_from_key(key, &g.right.on, &g.role_id, &p));
    const struct catalog_role *role = find_catalog_role(l, g.role_id);
    if (!role || p == PRIV_NONE) return OK;
    g.right.catalog_id = role->catalog_id;
    privilege_set_add(&g.right.gives, p);
    struct granted *kept = list_add(&l->granted, sizeof(*kept), l->arena);
    if (!kept) return no_memory_for_identities();
    *kept = g;
    return OK;
}

/* ---- principal roles ---- */

/* The first grant of a catalog role, or where it would be. */
static size_t first_granted(const struct loader *l, uint64_t role_id)
{
    const struct granted *all = l->granted.items;
    size_t low = 0, high = l->granted.count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (all[middle].role_id < role_id) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct err add_rights(struct loader *l, uint64_t catalog_role_id, struct list *rights)
{
    const struct granted *all = l->granted.items;

    for (size_t i = first_granted(l, catalog_role_id);
         i < l->granted.count && all[i].role_id == catalog_role_id; i++) {
        struct right *r = list_add(rights, sizeof(*r), l->arena);
        if (!r) return no_memory_for_identities();
        *r = all[i].right;
    }
    return OK;
}

/* One right for each thing. */
static void merge_rights(struct list *rights)
{
    struct right *all = rights->items;
    size_t kept = 0;

    sort(rights, sizeof(*all), by_thing);
    for (size_t i = 0; i < rights->count; i++) {
        if (kept && securable_cmp(&all[kept - 1].on, &all[i].on) == 0)
            privilege_set_merge(&all[kept - 1].gives, all[i].gives);
        else all[kept++] = all[i];
    }
    rights->count = kept;
}

/* What the role that manages the service has, besides what is granted to it. */
static struct err add_service(struct loader *l, struct list *rights)
{
    struct right *r = list_add(rights, sizeof(*r), l->arena);

    if (!r) return no_memory_for_identities();
    *r = (struct right){ .on = securable_of_id(SECURABLE_ROOT, 0) };
    privilege_set_add(&r->gives, PRIV_SERVICE_MANAGE_ACCESS);
    return OK;
}

static struct err take_role(struct loader *l, struct str key, struct str value)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct list rights = { 0 };
    struct iam_entity entity;
    uint64_t *ids;
    size_t count;

    TRY(read_row(IAM_PRINCIPAL_ROLE, l, key, value, &json, &entity));
    TRY(iam_row_ids(json, "roles", l->arena, &ids, &count));
    if (str_is(entity.name, SERVICE_ADMIN)) TRY(add_service(l, &rights));
    for (size_t i = 0; i < count; i++) TRY(add_rights(l, ids[i], &rights));
    merge_rights(&rights);
    struct role *role = list_add(&l->roles, sizeof(*role), l->arena);
    if (!role) return no_memory_for_identities();
    *role = (struct role){
        .id = entity.id, .name = entity.name, .rights = rights.items, .right_count = rights.count
    };
    return OK;
}

/* ---- principals ---- */

static bool holds(const uint64_t *ids, size_t count, uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (ids[i] == id) return true;
    }
    return false;
}

/* Roles are in the order of their names already, and so are a principal's. */
static struct err link_roles(struct loader *l, const uint64_t *ids, size_t count, struct principal *p)
{
    const struct role *all = l->roles.items;
    const struct role **roles = arena_array(l->arena, const struct role *, count + 1);

    if (!roles) return no_memory_for_identities();
    for (size_t i = 0; i < l->roles.count; i++) {
        if (p->role_count < count && holds(ids, count, all[i].id)) roles[p->role_count++] = &all[i];
    }
    p->roles = roles;
    return OK;
}

static struct err read_secrets(struct loader *l, const json_t *json, uint64_t id, struct secrets *ret)
{
    const json_t *list = json_object_get(json, "secrets"), *sealed;
    size_t i;

    json_array_foreach(list, i, sealed)
    {
        if (ret->count == SECRETS_MAX) return FAIL(ERR_CORRUPT, "a principal has too many secrets");
        TRY(secret_unseal(l->iam, id, json_str(sealed), l->arena, &ret->items[ret->count++]));
    }
    return ret->count ? OK : FAIL(ERR_CORRUPT, "a principal has no secret");
}

/* The owner of a key is found by its name, once principals have their last place (directory.c). */
static struct err take_principal(struct loader *l, struct str key, struct str value)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct iam_entity entity;
    uint64_t *ids;
    size_t count;

    TRY(read_row(IAM_PRINCIPAL, l, key, value, &json, &entity));
    TRY(iam_row_ids(json, "roles", l->arena, &ids, &count));
    struct principal *p = list_add(&l->principals, sizeof(*p), l->arena);
    struct access_key *k = list_add(&l->keys, sizeof(*k), l->arena);
    if (!p || !k) return no_memory_for_identities();
    *p = (struct principal){ .name = entity.name,
                             .is_stored = true,
                             .is_rotation_required = entity.is_rotation_required,
                             .client_id = arena_str(l->arena, entity.client_id) };
    *k = (struct access_key){ .id = p->client_id };
    if (!p->client_id.data) return no_memory_for_identities();
    TRY(link_roles(l, ids, count, p));
    return read_secrets(l, json, entity.id, &k->secrets);
}

struct err directory_load(const struct iam *iam, struct rows *r, struct arena *arena, struct stored *ret)
{
    struct loader l = { .iam = iam, .rows = r, .arena = arena };

    TRY(each_row(&l, SPACE_CATALOG_ROLES, take_catalog_role));
    sort(&l.catalog_roles, sizeof(struct catalog_role), by_id);
    TRY(each_row(&l, SPACE_GRANTS, take_grant));
    sort(&l.granted, sizeof(struct granted), by_role_then_thing);
    TRY(each_row(&l, SPACE_PRINCIPAL_ROLES, take_role));
    TRY(each_row(&l, SPACE_PRINCIPALS, take_principal));
    *ret = (struct stored){
        .roles = l.roles.items,
        .role_count = l.roles.count,
        .principals = l.principals.items,
        .principal_count = l.principals.count,
        .keys = l.keys.items,
        .key_count = l.keys.count,
    };
    return OK;
}
