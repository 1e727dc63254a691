/*
 * manage_credentials.c - rotating and resetting a principal's credentials.
 *
 * A row holds the secret in use and, after a rotation, the one before it, both sealed. A client id is a row of SPACE_ACCESS_KEYS, so that none is given twice
 * whatever happens at once.
 */
#include "admin/iam/manage_credentials.h"

#include "admin/iam/principal.h"
#include "storage/base/digest.h"
#include "storage/base/ids.h"
#include "storage/base/thread.h"

enum { CLIENT_ID_DIGITS = 16, SECRET_DIGITS = 32, SECRET_BYTES_MIN = 8 };

static struct str random_hex(struct arena *arena, size_t digits)
{
    char *text = arena_alloc(arena, digits + 1);

    if (!text) return STR_NONE;
    ids_hex(text, digits);
    return str_of(text, digits);
}

struct err credentials_make(struct arena *arena, struct iam_credentials *ret)
{
    struct iam_credentials made = { .client_id = random_hex(arena, CLIENT_ID_DIGITS),
                                    .client_secret = random_hex(arena, SECRET_DIGITS) };

    if (!made.client_id.data || !made.client_secret.data) return no_memory();
    *ret = made;
    return OK;
}

/* ---- the row ---- */

static struct err put_secrets(const struct iam_call *c, struct manage_row *row, struct str secret,
                              struct str before_hex)
{
    json_t *list = json_array();
    struct str hex;

    if (!list || json_object_set_new(row->json, "secrets", list) != 0) return no_memory();
    TRY(secret_seal(c->iam, row->id, secret, c->arena, &hex));
    if (json_array_append_new(list, json_of_str(hex)) != 0) return no_memory();
    if (before_hex.len && json_array_append_new(list, json_of_str(before_hex)) != 0) return no_memory();
    return OK;
}

static struct err take_client_id(struct txn *txn, struct manage_row *row, struct str principal,
                                 struct str client_id)
{
    const struct str before = json_str(json_object_get(row->json, "client-id"));
    struct err e = OK;

    if (str_eq(before, client_id)) return OK;
    if (rows_have(txn_rows(txn), SPACE_ACCESS_KEYS, client_id, &e))
        return err_fail(ERR_EXISTS, "the client id '%.*s' is taken", STR_ARG(client_id));
    TRY(e);
    if (before.len) TRY(txn_del(txn, SPACE_ACCESS_KEYS, before));
    TRY(txn_put(txn, SPACE_ACCESS_KEYS, client_id, principal));
    return json_object_set_new(row->json, "client-id", json_of_str(client_id)) == 0 ? OK : no_memory();
}

struct err credentials_put(struct txn *txn, const struct iam_call *c, struct manage_row *row,
                           struct str principal, const struct iam_credentials *credentials)
{
    TRY(take_client_id(txn, row, principal, credentials->client_id));
    return put_secrets(c, row, credentials->client_secret, STR_NONE);
}

struct err credentials_forget(struct txn *txn, const json_t *row)
{
    const struct str client_id = json_str(json_object_get(row, "client-id"));
    return client_id.len ? txn_del(txn, SPACE_ACCESS_KEYS, client_id) : OK;
}

/* ---- rotate and reset ---- */

struct plan {
    const struct iam_call *c;
    const struct iam_ref *ref;
    struct iam_credentials credentials; /* rotate: the client id is the row's */
    struct manage_row row;
};

/* A principal that changes its secret itself has done what was required of it. */
static struct err rotate_fn(struct txn *txn, void *arg)
{
    struct plan *p = arg;

    TRY(manage_find(txn_rows(txn), p->ref, p->c->arena, &p->row));
    json_t *json = p->row.json;
    const struct str before = arena_str(p->c->arena,
                                        json_str(json_array_get(json_object_get(json, "secrets"), 0)));
    if (!before.data) return no_memory();
    TRY(put_secrets(p->c, &p->row, p->credentials.client_secret, before));
    (void)json_object_del(json, "rotation-required");
    p->credentials.client_id = json_str(json_object_get(json, "client-id"));
    TRY(manage_put_changed(txn, &p->row));
    return manage_audit(txn, p->c, "RotateCredentials", p->ref, NULL);
}

