/*
 * sweep_test.h - a lake with files that nothing needs any more, swept and looked at: for the tests of files here and at another endpoint.
 */
#ifndef CATALOG_MAINTAIN_SWEEP_TEST_H
#define CATALOG_MAINTAIN_SWEEP_TEST_H

#include "catalog/maintain/deletion.h"
#include "catalog/refs/lake_test.h"

/* A list, a manifest and two files that only the first of two snapshots needs; the second shares a manifest with it. */
void two_snapshots(struct lake *l);
void expire_first(struct lake *l);
/* A whole sweep; how many files went. */
uint64_t sweep(struct lake *l, int64_t grace_ms);
/* The same, one of several that follow each other. */
uint64_t sweep_on(struct lake *l, int64_t grace_ms, struct deletion_cursor *cursor);
/* All of these places, separated by spaces. */
void check_there(struct lake *l, const char *places, bool want);

#endif
