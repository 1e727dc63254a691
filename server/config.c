/*
 * config.c - the table of settings, and the three places that values come from.
 *
 * To add a setting: a field in struct config, and a row here. Parsing, the environment, flags, help, `config show` and the
 * documentation follow from the row.
 */
#include "server/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "server/jdbc.h"
#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

enum setting_type { TEXT, SECRET, LIST, BOOL, NUMBER, SIZE };

struct setting {
    const char *name; /* in the file and, behind "--", as a flag */
    enum setting_type type;
    size_t field;
    const char *fallback; /* default, as it would be written; NULL: empty */
    uint64_t min, max;    /* NUMBER, SIZE */
    const char *help;
};

#define FIELD(name) offsetof(struct config, name)

static const struct setting settings[] = {
    { "data", TEXT, FIELD(data), NULL, 0, 0,
      "directory of the store; its key and root credential stand beside it" },
    { "store", SECRET, FIELD(store), NULL, 0, 0,
      "postgresql://USER:PASSWORD@HOST:PORT/DATABASE: keep rows there, not in the data directory" },
    { "store-schema", TEXT, FIELD(store_schema), "firn", 0, 0, "schema of the rows in PostgreSQL" },
    { "store-timeout", NUMBER, FIELD(store_timeout_s), "10", 1, 30,
      "seconds that a read waits for an answer of PostgreSQL; then it is answered 503" },
    { "store-shared", BOOL, FIELD(store_shared), "off", 0, 0,
      "several servers, all with this, have the rows in PostgreSQL together; bodies of up to 1 MiB, no volumes" },
    { "s3-address", LIST, FIELD(s3_address), "127.0.0.1:8333", 0, 0,
      "HOST:PORT of the S3 API; :0 picks a free port" },
    { "catalog-address", LIST, FIELD(catalog_address), "127.0.0.1:8181", 0, 0,
      "HOST:PORT of the Iceberg REST catalog" },
    { "status-address", LIST, FIELD(status_address), NULL, 0, 0,
      "HOST:PORT answering / and /cluster/status only (9333, 9001)" },
    { "root-user", TEXT, FIELD(root_user), NULL, 0, 0,
      "root's access key and client id; made at the first start if not given" },
    { "root-password", SECRET, FIELD(root_password), NULL, 0, 0, "root's secret key and client secret" },
    { "key-file", TEXT, FIELD(key_file), NULL, 0, 0, "master key; DATA.key if not given" },
    { "identities", TEXT, FIELD(identities), NULL, 0, 0,
      "an s3.json in SeaweedFS' form with more identities" },
    { "anonymous-principal", TEXT, FIELD(anonymous_principal), NULL, 0, 0,
      "principal for callers without credentials (a risk)" },
    { "region", TEXT, FIELD(region), NULL, 0, 0,
      "the only region that signatures may name; any if not given" },
    { "domain", TEXT, FIELD(domain), NULL, 0, 0, "domain of virtual-host style addresses (BUCKET.DOMAIN)" },
    { "external-hosts", TEXT, FIELD(external_hosts), NULL, 0, 0,
      "Host values that a proxy in front replaces, comma-separated" },
    { "s3-endpoint", TEXT, FIELD(s3_endpoint), NULL, 0, 0,
      "S3 URL that the catalog tells clients; derived from Host if not given" },
    { "s3-endpoint-map", LIST, FIELD(s3_endpoint_map), NULL, 0, 0,
      "CATALOG-HOST=S3-URL pairs: what to tell whom" },
    { "buckets", LIST, FIELD(buckets), NULL, 0, 0, "buckets made at start if absent" },
    { "catalogs", LIST, FIELD(catalogs), NULL, 0, 0,
      "catalogs made at start if absent, each over a bucket of its name" },
    { "init-dir", TEXT, FIELD(init_dir), NULL, 0, 0,
      "directory whose files INIT-DIR/BUCKET/KEY are loaded at start where the object is absent" },
    { "log-level", TEXT, FIELD(log_level), "info", 0, 0, "error, warn, info or debug" },
    { "log-format", TEXT, FIELD(log_format), "text", 0, 0, "text, or json: one object a line" },
    { "metrics", BOOL, FIELD(metrics), "off", 0, 0, "answer /metrics without credentials" },
    { "recreate-ok", BOOL, FIELD(recreate_ok), "off", 0, 0,
      "creating a bucket that one owns answers 200, not 409" },
    { "http-threads", NUMBER, FIELD(http_threads), "0", 0, 256,
      "threads that serve connections; 0: one per core" },
    { "connections-max", NUMBER, FIELD(connections_max), "10000", 16, 1000000, "open connections at once" },
    { "idle-timeout", NUMBER, FIELD(idle_timeout_s), "60", 1, 3600,
      "seconds after which a connection that stands still is closed" },
    { "drain", NUMBER, FIELD(drain_s), "8", 0, 600, "seconds that running requests get at a stop" },
    { "part-size-min", SIZE, FIELD(part_size_min), "5MiB", 0, 5 * GIB,
      "smallest part of an upload but the last" },
    { "segment-size", SIZE, FIELD(segment_size), "64MiB", 256 * KIB, 1 * GIB, "journal segment" },
    { "volume-size", SIZE, FIELD(volume_size), "1GiB", 4 * MIB, 64 * GIB, "volume file" },
    { "checkpoint-rows", SIZE, FIELD(checkpoint_rows), "32MiB", 64 * KIB, 4 * GIB,
      "rows in memory that begin a checkpoint" },
    { "checkpoint-log", SIZE, FIELD(checkpoint_log), "256MiB", 256 * KIB, 64 * GIB,
      "journal that begins a checkpoint" },
    { "disk-floor", SIZE, FIELD(disk_floor), "256MiB", 1 * MIB, 1 * TIB,
      "free space below which writes are refused" },
    { "token-ttl", NUMBER, FIELD(token_ttl_s), "3600", 60, 604800, "seconds that a bearer token is valid" },
    { "vended-ttl", NUMBER, FIELD(vended_ttl_s), "43200", 60, 604800,
      "seconds that a vended S3 key is valid" },
    { "audit-reads", BOOL, FIELD(audit_reads), "on", 0, 0,
      "record in the audit log what was only read in the catalog, too" },
    { "audit-retention", NUMBER, FIELD(audit_days), "90", 0, 36500,
      "days that the audit log goes back; 0: for ever" },
    { "audit-size-max", SIZE, FIELD(audit_bytes_max), "1GiB", 64 * KIB, 1 * TIB,
      "size of the audit log above which its oldest rows go" },
    { "maintenance-interval", NUMBER, FIELD(maintenance_interval_s), "3600", 0, 2592000,
      "seconds between two rounds through the tables; 0: only by hand" },
    { "expire-snapshots", TEXT, FIELD(expire_snapshots), "properties", 0, 0,
      "whose snapshots expire by themselves: off, properties (tables that set history.expire.*), all" },
    { "expire-grace", NUMBER, FIELD(expire_grace_s), "86400", 0, 31536000,
      "seconds between the commit that lets go of a file and its deletion" },
    { "remove-orphans", BOOL, FIELD(remove_orphans), "off", 0, 0,
      "delete files in tables' places that nothing names, from seven days old" },
    { "maintenance-rate", NUMBER, FIELD(maintenance_rate), "1000", 1, 1000000,
      "files that maintenance deletes in a second, at most" },
    { "scrub-interval", NUMBER, FIELD(scrub_interval_s), "604800", 0, 31536000,
      "seconds from one reading of all objects against their checksums to the next; 0: never" },
    { "scrub-rate", SIZE, FIELD(scrub_rate), "8MiB", 64 * KIB, 64 * GIB,
      "what it reads in a second, at most" },
    { "copy-interval", NUMBER, FIELD(copy_interval_s), "86400", 0, 31536000,
      "seconds from one copy of the rows, for a broken LMDB, to the next; 0: none, and no journal kept for it" },
    { "external-credentials", TEXT, FIELD(external_credentials), NULL, 0, 0,
      "credentials for catalogs at other S3 endpoints: a file in the AWS shared-credentials form, 0600" },
    { "external-access-key", SECRET, FIELD(external_access_key), NULL, 0, 0,
      "access key for them, where there is no such file" },
    { "external-secret-key", SECRET, FIELD(external_secret_key), NULL, 0, 0, "secret key for them" },
    { "external-session-token", SECRET, FIELD(external_session_token), NULL, 0, 0,
      "session token of temporary ones" },
    { "external-timeout", NUMBER, FIELD(external_timeout_s), "20", 1, 600,
      "seconds that one call of another S3 endpoint may take, with all its attempts" },
};
#define SETTING_COUNT (sizeof(settings) / sizeof(settings[0]))

