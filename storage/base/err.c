/*
 * err.c - codes, their names, and the ring of texts.
 *
 * Texts made at run time need an owner, and an error passes through many hands that should not have to free it. So each thread
 * has a ring of texts; an error is answered, logged or dropped long before its thread has made a whole ring of others.
 * Not the heap: an error for want of memory must be made too.
 */
#include "storage/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RING_TEXTS 16
#define TEXT_SIZE 512

static const struct {
    const char *name, *text;
} codes[ERR_CODE_COUNT] = {
    [ERR_OK] = { "OK", "no error" },
#define ERR(name_, text_) [ERR_##name_] = { #name_, text_ },
#include "storage/base/err.def"
#undef ERR
};

static _Thread_local char ring[RING_TEXTS][TEXT_SIZE];
static _Thread_local unsigned ring_next;

static char *ring_take(void)
{
    return ring[ring_next++ % RING_TEXTS];
}

const char *err_format(const char *format, ...)
{
    char *text = ring_take();
    va_list args;

    va_start(args, format);
    vsnprintf(text, TEXT_SIZE, format, args);
    va_end(args);
    return text;
}

const char *err_format_errno(int errno_value, const char *format, ...)
{
    char *text = ring_take();
    const char *reason = strerrordesc_np(errno_value);
    va_list args;

    va_start(args, format);
    const int len = vsnprintf(text, TEXT_SIZE, format, args);
    va_end(args);
    if (len < 0 || len >= TEXT_SIZE) return text;

    char *end = text + len;
    const size_t room = TEXT_SIZE - (size_t)len;
    if (reason) snprintf(end, room, ": %s", reason);
    else snprintf(end, room, ": error %d", errno_value);
    return text;
}

struct err err_keep(struct err e, char *buf, size_t size)
{
    if (e.code == ERR_OK || size == 0) return e;

    const char *why = e.why ? e.why : err_text(e.code);
    const size_t len = strnlen(why, size - 1);
    memmove(buf, why, len);
    buf[len] = '\0';
    return FAIL(e.code, buf);
}

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT ? codes[code].name : "UNKNOWN";
}

const char *err_text(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT ? codes[code].text : "unknown error";
}
