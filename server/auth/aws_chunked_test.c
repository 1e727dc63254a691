/* aws_chunked_test.c - bodies in chunks: AWS' examples, in pieces of every size, and every way in which they may be wrong (A14). */
#include "server/auth/aws_chunked.h"

#include <stdlib.h>

#include "server/auth/fixture_test.h"
#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define DATE "20130524T000000Z"
#define AWS_SCOPE "20130524/us-east-1/s3/aws4_request"

/* An auth as s3_auth_verify leaves it, with AWS' example key. */
static struct s3_auth auth_of(enum payload_kind kind, const char *seed)
{
    struct s3_auth auth = { .payload = kind, .amz_date = STR(DATE), .scope = STR(AWS_SCOPE) };
    const struct sigv4_claim claim = { .access_key = STR(ACCESS_KEY),
                                       .date = STR("20130524"),
                                       .region = STR("us-east-1"),
                                       .scope = STR(AWS_SCOPE) };

    sigv4_signing_key(&claim, STR(SECRET), auth.signing_key);
    CHECK(hex_from(str_from_z(seed), auth.seed_signature, 32));
    return auth;
}

static const char some_seed[] = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

/* Decode text in pieces of that size; out is appended. */
static struct err decode(const struct s3_auth *auth, int64_t length, struct str text, size_t piece,
                         struct buf *out, struct aws_chunked **ret)
{
    struct str data;

    TRY(aws_chunked_new(auth, length, arena, ret));
    for (size_t at = 0; at < text.len; at += piece) {
        struct str input = str_slice(text, at, at + piece);
        while (input.len) {
            TRY(aws_chunked_next(*ret, &input, &data));
            buf_str(out, data);
        }
    }
    return aws_chunked_finish(*ret);
}

static struct err decode_z(enum payload_kind kind, int64_t length, const char *text)
{
    const struct s3_auth auth = auth_of(kind, some_seed);
    struct aws_chunked *c;
    struct buf out;

    buf_init(&out, 1 << 20);
    const struct err e = decode(&auth, length, str_from_z(text), 7, &out, &c);
    buf_done(&out);
    return e;
}

/* ---- AWS' examples ---- */

static struct str example_body(const char *const signatures[3], const char *end)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    buf_printf(&b, "10000;chunk-signature=%s\r\n", signatures[0]);
    memset(buf_extend(&b, 65536), 'a', 65536);
    buf_printf(&b, "\r\n400;chunk-signature=%s\r\n", signatures[1]);
    memset(buf_extend(&b, 1024), 'a', 1024);
    buf_printf(&b, "\r\n0;chunk-signature=%s\r\n%s", signatures[2], end);
    const struct str body = arena_str(arena, buf_view(&b));
    buf_done(&b);
    return body;
}

static const char *const example[3] = {
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
};
static const char *const trailer_example[3] = {
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
};

static void check_example(const struct s3_auth *auth, struct str body, size_t piece)
{
    struct aws_chunked *c;
    struct buf out;

    buf_init(&out, 1 << 20);
    const struct err e = decode(auth, 66560, body, piece, &out, &c);
    if (e.code) test_fail(__FILE__, __LINE__, "pieces of %zu: %s (%s)", piece, err_name(e.code), e.why);
    CHECK_U64(out.len, 66560);
    for (size_t i = 0; i < out.len; i++) CHECK(out.data[i] == 'a');
    buf_done(&out);
}

TEST(the_chunked_example_of_aws_is_right)
{
    static const size_t pieces[] = { 1, 2, 3, 85, 86, 87, 88, 4096, 65536, 100000 };

    begin(NULL, DATE);
    const struct s3_auth auth = auth_of(PAYLOAD_CHUNKED_SIGNED, some_seed);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        check_example(&auth, example_body(example, "\r\n"), pieces[i]);
        check_example(&auth, example_body(example, ""), pieces[i]); /* old clients leave it out */
    }
    finish();
}