/* TEXT of which only some words have a meaning. */
static const struct choice {
    const char *setting, *words[5];
} choices[] = {
    { "log-level", { "error", "warn", "info", "debug" } },
    { "log-format", { "text", "json" } },
    { "expire-snapshots", { "off", "properties", "all" } },
};

/* Names that users of other servers already have, and the setting that each means. */
static const struct alias {
    const char *variable, *setting;
} aliases[] = {
    { "MINIO_ROOT_USER", "root-user" },
    { "MINIO_ROOT_PASSWORD", "root-password" },
    { "AWS_ACCESS_KEY_ID", "external-access-key" },
    { "AWS_SECRET_ACCESS_KEY", "external-secret-key" },
    { "AWS_SESSION_TOKEN", "external-session-token" },
};

/* Variables of the project that are not the server's settings: the command line's and the tests'. */
static const char *const other_variables[] = { "FIRN_ENDPOINT", "FIRN_CONFIG", "FIRN_CATALOG_ENDPOINT",
                                               "FIRN_CATALOG" };

struct loader {
    struct arena *arena;
    struct config *config;
    const char *origin[SETTING_COUNT]; /* where the value in force came from */
    struct jdbc jdbc;                  /* of the environment */
};

static const struct setting *setting_find(struct str name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (str_is(name, settings[i].name)) return &settings[i];
    }
    return NULL;
}

