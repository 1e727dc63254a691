/*
 * manage_catalog.c - catalogs.
 *
 * What is served is a catalog of this store: type INTERNAL, storage S3, its base location in a bucket that is there. storageConfigInfo is kept and shown as it
 * was given, so that create scripts made for Polaris work; roles, KMS keys and STS endpoints in it have no effect, since the store is our own.
 */
#include "server/manage/manage_ops.h"

#include "admin/iam/bootstrap.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

/* ---- storageConfigInfo ---- */

enum value_kind { A_STRING, A_BOOL, STRINGS };

/* AwsStorageConfigInfo of the specification. */
static const struct {
    const char *field;
    enum value_kind kind;
} storage_fields[] = {
    { "storageType", A_STRING },      { "allowedLocations", STRINGS }, { "storageName", A_STRING },
    { "roleArn", A_STRING },          { "externalId", A_STRING },      { "userArn", A_STRING },
    { "currentKmsKey", A_STRING },    { "allowedKmsKeys", STRINGS },   { "region", A_STRING },
    { "endpoint", A_STRING },         { "stsEndpoint", A_STRING },     { "stsUnavailable", A_BOOL },
    { "endpointInternal", A_STRING }, { "pathStyleAccess", A_BOOL },   { "kmsUnavailable", A_BOOL },
};

static bool is_strings(const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item)) return false;
    }
    return json_is_array(list);
}

static struct err take_field(const json_t *value, const char *field, enum value_kind kind, json_t *out)
{
    static const char *const words[] = {
        [A_STRING] = "a string", [A_BOOL] = "true or false", [STRINGS] = "an array of strings"
    };
    const bool is_right = kind == A_STRING ? json_is_string(value)
        : kind == A_BOOL                   ? json_is_boolean(value)
                                           : is_strings(value);

    if (!value || json_is_null(value)) return OK;
    if (!is_right)
        return err_fail(ERR_INVALID, "field 'storageConfigInfo.%s' must be %s", field, words[kind]);
    return json_object_set(out, field, (json_t *)value) == 0 ? OK
                                                             : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err manage_storage_parse(const json_t *given, json_t **ret)
{
    CLEANUP(json_freep) json_t *out = json_object();
    struct str type;

    TRY(json_need_str(given, "storageType", &type));
    if (!str_is(type, "S3"))
        return err_fail(ERR_INVALID, "Unsupported storage type: %.*s. Catalogs of this server are of type S3",
                        STR_ARG(type));
    for (size_t i = 0; i < sizeof(storage_fields) / sizeof(storage_fields[0]); i++) {
        const char *field = storage_fields[i].field;
        TRY(take_field(json_object_get(given, field), field, storage_fields[i].kind, out));
    }
    *ret = json_incref(out);
    return OK;
}

/* ---- as JSON ---- */

/* Who sees a catalog but may not read its properties is told what /v1/config tells. */
static json_t *catalog_json(const struct catalog_info *c, bool is_whole)
{
    json_t *json = json_pack("{s:s, s:o, s:I, s:I, s:I}", "type", "INTERNAL", "name", json_of_str(c->name),
                             "createTimestamp", (json_int_t)c->created_ms, "lastUpdateTimestamp",
                             (json_int_t)c->updated_ms, "entityVersion", (json_int_t)c->version);

    if (json && is_whole) {
        (void)json_object_set(json, "properties", c->properties);
        (void)json_object_set(json, "storageConfigInfo", c->storage);
    } else if (json) {
        (void)json_object_set_new(json, "properties",
                                  json_pack("{s:o}", "default-base-location", json_of_str(c->base_location)));
        (void)json_object_set_new(json, "storageConfigInfo", json_pack("{s:s}", "storageType", "S3"));
    }
    return json;
}

/* ---- the operations ---- */

static struct securable_path path_of(const struct catalog_info *c)
{
    return (struct securable_path){ .nodes = { securable_of_id(SECURABLE_CATALOG, c->id) },
                                    .count = 1,
                                    .catalog_id = c->id,
                                    .location = c->base_location,
                                    .is_whole = true };
}

struct err manage_list_catalogs(struct manage_request *req)
{
    struct catalog_info *all;
    size_t count;

