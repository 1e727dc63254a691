/*
 * catalog_change.c - making, changing and dropping catalogs.
 *
 * A catalog's places are its base location and the allowedLocations of its storage. No place of one catalog is equal to, above or below one of another, checked inside
 * the transaction against all of them: else a right on one catalog would reach into the other. Tables live in the base location alone, so that one may move only
 * to where it still holds what was there.
 */
#include "catalog/commit/catalog.h"

#include "catalog/commit/audit.h"
#include "catalog/commit/catalog_row.h"
#include "catalog/commit/guarded.h"
#include "catalog/commit/warehouse.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

enum { PLACES_MAX = 64 }; /* of one catalog */

struct plan {
    struct str name;
    struct str base_location;     /* in one spelling */
    struct str old_location;      /* of an update: the base location until now */
    json_t *properties, *storage; /* in the arena */
    const struct catalog_change *change;
    catalog_hook_fn *hook;
    bool is_ensured; /* an equal one may be there */
    bool is_guarded;
    bool is_external;
    const struct actor *who;
    struct arena *arena;
    struct catalog_info made;
};

/* ---- places ---- */

struct places {
    struct str keys[PLACES_MAX]; /* "bucket/path/" */
    size_t count;
};

static struct err places_add(struct places *p, struct str url, struct arena *arena)
{
    if (p->count == PLACES_MAX)
        return err_fail(ERR_INVALID, "a catalog has at most %d locations", PLACES_MAX);
    TRY(location_key(url, arena, &p->keys[p->count]));
    p->count++;
    return OK;
}

static struct err places_of(struct str base_location, const json_t *storage, struct arena *arena,
                            struct places *ret)
{
    json_t *list = NULL, *url;
    size_t i;

    ret->count = 0;
    TRY(places_add(ret, base_location, arena));
    TRY(json_want_array(storage, "allowedLocations", &list));
    json_array_foreach(list, i, url)
    {
        if (!json_is_string(url))
            return FAIL(ERR_INVALID, "field 'allowedLocations' must be an array of strings");
        TRY(places_add(ret, json_str(url), arena));
    }
    return OK;
}

static const struct str *overlap_of(const struct places *a, const struct places *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; j < b->count; j++) {
            if (location_is_inside(a->keys[i], b->keys[j]) || location_is_inside(b->keys[j], a->keys[i]))
                return &a->keys[i];
        }
    }
    return NULL;
}

/* The other's name is not told: who makes a catalog need not see it. */
static struct err check_overlap(struct txn *txn, const struct plan *plan, bool is_new)
{
    struct catalog_info *all;
    struct places mine, theirs;
    size_t count;

    TRY(places_of(plan->base_location, plan->storage, plan->arena, &mine));
    TRY(catalog_rows_list(txn_rows(txn), plan->arena, &all, &count));
    if (is_new && count == LIMIT_CATALOGS)
        return err_fail(ERR_INVALID, "a store has at most %d catalogs", LIMIT_CATALOGS);
    for (size_t i = 0; i < count; i++) {
        if (str_eq(all[i].name, plan->name)) continue;
        TRY(places_of(all[i].base_location, all[i].storage, plan->arena, &theirs));
        const struct str *place = overlap_of(&mine, &theirs);
        if (place)
            return err_fail(ERR_INVALID, "the location 's3://%.*s' overlaps with that of another catalog",
                            STR_ARG(*place));
    }
    return OK;
}

static struct err check_bucket(struct txn *txn, const struct plan *plan)
{
    struct bucket_info info;
    struct str bucket, key;

    TRY(location_parse(plan->base_location, plan->arena, &bucket, &key));
    const struct err e = bucket_get(txn_rows(txn), bucket, plan->arena, &info);
    if (e.code != ERR_NO_SUCH_BUCKET) return e;
    const bool has_endpoint = json_object_get(plan->storage, "endpoint") != NULL;
    return err_fail(ERR_NO_SUCH_BUCKET,
                    "the bucket '%.*s' of default-base-location does not exist in this store: make it "
                    "first (S3 CreateBucket)%s",
                    STR_ARG(bucket),
                    has_endpoint ? ". For one at storageConfigInfo.endpoint the server needs credentials "
                                   "(setting 'external-credentials', profile storageName)"
                                 : "");
}