static void *field_of(const struct setting *s, struct config *c)
{
    return (char *)c + s->field;
}

/* "64MiB", "1GiB", "4096": bytes. */
static bool size_parse(struct str text, uint64_t *ret)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = { { "KiB", KIB }, { "MiB", MIB }, { "GiB", GIB }, { "TiB", TIB } };
    uint64_t factor = 1, number;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!str_ends(text, str_from_z(units[i].suffix))) continue;
        factor = units[i].factor;
        text = str_slice(text, 0, text.len - 3);
    }
    return str_to_u64(text, &number) && !__builtin_mul_overflow(number, factor, ret);
}

static bool bool_parse(struct str text, bool *ret)
{
    static const char *const words[2][4] = { { "off", "false", "no", "0" }, { "on", "true", "yes", "1" } };

    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 4; i++) {
            if (!str_is(text, words[value][i])) continue;
            *ret = value == 1;
            return true;
        }
    }
    return false;
}

static struct err list_add(struct loader *l, const struct setting *s, struct config_list *list,
                           struct str value, const char *origin)
{
    struct str piece;

    for (struct str_split it = str_split_on(value, ','); str_split_next(&it, &piece);) {
        piece = str_trim(piece);
        if (piece.len == 0) continue;
        if (list->count == CONFIG_LIST_MAX)
            return err_fail(ERR_INVALID, "%s: setting '%s' has more than %d values", origin, s->name,
                            CONFIG_LIST_MAX);
        list->items[list->count] = arena_str(l->arena, piece);
        if (!list->items[list->count++].data) return FAIL(ERR_NO_MEMORY, "no memory for the settings");
    }
    return OK;
}

static struct err number_set(const struct setting *s, uint64_t *field, struct str value, const char *origin)
{
    uint64_t number;
    const bool is_number = s->type == SIZE ? size_parse(value, &number) : str_to_u64(value, &number);

    if (!is_number)
        return err_fail(ERR_INVALID, "%s: setting '%s' must be a %s, not '%.*s'", origin, s->name,
                        s->type == SIZE ? "size such as 64MiB" : "number", STR_ARG(value));
    if (number < s->min || number > s->max)
        return err_fail(ERR_INVALID, "%s: setting '%s' must be from %llu to %llu, not '%.*s'", origin,
                        s->name, (unsigned long long)s->min, (unsigned long long)s->max, STR_ARG(value));
    *field = number;
    return OK;
}

