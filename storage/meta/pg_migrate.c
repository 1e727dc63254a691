/*
 * pg_migrate.c - the schema in PostgreSQL, and how an older one becomes it.
 *
 * Two parts. Tables of rows follow spaces.def: whatever space has no table gets one, at every start, so a new space needs no step. All else is made by the steps below, each once, in order; firn_schema
 * remembers them. Everything is one transaction under a lock: a start that is killed half way leaves what was there.
 *
 * Views are for people with a prompt; the server never reads them. They may be made again by a later step, so nobody should build on `select *`.
 */
#include <stdio.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/meta/pg_engine.h"

#define SQL_SIZE 512

/* An id or a number in a key: eight bytes, the highest first. */
#define BE64(from) "('x' || encode(substring(key from " from " for 8), 'hex'))::bit(64)::bigint"

/* Tables and views alike. */
#define NAMED(from)                                                                                          \
    "select n.catalog, n.name as namespace, convert_from(substring(key from 17), 'UTF8') as name, "          \
    "(r.row->>'uuid')::uuid as uuid, r.row->>'location' as location, "                                       \
    "r.row->>'metadata-location' as metadata_location, (r.row->>'version')::bigint as version, r.row "       \
    "from " from " cross join lateral readable(value) as r(row) "                                            \
    "left join namespaces n on n.catalog_id = " BE64("1") " and n.id = " BE64("9")

static const struct step {
    uint64_t version;
    const char *sql;
} steps[] = {
    { 1,
      "create table lease (one boolean primary key default true check (one), holder text not null, host text not null, "
      "pid bigint not null, since timestamptz not null, batch bigint not null) with (fillfactor = 10)" },
    { 1, "insert into lease values (true, '', '', 0, now(), 0)" },
    { 1, "create table small_bodies (id bigint primary key, bytes bytea not null, dropped bigint)" },
    { 1, "alter table small_bodies alter column bytes set storage external" },
    { 1, "create index small_bodies_dropped on small_bodies (dropped) where dropped is not null" },
    /* jsonb takes no \u0000, which strings of clients may hold; nor does ->> take a row that has one anywhere. */
    { 1,
      "create function readable(json) returns jsonb language sql immutable parallel safe as $$ select case "
      "when position('\\u0000' in $1::text) = 0 then $1::text::jsonb "
      "else regexp_replace($1::text, '(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', '\\1\\\\ufffd', 'g')::jsonb end $$" },
    { 1,
      "create view catalogs as select convert_from(key, 'UTF8') as name, (r.row->>'id')::bigint as id, "
      "r.row->>'base-location' as base_location, r.row from rows_catalogs, lateral readable(value) as r(row)" },
    { 1,
      "create view namespaces as select c.name as catalog, "
      "replace(convert_from(substring(key from 9), 'UTF8'), E'\\x1f', '.') as name, (r.row->>'id')::bigint as id, "
      "r.row->'properties' as properties, c.id as catalog_id, r.row "
      "from rows_namespaces cross join lateral readable(value) as r(row) left join catalogs c on c.id = " BE64(
          "1") },
    { 1, "create view tables as " NAMED("rows_tables") },
    { 1, "create view views as " NAMED("rows_views") },
    { 1,
      "create view audit as select (r.row->>'time')::timestamptz as time, r.row->>'principal' as principal, "
      "r.row->>'operation' as operation, r.row->>'object' as object, r.row->>'outcome' as outcome, r.row->>'address' as address, "
      "r.row->>'request-id' as request_id, r.row->'details' as details from rows_audit, lateral readable(value) as r(row)" },
    /* The audit log tells more than it did. */
    { 2, "drop view if exists audit" },
    { 2,
      "create view audit as select (r.row->>'time')::timestamptz as time, r.row->>'principal' as principal, "
      "r.row->>'roles' as roles, r.row->>'operation' as operation, r.row->>'catalog' as catalog, r.row->>'object' as object, "
      "r.row->>'outcome' as outcome, (r.row->>'status')::int as status, coalesce((r.row->>'count')::bigint, 1) as count, "
      "(r.row->>'last-time')::timestamptz as last_time, r.row->>'address' as address, r.row->>'request-id' as request_id, "
      "r.row->'details' as details from rows_audit, lateral readable(value) as r(row)" },
    /* Servers that share the database, one row each (pg_shared.c). */
    { 3,
      "create table if not exists server (holder text primary key, host text not null, pid bigint not null, since timestamptz not null, "
      "beat timestamptz not null, seen bigint not null, leads boolean not null, batch bigint not null) with (fillfactor = 10)" },
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

static struct err schema_make(struct pg *pg, const char *schema, bool must_exist)
{
    const struct str name = str_from_z(schema);
    struct pg_answer *a;
    char sql[SQL_SIZE];

    TRY(pg_run(
        pg,
        &(struct pg_query){ .sql = "select exists (select from pg_namespace where nspname = $1::text)::text, "
                                   "current_setting('server_encoding')",
                            .params = &name,
                            .count = 1 },
        1, &a));
    const bool is_there = str_is(pg_answer_str(a, 0, 0), "true");
    const bool is_utf8 = str_is(pg_answer_str(a, 0, 1), "UTF8");
    pg_answer_free(a);
    if (!is_there && must_exist)
        return err_fail(ERR_NOT_FOUND, "the database has no schema '%s': there is no store in it", schema);
    if (!is_utf8) return FAIL(ERR_UNSUPPORTED, "the database's encoding has to be UTF8");
    (void)snprintf(sql, sizeof(sql), "create schema %s", schema); /* a plain word: pg_open looked */
    if (!is_there) TRY(pg_command(pg, sql));
    return pg_command(
        pg,
        "create table if not exists firn_schema (version bigint primary key, at timestamptz not null default now())");
}

static struct err version_get(struct pg *pg, uint64_t *ret)
{
    struct pg_answer *a;

    TRY(pg_run(pg, &(struct pg_query){ .sql = "select coalesce(max(version), 0)::bigint from firn_schema" },
               1, &a));
    *ret = get_be64(pg_answer_str(a, 0, 0).data);
    pg_answer_free(a);
    return OK;
}

static struct err space_make(struct pg *pg, enum space space)
{
    char sql[SQL_SIZE];

    (void)snprintf(sql, sizeof(sql),
                   "create table if not exists %s (key bytea primary key, value %s not null)",
                   pg_table(space), pg_is_json(space) ? "json" : "bytea");
    return pg_command(pg, sql);
}

/* Those of them that are not there yet. */
static struct err spaces_make(struct pg *pg)
{
    static const enum space spaces[] = {
#define SPACE(name, id, what) SPACE_##name,
#include "storage/meta/spaces.def"
#undef SPACE
    };

    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        struct pg_answer *a;
        const struct str name = str_from_z(pg_table(spaces[i]));
        const struct pg_query q = { .sql = "select to_regclass($1::text) is not null",
                                    .params = &name,
                                    .count = 1 };
        TRY(pg_run(pg, &q, 1, &a));
        const bool is_there = pg_answer_str(a, 0, 0).data[0] != 0;
        pg_answer_free(a);
        if (!is_there) TRY(space_make(pg, spaces[i]));
    }
    return OK;
}

