/*
 * maintain.h - what keeps tables clean: three steps for the background, and what people ask for by hand.
 *
 * maintain_index_step keeps the references up to date after commits (catalog/refs) and takes away metadata files that tables want deleted. maintain_walk_step goes through all tables once an interval:
 * reads again what could not be read, takes out snapshots where properties or the setting say so, removes orphans where that is asked for. maintain_delete_step goes through the queue of
 * files that nothing names any more once an interval, and deletes those whose grace is over (deletion.h), not more than `rate` a second.
 *
 * Nothing here is in a commit's way: a commit writes one row more, and is refused by nothing of this.
 *
 * Threads: the steps belong to one background thread; the rest is for workers, and waits.
 */
#ifndef CATALOG_MAINTAIN_MAINTAIN_H
#define CATALOG_MAINTAIN_MAINTAIN_H

#include "catalog/commit/catalog.h"

enum maintain_expire { MAINTAIN_EXPIRE_OFF, MAINTAIN_EXPIRE_PROPERTIES, MAINTAIN_EXPIRE_ALL };
/* "off", "properties", "all". */
bool maintain_expire_from(struct str text, enum maintain_expire *ret);

struct maintain_options {
    struct store *store;
    uint64_t interval_s;          /* 0: tables are walked and files deleted only by hand */
    uint64_t grace_s;             /* between the commit that lets go of a file and its deletion; firn.expire-grace-ms of a table comes before it */
    enum maintain_expire expire;  /* whose snapshots go by themselves; the property firn.expire-snapshots of the nearest namespace comes before it */
    bool removes_orphans;         /* of all tables, not only those that ask for it */
    uint64_t rate;                /* files a second */
};

struct maintain;
struct err maintain_new(const struct maintain_options *options, struct maintain **ret);
struct maintain *maintain_free(struct maintain *m); /* NULL is fine; returns NULL */

/* A step that runs ends soon. From any thread. */
void maintain_stop(struct maintain *m);

/* A bounded piece of work; *ret_more: there is more that may be done at once. */
struct err maintain_index_step(struct maintain *m, bool *ret_more);
struct err maintain_walk_step(struct maintain *m, bool *ret_more);
struct err maintain_delete_step(struct maintain *m, bool *ret_more);

/* ---- by hand ---- */

/* Which tables: those of a namespace and the namespaces in it (count 0: of the whole catalog), at most LIMIT_REPORT_TABLES; or one of them. */
struct maintain_scope {
    struct str catalog;
    struct ns_path ns;
    struct str table; /* empty: all */
};

struct maintain_expire_request {
    int64_t older_than_ms, keep; /* -1: as each table's properties say */
    bool is_dry_run;
    const struct actor *who;
};

/* Answers are JSON objects, the caller's (docs/OPERATE.md, "Maintenance"). Of several tables, what fails with one is told with it. ERR_NO_SUCH_WAREHOUSE, ERR_NO_SUCH_TABLE; of one table,
 * what expire_table gives. */
struct err maintain_expire(struct maintain *m, const struct maintain_scope *scope, const struct maintain_expire_request *request, struct arena *arena, json_t **ret);
/* older_than_ms -1: seven days, which is also the least. What another endpoint does not list or delete is told with the table, and no failure; files behind one that stays are removed, until the endpoint rests or LIMIT_ORPHAN_FAILURES have stayed. */
struct err maintain_orphans(struct maintain *m, const struct maintain_scope *scope, int64_t older_than_ms, bool removes, struct arena *arena, json_t **ret);
/* The files of one table, a page. */
enum maintain_files { FILES_LIVE, FILES_QUEUED, FILES_ORPHANS };
/* "live", "queued", "orphan". */
bool maintain_files_from(struct str text, enum maintain_files *ret);

struct maintain_files_request {
    enum maintain_files state;
    bool is_all;         /* live: of all that the metadata names, not of one snapshot */
    int64_t snapshot_id; /* -1: as ref says */
    struct str ref;      /* empty: the current snapshot */
    struct str token;    /* of the page before; empty: from the start */
    size_t page_size;    /* 1 to LIMIT_PAGE */
    bool has_summary;    /* counts of the whole, too: of one snapshot they cost a walk over its files */
    const struct actor *who;
};
/* scope names a table. Brings what is known of it up to date first. ERR_INVALID: a token that was not given, a snapshot or ref that is not there. */
struct err maintain_files(struct maintain *m, const struct maintain_scope *scope, const struct maintain_files_request *request, struct arena *arena, json_t **ret);
struct err maintain_status(struct maintain *m, const struct maintain_scope *scope, struct arena *arena, json_t **ret);

#endif