static struct err choice_check(const struct setting *s, struct str value, const char *origin)
{
    const struct choice *choice = NULL;
    struct str words = STR("");

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        if (strcmp(choices[i].setting, s->name) == 0) choice = &choices[i];
    }
    for (int i = 0; choice && choice->words[i]; i++) {
        if (str_is(value, choice->words[i])) return OK;
        words = str_from_z(err_format("%.*s%s%s", STR_ARG(words), i ? ", " : "", choice->words[i]));
    }
    if (!choice) return OK;
    return err_fail(ERR_INVALID, "%s: setting '%s' must be one of %.*s, not '%.*s'", origin, s->name,
                    STR_ARG(words), STR_ARG(value));
}

/* Give a setting its value. is_more: a further value of the same source, added to a list rather than replacing it. */
static struct err setting_set(struct loader *l, const struct setting *s, struct str value, const char *origin,
                              bool is_more)
{
    void *field = field_of(s, l->config);

    l->origin[s - settings] = origin;
    switch (s->type) {
    case TEXT:
    case SECRET:
        TRY(choice_check(s, value, origin));
        *(struct str *)field = arena_str(l->arena, value);
        return ((struct str *)field)->data ? OK : FAIL(ERR_NO_MEMORY, "no memory for the settings");
    case LIST:
        if (!is_more) ((struct config_list *)field)->count = 0;
        return list_add(l, s, field, value, origin);
    case BOOL:
        if (bool_parse(value, field)) return OK;
        return err_fail(ERR_INVALID, "%s: setting '%s' must be on or off, not '%.*s'", origin, s->name,
                        STR_ARG(value));
    case NUMBER:
    case SIZE: return number_set(s, field, value, origin);
    }
    return OK;
}

static struct err load_defaults(struct loader *l)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (settings[i].fallback)
            TRY(setting_set(l, &settings[i], str_from_z(settings[i].fallback), "default", false));
        l->origin[i] = "default";
    }
    return OK;
}

/* ---- the file ---- */

static struct err load_line(struct loader *l, struct str line, const char *origin)
{
    struct str name;

    line = str_trim(line);
    if (line.len == 0 || line.data[0] == '#') return OK;
    if (!str_contains(line, STR("=")))
        return err_fail(ERR_INVALID, "%s: '%.*s' is not of the form name = value", origin, STR_ARG(line));
    struct str value = str_trim(str_cut(line, '=', &name));
    name = str_trim(name);
    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
        value = str_slice(value, 1, value.len - 1);
    const struct setting *s = setting_find(name);
    if (!s) return err_fail(ERR_INVALID, "%s: unknown setting '%.*s'", origin, STR_ARG(name));
    return setting_set(l, s, value, origin, false);
}

static struct err load_file(struct loader *l, const char *path)
{
    char *text;
    size_t len;
    int number = 0;
    struct str line;

    TRY(sys_read_file(path, 1 * MIB, &text, &len));
    const struct str copy = arena_str(l->arena, str_of(text, len));
    free(text);
    if (!copy.data) return FAIL(ERR_NO_MEMORY, "no memory for the settings");
    for (struct str_split it = str_split_on(copy, '\n'); str_split_next(&it, &line);) {
        const struct str origin = arena_printf(l->arena, "%s line %d", path, ++number);
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        TRY(load_line(l, line, origin.data ? origin.data : path));
    }
    return OK;
}

/* ---- the environment ---- */

/* "FIRN_S3_ADDRESS" is the variable of "s3-address". */
static bool is_variable_of(struct str variable, const char *name)
{
    const size_t len = strlen(name);

    if (variable.len != len + 5 || !str_starts(variable, STR("FIRN_"))) return false;
    for (size_t i = 0; i < len; i++) {
        const char c = name[i] == '-' ? '_'
                                      : (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]);
        if (variable.data[5 + i] != c) return false;
    }
    return true;
}

static const struct setting *setting_of_variable(struct str variable)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (is_variable_of(variable, settings[i].name)) return &settings[i];
    }
    return NULL;
}

