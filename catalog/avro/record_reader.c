/*
 * record_reader.c - the records of an Avro container file, one after the other, of each only what is wanted.
 *
 * A block says how many records it has; every record takes at least a byte (program.h, P2), so the claim is held against the block's
 * length before the first is read, and against its end after the last.
 */
#include "catalog/avro/record_reader.h"

#include <stdlib.h>

#include "catalog/avro/extract.h"
#include "storage/base/limits.h"

#define PROGRAM_BYTES (1 * MIB) /* LIMIT_AVRO_NODES nodes and kids */

struct avro_reader {
    struct ocf *ocf;
    struct arena *arena; /* of the program */
    struct program program;
    struct ocf_block block;
    struct cursor cursor; /* in block.bytes */
    int64_t left;         /* records of the block that are still to come */
    uint64_t records;     /* of all blocks so far, this one whole */
};

static struct err compile(struct avro_reader *r, const struct want *wants, size_t want_count)
{
    struct str schema;

    if (!ocf_meta(r->ocf, "avro.schema", &schema))
        return FAIL(ERR_INVALID, "the header has no 'avro.schema'");
    return program_compile(schema, wants, want_count, r->arena, &r->program);
}

struct err avro_reader_open(struct input in, const struct want *wants, size_t want_count,
                            struct avro_reader **ret)
{
    struct ocf *ocf;

    TRY(ocf_open(in, &ocf));
    struct avro_reader *r = calloc(1, sizeof(*r));
    struct arena *arena = arena_new(PROGRAM_BYTES);
    if (!r || !arena) {
        free(r);
        arena_free(arena);
        (void)ocf_close(ocf);
        return FAIL(ERR_NO_MEMORY, "no memory to read an Avro file");
    }
    r->ocf = ocf;
    r->arena = arena;
    r->cursor = cursor_of(STR_NONE);
    const struct err e = compile(r, wants, want_count);
    if (e.code) {
        (void)avro_reader_close(r);
        return e;
    }
    *ret = r;
    return OK;
}

struct avro_reader *avro_reader_close(struct avro_reader *r)
{
    if (!r) return NULL;
    (void)ocf_close(r->ocf);
    arena_free(r->arena);
    free(r);
    return NULL;
}

bool avro_reader_meta(const struct avro_reader *r, const char *key, struct str *ret)
{
    return ocf_meta(r->ocf, key, ret);
}

struct err avro_reader_fail(const struct avro_reader *r, enum err_code code, const char *what)
{
    const char *const start = r->block.bytes.len ? r->block.bytes.data : (const char *)r->cursor.at;

    return err_fail(code, "block %llu at byte %llu, record %lld, byte %lld of the unpacked block: %s",
                    (unsigned long long)r->block.number, (unsigned long long)r->block.offset,
                    (long long)(r->block.count - r->left), (long long)((const char *)r->cursor.at - start),
                    what);
}

/* The next block that has records, once the last one is used up. */
static struct err next_block(struct avro_reader *r, bool *ret_is_end)
{
    if (r->cursor.at != r->cursor.end)
        return avro_reader_fail(r, ERR_CORRUPT, "there are bytes behind the last record");
    TRY(ocf_next(r->ocf, &r->block, ret_is_end));
    if (*ret_is_end) return OK;
    r->cursor = cursor_of(r->block.bytes);
    r->left = r->block.count;
    if ((uint64_t)r->block.count > r->block.bytes.len)
        return avro_reader_fail(r, ERR_CORRUPT, "the block is said to have more records than bytes");
    r->records += (uint64_t)r->block.count;
    if (r->records > LIMIT_AVRO_RECORDS)
        return avro_reader_fail(r, ERR_TOO_LARGE, "the file has more records than are allowed");
    return OK;
}

struct err avro_reader_next(struct avro_reader *r, void *out, bool *ret_is_end)
{
    bool is_end = false;

    while (r->left == 0 && !is_end) TRY(next_block(r, &is_end));
    if (!is_end) {
        const struct err e = extract_record(&r->program, &r->cursor, out);
        if (e.code) return avro_reader_fail(r, e.code, e.why);
        r->left--;
    }
    *ret_is_end = is_end;
    return OK;
}
