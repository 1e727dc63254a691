/*
 * aws_chunked.c - decoding of aws-chunked bodies, as they arrive.
 *
 *   HEX[;chunk-signature=SIG] CRLF  data CRLF     any number of times
 *   0[;chunk-signature=SIG] CRLF
 *   [name:value CRLF ...  x-amz-trailer-signature:SIG CRLF]  CRLF
 *
 * States:
 *   SIZE --> DATA --> DATA_END --> SIZE ... SIZE (0) --> TRAILER --> ENDED
 * Lines may come in any pieces, so they are gathered in a bounded buffer; data is handed through. Every byte is looked at once and nothing recurs.
 *
 * Each signature is over the one before it (the first over the head's), so chunks cannot be left out, repeated or put in another order.
 * In trailers we are as lenient as clients are different: minio-go ends them with a bare line feed, and writes an empty line before the
 * trailer's signature; some leave out the last CRLF (s3.md 9).
 */
#include "server/auth/aws_chunked.h"

#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"

#define LINE_MAX_BYTES 1024 /* a chunk's line has 100 bytes, a trailer's less */
#define TRAILERS_MAX 8      /* clients send one */
#define BLANK_LINES_MAX 8   /* after the last chunk; minio-go sends three */
#define SIGNATURE_DIGITS 64
#define CHUNK_SIZE_DIGITS_MAX 16
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum state { STATE_SIZE, STATE_DATA, STATE_DATA_END, STATE_TRAILER, STATE_ENDED };

struct trailer {
    struct str name, value;
};

struct aws_chunked {
    const struct s3_auth *auth;
    struct arena *arena;
    enum state state;
    bool has_signatures, has_trailers;
    int64_t decoded_length; /* -1: not announced */
    uint64_t decoded;       /* handed out so far */
    uint64_t chunk_left;
    char line[LINE_MAX_BYTES];
    size_t line_len;
    uint8_t previous[32], claimed[32]; /* signatures: the last that was right, and this chunk's */
    struct digest sum;                 /* of this chunk's data */
    struct trailer trailers[TRAILERS_MAX];
    size_t trailer_count;
    int blank_lines;
    bool has_trailer_signature;
    uint8_t trailer_signature[32];
};

static struct err bad_grammar(const char *why)
{
    return FAIL(ERR_INVALID_REQUEST, why);
}

static struct err mismatch(void)
{
    return FAIL(ERR_SIGNATURE_MISMATCH, err_text(ERR_SIGNATURE_MISMATCH));
}

static void drop_sum(void *arg)
{
    digest_done(&((struct aws_chunked *)arg)->sum);
}

struct err aws_chunked_new(const struct s3_auth *auth, int64_t decoded_length, struct arena *arena,
                           struct aws_chunked **ret)
{
    struct aws_chunked *c = arena_new_of(arena, struct aws_chunked);

    if (!c || !arena_defer(arena, drop_sum, c)) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    c->auth = auth;
    c->arena = arena;
    c->decoded_length = decoded_length;
    c->has_signatures = auth->payload == PAYLOAD_CHUNKED_SIGNED
        || auth->payload == PAYLOAD_CHUNKED_SIGNED_TRAILER;
    c->has_trailers = auth->payload != PAYLOAD_CHUNKED_SIGNED;
    memcpy(c->previous, auth->seed_signature, sizeof(c->previous));
    *ret = c;
    return OK;
}

/* ---- signatures ---- */

/* algorithm \n date \n scope \n previous signature \n rest */
static struct err sign(const struct aws_chunked *c, const char *algorithm, struct str rest, uint8_t out[32])
{
    struct buf b;

    buf_init(&b, 8 * KIB);
    buf_z(&b, algorithm);
    buf_char(&b, '\n');
    buf_str(&b, c->auth->amz_date);
    buf_char(&b, '\n');
    buf_str(&b, c->auth->scope);
    buf_char(&b, '\n');
    hex_to(&b, str_of(c->previous, sizeof(c->previous)));
    buf_char(&b, '\n');
    buf_str(&b, rest);
    const struct err e = buf_err(&b);
    if (e.code == ERR_OK)
        hmac_sha256(str_of(c->auth->signing_key, sizeof(c->auth->signing_key)), buf_view(&b), out);
    buf_done(&b);
    return e;
}

static struct err check_signature(struct aws_chunked *c, const char *algorithm, struct str rest,
                                  const uint8_t claimed[32])
{
    uint8_t mac[32];

    TRY(sign(c, algorithm, rest, mac));
    if (!bytes_equal_secret(str_of(mac, sizeof(mac)), str_of(claimed, sizeof(mac)))) return mismatch();
    memcpy(c->previous, mac, sizeof(mac));
    return OK;
}

