/*
 * object_guard.c - the part of a guard that is the same for every rule.
 */
#include "storage/object/object_guard.h"

/* Each time means that the table was committed to while its files were read, or that another server's worker was faster. */
#define TRIES_MAX 16

struct err object_guard_prefetch(const struct object_guard *g, struct txn *txn, struct str bucket)
{
    return g ? g->rule->prefetch(txn, bucket) : OK;
}

struct err object_guard_ask(struct object_guard *g, struct rows *r, struct str bucket, struct str key)
{
    if (!g) return OK;
    g->is_in_doubt = false; /* a transaction may run more than once */
    return g->rule->ask(g, r, bucket, key);
}

struct err object_guard_ask_if_there(struct object_guard *g, struct rows *r, struct str bucket,
                                     struct str key)
{
    struct object_info info;

    if (!g) return OK;
    g->is_in_doubt = false;
    const struct err e = object_stat(r, bucket, key, NULL, &info);
    if (e.code == ERR_NO_SUCH_KEY) return OK;
    TRY(e);
    return object_guard_ask(g, r, bucket, key);
}

bool object_guard_again(struct object_guard *g, struct store *s, struct err *e)
{
    if (!g || e->code == ERR_OK || !g->is_in_doubt) return false;
    g->is_in_doubt = false;
    *e = FAIL(ERR_BUSY, "who needs the object is still being found out");
    if (g->tries++ == TRIES_MAX) return false;
    const struct err settled = g->rule->settle(g, s);
    if (settled.code != ERR_OK) *e = settled;
    return settled.code == ERR_OK;
}
