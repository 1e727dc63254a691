/*
 * input.c - the bytes of a file, from the front to the end, a window at a time.
 *
 * A read one fills its window with at least WINDOW bytes, so that small takes do not become small reads, and moves what was not taken
 * yet to the front. The window grows to what is asked for, which input_take has held against the length of the file by then.
 */
#include "catalog/avro/input.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW ((size_t)64 * 1024)

struct input input_of_bytes(struct str bytes)
{
    return (struct input){ .bytes = bytes, .len = bytes.len };
}

struct input input_of_reader(input_read_fn read, void *arg, uint64_t len)
{
    return (struct input){ .read = read, .arg = arg, .len = len };
}

uint64_t input_left(const struct input *in)
{
    return in->len - in->at;
}

/* The bytes of the window that were not taken yet go to its front; room for size bytes. */
static struct err window_move(struct input *in, size_t size)
{
    const size_t taken = (size_t)(in->at - in->window_at), kept = in->window_len - taken;

    if (kept && taken) memmove(in->window, in->window + taken, kept);
    in->window_at = in->at;
    in->window_len = kept;
    if (size <= in->window_size) return OK;
    uint8_t *window = realloc(in->window, size);
    if (!window) return FAIL(ERR_NO_MEMORY, "no memory to read an Avro file");
    in->window = window;
    in->window_size = size;
    return OK;
}

/* At least len bytes from `at` are in the window. */
static struct err window_fill(struct input *in, size_t len)
{
    const size_t more = len > WINDOW ? len : WINDOW;
    const size_t size = more < input_left(in) ? more : (size_t)input_left(in);

    if (in->window_at + in->window_len - in->at >= len) return OK;
    TRY(window_move(in, size));
    TRY(in->read(in->arg, in->window_at + in->window_len, in->window + in->window_len,
                 size - in->window_len));
    in->window_len = size;
    return OK;
}

struct err input_take(struct input *in, size_t len, const char *what, struct str *ret)
{
    if (len > input_left(in))
        return err_fail(ERR_CORRUPT, "the file ends inside %s: byte %llu of %llu, %zu more were to come",
                        what, (unsigned long long)in->at, (unsigned long long)in->len, len);
    if (len == 0) {
        *ret = STR_NONE;
        return OK;
    }
    if (in->read) {
        TRY(window_fill(in, len));
        *ret = str_of(in->window + (in->at - in->window_at), len);
    } else {
        *ret = str_of(in->bytes.data + in->at, len);
    }
    in->at += len;
    return OK;
}

void input_done(struct input *in)
{
    free(in->window);
    in->window = NULL;
    in->window_len = in->window_size = 0;
    in->window_at = in->at;
}
