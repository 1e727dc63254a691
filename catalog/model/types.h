/*
 * types.h - Iceberg's types: which there are, since which format version, and which may become which.
 *
 * Source: format/spec.md, "Schemas and Data Types", "Schema Evolution".
 */
#ifndef CATALOG_MODEL_TYPES_H
#define CATALOG_MODEL_TYPES_H

#include "storage/base/json.h"

enum { FORMAT_VERSION_MAX = 3 };

enum type_kind { TYPE_PRIMITIVE, TYPE_STRUCT, TYPE_LIST, TYPE_MAP };

/* What a field's `type` says: a string (primitive) or an object. ERR_INVALID. */
struct err type_kind_of(const json_t *type, enum type_kind *ret);

/* Is this the name of a primitive type? *ret_min_version: the first format version that has it. */
bool primitive_known(struct str name, int *ret_min_version);

/* May a column of type `from` become `to` (both primitive names; equal counts)? (spec.md, "Schema Evolution": int -> long, float -> double,
 * decimal(P, S) -> decimal(P', S) with P' > P; from version 3 on unknown -> any, date -> timestamp, timestamp_ns.) */
bool primitive_promotes(struct str from, struct str to, int format_version);

/* May it be an identifier field (not float or double)? */
bool primitive_can_identify(struct str name);

#endif
