/* fuzz_sigv4.c - a request that nobody signed has no caller, whatever it says; without a refusal it is anonymous. */
#include "server/auth/s3_auth.h"
#include "server/http/call.h"
#include "storage/base/clock.h"
#include "tests/fuzz/fuzz_iam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The input: method, target, then "name:value" lines, at the date of the corpus (2026-11-21T09:30:00Z). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct s3_auth_options o = { .iam = fuzz_iam(), .external_hosts = STR("proxy.example.com") };
    struct str_split lines = str_split_on(str_of(data, len), '\n');
    struct http_request req = { .arena = arena_new(64 * MIB) };
    struct http_pair *pairs = arena_array(req.arena, struct http_pair, LIMIT_HEADERS);
    struct s3_auth auth;
    struct str line;
    int status;

    clock_set_offset_ms(0);
    clock_set_offset_ms(1795253400000 - clock_now_ms());
    if (!str_split_next(&lines, &req.method_name) || !str_split_next(&lines, &req.target)) req.target = STR("/");
    while (req.header_count < LIMIT_HEADERS && str_split_next(&lines, &line)) {
        struct http_pair *p = &pairs[req.header_count++];
        p->value = str_cut(line, ':', &p->name);
    }
    if (!request_check_headers(&req, pairs, false, &status) && !request_parse_target(&req, &status)) {
        const struct err e = s3_auth_verify(&o, &req, &auth);
        must(!auth.is_signed && !auth.caller.principal && !auth.caller.scope);
        must(e.code != ERR_OK || (auth.caller.is_anonymous && !http_has_header(&req, "authorization")));
    }
    arena_free(req.arena);
    return 0;
}
