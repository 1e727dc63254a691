/*
 * far_test.h - a store and an S3 endpoint of the test's own, for the tests of catalogs whose files lie there.
 */
#ifndef CATALOG_COMMIT_FAR_TEST_H
#define CATALOG_COMMIT_FAR_TEST_H

#include "catalog/commit/catalog.h"
#include "tests/unit/fake_s3.h"

/* A member of a request that makes a table. */
#define FAR_SCHEMA \
    "\"schema\":{\"type\":\"struct\",\"fields\":[{\"id\":1,\"name\":\"a\",\"required\":false,\"type\":\"int\"}]}"

struct far {
    struct store store;
    struct fake_s3 fake;
    struct arena *arena;
    const char *dir;
};

extern const struct actor far_actor;

struct err far_start(struct far *w); /* the store alone: after a fault, and at the beginning */
void far_stop(struct far *w);
void far_give_keys(struct far *w);   /* as after a restart: without memory of files and of failures */
void far_begin(struct far *w);
void far_open(struct far *w);        /* the same, with the external catalog "far", and its namespace n */
void far_close(struct far *w);

/* A catalog with this base location; `more`: of its storageConfigInfo, as JSON without the braces. */
struct err far_make(struct far *w, const char *name, const char *location, const char *more);
struct err far_make_at(struct far *w, const char *name, const char *location, const char *endpoint);

struct table_ident far_ident(const char *name); /* in n */
struct err far_create(struct far *w, const char *name, bool is_staged, struct table_info *ret);

#endif