/* The seed and the chunks are AWS'; so is the trailer's line and its signature. */
TEST(the_trailer_example_of_aws_is_right)
{
    begin(NULL, DATE);
    const struct s3_auth auth = auth_of(PAYLOAD_CHUNKED_SIGNED_TRAILER,
                                        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    static const char *const ends[] = {
        "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
        "x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
        "X-Amz-Checksum-Crc32c: sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
    };
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        check_example(&auth, example_body(trailer_example, ends[i]), 1000);
    finish();
}

TEST(what_botocore_streams_is_right)
{
    const char *const text = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    struct aws_chunked *c;
    struct buf out;

    begin(NULL, DATE);
    const struct s3_auth auth = auth_of(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, some_seed);
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        buf_init(&out, 1 << 10);
        CHECK_OK(decode(&auth, 5, str_from_z(text), piece, &out, &c));
        CHECK_STR(buf_view(&out), STR("hello"));
        CHECK_STR(aws_chunked_trailer(c, "x-amz-checksum-crc32"), STR("NhCmhg=="));
        CHECK(!aws_chunked_trailer(c, "x-amz-checksum-crc32c").data);
        buf_done(&out);
    }
    finish();
}

/* ---- a signer of our own, for what AWS has no example of ---- */

struct stream {
    struct s3_auth auth;
    uint8_t previous[32];
    struct buf body;
};

static void stream_begin(struct stream *s, enum payload_kind kind)
{
    s->auth = auth_of(kind, some_seed);
    memcpy(s->previous, s->auth.seed_signature, 32);
    buf_init(&s->body, 1 << 20);
}

static void stream_sign(struct stream *s, const char *algorithm, const char *between, const char *text,
                        char hex[65])
{
    const struct digest_value sum = digest_of(DIGEST_SHA256, text, strlen(text));
    char previous[65];

    hex_z(s->previous, 32, previous);
    hex_z(sum.bytes, sum.len, hex);
    const struct str to_sign = arena_printf(arena, "%s\n" DATE "\n" AWS_SCOPE "\n%s\n%s%s", algorithm,
                                            previous, between, hex);
    hmac_sha256(str_of(s->auth.signing_key, 32), to_sign, s->previous);
    hex_z(s->previous, 32, hex);
}

static void stream_chunk(struct stream *s, const char *data)
{
    char hex[65];

    stream_sign(s, "AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256 "\n", data, hex);
    buf_printf(&s->body, "%zX;chunk-signature=%s\r\n%s%s", strlen(data), hex, data, *data ? "\r\n" : "");
}

static void stream_trailer(struct stream *s, const char *lines)
{
    char hex[65];

    stream_sign(s, "AWS4-HMAC-SHA256-TRAILER", "", lines, hex);
    buf_printf(&s->body, "%sx-amz-trailer-signature:%s\r\n\r\n", lines, hex);
}

static struct err stream_check(struct stream *s, struct str body, int64_t length)
{
    struct aws_chunked *c;
    struct buf out;

    buf_init(&out, 1 << 20);
    const struct err e = decode(&s->auth, length, body, 11, &out, &c);
    buf_done(&out);
    return e;
}

TEST(a14_a_wrong_chunk_is_refused)
{
    struct stream s;

    begin(NULL, DATE);
    stream_begin(&s, PAYLOAD_CHUNKED_SIGNED);
    stream_chunk(&s, "first chunk");
    const size_t one = s.body.len;
    stream_chunk(&s, "other chunk");
    const size_t two = s.body.len;
    stream_chunk(&s, "");
    const struct str body = arena_str(arena, buf_view(&s.body));
    CHECK_OK(stream_check(&s, body, 22));
    CHECK_OK(stream_check(&s, body, -1));

    const struct str first = str_slice(body, 0, one), second = str_slice(body, one, two),
                     last = str_from(body, two);
    CHECK_ERR(stream_check(&s, arena_join(arena, arena_join(arena, second, first), last), 22),
              ERR_SIGNATURE_MISMATCH); /* reordered */
    CHECK_ERR(stream_check(&s, arena_join(arena, arena_join(arena, first, first), last), 22),
              ERR_SIGNATURE_MISMATCH);                                                       /* repeated */
    CHECK_ERR(stream_check(&s, arena_join(arena, first, last), 11), ERR_SIGNATURE_MISMATCH); /* left out */
    CHECK_ERR(stream_check(&s, arena_join(arena, second, last), -1), ERR_SIGNATURE_MISMATCH);
    CHECK_ERR(stream_check(&s, str_slice(body, 0, two), 22), ERR_INCOMPLETE_BODY); /* without the final one */
    CHECK_ERR(stream_check(&s, first, 11), ERR_INCOMPLETE_BODY);
    CHECK_ERR(stream_check(&s, STR(""), 0), ERR_INCOMPLETE_BODY);
    buf_done(&s.body);
    finish();
}

TEST(a14_no_byte_of_a_signed_stream_may_change)
{
    struct stream s;

    begin(NULL, DATE);
    stream_begin(&s, PAYLOAD_CHUNKED_SIGNED_TRAILER);
    stream_chunk(&s, "some data");
    stream_chunk(&s, "");
    stream_trailer(&s, "x-amz-checksum-crc32:AAAAAA==\n");
    const struct str body = buf_view(&s.body);
    CHECK_OK(stream_check(&s, body, 9));
    for (size_t i = 0; i < body.len; i++) {
        char *changed = arena_z(arena, body);
        changed[i] = changed[i] == '1' ? '2' : '1';
        /* An empty line more or less at the very end is no change of what is said. */
        if (i + 4 >= body.len) continue;
        if (stream_check(&s, str_of(changed, body.len), 9).code == ERR_OK)
            test_fail(__FILE__, __LINE__, "byte %zu", i);
    }
    for (size_t len = 0; len + 2 < body.len; len++) {
        if (stream_check(&s, str_of(body.data, len), 9).code == ERR_OK)
            test_fail(__FILE__, __LINE__, "cut at %zu", len);
    }
    buf_done(&s.body);
    finish();
}

TEST(a14_another_decoded_length_is_refused)
{
    begin(NULL, DATE);
    const char *const text = "5\r\nhello\r\n0\r\n\r\n";
    CHECK_OK(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, 5, text));
    CHECK_OK(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, -1, text));
    CHECK_ERR(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, 4, text), ERR_INCOMPLETE_BODY);
    CHECK_ERR(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, 6, text), ERR_INCOMPLETE_BODY);
    CHECK_ERR(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, 0, text), ERR_INCOMPLETE_BODY);
    finish();
}

