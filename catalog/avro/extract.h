/*
 * extract.h - takes the wanted fields of one record, and passes over the rest.
 */
#ifndef CATALOG_AVRO_EXTRACT_H
#define CATALOG_AVRO_EXTRACT_H

#include "catalog/avro/decode.h"
#include "catalog/avro/program.h"

/* Walk one record at the cursor, and put what is wanted into out at the offsets of the wants. False: the record is damaged, the cursor says
 * why, and stands about where; out may be half filled. Work is bounded by the bytes of the record, recursion by LIMIT_AVRO_DEPTH
 * (program.h, P2). */
bool extract_record(const struct program *p, struct cursor *c, void *out);

#endif