/* The chunk's data is complete. The line between is the digest of nothing, which the form has for headers that chunks do not have. */
static struct err check_chunk(struct aws_chunked *c)
{
    char rest[2 * SIGNATURE_DIGITS + 2] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";

    if (!c->has_signatures) return OK;
    const struct digest_value sum = digest_final(&c->sum);
    digest_done(&c->sum);
    hex_z(sum.bytes, sum.len, rest + SIGNATURE_DIGITS + 1);
    return check_signature(c, "AWS4-HMAC-SHA256-PAYLOAD", str_of(rest, sizeof(rest) - 1), c->claimed);
}

static struct err check_trailers(struct aws_chunked *c)
{
    char hex[SIGNATURE_DIGITS + 1];
    struct buf b;

    if (!c->has_trailer_signature) return mismatch();
    buf_init(&b, TRAILERS_MAX * (LINE_MAX_BYTES + 2));
    for (size_t i = 0; i < c->trailer_count; i++) {
        buf_str(&b, c->trailers[i].name);
        buf_char(&b, ':');
        buf_str(&b, c->trailers[i].value);
        buf_char(&b, '\n');
    }
    const struct err e = buf_err(&b);
    if (e.code == ERR_OK) {
        const struct digest_value sum = digest_of(DIGEST_SHA256, b.data ? b.data : "", b.len);
        hex_z(sum.bytes, sum.len, hex);
    }
    buf_done(&b);
    TRY(e);
    return check_signature(c, "AWS4-HMAC-SHA256-TRAILER", str_of(hex, SIGNATURE_DIGITS),
                           c->trailer_signature);
}

/* ---- lines ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_size(struct str text, uint64_t *ret)
{
    uint64_t size = 0;

    if (!text.len || text.len > CHUNK_SIZE_DIGITS_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        const int digit = hex_digit(text.data[i]);
        if (digit < 0) return false;
        size = size << 4 | (uint64_t)digit;
    }
    *ret = size;
    return size <= LIMIT_PUT_BYTES;
}

static struct err read_chunk_signature(struct aws_chunked *c, struct str extension)
{
    struct str name;
    const struct str value = str_cut(extension, '=', &name);

    if (!c->has_signatures)
        return extension.data ? bad_grammar("a chunk has a signature, in an unsigned body") : OK;
    if (!str_is(name, "chunk-signature")) return bad_grammar("a chunk has no signature");
    if (!hex_from(value, c->claimed, sizeof(c->claimed))) return mismatch();
    return digest_init(&c->sum, DIGEST_SHA256);
}

static struct err on_size_line(struct aws_chunked *c, struct str line)
{
    struct str digits, extension = STR_NONE;

    if (!str_ends(line, STR("\r"))) return bad_grammar("a chunk's line does not end in CRLF");
    line.len--;
    const struct str rest = str_cut(line, ';', &digits);
    if (digits.len < line.len) extension = rest.data ? rest : STR("");
    if (!read_size(digits, &c->chunk_left)) return bad_grammar("a chunk's size is not valid");
    if (c->decoded_length >= 0 && c->chunk_left > (uint64_t)c->decoded_length - c->decoded)
        return FAIL(ERR_INCOMPLETE_BODY, "more bytes than x-amz-decoded-content-length");
    TRY(read_chunk_signature(c, extension));
    c->state = c->chunk_left ? STATE_DATA : STATE_TRAILER;
    return c->chunk_left ? OK : check_chunk(c);
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* In lower case, in the arena; .data NULL: no memory, or not a name. */
static struct str trailer_name(struct arena *arena, struct str text)
{
    char *name = arena_z(arena, text);

    for (size_t i = 0; name && i < text.len; i++) {
        if (name[i] >= 'A' && name[i] <= 'Z') name[i] = (char)(name[i] - 'A' + 'a');
        if (!is_name_char(name[i])) return STR_NONE;
    }
    return name && text.len ? str_of(name, text.len) : STR_NONE;
}

static struct err on_trailer(struct aws_chunked *c, struct str line)
{
    struct str raw_name;
    const struct str value = str_trim(str_cut(line, ':', &raw_name));
    const struct str name = trailer_name(c->arena, str_trim(raw_name));

