/*
 * input.h - the bytes of a file, from the front to the end, a window at a time.
 *
 * Where the bytes are is one of two: in memory as a whole, or behind a function that reads a range (object_read of
 * storage/object/object_get.h has its form), of which then only the window in use is in memory. The length is known from the start,
 * so a claim of the file about itself is held against what is really there before anything is allocated for it.
 *
 * Held by value; until something is taken there is nothing to free. One thread at a time.
 */
#ifndef CATALOG_AVRO_INPUT_H
#define CATALOG_AVRO_INPUT_H

#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

/* Exactly len bytes from offset into out, or an error, which reaches the caller unchanged. */
typedef struct err (*input_read_fn)(void *arg, uint64_t offset, void *out, size_t len);

struct input {
    struct str bytes;   /* the whole, if read is NULL */
    input_read_fn read;
    void *arg;
    uint64_t len;       /* of the whole */
    uint64_t at;        /* taken so far */
    uint8_t *window;    /* of a read one: bytes [window_at, window_at + window_len) */
    uint64_t window_at;
    size_t window_len, window_size;
};

struct input input_of_bytes(struct str bytes); /* which stay the caller's, and outlive the input */
struct input input_of_reader(input_read_fn read, void *arg, uint64_t len);

uint64_t input_left(const struct input *in);

/* The next len bytes in one piece, valid until the next take. ERR_CORRUPT if the file has fewer, ERR_NO_MEMORY, and what read gives.
 * The caller bounds len: so much memory may be taken. `what` names them in the error ("the header"). */
struct err input_take(struct input *in, size_t len, const char *what, struct str *ret);

void input_done(struct input *in); /* the window; once more is fine */

#endif
