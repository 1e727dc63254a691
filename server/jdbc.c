/*
 * jdbc.c - from a JDBC URL to libpq's.
 *
 * The two look alike but for the credentials, which JDBC has beside the URL or among its parameters, and for the names of parameters. Those with the same meaning are in the table; of others
 * nobody knows what leaving them out would do.
 */
#include "server/jdbc.h"

#include "storage/base/buf.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define URL_VARIABLE "QUARKUS_DATASOURCE_JDBC_URL"
#define PREFIX "jdbc:postgresql://"
#define STORE_MAX (8 * KIB)

static const struct {
    const char *name;
    size_t field;
} variables[] = {
    { URL_VARIABLE, offsetof(struct jdbc, url) },
    { "QUARKUS_DATASOURCE_USERNAME", offsetof(struct jdbc, user) },
    { "QUARKUS_DATASOURCE_PASSWORD", offsetof(struct jdbc, password) },
    { "QUARKUS_DATASOURCE_DB_KIND", offsetof(struct jdbc, kind) },
    { "POLARIS_PERSISTENCE_TYPE", offsetof(struct jdbc, persistence) },
};

/* Parameters of the URL: their name in libpq, and, where it matters, the only value that is understood and what it means. */
static const struct {
    const char *name, *value, *libpq;
} parameters[] = {
    { "sslmode", NULL, "sslmode" },
    { "sslrootcert", NULL, "sslrootcert" },
    { "sslcert", NULL, "sslcert" },
    { "connectTimeout", NULL, "connect_timeout" },
    { "ApplicationName", NULL, "application_name" },
    { "ssl", "true", "sslmode=verify-full" },
    { "ssl", "false", "sslmode=disable" },
    { "targetServerType", "primary", "target_session_attrs=read-write" },
};

struct err jdbc_take(struct jdbc *j, struct str variable, struct str value)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        if (!str_is(variable, variables[i].name)) continue;
        *(struct str *)((char *)j + variables[i].field) = value;
        return OK;
    }
    if (!str_starts(variable, STR("QUARKUS_DATASOURCE_"))) return OK;
    return err_fail(ERR_INVALID,
                    "environment: %.*s is not understood; say it in FIRN_STORE, a connection string of libpq",
                    STR_ARG(variable));
}

static struct err kinds_check(const struct jdbc *j)
{
    if (j->kind.len && !str_is(j->kind, "postgresql"))
        return err_fail(ERR_INVALID, "environment: QUARKUS_DATASOURCE_DB_KIND must be postgresql, not '%.*s'",
                        STR_ARG(j->kind));
    if (j->persistence.len && !str_is(j->persistence, "relational-jdbc"))
        return err_fail(
            ERR_INVALID,
            "environment: POLARIS_PERSISTENCE_TYPE must be relational-jdbc, not '%.*s'; without it, and without "
            "a store, rows are kept in the data directory",
            STR_ARG(j->persistence));
    if (!j->url.len)
        return FAIL(ERR_INVALID, "environment: a PostgreSQL is asked for, but " URL_VARIABLE " is not set");
    return OK;
}

static struct err parameter_print(struct str parameter, bool *is_first, struct buf *out)
{
    struct str name;
    const struct str value = str_cut(parameter, '=', &name);

    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        const char *only = parameters[i].value;
        if (!str_is(name, parameters[i].name) || (only && !str_is(value, only))) continue;
        buf_char(out, *is_first ? '?' : '&');
        buf_z(out, parameters[i].libpq);
        if (!only) {
            buf_char(out, '=');
            buf_str(out, value); /* both escape with % */
        }
        *is_first = false;
        return OK;
    }
    return err_fail(
        ERR_INVALID,
        "environment: the parameter '%.*s' of " URL_VARIABLE
        " is not understood, or not its value; say it in FIRN_STORE, a connection string of libpq",
        STR_ARG(name));
}

static struct err credential_take(struct str escaped, struct arena *arena, struct str *field)
{
    const struct str value = percent_str(arena, escaped, false);

    if (!value.data)
        return FAIL(ERR_INVALID,
                    "environment: a credential in " URL_VARIABLE " is not escaped as it should be");
    if (!field->len) *field = value;
    return OK;
}

/* user and password may be parameters too: they are the weaker ones. */
static struct err parameters_print(struct str query, struct arena *arena, struct jdbc *found, struct buf *out)
{
    bool is_first = true;
    struct str p;

    for (struct str_split it = str_split_on(query, '&'); str_split_next(&it, &p);) {
        if (str_starts(p, STR("user="))) TRY(credential_take(str_from(p, 5), arena, &found->user));
        else if (str_starts(p, STR("password=")))
            TRY(credential_take(str_from(p, 9), arena, &found->password));
        else if (p.len) TRY(parameter_print(p, &is_first, out));
    }
    return OK;
}

static struct err store_print(const struct jdbc *j, struct arena *arena, struct buf *parameters_out,
                              struct buf *out)
{
    struct str place;
    const struct str query = str_cut(str_from(j->url, sizeof(PREFIX) - 1), '?', &place);
    struct jdbc found = *j;

    if (!str_contains(place, STR("/")) || str_contains(place, STR("@")) || str_contains(place, STR("#")))
        return FAIL(ERR_INVALID, "environment: " URL_VARIABLE " must be " PREFIX "HOST:PORT/DATABASE");
    TRY(parameters_print(query, arena, &found, parameters_out));
    buf_z(out, "postgresql://");
    percent_to(out, found.user, "");
    if (found.password.len) {
        buf_char(out, ':');
        percent_to(out, found.password, "");
    }
    if (found.user.len || found.password.len) buf_char(out, '@');
    buf_str(out, place);
    buf_str(out, buf_view(parameters_out));
    return OK;
}

struct err jdbc_store(const struct jdbc *j, struct arena *arena, struct str *ret)
{
    struct buf out, parameters_out;

    *ret = STR_NONE;
    if (!j->url.len && !j->kind.len && !j->persistence.len) return OK;
    TRY(kinds_check(j));
    if (!str_starts(j->url, STR(PREFIX)))
        return FAIL(ERR_INVALID, "environment: " URL_VARIABLE " must begin with " PREFIX);
    buf_init(&out, STORE_MAX);
    buf_init(&parameters_out, STORE_MAX);
    struct err e = store_print(j, arena, &parameters_out, &out);
    if (!e.code) e = buf_err(&parameters_out);
    if (!e.code) e = buf_err(&out);
    const struct str store = e.code ? STR_NONE : arena_str(arena, buf_view(&out));
    buf_done(&out);
    buf_done(&parameters_out);
    TRY(e);
    if (!store.data) return FAIL(ERR_NO_MEMORY, "no memory for the settings");
    *ret = store;
    return OK;
}
