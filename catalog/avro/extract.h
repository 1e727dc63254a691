/*
 * extract.h - takes the wanted fields of one record, and passes over the rest.
 */
#ifndef CATALOG_AVRO_EXTRACT_H
#define CATALOG_AVRO_EXTRACT_H

#include "catalog/avro/decode.h"
#include "catalog/avro/program.h"

/* Walk one record at the cursor, and put what is wanted into out at the offsets of the wants. ERR_CORRUPT: the record is damaged, or a
 * field that is required is null; the cursor stands about where, and out may be half filled. Work is bounded by the bytes of the
 * record, recursion by LIMIT_AVRO_DEPTH (program.h, P2). */
struct err extract_record(const struct program *p, struct cursor *c, void *out);

#endif