    if (!c->has_trailers || raw_name.len == line.len || !name.data)
        return bad_grammar("a trailer is malformed, or not to be there");
    if (c->has_signatures && str_is(name, TRAILER_SIGNATURE)) {
        if (c->has_trailer_signature) return bad_grammar("two trailer signatures");
        c->has_trailer_signature = true;
        return hex_from(value, c->trailer_signature, sizeof(c->trailer_signature)) ? OK : mismatch();
    }
    if (c->has_trailer_signature) return bad_grammar("a trailer behind the trailer's signature");
    if (aws_chunked_trailer(c, name.data).data) return bad_grammar("a trailer is given twice");
    if (c->trailer_count == TRAILERS_MAX) return bad_grammar("too many trailers");
    const struct str kept = arena_str(c->arena, value);
    if (!kept.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    c->trailers[c->trailer_count++] = (struct trailer){ name, kept };
    return OK;
}

/* Behind the last chunk. An empty line ends the trailers, but before a signature that must come it may stand too. */
static struct err on_trailer_line(struct aws_chunked *c, struct str line)
{
    if (str_ends(line, STR("\r"))) line.len--;
    if (line.len)
        return c->state == STATE_ENDED ? bad_grammar("there is more behind the last chunk")
                                       : on_trailer(c, line);
    if (++c->blank_lines > BLANK_LINES_MAX) return bad_grammar("there is more behind the last chunk");
    if (!c->has_signatures || !c->has_trailers || c->has_trailer_signature) c->state = STATE_ENDED;
    return OK;
}

static struct err on_line(struct aws_chunked *c, struct str line)
{
    switch (c->state) {
    case STATE_SIZE: return on_size_line(c, line);
    case STATE_DATA_END:
        c->state = STATE_SIZE;
        return str_is(line, "\r") ? OK : bad_grammar("a chunk is longer than its size");
    case STATE_TRAILER:
    case STATE_ENDED: return on_trailer_line(c, line);
    case STATE_DATA: break;
    }
    return FAIL(ERR_INTERNAL, "a line inside of data");
}

/* Gather a line, which may come in pieces; without its line feed it goes to on_line. */
static struct err take_line(struct aws_chunked *c, struct str *input)
{
    const size_t end = str_find_char(*input, '\n');
    const bool is_whole = end < input->len;

    if (c->line_len + end > sizeof(c->line)) return bad_grammar("a line of the body's encoding is too long");
    if (end) memcpy(c->line + c->line_len, input->data, end);
    c->line_len += end;
    *input = str_from(*input, is_whole ? end + 1 : end);
    if (!is_whole) return OK;
    const struct str line = str_of(c->line, c->line_len);
    c->line_len = 0;
    return on_line(c, line);
}

/* ---- the stream ---- */

static struct err take_data(struct aws_chunked *c, struct str *input, struct str *ret_data)
{
    const size_t len = input->len < c->chunk_left ? input->len : (size_t)c->chunk_left;
    const struct str data = str_slice(*input, 0, len);

    if (c->has_signatures) digest_update(&c->sum, data.data, data.len);
    *input = str_from(*input, len);
    c->chunk_left -= len;
    c->decoded += len;
    if (!c->chunk_left) {
        c->state = STATE_DATA_END;
        TRY(check_chunk(c));
    }
    *ret_data = data;
    return OK;
}

struct err aws_chunked_next(struct aws_chunked *c, struct str *input, struct str *ret_data)
{
    *ret_data = STR_NONE;
    while (input->len) {
        if (c->state == STATE_DATA) return take_data(c, input, ret_data);
        TRY(take_line(c, input));
    }
    return OK;
}

struct err aws_chunked_finish(struct aws_chunked *c)
{
    const bool is_last_seen = c->state == STATE_TRAILER || c->state == STATE_ENDED;

    if (!is_last_seen) return FAIL(ERR_INCOMPLETE_BODY, "the final chunk is missing");
    if (c->line_len && !(c->line_len == 1 && c->line[0] == '\r'))
        return FAIL(ERR_INCOMPLETE_BODY, "the body ends inside of a trailer");
    if (c->decoded_length >= 0 && c->decoded != (uint64_t)c->decoded_length)
        return FAIL(ERR_INCOMPLETE_BODY, "fewer bytes than x-amz-decoded-content-length");
    if (c->has_signatures && c->has_trailers) TRY(check_trailers(c));
    return OK;
}

struct str aws_chunked_trailer(const struct aws_chunked *c, const char *name)
{
    for (size_t i = 0; i < c->trailer_count; i++) {
        if (str_is(c->trailers[i].name, name)) return c->trailers[i].value;
    }
    return STR_NONE;
}
