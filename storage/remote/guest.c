/*
 * guest.c - the tables of what is signed for others.
 *
 * The body is not known here, so it is signed as UNSIGNED-PAYLOAD, unless the request says its digest; a body in chunks with a checksum behind it has a name of its own for that.
 */
#include "storage/remote/guest.h"

#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"

#define TRAILER_PAYLOAD "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
#define HEADER_VALUE_MAX (8 * KIB)

/* ---- what it does ---- */

/* A kind of request: all of its query parameters are among `may`, and `must` is there (NULL: nothing must). */
static const struct kind {
    const char *method;
    bool has_key;
    const char *must;
    const char *may[10];
    enum guest_act act;
} kinds[] = {
    { "GET", true, NULL, { "x-id", "partNumber" }, GUEST_READ },
    { "HEAD", true, NULL, { "x-id", "partNumber" }, GUEST_READ },
    { "GET",
      false,
      "list-type",
      { "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "encoding-type",
        "fetch-owner", "x-id" },
      GUEST_LIST },
    { "GET",
      true,
      "uploadId",
      { "uploadId", "max-parts", "part-number-marker", "encoding-type", "x-id" },
      GUEST_WRITE },
    { "PUT", true, NULL, { "x-id" }, GUEST_WRITE },
    { "PUT", true, "uploadId", { "uploadId", "partNumber", "x-id" }, GUEST_WRITE },
    { "POST", true, "uploads", { "uploads", "x-id" }, GUEST_WRITE },
    { "POST", true, "uploadId", { "uploadId", "x-id" }, GUEST_WRITE },
    { "DELETE", true, "uploadId", { "uploadId", "x-id" }, GUEST_WRITE },
    { "DELETE", true, NULL, { "x-id" }, GUEST_DELETE },
};

static bool is_among(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count && names[i]; i++) {
        if (str_is(name, names[i])) return true;
    }
    return false;
}

static bool is_of_kind(const struct kind *k, struct str method, const struct endpoint_object *o)
{
    bool has_must = k->must == NULL;

    if (!str_is(method, k->method) || (o->key.len > 0) != k->has_key) return false;
    for (size_t i = 0; i < o->pair_count; i++) {
        if (!is_among(o->pairs[i].name, k->may, sizeof(k->may) / sizeof(k->may[0]))) return false;
        if (k->must && str_is(o->pairs[i].name, k->must)) has_must = true;
    }
    return has_must;
}

/* ---- its headers ---- */

/* Of the x-amz-* headers those that are signed as they come; one that ends in '*' stands for all that begin so. */
static const char *const amz_headers[] = {
    "x-amz-checksum-*",
    "x-amz-content-sha256",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-meta-*",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption*",
    "x-amz-storage-class",
    "x-amz-trailer",
    "x-amz-user-agent",
};
/* These we say ourselves. */
static const char *const own_headers[] = { "host", "authorization", "x-amz-date", "x-amz-security-token" };

static bool is_listed_amz(struct str name)
{
    for (size_t i = 0; i < sizeof(amz_headers) / sizeof(amz_headers[0]); i++) {
        struct str listed = str_from_z(amz_headers[i]);
        if (str_eq(name, listed)) return true;
        if (!str_ends(listed, STR("*"))) continue;
        listed.len--;
        if (str_starts(name, listed)) return true;
    }
    return false;
}

static bool is_own(struct str name)
{
    return is_among(name, own_headers, sizeof(own_headers) / sizeof(own_headers[0]));
}

static struct str lower(struct str s, struct arena *arena)
{
    char *out = arena_z(arena, s);

    for (size_t i = 0; out && i < s.len; i++) {
        if (out[i] >= 'A' && out[i] <= 'Z') out[i] = (char)(out[i] + 32);
    }
    return out ? str_of(out, s.len) : STR_NONE;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.data[i];
        const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    }
    return s.len > 0;
}

static bool is_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f) return false;
    }
    return s.len <= HEADER_VALUE_MAX;
}

static struct err check_headers(const struct guest_request *r, struct arena *arena)
{
    for (size_t i = 0; i < r->header_count; i++) {
        const struct str name = lower(r->headers[i].name, arena);
        if (!name.data) return no_memory();
        if (!is_token(name) || !is_value(r->headers[i].value))
            return FAIL(ERR_INVALID, "a header of the request is not well formed");
        for (size_t j = 0; j < i; j++) {
            if (str_eq_nocase(name, r->headers[j].name))
                return err_fail(ERR_INVALID, "the header %.*s is there twice", STR_ARG(name));
        }
        if (str_starts(name, STR("x-amz-")) && !is_own(name) && !is_listed_amz(name))
            return err_fail(ERR_DENIED, "requests with the header %.*s are not signed", STR_ARG(name));
    }
    return OK;
}

static struct str query_value(const struct endpoint_object *o, const char *name)
{
    for (size_t i = 0; i < o->pair_count; i++) {
        if (str_is(o->pairs[i].name, name)) return o->pairs[i].value;
    }
    return STR("");
}

