/*
 * exchange.h - one HTTP request and its answer, over connections that are kept: the only file of the server that knows libcurl.
 *
 * Nothing is followed or guessed: no redirects, no proxies, http and https alone, certificates are checked. It blocks, so it is for workers and background threads, never for HTTP threads.
 */
#ifndef STORAGE_REMOTE_EXCHANGE_H
#define STORAGE_REMOTE_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"

struct exchanges; /* a pool of idle handles, each with its connections */

/* ERR_NO_MEMORY; ERR_INTERNAL: libcurl does not start. */
struct err exchanges_new(struct exchanges **ret);
struct exchanges *exchanges_free(struct exchanges *x); /* none runs; NULL is fine; returns NULL */

enum { EXCHANGE_HEADERS_MAX = 16 };
struct exchange {
    const char *method;
    struct str url;
    struct str headers[EXCHANGE_HEADERS_MAX]; /* "Name: value" each; those with data NULL are left out */
    struct str body;       /* sent with PUT and POST */
    uint64_t timeout_ms;   /* of all of it */
    uint64_t bytes_max;    /* of the answer's body */
};

struct exchange_reply {
    int status;
    struct str body; /* in the arena, like the rest */
    struct str date, last_modified, content_length, content_range; /* header fields; empty: none, or it stood there twice */
};

/* ERR_UNAVAILABLE: no whole answer came; *ret_was_sent says whether the request may have been received all the same. ERR_TOO_LARGE: the body passed bytes_max; one that does with a status other than 2xx is left out instead. The texts name neither headers nor body. */
struct err exchange_run(struct exchanges *x, const struct exchange *e, struct arena *arena, struct exchange_reply *ret, bool *ret_was_sent);

#endif
