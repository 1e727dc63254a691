/*
 * session_token.c - bearer tokens: JWTs of our own making. Vended keys are in vended_key.c.
 *
 * A JWT is base64url(header) "." base64url(claims) "." base64url(HMAC-SHA256(key, all before the second dot)). Of the format's freedom nothing
 * is left: the algorithm is HS256, in these very letters, and the key is one that is derived for this alone, named by its key id. So "alg":
 * "none", a token signed with somebody's secret, and one of another store are refused alike (reliability.md D17, D19).
 *
 * Nothing of a token is believed before its MAC is right; the header is read first only because it must be of our form.
 */
#include "admin/iam/session_token.h"

#include <string.h>

#include "admin/iam/principal.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/json.h"
#include "storage/base/thread.h"

#define ISSUER "firn"
#define TOKEN_BYTES_MAX 4096           /* ours have 350; a longer one is not looked at */
#define TTL_S_MAX (10 * 365 * 86400ll) /* so that no sum overflows */

static struct err refused(const char *why)
{
    return FAIL(ERR_UNAUTHENTICATED, why);
}

/* ---- key and MAC ---- */

#define KEY_ID_SIZE 17

struct token_key {
    uint8_t key[32];
    char id[KEY_ID_SIZE]; /* says which master key, and nothing about it */
};

static struct token_key token_key_of(const struct iam *iam)
{
    struct token_key k;
    uint8_t id[32];

    iam_derive_key(iam, "token", k.key);
    hmac_sha256(str_of(k.key, sizeof(k.key)), STR("id"), id);
    hex_z(id, KEY_ID_SIZE / 2, k.id);
    return k;
}

static void token_key_done(struct token_key *k)
{
    bytes_wipe(k, sizeof(*k));
}

/* ---- making ---- */

/* Takes the reference. */
static struct err put_part(struct buf *out, json_t *object)
{
    struct buf text;

    if (!object) return no_memory();
    buf_init(&text, TOKEN_BYTES_MAX);
    const struct err e = json_print(object, &text);
    json_decref(object);
    if (e.code == ERR_OK) base64url_to(out, buf_view(&text));
    buf_done(&text);
    return e;
}

/* ---- roles ---- */

#define ROLE_WORD STR("PRINCIPAL_ROLE:")

static bool acts_in(const struct caller *who, struct str name)
{
    for (size_t i = 0; i < who->role_count; i++) {
        if (str_eq(who->roles[i]->name, name)) return true;
    }
    return false;
}

/* The next word that names one role. */
static bool next_role(struct str_split *it, struct str *ret_name)
{
    struct str word;

    while (str_split_next(it, &word)) {
        *ret_name = str_from(word, ROLE_WORD.len);
        if (str_starts(word, ROLE_WORD) && !str_is(*ret_name, "ALL")) return true;
    }
    return false;
}

/* "PRINCIPAL_ROLE:ALL" beside a role is all. */
bool token_scope_is_limited(struct str scope)
{
    struct str_split it = str_split_on(scope, ' ');
    struct str word;
    bool is_limited = false;

    while (str_split_next(&it, &word)) {
        if (!str_starts(word, ROLE_WORD)) continue;
        if (str_is(str_from(word, ROLE_WORD.len), "ALL")) return false;
        is_limited = true;
    }
    return is_limited;
}

struct err token_scope_check(const struct caller *who, struct str scope)
{
    struct str name;

    for (struct str_split it = str_split_on(scope, ' '); next_role(&it, &name);) {
        if (!acts_in(who, name))
            return err_fail(ERR_BAD_SCOPE, "the principal does not have the role '%.*s'", STR_ARG(name));
    }
    return OK;
}

/* The caller acts in what the token was made for and it has still. */
static struct err choose_roles(const struct principal *p, struct str scope, struct arena *arena,
                               struct caller *ret)
{
    const struct role **roles;
    struct str name;
    size_t count = 0;

    *ret = caller_of_principal(p);
    if (!token_scope_is_limited(scope)) return OK;
    roles = arena_array(arena, const struct role *, p->role_count + 1);
    if (!roles) return no_memory();
    for (size_t i = 0; i < p->role_count; i++) {
        for (struct str_split it = str_split_on(scope, ' '); next_role(&it, &name);) {
            if (!str_eq(p->roles[i]->name, name)) continue;
            roles[count++] = p->roles[i];
            break;
        }
    }
    ret->roles = roles;
    ret->role_count = count;
    return OK;
}

static struct err print_token(const struct token_key *k, const struct principal *p, int64_t ttl_s,
                              struct str scope, struct buf *out)
{
    const int64_t now_s = clock_now_ms() / 1000;
    char jti[UUID_TEXT_SIZE];
    uint8_t mac[32];

    ids_uuid(jti);
    TRY(put_part(out, json_pack("{s:s, s:s, s:s}", "alg", "HS256", "typ", "JWT", "kid", k->id)));
    buf_char(out, '.');
    TRY(put_part(out,
                 json_pack("{s:s, s:o, s:I, s:I, s:s, s:o, s:I}", "iss", ISSUER, "sub",
                           json_of_str(principal_name(p)), "iat", (json_int_t)now_s, "exp",
                           (json_int_t)(now_s + ttl_s), "jti", jti, "scope", json_of_str(scope), "epoch",
                           (json_int_t)p->epoch)));
    hmac_sha256(str_of(k->key, sizeof(k->key)), buf_view(out), mac);
    buf_char(out, '.');
    base64url_to(out, str_of(mac, sizeof(mac)));
    return buf_err(out);
}

