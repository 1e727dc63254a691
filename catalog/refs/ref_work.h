/*
 * ref_work.h - bringing one table up to date: what its parts share. refs.c has the order, ref_slice.c the transactions, ref_todo.c the reading, ref_gone.c the letting go.
 *
 * For the files of catalog/refs only.
 */
#ifndef CATALOG_REFS_REF_WORK_H
#define CATALOG_REFS_REF_WORK_H

#include <stdatomic.h>

#include "catalog/commit/commit_note.h"
#include "catalog/refs/ref_edge.h"
#include "catalog/refs/ref_source.h"
#include "storage/base/limits.h"

struct ref_work {
    struct store *store;
    struct str uuid;
    const atomic_bool *stop; /* NULL: never */
    struct arena *arena;   /* as long as the work */
    struct arena *scratch; /* of one slice */
    uint64_t turn;
    struct table_row row; /* not when is_gone, as the next */
    struct warehouse home; /* where its files lie */
    bool is_gone;
    struct commit_note notes[LIMIT_REF_NOTES];
    size_t note_count;
    struct str newest;      /* the metadata that is current, as of the notes */
    struct ref_set wanted;  /* what the newest metadata names; empty when gone */
    struct ref_table props; /* of its properties: what they allow */
    bool is_news;           /* what is wrong with its metadata was not known before */
};

/* ---- one transaction (ref_slice.c) ---- */

struct ref_slice {
    struct ref_work *work;
    struct ref_id owner;
    const struct ref_file *files; /* to hold; NULL: to release `ids` */
    const struct ref_id *ids;
    size_t count;
    enum {
        SLICE_ONLY,
        SLICE_ENDS_TODO,
        SLICE_ENDS_DROP
    } then;          /* the owner's row of TODO or DROPS goes with this slice */
    const struct ref_file *read; /* of SLICE_ENDS_TODO: the owner, with the size that it was found to have */
    uint64_t queued; /* out */
};

/* ERR_CONFLICT: another has taken the turn. ERR_CLOSED: it is to stop. */
struct err ref_slice_run(struct ref_slice slice);

/* ---- the parts ---- */

/* Read every list and manifest of TODO, once each; what cannot be read stays there, with why. */
struct err ref_work_todo(struct ref_work *w);
/* Release what the metadata does not name any more: all of it, when the table is gone. */
struct err ref_work_release(struct ref_work *w);
/* Take apart the lists and manifests that nothing names any more. */
struct err ref_work_drops(struct ref_work *w);

/* Is it what a file is like that went wrong? Else it is the machine's own trouble, and the file is tried again as it stands. */
bool ref_is_the_files_own(struct err e);

#endif
