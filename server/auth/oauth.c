/*
 * oauth.c - the token endpoint: credentials in, a bearer token out (RFC 6749 4.4 and 5, RFC 8693 2).
 *
 *   client_credentials   id and secret in the form, or by Basic
 *   token-exchange       one of our own access tokens for a fresh one; with credentials it is a new login, which the Java client tries when its
 *                        token has run out (catalog.md 3.3)
 *
 * Errors are told in OAuth's words, from one table. Which of id and secret was wrong is not told.
 */
#include "server/auth/bearer.h"

#include "admin/iam/session_token.h"
#include "server/auth/login_limit.h"
#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/json.h"

#define LIMIT_FORM_BYTES (64 * KIB) /* a token and a few words */
#define LIMIT_FORM_FIELDS 32
#define TYPE_ACCESS_TOKEN "urn:ietf:params:oauth:token-type:access_token"
#define GRANT_EXCHANGE "urn:ietf:params:oauth:grant-type:token-exchange"

/* From our codes to RFC 6749 5.2. */
static const struct {
    enum err_code code;
    const char *error;
    int status;
} oauth_errors[] = {
    { ERR_BAD_CLIENT, "invalid_client", 401 },
    { ERR_BAD_GRANT, "unsupported_grant_type", 400 },
    { ERR_BAD_SCOPE, "invalid_scope", 400 },
    { ERR_UNAUTHENTICATED, "invalid_grant", 400 },
    { ERR_EXPIRED_TOKEN, "invalid_grant", 400 },
    { ERR_INVALID, "invalid_request", 400 },
    { ERR_BUSY, "slow_down", 429 },
};

/* ---- the form ---- */

struct form {
    struct http_pair fields[LIMIT_FORM_FIELDS];
    size_t count;
};

/* .data is NULL without it. */
static struct str form_get(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++) {
        if (str_is(f->fields[i].name, name)) return f->fields[i].value;
    }
    return STR_NONE;
}

static struct err read_field(struct str piece, struct arena *arena, struct form *f)
{
    struct str raw_name;
    const struct str raw_value = str_cut(piece, '=', &raw_name);
    const struct str name = percent_str(arena, raw_name, true), value = percent_str(arena, raw_value, true);

    if (!name.data || !value.data) return FAIL(ERR_INVALID, "the form is not well encoded");
    if (f->count == LIMIT_FORM_FIELDS) return FAIL(ERR_INVALID, "the form has too many fields");
    for (size_t i = 0; i < f->count; i++) {
        if (str_eq(f->fields[i].name, name)) return FAIL(ERR_INVALID, "a field of the form is given twice");
    }
    f->fields[f->count++] = (struct http_pair){ .name = name, .value = value };
    return OK;
}

static struct err read_form(struct str text, struct arena *arena, struct form *ret)
{
    struct str piece;

    if (text.len > LIMIT_FORM_BYTES) return FAIL(ERR_INVALID, "the form is too large");
    for (struct str_split it = str_split_on(text, '&'); str_split_next(&it, &piece);) {
        if (piece.len) TRY(read_field(piece, arena, ret));
    }
    return OK;
}

/* ---- credentials ---- */

struct credentials {
    struct str id, secret;
    bool are_given,
        are_encoded; /* encoded: RFC 6749 2.3.1 has them form-encoded inside of Basic; not all clients do it */
};

static struct err read_basic(const struct http_request *req, struct credentials *ret)
{
    struct str scheme;
    const struct str text = str_trim(str_cut(http_header(req, "authorization"), ' ', &scheme));
    size_t len;

    if (!str_is_nocase(scheme, "basic")) return OK;
    if (http_header_repeats(req, "authorization") > 1) return FAIL(ERR_INVALID, "two Authorization headers");
    char *bytes = arena_alloc(req->arena, text.len + 1);
    if (!bytes) return no_memory();
    if (!base64_from(text, bytes, text.len, &len)) return FAIL(ERR_BAD_CLIENT, err_text(ERR_BAD_CLIENT));
    ret->secret = str_cut(str_of(bytes, len), ':', &ret->id);
    ret->are_given = ret->are_encoded = true;
    return OK;
}

/* By Basic, or in the form. (A Bearer header is the token that is to be exchanged; the form has it too.) */
static struct err read_credentials(const struct http_request *req, const struct form *f,
                                   struct credentials *ret)
{
    struct credentials c = { .are_given = false };

    TRY(read_basic(req, &c));
    if (!c.are_given && form_get(f, "client_secret").data) {
        c.id = form_get(f, "client_id");
        c.secret = form_get(f, "client_secret");
        c.are_given = true;
    }
    *ret = c;
    return OK;
}

/* An unknown client costs the same comparison as a known one. */
static const struct principal *find_client(const struct directory *d, struct str id, struct str secret)
{
    struct secrets right = { .items = { secret }, .count = 1 };
    const struct principal *p = directory_find_key(d, id, &right);
    bool is_right = false;

    for (size_t i = 0; i < right.count; i++) is_right |= bytes_equal_secret(right.items[i], secret);
    return p && is_right ? p : NULL;
}

/* A login: whose, and in which scope the token will be. */
struct login {
    const struct principal *principal;
    const struct principal *claimed; /* whose client id it is */
    struct str scope;
};

