/* fixture_test.c - see fixture_test.h. */
#include "server/auth/fixture_test.h"

#include "server/http/call.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"

struct arena *arena;
struct s3_auth_options options;
static struct iam *iam;

void set_now(const char *now)
{
    int64_t ms;

    CHECK(clock_parse(str_from_z(now), &ms));
    clock_set_offset_ms(0);
    clock_set_offset_ms(ms - clock_now_ms());
}

void begin(const char *identities, const char *now)
{
    const char *dir = test_dir();
    bool made_root;

    arena = arena_new(64 << 20);
    struct iam_options o = {
        .data_dir = arena_printf(arena, "%s/data", dir),
        .root_user = STR(ACCESS_KEY),
        .root_password = STR(SECRET),
        .is_new_store = true,
    };
    if (identities) {
        o.identities_file = arena_printf(arena, "%s/s3.json", dir);
        CHECK_OK(sys_write_file(o.identities_file.data, str_from_z(identities), 0600));
    }
    CHECK_OK(iam_open(&o, &iam, &made_root));
    options = (struct s3_auth_options){ .iam = iam };
    set_now(now);
}

void finish(void)
{
    arena = arena_free(arena);
    iam = iam_close(iam);
}

/* ---- requests ---- */

static size_t count_lines(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) count += text.data[i] == '\n';
    return count;
}

struct http_request *request(const char *method, const char *target, const char *headers)
{
    struct http_request *req = arena_new_of(arena, struct http_request);
    struct http_pair *pairs = arena_array(arena, struct http_pair, LIMIT_HEADERS);
    const struct str text = arena_str(arena, str_from_z(headers));
    struct str line, name;
    int status;

    CHECK(count_lines(text) <= LIMIT_HEADERS);
    *req = (struct http_request){ .arena = arena,
                                  .method_name = str_from_z(method),
                                  .target = arena_str(arena, str_from_z(target)) };
    for (struct str_split it = str_split_on(text, '\n'); str_split_next(&it, &line);) {
        if (!line.len) continue;
        const struct str value = str_cut(line, ':', &name);
        pairs[req->header_count++] = (struct http_pair){ .name = name, .value = value };
    }
    const char *refusal = request_check_headers(req, pairs, false, &status);
    if (!refusal) refusal = request_parse_target(req, &status);
    if (refusal) test_fail(__FILE__, __LINE__, "%s %s: %s", method, target, refusal);
    return req;
}

void add_header(struct http_request *req, const char *name, const char *value)
{
    struct http_pair *pairs = arena_array(arena, struct http_pair, req->header_count + 1);

    memcpy(pairs, req->headers, req->header_count * sizeof(*pairs));
    pairs[req->header_count++] = (struct http_pair){ .name = str_from_z(name),
                                                     .value = arena_str(arena, str_from_z(value)) };
    req->headers = pairs;
}

void remove_header(struct http_request *req, const char *name)
{
    struct http_pair *pairs = arena_array(arena, struct http_pair, req->header_count + 1);
    size_t count = 0;

    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_is(req->headers[i].name, name)) pairs[count++] = req->headers[i];
    }
    req->headers = pairs;
    req->header_count = count;
}

/* ---- signing ---- */

struct signer usual_signer(void)
{
    return (struct signer){ .access_key = ACCESS_KEY,
                            .secret = SECRET,
                            .region = "us-east-1",
                            .service = "s3",
                            .payload = EMPTY_SHA256 };
}

static struct str now_amz(void)
{
    char text[CLOCK_AMZ_SIZE];

    clock_amz(clock_now_ms(), text);
    return arena_str(arena, str_from_z(text));
}

static struct str scope_of(const struct signer *s, struct str date)
{
    return arena_printf(arena, "%.8s/%s/%s/aws4_request", date.data, s->region, s->service);
}

static struct str signature_of(const struct http_request *req, const struct signer *s,
                               const struct sigv4_claim *claim, struct str payload)
{
    struct sigv4_variant v = { .host = req->host };
    struct buf canonical, text;
    char hex[65];
    uint8_t key[32], mac[32];

    CHECK_OK(sigv4_canonical_path(req, &v.path));
    CHECK_OK(sigv4_canonical_query(req, claim->is_query, &v.query));
    buf_init(&canonical, 1 << 20);
    buf_init(&text, 1 << 16);
    sigv4_canonical_request(req, claim, &v, payload, &canonical);
    const struct digest_value sum = digest_of(DIGEST_SHA256, canonical.data, canonical.len);
    hex_z(sum.bytes, sum.len, hex);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%s", STR_ARG(claim->amz_date), STR_ARG(claim->scope),
               hex);
    const struct str first = arena_printf(arena, "AWS4%s", s->secret);
    hmac_sha256(first, str_slice(claim->scope, 0, 8), key);
    hmac_sha256(str_of(key, 32), str_from_z(s->region), key);
    hmac_sha256(str_of(key, 32), str_from_z(s->service), key);
    hmac_sha256(str_of(key, 32), STR("aws4_request"), key);
    hmac_sha256(str_of(key, 32), buf_view(&text), mac);
    hex_z(mac, sizeof(mac), hex);
    buf_done(&canonical);
    buf_done(&text);
    return arena_str(arena, str_from_z(hex));
}

