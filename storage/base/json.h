/*
 * json.h - jansson with checked getters and bounded parsing.
 *
 * json_t is a plain data type in catalog/, admin/ and server/; they get it through this header. Getters name the field in their
 * error, so that a client is told what is wrong. Strings returned are views into the tree.
 */
#ifndef STORAGE_BASE_JSON_H
#define STORAGE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

/* Parse a whole text. Refuses (ERR_INVALID, with line and column): duplicate keys, trailing text, nesting deeper than
 * LIMIT_JSON_DEPTH, invalid UTF-8 and lone surrogates, numbers out of range. ERR_TOO_LARGE above LIMIT_JSON_BYTES. NUL in strings is allowed.
 * On success *ret is the caller's to json_decref. Integers keep 64 bits and members keep their order. */
struct err json_parse(struct str text, json_t **ret);

/* Print compact, members in their order; integers exactly, reals with 17 digits. */
struct err json_print(const json_t *value, struct buf *out);

void json_freep(json_t **value); /* for CLEANUP(json_freep): json_decref */

/* Member getters. `field` is a C string. need_*: ERR_INVALID if it is missing, null or of another type ("field 'x' is missing",
 * "field 'x' must be a string"). want_*: a missing or null field leaves *ret as it was and is OK; another type is ERR_INVALID. */
struct err json_need_str(const json_t *obj, const char *field, struct str *ret);
struct err json_want_str(const json_t *obj, const char *field, struct str *ret);
struct err json_need_i64(const json_t *obj, const char *field, int64_t *ret);
struct err json_want_i64(const json_t *obj, const char *field, int64_t *ret);
struct err json_need_bool(const json_t *obj, const char *field, bool *ret);
struct err json_want_bool(const json_t *obj, const char *field, bool *ret);
struct err json_need_array(const json_t *obj, const char *field, json_t **ret); /* borrowed */
struct err json_want_array(const json_t *obj, const char *field, json_t **ret);
struct err json_need_object(const json_t *obj, const char *field, json_t **ret);
struct err json_want_object(const json_t *obj, const char *field, json_t **ret);

/* ERR_INVALID: a value of the object is no string; it is named. */
struct err json_check_properties(const json_t *properties);

/* The text of a string value; empty for anything else. */
struct str json_str(const json_t *value);

/* A new string value of any UTF-8 bytes; NULL for want of memory or invalid UTF-8. */
json_t *json_of_str(struct str s);

#endif
