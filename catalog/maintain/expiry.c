/*
 * expiry.c - marks what stays, from every ref that stays down its ancestors; what is left unmarked and old goes.
 */
#include "catalog/maintain/expiry.h"

#include <stdlib.h>

#define DAYS_5 (5 * 86400000LL)

struct node {
    int64_t id, parent, time_ms; /* parent -1: none */
    size_t place;                /* in the metadata */
    bool is_kept, is_reached;    /* stays; is an ancestor of a ref */
};

struct selection {
    const json_t *metadata;
    struct node *nodes; /* by id */
    size_t count;
    int64_t oldest_ms, keep, now_ms, ref_age_ms; /* the rule, with its defaults filled in */
    const char **refs;                           /* that go, in the arena */
    size_t ref_count;
};

static int by_id(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int by_place(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}

static struct node *node_find(struct selection *s, int64_t id)
{
    const struct node wanted = { .id = id };

    return bsearch(&wanted, s->nodes, s->count, sizeof(wanted), by_id);
}

static struct err read_nodes(struct selection *s, struct arena *arena)
{
    json_t *list = NULL, *snapshot;
    size_t i;

    TRY(json_want_array(s->metadata, "snapshots", &list));
    s->count = json_array_size(list);
    s->nodes = arena_array(arena, struct node, s->count + 1);
    if (!s->nodes) return no_memory();
    json_array_foreach(list, i, snapshot)
    {
        struct node *n = &s->nodes[i];
        *n = (struct node){ .parent = -1, .place = i };
        TRY(json_need_i64(snapshot, "snapshot-id", &n->id));
        TRY(json_want_i64(snapshot, "parent-snapshot-id", &n->parent));
        TRY(json_need_i64(snapshot, "timestamp-ms", &n->time_ms));
    }
    qsort(s->nodes, s->count, sizeof(s->nodes[0]), by_id);
    return OK;
}

/* ---- the rule ---- */

static struct err property_number(const json_t *properties, const char *name, int64_t *ret)
{
    const json_t *value = json_object_get(properties, name);

    if (!value) return OK;
    if (str_to_i64(json_str(value), ret) && *ret >= 0) return OK;
    return err_fail(ERR_INVALID, "the table's property %s must be a number, not '%.*s'", name,
                    STR_ARG(json_str(value)));
}

/* E3 */
static struct err settle_rule(struct selection *s, const struct expiry_rule *rule)
{
    const json_t *properties = json_object_get(s->metadata, "properties");
    int64_t age_ms = DAYS_5, keep = 1, ref_age_ms = INT64_MAX;

    if (str_is_nocase(json_str(json_object_get(properties, "gc.enabled")), "false"))
        return FAIL(
            ERR_INVALID,
            "the table has gc.enabled=false: its files may belong to others, so its snapshots do not expire");
    TRY(property_number(properties, "history.expire.max-snapshot-age-ms", &age_ms));
    TRY(property_number(properties, "history.expire.min-snapshots-to-keep", &keep));
    TRY(property_number(properties, "history.expire.max-ref-age-ms", &ref_age_ms));
    if (rule->older_than_ms >= 0) age_ms = rule->older_than_ms;
    if (rule->keep >= 0) keep = rule->keep;
    s->now_ms = rule->now_ms;
    s->oldest_ms = rule->now_ms - age_ms;
    s->keep = keep > 1 ? keep : 1;
    s->ref_age_ms = ref_age_ms;
    return OK;
}

/* ---- refs ---- */

/* E2. Ancestors are at most as many as snapshots, also when damaged metadata goes in a circle. */
static void keep_branch(struct selection *s, int64_t head, int64_t keep, int64_t oldest_ms)
{
    struct node *n = node_find(s, head);
    bool is_kept = true;

    for (size_t steps = 0; n && steps < s->count; steps++) {
        is_kept = is_kept && ((int64_t)steps < keep || n->time_ms >= oldest_ms);
        n->is_reached = true;
        n->is_kept = n->is_kept || is_kept;
        n = node_find(s, n->parent);
    }
}

/* E5 */
static struct err ref_goes(struct selection *s, const char *name, const json_t *ref, bool *ret)
{
    int64_t head, age_ms = s->ref_age_ms;

    *ret = false;
    if (str_is(str_from_z(name), "main")) return OK;
    TRY(json_need_i64(ref, "snapshot-id", &head));
    TRY(json_want_i64(ref, "max-ref-age-ms", &age_ms));
    const struct node *n = node_find(s, head);
    *ret = !n || s->now_ms - n->time_ms > age_ms;
    return OK;
}

static struct err keep_ref(struct selection *s, const json_t *ref)
{
    int64_t head, keep = s->keep, age_ms = s->now_ms - s->oldest_ms;
    struct str type;

    TRY(json_need_i64(ref, "snapshot-id", &head));
    TRY(json_need_str(ref, "type", &type));
    struct node *n = node_find(s, head);
    if (n) n->is_kept = n->is_reached = true; /* E1 */
    if (str_is_nocase(type, "tag")) return OK;
    TRY(json_want_i64(ref, "min-snapshots-to-keep", &keep));
    TRY(json_want_i64(ref, "max-snapshot-age-ms", &age_ms));
    keep_branch(s, head, keep, s->now_ms - age_ms);
    return OK;
}

/* Metadata of version 1 may have no refs: then the current snapshot is main's. */
static struct err keep_refs(struct selection *s)
{
    json_t *refs = NULL, *ref;
    int64_t current = -1;
    const char *name;
    bool goes;

    TRY(json_want_object(s->metadata, "refs", &refs));
    json_object_foreach(refs, name, ref)
    {
        TRY(ref_goes(s, name, ref, &goes));
        if (goes) s->refs[s->ref_count++] = name;
        else TRY(keep_ref(s, ref));
    }
    TRY(json_want_i64(s->metadata, "current-snapshot-id", &current));
    if (!json_object_get(refs, "main")) keep_branch(s, current, s->keep, s->oldest_ms);
    return OK;
}

struct err expiry_select(const json_t *metadata, const struct expiry_rule *rule, struct arena *arena,
                         struct expiry_choice *ret)
{
    struct selection s = { .metadata = metadata };
    size_t count = 0;

    s.refs = arena_array(arena, const char *, json_object_size(json_object_get(metadata, "refs")) + 1);
    if (!s.refs) return no_memory();
    TRY(settle_rule(&s, rule));
    TRY(read_nodes(&s, arena));
    TRY(keep_refs(&s));
    int64_t *ids = arena_array(arena, int64_t, s.count + 1);
    if (!ids) return no_memory();
    qsort(s.nodes, s.count, sizeof(s.nodes[0]), by_place);
    for (size_t i = 0; i < s.count; i++) {
        const struct node *n = &s.nodes[i];
        const bool is_young_loose = !n->is_reached && n->time_ms >= s.oldest_ms; /* E4 */
        if (!n->is_kept && !is_young_loose) ids[count++] = n->id;
    }
    *ret = (struct expiry_choice){ .ids = ids, .count = count, .refs = s.refs, .ref_count = s.ref_count };
    return OK;
}

/* ---- is it asked for? ---- */

static bool any_member(const json_t *object, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_object_get(object, names[i])) return true;
    }
    return false;
}

