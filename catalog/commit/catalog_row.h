/*
 * catalog_row.h - a catalog's row as what it says. For the files of catalog/commit only.
 */
#ifndef CATALOG_COMMIT_CATALOG_ROW_H
#define CATALOG_COMMIT_CATALOG_ROW_H

#include "catalog/commit/entity.h"

#define BASE_LOCATION_PROPERTY "default-base-location" /* Polaris' name for it */

struct err catalog_row_info(const struct catalog_row *row, struct str name, struct arena *arena, struct catalog_info *ret);
/* All of them, in a view or a transaction. */
struct err catalog_rows_list(struct rows *r, struct arena *arena, struct catalog_info **ret, size_t *ret_count);

#endif