static struct err steps_run(struct pg *pg, uint64_t version)
{
    const uint64_t newest = steps[STEP_COUNT - 1].version;

    if (version > newest)
        return err_fail(
            ERR_UNSUPPORTED,
            "the store was made by a later Firn: its schema has version %llu, this one knows %llu",
            (unsigned long long)version, (unsigned long long)newest);
    for (size_t i = 0; i < STEP_COUNT; i++) {
        if (steps[i].version > version) TRY(pg_command(pg, steps[i].sql));
    }
    for (uint64_t v = version + 1; v <= newest; v++) {
        char sql[SQL_SIZE];
        (void)snprintf(sql, sizeof(sql), "insert into firn_schema (version) values (%llu)",
                       (unsigned long long)v);
        TRY(pg_command(pg, sql));
    }
    return OK;
}

/* Servers that share may start together: one makes the schema, the others wait for it and find it made. */
static struct err migrate_alone(struct pg *pg, const char *schema)
{
    const struct str name = str_from_z(schema);
    const struct pg_query queries[] = {
        { .sql = "set local lock_timeout = '30s'" },
        { .sql = "select pg_advisory_xact_lock(hashtextextended('firn schema ' || $1::text, 0))",
          .params = &name,
          .count = 1 },
        { .sql = "set local lock_timeout = '3s'" },
    };

    return pg_run(pg, queries, sizeof(queries) / sizeof(queries[0]), NULL);
}

static struct err migrate(struct pg *pg, const char *schema, bool must_exist)
{
    uint64_t version;

    TRY(migrate_alone(pg, schema));
    TRY(schema_make(pg, schema, must_exist));
    TRY(version_get(pg, &version));
    TRY(spaces_make(pg));
    return steps_run(pg, version);
}

struct err pg_migrate(struct pg *pg, const char *schema, bool must_exist)
{
    TRY(pg_command(pg, "begin"));
    const struct err e = migrate(pg, schema, must_exist);
    if (e.code) {
        pg_post(pg, "rollback");
        return e;
    }
    return pg_command(pg, "commit");
}
