/*
 * scrub.h - everything is read again, slowly: so damage is found while there still is a backup or a copy.
 *
 * A pass goes through the rows of objects, then through those of parts of open uploads, and reads every byte against its checksums. It is slow on purpose (`rate`), and a step reads a bounded piece; where it is
 * stands in a row, so it goes on after a restart, also in the middle of a large object. What was damaged has a row of its own until a later pass reads it well, or it is gone.
 *
 *   SYSTEM  "scrub"                  JSON: the pass, where it is, figures
 *   SYSTEM  "damaged/o" object's key  JSON: since when, in which pass, what; "damaged/p" part's key
 *
 * Reading passes through the page cache: bytes that are in it are not asked of the disk. What nobody reads, and so nobody else would find, is read from the disk.
 *
 * Threads: a scrub belongs to one thread. scrub_report_read may be called from any, and of a store that nobody scrubs.
 */
#ifndef STORAGE_OBJECT_SCRUB_H
#define STORAGE_OBJECT_SCRUB_H

#include "storage/object/object.h"

struct scrub_options {
    struct store *store;   /* outlives the scrub */
    uint64_t interval_s;   /* from the beginning of a pass to that of the next, or longer if it takes longer; 0: no passes. The first begins so long after the store was first opened */
    uint64_t rate;         /* bytes a second, at most; a row counts as 4 KiB at least */
};

struct scrub;
struct err scrub_new(const struct scrub_options *options, struct scrub **ret);
struct scrub *scrub_free(struct scrub *s); /* NULL is fine; returns NULL */
/* Write down where it is, as steps do every 10 s: before a stop. What was read since then is read again by the next one. Does nothing when no pass is running. */
struct err scrub_save(struct scrub *s);

/* One bounded piece of work, if it is time for it. *ret_more: call again at once. Damage is no error; an error is what kept it from looking, and it is tried again at the next step. */
struct err scrub_step(struct scrub *s, bool *ret_more);

/* ---- what was found ---- */

struct scrub_damage {
    bool is_part;        /* of an open upload: then bucket and key are empty */
    struct str bucket, key;
    int64_t found_ms;
    struct str what;
};

#define LIMIT_SCRUB_DAMAGES 100 /* that a report names; all are counted */

struct scrub_report {
    bool is_running;
    uint64_t pass;           /* the one that runs, or ran last; 0: none yet */
    int64_t began_ms;        /* of that pass; before the first: when the store was opened first */
    int64_t ended_ms;        /* of the last whole pass; 0: none yet */
    uint64_t objects, bytes; /* read in that pass, when it was last written down */
    uint64_t damaged;        /* found, not yet gone nor read well again */
    struct scrub_damage damages[LIMIT_SCRUB_DAMAGES];
    size_t damage_count;
};
/* Strings live in the arena. A row of damage whose object was written anew or deleted since is passed over. */
struct err scrub_report_read(struct rows *r, struct arena *arena, struct scrub_report *ret);

#endif
