/*
 * sigv4_claim.c - reading what a SigV4 request says of itself, from its Authorization header or its query.
 *
 * Everything is there exactly once, or the request is refused: two readings of one request are how signatures are got round. Order of
 * the checks as AWS has it: form, region and service, date; the signature comes last.
 */
#include "server/auth/sigv4.h"

#include <string.h>

#include "storage/base/clock.h"

#define EXPIRES_S_MAX 604800 /* AWS: seven days */
#define DATE_LEN 8
#define AMZ_DATE_LEN 16

/* The same fault has another name in a header than in a query. */
static struct err malformed(bool is_query, const char *why)
{
    return FAIL(is_query ? ERR_AUTH_QUERY_INVALID : ERR_AUTH_HEADER_MALFORMED, why);
}

struct err auth_check_time(int64_t time_ms)
{
    const int64_t off = time_ms - clock_now_ms();
    return off > SKEW_MS || off < -SKEW_MS ? FAIL(ERR_CLOCK_SKEWED, err_text(ERR_CLOCK_SKEWED)) : OK;
}

bool auth_read_date(struct str text, int64_t *ret_ms)
{
    const struct str zone = STR(" +0000");
    char gmt[CLOCK_HTTP_SIZE];

    if (clock_parse(text, ret_ms)) return true;
    if (!str_ends(text, zone)) return false;
    const size_t len = text.len - zone.len;
    if (len + sizeof(" GMT") > sizeof(gmt)) return false;
    memcpy(gmt, text.data, len);
    memcpy(gmt + len, " GMT", sizeof(" GMT"));
    return clock_parse(str_from_z(gmt), ret_ms);
}

/* ---- the credential ---- */

static bool is_digits(struct str s, size_t len)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return false;
    }
    return s.len == len;
}

/* Cut the piece behind the last '/' off. */
static bool cut_last(struct str *rest, struct str *ret)
{
    const size_t slash = str_rfind_char(*rest, '/');

    if (slash >= rest->len) return false;
    *ret = str_from(*rest, slash + 1);
    *rest = str_slice(*rest, 0, slash);
    return true;
}

/* KEY/date/region/service/aws4_request; an access key may have slashes, so it is read from its end. */
static struct err read_credential(const struct s3_auth_options *o, struct str text, struct sigv4_claim *c)
{
    struct str rest = text, service, end;

    if (!cut_last(&rest, &end) || !cut_last(&rest, &service) || !cut_last(&rest, &c->region)
        || !cut_last(&rest, &c->date) || !rest.len || rest.len > LIMIT_CREDENTIAL)
        return malformed(
            c->is_query,
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".");
    c->access_key = rest;
    c->scope = str_from(text, rest.len + 1);
    if (!str_is(end, "aws4_request"))
        return malformed(c->is_query, "the Credential's terminal is not \"aws4_request\".");
    if (!is_digits(c->date, DATE_LEN))
        return malformed(c->is_query, "the Credential's date is not of the form \"yyyyMMdd\".");
    if (!str_is(service, "s3"))
        return malformed(c->is_query, "incorrect service. This endpoint belongs to \"s3\".");
    if (o->region.len && !str_eq(o->region, c->region))
        return err_fail(c->is_query ? ERR_AUTH_QUERY_INVALID : ERR_AUTH_HEADER_MALFORMED,
                        "the region is wrong; expecting '%.*s'", STR_ARG(o->region));
    return OK;
}

/* "20130524T000000Z" and nothing else: it stands in the string to sign as it was sent. */
static bool read_amz_date(struct str text, int64_t *ret_ms)
{
    return text.len == AMZ_DATE_LEN && text.data[DATE_LEN] == 'T' && clock_parse(text, ret_ms);
}

static struct err check_day(const struct sigv4_claim *c)
{
    if (str_eq(str_slice(c->amz_date, 0, DATE_LEN), c->date)) return OK;
    return malformed(c->is_query, "the date of the Credential is not that of the request.");
}

/* ---- the header ---- */

/* x-amz-date, or Date in its place (s3.md 6): then in any of its forms. */
static struct err read_date(const struct http_request *req, struct sigv4_claim *c)
{
    const bool has_own = http_has_header(req, "x-amz-date");
    const char *const name = has_own ? "x-amz-date" : "date";
    const struct str text = http_header(req, name);
    char amz[CLOCK_AMZ_SIZE];
    int64_t ms;