TEST(a14_a_trailers_signature_is_asked_for)
{
    struct stream s;

    begin(NULL, DATE);
    stream_begin(&s, PAYLOAD_CHUNKED_SIGNED_TRAILER);
    stream_chunk(&s, "");
    const struct str head = arena_str(arena, buf_view(&s.body));
    CHECK_ERR(stream_check(&s, arena_join(arena, head, STR("\r\n")), 0), ERR_SIGNATURE_MISMATCH);
    CHECK_ERR(stream_check(&s, arena_join(arena, head, STR("x-amz-checksum-crc32:AAAAAA==\r\n\r\n")), 0),
              ERR_SIGNATURE_MISMATCH);
    CHECK_ERR(stream_check(&s, arena_join(arena, head, STR("x-amz-trailer-signature:00\r\n\r\n")), 0),
              ERR_SIGNATURE_MISMATCH);
    stream_trailer(&s, "");
    CHECK_OK(stream_check(&s, buf_view(&s.body), 0));
    buf_done(&s.body);
    finish();
}

TEST(the_grammar_is_held)
{
    static const struct {
        const char *text;
        enum err_code code;
    } rows[] = {
        { "0\r\n\r\n", ERR_OK },
        { "0\r\n", ERR_OK },
        { "0\r\n\r", ERR_OK },
        { "0000\r\n\r\n", ERR_OK },
        { "1\r\na\r\n0\r\n\r\n", ERR_OK },
        { "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", ERR_OK },
        { "0\r\nx-amz-checksum-crc32:a\n\r\n\r\n\r\n", ERR_OK }, /* minio-go */
        { "0\r\nx-amz-checksum-crc32:a\r\n", ERR_OK },
        { "0\r\nx-amz-checksum-crc32:a", ERR_INCOMPLETE_BODY },
        { "", ERR_INCOMPLETE_BODY },
        { "0", ERR_INCOMPLETE_BODY },
        { "0\r", ERR_INCOMPLETE_BODY },
        { "1\r\na", ERR_INCOMPLETE_BODY },
        { "2\r\na", ERR_INCOMPLETE_BODY },
        { "1\r\na\r\n", ERR_INCOMPLETE_BODY },
        { "0\n\n", ERR_INVALID_REQUEST },
        { "\r\n", ERR_INVALID_REQUEST },
        { "-1\r\n", ERR_INVALID_REQUEST },
        { "+1\r\na\r\n0\r\n", ERR_INVALID_REQUEST },
        { "0x1\r\na\r\n", ERR_INVALID_REQUEST },
        { " 1\r\na\r\n", ERR_INVALID_REQUEST },
        { "1 \r\na\r\n", ERR_INVALID_REQUEST },
        { "g\r\n", ERR_INVALID_REQUEST },
        { "1\r\nab\r\n0\r\n\r\n", ERR_INVALID_REQUEST },
        { "1\r\na\n0\r\n\r\n", ERR_INVALID_REQUEST },
        { "2\r\na\r\n0\r\n\r\n", ERR_INVALID_REQUEST },
        { "FFFFFFFFFFFFFFFF\r\n", ERR_INVALID_REQUEST },
        { "10000000000000000\r\n", ERR_INVALID_REQUEST },
        { "140000001\r\n", ERR_INVALID_REQUEST }, /* 5 GiB and one */
        { "0;chunk-signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n",
          ERR_INVALID_REQUEST },
        { "0;x=y\r\n", ERR_INVALID_REQUEST },
        { "0\r\n\r\nmore\r\n", ERR_INVALID_REQUEST },
        { "0\r\n\r\nx-amz-checksum-crc32:a\r\n", ERR_INVALID_REQUEST },
        { "0\r\nno colon\r\n\r\n", ERR_INVALID_REQUEST },
        { "0\r\n:value\r\n\r\n", ERR_INVALID_REQUEST },
        { "0\r\na b:value\r\n\r\n", ERR_INVALID_REQUEST },
        { "0\r\na:1\r\nA:2\r\n\r\n", ERR_INVALID_REQUEST },
        { "0\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\nh:1\r\n\r\n", ERR_OK },
        { "0\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\nh:1\r\ni:1\r\n\r\n", ERR_INVALID_REQUEST },
        { "0\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", ERR_INVALID_REQUEST },
    };

    begin(NULL, DATE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, -1, rows[i].text);
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "%s: %s (%s)", rows[i].text, err_name(e.code), e.why ? e.why : "");
    }
    finish();
}

