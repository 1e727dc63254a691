/* lake_test.c - see lake_test.h. */
#include "admin/iam/lake_test.h"

#include <stdio.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

static const struct actor who = { .principal = STR("root"), .request_id = STR("test"), .address = STR("-") };

static void open_store(struct lake *l)
{
    const struct meta_options m = { .dir = path_in(l->dir, "rows"),
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    struct iam_options o = options_in(l->dir);
    bool made_root;

    l->arena = arena_new(256 * MIB);
    CHECK_OK(meta_open(&m, &l->store.meta));
    const struct blob_options b = { .dir = path_in(l->dir, "volumes"),
                                    .meta = l->store.meta,
                                    .volume_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    CHECK_OK(blob_open(&b, &l->store.blobs));
    l->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    l->store.small_body_max = LIMIT_SMALL_BODY;
    o.meta = l->store.meta;
    CHECK_OK(iam_open(&o, &l->iam, &made_root));
    l->call = (struct iam_call){ .store = &l->store, .iam = l->iam, .who = &who, .arena = l->arena };
}

void lake_open(struct lake *l)
{
    *l = (struct lake){ .dir = test_dir() };
    open_store(l);
    CHECK_OK(bucket_create(&l->store, STR("lake"), STR("root"), STR_NONE));
    CHECK_OK(catalog_ensure(&l->store, STR("lake"), STR("s3://lake"), &who));
    CHECK_OK(securable_migrate(&l->store));
    CHECK_OK(iam_bootstrap(l->iam));
}

void lake_close(struct lake *l)
{
    l->arena = arena_free(l->arena);
    l->iam = iam_close(l->iam);
    l->store.blobs = blob_close(l->store.blobs);
    l->store.meta = meta_close(l->store.meta);
}

void lake_reopen(struct lake *l)
{
    lake_close(l);
    open_store(l);
}

struct ns_path lake_ns(const char *path)
{
    struct ns_path ns = { .count = 0 };
    struct str level;

    for (struct str_split it = str_split_on(str_from_z(path), '.'); str_split_next(&it, &level);)
        ns.levels[ns.count++] = level;
    return ns;
}

void lake_namespace(struct lake *l, const char *path)
{
    const struct ns_path ns = lake_ns(path);
    CHECK_OK(ns_create(&l->store, STR("lake"), &ns, NULL, &who));
}

struct table_info lake_table(struct lake *l, const char *ns, const char *name)
{
    const struct ns_path path = lake_ns(ns);
    struct table_info info;
    CLEANUP(json_freep)
    json_t *request = json_pack("{s:s, s:{s:s, s:[{s:i, s:s, s:b, s:s}]}}", "name", name, "schema", "type",
                                "struct", "fields", "id", 1, "name", "a", "required", 0, "type", "int");
    CHECK_OK(table_create(&l->store, STR("lake"), &path, request, false, &who, l->arena, &info));
    return info;
}

struct iam_ref principal_ref(const char *name)
{
    return (struct iam_ref){ .kind = IAM_PRINCIPAL, .name = str_from_z(name) };
}

struct iam_ref role_ref(const char *name)
{
    return (struct iam_ref){ .kind = IAM_PRINCIPAL_ROLE, .name = str_from_z(name) };
}

struct iam_ref catalog_role_ref(const char *name)
{
    return (struct iam_ref){ .kind = IAM_CATALOG_ROLE, .catalog = STR("lake"), .name = str_from_z(name) };
}

struct iam_credentials lake_person(struct lake *l, const char *name)
{
    const struct iam_ref p = principal_ref(name), r = role_ref(name), c = catalog_role_ref(name);
    const struct iam_new plain = { .properties = NULL };
    struct iam_credentials credentials;
    struct iam_entity entity;

    CHECK_OK(iam_entity_create(&l->call, &p, &plain, &entity, &credentials));
    CHECK_OK(iam_entity_create(&l->call, &r, &plain, &entity, NULL));
    CHECK_OK(iam_entity_create(&l->call, &c, &plain, &entity, NULL));
    CHECK_OK(iam_role_assign(&l->call, &r, &p));
    CHECK_OK(iam_role_assign(&l->call, &c, &r));
    return credentials;
}

struct iam_grant lake_grant(const char *on, enum privilege p)
{
    struct str ns;
    const struct str name = str_cut(str_from_z(on), '/', &ns);
    struct iam_grant g = { .on = name.len ? ON_TABLE : ns.len ? ON_NAMESPACE : ON_CATALOG, .privilege = p };

    for (struct str_split it = str_split_on(ns, '.');
         ns.len && str_split_next(&it, &g.ns.levels[g.ns.count]);)
        g.ns.count++;
    g.name = name;
    return g;
}

void lake_give(struct lake *l, const char *catalog_role, const char *on, enum privilege p)
{
    const struct iam_ref role = catalog_role_ref(catalog_role);
    const struct iam_grant grant = lake_grant(on, p);

    CHECK_OK(iam_grant_add(&l->call, &role, &grant));
}

bool lake_may(struct lake *l, const char *principal, enum privilege p, const char *on)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const struct iam_grant g = lake_grant(on, p);
    const struct securable_name name = { .catalog = STR("lake"), .ns = &g.ns, .name = g.name };
    const struct directory *d = directory_of(l->iam);
    const struct caller caller = caller_of_principal(directory_find_name(d, str_from_z(principal)));
    struct securable_path path;

    CHECK(caller.principal);
    CHECK_OK(view_open(l->store.meta, &view));
    CHECK_OK(securable_find(view, &name, l->arena, &path));
    CHECK(path.is_whole);
    return rights_have(&caller, p, &path);
}
