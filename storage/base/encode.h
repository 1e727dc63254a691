/*
 * encode.h - hex, base64 and percent-encoding: bytes to text and back.
 *
 * The *_to forms append to a buf (check buf_err). The *_from forms decode strictly, and give false for anything that is not exactly
 * of the form; out has room as stated.
 */
#ifndef STORAGE_BASE_ENCODE_H
#define STORAGE_BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/buf.h"
#include "storage/base/str.h"

void hex_to(struct buf *out, struct str bytes); /* lower case */
void hex_z(const void *bytes, size_t len, char *out); /* 2 * len + 1 bytes, NUL-terminated */
bool hex_from(struct str text, void *out, size_t out_len); /* both cases; text.len must be 2 * out_len */

void base64_to(struct buf *out, struct str bytes);    /* RFC 4648 section 4, padded */
void base64url_to(struct buf *out, struct str bytes); /* section 5, without padding */
struct str base64_str(struct arena *a, struct str bytes);
/* Decode into out (room for out_size); *ret_len is the length. */
bool base64_from(struct str text, void *out, size_t out_size, size_t *ret_len);
bool base64url_from(struct str text, void *out, size_t out_size, size_t *ret_len);

/* Percent-encode all but RFC 3986 unreserved (A-Z a-z 0-9 - _ . ~) and the bytes of `keep` ("/" for a path); upper-case hex. */
void percent_to(struct buf *out, struct str bytes, const char *keep);
/* Decode %XX; with plus_is_space also '+'. False for '%' without two hex digits. out needs text.len bytes. */
bool percent_from(struct str text, bool plus_is_space, char *out, size_t *ret_len);
/* The same into an arena; .data is NULL when the text is not well formed or memory ran out. */
struct str percent_str(struct arena *a, struct str text, bool plus_is_space);

/* Escape text for XML content and attributes (& < > " '), and characters that XML 1.0 cannot hold raw as &#x..; references. */
void xml_escape_to(struct buf *out, struct str text);

/* Fixed-width numbers in rows and on disk. be: keys (byte order is number order). le: records and values. */
static inline void put_be64(void *p, uint64_t v) { v = __builtin_bswap64(v); __builtin_memcpy(p, &v, 8); }
static inline void put_be32(void *p, uint32_t v) { v = __builtin_bswap32(v); __builtin_memcpy(p, &v, 4); }
static inline uint64_t get_be64(const void *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return __builtin_bswap64(v); }
static inline uint32_t get_be32(const void *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return __builtin_bswap32(v); }
static inline void put_le64(void *p, uint64_t v) { __builtin_memcpy(p, &v, 8); }
static inline void put_le32(void *p, uint32_t v) { __builtin_memcpy(p, &v, 4); }
static inline void put_le16(void *p, uint16_t v) { __builtin_memcpy(p, &v, 2); }
static inline uint64_t get_le64(const void *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return v; }
static inline uint32_t get_le32(const void *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return v; }
static inline uint16_t get_le16(const void *p) { uint16_t v; __builtin_memcpy(&v, p, 2); return v; }

#endif
