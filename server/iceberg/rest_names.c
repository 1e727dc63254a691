/*
 * rest_names.c - namespaces and identifiers in bodies, and paging.
 */
#include "server/iceberg/rest.h"

#include "storage/base/limits.h"

struct err rest_ns_from_json(const json_t *levels, const char *field, struct ns_path *ret)
{
    struct ns_path path = { .count = 0 };
    size_t i;
    json_t *level;

    if (!json_is_array(levels)) return err_fail(ERR_INVALID, "field '%s' must be an array of strings", field);
    json_array_foreach(levels, i, level)
    {
        if (!json_is_string(level))
            return err_fail(ERR_INVALID, "field '%s' must be an array of strings", field);
        if (path.count == NAMESPACE_LEVELS_MAX)
            return err_fail(ERR_INVALID, "Invalid namespace: it has more than %d levels",
                            NAMESPACE_LEVELS_MAX);
        path.levels[path.count++] = json_str(level);
    }
    TRY(ns_path_check(&path));
    *ret = path;
    return OK;
}

json_t *rest_ns_to_json(const struct ns_path *ns)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ns->count; i++) json_array_append_new(list, json_of_str(ns->levels[i]));
    return list;
}

struct err rest_ident_from_json(const json_t *ident, const char *field, struct table_ident *ret)
{
    struct table_ident t = { .kind = METADATA_TABLE };

    if (!json_is_object(ident)) return err_fail(ERR_INVALID, "field '%s' must be a table identifier", field);
    TRY(rest_ns_from_json(json_object_get(ident, "namespace"), "namespace", &t.ns));
    TRY(json_need_str(ident, "name", &t.name));
    TRY(table_name_check(t.name));
    *ret = t;
    return OK;
}

enum { PAGE_SIZE_MAX = 10000, PAGE_SIZE = 1000 };

struct err rest_paging(const struct rest_request *req, struct str *ret_token, size_t *ret_size)
{
    const struct str token = http_query(req->http, "pageToken"), size = http_query(req->http, "pageSize");
    uint64_t number = PAGE_SIZE;

    if (size.len && (!str_to_u64(size, &number) || number == 0))
        return FAIL(ERR_INVALID, "pageSize must be a positive number");
    *ret_token = token.data ? token : STR("");
    *ret_size = token.data ? (size_t)(number > PAGE_SIZE_MAX ? PAGE_SIZE_MAX : number) : 0;
    return OK;
}

struct err rest_ns_from_text(struct str text, const char *name, struct ns_path *ret)
{
    struct str level;

    ret->count = 0;
    for (struct str_split it = str_split_on(text, 0x1f); str_split_next(&it, &level);) {
        if (ret->count == NAMESPACE_LEVELS_MAX)
            return err_fail(ERR_INVALID, "Invalid %s: it has too many levels", name);
        ret->levels[ret->count++] = level;
    }
    return ns_path_check(ret);
}

struct err rest_query_namespace(const struct rest_request *req, const char *name, struct ns_path *ret)
{
    const struct str text = http_query(req->http, name);

    ret->count = 0;
    return text.len ? rest_ns_from_text(text, name, ret) : OK;
}
