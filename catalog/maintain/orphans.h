/*
 * orphans.h - objects in a table's places that nothing of it names: files of writers that died, of commits that were refused, and those of commits that are still to come.
 *
 * A young file may be one of a commit that is under way, so age alone only makes it reportable. It is removed when somebody asks for it (by hand, by the table's property
 * firn.orphan-removal.enabled, by the server's setting remove-orphans), and then only when
 *   O1  it is at least ORPHAN_AGE_MIN_MS old, whatever was asked
 *   O2  the table's files are known without a gap, up to its last commit, and gc.enabled is not false
 *   O3  nothing in the store names it, and it is not in the queue of files whose grace is running
 * all of it looked at again by the transaction that deletes it, or at another endpoint right before it is deleted there; ages are by the endpoint's own clock.
 */
#ifndef CATALOG_MAINTAIN_ORPHANS_H
#define CATALOG_MAINTAIN_ORPHANS_H

#include "catalog/refs/ref_row.h"
#include "storage/base/limits.h"

#define ORPHAN_AGE_MIN_MS (7LL * 86400000) /* longer than any writer keeps files before it commits them */

#define ORPHAN_ROUND_MS 86400000LL /* a table is gone through by itself once a day: it is a listing of all its files */

struct orphan_rule {
    int64_t older_than_ms; /* for what counts as removable; raised to ORPHAN_AGE_MIN_MS */
    bool removes;
};

/* A scan of one table, page by page. To be given to orphan_scan_done. */
struct orphan_scan {
    char uuid[REF_UUID + 1];
    size_t place;       /* of the table's places */
    struct buf after;   /* key that the last page ended with */
    struct buf counted; /* when has_passed: key up to which files were counted; it may be behind `after` */
    bool is_end;
    bool has_passed;    /* of the last step: it failed at a file of another endpoint, and `after` is that file: another step goes on behind it */
    const char *forbidden; /* why nothing is removed; NULL: it may be */
    uint64_t files, bytes, removable_files, removable_bytes, removed_files, removed_bytes;
    json_t *paths;      /* array of objects, at most LIMIT_REPORT_PATHS; NULL: not wanted */
};
void orphan_scan_init(struct orphan_scan *scan, struct str uuid, bool wants_paths);
void orphan_scan_done(struct orphan_scan *scan);

/* Scans that ended at a file of another endpoint, for the next scan of the table: it begins behind that file, so that one which is denied does not hide the others. Zeroed at first, and in memory alone: a table that is not
 * in it is scanned from the beginning. */
struct orphan_stops {
    struct orphan_stop {
        char uuid[REF_UUID + 1];
        size_t place, len;
        char after[LIMIT_KEY];
    } rows[LIMIT_ORPHAN_STOPS];
    size_t next; /* to be written over */
};
void orphan_stops_keep(struct orphan_stops *stops, const struct orphan_scan *scan);
/* Let a scan that begins go on where the one before ended; that is forgotten with it. */
void orphan_stops_take(struct orphan_stops *stops, struct orphan_scan *scan);

/* One page of at most LIMIT_PAGE objects. ERR_UNAVAILABLE, ERR_CORRUPT: they lie at another endpoint (warehouse_list), or one there was not deleted (has_passed). scan->is_end when it was the last, or the table is gone. */
struct err orphan_scan_step(struct store *s, struct orphan_scan *scan, const struct orphan_rule *rule);

#endif
