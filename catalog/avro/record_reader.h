/*
 * record_reader.h - the records of an Avro container file, one after the other, of each only what is wanted.
 *
 * ocf.h and program.h put together. Nothing is allocated for a record: a string is a view into the block.
 * Memory: at most twice LIMIT_AVRO_BLOCK, LIMIT_AVRO_HEADER, and the program (some 100 KiB at most). Time is bounded by
 * LIMIT_AVRO_PLAIN and LIMIT_AVRO_RECORDS.
 * Errors name the block, its place in the file, the record in it and the byte in the unpacked block.
 */
#ifndef CATALOG_AVRO_RECORD_READER_H
#define CATALOG_AVRO_RECORD_READER_H

#include "catalog/avro/ocf.h"
#include "catalog/avro/program.h"

struct avro_reader;

/* Read the header and compile. The input becomes the reader's, also on failure; wants outlives it. Errors: as ocf_open and program_compile. */
struct err avro_reader_open(struct input in, const struct want *wants, size_t want_count, struct avro_reader **ret);
struct avro_reader *avro_reader_close(struct avro_reader *r); /* NULL is fine; returns NULL */

/* As ocf_meta. */
bool avro_reader_meta(const struct avro_reader *r, const char *key, struct str *ret);

/* Fill the wanted fields of out, where they are there, from the next record. OK with *ret_is_end at the end. After an error: closed is
 * all that it can be. */
struct err avro_reader_next(struct avro_reader *r, void *out, bool *ret_is_end);

/* An error about the last record: `what`, and where it is. */
struct err avro_reader_fail(const struct avro_reader *r, enum err_code code, const char *what);

#endif
