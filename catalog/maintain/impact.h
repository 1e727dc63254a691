/*
 * impact.h - which files would go if some snapshots did: a look at the references, nothing is changed.
 */
#ifndef CATALOG_MAINTAIN_IMPACT_H
#define CATALOG_MAINTAIN_IMPACT_H

#include "catalog/refs/ref_row.h"

struct impact {
    bool is_known;            /* false: the table's files are not all known, and `why` says so; nothing else is set then */
    const char *why;
    uint64_t files[REF_KIND_COUNT], bytes[REF_KIND_COUNT];
    struct str *paths;        /* URLs, in the arena; at most LIMIT_REPORT_PATHS */
    size_t path_count;
};

/* before, after: metadata without and with the change; metadata files are not counted. The table's references must be worked in (refs_work_in). Files outside of the table's places are not
 * counted: they are never deleted. */
struct err impact_of(struct store *s, const struct table_row *row, const json_t *before, const json_t *after, struct arena *arena, struct impact *ret);

#endif
