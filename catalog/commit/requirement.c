/*
 * requirement.c - what a commit demands of the metadata it is made on (catalog.md 2.1): a table of checks.
 *
 * The texts begin as the reference's do ("Requirement failed: ..."), since clients show and tests compare them.
 */
#include "catalog/commit/draft.h"

#include <inttypes.h>

enum { TABLE = 1 << METADATA_TABLE, VIEW = 1 << METADATA_VIEW };

static struct err failed_number(const char *what, int64_t wanted, int64_t found)
{
    return err_fail(ERR_COMMIT_FAILED, "Requirement failed: %s changed: expected id %" PRId64 " != %" PRId64,
                    what, wanted, found);
}

static int64_t number_of(const json_t *base, const char *field)
{
    const json_t *value = json_object_get(base, field);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static struct err check_uuid(const json_t *base, const json_t *r, const char *field)
{
    struct str wanted;
    const struct str found = json_str(json_object_get(base, field));

    TRY(json_need_str(r, "uuid", &wanted));
    if (str_eq_nocase(wanted, found)) return OK;
    return err_fail(ERR_COMMIT_FAILED, "Requirement failed: UUID does not match: expected %.*s != %.*s",
                    STR_ARG(found), STR_ARG(wanted));
}

static struct err assert_table_uuid(const json_t *base, const json_t *r)
{
    return check_uuid(base, r, "table-uuid");
}

static struct err assert_view_uuid(const json_t *base, const json_t *r)
{
    return check_uuid(base, r, "view-uuid");
}

static struct err assert_ref(const json_t *base, const json_t *r)
{
    struct str name;
    int64_t wanted = -1;
    char text[256];

    TRY(json_need_str(r, "ref", &name));
    TRY(json_want_i64(r, "snapshot-id", &wanted));
    const json_t *asked = json_object_get(r, "snapshot-id");
    if (!asked) return FAIL(ERR_INVALID, "field 'snapshot-id' is missing");
    if (name.len >= sizeof(text)) return FAIL(ERR_INVALID, "field 'ref' is too long");
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
    const json_t *ref = json_object_get(json_object_get(base, "refs"), text);
    const char *type = str_is(json_str(json_object_get(ref, "type")), "tag") ? "tag" : "branch";
    if (ref && json_is_null(asked))
        return err_fail(ERR_COMMIT_FAILED, "Requirement failed: %s %s was created concurrently", type, text);
    if (!ref && !json_is_null(asked))
        return err_fail(ERR_COMMIT_FAILED,
                        "Requirement failed: branch or tag %s is missing, expected %" PRId64, text, wanted);
    const int64_t found = number_of(ref, "snapshot-id");
    if (!ref || found == wanted) return OK;
    return err_fail(ERR_COMMIT_FAILED,
                    "Requirement failed: %s %s has changed: expected id %" PRId64 " != %" PRId64, type, text,
                    wanted, found);
}

static struct err check_number(const json_t *base, const json_t *r, const char *asked, const char *field,
                               const char *what)
{
    int64_t wanted;

    TRY(json_need_i64(r, asked, &wanted));
    const int64_t found = number_of(base, field);
    return wanted == found ? OK : failed_number(what, wanted, found);
}

static struct err assert_field_id(const json_t *base, const json_t *r)
{
    return check_number(base, r, "last-assigned-field-id", "last-column-id", "last assigned field id");
}

static struct err assert_schema(const json_t *base, const json_t *r)
{
    return check_number(base, r, "current-schema-id", "current-schema-id", "current schema");
}

static struct err assert_partition_id(const json_t *base, const json_t *r)
{
    return check_number(base, r, "last-assigned-partition-id", "last-partition-id",
                        "last assigned partition id");
}

static struct err assert_spec(const json_t *base, const json_t *r)
{
    return check_number(base, r, "default-spec-id", "default-spec-id", "default partition spec");
}

static struct err assert_order(const json_t *base, const json_t *r)
{
    return check_number(base, r, "default-sort-order-id", "default-sort-order-id", "default sort order");
}

static struct err assert_create(const json_t *base, const json_t *r)
{
    (void)r;
    return base ? FAIL(ERR_COMMIT_FAILED, "Requirement failed: table already exists") : OK;
}

static const struct requirement_rule {
    const char *type;
    unsigned on;
    struct err (*check)(const json_t *base, const json_t *r);
} rules[] = {
    { "assert-create", TABLE, assert_create },
    { "assert-table-uuid", TABLE, assert_table_uuid },
    { "assert-ref-snapshot-id", TABLE, assert_ref },
    { "assert-last-assigned-field-id", TABLE, assert_field_id },
    { "assert-current-schema-id", TABLE, assert_schema },
    { "assert-last-assigned-partition-id", TABLE, assert_partition_id },
    { "assert-default-spec-id", TABLE, assert_spec },
    { "assert-default-sort-order-id", TABLE, assert_order },
    { "assert-view-uuid", VIEW, assert_view_uuid },
};
#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

const char *requirement_name(size_t i)
{
    return i < RULE_COUNT ? rules[i].type : NULL;
}

struct err requirement_check(enum metadata_kind kind, const json_t *base, const json_t *requirement)
{
    struct str type;

    if (!json_is_object(requirement)) return FAIL(ERR_INVALID, "a requirement must be an object");
    TRY(json_need_str(requirement, "type", &type));
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (!str_is(type, rules[i].type)) continue;
        if (!(rules[i].on & (1u << kind)))
            return err_fail(ERR_INVALID, "requirement %s does not apply here", rules[i].type);
        return rules[i].check(base, requirement);
    }
    return err_fail(ERR_INVALID, "Unknown requirement type: %.*s", STR_ARG(type));
}
