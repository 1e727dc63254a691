/*
 * live_guard.h - what is asked before a client takes away, through S3, a file that lies in a catalog with firn.guard-live-files=true (storage/object/object_guard.h).
 *
 * Promises, of an object in the base location of such a catalog:
 *   G1  the current metadata file of each of its tables and views stays
 *   G2  so does every file that a snapshot of its tables needs which the current metadata has (whether or not a ref leads to it): lists, manifests, data files, delete files, statistics
 *   G3  decided in the transaction that would take the file away, against the commits before it: a commit that expired the snapshot frees the file at once; one that made the file live guards it at once,
 *       if the file lies in the table's own places, and once the background has read the commit if it lies elsewhere. A commit that comes later finds the file gone: nobody's snapshot
 *       needed it when it went, and a commit does not look whether its files are there
 *   G4  what no commit names (files of a writer that gave up), older metadata files, and the files of dropped tables go unhindered
 *   G5  where the rows do not know yet, the new lists and manifests are read first; where they cannot be read, every file in that table's places stays, and the refusal says which cannot and why
 * The server's own deletion after expiries, of orphans and in purges is not asked: it has stricter questions (catalog/maintain/deletion.h).
 */
#ifndef CATALOG_REFS_LIVE_GUARD_H
#define CATALOG_REFS_LIVE_GUARD_H

#include "storage/object/object_guard.h"

extern const struct object_guard_rule live_guard;

#endif
