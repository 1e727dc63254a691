/*
 * world.h - what work.c and check.c share: an open store, small, and the names and bytes of what is put there.
 */
#ifndef TESTS_CRASH_POWER_WORLD_H
#define TESTS_CRASH_POWER_WORLD_H

#include "catalog/commit/catalog.h"
#include "storage/object/object.h"
#include "tests/crash/power/power.h"

#define BUCKET STR("box")
#define LAKE STR("lake")
#define PARTS 4 /* of an upload; number 1 to PARTS */

struct world {
    struct store store;
    char dir[256], volumes[300];
};

extern const struct actor somebody;

/* Object: word 0 is its content, word 1 its size. Upload: 0 its generation while it is open, 1 which parts it has (bit 0: part 1); 2, 3 the same of the object that was made.
 * Tables: 0 the number that both carry. */
struct str slot_key(uint32_t slot, char out[32]);
/* A slot's key, or its table: 0, 1. */
void slot_table(uint32_t slot, int which, struct table_ident *ret, char out[32]);

uint64_t part_content(uint64_t generation, uint32_t number);
size_t part_size(uint64_t generation, uint32_t number);
/* len bytes that tell content and place. malloc'ed. */
char *content_make(uint64_t content, size_t len);
bool content_is(const char *bytes, size_t len, uint64_t content);

struct err put_object(struct world *w, struct str key, uint64_t content, size_t size);
struct err complete(struct world *w, uint32_t slot, struct uid id, struct arena *arena);
/* The open upload of a slot's key; ERR_NOT_FOUND. */
struct err find_upload(struct world *w, uint32_t slot, struct arena *arena, struct uid *ret_id, struct str *ret_owner);

#endif
