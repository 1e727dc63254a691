/* fuzz_remote_guest.c - a request that is to be signed, as lines: method, URI, then headers. Refused, or one object or prefix of the endpoint, without a header that reaches further; and signed it says the same. */
#include <stdint.h>
#include <stdlib.h>

#include "storage/remote/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void take(struct str text, struct guest_request *r)
{
    struct str line;

    text = str_cut(text, '\n', &r->method);
    text = str_cut(text, '\n', &r->uri);
    for (struct str_split it = str_split_on(text, '\n'); str_split_next(&it, &line) && r->header_count < 8;) {
        struct sign_header *h = &r->headers[r->header_count++];
        h->value = str_cut(line, ':', &h->name);
    }
}

static void check(const struct remote *remote, const struct guest_request *r, const struct guest_look *look,
                  struct arena *arena)
{
    const struct remote_place p = { .endpoint = STR("http://s3.example.com"), .bucket = STR("lake") };
    static const char *const worst[] = { "x-amz-copy-source", "x-amz-acl", "x-amz-grant-read", "x-amz-tagging" };
    struct guest_request out;

    if ((look->act == GUEST_LIST) != (look->object.key.len == 0)) abort();
    if (str_starts(look->key, STR("../")) || str_contains(look->key, STR("/../"))) abort();
    for (size_t i = 0; i < r->header_count; i++) {
        for (size_t n = 0; n < sizeof(worst) / sizeof(worst[0]); n++) {
            if (str_is_nocase(r->headers[i].name, worst[n])) abort();
        }
    }
    if (guest_sign(remote, &p, r, look, arena, &out).code != ERR_OK) abort();
    if (!str_eq(out.method, r->method) || !str_eq(out.uri, r->uri)) abort();
    for (size_t i = 0; i < out.header_count; i++) {
        if (str_contains(out.headers[i].value, STR("\r"))) abort();
        if (str_is(out.headers[i].name, "authorization")
            && str_contains(out.headers[i].value, STR("THE-SECRET-OF-THIS")))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct remote *remote;
    const struct remote_options o = { .access_key = STR("KEY"), .secret_key = STR("THE-SECRET-OF-THIS"), .cache_bytes = 1 };
    struct arena *arena = arena_new(16 << 20);
    struct guest_request r = { .header_count = 0 };
    struct guest_look look;
    struct endpoint e;

    if (!remote && remote_new(&o, &remote).code != ERR_OK) abort();
    if (endpoint_parse(STR("http://s3.example.com"), &e).code != ERR_OK) abort();
    take(str_of(data, len), &r);
    if (guest_look(&e, STR("lake"), &r, arena, &look).code == ERR_OK) check(remote, &r, &look, arena);
    arena_free(arena);
    return 0;
}
