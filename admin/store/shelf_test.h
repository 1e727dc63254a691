/* shelf_test.h - a store in DIR/rows and DIR/volumes with something of every kind in it, for the tests of check, backup and restore. */
#ifndef ADMIN_STORE_SHELF_TEST_H
#define ADMIN_STORE_SHELF_TEST_H

#include "storage/object/object.h"

#define SHELF_BIG 100000 /* bytes of a body in volumes */
#define SHELF_OBJECTS 6  /* empty, small, big, parts, and the metadata files of two tables, one of which is being purged */

struct shelf {
    struct store store;
    struct arena *arena;
    char dir[300];
};

/* A name in the one directory that a test's stores and backups lie in. Valid for eight more calls. */
const char *shelf_path(const char *name);

void shelf_open(struct shelf *s, const char *name); /* in shelf_path(name), filled */
void shelf_start(struct shelf *s, const char *dir); /* what is there, and nothing more */
void shelf_stop(struct shelf *s);
void shelf_close(struct shelf *s);

struct str shelf_body(struct shelf *s, uint32_t seed, size_t size); /* in the arena */
void shelf_put(struct shelf *s, const char *key, struct str body);
void shelf_delete(struct shelf *s, const char *key);
struct err shelf_get(struct shelf *s, const char *key, struct str *ret);

#endif
