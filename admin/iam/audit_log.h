/*
 * audit_log.h - what was refused, and what only read: gathered in memory, written behind.
 *
 * A flood of refused requests must not become a flood of rows, of flushes, or of memory. So events that are alike (principal, operation, object, outcome, status) are
 * one with a count, at most LIMIT_AUDIT_EVENTS are kept between two writings, and all of them are written in one transaction; what did not fit is counted, and the count is written. What was asked for is anybody's to
 * choose, also a stranger's: so when half of the room is taken, new kinds are told without it (object and catalog are "*"), and who asks for many names crowds out names alone, not what others did. A crash loses at
 * most what was gathered since the last writing, a second ago; changes are never here (catalog/commit/audit.h).
 *
 * Threads: any.
 */
#ifndef ADMIN_IAM_AUDIT_LOG_H
#define ADMIN_IAM_AUDIT_LOG_H

#include "catalog/commit/audit.h"

#define LIMIT_AUDIT_EVENTS 256 /* kinds of events between two writings: a transaction's worth, and 200 KiB */

struct audit_log;

struct err audit_log_new(struct store *s, struct audit_log **ret);
struct audit_log *audit_log_free(struct audit_log *log); /* without writing; NULL is fine; returns NULL */

/* Gather one. Strings are copied, and cut where they are too long. Never waits, never fails. log NULL: nothing is kept. */
void audit_log_add(struct audit_log *log, const struct audit_event *event);

/* Write what was gathered: in the background, and at a stop. Waits. When it fails the events are counted as not recorded. */
struct err audit_log_flush(struct audit_log *log);

/* ---- reading ---- */

struct audit_query {
    int64_t from_ms, to_ms;      /* events with from <= time < to */
    struct str principal, operation, object, outcome, catalog; /* empty: any. object: the beginning of it */
    struct str token;            /* of the page before; empty: from the newest */
    size_t size;                 /* events of a page */
};
/* Newest first. *ret_events: an array of rows, the caller's. *ret_token: where the next page begins, in the arena; empty at the end. A page may be short, or empty, and have a next one: a page
 * visits a bounded number of rows. ERR_INVALID: the token is none. */
struct err audit_read(struct store *s, const struct audit_query *q, struct arena *arena, json_t **ret_events, struct str *ret_token);

/* ---- retention ---- */

struct audit_retention {
    int64_t age_ms;       /* older rows go; 0: never */
    uint64_t bytes_max;   /* of all rows, keys and values; the oldest go above it; 0: no limit */
};
/* Where the work is between its steps. Zeroed: at the beginning. */
struct audit_sweep {
    uint8_t key[24];
    bool has_key, is_counted;
    uint64_t bytes;
};
/* Count some rows, or delete some. *ret_more: there is more to do now. Background work calls it. */
struct err audit_sweep_step(struct store *s, struct audit_sweep *sweep, const struct audit_retention *r, bool *ret_more);

#endif
