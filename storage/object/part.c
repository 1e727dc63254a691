/*
 * part.c - the parts of an upload: putting one, listing them.
 *
 * A part is a row with its body, small ones in the journal and larger ones in volumes, there under the upload's id as referrer: the
 * finished object will have that id as its uid, so Complete has no reference to move. A part that is put again replaces what was there in
 * the same transaction, so at every moment a number has one part, and that is whole.
 */
#include "storage/object/multipart.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/upload_row.h"

static const char *kind_name(enum digest_kind kind)
{
    static const char *const names[DIGEST_KIND_COUNT] = {
        [DIGEST_NONE] = "null",           [DIGEST_MD5] = "md5",     [DIGEST_SHA1] = "sha1",
        [DIGEST_SHA256] = "sha256",       [DIGEST_CRC32] = "crc32", [DIGEST_CRC32C] = "crc32c",
        [DIGEST_CRC64NVME] = "crc64nvme",
    };
    return names[kind];
}

/* The checksum that the row gets. What the client sent was held against the bytes as they came in; without a value it is the writer's. An
 * upload with an algorithm of its own takes no other: Complete could not put them together. */
static struct err part_checksum(const struct part_put *p, enum digest_kind wanted,
                                struct object_checksum *ret)
{
    struct object_checksum sum = p->checksum;

    if (sum.kind == DIGEST_NONE && p->body) sum.kind = body_writer_checksum_kind(p->body);
    else if (sum.kind == DIGEST_NONE) sum.kind = wanted != DIGEST_NONE ? wanted : DIGEST_CRC64NVME;
    if (wanted != DIGEST_NONE && sum.kind != wanted)
        return err_fail(
            ERR_INVALID_REQUEST,
            "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
            kind_name(wanted), kind_name(p->checksum.kind));
    if (p->checksum.kind == DIGEST_NONE || sum.value.len == 0)
        sum.value = p->body ? body_writer_checksum(p->body) : digest_of(sum.kind, "", 0);
    sum.type = CHECKSUM_FULL_OBJECT;
    *ret = sum;
    return OK;
}

struct err part_put_fn(struct txn *txn, void *arg)
{
    struct part_put *p = arg;
    struct upload_row upload;
    struct part_row old,
        part = { .size = p->body ? body_writer_size(p->body) : 0, .mtime_ms = clock_now_ms() };
    uint8_t key[PART_KEY_BYTES];

    if (p->number < 1 || p->number > LIMIT_PARTS)
        return FAIL(ERR_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
    TRY(upload_find_open(txn, p->bucket, p->key, p->upload, &upload));
    TRY(part_checksum(p, upload.checksum, &part.checksum));

    const struct digest_value md5 = p->body ? body_writer_md5(p->body) : digest_of(DIGEST_MD5, "", 0);
    memcpy(part.md5, md5.bytes, sizeof(part.md5));

    const struct err e = part_find(txn_rows(txn), p->upload, p->number, &old);
    if (e.code == ERR_OK) TRY(part_body_drop(txn, p->upload, &old));
    else if (e.code != ERR_NOT_FOUND) return e;

    TRY(body_writer_publish(txn, p->body, p->upload, SPACE_PARTS, part_row_key(p->upload, p->number, key),
                            &part.body));
    TRY(part_row_put(txn, p->upload, p->number, &part));

    memcpy(p->ret_md5, part.md5, sizeof(p->ret_md5));
    p->ret_mtime_ms = part.mtime_ms;
    return OK;
}

/* ---- listing ---- */

static void part_tell(uint32_t number, const struct part_row *row, struct part_info *ret)
{
    *ret = (struct part_info){
        .number = number,
        .size = row->size,
        .mtime_ms = row->mtime_ms,
        .checksum = row->checksum,
    };
    memcpy(ret->md5, row->md5, sizeof(ret->md5));
}

/* Up to max rows go to the page; one more only says that there is one. */
static struct err read_page(struct rows_scan *scan, struct uid id, uint32_t max, struct part_page *page)
{
    const struct str prefix = str_of(id.bytes, sizeof(id.bytes));
    struct str key, value;

    while (rows_scan_next(scan, &key, &value) && str_starts(key, prefix)) {
        struct part_row row;
        uint32_t number;

        if (page->count == max) {
            page->is_truncated = true;
            break;
        }
        TRY(part_row_key_parse(key, &number));
        TRY(part_row_decode(value, &row));
        part_tell(number, &row, &page->parts[page->count++]);
        page->next_marker = number;
    }
    return scan->err;
}

struct err upload_list_parts(struct store *s, struct str bucket, struct str key, struct uid id,
                             uint32_t after, uint32_t max, struct arena *arena, struct part_page *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct part_page page = { .next_marker = after };
    struct upload_place place;
    struct upload_row upload;
    uint8_t from[PART_KEY_BYTES];
    struct rows_scan scan;

    TRY(view_open(s->meta, &view));
    TRY(upload_find(view, bucket, key, id, &place, &upload));
    if (max > LIMIT_PAGE) max = LIMIT_PAGE;
    page.parts = arena_array(arena, struct part_info, max ? max : 1);
    if (!page.parts) return FAIL(ERR_NO_MEMORY, "no memory for a list of parts");

    if (max && after < LIMIT_PARTS) {
        rows_scan_begin(&scan, view, SPACE_PARTS, part_row_key(id, after + 1, from), false);
        const struct err e = read_page(&scan, id, max, &page);
        rows_scan_done(&scan);
        TRY(e);
    }
    *ret = page;
    return OK;
}
