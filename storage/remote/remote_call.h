/*
 * remote_call.h - one signed call of another endpoint: what remote.c and upkeep.c share.
 */
#ifndef STORAGE_REMOTE_REMOTE_CALL_H
#define STORAGE_REMOTE_REMOTE_CALL_H

#include "storage/remote/exchange.h"
#include "storage/remote/remote.h"

#define REMOTE_ERROR_BYTES (64 * 1024) /* of an answer that is no file */

struct call {
    struct remote *remote;
    const struct remote_place *place;
    const char *method;
    struct str key;
    struct str query;  /* canonical; empty: none */
    struct str range;  /* "bytes=0-9"; empty: all */
    struct str body;
    bool is_new_only;  /* If-None-Match: * */
    size_t bytes_max;
    struct arena *arena;
    uint64_t deadline_ms; /* set by the call */
    bool was_sent;        /* out: an attempt may have been received */
    bool was_turned_away; /* out: there was no attempt, too many wait for the endpoint */
};

/* With all its attempts. OK: the answer's status is a 2xx. Else as remote.h says. */
struct err remote_call(struct call *c, struct exchange_reply *ret);
/* An error that names the endpoint and what was asked. */
struct err remote_call_failed(const struct call *c, enum err_code code, const char *why);

#endif