static bool is_other_variable(struct str variable)
{
    for (size_t i = 0; i < sizeof(other_variables) / sizeof(other_variables[0]); i++) {
        if (str_is(variable, other_variables[i])) return true;
    }
    return str_starts(variable, STR("FIRN_TEST_"));
}

/* POLARIS_BOOTSTRAP_CREDENTIALS=realm,client-id,client-secret */
static struct err load_bootstrap_credentials(struct loader *l, struct str value)
{
    struct str realm, id;
    const struct str rest = str_cut(value, ',', &realm);
    const struct str secret = str_cut(rest, ',', &id);
    const char *origin = "environment POLARIS_BOOTSTRAP_CREDENTIALS";

    if (realm.len == 0 || id.len == 0 || secret.len == 0)
        return err_fail(ERR_INVALID, "%s: must be REALM,CLIENT-ID,CLIENT-SECRET", origin);
    TRY(setting_set(l, setting_find(STR("root-user")), id, origin, false));
    return setting_set(l, setting_find(STR("root-password")), secret, origin, false);
}

static struct err load_alias(struct loader *l, struct str variable, struct str value)
{
    if (str_is(variable, "POLARIS_BOOTSTRAP_CREDENTIALS")) return load_bootstrap_credentials(l, value);
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (!str_is(variable, aliases[i].variable)) continue;
        return setting_set(l, setting_find(str_from_z(aliases[i].setting)), value, aliases[i].variable,
                           false);
    }
    return jdbc_take(&l->jdbc, variable, value);
}

/* Polaris' PostgreSQL, which takes several variables. */
static struct err load_jdbc(struct loader *l)
{
    struct str store;

    TRY(jdbc_store(&l->jdbc, l->arena, &store));
    return store.len
        ? setting_set(l, setting_find(STR("store")), store, "environment QUARKUS_DATASOURCE_JDBC_URL", false)
        : OK;
}

/* Two passes: FIRN_ names win over other servers' names, whatever their order. */
static struct err load_environment(struct loader *l, char **environment, bool is_own)
{
    for (char **entry = environment; entry && *entry; entry++) {
        struct str variable;
        const struct str value = str_cut(str_from_z(*entry), '=', &variable);
        if (str_starts(variable, STR("FIRN_")) != is_own) continue;
        if (!is_own) {
            TRY(load_alias(l, variable, value));
            continue;
        }
        const struct setting *s = setting_of_variable(variable);
        if (!s && is_other_variable(variable)) continue;
        if (!s) return err_fail(ERR_INVALID, "environment: unknown setting '%.*s'", STR_ARG(variable));
        const struct str origin = arena_printf(l->arena, "environment %.*s", STR_ARG(variable));
        TRY(setting_set(l, s, value, origin.data ? origin.data : "environment", false));
    }
    return OK;
}

/* ---- flags ---- */

/* "--name=value" or "--name value"; a BOOL may stand alone. *i is moved to the last word used. */
static struct err load_flag(struct loader *l, int argc, char **argv, int *i, bool *is_seen)
{
    struct str name, value = STR_NONE;
    const struct str word = str_from_z(argv[*i]);

    if (!str_starts(word, STR("--")))
        return err_fail(ERR_INVALID, "'%s' is not a flag; see --help", argv[*i]);
    const struct str rest = str_cut(str_from(word, 2), '=', &name);
    if (str_contains(word, STR("="))) value = rest.data ? rest : STR("");
    const bool is_config = str_is(name, "config");
    const struct setting *s = setting_find(name);
    if (!s && !is_config) return err_fail(ERR_INVALID, "unknown flag '--%.*s'; see --help", STR_ARG(name));
    if (!value.data && s && s->type == BOOL
        && (*i + 1 == argc || str_starts(str_from_z(argv[*i + 1]), STR("--"))))
        value = STR("on");
    if (!value.data) {
        if (++*i >= argc) return err_fail(ERR_INVALID, "flag '--%.*s' needs a value", STR_ARG(name));
        value = str_from_z(argv[*i]);
    }
    if (is_config) return OK;
    const bool is_more = is_seen[s - settings];
    is_seen[s - settings] = true;
    return setting_set(l, s, value, "flag", is_more);
}

