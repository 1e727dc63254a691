/*
 * iam_row.c - rows of identities as JSON.
 *
 *   principal        {"id", "version", "created-ms", "updated-ms", "properties", "client-id", "secrets": [hex], "rotation-required", "roles": [id]}
 *   principal role   {"id", ..., "properties", "federated", "roles": [id of a catalog role]}
 *   catalog role     {"id", ..., "properties"}
 *
 * Secrets are sealed with AES-256-GCM under a key derived from the master key, which is not in the store; the principal's id is bound to each, so that a row
 * copied over another opens nothing (decisions/0007).
 */
#include "admin/iam/iam_row.h"

#include <string.h>

#include "catalog/commit/entity.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/thread.h"

static const struct {
    enum space space;
    const char *noun;
} kinds[] = {
    [IAM_PRINCIPAL] = { SPACE_PRINCIPALS, "Principal" },
    [IAM_PRINCIPAL_ROLE] = { SPACE_PRINCIPAL_ROLES, "Principal role" },
    [IAM_CATALOG_ROLE] = { SPACE_CATALOG_ROLES, "Catalog role" },
};

enum space iam_space(enum iam_kind kind)
{
    return kinds[kind].space;
}

const char *iam_noun(enum iam_kind kind)
{
    return kinds[kind].noun;
}

/* ---- keys ---- */

struct str iam_row_key(enum iam_kind kind, uint64_t catalog_id, struct str name, struct arena *arena)
{
    uint8_t id[8];

    if (kind != IAM_CATALOG_ROLE) return arena_str(arena, name);
    put_be64(id, catalog_id);
    return arena_join(arena, str_of(id, sizeof(id)), name);
}

struct str iam_row_name(enum iam_kind kind, struct str key)
{
    return kind == IAM_CATALOG_ROLE ? str_from(key, 8) : key;
}

/* ---- rows ---- */

struct err iam_row_get(struct rows *r, enum iam_kind kind, uint64_t catalog_id, struct str name,
                       struct arena *arena, json_t **ret)
{
    const struct str key = iam_row_key(kind, catalog_id, name, arena);
    json_t *row;

    if (!key.data) return no_memory();
    const struct err e = entity_get(r, iam_space(kind), key, &row);
    if (e.code == ERR_NOT_FOUND || e.code == ERR_INVALID)
        return err_fail(ERR_NOT_FOUND, "%s does not exist: %.*s", iam_noun(kind), STR_ARG(name));
    TRY(e);
    if (!json_defer(arena, row)) return no_memory();
    *ret = row;
    return OK;
}

struct err iam_row_put(struct txn *txn, enum space space, struct str key, const json_t *row)
{
    TRY(entity_put(txn, space, key, row));
    return access_epoch_raise(txn);
}

static struct err read_entity(const json_t *row, struct iam_entity *e)
{
    json_t *properties;
    int64_t id;

    TRY(json_need_i64(row, "id", &id));
    TRY(json_need_i64(row, "version", &e->version));
    TRY(json_need_i64(row, "created-ms", &e->created_ms));
    TRY(json_need_i64(row, "updated-ms", &e->updated_ms));
    TRY(json_need_object(row, "properties", &properties));
    TRY(json_want_str(row, "client-id", &e->client_id));
    TRY(json_want_bool(row, "federated", &e->is_federated));
    TRY(json_want_bool(row, "rotation-required", &e->is_rotation_required));
    e->id = (uint64_t)id;
    e->properties = properties;
    return OK;
}

struct err iam_row_entity(const json_t *row, struct str name, struct iam_entity *ret)
{
    struct iam_entity e = { .name = name };

    if (read_entity(row, &e).code != ERR_OK) return FAIL(ERR_CORRUPT, "the row of an identity is damaged");
    *ret = e;
    return OK;
}

struct err iam_row_ids(const json_t *row, const char *field, struct arena *arena, uint64_t **ret,
                       size_t *ret_count)
{
    const json_t *list = json_object_get(row, field);
    const size_t count = json_array_size(list);
    uint64_t *ids = arena_array(arena, uint64_t, count + 1);

    if (!ids) return no_memory();
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_array_get(list, i);
        if (!json_is_integer(id)) return FAIL(ERR_CORRUPT, "the row of an identity is damaged");
        ids[i] = (uint64_t)json_integer_value(id);
    }
    *ret = ids;
    *ret_count = count;
    return OK;
}

/* ---- secrets ---- */

static struct str seal_subject(uint64_t principal_id, struct arena *arena)
{
    return arena_printf(arena, "principal %llu", (unsigned long long)principal_id);
}

struct err secret_seal(const struct iam *iam, uint64_t principal_id, struct str secret, struct arena *arena,
                       struct str *ret_hex)
{
    const struct str subject = seal_subject(principal_id, arena);
    const size_t len = secret.len + SEAL_OVERHEAD;
    uint8_t *sealed = arena_alloc(arena, len);
    char *hex = arena_alloc(arena, 2 * len + 1);
    uint8_t key[32];

    if (!subject.data || !sealed || !hex) return no_memory();
    iam_derive_key(iam, "rows", key);
    const struct err e = seal(key, subject, secret, sealed);
    bytes_wipe(key, sizeof(key));
    TRY(e);
    hex_z(sealed, len, hex);
    *ret_hex = str_of(hex, 2 * len);
    return OK;
}

struct err secret_unseal(const struct iam *iam, uint64_t principal_id, struct str hex, struct arena *arena,
                         struct str *ret)
{
    const struct str subject = seal_subject(principal_id, arena);
    const size_t len = hex.len / 2;
    uint8_t *sealed = arena_alloc(arena, len + 1);
    uint8_t *plain = arena_alloc(arena, len + 1);
    uint8_t key[32];

    if (!subject.data || !sealed || !plain) return no_memory();
    if (len < SEAL_OVERHEAD || !hex_from(hex, sealed, len))
        return FAIL(ERR_CORRUPT, "a sealed secret is damaged");
    iam_derive_key(iam, "rows", key);
    const struct err e = unseal(key, subject, str_of(sealed, len), plain);
    bytes_wipe(key, sizeof(key));
    TRY(e);
    *ret = str_of(plain, len - SEAL_OVERHEAD);
    return OK;
}

/* ---- grants ---- */

struct str grant_key(const struct securable *on, uint64_t role_id, enum privilege p, char out[GRANT_KEY_MAX])
{
    const struct str prefix = securable_key(on, out);

    put_be64(out + prefix.len, role_id);
    out[prefix.len + 8] = (char)(p >> 8);
    out[prefix.len + 9] = (char)(p & 0xff);
    return str_of(out, prefix.len + 10);
}

struct err grant_from_key(struct str key, struct securable *ret_on, uint64_t *ret_role_id,
                          enum privilege *ret_p)
{
    struct str rest;

    TRY(securable_from_key(key, ret_on, &rest));
    if (rest.len != 10) return FAIL(ERR_CORRUPT, "the key of a grant is damaged");
    const unsigned code = (unsigned)(uint8_t)rest.data[8] << 8 | (uint8_t)rest.data[9];
    *ret_role_id = get_be64(rest.data);
    *ret_p = code < PRIV_COUNT ? (enum privilege)code : PRIV_NONE;
    return OK;
}
