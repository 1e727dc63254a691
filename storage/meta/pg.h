/*
 * pg.h - one connection to PostgreSQL: the only module that knows libpq.
 *
 * A connection is always in pipeline mode: several statements go in one round trip (pg_run), and each of a number is prepared once, on the way, when it is used
 * first. Parameters and results are binary: a bytea, text or json is its bytes, a bigint is be64. What is given lies in the session's search_path:
 * one schema.
 *
 * Errors: ERR_UNAVAILABLE when the connection is lost or cannot be made (pg_is_lost), or the server takes no writes; ERR_CONFLICT when the server chose this transaction to give
 * way (pg_must_retry: SQLSTATE 40001, 40P01); ERR_BUSY for its time-outs and limits; ERR_NO_SPACE, ERR_NO_MEMORY; ERR_INVALID for values that a column
 * does not take; ERR_IO for the rest. Texts are the server's and libpq's, which hold no passwords.
 *
 * Threads: a connection belongs to one thread at a time. Every wait has an end: LIMIT_PG_ANSWER_MS, or what pg_answer_within says.
 */
#ifndef STORAGE_META_PG_H
#define STORAGE_META_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

struct pg;
struct pg_answer; /* of one statement */

#define PG_STATEMENTS 2048 /* numbers of prepared statements: 1 and up */
#define PG_RUN_MAX 128     /* statements of one round trip: two a space and a few more */

struct pg_query {
    unsigned number; /* 0: not prepared */
    const char *sql; /* one statement; always the same for a number */
    const struct str *params;
    size_t count;
};

/* Connect by a URI or keyword string, which may name several hosts (the first that takes writes is taken); set the session up. ERR_INVALID if the string is none. */
struct err pg_connect(const char *store, const char *schema, struct pg **ret);
struct pg *pg_disconnect(struct pg *pg); /* NULL is fine; returns NULL */
void pg_disconnectp(struct pg **pg);     /* for CLEANUP(pg_disconnectp) */

/* A round trip that takes longer is given up: the connection is lost. */
void pg_answer_within(struct pg *pg, uint64_t ms);

bool pg_is_lost(const struct pg *pg);       /* it can only be disconnected */
bool pg_must_retry(const struct pg *pg);    /* the last failure was a conflict of transactions */
const char *pg_sqlstate(const struct pg *pg); /* of the last failure; "" when it was not the server's */

/* Send them all, wait for all answers. One that fails takes those behind it along, and its error is returned; then there are no answers. ret_answers: count of them, each to be freed;
 * or NULL. */
struct err pg_run(struct pg *pg, const struct pg_query *queries, size_t count, struct pg_answer **ret_answers);
/* One statement, not prepared, and its answer. */
struct err pg_ask(struct pg *pg, const char *sql, const struct str *params, size_t count, struct pg_answer **ret);
/* One statement without parameters, not prepared, without an answer. */
struct err pg_command(struct pg *pg, const char *sql);
/* The same without waiting for the outcome: the next pg_run does, and ignores it. */
void pg_post(struct pg *pg, const char *sql);

size_t pg_answer_rows(const struct pg_answer *a);
struct str pg_answer_str(const struct pg_answer *a, size_t row, int column); /* empty for NULL; valid until it is freed */
bool pg_answer_is_null(const struct pg_answer *a, size_t row, int column);
bool pg_answer_is(const struct pg_answer *a, const char *tag); /* the command's tag, "COMMIT" */
struct pg_answer *pg_answer_free(struct pg_answer *a);         /* NULL is fine; returns NULL */

/* ---- faults, for tests ---- */

enum pg_fault {
    PG_FAULT_BEFORE, /* the connection is lost before anything is sent */
    PG_FAULT_AFTER,  /* it is lost after the server has done it all, and before anybody here knows */
};
/* Lose the connection of the nth pg_run (from 0), in any thread. */
void pg_fault_arm(uint64_t nth, enum pg_fault how);
bool pg_fault_disarm(void); /* did it strike? */

#endif
