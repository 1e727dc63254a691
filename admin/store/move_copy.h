/*
 * move_copy.h - all rows of one engine, read in order with the small bodies that they refer to; counted, and perhaps put into another engine.
 *
 * A pass gives a tally: for each space how many rows and bodies, their bytes, and a SHA-256 over them. Two engines that hold the same store give the same tally: in what is digested a row has its place
 * without offset and segment, which are the engine's own, and its body's bytes behind it. Whatever else is in a row is equal, to the bit; numbers of transactions in rows too, which stay
 * meaningful because the target's numbers begin above the source's (meta_options.number_after).
 *
 * Why through meta.h, and not engine to engine: it is what both are tested by, it verifies every checksum on the way, and a batch of 500 rows costs a flush or a commit, which is a few milliseconds.
 *
 * Nobody else may write to either engine meanwhile. The row of move_mark.h is passed over everywhere.
 */
#ifndef ADMIN_STORE_MOVE_COPY_H
#define ADMIN_STORE_MOVE_COPY_H

#include "storage/meta/meta.h"

enum {
#define SPACE(name, id, what) MOVE_SPACE_##name,
#include "storage/meta/spaces.def"
#undef SPACE
    MOVE_SPACE_COUNT,
};

struct move_space {
    const char *name; /* "OBJECTS" */
    uint64_t rows, row_bytes; /* keys and values */
    uint64_t bodies, body_bytes;
    uint8_t sha256[32];
};

struct move_tally {
    struct move_space spaces[MOVE_SPACE_COUNT]; /* in the order of spaces.def */
};

struct move_pass {
    struct meta *from, *to; /* to NULL: read and count only */
    void (*progress)(void *arg, uint64_t rows, uint64_t bodies); /* now and then, so far; NULL: is not told */
    void *arg;
};

/* The first error of either engine; it names the row where one is meant. With `to` what was put until then stays there. */
struct err move_pass(const struct move_pass *pass, struct move_tally *ret);

/* ERR_CORRUPT when they are not the same, naming the first space that differs and how. */
struct err move_compare(const struct move_tally *source, const struct move_tally *target);

/* Is there no row at all? */
struct err move_is_empty(struct meta *m, bool *ret);
/* Delete all rows, and drop all bodies that they refer to. */
struct err move_clear(struct meta *m);

#endif
