/*
 * manage_entity.c - principals, principal roles and catalog roles: the same operations on each, and the credentials of principals.
 *
 * Members that a body has and we do not know are not looked at, as Polaris does: clients of later versions send them.
 */
#include "server/manage/manage_ops.h"

static const struct {
    const char *field, *list;
} words[] = {
    [IAM_PRINCIPAL] = { "principal", "principals" },
    [IAM_PRINCIPAL_ROLE] = { "principalRole", "roles" },
    [IAM_CATALOG_ROLE] = { "catalogRole", "roles" },
};

const char *manage_field(enum iam_kind kind)
{
    return words[kind].field;
}

struct iam_ref manage_ref(const struct manage_request *req, enum iam_kind kind)
{
    switch (kind) {
    case IAM_PRINCIPAL: return (struct iam_ref){ .kind = kind, .name = req->principal };
    case IAM_PRINCIPAL_ROLE: return (struct iam_ref){ .kind = kind, .name = req->principal_role };
    case IAM_CATALOG_ROLE: break;
    }
    return (struct iam_ref){ .kind = IAM_CATALOG_ROLE, .catalog = req->catalog, .name = req->catalog_role };
}

/* ---- as JSON ---- */

static json_t *entity_json(enum iam_kind kind, const struct iam_entity *e)
{
    json_t *json = json_pack("{s:o, s:O, s:I, s:I, s:I}", "name", json_of_str(e->name), "properties",
                             e->properties, "createTimestamp", (json_int_t)e->created_ms,
                             "lastUpdateTimestamp", (json_int_t)e->updated_ms, "entityVersion",
                             (json_int_t)e->version);

    if (json && kind == IAM_PRINCIPAL && e->client_id.len)
        (void)json_object_set_new(json, "clientId", json_of_str(e->client_id));
    if (json && kind == IAM_PRINCIPAL_ROLE)
        (void)json_object_set_new(json, "federated", json_boolean(e->is_federated));
    return json;
}

static json_t *with_credentials(const struct iam_entity *e, const struct iam_credentials *c)
{
    return json_pack("{s:o, s:{s:o, s:o}}", "principal", entity_json(IAM_PRINCIPAL, e), "credentials",
                     "clientId", json_of_str(c->client_id), "clientSecret", json_of_str(c->client_secret));
}

void manage_answer_list(struct manage_request *req, enum iam_kind kind, const struct iam_entity *all,
                        size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) json_array_append_new(list, entity_json(kind, &all[i]));
    api_answer_json(req->http, 200, json_pack("{s:o}", words[kind].list, list));
}

/* ---- the operations ---- */

struct err manage_list_entities(struct manage_request *req)
{
    const struct iam_ref ref = { .kind = req->op->kind, .catalog = req->catalog };
    struct iam_entity *all;
    size_t count;

    TRY(iam_entity_list(&req->iam, &ref, &all, &count));
    manage_answer_list(req, ref.kind, all, count);
    return OK;
}

struct err manage_create_entity(struct manage_request *req)
{
    struct iam_ref ref = { .kind = req->op->kind, .catalog = req->catalog };
    struct iam_new made = { .properties = NULL };
    struct iam_credentials credentials = { .client_id = STR_NONE };
    struct iam_entity e;
    json_t *given, *properties = NULL;

    TRY(json_need_object(req->body, words[ref.kind].field, &given));
    TRY(json_need_str(given, "name", &ref.name));
    TRY(json_want_object(given, "properties", &properties));
    made.properties = properties;
    if (ref.kind == IAM_PRINCIPAL)
        TRY(json_want_bool(req->body, "credentialRotationRequired", &made.is_rotation_required));
    if (ref.kind == IAM_PRINCIPAL_ROLE) TRY(json_want_bool(given, "federated", &made.is_federated));
    TRY(iam_entity_create(&req->iam, &ref, &made, &e, &credentials));
    api_answer_json(req->http, 201,
                    ref.kind == IAM_PRINCIPAL ? with_credentials(&e, &credentials)
                                              : entity_json(ref.kind, &e));
    return OK;
}

struct err manage_get_entity(struct manage_request *req)
{
    const struct iam_ref ref = manage_ref(req, req->op->kind);
    struct iam_entity e;

    TRY(iam_entity_get(&req->iam, &ref, &e));
    api_answer_json(req->http, 200, entity_json(ref.kind, &e));
    return OK;
}

struct err manage_update_entity(struct manage_request *req)
{
    const struct iam_ref ref = manage_ref(req, req->op->kind);
    struct iam_entity e;
    json_t *properties;
    int64_t version;

    TRY(json_need_i64(req->body, "currentEntityVersion", &version));
    TRY(json_need_object(req->body, "properties", &properties));
    TRY(iam_entity_update(&req->iam, &ref, version, properties, &e));
    api_answer_json(req->http, 200, entity_json(ref.kind, &e));
    return OK;
}

struct err manage_drop_entity(struct manage_request *req)
{
    const struct iam_ref ref = manage_ref(req, req->op->kind);

    TRY(iam_entity_drop(&req->iam, &ref));
    api_answer_empty(req->http, 204);
    return OK;
}

/* ---- credentials ---- */

struct err manage_rotate_credentials(struct manage_request *req)
{
    struct iam_credentials credentials;
    struct iam_entity e;

    TRY(iam_credentials_rotate(&req->iam, req->principal, &e, &credentials));
    api_answer_json(req->http, 200, with_credentials(&e, &credentials));
    return OK;
}

struct err manage_reset_credentials(struct manage_request *req)
{
    struct iam_credentials wanted = { .client_id = STR_NONE }, credentials;
    struct iam_entity e;

    if (req->body) {
        TRY(json_want_str(req->body, "clientId", &wanted.client_id));
        TRY(json_want_str(req->body, "clientSecret", &wanted.client_secret));
    }
    TRY(iam_credentials_reset(&req->iam, req->principal, &wanted, &e, &credentials));
    api_answer_json(req->http, 200, with_credentials(&e, &credentials));
    return OK;
}
