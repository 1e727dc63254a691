/*
 * fixture_test.h - a store of its own for a test: real rows, real volumes, small limits.
 *
 * Segments of 256 KiB, volumes of 4 MiB, bodies up to 4 KiB in the journal, checkpoints and reclaim only by hand, so that a few hundred
 * small operations meet everything that years of a large store do, and a sweep of faults is the same at each run.
 */
#ifndef STORAGE_OBJECT_FIXTURE_TEST_H
#define STORAGE_OBJECT_FIXTURE_TEST_H

#include "storage/object/object.h"
#include "storage/object/object_list.h"
#include "storage/object/object_put.h"

#define FIXTURE_SMALL 4096

struct fixture {
    struct store store;
    struct arena *arena; /* freed with the fixture */
    const char *dir;
};

void fixture_open(struct fixture *f); /* with a bucket "bucket" */
void fixture_done(struct fixture *f);
/* Close and open again, as a restart does. */
void fixture_reopen(struct fixture *f);
/* The same with errors: after a fault the store may be in any state but must close. fixture_start may fail under a fault. */
void fixture_stop(struct fixture *f);
struct err fixture_start(struct fixture *f);

/* size bytes that tell seed and place: any mix-up of bodies or offsets shows. In the arena. */
struct str fixture_body(struct fixture *f, uint32_t seed, size_t size);

struct err fixture_put(struct fixture *f, const char *key, struct str body);
struct err fixture_put_if(struct fixture *f, const char *key, struct str body, struct conditions conditions);
struct err fixture_get(struct fixture *f, const char *key, struct str *ret_body);
struct err fixture_delete(struct fixture *f, const char *key);
struct err fixture_stat(struct fixture *f, const char *key, struct object_info *ret);
/* An object in parts, made by hand: body cut at each size, with part numbers 2, 4, 6... */
struct err fixture_put_parts(struct fixture *f, const char *key, struct str body, const size_t *sizes, size_t count);

/* Checkpoint, and give back all that may be. */
void fixture_settle(struct fixture *f);
/* Every body in volumes has a row that refers to it, and every reference of a row is there: nothing leaked, nothing lost. */
void fixture_check_references(struct fixture *f);
/* Rows in a space. */
uint64_t fixture_count(struct fixture *f, enum space space);

/* Every small body was dropped. Embedded: a segment goes when all in it were, so one is left, the one in use. */
void fixture_check_no_small_bodies(struct fixture *f);

#endif
