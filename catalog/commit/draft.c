/*
 * draft.c - a copy on write of metadata, and looking things up in it.
 */
#include "catalog/commit/draft.h"

#include <stdlib.h>

#include "storage/base/thread.h"

int64_t draft_int(const struct draft *d, const char *field, int64_t fallback)
{
    const json_t *value = json_object_get(d->metadata, field);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

int draft_format(const struct draft *d)
{
    return (int)draft_int(d, "format-version", 2);
}

json_t *draft_find(const struct draft *d, const char *array, const char *id_field, int64_t id)
{
    json_t *element;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, array), i, element)
    {
        const json_t *value = json_object_get(element, id_field);
        if (json_is_integer(value) && json_integer_value(value) == id) return element;
    }
    return NULL;
}

json_t *draft_schema(const struct draft *d)
{
    return draft_find(d, "schemas", "schema-id", draft_int(d, "current-schema-id", -1));
}

json_t *draft_binding_schema(const struct draft *d)
{
    json_t *current = draft_schema(d);
    return current ? current : draft_find(d, "schemas", "schema-id", d->last_schema);
}

void draft_set(struct draft *d, const char *field, json_t *value)
{
    d->is_changed = true;
    json_object_set_new(d->metadata, field, value);
}

void draft_set_int(struct draft *d, const char *field, int64_t value)
{
    draft_set(d, field, json_integer(value));
}

json_t *draft_own(struct draft *d, const char *field, bool is_array)
{
    json_t *mine = json_object_get(d->metadata, field);
    const json_t *shared = d->base ? json_object_get(d->base, field) : NULL;

    d->is_changed = true;
    if (mine && mine != shared && !json_is_null(mine)) return mine;
    json_t *copy = mine && !json_is_null(mine) ? json_copy(mine) : is_array ? json_array() : json_object();
    if (!copy || json_object_set_new(d->metadata, field, copy) != 0) return NULL;
    return copy;
}

/* ---- sets of ids ---- */

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

struct err id_set_of(const json_t *list, const char *id_field, struct id_set *ret)
{
    int64_t *ids = calloc(json_array_size(list) + 1, sizeof(*ids));
    size_t i, count = 0;
    json_t *element;

    if (!ids) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    json_array_foreach((json_t *)list, i, element)
    {
        const json_t *id = id_field ? json_object_get(element, id_field) : element;
        if (json_is_integer(id)) ids[count++] = json_integer_value(id);
    }
    qsort(ids, count, sizeof(*ids), by_value);
    *ret = (struct id_set){ .ids = ids, .count = count };
    return OK;
}

bool id_set_has(const struct id_set *set, const json_t *id)
{
    const int64_t value = json_integer_value(id);
    return json_is_integer(id) && bsearch(&value, set->ids, set->count, sizeof(*set->ids), by_value) != NULL;
}

void id_set_done(struct id_set *set)
{
    free(set->ids);
}

struct err draft_remove(struct draft *d, const char *array, const char *id_field, const json_t *ids)
{
    CLEANUP(id_set_done) struct id_set set = { NULL, 0 };
    const json_t *all = json_object_get(d->metadata, array);
    json_t *element, *kept;
    size_t i;

    TRY(id_set_of(ids, NULL, &set));
    kept = json_array();
    if (!kept) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    json_array_foreach((json_t *)all, i, element)
    {
        if (!id_set_has(&set, json_object_get(element, id_field))) json_array_append(kept, element);
    }
    if (json_array_size(kept) == json_array_size(all)) json_decref(kept);
    else draft_set(d, array, kept);
    return OK;
}
