/*
 * rest_namespace.c - the operations on namespaces.
 */
#include "server/iceberg/rest.h"

#include "storage/base/encode.h"
#include "storage/base/limits.h"

/* An object whose values are strings, as all property maps are. */
static struct err check_properties(const json_t *properties, const char *field)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)properties, key, value)
    {
        if (!json_is_string(value))
            return err_fail(ERR_INVALID, "field '%s' must hold strings: '%s' does not", field, key);
    }
    return OK;
}

static json_t *next_token(const struct name_page *page)
{
    return page->next.len ? json_of_str(page->next) : json_null();
}

struct err rest_list_namespaces(struct rest_request *req)
{
    struct ns_path path;
    struct name_page page;
    struct str token;
    size_t size;
    bool is_all;

    TRY(rest_query_namespace(req, "parent", &path));
    TRY(rest_paging(req, &token, &size));
    TRY(rest_seen_namespaces(req, &path, &is_all, &page));
    if (is_all) TRY(ns_list(req->options->store, req->prefix, &path, token, size, req->arena, &page));
    else rest_page(&page, token, size);
    json_t *list = json_array();
    if (path.count == NAMESPACE_LEVELS_MAX) path.count--; /* none can have children */
    path.count++;
    for (size_t i = 0; i < page.count; i++) {
        path.levels[path.count - 1] = page.names[i];
        json_array_append_new(list, rest_ns_to_json(&path));
    }
    rest_answer_json(req, 200,
                     json_pack("{s:o, s:o}", "next-page-token", next_token(&page), "namespaces", list));
    return OK;
}

struct err rest_create_namespace(struct rest_request *req)
{
    json_t *properties = NULL;
    struct ns_path path;

    TRY(rest_ns_from_json(json_object_get(req->body, "namespace"), "namespace", &path));
    TRY(json_want_object(req->body, "properties", &properties));
    TRY(check_properties(properties, "properties"));
    struct table_ident parent = { .ns = path };
    parent.ns.count--;
    TRY(rest_need(req, PRIV_NAMESPACE_CREATE, &parent, NULL));
    TRY(ns_create(req->options->store, req->prefix, &path, properties, &req->actor));
    json_t *shown = properties ? json_incref(properties) : json_object();
    rest_answer_json(req, 200,
                     json_pack("{s:o, s:o}", "namespace", rest_ns_to_json(&path), "properties", shown));
    return OK;
}

struct err rest_load_namespace(struct rest_request *req)
{
    struct ns_info info;

    TRY(ns_get(req->options->store, req->prefix, &req->ns, req->arena, &info));
    rest_answer_json(
        req, 200,
        json_pack("{s:o, s:O}", "namespace", rest_ns_to_json(&req->ns), "properties", info.properties));
    return OK;
}

struct err rest_namespace_exists(struct rest_request *req)
{
    struct ns_info info;

    TRY(ns_get(req->options->store, req->prefix, &req->ns, req->arena, &info));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_drop_namespace(struct rest_request *req)
{
    TRY(ns_drop(req->options->store, req->prefix, &req->ns, &req->actor));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_update_namespace(struct rest_request *req)
{
    json_t *updates = NULL, *removals = NULL, *answer, *name;
    size_t i;

    TRY(json_want_object(req->body, "updates", &updates));
    TRY(json_want_array(req->body, "removals", &removals));
    TRY(check_properties(updates, "updates"));
    json_array_foreach(removals, i, name)
    {
        if (!json_is_string(name)) return FAIL(ERR_INVALID, "field 'removals' must be an array of strings");
    }
    TRY(ns_set_properties(req->options->store, req->prefix, &req->ns, updates, removals, &req->actor,
                          &answer));
    rest_answer_json(req, 200, answer);
    return OK;
}