    TRY(catalog_list(req->store, req->arena, &all, &count));
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct securable_path path = path_of(&all[i]);
        const bool is_whole = rights_have(&req->caller, PRIV_CATALOG_READ_PROPERTIES, &path);
        if (is_whole || rights_have(&req->caller, req->op->privilege, &path)
            || rights_see_catalog(&req->caller, &path))
            json_array_append_new(list, catalog_json(&all[i], is_whole));
    }
    api_answer_json(req->http, 200, json_pack("{s:o}", "catalogs", list));
    return OK;
}

static struct err check_type(const json_t *given)
{
    struct str type = STR("INTERNAL");

    TRY(json_want_str(given, "type", &type));
    if (str_is(type, "INTERNAL")) return OK;
    if (str_is(type, "EXTERNAL"))
        return FAIL(ERR_INVALID,
                    "catalogs of type EXTERNAL are not supported: this server keeps its catalogs itself");
    return err_fail(ERR_INVALID, "field 'type' must be INTERNAL, not '%.*s'", STR_ARG(type));
}

static struct err check_name(struct str name)
{
    const struct str reserved = STR("system$");

    if (!str_eq_nocase(str_slice(str_trim(name), 0, reserved.len), reserved)) return OK;
    return err_fail(ERR_INVALID, "field 'name': '%.*s' begins as only the server's own may", STR_ARG(name));
}

struct err manage_create_catalog(struct manage_request *req)
{
    CLEANUP(json_freep) json_t *storage = NULL;
    struct catalog_new made = { .made = iam_catalog_made };
    json_t *given, *properties, *config;
    struct catalog_info info;

    TRY(json_need_object(req->body, "catalog", &given));
    TRY(json_need_str(given, "name", &made.name));
    TRY(check_name(made.name));
    TRY(check_type(given));
    TRY(json_need_object(given, "properties", &properties));
    TRY(json_need_object(given, "storageConfigInfo", &config));
    TRY(manage_storage_parse(config, &storage));
    made.properties = properties;
    made.storage = storage;
    TRY(catalog_create(req->store, &made, &req->actor, req->arena, &info));
    TRY(iam_put_in_force(req->iam.iam));
    api_answer_json(req->http, 201, catalog_json(&info, true));
    return OK;
}

struct err manage_get_catalog(struct manage_request *req)
{
    struct catalog_info info;

    TRY(catalog_get(req->store, req->catalog, req->arena, &info));
    api_answer_json(req->http, 200, catalog_json(&info, true));
    return OK;
}

struct err manage_update_catalog(struct manage_request *req)
{
    CLEANUP(json_freep) json_t *storage = NULL;
    json_t *properties = NULL, *config = NULL;
    struct catalog_info info;
    struct catalog_change change = {
        .may_move = rights_have(&req->caller, PRIV_CATALOG_CREATE, NULL),
    };

    TRY(json_need_i64(req->body, "currentEntityVersion", &change.version));
    TRY(json_want_object(req->body, "properties", &properties));
    TRY(json_want_object(req->body, "storageConfigInfo", &config));
    if (config) TRY(manage_storage_parse(config, &storage));
    change.properties = properties;
    change.storage = storage;
    TRY(catalog_update(req->store, req->catalog, &change, &req->actor, req->arena, &info));
    api_answer_json(req->http, 200, catalog_json(&info, true));
    return OK;
}

struct err manage_drop_catalog(struct manage_request *req)
{
    TRY(catalog_drop(req->store, req->catalog, iam_catalog_dropped, &req->actor));
    TRY(iam_put_in_force(req->iam.iam));
    api_answer_empty(req->http, 204);
    return OK;
}
