/*
 * buf.h - bytes that grow, with a ceiling.
 *
 * Appending never fails at the call: a buf that reached its ceiling or found no memory is marked, takes nothing more, and says so
 * once in buf_err. So printers append without looking and check at the end. Held by value; buf_done frees.
 */
#ifndef STORAGE_BASE_BUF_H
#define STORAGE_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

struct buf {
    char *data;       /* NULL while nothing was appended */
    size_t len;
    size_t size;      /* allocated */
    size_t bytes_max;
    bool is_failed;   /* by the ceiling or for want of memory */
    bool is_too_large;
};

void buf_init(struct buf *b, size_t bytes_max);
void buf_done(struct buf *b); /* frees; usable again after buf_init */
void buf_clear(struct buf *b); /* length 0 and not failed; keeps the memory */

void buf_append(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, struct str s);
void buf_z(struct buf *b, const char *z);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t value); /* decimal */
void buf_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make room for len more bytes and return where they go (their content is the caller's to fill, buf.len has grown); NULL if
 * marked failed. */
char *buf_extend(struct buf *b, size_t len);
bool buf_reserve(struct buf *b, size_t len); /* so that the next len bytes cannot fail */

struct str buf_view(const struct buf *b); /* valid until the next append */

/* OK, ERR_TOO_LARGE (ceiling) or ERR_NO_MEMORY. */
struct err buf_err(const struct buf *b);

/* The bytes, which are now the caller's to free(); the buf is empty. */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