static struct err log_in(const struct directory *d, const struct credentials *c,
                         const struct http_request *req, struct login *ret)
{
    struct arena *arena = req->arena;
    struct secrets unused;

    ret->claimed = directory_find_key(d, c->id, &unused);
    TRY(login_may_try(c->id, req->peer));
    const struct principal *p = find_client(d, c->id, c->secret);

    if (!p && c->are_encoded) {
        const struct str id = percent_str(arena, c->id, true), secret = percent_str(arena, c->secret, true);
        if (id.data && secret.data) p = find_client(d, id, secret);
    }
    if (!p) {
        login_failed(c->id, req->peer);
        return FAIL(ERR_BAD_CLIENT, err_text(ERR_BAD_CLIENT));
    }
    ret->principal = ret->claimed = p;
    return OK;
}

/* ---- grants ---- */

/* The new token is no wider than the one that it is for (reliability.md D20): that one's scope stays, unless less is asked for. */
static struct err exchange(const struct iam *iam, const struct form *f, struct arena *arena,
                           struct login *ret)
{
    const struct str type = form_get(f, "subject_token_type");
    const struct str wanted = form_get(f, "scope");
    struct caller old;
    struct str scope;

    if (!form_get(f, "subject_token").len) return FAIL(ERR_INVALID, "subject_token is missing");
    if (!str_is(type, TYPE_ACCESS_TOKEN))
        return FAIL(ERR_INVALID, "subject_token_type must be " TYPE_ACCESS_TOKEN);
    TRY(token_check(iam, form_get(f, "subject_token"), arena, &old, &scope));
    TRY(token_scope_check(&old, wanted));
    ret->principal = ret->claimed = old.principal;
    ret->scope = token_scope_is_limited(wanted) || !token_scope_is_limited(scope) ? wanted : scope;
    return OK;
}

static struct err grant(const struct iam *iam, const struct http_request *req, const struct form *f,
                        struct login *ret)
{
    const struct directory *d;
    const struct str type = form_get(f, "grant_type");
    struct credentials c;

    TRY(iam_directory(iam, req->arena, &d));
    if (!type.len) return FAIL(ERR_INVALID, "grant_type is missing");
    if (!str_is(type, "client_credentials") && !str_is(type, GRANT_EXCHANGE))
        return FAIL(ERR_BAD_GRANT, "grant_type must be client_credentials or " GRANT_EXCHANGE);
    TRY(read_credentials(req, f, &c));
    ret->scope = form_get(f, "scope");
    if (c.are_given) return log_in(d, &c, req, ret);
    if (str_is(type, GRANT_EXCHANGE)) return exchange(iam, f, req->arena, ret);
    return FAIL(ERR_BAD_CLIENT, err_text(ERR_BAD_CLIENT));
}

/* What clients ask for by default, all roles; or some by name. */
static struct err check_scope(struct str scope)
{
    const struct str role = STR("PRINCIPAL_ROLE:");
    struct str piece;

    for (struct str_split it = str_split_on(scope, ' '); str_split_next(&it, &piece);) {
        const bool is_role = str_starts(piece, role) && piece.len > role.len;
        if (piece.len && !is_role && !str_is(piece, "catalog"))
            return FAIL(ERR_BAD_SCOPE, "scope must be empty, 'catalog' or 'PRINCIPAL_ROLE:...'");
    }
    return str_is_utf8(scope) && scope.len <= 1024 ? OK : FAIL(ERR_BAD_SCOPE, err_text(ERR_BAD_SCOPE));
}

/* ---- answers ---- */

/* Takes the reference. */
static struct err print(json_t *object, struct arena *arena, struct str *ret)
{
    struct buf b;

    if (!object) return no_memory();
    buf_init(&b, LIMIT_FORM_BYTES);
    struct err e = json_print(object, &b);
    json_decref(object);
    if (e.code == ERR_OK) {
        const struct str text = arena_str(arena, buf_view(&b));
        if (text.data) *ret = text;
        else e = no_memory();
    }
    buf_done(&b);
    return e;
}

static struct err print_token(struct str token, int64_t ttl_s, struct str scope, struct arena *arena,
                              struct str *ret)
{
    json_t *answer = json_pack("{s:o, s:s, s:s, s:I}", "access_token", json_of_str(token), "token_type",
                               "bearer", "issued_token_type", TYPE_ACCESS_TOKEN, "expires_in",
                               (json_int_t)ttl_s);

    if (answer && scope.len) (void)json_object_set_new(answer, "scope", json_of_str(scope));
    return print(answer, arena, ret);
}

static struct err issue(const struct iam *iam, const struct http_request *req, struct str text, int64_t ttl_s,
                        struct oauth_answer *ret)
{
    struct form *f = arena_new_of(req->arena, struct form);
    struct login login = { .claimed = NULL };
    struct str token;

    if (!f) return no_memory();
    TRY(read_form(text, req->arena, f));
    TRY(check_scope(form_get(f, "scope")));
    const struct err e = grant(iam, req, f, &login);
    ret->principal = login.claimed;
    TRY(e);
    TRY(token_issue(iam, login.principal, ttl_s, login.scope, req->arena, &token));
    return print_token(token, ttl_s, login.scope, req->arena, &ret->body);
}

struct err oauth_token(const struct iam *iam, struct http_request *req, struct str form, int64_t ttl_s,
                       struct oauth_answer *ret)
{
    *ret = (struct oauth_answer){ .status = 200 };
    const struct err e = issue(iam, req, form, ttl_s, ret);

    if (e.code == ERR_OK) return OK;
    for (size_t i = 0; i < sizeof(oauth_errors) / sizeof(oauth_errors[0]); i++) {
        if (oauth_errors[i].code != e.code) continue;
        ret->status = oauth_errors[i].status;
        return print(json_pack("{s:s, s:s}", "error", oauth_errors[i].error, "error_description", e.why),
                     req->arena, &ret->body);
    }
    return e;
}
