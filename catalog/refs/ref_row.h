/*
 * ref_row.h - the rows of references: files, and how far a table's are known. Their bytes are in docs/FORMAT.md.
 *
 * A file is named by an id: the first 15 bytes of the SHA-256 of its place ("bucket/key"; of an external table "@bucket/key", warehouse_file.h), and one that says how it is read: as a list, as a manifest, or not. So a place that hostile metadata names as
 * two kinds is two files here, and owners stand above what they name without a circle. Whether a place is named at all is asked with the 15 bytes. Two places with one id would take 2^60 tries
 * of somebody who may write the table, and all that came of it is that files of that table are lost with its own.
 *
 * For the files of catalog/refs and catalog/maintain.
 */
#ifndef CATALOG_REFS_REF_ROW_H
#define CATALOG_REFS_REF_ROW_H

#include "catalog/commit/warehouse_file.h"

#define REF_UUID 36 /* of a table, as text */
#define REF_ID 16
#define REF_PLACE 15 /* of an id: the same for all that lies at one place */
#define REF_PAIR (REF_UUID + REF_ID)             /* key of TODO, DROPS, QUEUE */
#define REF_HOLDS_KEY (REF_UUID + REF_ID + REF_ID)
#define REF_HELD_KEY REF_HOLDS_KEY

/* On disk: never change a number. */
enum ref_kind { REF_METADATA, REF_LIST, REF_MANIFEST, REF_DATA, REF_DELETES, REF_STATISTICS, REF_KIND_COUNT };
const char *ref_kind_name(enum ref_kind kind); /* "data", "manifest" ... */

struct ref_id {
    uint8_t bytes[REF_ID];
};
extern const struct ref_id ref_root; /* the owner of what the table's metadata names itself */

struct ref_file {
    enum ref_kind kind;
    uint64_t size;      /* as its owner says; of a metadata file or list as the store says; 0: not known */
    struct str place;   /* "bucket/key", of an external table "@bucket/key" */
    struct ref_id id;
    int64_t since_ms;   /* QUEUE: when nothing named it any more */
    struct str why;     /* TODO: why it could not be read; empty: not tried yet. QUEUE: why it could not be deleted at its endpoint */
    uint64_t intent;    /* QUEUE, external: transaction that decided on its deletion, which may be under way or done (deletion.h); 0: none */
};

struct ref_id ref_id_of(enum ref_kind kind, struct str place);
int ref_id_cmp(const struct ref_id *a, const struct ref_id *b);

/* ---- keys ---- */
struct str ref_key_pair(struct str uuid, struct ref_id id, uint8_t out[REF_PAIR]);
struct str ref_key_holds(struct str uuid, struct ref_id owner, struct ref_id file, uint8_t out[REF_HOLDS_KEY]);
struct str ref_key_held(struct ref_id file, struct str uuid, struct ref_id owner, uint8_t out[REF_HELD_KEY]);

/* Does any table name the place of this id, as whatever? */
struct err ref_is_named(struct rows *r, struct ref_id id, bool *ret);
/* Is it in the table's queue, as whatever? */
struct err ref_is_queued(struct rows *r, struct str uuid, struct ref_id id, bool *ret);

/* Is there a row whose key begins with prefix? */
struct err ref_any(struct rows *r, enum space space, struct str prefix, bool *ret);

/* ---- values of HOLDS, TODO, QUEUE ---- */
struct err ref_file_put(struct txn *txn, enum space space, struct str key, const struct ref_file *f);
/* Strings point into value. ERR_CORRUPT. */
struct err ref_file_decode(struct str value, struct ref_file *ret);
/* The same, kept in the arena. */
struct err ref_file_keep(struct str value, struct arena *arena, struct ref_file *ret);

/* ---- where a URL points ----
 * "bucket/key" of an s3, s3a or s3n URL, behind PLACE_EXTERNAL when the table is external (warehouse_file.h says why without the endpoint); an empty place for a URL of any other kind, which is no file that is looked after. ERR_INVALID for what cannot be told to be either: no URL, or a path with
 * empty, "." or ".." segments, which some clients read as another one. */
struct err ref_place(struct str url, bool is_external, struct arena *arena, struct str *ret);
struct ref_file ref_file_at(enum ref_kind kind, struct str place, uint64_t size);

/* ---- a table ---- */
struct ref_table {
    uint64_t turn;         /* who works on the rows: the last that took a turn */
    uint64_t known;        /* the newest commit whose metadata was worked in; 0: none yet */
    int64_t known_ms;
    bool has_gc, deletes_metadata, removes_orphans; /* its properties */
    int64_t grace_ms;      /* its property; -1: the server's */
    uint64_t live_files[REF_KIND_COUNT], live_bytes[REF_KIND_COUNT];
    uint64_t queued_files, queued_bytes;
    int64_t expired_ms;    /* when the server last took snapshots out of it; 0: never */
    uint64_t expired;      /* how many then */
    int64_t orphans_ms;    /* when its places were last gone through for orphans by themselves; 0: never */
    char why[256];         /* why it is not complete; empty: it is */
};
/* ERR_NOT_FOUND: nothing is known of it. */
struct err ref_table_get(struct rows *r, struct str uuid, struct ref_table *ret);
struct err ref_table_put(struct txn *txn, struct str uuid, const struct ref_table *t);

/* The row of the table that has this uuid now. ERR_NOT_FOUND. */
struct err ref_row_of(struct rows *r, struct str uuid, struct arena *arena, struct table_row *ret);

/* Is all that this table names known, as of now? Else a sentence that says what is missing. */
struct err ref_table_is_whole(struct rows *r, struct str uuid, bool *ret, const char **ret_why);

#endif
