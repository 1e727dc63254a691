/*
 * vended_key.c - S3 keys that are made for one table and kept nowhere: all that they may do is in the session token.
 *
 * The token, before base64url:
 *   OFFSET  SIZE  MEANING
 *   0       1     version: 2
 *   1       4     key id
 *   5       8     expiry, ms since 1970, big-endian
 *   13      1     rights (enum session_right)
 *   14      20    access key id, "FV" and 18 of A-Z2-7
 *   34      4     epoch of the principal's secret, big-endian
 *   38      8     id of the namespace of a staged create, or 0, big-endian
 *   46      1+n   principal: length, name
 *   .       1+n   table: length (0 or 36), uuid
 *   .       1     number of prefixes, then for each: 2 length (big-endian), bytes
 *   end-32  32    HMAC-SHA256(key, all before)
 *
 * The secret is base64(HMAC-SHA256(key, "secret" || token as text)): whoever has the token cannot make it, and we need not keep it. No message of
 * one kind begins like one of the other (a token begins with byte 2), so one key serves both.
 */
#include "admin/iam/session_token.h"

#include <string.h>

#include "admin/iam/principal.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/thread.h"

#define VERSION 2
#define ACCESS_KEY_LEN 20
#define KEY_ID_LEN 4
#define FIXED_LEN (1 + KEY_ID_LEN + 8 + 1 + ACCESS_KEY_LEN + 4 + 8)
#define MAC_LEN 32
#define UUID_LEN 36
#define TOKEN_BYTES_MAX 6144 /* four prefixes of a bucket's name and a key of 1,024 bytes, with room */
#define RIGHTS_ALL (SESSION_READ | SESSION_WRITE | SESSION_DELETE | SESSION_LIST)

static struct err refused(void)
{
    return FAIL(ERR_INVALID_TOKEN, err_text(ERR_INVALID_TOKEN));
}

struct vend_key {
    uint8_t key[32], id[KEY_ID_LEN];
};

static struct vend_key vend_key_of(const struct iam *iam)
{
    struct vend_key k;
    uint8_t id[32];

    iam_derive_key(iam, "vended", k.key);
    hmac_sha256(str_of(k.key, sizeof(k.key)), STR("id"), id);
    memcpy(k.id, id, sizeof(k.id));
    return k;
}

static void vend_key_done(struct vend_key *k)
{
    bytes_wipe(k, sizeof(*k));
}

static struct err secret_of(const struct vend_key *k, struct str token, struct arena *arena, struct str *ret)
{
    const struct str message = arena_join(arena, STR("secret"), token);
    uint8_t mac[32];

    if (!message.data) return no_memory();
    hmac_sha256(str_of(k->key, sizeof(k->key)), message, mac);
    *ret = base64_str(arena, str_of(mac, sizeof(mac)));
    return ret->data ? OK : no_memory();
}

/* ---- making ---- */

/* "bucket/" or "bucket/key/": anything else would be compared in a way that nobody meant. */
static bool is_good_prefix(struct str prefix)
{
    const size_t slash = str_find_char(prefix, '/');
    return slash > 0 && slash < prefix.len && str_ends(prefix, STR("/")) && prefix.len <= UINT16_MAX;
}

static struct err check_scope(const struct session_scope *s)
{
    if (s->prefix_count == 0 || s->prefix_count > SESSION_PREFIXES_MAX || !s->rights
        || (s->rights & ~(unsigned)RIGHTS_ALL))
        return FAIL(ERR_INVALID, "a vended key needs prefixes and rights");
    if (s->table_uuid.len && s->table_uuid.len != UUID_LEN)
        return FAIL(ERR_INVALID, "a table's uuid has 36 characters");
    for (size_t i = 0; i < s->prefix_count; i++) {
        if (!is_good_prefix(s->prefixes[i]))
            return FAIL(ERR_INVALID, "a vended key's prefix names a bucket and ends with '/'");
    }
    return OK;
}

