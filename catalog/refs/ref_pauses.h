/*
 * ref_pauses.h - which tables the background leaves alone for a while, since their files could not be had at another endpoint.
 *
 * After each failure the whole bucket rests (storage/remote/remote.h), and with it all tables in it: one table whose files are denied, tried at the end of each rest, would have the bucket to itself. So a table pauses
 * besides, twice as long each time, up to an hour.
 *
 * In memory alone: after a restart each is tried once more. Times are clock_now_ms; when that is set back by more than a pause, all pauses are over. Zeroed at first. One thread's.
 */
#ifndef CATALOG_REFS_REF_PAUSES_H
#define CATALOG_REFS_REF_PAUSES_H

#include "catalog/refs/ref_row.h"
#include "storage/base/limits.h"

struct ref_pauses {
    struct ref_pause {
        char uuid[REF_UUID]; /* all zero: free */
        int64_t until_ms, length_ms;
    } rows[LIMIT_REF_PAUSES];
};

bool ref_pauses_has(const struct ref_pauses *p, struct str uuid, int64_t now_ms);
/* It failed again. With LIMIT_REF_PAUSES others known, the one that ends first is forgotten: it is tried too early. */
void ref_pauses_grow(struct ref_pauses *p, struct str uuid, int64_t now_ms);
void ref_pauses_forget(struct ref_pauses *p, struct str uuid);

#endif
