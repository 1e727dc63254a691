/*
 * update_view.c - versions of views (catalog.md 2.2).
 */
#include "catalog/commit/draft.h"

#include <stdio.h>

/* One query for each dialect. */
static struct err check_representations(const json_t *version)
{
    json_t *list, *r;
    size_t i;

    TRY(json_need_array(version, "representations", &list));
    if (json_array_size(list) == 0)
        return FAIL(ERR_INVALID, "Invalid view version: it has no representations");
    json_array_foreach(list, i, r)
    {
        struct str dialect;
        TRY(json_need_str(r, "dialect", &dialect));
        for (size_t j = 0; j < i; j++) {
            if (str_eq_nocase(dialect, json_str(json_object_get(json_array_get(list, j), "dialect"))))
                return err_fail(ERR_INVALID,
                                "Invalid view version: Cannot add multiple queries for dialect %.*s",
                                STR_ARG(dialect));
        }
    }
    return OK;
}

/* Equal but for id and time. */
static bool same_version(const json_t *a, const json_t *b)
{
    static const char *const fields[] = { "schema-id", "summary", "representations", "default-catalog",
                                          "default-namespace" };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *x = json_object_get(a, fields[i]), *y = json_object_get(b, fields[i]);
        if ((x == NULL) != (y == NULL) || (x && !json_equal(x, y))) return false;
    }
    return true;
}

static int64_t highest_version(const struct draft *d, const json_t *wanted, const json_t **ret_same)
{
    int64_t highest = 0;
    json_t *version;
    size_t i;

    json_array_foreach(json_object_get(d->metadata, "versions"), i, version)
    {
        const int64_t id = json_integer_value(json_object_get(version, "version-id"));
        highest = id > highest ? id : highest;
        if (same_version(version, wanted)) *ret_same = version;
    }
    return highest;
}

static struct err append_version(struct draft *d, json_t *version, int64_t id)
{
    char text[24];
    json_t *versions = draft_own(d, "versions", true);

    (void)snprintf(text, sizeof(text), "%lld", (long long)id);
    if (!versions || json_object_set_new(version, "version-id", json_integer(id)) != 0
        || json_array_append(versions, version) != 0
        || json_object_set_new(d->added_versions, text, json_true()) != 0)
        return no_memory();
    return OK;
}

struct err update_add_view_version(struct draft *d, const json_t *update)
{
    json_t *version;
    const json_t *same = NULL;
    int64_t schema;

    TRY(json_need_object(update, "view-version", &version));
    TRY(json_need_i64(version, "schema-id", &schema));
    TRY(check_representations(version));
    if (schema == -1 && d->last_schema == NONE_ADDED)
        return FAIL(ERR_INVALID, "Cannot set last added schema: no schema has been added");
    if (schema == -1) schema = d->last_schema;
    if (!draft_find(d, "schemas", "schema-id", schema))
        return err_fail(ERR_INVALID, "Cannot add version with unknown schema: %lld", (long long)schema);
    json_t *copy = json_copy(version);
    if (!copy || json_object_set_new(copy, "schema-id", json_integer(schema)) != 0) {
        json_decref(copy);
        return no_memory();
    }
    const int64_t highest = highest_version(d, copy, &same);
    d->last_version = same ? json_integer_value(json_object_get(same, "version-id")) : highest + 1;
    const struct err e = same ? OK : append_version(d, copy, highest + 1);
    json_decref(copy);
    return e;
}

struct err update_set_view_version(struct draft *d, const json_t *update)
{
    int64_t id;

    TRY(json_need_i64(update, "view-version-id", &id));
    if (id == -1 && d->last_version == NONE_ADDED)
        return FAIL(ERR_INVALID, "Cannot set last version id: no version has been added");
    if (id == -1) id = d->last_version;
    const json_t *version = draft_find(d, "versions", "version-id", id);
    if (!version)
        return err_fail(ERR_INVALID, "Cannot set current version to unknown version: %lld", (long long)id);
    if (id == draft_int(d, "current-version-id", -1)) return OK;
    draft_set_int(d, "current-version-id", id);
    json_t *log = draft_own(d, "version-log", true);
    json_t *entry = json_pack("{s:I, s:I}", "timestamp-ms", (json_int_t)d->now_ms, "version-id",
                              (json_int_t)id);
    return log && entry && json_array_append_new(log, entry) == 0 ? OK : no_memory();
}
