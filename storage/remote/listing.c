/*
 * listing.c - a reader for the XML that S3 endpoints write, and no more of XML than that: elements, text, the five entities and character references.
 *
 * Not libxml2, which belongs to the S3 door (server/s3/xml.c): the subset is small, and what is not in it (document types, CDATA, entities of one's own) is to be refused anyway. An element's text is taken when it
 * ends and had no elements in it.
 */
#include "storage/remote/listing.h"

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

enum { DEPTH_MAX = 8 };

struct reader {
    struct str rest;
    struct str names[DEPTH_MAX]; /* of the elements that are open */
    size_t depth;
    struct str text; /* raw, of the innermost */
    bool is_leaf;    /* it has had no element in it */
    bool is_over;    /* the document's own element has ended */
};

struct page {
    struct arena *arena;
    const struct remote_query *query;
    struct remote_listing listing;
    struct remote_file file;
    bool has_key, has_size, has_time; /* of the file that is being read */
    bool is_url_encoded;
};

static struct err bad(const char *what)
{
    return err_fail(ERR_CORRUPT, "the listing that the S3 endpoint answered is damaged: %s", what);
}

/* ---- text ---- */

/* "65" or "x41"; of ASCII alone: what is beyond stands in a listing as it is. */
static bool reference_code(struct str digits, uint64_t *ret)
{
    uint64_t code = 0;
    const bool is_hex = str_starts(digits, STR("x"));
    const struct str rest = str_from(digits, is_hex);

    if (!is_hex) return str_to_u64(digits, ret);
    for (size_t i = 0; i < rest.len && code < 0x80; i++) {
        uint8_t digit = 0;
        const char pair[2] = { '0', rest.data[i] };
        if (!hex_from(str_of(pair, 2), &digit, 1)) return false;
        code = code * 16 + digit;
    }
    *ret = code;
    return rest.len > 0;
}

static bool put_reference(struct buf *out, struct str name)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' } };
    uint64_t code = 0;

    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (!str_is(name, entities[i].name)) continue;
        buf_char(out, entities[i].c);
        return true;
    }
    if (!str_starts(name, STR("#")) || !reference_code(str_from(name, 1), &code)) return false;
    if (code == 0 || code > 0x7f) return false;
    buf_char(out, (char)code);
    return true;
}

static struct err put_text(struct str raw, struct buf *out)
{
    while (raw.len) {
        struct str plain, name;
        const size_t at = str_find_char(raw, '&');
        plain = str_slice(raw, 0, at);
        buf_str(out, plain);
        raw = str_from(raw, at);
        if (raw.len == 0) break;
        const size_t end = str_find_char(raw, ';');
        name = str_slice(raw, 1, end);
        if (end == raw.len || !put_reference(out, name)) return bad("an entity that XML does not have");
        raw = str_from(raw, end + 1);
    }
    return buf_err(out);
}

static struct err unescape(struct str raw, struct arena *arena, struct str *ret)
{
    struct buf out;

    buf_init(&out, LIMIT_REMOTE_LISTING);
    const struct err e = put_text(raw, &out);
    if (e.code == ERR_OK) *ret = arena_str(arena, buf_view(&out));
    buf_done(&out);
    TRY(e);
    return ret->data ? OK : no_memory();
}

/* ---- what is taken ---- */

static struct err take_key(struct page *p, struct str text)
{
    p->file.key = text;
    p->has_key = text.len > 0;
    return OK;
}

static struct err take_size(struct page *p, struct str text)
{
    p->has_size = str_to_u64(text, &p->file.size);
    return p->has_size ? OK : bad("a size that is no number");
}

static struct err take_time(struct page *p, struct str text)
{
    p->has_time = clock_parse(text, &p->file.written_ms);
    return p->has_time ? OK : bad("a time that is none");
}

static struct err take_encoding(struct page *p, struct str text)
{
    p->is_url_encoded = str_is(text, "url");
    return p->is_url_encoded || text.len == 0 ? OK : bad("an unknown EncodingType");
}

static struct err take_truncated(struct page *p, struct str text)
{
    p->listing.is_truncated = str_is(text, "true");
    return p->listing.is_truncated || str_is(text, "false") ? OK
                                                            : bad("IsTruncated is neither true nor false");
}

static const struct {
    const char *parent, *name;
    struct err (*take)(struct page *p, struct str text);
} fields[] = {
    { "Contents", "Key", take_key },
    { "Contents", "Size", take_size },
    { "Contents", "LastModified", take_time },
    { "ListBucketResult", "EncodingType", take_encoding },
    { "ListBucketResult", "IsTruncated", take_truncated },
};

