/*
 * update_partition.c - partition specs and sort orders.
 *
 * They are bound against the current schema at this point of the commit, so the order of updates matters (catalog.md 2.2).
 */
#include "catalog/commit/draft.h"

#include "catalog/model/partition.h"
#include "storage/base/thread.h"

static int64_t highest_id(const struct draft *d, const char *array, const char *id_field)
{
    int64_t highest = -1;
    json_t *element;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, array), i, element)
    {
        const int64_t id = json_integer_value(json_object_get(element, id_field));
        highest = id > highest ? id : highest;
    }
    return highest;
}

static json_t *find_same(const struct draft *d, const char *array, const json_t *wanted,
                         bool (*same)(const json_t *, const json_t *))
{
    json_t *element;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, array), i, element)
    {
        if (same(element, wanted)) return element;
    }
    return NULL;
}

static struct err append(struct draft *d, const char *array, json_t *element)
{
    json_t *list = draft_own(d, array, true);

    if (list && json_array_append(list, element) == 0) return OK;
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

/* What -1 means, or the id itself, which must be there. */
static struct err resolve(const struct draft *d, int64_t asked, int64_t last, const char *array,
                          const char *id_field, const char *what, int64_t *ret)
{
    if (asked == -1 && last == NONE_ADDED)
        return err_fail(ERR_INVALID, "Cannot set last added %s: no %s has been added", what, what);
    if (asked == -1) asked = last;
    if (!draft_find(d, array, id_field, asked))
        return err_fail(ERR_INVALID, "Cannot set default %s to unknown %s: %lld", what, what,
                        (long long)asked);
    *ret = asked;
    return OK;
}

/* ---- partition specs ---- */

struct err update_add_spec(struct draft *d, const json_t *update)
{
    json_t *unbound;
    CLEANUP(json_freep) json_t *spec = NULL;
    const json_t *schema = draft_binding_schema(d);
    int64_t last_id = draft_int(d, "last-partition-id", PARTITION_ID_FIRST - 1);
    const json_t *specs = json_object_get(d->metadata, "partition-specs");

    TRY(json_need_object(update, "spec", &unbound));
    if (!schema) return FAIL(ERR_INVALID, "Cannot add a partition spec before there is a schema");
    TRY(partition_bind(unbound, schema, specs, highest_id(d, "partition-specs", "spec-id") + 1, &last_id,
                       &spec));
    const json_t *same = find_same(d, "partition-specs", spec, partition_same);
    d->last_spec = json_integer_value(json_object_get(same ? same : spec, "spec-id"));
    if (same) return OK;
    if (draft_format(d) == 1 && !partition_is_sequential(spec))
        return FAIL(ERR_INVALID, "Spec does not use sequential IDs that are required in v1");
    if (last_id != draft_int(d, "last-partition-id", PARTITION_ID_FIRST - 1)
        || !json_object_get(d->metadata, "last-partition-id"))
        draft_set_int(d, "last-partition-id", last_id);
    return append(d, "partition-specs", spec);
}

struct err update_set_default_spec(struct draft *d, const json_t *update)
{
    int64_t id;

    TRY(json_need_i64(update, "spec-id", &id));
    TRY(resolve(d, id, d->last_spec, "partition-specs", "spec-id", "partition spec", &id));
    if (id != draft_int(d, "default-spec-id", -1)) draft_set_int(d, "default-spec-id", id);
    return OK;
}

struct err update_remove_specs(struct draft *d, const json_t *update)
{
    json_t *ids, *id;
    size_t i;

    TRY(json_need_array(update, "spec-ids", &ids));
    json_array_foreach(ids, i, id)
    {
        if (json_is_integer(id) && json_integer_value(id) == draft_int(d, "default-spec-id", -1))
            return FAIL(ERR_INVALID, "Cannot remove the default partition spec");
    }
    return draft_remove(d, "partition-specs", "spec-id", ids);
}

/* ---- sort orders ---- */

/* Unsorted is always order 0; others count from 1. */
struct err update_add_order(struct draft *d, const json_t *update)
{
    json_t *unbound;
    CLEANUP(json_freep) json_t *order = NULL;
    const json_t *schema = draft_binding_schema(d);

    TRY(json_need_object(update, "sort-order", &unbound));
    if (!schema) return FAIL(ERR_INVALID, "Cannot add a sort order before there is a schema");
    const int64_t highest = highest_id(d, "sort-orders", "order-id");
    const int64_t id = sort_is_unsorted(unbound) ? 0 : highest < 1 ? 1 : highest + 1;
    TRY(sort_bind(unbound, schema, id, &order));
    const json_t *same = find_same(d, "sort-orders", order, sort_same);
    d->last_order = json_integer_value(json_object_get(same ? same : order, "order-id"));
    return same ? OK : append(d, "sort-orders", order);
}

struct err update_set_default_order(struct draft *d, const json_t *update)
{
    int64_t id;

    TRY(json_need_i64(update, "sort-order-id", &id));
    TRY(resolve(d, id, d->last_order, "sort-orders", "order-id", "sort order", &id));
    if (id != draft_int(d, "default-sort-order-id", -1)) draft_set_int(d, "default-sort-order-id", id);
    return OK;
}
