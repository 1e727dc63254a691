/* fuzz_aws_chunked.c - a body decodes the same in whatever pieces it comes, and one that nobody signed is not a signed one. */
#include <stdlib.h>

#include "server/auth/aws_chunked.h"
#include "storage/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* data[0]: the kind, and the pieces' size of the second run; data[1]: the decoded length. */
static struct err decode(const uint8_t *data, size_t len, size_t piece, struct arena *arena, struct buf *out)
{
    const struct s3_auth auth = { .payload = PAYLOAD_CHUNKED_SIGNED + data[0] % 3, .amz_date = STR("20261121T093000Z") };
    struct aws_chunked *c;
    struct str run;

    TRY(aws_chunked_new(&auth, data[0] & 0x40 ? data[1] : -1, arena, &c));
    for (size_t at = 2; at < len; at += piece) {
        struct str input = str_of(data + at, len - at < piece ? len - at : piece);
        for (size_t before = input.len; before; before = input.len) {
            TRY(aws_chunked_next(c, &input, &run));
            if (run.len > before - input.len || input.len == before) abort();
            buf_str(out, run);
        }
    }
    TRY(aws_chunked_finish(c));
    if (auth.payload != PAYLOAD_CHUNKED_UNSIGNED_TRAILER || (data[0] & 0x40 && out->len != data[1])) abort();
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(64ull * 1024 * 1024);
    struct buf whole, pieces;

    buf_init(&whole, len + 1);
    buf_init(&pieces, len + 1);
    if (len > 2) {
        const struct err a = decode(data, len, len, arena, &whole), b = decode(data, len, (data[0] >> 2) % 16 + 1u, arena, &pieces);
        if (a.code != b.code || (a.code == ERR_OK && !str_eq(buf_view(&whole), buf_view(&pieces)))) abort();
    }
    buf_done(&whole);
    buf_done(&pieces);
    arena_free(arena);
    return 0;
}