static void put_short(struct buf *out, struct str s)
{
    buf_char(out, (char)s.len);
    buf_str(out, s);
}

static void print_token(struct buf *out, const struct vend_key *k, struct str access_key,
                        const struct principal *p, const struct session_scope *s)
{
    uint8_t number[8], mac[MAC_LEN];

    buf_char(out, VERSION);
    buf_append(out, k->id, sizeof(k->id));
    put_be64(number, (uint64_t)s->expires_ms);
    buf_append(out, number, 8);
    buf_char(out, (char)s->rights);
    buf_str(out, access_key);
    put_be32(number, p->epoch);
    buf_append(out, number, 4);
    put_be64(number, s->staged_in);
    buf_append(out, number, 8);
    put_short(out, p->name);
    put_short(out, s->table_uuid);
    buf_char(out, (char)s->prefix_count);
    for (size_t i = 0; i < s->prefix_count; i++) {
        buf_char(out, (char)(s->prefixes[i].len >> 8));
        buf_char(out, (char)(s->prefixes[i].len & 0xff));
        buf_str(out, s->prefixes[i]);
    }
    hmac_sha256(str_of(k->key, sizeof(k->key)), buf_view(out), mac);
    buf_append(out, mac, sizeof(mac));
}

static struct err token_text(const struct vend_key *k, struct str access_key, const struct principal *p,
                             const struct session_scope *s, struct arena *arena, struct str *ret)
{
    struct buf bytes, text;

    buf_init(&bytes, TOKEN_BYTES_MAX);
    buf_init(&text, 2 * TOKEN_BYTES_MAX);
    print_token(&bytes, k, access_key, p, s);
    base64url_to(&text, buf_view(&bytes));
    struct err e = bytes.is_failed ? buf_err(&bytes) : buf_err(&text);
    if (e.code == ERR_OK) {
        *ret = arena_str(arena, buf_view(&text));
        if (!ret->data) e = no_memory();
    }
    buf_done(&bytes);
    buf_done(&text);
    return e;
}

struct err vended_issue(const struct iam *iam, const struct principal *p, const struct session_scope *scope,
                        struct arena *arena, struct vended_key *ret)
{
    CLEANUP(vend_key_done) struct vend_key k = vend_key_of(iam);
    struct vended_key made = { .expires_ms = scope->expires_ms };
    char access_key[ACCESS_KEY_LEN + 1] = "FV";

    TRY(check_scope(scope));
    if (principal_name(p).len > UINT8_MAX) return FAIL(ERR_INVALID, "the principal's name is too long");
    ids_base32(access_key + 2, ACCESS_KEY_LEN - 2);
    made.access_key = arena_str(arena, str_from_z(access_key));
    if (!made.access_key.data) return no_memory();
    TRY(token_text(&k, made.access_key, p, scope, arena, &made.session_token));
    TRY(secret_of(&k, made.session_token, arena, &made.secret));
    *ret = made;
    return OK;
}

/* ---- checking ---- */

/* The next len bytes of a token; false at its end. */
static bool take(struct str *rest, size_t len, struct str *ret)
{
    if (rest->len < len) return false;
    *ret = str_slice(*rest, 0, len);
    *rest = str_from(*rest, len);
    return true;
}

static bool take_number(struct str *rest, size_t bytes, size_t *ret)
{
    struct str piece;

    if (!take(rest, bytes, &piece)) return false;
    *ret = 0;
    for (size_t i = 0; i < bytes; i++) *ret = *ret << 8 | (uint8_t)piece.data[i];
    return true;
}

static bool take_short(struct str *rest, struct str *ret)
{
    size_t len;
    return take_number(rest, 1, &len) && take(rest, len, ret);
}

