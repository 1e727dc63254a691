/*
 * manage_role.c - who has which role. The row's kind is that of the role: a principal role is held by a principal, a catalog role by a principal role.
 */
#include "server/manage/manage_ops.h"

static enum iam_kind holder_kind(enum iam_kind role)
{
    return role == IAM_PRINCIPAL_ROLE ? IAM_PRINCIPAL : IAM_PRINCIPAL_ROLE;
}

struct err manage_list_assigned(struct manage_request *req)
{
    const struct iam_ref holder = manage_ref(req, holder_kind(req->op->kind));
    struct iam_entity *all;
    size_t count;

    TRY(iam_roles_of(&req->iam, &holder, req->catalog, &all, &count));
    manage_answer_list(req, req->op->kind, all, count);
    return OK;
}

struct err manage_list_holders(struct manage_request *req)
{
    const struct iam_ref role = manage_ref(req, req->op->kind);
    struct iam_entity *all;
    size_t count;

    TRY(iam_holders_of(&req->iam, &role, &all, &count));
    manage_answer_list(req, holder_kind(role.kind), all, count);
    return OK;
}

struct err manage_assign_role(struct manage_request *req)
{
    const struct iam_ref holder = manage_ref(req, holder_kind(req->op->kind));
    struct iam_ref role = manage_ref(req, req->op->kind);
    json_t *given;

    TRY(json_need_object(req->body, manage_field(role.kind), &given));
    TRY(json_need_str(given, "name", &role.name));
    TRY(iam_role_assign(&req->iam, &role, &holder));
    api_answer_empty(req->http, 201);
    return OK;
}

struct err manage_unassign_role(struct manage_request *req)
{
    const struct iam_ref holder = manage_ref(req, holder_kind(req->op->kind));
    const struct iam_ref role = manage_ref(req, req->op->kind);

    TRY(iam_role_unassign(&req->iam, &role, &holder));
    api_answer_empty(req->http, 204);
    return OK;
}