/* Whose is the bucket? What is here is ours, whatever is said of endpoints (decisions/0015). Outside of the transaction: another server may be asked. */
static struct err look_for_bucket(struct store *s, struct plan *plan)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct bucket_info info;
    struct str bucket, key;

    TRY(location_parse(plan->base_location, plan->arena, &bucket, &key));
    TRY(view_open(s->meta, &view));
    const struct err here = bucket_get(view, bucket, plan->arena, &info);
    view = view_close(view);
    if (here.code != ERR_NO_SUCH_BUCKET) return here;
    const struct err e = warehouse_look(s, plan->storage, bucket, plan->arena, &plan->is_external);
    if (e.code == ERR_UNAVAILABLE)
        return err_fail(
            e.code,
            "the bucket '%.*s' of default-base-location is not in this store, and whether it is at "
            "storageConfigInfo.endpoint cannot be told: %s",
            STR_ARG(bucket), e.why);
    if (e.code != ERR_NO_SUCH_BUCKET) return e;
    return err_fail(ERR_NO_SUCH_BUCKET,
                    "the bucket '%.*s' of default-base-location exists neither in this store nor at "
                    "storageConfigInfo.endpoint",
                    STR_ARG(bucket));
}

/* ---- what is asked for ---- */

static struct err take_base_location(struct plan *plan)
{
    const struct str given = json_str(json_object_get(plan->properties, BASE_LOCATION_PROPERTY));
    struct str bucket, key;

    if (given.len == 0)
        return FAIL(ERR_INVALID, "field 'properties' must have 'default-base-location', an s3:// location");
    TRY(location_parse(given, plan->arena, &bucket, &key));
    plan->base_location = key.len ? arena_printf(plan->arena, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key))
                                  : arena_printf(plan->arena, "s3://%.*s", STR_ARG(bucket));
    return plan->base_location.data ? OK : no_memory();
}

/* The base location is an allowed one. */
static struct err take_storage(struct plan *plan)
{
    const json_t *given = json_object_get(plan->properties, BASE_LOCATION_PROPERTY);
    json_t *list = NULL, *url;
    size_t i;

    TRY(json_want_array(plan->storage, "allowedLocations", &list));
    if (!list) {
        list = json_array();
        if (json_object_set_new(plan->storage, "allowedLocations", list) != 0) return no_memory();
    }
    json_array_foreach(list, i, url)
    {
        if (json_equal(url, given)) return OK;
    }
    return json_array_append(list, (json_t *)given) == 0 ? OK : no_memory();
}

static struct err take(struct plan *plan, const json_t *properties, const json_t *storage)
{
    TRY(json_check_properties(properties));
    plan->properties = properties ? json_deep_copy(properties) : json_object();
    if (!plan->properties || !json_defer(plan->arena, plan->properties)) return no_memory();
    TRY(guarded_by(plan->properties, &plan->is_guarded));
    plan->storage = storage ? json_deep_copy(storage) : json_pack("{s:s}", "storageType", "S3");
    if (!plan->storage || !json_defer(plan->arena, plan->storage)) return no_memory();
    return OK;
}

/* ---- writing ---- */

/* Of properties the names, of the storage its places: the row itself holds values, and they may be anybody's secrets. */
static struct err audit(struct txn *txn, const struct plan *plan, const char *operation)
{
    const json_t *places = json_object_get(plan->storage, "allowedLocations");
    CLEANUP(json_freep)
    json_t *lists = json_pack("{s:O, s:O}", "properties", plan->properties, "allowed-locations", places);
    CLEANUP(json_freep) json_t *details = audit_of_lists(lists);

    if (!lists || !details
        || json_object_set_new(details, "base-location", json_of_str(plan->base_location)) != 0
        || json_object_set_new(details, "version", json_integer((json_int_t)plan->made.version)) != 0)
        return no_memory();
    return audit_put(txn, plan->who, operation, plan->name, details);
}