/* A parameter that is there twice could be read either way. They are sorted. */
static bool has_repeats(const struct endpoint_object *o)
{
    for (size_t i = 1; i < o->pair_count; i++) {
        if (str_eq(o->pairs[i].name, o->pairs[i - 1].name)) return true;
    }
    return false;
}

struct err guest_look(const struct endpoint *e, struct str bucket, const struct guest_request *r,
                      struct arena *arena, struct guest_look *ret)
{
    struct guest_look look;

    const struct err parsed = endpoint_take_apart(e, bucket, r->uri, arena, &look.object);
    if (parsed.code == ERR_INVALID) return (struct err){ ERR_DENIED, parsed.why };
    TRY(parsed);
    TRY(check_headers(r, arena));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!is_of_kind(&kinds[i], r->method, &look.object) || has_repeats(&look.object)) continue;
        look.act = kinds[i].act;
        look.key = look.act == GUEST_LIST ? query_value(&look.object, "prefix") : look.object.key;
        if (endpoint_has_dot_segment(look.key)) break;
        *ret = look;
        return OK;
    }
    return FAIL(ERR_DENIED, "requests of this kind are not signed");
}

/* ---- the signature ---- */

/* Runs of blanks inside become one, as in the canonical request. */
static struct str folded(struct str value, struct arena *arena)
{
    char *out = arena_z(arena, str_trim(value));
    size_t len = 0;

    value = str_trim(value);
    for (size_t i = 0; out && i < value.len; i++) {
        if (value.data[i] == ' ' && len && out[len - 1] == ' ') continue;
        out[len++] = value.data[i];
    }
    return out ? str_of(out, len) : STR_NONE;
}

static int by_name(const void *a, const void *b)
{
    const struct sign_header *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static struct str header_of(const struct guest_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (str_is_nocase(r->headers[i].name, name)) return r->headers[i].value;
    }
    return STR_NONE;
}

static struct err add(struct guest_request *r, const char *name, struct str value)
{
    if (r->header_count == GUEST_HEADERS_MAX) return FAIL(ERR_INVALID, "the request has too many headers");
    r->headers[r->header_count++] = (struct sign_header){ str_from_z(name), value };
    return OK;
}

/* The request's own headers, but for those that we say. */
static struct err begin(const struct guest_request *r, struct arena *arena, struct guest_request *ret)
{
    *ret = (struct guest_request){ .method = r->method, .uri = r->uri };
    for (size_t i = 0; i < r->header_count; i++) {
        const struct str name = lower(r->headers[i].name, arena);
        if (!name.data) return no_memory();
        if (!is_own(name)) ret->headers[ret->header_count++] = r->headers[i];
    }
    return OK;
}

static struct err add_own(struct guest_request *r, struct str session_token, struct arena *arena)
{
    char date[CLOCK_AMZ_SIZE];
    const bool has_trailer = header_of(r, "x-amz-trailer").data != NULL;

    clock_amz(clock_now_ms(), date);
    const struct str when = arena_str(arena, str_from_z(date));
    if (!when.data) return no_memory();
    TRY(add(r, "x-amz-date", when));
    if (session_token.len) TRY(add(r, "x-amz-security-token", session_token));
    if (header_of(r, "x-amz-content-sha256").data) return OK;
    return add(r, "x-amz-content-sha256", has_trailer ? STR(TRAILER_PAYLOAD) : STR(SIGN_UNSIGNED));
}

/* What is signed: the host, the body's digest if it is told, and all x-amz-*. */
static struct err signed_headers(const struct guest_request *r, struct str host, struct arena *arena,
                                 struct sign_header *ret, size_t *ret_count)
{
    ret[0] = (struct sign_header){ STR("host"), host };
    *ret_count = 1;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct str name = lower(r->headers[i].name, arena);
        if (!name.data) return no_memory();
        if (!str_starts(name, STR("x-amz-")) && !str_is(name, "content-md5")) continue;
        ret[*ret_count] = (struct sign_header){ name, folded(r->headers[i].value, arena) };
        if (!ret[(*ret_count)++].value.data) return no_memory();
    }
    qsort(ret, *ret_count, sizeof(*ret), by_name);
    return OK;
}

struct err guest_sign(const struct remote *remote, const struct remote_place *p,
                      const struct guest_request *r, const struct guest_look *look, struct arena *arena,
                      struct guest_request *ret)
{
    struct sign_header headers[GUEST_HEADERS_MAX + 1];
    struct guest_request out;
    struct str authorization = STR_NONE;
    size_t count = 0;

    TRY(begin(r, arena, &out));
    TRY(add_own(&out, remote_session_token(remote, p->profile), arena));
    TRY(signed_headers(&out, look->object.authority, arena, headers, &count));
    struct sign_request s = { .method = r->method,
                              .path = look->object.path,
                              .query = look->object.query,
                              .payload = header_of(&out, "x-amz-content-sha256"),
                              .headers = headers,
                              .header_count = count,
                              .amz_date = header_of(&out, "x-amz-date") };
    TRY(remote_sign(remote, p, &s, arena, &authorization));
    TRY(add(&out, "authorization", authorization));
    *ret = out;
    return OK;
}
