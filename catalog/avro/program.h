/*
 * program.h - what to take from a record and what to pass over, compiled from the writer's schema.
 *
 * Avro data cannot be read without the schema that it was written with. That schema (JSON) is compiled once a file, against a table of the
 * fields that the reader wants, into a small tree of nodes; extract.h walks it for every record. Fields are found by the attribute
 * "field-id" and by what record they stand in, never by name. A wanted field may be nullable, as a union with null in either order.
 *
 * The schema may be hostile. What is compiled keeps these promises, on which extract.h rests:
 *   P1  every index in the program is in range
 *   P2  what takes no bytes (null, a record of nothing, fixed of size 0) is NODE_EMPTY and is in no record: so every other node takes at
 *       least a byte, or is a record that holds itself, which the limit of depth ends
 *   P3  at most LIMIT_AVRO_NODES nodes, and as many kids
 *   P4  a node in an array or map takes nothing
 */
#ifndef CATALOG_AVRO_PROGRAM_H
#define CATALOG_AVRO_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"

/* Whose field it is, if not of a record with a field-id. */
#define WANT_ROOT (-1)

enum want_kind {
    WANT_NUMBER, /* of int or long, to an int64_t */
    WANT_STRING, /* to a struct str, a view into the block; UTF-8, at most LIMIT_AVRO_STRING */
    WANT_RECORD, /* nothing to take: fields of this one are wanted */
};

/* A row of the table of what a reader wants. At most WANTS_MAX rows. */
struct want {
    int32_t field_id, parent_id; /* parent_id: WANT_ROOT, or the field-id of the record that it is in */
    enum want_kind kind;
    bool is_required;            /* not null, and not missing from the schema; else what is not there leaves the output as it was */
    size_t offset;               /* in the output */
    const char *name;            /* for errors */
};
#define WANTS_MAX 32

enum node_op {
    NODE_EMPTY,
    NODE_BOOLEAN,
    NODE_INT,
    NODE_LONG,
    NODE_FIXED,  /* count bytes; float and double too */
    NODE_BYTES,  /* string too */
    NODE_ENUM,   /* of count symbols */
    NODE_RECORD, /* count kids from first */
    NODE_ARRAY,  /* of the node first */
    NODE_MAP,    /* to the node first */
    NODE_UNION,  /* of count kids from first */
};

struct node {
    enum node_op op;
    int want;              /* a row of wants, or -1 */
    uint32_t first, count;
};

struct program {
    const struct node *nodes; /* nodes[root] is a record */
    const uint32_t *kids;
    uint32_t root;
    const struct want *wants;
    uint32_t required;        /* a bit for each number and string that is_required */
};

/* Compile. The program lives in the arena; wants outlives it. ERR_INVALID: not an Avro schema of a record, or a wanted field is missing,
 * is there twice, or of another type. ERR_TOO_LARGE: LIMIT_AVRO_SCHEMA bytes, LIMIT_AVRO_NODES. ERR_NO_MEMORY. */
struct err program_compile(struct str schema, const struct want *wants, size_t want_count, struct arena *arena, struct program *ret);

#endif
