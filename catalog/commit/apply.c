/*
 * apply.c - one commit: requirements, then updates in their order, then the build.
 */
#include "catalog/commit/apply.h"

#include "catalog/commit/draft.h"
#include "storage/base/thread.h"

/* Each update may look through what the table has: the product of both is what a commit can cost. */
enum { UPDATES_MAX = 10000, REQUIREMENTS_MAX = 1000 };

static void draft_done(struct draft *d)
{
    json_decref(d->metadata);
    json_decref(d->added_snapshots);
    json_decref(d->added_versions);
}

/* assert-create stands alone: whatever else it demanded would be demanded of nothing. */
static struct err check_requirements(const struct apply_input *in)
{
    json_t *requirement;
    size_t i;
    const size_t count = json_array_size(in->requirements);

    if (count > REQUIREMENTS_MAX) return err_fail(ERR_INVALID, "more than %d requirements", REQUIREMENTS_MAX);
    json_array_foreach((json_t *)in->requirements, i, requirement)
    {
        if (str_is(json_str(json_object_get(requirement, "type")), "assert-create") && count > 1)
            return FAIL(ERR_INVALID, "Invalid requirements: assert-create must be the only one");
        TRY(requirement_check(in->kind, in->base, requirement));
    }
    return OK;
}

/* A new table begins empty; its format version is that of the first upgrade, else 2. */
static json_t *empty_metadata(const struct apply_input *in)
{
    json_int_t version = 2;
    json_t *update;
    size_t i;

    json_array_foreach((json_t *)in->updates, i, update)
    {
        if (!str_is(json_str(json_object_get(update, "action")), "upgrade-format-version")) continue;
        version = json_integer_value(json_object_get(update, "format-version"));
        break;
    }
    if (in->kind == METADATA_VIEW) return json_pack("{s:i}", "format-version", 1);
    json_t *metadata = json_pack("{s:I}", "format-version", version >= 1 && version <= 3 ? version : 2);
    if (metadata && in->default_location.len)
        json_object_set_new(metadata, "location", json_of_str(in->default_location));
    return metadata;
}

static struct err begin(const struct apply_input *in, struct draft *d)
{
    *d = (struct draft){
        .kind = in->kind,
        .base = in->base,
        .metadata = in->base ? json_copy((json_t *)in->base) : empty_metadata(in),
        .now_ms = in->now_ms,
        .last_schema = NONE_ADDED,
        .last_spec = NONE_ADDED,
        .last_order = NONE_ADDED,
        .last_version = NONE_ADDED,
        .added_snapshots = json_object(),
        .added_versions = json_object(),
    };
    return d->metadata && d->added_snapshots && d->added_versions ? OK : no_memory();
}

static struct err apply_updates(const struct apply_input *in, struct draft *d)
{
    json_t *update;
    size_t i;

    if (!json_is_array(in->updates)) return FAIL(ERR_INVALID, "field 'updates' must be an array");
    if (json_array_size(in->updates) > UPDATES_MAX)
        return err_fail(ERR_INVALID, "more than %d updates", UPDATES_MAX);
    json_array_foreach((json_t *)in->updates, i, update)
    {
        TRY(update_apply(d, update));
    }
    return OK;
}

struct err apply_commit(const struct apply_input *in, struct apply_output *ret)
{
    CLEANUP(draft_done) struct draft d = { .metadata = NULL };

    TRY(check_requirements(in));
    TRY(begin(in, &d));
    TRY(apply_updates(in, &d));
    if (!d.is_changed && in->base) {
        *ret = (struct apply_output){ .metadata = json_incref((json_t *)in->base) };
        return OK;
    }
    TRY(in->kind == METADATA_VIEW ? draft_build_view(&d) : draft_build_table(&d, in->base_file));
    *ret = (struct apply_output){ .metadata = json_incref(d.metadata), .is_changed = true };
    return OK;
}
