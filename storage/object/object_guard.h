/*
 * object_guard.h - asking somebody else before what lies at a key goes: deleted, or replaced by another object.
 *
 * The store knows nothing of tables. Who does gives a rule (catalog/refs/live_guard.h), and the requests of clients carry a guard with it; what carries none goes unasked: the
 * server's own maintenance has asked its own questions.
 *
 * The rule is asked inside the transaction that takes the object away, and only about an object that is there, so it decides on the rows of that very moment. There it may not wait: when the
 * rows do not say enough it leaves a doubt, and the transaction is refused. A worker then settles the doubt and runs the transaction again.
 *
 * Threads: a guard belongs to one request; a rule is shared and does not change.
 */
#ifndef STORAGE_OBJECT_OBJECT_GUARD_H
#define STORAGE_OBJECT_OBJECT_GUARD_H

#include "storage/object/object.h"

struct object_guard;

struct object_guard_rule {
    /* What `ask` is going to read first, so that it costs no round trip of its own. */
    struct err (*prefetch)(struct txn *txn, struct str bucket);
    /* In a transaction or a view. OK: it may go. ERR_IN_USE: it may not, and why says who needs it. ERR_BUSY with g->is_in_doubt: not known yet. */
    struct err (*ask)(struct object_guard *g, struct rows *r, struct str bucket, struct str key);
    /* Find out what g->doubt is about. Waits. OK also when somebody else is at it: ask again. */
    struct err (*settle)(struct object_guard *g, struct store *s);
};

#define OBJECT_DOUBT_SIZE 40

struct object_guard {
    const struct object_guard_rule *rule;
    unsigned tries;                /* how often a doubt was settled for this transaction */
    bool is_in_doubt;              /* out, of the last asking */
    char doubt[OBJECT_DOUBT_SIZE]; /* out: the rule's own word for what it is about */
};

/* g NULL, here and below: OK, nobody is asked. */
struct err object_guard_prefetch(const struct object_guard *g, struct txn *txn, struct str bucket);
/* The object is there. */
struct err object_guard_ask(struct object_guard *g, struct rows *r, struct str bucket, struct str key);
/* Whether it is there is not known to the caller: nothing goes when it is not. */
struct err object_guard_ask_if_there(struct object_guard *g, struct rows *r, struct str bucket, struct str key);

/* *e is how a transaction ended that asked g. True: it ended in a doubt, which is settled now; run it again (*e is ERR_BUSY, for who does
 * not). Else *e is the answer: ERR_BUSY when the doubt comes back again and again. Waits. */
bool object_guard_again(struct object_guard *g, struct store *s, struct err *e);

#endif
