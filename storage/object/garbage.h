/*
 * garbage.h - the rows of SPACE_GARBAGE: what a transaction left behind because it was too large to clear at once.
 *
 * A row says what is to be taken apart in the background (multipart_clear), in idempotent slices; the last slice
 * deletes the row. It is written by the transaction that made the garbage, so nothing is forgotten, whatever happens
 * between.
 *
 *   PART_MAP  an object in parts that was overwritten or deleted. uid is the object's (the referrer under which every
 *             body in the map is referred to), map is where its part map lies.
 *   UPLOAD    an upload that was aborted or completed: the rows of SPACE_PARTS under uid, the upload's, and what they
 *             refer to, but for the parts in `kept`, whose bodies became the finished object's. A map, when it was
 *             written but not published, goes with it.
 *   BUCKET    a bucket that was deleted while uploads were open: all rows of SPACE_UPLOADS under bucket_id become
 *             garbage of their own.
 *
 * The map's bytes. A journal body has exactly one referring row. When an object in parts goes, that is no longer the
 * object's row but this one: the reference moves. The engine counts live bytes by txn_put_body and txn_drop_body alone,
 * so moving needs no call of it; whoever deletes the GARBAGE row calls txn_drop_body for the map in the same
 * transaction.
 *
 * Readers. A reader of an object in parts opens its bodies one by one while it goes (object_get.c), long after its view
 * was closed. So a PART_MAP may be taken apart only when garbage_is_ripe says so: no view is open that can still see
 * the object's row, and no reader that came from such a view is still open.
 */
#ifndef STORAGE_OBJECT_GARBAGE_H
#define STORAGE_OBJECT_GARBAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/base/str.h"
#include "storage/meta/meta.h"

enum garbage_kind { GARBAGE_PART_MAP = 1, GARBAGE_UPLOAD = 2, GARBAGE_BUCKET = 3 }; /* on disk */

struct garbage {
    enum garbage_kind kind;
    struct uid uid;     /* the row's key is uid and kind: an object that was completed may have its upload's uid */
    uint64_t since;     /* txn_number of the transaction that made it; set by garbage_put */
    uint64_t bucket_id; /* UPLOAD, BUCKET */
    struct place map;   /* PART_MAP; UPLOAD: segment_id 0 when there is none */
    uint32_t progress;  /* how far the clearing got: entries of the map, or as the clearer likes. 0 at first */
    int64_t due_ms;     /* not ripe before this time (wall clock): the lease of somebody who still works on it. 0: none */
    struct str kept;    /* UPLOAD: which parts are not garbage, in the form of whoever clears them; at most
                         * GARBAGE_KEPT_MAX bytes */
};

#define GARBAGE_KEPT_MAX 1250 /* a bit for each of LIMIT_PARTS */

#define GARBAGE_KEY_BYTES 17
struct str garbage_key(const struct garbage *g, uint8_t out[GARBAGE_KEY_BYTES]);
void garbage_encode(const struct garbage *g, struct buf *out);
/* ERR_CORRUPT. kept points into row. */
struct err garbage_decode(struct str key, struct str row, struct garbage *ret);

/* In a transaction: leave this behind. Sets g->since. */
struct err garbage_put(struct txn *txn, struct garbage *g);
/* In a transaction: what was left to do after one slice (since stays as it is). */
struct err garbage_update(struct txn *txn, const struct garbage *g);
/* In a transaction: all of it is done. The map is the caller's to drop. */
struct err garbage_del(struct txn *txn, const struct garbage *g);

/* The uid under which the garbage of a deleted bucket stands; no clock ever gives it. */
struct uid garbage_bucket_uid(uint64_t bucket_id);

/* May it be taken apart now? When it is due; and a PART_MAP, when nobody can be reading it any more. */
bool garbage_is_ripe(struct meta *m, const struct garbage *g);

#endif