    if (http_header_repeats(req, name) != 1) return FAIL(ERR_DENIED, "no date, or two");
    if (read_amz_date(text, &ms)) {
        c->amz_date = text;
    } else if (!has_own && auth_read_date(text, &ms)) {
        clock_amz(ms, amz);
        c->amz_date = arena_str(req->arena, str_from_z(amz));
        if (!c->amz_date.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    } else {
        return FAIL(ERR_DENIED, "the date is not valid");
    }
    TRY(auth_check_time(ms));
    return check_day(c);
}

struct header_fields {
    struct str credential, signed_headers, signature;
};

/* "Credential=a/b, SignedHeaders=c;d, Signature=e" in any order, blanks around the commas or not. */
static struct err read_fields(struct str text, struct header_fields *ret)
{
    struct header_fields f = { .credential = STR_NONE };
    struct str piece, name;

    for (struct str_split it = str_split_on(text, ','); str_split_next(&it, &piece);) {
        const struct str value = str_cut(str_trim(piece), '=', &name);
        struct str *field = str_is(name, "Credential") ? &f.credential
            : str_is(name, "SignedHeaders")            ? &f.signed_headers
            : str_is(name, "Signature")                ? &f.signature
                                                       : NULL;
        if (!field || field->data || !value.len) return malformed(false, err_text(ERR_AUTH_HEADER_MALFORMED));
        *field = value;
    }
    if (!f.credential.data || !f.signed_headers.data || !f.signature.data)
        return malformed(false, "the Authorization header requires Credential, SignedHeaders and Signature.");
    *ret = f;
    return OK;
}

struct err sigv4_read_header(const struct s3_auth_options *o, const struct http_request *req,
                             struct str authorization, struct sigv4_claim *ret)
{
    struct sigv4_claim c = { .is_query = false };
    struct header_fields f;

    TRY(read_fields(str_from(authorization, sizeof("AWS4-HMAC-SHA256") - 1), &f));
    TRY(read_credential(o, f.credential, &c));
    c.signed_headers = f.signed_headers;
    c.signature = f.signature;
    TRY(read_date(req, &c));
    *ret = c;
    return OK;
}

/* ---- the query ---- */

struct err auth_query_once(const struct http_request *req, const char *name, struct str *ret)
{
    const struct http_pair *found = NULL;

    for (size_t i = 0; i < req->query_count; i++) {
        if (!str_is(req->query[i].name, name)) continue;
        if (found) return err_fail(ERR_AUTH_QUERY_INVALID, "%s is given twice", name);
        found = &req->query[i];
    }
    if (!found || !found->value.len) return err_fail(ERR_AUTH_QUERY_INVALID, "%s is missing", name);
    *ret = found->value;
    return OK;
}

static struct err check_life(int64_t signed_ms, struct str expires)
{
    const int64_t now = clock_now_ms();
    uint64_t seconds;

    if (!str_to_u64(expires, &seconds) || seconds < 1 || seconds > EXPIRES_S_MAX)
        return malformed(true, "X-Amz-Expires must be between 1 and 604800 seconds");
    if (signed_ms - now > SKEW_MS) return FAIL(ERR_DENIED, "Request is not yet valid");
    if (now - signed_ms > (int64_t)seconds * 1000)
        return FAIL(ERR_REQUEST_EXPIRED, err_text(ERR_REQUEST_EXPIRED));
    return OK;
}

struct err sigv4_read_query(const struct s3_auth_options *o, const struct http_request *req,
                            struct sigv4_claim *ret)
{
    struct sigv4_claim c = { .is_query = true };
    struct str algorithm, credential, expires;
    int64_t signed_ms;

    /* A claim without any signature is no mistake of form (reliability.md A2). */
    if (!http_has_query(req, "X-Amz-Signature")) return FAIL(ERR_DENIED, "credentials without a signature");
    TRY(auth_query_once(req, "X-Amz-Algorithm", &algorithm));
    TRY(auth_query_once(req, "X-Amz-Credential", &credential));
    TRY(auth_query_once(req, "X-Amz-Date", &c.amz_date));
    TRY(auth_query_once(req, "X-Amz-Expires", &expires));
    TRY(auth_query_once(req, "X-Amz-SignedHeaders", &c.signed_headers));
    TRY(auth_query_once(req, "X-Amz-Signature", &c.signature));
    if (!str_is(algorithm, "AWS4-HMAC-SHA256"))
        return malformed(true, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    TRY(read_credential(o, credential, &c));
    if (!read_amz_date(c.amz_date, &signed_ms))
        return malformed(true, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    TRY(check_day(&c));
    TRY(check_life(signed_ms, expires));
    *ret = c;
    return OK;
}