static struct err load_flags(struct loader *l, int argc, char **argv)
{
    bool is_seen[SETTING_COUNT] = { false };

    for (int i = 0; i < argc; i++) TRY(load_flag(l, argc, argv, &i, is_seen));
    return OK;
}

/* The file's name has to be known before the rest: --config FILE, or FIRN_CONFIG. */
static const char *config_path(int argc, char **argv, char **environment)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) return argv[i + 1];
        if (strncmp(argv[i], "--config=", 9) == 0) return argv[i] + 9;
    }
    for (char **entry = environment; entry && *entry; entry++) {
        if (strncmp(*entry, "FIRN_CONFIG=", 12) == 0) return *entry + 12;
    }
    return NULL;
}

static struct err load_all(struct loader *l, int argc, char **argv, char **environment)
{
    const char *path = config_path(argc, argv, environment);

    TRY(load_defaults(l));
    if (path) TRY(load_file(l, path));
    TRY(load_environment(l, environment, false));
    TRY(load_jdbc(l));
    TRY(load_environment(l, environment, true));
    return load_flags(l, argc, argv);
}

/* What all servers that share a store have in common has to be given to each. */
static struct err check_shared(const struct loader *l, const struct config *c)
{
    const char *origin = l->origin[setting_find(STR("store-shared")) - settings];

    if (!c->store_shared) return OK;
    if (!c->store.len)
        return err_fail(ERR_INVALID,
                        "%s: setting 'store-shared' needs setting 'store': the rows have to be in PostgreSQL",
                        origin);
    if (!c->root_user.len || !c->root_password.len)
        return err_fail(
            ERR_INVALID,
            "%s: setting 'store-shared' needs 'root-user' and 'root-password', the same on each server",
            origin);
    return OK;
}

struct err config_load(int argc, char **argv, char **environment, struct arena *arena, struct config *ret)
{
    struct config config = { 0 };
    struct loader l = { .arena = arena, .config = &config };

    TRY(load_all(&l, argc, argv, environment));
    if (config.data.len == 0) return FAIL(ERR_INVALID, "no data directory: give --data DIR (or FIRN_DATA)");
    if (config.store.len && !str_starts(config.store, STR("postgresql://"))
        && !str_starts(config.store, STR("postgres://")))
        return err_fail(ERR_INVALID, "%s: setting 'store' must begin with postgresql://",
                        l.origin[setting_find(STR("store")) - settings]);
    TRY(check_shared(&l, &config));
    *ret = config;
    return OK;
}

/* ---- showing ---- */

static void print_value(const struct setting *s, struct config *c, FILE *out)
{
    const void *field = field_of(s, c);

    switch (s->type) {
    case TEXT: fprintf(out, "%.*s", STR_ARG(*(const struct str *)field)); break;
    case SECRET: fputs(((const struct str *)field)->len ? "(set)" : "(not set)", out); break;
    case BOOL: fputs(*(const bool *)field ? "on" : "off", out); break;
    case NUMBER:
    case SIZE: fprintf(out, "%llu", (unsigned long long)*(const uint64_t *)field); break;
    case LIST: {
        const struct config_list *list = field;
        for (size_t i = 0; i < list->count; i++)
            fprintf(out, "%s%.*s", i ? "," : "", STR_ARG(list->items[i]));
        break;
    }
    }
}

struct err config_show(int argc, char **argv, char **environment, FILE *out)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 * MIB);
    struct config config = { 0 };
    struct loader l = { .arena = arena, .config = &config };

    if (!arena) return FAIL(ERR_NO_MEMORY, "no memory for the settings");
    TRY(load_all(&l, argc, argv, environment));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        fprintf(out, "%s = ", settings[i].name);
        print_value(&settings[i], &config, out);
        fprintf(out, "  # %s\n", l.origin[i]);
    }
    return OK;
}

void config_help(FILE *out)
{
    fputs(
        "Settings: --NAME VALUE, FIRN_NAME in the environment, or NAME = VALUE in the file given by --config.\n\n",
        out);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        fprintf(out, "  --%-20s %s", settings[i].name, settings[i].help);
        if (settings[i].fallback) fprintf(out, " [%s]", settings[i].fallback);
        fputc('\n', out);
    }
}
