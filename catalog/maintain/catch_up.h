/*
 * catch_up.h - bringing a table's references up to date for somebody who is about to tell of its files, beside the background.
 */
#ifndef CATALOG_MAINTAIN_CATCH_UP_H
#define CATALOG_MAINTAIN_CATCH_UP_H

#include "catalog/refs/ref_row.h"

/* Waits. OK says nothing about whether all is known then: ref_table_is_whole does, and why not. ERR_NO_MEMORY, what opening a view gives. */
struct err catch_up(struct store *s, struct str uuid);

#endif
