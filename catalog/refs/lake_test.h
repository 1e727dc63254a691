/*
 * lake_test.h - a store with a catalog and a table whose snapshots have real manifests, for the tests of catalog/refs and catalog/maintain.
 *
 * Places are written short: "data/1" is s3://lake/t/data/1 of the table t, "../u/1" is s3://lake/u/1.
 */
#ifndef CATALOG_REFS_LAKE_TEST_H
#define CATALOG_REFS_LAKE_TEST_H

#include "catalog/commit/catalog.h"
#include "catalog/refs/ref_pauses.h"
#include "catalog/refs/ref_row.h"
#include "tests/unit/fake_s3.h"

#define LAKE_UUID_SIZE 37

struct lake {
    struct store store;
    struct arena *arena;
    const char *dir;
    char uuid[LAKE_UUID_SIZE]; /* of t */
    struct fake_s3 *far; /* of lake_open_far: where the files are */
    struct ref_pauses pauses; /* for refs_step */
};

extern const struct actor lake_actor;

struct err lake_start(struct lake *l); /* the store alone: after a fault, and at the beginning */
void lake_stop(struct lake *l);
void lake_open(struct lake *l);        /* with bucket, catalog, namespace n and table t at s3://lake/t */
void lake_open_far(struct lake *l);    /* the same, but the bucket is one of an endpoint of the test's own */
void lake_close(struct lake *l);

struct table_ident lake_ident(void);   /* n.t */
struct str lake_uuid(const struct lake *l);
/* What is known of its files, and is that all? */
struct ref_table lake_table(struct lake *l);
bool lake_is_whole(struct lake *l);
void lake_put(struct lake *l, const char *place, struct str bytes);
bool lake_has(struct lake *l, const char *place);
/* A manifest of the files of `names`, separated by spaces; one with '-' before it is an entry that says it was deleted. Writes the data files too, of 10 bytes. */
void lake_manifest(struct lake *l, const char *place, const char *names);
void lake_list(struct lake *l, const char *place, const char *manifests);

struct err lake_commit(struct lake *l, const char *updates); /* a JSON array */
/* Add a snapshot behind id - 1 whose list is `list`, and move main to it. */
struct err lake_snapshot(struct lake *l, int id, const char *list);
struct err lake_expire(struct lake *l, int id);
struct err lake_property(struct lake *l, const char *name, const char *value);

#endif