static bool take_prefixes(struct str *rest, struct session_scope *scope)
{
    size_t len;

    if (!take_number(rest, 1, &scope->prefix_count) || scope->prefix_count > SESSION_PREFIXES_MAX)
        return false;
    for (size_t i = 0; i < scope->prefix_count; i++) {
        if (!take_number(rest, 2, &len) || !take(rest, len, &scope->prefixes[i])
            || !is_good_prefix(scope->prefixes[i]))
            return false;
    }
    return rest->len == 0;
}

struct claim {
    struct str access_key, principal;
    size_t epoch;
    struct session_scope scope;
};

static bool take_times_and_rights(struct str *rest, struct session_scope *scope)
{
    struct str fixed;
    size_t rights;

    if (!take(rest, 1 + KEY_ID_LEN, &fixed) || fixed.data[0] != VERSION) return false;
    if (!take(rest, 8, &fixed)) return false;
    scope->expires_ms = (int64_t)get_be64(fixed.data);
    if (!take_number(rest, 1, &rights) || !rights || (rights & ~(size_t)RIGHTS_ALL)) return false;
    scope->rights = (unsigned)rights;
    return true;
}

/* The MAC was right: what is wrong now would be our own doing, and is refused all the same. */
static bool parse_token(struct str body, struct claim *c)
{
    struct str number;

    if (!take_times_and_rights(&body, &c->scope) || !take(&body, ACCESS_KEY_LEN, &c->access_key))
        return false;
    if (!take_number(&body, 4, &c->epoch) || !take(&body, 8, &number)) return false;
    c->scope.staged_in = get_be64(number.data);
    return take_short(&body, &c->principal) && take_short(&body, &c->scope.table_uuid)
        && take_prefixes(&body, &c->scope);
}

/* The token's bytes without their MAC, if that is right. */
static struct err open_token(const struct vend_key *k, struct str token, struct arena *arena, struct str *ret)
{
    uint8_t mac[MAC_LEN];
    size_t len = 0;

    if (token.len > 2 * TOKEN_BYTES_MAX) return refused();
    char *bytes = arena_alloc(arena, token.len + 1);
    if (!bytes) return no_memory();
    if (!base64url_from(token, bytes, token.len, &len) || len < FIXED_LEN + MAC_LEN) return refused();
    if (memcmp(bytes + 1, k->id, KEY_ID_LEN) != 0) return refused();
    const struct str body = str_of(bytes, len - MAC_LEN);
    hmac_sha256(str_of(k->key, sizeof(k->key)), body, mac);
    if (!bytes_equal_secret(str_of(bytes + body.len, MAC_LEN), str_of(mac, MAC_LEN))) return refused();
    *ret = body;
    return OK;
}

/* ERR_INVALID_TOKEN unless its secret is still the one that the key was made with. */
static struct err find_owner(const struct iam *iam, const struct claim *c, struct arena *arena,
                             const struct principal **ret)
{
    const struct directory *d;

    TRY(iam_directory(iam, arena, &d));
    const struct principal *p = directory_find_name(d, c->principal);
    if (!p || p->epoch != c->epoch) return refused();
    *ret = p;
    return OK;
}

struct err vended_check(const struct iam *iam, struct str access_key, struct str session_token,
                        struct arena *arena, struct str *ret_secret, struct session_scope *ret_scope,
                        struct caller *ret)
{
    CLEANUP(vend_key_done) struct vend_key k = vend_key_of(iam);
    const struct principal *p = NULL;
    struct claim c = { .epoch = 0 };
    struct str body;

    TRY(open_token(&k, session_token, arena, &body));
    if (!parse_token(body, &c) || !str_eq(c.access_key, access_key)) return refused();
    if (clock_now_ms() >= c.scope.expires_ms) return FAIL(ERR_EXPIRED_TOKEN, err_text(ERR_EXPIRED_TOKEN));
    TRY(find_owner(iam, &c, arena, &p));
    TRY(secret_of(&k, session_token, arena, ret_secret));
    *ret_scope = c.scope;
    *ret = caller_of_principal(p);
    ret->scope = ret_scope;
    return OK;
}
