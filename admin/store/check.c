/*
 * check.c - the walk over all spaces.
 *
 * The table says which spaces, in which order (a set of ids must be whole before the rows that are held against it), and which function looks at
 * each row. A space that is not in it is read all the same: the scan verifies the checksum of every row. A row that is damaged ends the
 * scan of its space, because what comes behind it cannot be told; that is a finding, and the next space is begun.
 */
#include "admin/store/check.h"

#include <stdlib.h>
#include <string.h>

#include "admin/store/check_state.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/scrub.h"
#include "storage/volume/volume_rows.h"

#define PROGRESS_ROWS 10000 /* a row takes some microseconds: several times a second */

static const struct space_rule {
    enum space space;
    const char *name;
    check_row_fn *row; /* NULL: it is enough that it can be read */
} rules[] = {
    { SPACE_BUCKETS, "BUCKETS", check_bucket },
    { SPACE_UPLOADS, "UPLOADS", check_upload },
    { SPACE_CATALOGS, "CATALOGS", check_catalog },
    { SPACE_SYSTEM, "SYSTEM", NULL },
    { SPACE_OBJECTS, "OBJECTS", check_object },
    { SPACE_PARTS, "PARTS", check_part },
    { SPACE_BODIES, "BODIES", check_body_row },
    { SPACE_BODY_REFS, "BODY_REFS", check_body_ref },
    { SPACE_EXTENTS, "EXTENTS", check_extent },
    { SPACE_FREED, "FREED", check_freed },
    { SPACE_VOLUMES, "VOLUMES", check_volume },
    { SPACE_GARBAGE, "GARBAGE", check_garbage },
    { SPACE_NAMESPACES, "NAMESPACES", check_namespace },
    { SPACE_NAMESPACE_IDS, "NAMESPACE_IDS", check_namespace_id },
    { SPACE_TABLES, "TABLES", check_table },
    { SPACE_VIEWS, "VIEWS", check_table },
    { SPACE_TABLE_IDS, "TABLE_IDS", check_table_id },
    { SPACE_LOCATIONS, "LOCATIONS", check_location },
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* Every space there is, by spaces.def. */
static const struct space_rule all_spaces[] = {
#define SPACE(name, id, what) { SPACE_##name, #name, NULL },
#include "storage/meta/spaces.def"
#undef SPACE
};

#define SPACE_COUNT (sizeof(all_spaces) / sizeof(all_spaces[0]))

/* ---- ids ---- */

static struct uid padded(struct str id)
{
    struct uid out = { { 0 } };

    memcpy(out.bytes, id.data, id.len < sizeof(out.bytes) ? id.len : sizeof(out.bytes));
    return out;
}

static int compare_uids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uid));
}

struct err known_ids_add(struct known_ids *set, struct str id)
{
    if (set->count == set->size) {
        const size_t size = set->size ? 2 * set->size : 64;
        struct uid *ids = realloc(set->ids, size * sizeof(*ids));
        if (!ids) return FAIL(ERR_NO_MEMORY, "no memory for the ids of a check");
        set->ids = ids;
        set->size = size;
    }
    set->ids[set->count++] = padded(id);
    return OK;
}

void known_ids_sort(struct known_ids *set)
{
    if (set->count) qsort(set->ids, set->count, sizeof(set->ids[0]), compare_uids);
}

bool known_ids_has(const struct known_ids *set, struct str id)
{
    const struct uid wanted = padded(id);

    return set->count && bsearch(&wanted, set->ids, set->count, sizeof(wanted), compare_uids);
}

/* ---- findings ---- */

static void found(struct check *c, const struct space_rule *rule, struct str key, const char *what)
{
    const struct check_finding finding = { .space = rule->name, .key = key, .what = what };

    c->result.findings++;
    c->options->found(c->options->arg, &finding);
}

static bool is_of_the_check(struct err e)
{
    return e.code == ERR_NO_MEMORY || e.code == ERR_BUSY || e.code == ERR_UNAVAILABLE;
}

struct err check_has_row(struct check *c, enum space space, struct str key, const char *what)
{
    struct err e = OK;

    if (rows_have(c->view, space, key, &e)) return OK;
    TRY(e);
    return err_fail(ERR_CORRUPT, "no such %s", what);
}

/* ---- the walk ---- */

static void tell_progress(struct check *c)
{
    if (c->options->progress && c->result.rows % PROGRESS_ROWS == 0)
        c->options->progress(c->options->arg, &c->result);
}

static struct err check_rows(struct check *c, const struct space_rule *rule, struct rows_scan *scan)
{
    struct str key, value;

    while (rows_scan_next(scan, &key, &value)) {
        c->result.rows++;
        tell_progress(c);
        if (!rule->row) continue;
        arena_reset(c->scratch);
        const struct err e = rule->row(c, key, value);
        if (is_of_the_check(e)) return e;
        if (e.code) found(c, rule, key, e.why);
    }
    return OK;
}

static struct err check_space(struct check *c, const struct space_rule *rule)
{
    struct rows_scan scan;

    rows_scan_begin(&scan, c->view, rule->space, STR_NONE, false);
    struct err e = check_rows(c, rule, &scan);
    if (!e.code && is_of_the_check(scan.err)) e = scan.err;
    else if (!e.code && scan.err.code) found(c, rule, STR_NONE, scan.err.why);
    rows_scan_done(&scan);
    known_ids_sort(&c->buckets);
    known_ids_sort(&c->uploads);
    known_ids_sort(&c->catalogs);
    return e;
}

static bool has_rule(enum space space)
{
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (rules[i].space == space) return true;
    }
    return false;
}

static struct err check_all(struct check *c)
{
    struct str id;
    const struct err e = rows_get(c->view, SPACE_SYSTEM, ROW_STORE_KEY, &id);

    if (!e.code && id.len == sizeof(c->store_id.bytes)) memcpy(c->store_id.bytes, id.data, id.len);
    for (size_t i = 0; i < RULE_COUNT; i++) TRY(check_space(c, &rules[i]));
    for (size_t i = 0; i < SPACE_COUNT; i++) {
        if (!has_rule(all_spaces[i].space)) TRY(check_space(c, &all_spaces[i]));
    }
    return OK;
}

/* What the scrub of the running server had found last: bytes that this check reads only when it reads bodies. */
static struct err check_scrub(struct check *c)
{
    static const struct space_rule rule = { SPACE_SYSTEM, "SCRUB", NULL };
    struct scrub_report *r = arena_alloc(c->scratch, sizeof(*r));

    if (!r) return no_memory();
    TRY(scrub_report_read(c->view, c->scratch, r));
    for (size_t i = 0; i < r->damage_count; i++) {
        const struct scrub_damage *d = &r->damages[i];
        const struct str name = d->is_part
            ? STR("a part of an upload")
            : arena_printf(c->scratch, "%.*s/%.*s", STR_ARG(d->bucket), STR_ARG(d->key));
        found(c, &rule, name, arena_z(c->scratch, d->what));
    }
    return OK;
}

struct err store_check(const struct check_options *options, struct check_result *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(arena_freep) struct arena *scratch = arena_new(LIMIT_JSON_BYTES);
    struct check c = { .options = options, .scratch = scratch };

    if (!scratch) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(view_open(options->store->meta, &view));
    c.view = view;
    struct err e = check_all(&c);
    if (!e.code && !options->reads_bodies) e = check_scrub(&c);
    free(c.buckets.ids);
    free(c.uploads.ids);
    free(c.catalogs.ids);
    *ret = c.result;
    return e;
}