static struct err put(struct txn *txn, struct plan *plan, const char *operation)
{
    const struct catalog_info *info = &plan->made;
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:I, s:o, s:s, s:I, s:I, s:I, s:O, s:O}", "id", (json_int_t)info->id,
                             "base-location", json_of_str(plan->base_location), "type", "INTERNAL",
                             "created-ms", (json_int_t)info->created_ms, "updated-ms",
                             (json_int_t)info->updated_ms, "version", (json_int_t)info->version, "properties",
                             plan->properties, "storage", plan->storage);

    if (plan->is_external && plan->is_guarded)
        return FAIL(
            ERR_INVALID,
            "firn.guard-live-files is for files of this store: those of a catalog at another S3 endpoint are deleted there");
    if (plan->is_external && json_object_set_new(json, "external", json_true()) != 0) return no_memory();
    TRY(entity_put(txn, SPACE_CATALOGS, plan->name, json));
    TRY(guarded_put(txn,
                    &(struct guarded_change){ .catalog_id = info->id,
                                              .before = plan->old_location,
                                              .after = plan->is_guarded ? plan->base_location : STR_NONE },
                    plan->arena));
    return audit(txn, plan, operation);
}

static void made_of(struct plan *plan, uint64_t id)
{
    const int64_t now = clock_now_ms();

    plan->made = (struct catalog_info){ .id = id,
                                        .name = plan->name,
                                        .base_location = plan->base_location,
                                        .created_ms = now,
                                        .updated_ms = now,
                                        .version = 1,
                                        .properties = plan->properties,
                                        .storage = plan->storage,
                                        .is_external = plan->is_external };
}

static struct err existing(const struct plan *plan, const struct catalog_row *row)
{
    if (!plan->is_ensured) return err_fail(ERR_EXISTS, "Catalog already exists: %.*s", STR_ARG(plan->name));
    if (str_eq(row->base_location, plan->base_location)) return OK;
    return err_fail(ERR_EXISTS, "catalog '%.*s' exists with the base location '%.*s'", STR_ARG(plan->name),
                    STR_ARG(row->base_location));
}

static struct err create_fn(struct txn *txn, void *arg)
{
    struct plan *plan = arg;
    struct catalog_row row;
    uint64_t id;
    const struct err e = catalog_row_get(txn_rows(txn), plan->name, plan->arena, &row);

    if (e.code == ERR_OK) return existing(plan, &row);
    if (e.code != ERR_NO_SUCH_WAREHOUSE) return e;
    if (!plan->is_external) TRY(check_bucket(txn, plan));
    TRY(check_overlap(txn, plan, true));
    TRY(entity_new_id(txn, &id));
    made_of(plan, id);
    TRY(put(txn, plan, "CreateCatalog"));
    return plan->hook ? plan->hook(txn, id, plan->arena) : OK;
}

struct err catalog_create(struct store *s, const struct catalog_new *made, const struct actor *who,
                          struct arena *arena, struct catalog_info *ret)
{
    struct plan plan = { .name = made->name, .hook = made->made, .who = who, .arena = arena };

    TRY(table_name_check(made->name));
    TRY(take(&plan, made->properties, made->storage));
    TRY(take_base_location(&plan));
    TRY(take_storage(&plan));
    TRY(look_for_bucket(s, &plan));
    TRY(meta_run(s->meta, create_fn, &plan));
    *ret = plan.made;
    return OK;
}

struct err catalog_ensure(struct store *s, struct str name, struct str base_location, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    struct plan plan = { .name = name, .is_ensured = true, .who = who, .arena = arena };
    CLEANUP(json_freep)
    json_t *properties = json_pack("{s:o}", BASE_LOCATION_PROPERTY, json_of_str(base_location));

    if (!arena || !properties) return no_memory();
    TRY(table_name_check(name));
    TRY(take(&plan, properties, NULL));
    TRY(take_base_location(&plan));
    TRY(take_storage(&plan));
    return meta_run(s->meta, create_fn, &plan);
}

/* ---- update ---- */

static struct err has_namespaces(struct txn *txn, uint64_t id, struct arena *arena, bool *ret)
{
    const struct ns_path all = { .count = 0 };
    const struct str prefix = ns_key(id, &all, arena);
    struct rows_scan scan;
    struct str key, value;

    if (!prefix.data) return no_memory();
    rows_scan_begin(&scan, txn_rows(txn), SPACE_NAMESPACES, prefix, false);
    *ret = rows_scan_next(&scan, &key, &value) && str_starts(key, prefix);
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

static struct err check_move(struct txn *txn, const struct plan *plan, const struct catalog_info *before)
{
    struct str from, to;
    bool is_used;

