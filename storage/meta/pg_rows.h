/*
 * pg_rows.h - rows of PostgreSQL as a `struct rows`: what one transaction there (one snapshot) holds.
 *
 * What was read is kept for as long as the snapshot, so a row costs one round trip however often it is read, and strings stay valid. The absence of a row is
 * kept too. A scan is fetched in chunks that grow, and is not kept.
 *
 * Probing: the committer runs a transaction once to see what it reads, in order to fetch that for a whole batch at once. In that mode a row that is not known yet is not
 * fetched but noted as wanted, and the caller gets an error; pg_reader_fetch_wanted fetches all that is wanted.
 *
 * Threads: a reader belongs to one at a time.
 */
#ifndef STORAGE_META_PG_ROWS_H
#define STORAGE_META_PG_ROWS_H

#include "storage/meta/memtable.h"
#include "storage/meta/pg.h"
#include "storage/meta/rows.h"

/* Numbers of statements: one of each kind for each space. */
enum pg_kind { PG_GET, PG_GET_MANY, PG_FORWARD, PG_BACKWARD, PG_PUT, PG_DELETE, PG_KIND_COUNT };
#define PG_NUMBER(kind_, space_) (1 + (unsigned)(kind_) * 256 + (unsigned)(space_))

/* The table of a space, "rows_objects"; NULL for none. */
const char *pg_table(enum space space);
/* Are its values JSON? Then the column is of the type json, which keeps the text as it is. */
bool pg_is_json(enum space space);

struct pg_reader {
    struct rows rows; /* first */
    struct pg *pg;    /* in a transaction; NULL: none yet */
    struct memtable *known;
    struct err failed; /* the first failure of PostgreSQL */
    bool is_probing, has_missed;
    struct memtable *wanted; /* keys, as rows without values */
};

struct err pg_reader_init(struct pg_reader *r); /* ERR_NO_MEMORY */
void pg_reader_done(struct pg_reader *r);
/* A new snapshot: nothing is known. */
void pg_reader_begin(struct pg_reader *r, struct pg *pg);

/* Fetch all that is wanted in one round trip, behind `before`, which are run first. ret_before: their answers, or NULL. */
struct err pg_reader_fetch_wanted(struct pg_reader *r, const struct pg_query *before, size_t count, struct pg_answer **ret_before);
/* Note a row as wanted, if it is not known. */
struct err pg_reader_want(struct pg_reader *r, enum space space, struct str key);

/* ---- arrays ---- */

/* The binary form of a one-dimensional array is a header, then the elements; the header is filled in at the end. */
enum pg_type { PG_INT8 = 20, PG_BYTEA = 17, PG_JSON = 114 };
struct pg_array {
    struct buf bytes;
    uint32_t count;
    enum pg_type type;
};
void pg_array_init(struct pg_array *a, enum pg_type type);
void pg_array_add(struct pg_array *a, struct str element);
void pg_array_add_u64(struct pg_array *a, uint64_t element);
struct str pg_array_end(struct pg_array *a); /* valid until pg_array_done; look at buf_err(&a->bytes) */
void pg_array_done(struct pg_array *a);

#endif
