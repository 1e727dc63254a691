/*
 * record.h - the journal's bytes: segment headers, batches, records, entries. No files here; docs/FORMAT.md has the tables.
 *
 * A segment is a header of one block and then batches, each begun at a block. A batch is a header and its records, one for each
 * transaction that wrote something; a record is its entries: bodies and drops in the order they were made, then rows in key order.
 * Numbers are little endian.
 *
 * Every checksum of a batch begins with the salt of its segment, which is random: bytes left by another use of the file, or written
 * by a client into a body, are never taken for a batch.
 *
 * Reading trusts nothing: lengths are held against what is there, and whatever is not exactly of the form is refused.
 */
#ifndef STORAGE_META_RECORD_H
#define STORAGE_META_RECORD_H

#include "storage/meta/meta.h"

#define JOURNAL_BLOCK 512ull /* a batch begins at one: an unreadable sector of the batch that failed is not one of its neighbour's */
#define SEGMENT_HEADER_BYTES 64
#define BATCH_HEADER_BYTES 64
#define RECORD_HEADER_BYTES 24

struct segment_header {
    uint8_t journal_id[16]; /* of the store's journal: a file of another store is refused */
    uint64_t salt;
    uint64_t bytes; /* of the whole segment when it was made */
    uint32_t id;
};
void segment_header_encode(const struct segment_header *h, uint8_t out[SEGMENT_HEADER_BYTES]);
bool segment_header_decode(const uint8_t in[SEGMENT_HEADER_BYTES], struct segment_header *ret);

struct batch_header {
    uint64_t salt;
    uint64_t number;  /* grows by one */
    uint64_t durable; /* the highest batch known durable when this one was written */
    uint32_t segment_id;
    uint32_t bytes;   /* of the records behind the header */
    uint32_t records;
    uint32_t crc32c;  /* of the records, with the salt */
};
void batch_header_encode(const struct batch_header *h, uint8_t out[BATCH_HEADER_BYTES]);
/* False unless it is a whole header with this salt and segment id. */
bool batch_header_decode(const uint8_t in[BATCH_HEADER_BYTES], uint64_t salt, uint32_t segment_id, struct batch_header *ret);
/* The same for a header whose salt nobody knows: it is held against its own. */
bool batch_header_looks_real(const uint8_t in[BATCH_HEADER_BYTES], uint32_t segment_id);
uint32_t batch_crc(uint64_t salt, const void *records, size_t len);
/* What a batch takes in its segment: whole blocks. */
uint64_t batch_span(size_t record_bytes);

/* ---- writing a batch ---- */

/* A batch while it is gathered. It belongs to the committer. The room is taken once (batch_init). */
struct batch {
    uint8_t *data;       /* the header's place, then records */
    size_t size;         /* allocated */
    size_t len;          /* used so far, with the header */
    size_t room;         /* what may be used: the segment ends there */
    uint64_t offset;     /* where the batch will lie in its segment */
    uint32_t segment_id;
    uint32_t records;    /* ended ones */
    size_t record_start; /* of the open one */
    uint32_t bodies, rows; /* entries of the open one */
};

struct err batch_init(struct batch *b, size_t size); /* ERR_NO_MEMORY */
void batch_done(struct batch *b);
/* Begin anew: no records, to lie at offset of the segment, with room bytes there. */
void batch_clear(struct batch *b, uint32_t segment_id, uint64_t offset, uint64_t room);

/* One record: begin, entries, then end or undo. False: no room left, and nothing was appended. Bodies and drops come before rows. */
bool batch_record_begin(struct batch *b, uint64_t txn_number);
bool batch_body(struct batch *b, enum space space, struct str key, struct str body, struct place *ret);
bool batch_drop(struct batch *b, const struct place *p);
bool batch_put(struct batch *b, uint8_t space, struct str key, struct str value);
bool batch_del(struct batch *b, uint8_t space, struct str key);
void batch_record_end(struct batch *b);
void batch_record_undo(struct batch *b);

/* ---- reading a batch ---- */

enum entry_type { ENTRY_PUT = 1, ENTRY_DEL = 2, ENTRY_BODY = 3, ENTRY_DROP = 4 };

struct entry {
    enum entry_type type;
    uint8_t space;
    struct str key;     /* PUT, DEL; of BODY the row that refers to it */
    struct str value;   /* PUT; the body's bytes of BODY */
    struct place place; /* DROP */
    uint32_t crc32c;    /* BODY */
};

/* Walks the entries of all records of a batch. After the last one false; then is_bad tells whether the bytes were of the form. */
struct record_reader {
    struct str rest;        /* not read yet */
    struct str record;      /* what is left of the record's entries */
    uint64_t txn_number;    /* of the record that the last entry belongs to */
    uint64_t records;
    uint32_t bodies, rows;  /* left in this record */
    bool is_bad;
};
struct record_reader record_reader_of(struct str records);
bool record_reader_next(struct record_reader *r, struct entry *ret);
/* The same, of bodies and drops only. Quicker, for a batch that we made ourselves. */
bool record_reader_next_body(struct record_reader *r, struct entry *ret);

#endif
