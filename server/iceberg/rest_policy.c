/*
 * rest_policy.c - Polaris' policies, which its command line asks for beside what is Iceberg's (`setup export`, and `summarize` of a catalog, namespace or table).
 *
 * No policy can be made here, so nothing has one, and none applies. Who may ask is as it is there; what is asked for has to exist.
 */
#include "server/iceberg/rest.h"

struct err rest_list_policies(struct rest_request *req)
{
    struct ns_info info;

    TRY(ns_get(req->options->store, req->prefix, &req->ns, req->arena, &info));
    rest_answer_json(req, 200, json_pack("{s:[], s:n}", "identifiers", "next-page-token"));
    return OK;
}

/* What ?namespace= and &target-name= name is there, and the caller may read its properties. */
static struct err find_target(struct rest_request *req, const struct table_ident *what)
{
    struct table_info table;
    struct ns_info ns;

    if (what->name.len) {
        TRY(rest_need(req, PRIV_TABLE_READ_PROPERTIES, what, NULL));
        return table_stat(req->options->store, req->prefix, what, req->arena, &table);
    }
    if (what->ns.count) {
        TRY(rest_need(req, PRIV_NAMESPACE_READ_PROPERTIES, what, NULL));
        return ns_get(req->options->store, req->prefix, &what->ns, req->arena, &ns);
    }
    return rest_need(req, PRIV_CATALOG_READ_PROPERTIES, what, NULL);
}

struct err rest_applicable_policies(struct rest_request *req)
{
    struct table_ident what = { .name = http_query(req->http, "target-name") };

    TRY(rest_query_namespace(req, "namespace", &what.ns));
    if (what.name.len && !what.ns.count) return FAIL(ERR_INVALID, "target-name needs a namespace");
    if (what.name.len) TRY(table_name_check(what.name));
    TRY(find_target(req, &what));
    rest_answer_json(req, 200, json_pack("{s:[], s:n}", "applicable-policies", "next-page-token"));
    return OK;
}