bool expiry_is_asked_for(const json_t *metadata)
{
    static const char *const properties[] = { "history.expire.max-snapshot-age-ms",
                                              "history.expire.min-snapshots-to-keep",
                                              "history.expire.max-ref-age-ms" };
    static const char *const of_refs[] = { "max-snapshot-age-ms", "min-snapshots-to-keep", "max-ref-age-ms" };
    const char *name;
    json_t *ref;

    if (any_member(json_object_get(metadata, "properties"), properties, 3)) return true;
    json_object_foreach(json_object_get(metadata, "refs"), name, ref)
    {
        if (any_member(ref, of_refs, 3)) return true;
    }
    return false;
}

/* ---- the commit ---- */

json_t *expiry_updates(const struct expiry_choice *choice)
{
    json_t *updates = json_array(), *ids = json_array();

    for (size_t i = 0; i < choice->ref_count; i++)
        json_array_append_new(
            updates, json_pack("{s:s, s:s}", "action", "remove-snapshot-ref", "ref-name", choice->refs[i]));
    for (size_t i = 0; i < choice->count; i++) json_array_append_new(ids, json_integer(choice->ids[i]));
    if (choice->count)
        json_array_append_new(updates,
                              json_pack("{s:s, s:O}", "action", "remove-snapshots", "snapshot-ids", ids));
    json_decref(ids);
    return updates;
}