static struct err take_file(struct page *p)
{
    if (!p->has_key || !p->has_size || !p->has_time) return bad("a file without key, size or time");
    if (p->listing.count == p->query->max) return bad("more files than were asked for");
    p->listing.files[p->listing.count++] = p->file;
    p->has_key = p->has_size = p->has_time = false;
    return OK;
}

/* An element has ended, which is still the innermost. */
static struct err ended(const struct reader *r, struct page *p)
{
    const struct str name = r->names[r->depth - 1];
    struct str text;

    if (r->depth == 2 && str_is(name, "Contents")) return take_file(p);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]) && r->is_leaf; i++) {
        const size_t depth = str_is(STR("Contents"), fields[i].parent) ? 3 : 2;
        if (r->depth != depth || !str_is(name, fields[i].name)) continue;
        if (!str_is(r->names[depth - 2], fields[i].parent)) continue;
        TRY(unescape(r->text, p->arena, &text));
        return fields[i].take(p, text);
    }
    return OK;
}

/* ---- elements ---- */

static struct err close_element(struct reader *r, struct page *p)
{
    TRY(ended(r, p));
    r->depth--;
    r->is_leaf = false;
    r->is_over = r->depth == 0;
    return OK;
}

static size_t name_length(struct str tag)
{
    size_t len = 0;

    while (len < tag.len && str_find_char(STR(" \t\r\n/"), tag.data[len]) == 5) len++;
    return len;
}

/* tag: what stands between < and >. */
static struct err open_element(struct reader *r, struct page *p, struct str tag)
{
    const struct str name = str_slice(tag, 0, name_length(tag));
    const bool is_empty = str_ends(tag, STR("/"));

    if (name.len == 0 || r->is_over) return bad("an element without a name, or behind the end");
    if (r->depth == 0 && !str_is(name, "ListBucketResult")) return bad("it is no ListBucketResult");
    if (r->depth == DEPTH_MAX) return bad("elements in too many elements");
    r->names[r->depth++] = name;
    r->text = STR("");
    r->is_leaf = true;
    return is_empty ? close_element(r, p) : OK;
}

static struct err take_tag(struct reader *r, struct page *p)
{
    const size_t end = str_find_char(r->rest, '>');
    const struct str tag = str_slice(r->rest, 1, end);

    if (end == r->rest.len) return bad("it ends in an element's name");
    r->rest = str_from(r->rest, end + 1);
    if (str_starts(tag, STR("?"))) return r->depth == 0 ? OK : bad("an instruction inside");
    if (str_starts(tag, STR("!"))) return bad("a document type, comment or CDATA");
    if (!str_starts(tag, STR("/"))) return open_element(r, p, tag);
    if (r->depth == 0 || !str_eq(str_from(tag, 1), r->names[r->depth - 1]))
        return bad("elements that do not match");
    return close_element(r, p);
}

static bool is_blank(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (str_find_char(STR(" \t\r\n"), s.data[i]) == 4) return false;
    }
    return true;
}

static struct err read_all(struct reader *r, struct page *p)
{
    while (r->rest.len) {
        const size_t at = str_find_char(r->rest, '<');
        r->text = str_slice(r->rest, 0, at);
        r->rest = str_from(r->rest, at);
        if (r->depth == 0 && !is_blank(r->text)) return bad("text outside of elements");
        if (r->rest.len) TRY(take_tag(r, p));
    }
    return r->is_over ? OK : bad("it ends early");
}

/* ---- the page ---- */

/* Encoded keys may stand before the element that says so. In order, so that whoever goes on behind the last comes to an end. */
static struct err finish(struct page *p)
{
    struct str before = p->query->after;

    for (size_t i = 0; i < p->listing.count; i++) {
        struct str *key = &p->listing.files[i].key;
        if (p->is_url_encoded) *key = percent_str(p->arena, *key, true);
        if (!key->data) return bad("a key that is not encoded as it says");
        if (!str_is_utf8(*key) || str_find_char(*key, '\0') < key->len) return bad("a key that is no text");
        if (key->len > LIMIT_KEY || !str_starts(*key, p->query->prefix))
            return bad("a key that was not asked for");
        if (str_cmp(before, *key) >= 0) return bad("keys that are out of order");
        before = *key;
    }
    if (p->listing.is_truncated && p->listing.count == 0) return bad("it goes on behind nothing");
    return OK;
}

struct err listing_parse(struct str body, const struct remote_query *q, struct arena *arena,
                         struct remote_listing *ret)
{
    struct reader r = { .rest = body };
    struct page p = { .arena = arena, .query = q };

    p.listing.files = arena_array(arena, struct remote_file, q->max + 1);
    if (!p.listing.files) return no_memory();
    TRY(read_all(&r, &p));
    TRY(finish(&p));
    *ret = p.listing;
    return OK;
}