TEST(a_signed_stream_has_a_signature_in_every_chunk)
{
    static const struct {
        const char *text;
        enum err_code code;
    } rows[] = {
        { "0\r\n\r\n", ERR_INVALID_REQUEST },
        { "0;\r\n\r\n", ERR_INVALID_REQUEST },
        { "0;chunk-signature\r\n\r\n", ERR_SIGNATURE_MISMATCH },
        { "0;chunk-signature=\r\n\r\n", ERR_SIGNATURE_MISMATCH },
        { "0;chunk-signature=00\r\n\r\n", ERR_SIGNATURE_MISMATCH },
        { "0;chunk-signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n\r\n",
          ERR_SIGNATURE_MISMATCH },
        { "0;Chunk-Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n\r\n",
          ERR_INVALID_REQUEST },
    };

    begin(NULL, DATE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_ERR(decode_z(PAYLOAD_CHUNKED_SIGNED, -1, rows[i].text), rows[i].code);
    finish();
}

TEST(a_signed_stream_without_trailers_has_none)
{
    struct stream s;

    begin(NULL, DATE);
    stream_begin(&s, PAYLOAD_CHUNKED_SIGNED);
    stream_chunk(&s, "");
    CHECK_ERR(stream_check(&s, arena_join(arena, buf_view(&s.body), STR("a:b\r\n\r\n")), 0),
              ERR_INVALID_REQUEST);
    buf_done(&s.body);
    finish();
}

TEST(lines_are_bounded)
{
    char *line;

    begin(NULL, DATE);
    line = arena_alloc(arena, 4096);
    memset(line, '0', 2000);
    CHECK_ERR(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, -1, line), ERR_INVALID_REQUEST);
    const struct str trailer = arena_join(arena, STR("0\r\na:"), str_from_z(line));
    CHECK_ERR(decode_z(PAYLOAD_CHUNKED_UNSIGNED_TRAILER, -1, trailer.data), ERR_INVALID_REQUEST);
    finish();
}
