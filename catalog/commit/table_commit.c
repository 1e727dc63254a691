/*
 * table_commit.c - changing one or more tables, all or nothing.
 *
 * Prepare, outside the transaction: read each table's current metadata, check the requirements, apply the updates, print and (when large) write the new
 * file. Commit, inside: each table is still at the version that was prepared from; then file, pointer, places and audit row of all of them. When another commit
 * came between, prepare again: the requirements decide anew whether the change may be made on what is there now. Only a requirement that does not hold is told to the client
 * (409, ERR_COMMIT_FAILED); a lost race is not, until it was lost too often.
 *
 * Several changes to one table in one request fold into one new metadata, in their order.
 */
#include "catalog/commit/catalog.h"

#include <string.h>

#include "catalog/commit/apply.h"
#include "catalog/commit/table_write.h"
#include "storage/base/clock.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

enum { ATTEMPTS_MAX = 32 }; /* lost races; each means that another commit of the same table succeeded */

/* One table of the request, whatever number of changes it has. */
struct target {
    struct table_write write;
    bool is_changed;
    json_t *base, *metadata; /* before and after; NULL: there was no table */
    struct str base_file;
    struct table_info unchanged;
};

struct commit_plan {
    struct store *store;
    struct str catalog;
    const struct table_change *changes;
    size_t change_count;
    struct target *targets;
    size_t target_count;
    size_t *target_of; /* by change */
    const struct actor *who;
    struct arena *arena;
    json_t *details;
};

/* ---- which tables ---- */

static bool same_table(const struct table_ident *a, const struct table_ident *b)
{
    if (a->kind != b->kind || a->ns.count != b->ns.count || !str_eq(a->name, b->name)) return false;
    for (size_t i = 0; i < a->ns.count; i++) {
        if (!str_eq(a->ns.levels[i], b->ns.levels[i])) return false;
    }
    return true;
}

static void group_changes(struct commit_plan *plan)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        size_t t = 0;
        while (t < plan->target_count && !same_table(&plan->targets[t].write.ident, &plan->changes[i].ident))
            t++;
        if (t == plan->target_count) plan->targets[plan->target_count++].write.ident = plan->changes[i].ident;
        plan->target_of[i] = t;
    }
}

static bool asserts_create(const json_t *requirements)
{
    size_t i;
    json_t *r;

    json_array_foreach(requirements, i, r)
    {
        if (str_is(json_str(json_object_get(r, "type")), "assert-create")) return true;
    }
    return false;
}

/* ---- prepare ---- */

static struct err load_base(struct commit_plan *plan, struct target *t, const struct table_change *change)
{
    struct table_info info;
    const struct err e = table_load(plan->store, plan->catalog, &t->write.ident, plan->arena, &info);

    t->write.is_new = e.code == ERR_NO_SUCH_TABLE && asserts_create(change->requirements);
    if (t->write.is_new) return OK;
    TRY(e);
    if (change->only_version && change->only_version != info.version)
        return FAIL(ERR_COMMIT_FAILED, "Requirement failed: the table was changed in between");
    t->unchanged = info;
    t->write.base_version = info.version;
    t->base_file = info.metadata_location;
    TRY(metadata_parse(t->write.ident.kind, info.metadata, &t->base));
    t->metadata = json_incref(t->base);
    return OK;
}

/* The replaced file joins the metadata log once, with the first of several changes. */
static struct err apply_change(struct target *t, const struct table_change *change)
{
    struct apply_output out = { 0 };
    const struct apply_input in = {
        .kind = t->write.ident.kind,
        .base = t->metadata,
        .base_file = t->is_changed ? STR_NONE : t->base_file,
        .requirements = change->requirements,
        .updates = change->updates,
        .now_ms = clock_now_ms(),
    };

    TRY(apply_commit(&in, &out));
    json_decref(t->metadata);
    t->metadata = out.metadata;
    t->is_changed |= out.is_changed;
    return OK;
}

/* What is told of the target's changes, all together. */
static struct err tell(struct commit_plan *plan, struct target *t)
{
    CLEANUP(json_freep) json_t *updates = json_array();

    for (size_t i = 0; i < plan->change_count; i++) {
        if (&plan->targets[plan->target_of[i]] == t)
            (void)json_array_extend(updates, (json_t *)plan->changes[i].updates);
    }
    const size_t share = LIMIT_AUDIT_TXN / plan->target_count;
    json_t *details = audit_of_updates(updates, share < LIMIT_AUDIT_TOLD ? share : LIMIT_AUDIT_TOLD);
    t->write.details = details;
    return details && json_defer(plan->arena, details) ? OK : no_memory();
}

static struct err prepare_target(struct commit_plan *plan, struct target *t, const struct warehouse *home)
{
    if (!t->is_changed) return OK;
    TRY(tell(plan, t));
    const char *update = t->write.ident.kind == METADATA_VIEW ? "ReplaceView" : "UpdateTable";
    t->write.operation = t->write.is_new ? "CreateTable" : update;
    TRY(commit_dropped_of(t->base, t->metadata, plan->arena, &t->write.dropped));
    return table_write_prepare(home, t->metadata, t->base_file, plan->arena, &t->write);
}

static void forget_target(struct target *t)
{
    metadata_file_done(&t->write.file);
    json_decref(t->base);
    json_decref(t->metadata);
    *t = (struct target){ .write = { .ident = t->write.ident } };
}