struct err token_issue(const struct iam *iam, const struct principal *p, int64_t ttl_s, struct str scope,
                       struct arena *arena, struct str *ret)
{
    CLEANUP(token_key_done) struct token_key k = token_key_of(iam);
    struct buf out;

    if (ttl_s <= 0 || ttl_s > TTL_S_MAX) return FAIL(ERR_INVALID, "a token's life is out of range");
    const struct caller who = caller_of_principal(p);
    TRY(token_scope_check(&who, scope));
    buf_init(&out, TOKEN_BYTES_MAX);
    struct err e = print_token(&k, p, ttl_s, scope, &out);
    const struct str text = e.code == ERR_OK ? arena_str(arena, buf_view(&out)) : STR_NONE;
    if (e.code == ERR_OK && !text.data) e = no_memory();
    if (e.code == ERR_OK) *ret = text;
    buf_done(&out);
    return e;
}

/* ---- checking ---- */

struct token_parts {
    struct str header, claims, mac;
    struct str signed_part; /* header "." claims */
};

static bool cut_token(struct str token, struct token_parts *ret)
{
    const size_t first = str_find_char(token, '.'), last = str_rfind_char(token, '.');

    if (token.len > TOKEN_BYTES_MAX || first >= last || last >= token.len) return false;
    ret->header = str_slice(token, 0, first);
    ret->claims = str_slice(token, first + 1, last);
    ret->mac = str_from(token, last + 1);
    ret->signed_part = str_slice(token, 0, last);
    return str_find_char(ret->claims, '.') == ret->claims.len;
}

/* The JSON object of a part; NULL if it is none. The caller owns it. */
static json_t *read_part(struct str part)
{
    char text[TOKEN_BYTES_MAX];
    json_t *object = NULL;
    size_t len;

    if (!base64url_from(part, text, sizeof(text), &len)) return NULL;
    if (json_parse(str_of(text, len), &object).code != ERR_OK) return NULL;
    if (json_is_object(object)) return object;
    json_decref(object);
    return NULL;
}

static bool member_is(const json_t *object, const char *name, const char *value)
{
    return str_is(json_str(json_object_get(object, name)), value);
}

/* "crit" says: refuse what you do not understand; we understand nothing of it. */
static struct err check_header(struct str part, const struct token_key *k)
{
    CLEANUP(json_freep) json_t *header = read_part(part);

    if (!header) return refused("the token is malformed");
    if (!member_is(header, "alg", "HS256")) return refused("the token's algorithm is not HS256");
    if (!member_is(header, "kid", k->id)) return refused("the token is signed with another key");
    if (json_object_get(header, "crit")) return refused("the token asks for extensions");
    return OK;
}

static struct err check_mac(const struct token_parts *parts, const struct token_key *k)
{
    uint8_t given[32], mac[32];
    size_t len;

    if (!base64url_from(parts->mac, given, sizeof(given), &len) || len != sizeof(given))
        return refused("the token is malformed");
    hmac_sha256(str_of(k->key, sizeof(k->key)), parts->signed_part, mac);
    if (!bytes_equal_secret(str_of(given, sizeof(given)), str_of(mac, sizeof(mac))))
        return refused("the token's signature is wrong");
    return OK;
}

static struct err check_times(const json_t *claims)
{
    const json_t *expires = json_object_get(claims, "exp");

    if (!json_is_integer(expires) || !member_is(claims, "iss", ISSUER))
        return refused("the token is malformed");
    const int64_t expires_s = json_integer_value(expires);
    if (expires_s > INT64_MAX / 1000 || clock_now_ms() >= expires_s * 1000)
        return FAIL(ERR_EXPIRED_TOKEN, "the token has expired");
    return OK;
}

/* The principal as it is now, if its secret is still the one that the token was made with. */
static struct err find_subject(const struct iam *iam, const json_t *claims, struct arena *arena,
                               const struct principal **ret)
{
    const struct directory *d;
    const json_t *epoch = json_object_get(claims, "epoch");

    TRY(iam_directory(iam, arena, &d));
    const struct principal *p = directory_find_name(d, json_str(json_object_get(claims, "sub")));
    if (!p) return refused("the token's principal does not exist any more");
    if (!json_is_integer(epoch) || json_integer_value(epoch) != (json_int_t)p->epoch)
        return refused("the token was made before its principal's secret was changed");
    *ret = p;
    return OK;
}

static struct err read_claims(const struct iam *iam, struct str part, struct arena *arena, struct caller *ret,
                              struct str *ret_scope)
{
    CLEANUP(json_freep) json_t *claims = read_part(part);
    const struct principal *p = NULL;

    if (!claims) return refused("the token is malformed");
    TRY(check_times(claims));
    TRY(find_subject(iam, claims, arena, &p));
    const struct str scope = arena_str(arena, json_str(json_object_get(claims, "scope")));
    if (!scope.data) return no_memory();
    *ret_scope = scope;
    return choose_roles(p, scope, arena, ret);
}

struct err token_check(const struct iam *iam, struct str token, struct arena *arena, struct caller *ret,
                       struct str *ret_scope)
{
    CLEANUP(token_key_done) struct token_key k = token_key_of(iam);
    struct token_parts parts;

    if (!cut_token(token, &parts)) return refused("the token is malformed");
    TRY(check_header(parts.header, &k));
    TRY(check_mac(&parts, &k));
    return read_claims(iam, parts.claims, arena, ret, ret_scope);
}
