/*
 * copy_source.c - see copy_source.h.
 *
 * A copy reads its source in a view and publishes later. What lies between is settled by the uid: every write of a key gives a new one, so a source
 * with the same uid has the same bytes.
 */
#include "storage/object/copy_source.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/upload_row.h"

#define STEP_BYTES (1 * MIB)

struct err copy_source_stat(const struct copy_source *s, struct rows *r, struct arena *arena,
                            struct object_info *ret)
{
    TRY(object_stat(r, s->bucket, s->key, arena, ret));
    const struct err e = conditions_read(s->conditions, ret);
    return e.code == ERR_NOT_MODIFIED ? FAIL(ERR_PRECONDITION, err_text(ERR_PRECONDITION)) : e;
}

struct err copy_source_is_still(const struct copy_source *s, struct txn *txn, struct uid uid, bool *ret)
{
    struct object_info now;

    const struct err e = object_stat(txn_rows(txn), s->bucket, s->key, NULL, &now);
    if (e.code != ERR_OK && e.code != ERR_NO_SUCH_KEY && e.code != ERR_NO_SUCH_BUCKET) return e;
    *ret = e.code == ERR_OK && uid_eq(now.uid, uid);
    return OK;
}

struct err copy_source_read(struct object_reader *reader, uint64_t offset, uint64_t len,
                            struct err (*fn)(void *arg, struct str piece), void *arg)
{
    const uint64_t end = offset + len;
    char *block = malloc(len < STEP_BYTES ? len + 1 : STEP_BYTES);
    struct err e = OK;

    if (!block) return FAIL(ERR_NO_MEMORY, "no memory to copy a body");
    for (uint64_t at = offset; at < end && e.code == ERR_OK;) {
        const size_t step = end - at < STEP_BYTES ? (size_t)(end - at) : STEP_BYTES;
        e = object_read(reader, at, block, step);
        if (e.code == ERR_OK) e = fn(arg, str_of(block, step));
        at += step;
    }
    free(block);
    return e;
}

struct two_digests {
    struct digest md5, checksum;
    bool has_md5, has_checksum;
};

static struct err feed(void *arg, struct str piece)
{
    struct two_digests *d = arg;

    if (d->has_md5) digest_update(&d->md5, piece.data, piece.len);
    if (d->has_checksum) digest_update(&d->checksum, piece.data, piece.len);
    return OK;
}

static void digests_done(struct two_digests *d)
{
    digest_done(&d->md5);
    digest_done(&d->checksum);
}

struct err copy_source_sums(struct object_reader *reader, uint64_t len, uint8_t *ret_md5,
                            enum digest_kind kind, struct digest_value *ret_checksum)
{
    CLEANUP(digests_done)
    struct two_digests d = { .has_md5 = ret_md5 != NULL, .has_checksum = kind != DIGEST_NONE };

    if (d.has_md5) TRY(digest_init(&d.md5, DIGEST_MD5));
    if (d.has_checksum) TRY(digest_init(&d.checksum, kind));
    TRY(copy_source_read(reader, 0, len, feed, &d));
    if (ret_md5) memcpy(ret_md5, digest_final(&d.md5).bytes, 16);
    if (kind != DIGEST_NONE) *ret_checksum = digest_final(&d.checksum);
    return OK;
}