static struct err reset_fn(struct txn *txn, void *arg)
{
    struct plan *p = arg;

    TRY(manage_find(txn_rows(txn), p->ref, p->c->arena, &p->row));
    if (!p->credentials.client_id.len)
        p->credentials.client_id = json_str(json_object_get(p->row.json, "client-id"));
    TRY(credentials_put(txn, p->c, &p->row, p->ref->name, &p->credentials));
    TRY(manage_put_changed(txn, &p->row));
    return manage_audit(txn, p->c, "ResetCredentials", p->ref, NULL);
}

static struct err run(struct plan *p, txn_fn *fn, struct iam_entity *ret,
                      struct iam_credentials *ret_credentials)
{
    TRY(manage_check_stored(p->c, p->ref));
    TRY(manage_run(p->c, fn, p));
    TRY(iam_row_entity(p->row.json, p->ref->name, ret));
    *ret_credentials = p->credentials;
    return OK;
}

struct err iam_credentials_rotate(const struct iam_call *c, struct str principal, struct iam_entity *ret,
                                  struct iam_credentials *ret_credentials)
{
    const struct iam_ref ref = { .kind = IAM_PRINCIPAL, .name = principal };
    struct plan p = { .c = c, .ref = &ref };

    TRY(credentials_make(c->arena, &p.credentials));
    return run(&p, rotate_fn, ret, ret_credentials);
}

/* ---- credentials that somebody chose ---- */

/* They travel in the Credential field of a signature and in HTTP Basic: what would cut those in two is refused. */
static struct err check_client_id(struct str id)
{
    if (id.len > LIMIT_CREDENTIAL)
        return err_fail(ERR_INVALID, "a clientId has at most %d bytes", LIMIT_CREDENTIAL);
    for (size_t i = 0; i < id.len; i++) {
        const char ch = id.data[i];
        if (ch <= 0x20 || ch >= 0x7f || ch == '/' || ch == ':' || ch == ',' || ch == '=')
            return FAIL(ERR_INVALID, "a clientId has printable ASCII without '/', ':', ',' and '='");
    }
    return OK;
}

static struct err check_secret(struct str secret)
{
    if (secret.len < SECRET_BYTES_MIN || secret.len > LIMIT_CREDENTIAL)
        return err_fail(ERR_INVALID, "a clientSecret has %d to %d bytes", SECRET_BYTES_MIN, LIMIT_CREDENTIAL);
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.data[i] <= 0x20 || secret.data[i] >= 0x7f)
            return FAIL(ERR_INVALID, "a clientSecret has printable ASCII without blanks");
    }
    return OK;
}

/* Keys of the configuration are in no row. */
static struct err check_not_configured(const struct iam_call *c, struct str client_id)
{
    const struct directory *d;
    struct secrets secrets;

    TRY(iam_directory(c->iam, c->arena, &d));
    const struct principal *p = directory_find_key(d, client_id, &secrets);
    if (!p || p->is_stored) return OK;
    return err_fail(ERR_EXISTS, "the client id '%.*s' is taken", STR_ARG(client_id));
}

struct err iam_credentials_reset(const struct iam_call *c, struct str principal,
                                 const struct iam_credentials *wanted, struct iam_entity *ret,
                                 struct iam_credentials *ret_credentials)
{
    const struct iam_ref ref = { .kind = IAM_PRINCIPAL, .name = principal };
    struct plan p = { .c = c, .ref = &ref, .credentials = { .client_id = wanted->client_id } };
    struct iam_credentials made;

    TRY(check_client_id(wanted->client_id));
    TRY(check_not_configured(c, wanted->client_id));
    if (wanted->client_secret.len) TRY(check_secret(wanted->client_secret));
    TRY(credentials_make(c->arena, &made));
    p.credentials.client_secret = wanted->client_secret.len ? wanted->client_secret : made.client_secret;
    return run(&p, reset_fn, ret, ret_credentials);
}