static void forget(struct commit_plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++) forget_target(&plan->targets[i]);
}

static struct err prepare(struct commit_plan *plan)
{
    struct catalog_info c;
    bool seen[256] = { false };

    TRY(catalog_get(plan->store, plan->catalog, plan->arena, &c));
    for (size_t i = 0; i < plan->change_count; i++) {
        struct target *t = &plan->targets[plan->target_of[i]];
        const struct table_change *change = &plan->changes[i];
        if (!seen[plan->target_of[i]]) TRY(load_base(plan, t, change));
        seen[plan->target_of[i]] = true;
        TRY(apply_change(t, change));
    }
    const struct warehouse home = warehouse_of(plan->store, &c);
    for (size_t i = 0; i < plan->target_count; i++) TRY(prepare_target(plan, &plan->targets[i], &home));
    return OK;
}

/* ---- commit ---- */

static struct err check_unchanged(struct txn *txn, struct commit_plan *plan, const struct target *t)
{
    struct table_row row;

    TRY(table_row_get(txn_rows(txn), plan->catalog, &t->write.ident, plan->arena, &row));
    return row.version == t->write.base_version
        ? OK
        : FAIL(ERR_CONFLICT, "a table of the transaction was changed");
}

static struct err commit_fn(struct txn *txn, void *arg)
{
    struct commit_plan *plan = arg;

    for (size_t i = 0; i < plan->target_count; i++) {
        struct target *t = &plan->targets[i];
        if (!t->is_changed) TRY(check_unchanged(txn, plan, t));
        else TRY(table_write_fn(txn, plan->catalog, &t->write, plan->who, plan->arena));
    }
    return OK;
}

static bool changes_anything(const struct commit_plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++) {
        if (plan->targets[i].is_changed) return true;
    }
    return false;
}

/* A table that was made between: the client's assert-create fails. One that was dropped between: it does not exist. Both are seen when it is prepared again. */
static bool is_lost_race(struct err e)
{
    if (e.code == ERR_CONFLICT) return true;
    return e.code == ERR_TABLE_EXISTS;
}

static struct err attempt(struct commit_plan *plan)
{
    TRY(prepare(plan));
    if (!changes_anything(plan)) return OK;
    const struct err e = meta_run(plan->store->meta, commit_fn, plan);
    for (size_t i = 0; i < plan->target_count; i++) metadata_file_settle(&plan->targets[i].write.file, e);
    return e;
}

static void results(const struct commit_plan *plan, struct table_info *ret)
{
    for (size_t i = 0; i < plan->change_count; i++) {
        const struct target *t = &plan->targets[plan->target_of[i]];
        if (t->is_changed) table_write_result(&t->write, &ret[i]);
        else ret[i] = t->unchanged;
    }
}

/* A moment of random length, longer after each loss: writers that prepare in step would lose to the same one again and again. */
static void step_aside(int attempt)
{
    struct mutex lock;
    struct cond never;
    uint8_t random;

    mutex_init(&lock, LOCK_CATALOG);
    cond_init(&never);
    ids_random(&random, sizeof(random));
    const uint64_t until = clock_mono_ms() + random % (2u << (attempt < 5 ? attempt : 5));
    mutex_lock(&lock);
    while (cond_wait_until(&never, &lock, until)) continue;
    mutex_unlock(&lock);
    cond_done(&never);
    mutex_done(&lock);
}

/* Its text outlives what is undone behind it. */
static struct err keep(struct commit_plan *plan, struct err e)
{
    const char *why = e.code == ERR_OK ? NULL : arena_z(plan->arena, str_from_z(e.why));

    return why ? (struct err){ e.code, why } : e;
}

static struct err run(struct commit_plan *plan, struct table_info *ret)
{
    struct err e = OK;

    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        e = keep(plan, attempt(plan));
        if (e.code == ERR_OK || !is_lost_race(e)) break;
        METRIC_ADD(catalog_conflicts, 1);
        forget(plan);
        step_aside(i);
    }
    if (e.code == ERR_CONFLICT)
        e = FAIL(ERR_COMMIT_FAILED, "Commit failed: too many concurrent updates, try again");
    if (e.code == ERR_OK) {
        METRIC_ADD(catalog_commits, 1);
        results(plan, ret);
    }
    if (e.code == ERR_COMMIT_FAILED) METRIC_ADD(catalog_conflicts, 1);
    forget(plan);
    return e;
}

struct err table_commit(struct store *s, struct str catalog, const struct table_change *changes, size_t count,
                        const struct actor *who, struct arena *arena, struct table_info *ret)
{
    struct commit_plan plan = {
        .store = s,
        .catalog = catalog,
        .changes = changes,
        .change_count = count,
        .targets = arena_array(arena, struct target, count),
        .target_of = arena_array(arena, size_t, count),
        .who = who,
        .arena = arena,
    };

    if (count == 0 || count > 256) return FAIL(ERR_INVALID, "a transaction has from 1 to 256 table changes");
    if (!plan.targets || !plan.target_of) return no_memory();
    for (size_t i = 0; i < count; i++) TRY(table_name_check(changes[i].ident.name));
    group_changes(&plan);
    return run(&plan, ret);
}