/* host, and every x-amz-* header, sorted. */
static struct str names_to_sign(const struct http_request *req)
{
    struct str sorted = STR("");
    struct str last = STR("");

    for (;;) {
        struct str next = STR_NONE;
        for (size_t i = 0; i < req->header_count; i++) {
            const struct str name = req->headers[i].name;
            if (!str_is(name, "host") && !str_starts(name, STR("x-amz-"))) continue;
            if (str_cmp(name, last) > 0 && (!next.data || str_cmp(name, next) < 0)) next = name;
        }
        if (!next.data) return sorted;
        sorted = arena_printf(arena, "%.*s%s%.*s", STR_ARG(sorted), sorted.len ? ";" : "", STR_ARG(next));
        last = next;
    }
}

struct http_request *signed_request(const char *method, const char *target, const char *headers,
                                    struct signer s)
{
    struct http_request *req = request(method, target, headers);
    const struct str date = s.date ? str_from_z(s.date) : now_amz();

    add_header(req, "x-amz-date", date.data);
    add_header(req, "x-amz-content-sha256", s.payload);
    if (s.token) add_header(req, "x-amz-security-token", s.token);
    const struct sigv4_claim claim = {
        .scope = scope_of(&s, date),
        .amz_date = date,
        .signed_headers = s.signed_headers ? str_from_z(s.signed_headers) : names_to_sign(req),
    };
    const struct str signature = signature_of(req, &s, &claim, str_from_z(s.payload));
    add_header(req, "authorization",
               arena_printf(arena, "AWS4-HMAC-SHA256 Credential=%s/%.*s, SignedHeaders=%.*s, Signature=%.*s",
                            s.access_key, STR_ARG(claim.scope), STR_ARG(claim.signed_headers),
                            STR_ARG(signature))
                   .data);
    return req;
}

static struct str escaped(struct str text)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    percent_to(&b, text, "");
    const struct str result = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return result;
}

const char *presigned_target(const char *method, const char *target, const char *host, struct signer s)
{
    const struct str date = s.date ? str_from_z(s.date) : now_amz();
    const struct str names = s.signed_headers ? str_from_z(s.signed_headers) : STR("host");
    const struct sigv4_claim claim = {
        .is_query = true, .scope = scope_of(&s, date), .amz_date = date, .signed_headers = names
    };
    const struct str credential = escaped(arena_printf(arena, "%s/%.*s", s.access_key, STR_ARG(claim.scope)));
    struct str url = arena_printf(
        arena,
        "%s%cX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%.*s&X-Amz-Date=%.*s&X-Amz-Expires=%s&X-Amz-SignedHeaders=%.*s",
        target, strchr(target, '?') ? '&' : '?', STR_ARG(credential), STR_ARG(date),
        s.expires ? s.expires : "600", STR_ARG(escaped(names)));
    if (s.token) url = arena_printf(arena, "%.*s&X-Amz-Security-Token=%s", STR_ARG(url), s.token);
    const struct http_request *req = request(method, url.data, arena_printf(arena, "host:%s\n", host).data);
    const struct str signature = signature_of(req, &s, &claim, STR("UNSIGNED-PAYLOAD"));
    return arena_printf(arena, "%.*s&X-Amz-Signature=%.*s", STR_ARG(url), STR_ARG(signature)).data;
}

/* ---- verifying ---- */

struct err verify(struct http_request *req, struct s3_auth *auth)
{
    return s3_auth_verify(&options, req, auth);
}

void check_refused(struct http_request *req, enum err_code code, const char *file, int line)
{
    struct s3_auth auth;
    const struct err e = verify(req, &auth);

    if (e.code != code)
        test_fail(file, line, "%.*s: wanted %s, got %s (%s)", STR_ARG(req->target), err_name(code),
                  err_name(e.code), e.why ? e.why : "");
    if (auth.caller.principal || auth.caller.scope || auth.is_signed)
        test_fail(file, line, "somebody is the caller");
}
