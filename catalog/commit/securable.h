/*
 * securable.h - what privileges are granted on, by identity: a name of the catalog resolved to the chain of things that a check walks.
 *
 * Catalogs and namespaces have ids that are never used again; a table or view is its uuid, so that a grant follows it when it is renamed. What is dropped
 * takes the grants on it along, in the same transaction (securable_forget).
 */
#ifndef CATALOG_COMMIT_SECURABLE_H
#define CATALOG_COMMIT_SECURABLE_H

#include "catalog/commit/catalog.h"

enum securable_kind { SECURABLE_ROOT, SECURABLE_CATALOG, SECURABLE_NAMESPACE, SECURABLE_TABLE, SECURABLE_VIEW };

/* A value; two are the same when their bytes are. */
struct securable {
    uint8_t kind;  /* enum securable_kind */
    char id[36];   /* ROOT: zeros. CATALOG, NAMESPACE: id be64, zeros. TABLE, VIEW: the uuid's text */
};

struct securable securable_of_id(enum securable_kind kind, uint64_t id);
struct securable securable_of_uuid(enum securable_kind kind, struct str uuid);
int securable_cmp(const void *a, const void *b); /* for qsort and bsearch */

/* The bytes of a row's key: kind, then 8 or 36 bytes of id. A prefix code: no securable's begins another's. */
#define SECURABLE_KEY_MAX 37
struct str securable_key(const struct securable *s, char out[SECURABLE_KEY_MAX]);
/* Reads one from the front of key; *ret_rest is what follows. ERR_CORRUPT. */
struct err securable_from_key(struct str key, struct securable *ret, struct str *ret_rest);

/* From the outside in: catalog, namespaces, table or view. */
struct securable_path {
    struct securable nodes[NAMESPACE_LEVELS_MAX + 2];
    size_t count;
    uint64_t catalog_id;
    uint64_t ns_id;      /* of the last namespace; 0: there is none */
    struct str location; /* of the table if there is one, else the catalog's; in the arena */
    bool is_whole;       /* all that was named is there; else nodes ends with the last that is */
};

/* What is named: only the catalog (ns NULL or without levels), a namespace (name empty), or a table or view in it. */
struct securable_name {
    struct str catalog;
    const struct ns_path *ns;
    struct str name;
    enum metadata_kind kind;
};

/* ERR_NO_SUCH_WAREHOUSE for the catalog; what is missing below it only leaves the path unwhole. */
struct err securable_find(struct rows *r, const struct securable_name *name, struct arena *arena, struct securable_path *ret);

/* The table or view in whose place a file lies. ERR_NOT_FOUND: in none, or in one that is being purged. */
struct err securable_of_file(struct rows *r, struct str bucket, struct str key, struct arena *arena, struct securable_path *ret);

/* The path of a namespace, by its id. ERR_NOT_FOUND. */
struct err securable_of_namespace(struct rows *r, uint64_t ns_id, struct arena *arena, struct ns_path *ret_path, struct securable_path *ret);
/* The namespace that holds the table or view of a uuid. ERR_NOT_FOUND. */
struct err securable_home(struct rows *r, struct str uuid, uint64_t *ret_ns_id);

/* The change number of identities, roles and grants: each transaction that changes some raises it, and who knows a lower one reads them again. */
struct err access_epoch_get(struct rows *r, uint64_t *ret);
struct err access_epoch_raise(struct txn *txn);

/* In a transaction that drops it: the grants on it go. */
struct err securable_forget(struct txn *txn, const struct securable *s, struct arena *arena);

/* Rows that stores of earlier versions lack (SPACE_NAMESPACE_IDS), made at start, in slices; does nothing when they are there. */
struct err securable_migrate(struct store *s);

#endif