    const bool is_same_endpoint = !plan->is_external || warehouse_is_same(before->storage, plan->storage);
    if (is_same_endpoint && str_eq(before->base_location, plan->base_location)
        && json_equal(json_object_get(before->storage, "allowedLocations"),
                      json_object_get(plan->storage, "allowedLocations")))
        return OK;
    if (!plan->change->may_move)
        return FAIL(ERR_DENIED, "the locations of a catalog are changed by who may make one");
    TRY(location_key(before->base_location, plan->arena, &from));
    TRY(location_key(plan->base_location, plan->arena, &to));
    TRY(has_namespaces(txn, before->id, plan->arena, &is_used));
    if (is_used && !location_is_inside(from, to))
        return err_fail(
            ERR_INVALID,
            "default-base-location '%.*s' does not hold what the catalog's tables lie in ('%.*s')",
            STR_ARG(plan->base_location), STR_ARG(before->base_location));
    if (!plan->is_external) TRY(check_bucket(txn, plan));
    return check_overlap(txn, plan, false);
}

/* What is not given stays; so does the base location when the properties leave it out. */
static struct err take_change(struct plan *plan, const struct catalog_info *before)
{
    const struct catalog_change *c = plan->change;
    json_t *base = json_object_get(before->properties, BASE_LOCATION_PROPERTY);

    TRY(take(plan, c->properties ? c->properties : before->properties,
             c->storage ? c->storage : before->storage));
    if (json_str(json_object_get(plan->properties, BASE_LOCATION_PROPERTY)).len == 0
        && json_object_set(plan->properties, BASE_LOCATION_PROPERTY, base) != 0)
        return no_memory();
    TRY(take_base_location(plan));
    return take_storage(plan);
}

static struct err update_fn(struct txn *txn, void *arg)
{
    struct plan *plan = arg;
    struct catalog_row row;
    struct catalog_info before;

    TRY(catalog_row_get(txn_rows(txn), plan->name, plan->arena, &row));
    TRY(catalog_row_info(&row, plan->name, plan->arena, &before));
    if (before.version != plan->change->version)
        return err_fail(ERR_CONFLICT, "the catalog's entityVersion is %lld, not %lld: read it again",
                        (long long)before.version, (long long)plan->change->version);
    TRY(take_change(plan, &before));
    plan->is_external = before.is_external;
    if (plan->is_external) TRY(warehouse_check(plan->storage));
    TRY(check_move(txn, plan, &before));
    plan->old_location = before.base_location;
    made_of(plan, before.id);
    plan->made.created_ms = before.created_ms;
    plan->made.version = before.version + 1;
    return put(txn, plan, "UpdateCatalog");
}

struct err catalog_update(struct store *s, struct str name, const struct catalog_change *change,
                          const struct actor *who, struct arena *arena, struct catalog_info *ret)
{
    struct plan plan = { .name = name, .change = change, .who = who, .arena = arena };

    TRY(meta_run(s->meta, update_fn, &plan));
    *ret = plan.made;
    return OK;
}

/* ---- drop ---- */

static struct err drop_fn(struct txn *txn, void *arg)
{
    struct plan *plan = arg;
    struct catalog_row row;
    bool is_used;

    TRY(catalog_row_get(txn_rows(txn), plan->name, plan->arena, &row));
    TRY(has_namespaces(txn, row.id, plan->arena, &is_used));
    if (is_used)
        return err_fail(ERR_INVALID, "catalog '%.*s' is not empty: drop its namespaces first",
                        STR_ARG(plan->name));
    if (plan->hook) TRY(plan->hook(txn, row.id, plan->arena));
    TRY(txn_del(txn, SPACE_CATALOGS, plan->name));
    TRY(guarded_put(txn, &(struct guarded_change){ .catalog_id = row.id, .before = row.base_location },
                    plan->arena));
    return audit_put(txn, plan->who, "DeleteCatalog", plan->name, NULL);
}

struct err catalog_drop(struct store *s, struct str name, catalog_hook_fn *dropped, const struct actor *who)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REST_ARENA);
    struct plan plan = { .name = name, .hook = dropped, .who = who, .arena = arena };

    return arena ? meta_run(s->meta, drop_fn, &plan) : no_memory();
}
