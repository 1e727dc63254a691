/*
 * check.h - is a store whole? Every row decoded, and held against what it names and what names it.
 *
 * It reads one moment (a view that stays open until the end), and changes nothing. What is wrong is a finding, told at once; the check goes on behind it.
 *
 *   space                what is held against what
 *   BUCKETS, OBJECTS     the row decodes; its bucket is there; its body is there under its reference, as long as it says; part maps are read
 *   UPLOADS, PARTS       the row decodes; bucket or upload is there, or is left as garbage; a part's body as an object's
 *   BODIES, BODY_REFS    a body has its extents' rows, and somebody who refers to it; the trailer of each extent in its file belongs to it
 *   EXTENTS, VOLUMES     an extent belongs to its body; extents do not overlap; a volume's file is there and as long as was committed
 *   FREED, GARBAGE       the row decodes
 *   catalog              namespaces, tables and views are in what they say they are in; ids and rows point at each other; the metadata file is an object;
 *                        places belong to tables, or to purges of dropped ones
 *   all others           the row can be read (each has a checksum)
 *
 * What the last scrub found damaged, and is still there, is a finding (SCRUB, bucket/key), unless all bytes are read here.
 * With reads_bodies every byte of every object and part is read against its checksums as well; without it small bodies are not read at all.
 * A body that nothing refers to is a finding too, though no client sees it: it is space that will never be given back.
 */
#ifndef ADMIN_STORE_CHECK_H
#define ADMIN_STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/object/object.h"

struct check_finding {
    const char *space; /* of the row; "OBJECTS" */
    struct str key;    /* of the row, any bytes; empty when it is not one row that is meant */
    const char *what;
};

/* So far, or all in all. */
struct check_result {
    uint64_t rows, objects, bodies, bytes_read, findings;
};

struct check_options {
    struct store *store;
    const char *volumes_dir; /* where the volume files lie */
    bool reads_bodies;
    void (*found)(void *arg, const struct check_finding *finding);
    void (*progress)(void *arg, const struct check_result *so_far); /* now and then; NULL: is not told */
    void *arg;
};

/* OK when the check came to its end, whatever it found: see ret->findings. */
struct err store_check(const struct check_options *options, struct check_result *ret);

#endif
