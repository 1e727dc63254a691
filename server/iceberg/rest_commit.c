/*
 * rest_commit.c - UpdateTable and the multi-table commit.
 */
#include "server/iceberg/rest.h"

#include "server/iceberg/rest_load.h"

struct err rest_change_from_json(const json_t *body, struct table_change *ret)
{
    json_t *requirements = NULL, *updates = NULL;

    TRY(json_want_array(body, "requirements", &requirements));
    TRY(json_need_array(body, "updates", &updates));
    ret->requirements = requirements;
    ret->updates = updates;
    return OK;
}

struct err rest_check_identifier(const struct rest_request *req)
{
    const json_t *identifier = json_object_get(req->body, "identifier");
    struct table_ident t;

    if (!identifier || json_is_null(identifier)) return OK;
    TRY(rest_ident_from_json(identifier, "identifier", &t));
    bool same = str_eq(t.name, req->table) && t.ns.count == req->ns.count;
    for (size_t i = 0; same && i < t.ns.count; i++) same = str_eq(t.ns.levels[i], req->ns.levels[i]);
    return same ? OK : FAIL(ERR_INVALID, "field 'identifier' names another than the path");
}

struct err rest_update_table(struct rest_request *req)
{
    struct table_change change = { .ident = { .ns = req->ns, .name = req->table } };
    struct table_info info;

    TRY(rest_check_identifier(req));
    TRY(rest_change_from_json(req->body, &change));
    TRY(rest_need_updates(req, &change));
    TRY(table_commit(req->options->store, req->prefix, &change, 1, &req->actor, req->arena, &info));
    return rest_answer_changed(req, &info);
}

struct err rest_commit_transaction(struct rest_request *req)
{
    json_t *list, *entry;
    size_t i;

    TRY(json_need_array(req->body, "table-changes", &list));
    const size_t count = json_array_size(list);
    struct table_change *changes = arena_array(req->arena, struct table_change, count);
    struct table_info *infos = arena_array(req->arena, struct table_info, count);
    if (count && (!changes || !infos)) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    json_array_foreach(list, i, entry)
    {
        TRY(rest_ident_from_json(json_object_get(entry, "identifier"), "identifier", &changes[i].ident));
        TRY(rest_change_from_json(entry, &changes[i]));
        TRY(rest_need_updates(req, &changes[i]));
    }
    TRY(table_commit(req->options->store, req->prefix, changes, count, &req->actor, req->arena, infos));
    rest_answer_empty(req, 204);
    return OK;
}
