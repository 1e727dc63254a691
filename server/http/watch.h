/*
 * watch.h - what the events of the watch thread's epoll set stand for.
 */
#ifndef SERVER_HTTP_WATCH_H
#define SERVER_HTTP_WATCH_H

#include <stddef.h>
#include <stdint.h>

enum watch_kind { WATCH_WAKE, WATCH_LISTENER, WATCH_LINGER };

static inline uint64_t watch_tag(enum watch_kind kind, size_t index)
{
    return (uint64_t)kind << 32 | (uint64_t)index;
}

#endif
