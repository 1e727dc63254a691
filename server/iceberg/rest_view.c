/*
 * rest_view.c - the operations on views.
 *
 * A view is a metadata file and a pointer like a table, and goes the same way through catalog/commit; it has no files of data, so no keys are given with it.
 */
#include "server/iceberg/rest.h"

#include "server/iceberg/rest_load.h"
#include "storage/base/thread.h"

static struct table_ident ident_of(const struct rest_request *req)
{
    return (struct table_ident){ .ns = req->ns, .name = req->table, .kind = METADATA_VIEW };
}

static struct err answer_view(struct rest_request *req, const struct table_info *t)
{
    CLEANUP(json_freep) json_t *config = json_object();
    struct str text;

    TRY(rest_splice(req, t, config, NULL, &text));
    rest_answer_text(req, 200, text);
    return OK;
}

struct err rest_list_views(struct rest_request *req)
{
    return rest_answer_names(req, METADATA_VIEW);
}

struct err rest_create_view(struct rest_request *req)
{
    struct table_info info;

    TRY(view_create(req->options->store, req->prefix, &req->ns, req->body, &req->actor, req->arena, &info));
    return answer_view(req, &info);
}

struct err rest_load_view(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    struct table_info info;

    TRY(table_load(req->options->store, req->prefix, &t, req->arena, &info));
    return answer_view(req, &info);
}

struct err rest_view_exists(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    struct table_info info;

    TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_replace_view(struct rest_request *req)
{
    struct table_change change = { .ident = ident_of(req) };
    struct table_info info;

    TRY(rest_check_identifier(req));
    TRY(rest_change_from_json(req->body, &change));
    TRY(table_commit(req->options->store, req->prefix, &change, 1, &req->actor, req->arena, &info));
    return answer_view(req, &info);
}

struct err rest_drop_view(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);

    TRY(table_drop(req->options->store, req->prefix, &t, false, &req->actor));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_register_view(struct rest_request *req)
{
    struct table_ident t = { .ns = req->ns, .kind = METADATA_VIEW };
    struct str location;
    struct table_info info;

    TRY(json_need_str(req->body, "name", &t.name));
    TRY(json_need_str(req->body, "metadata-location", &location));
    TRY(table_register(req->options->store, req->prefix, &t, location, false, &req->actor, req->arena,
                       &info));
    return answer_view(req, &info);
}

struct err rest_rename_view(struct rest_request *req)
{
    struct table_ident from, to;

    TRY(rest_ident_from_json(json_object_get(req->body, "source"), "source", &from));
    TRY(rest_ident_from_json(json_object_get(req->body, "destination"), "destination", &to));
    from.kind = to.kind = METADATA_VIEW;
    const struct table_ident target = { .ns = to.ns, .kind = METADATA_VIEW };
    TRY(rest_need(req, PRIV_VIEW_DROP, &from, NULL));
    TRY(rest_need(req, PRIV_VIEW_LIST, &target, NULL));
    TRY(rest_need(req, PRIV_VIEW_CREATE, &target, NULL));
    TRY(table_rename(req->options->store, req->prefix, &from, &to, &req->actor));
    rest_answer_empty(req, 204);
    return OK;
}
