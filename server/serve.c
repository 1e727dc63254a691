/*
 * serve.c - the life of the server.
 *
 * Things are opened in the order of struct server's fields and closed in reverse; what was not opened is NULL, and every close takes NULL, so there is one way out
 * for a start that failed half way and for a stop.
 *
 *   DIR/            the store's directory (made at the first start)
 *   DIR/rows/       journal and LMDB (storage/meta); not with setting store: then PostgreSQL has the rows
 *   DIR/volumes/    bodies (storage/volume); not with setting store-shared
 *   DIR/endpoints.json   where the server listens; written when it is ready, removed at a stop
 *   DIR.key, DIR.root    beside it: master key and root credential (admin/iam)
 */
#include "server/serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "admin/iam/iam.h"
#include "admin/store/backup_job.h"
#include "admin/store/move_mark.h"
#include "admin/store/place.h"
#include "catalog/commit/securable.h"
#include "catalog/maintain/maintain.h"
#include "catalog/refs/live_guard.h"
#include "server/background.h"
#include "server/external.h"
#include "server/iceberg/iceberg.h"
#include "server/init_dir.h"
#include "server/manage/backup_edge.h"
#include "server/manage/front.h"
#include "server/manage/maintenance.h"
#include "server/manage/manage.h"
#include "server/s3/s3.h"
#include "server/version.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/md5_streams.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

enum { FRONT_S3, FRONT_CATALOG, FRONT_STATUS, FRONT_COUNT };

struct server {
    const struct config *config;
    struct arena *arena; /* paths, addresses */
    struct store store;
    sigset_t stop_signals;
    int stop_signal; /* came while waiting for the store */
    bool is_new_store;
    uint8_t store_id[16];
    struct iam *iam;
    struct s3 *s3;
    struct iceberg *iceberg;
    enum maintain_expire expire;
    struct maintain *maintain;
    struct manage *manage;
    struct audit_log *audit;
    struct background *background;
    struct maintenance *maintenance;
    struct backup_job *backup_job;
    struct backup_edge *backup;
    struct front *fronts[FRONT_COUNT];
    struct http_server *http;
    struct buf endpoints;
};

static struct str path_in(struct server *s, const char *name)
{
    return arena_printf(s->arena, "%.*s/%s", STR_ARG(s->config->data), name);
}

/* ---- the store ---- */

static struct err read_store_id(struct server *s)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str value;

    TRY(view_open(s->store.meta, &view));
    const struct err e = rows_get(view, SPACE_SYSTEM, STR("store-id"), &value);
    s->is_new_store = e.code == ERR_NOT_FOUND;
    if (s->is_new_store) return iam_choose_store_id(s->config->data, s->config->key_file, s->store_id);
    TRY(e);
    if (value.len != sizeof(s->store_id)) return FAIL(ERR_CORRUPT, "the store's id is damaged");
    memcpy(s->store_id, value.data, sizeof(s->store_id));
    return OK;
}

static struct err put_store_id(struct txn *txn, void *arg)
{
    const struct server *s = arg;
    const struct str mine = str_of(s->store_id, sizeof(s->store_id));
    struct str value;
    const struct err e = rows_get(txn_rows(txn), SPACE_SYSTEM, STR("store-id"), &value);

    if (e.code == ERR_OK && str_eq(value, mine)) return OK;
    if (e.code == ERR_OK)
        return FAIL(
            ERR_INVALID,
            "another server made the store meanwhile: replace this one's master key by a copy of that one's, and start again");
    if (e.code != ERR_NOT_FOUND) return e;
    return txn_put(txn, SPACE_SYSTEM, STR("store-id"), str_of(s->store_id, sizeof(s->store_id)));
}

/* A directory that was made now is durable only once its parent is: a power cut must not take the whole store. */
static struct err make_data_dir(struct server *s, const char *data)
{
    const struct str parent = path_in(s, "..");
    struct stat st;

    if (sys_stat(data, &st).code == ERR_OK) return OK;
    if (!parent.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(sys_mkdir(data, 0700));
    return sys_sync_dir(parent.data);
}

/* ---- waiting for PostgreSQL ---- */

static struct err open_waiting_front(struct server *s, int which, const struct config_list *addresses)
{
    const struct front_options o = {
        .is_waiting = true,
        .is_catalog = which == FRONT_CATALOG,
        .has_metrics = s->config->metrics && which != FRONT_STATUS,
        .store = &s->store,
        .data_dir = s->config->data,
    };

    if (addresses->count == 0) return OK;
    TRY(front_new(&o, &s->fronts[which]));
    for (size_t i = 0; i < addresses->count; i++) {
        const struct http_listener *l;
        TRY(http_server_listen(s->http, addresses->items[i], front_app(s->fronts[which]), &l));
    }
    return OK;
}

static struct err open_waiting_edges(struct server *s)
{
    const struct http_options o = { .threads = 2,
                                    .connections_max = (int)s->config->connections_max,
                                    .idle_timeout_s = (int)s->config->idle_timeout_s };

    TRY(http_server_new(&o, &s->http));
    TRY(open_waiting_front(s, FRONT_S3, &s->config->s3_address));
    TRY(open_waiting_front(s, FRONT_CATALOG, &s->config->catalog_address));
    return open_waiting_front(s, FRONT_STATUS, &s->config->status_address);
}

static void close_edges(struct server *s)
{
    s->http = http_server_stop(s->http, (int)s->config->drain_s * 1000);
    for (int i = 0; i < FRONT_COUNT; i++) s->fronts[i] = front_free(s->fronts[i]);
}

static struct err wait_until_open(struct server *s)
{
    const struct timespec pause = { .tv_nsec = 100000000 };
    struct meta_status status;

    for (;;) {
        meta_status(s->store.meta, &status);
        if (status.is_open) return OK;
        if (status.is_stopped) return err_fail(ERR_UNAVAILABLE, "%s", status.why_not);
        s->stop_signal = sigtimedwait(&s->stop_signals, NULL, &pause);
        if (s->stop_signal > 0) return FAIL(ERR_CLOSED, "stopped while waiting for PostgreSQL");
    }
}

/* The rest of the start reads rows. While PostgreSQL is not there, the same ports answer health (and not ready) from a server of their own, which makes way for the real one. */
static struct err wait_for_rows(struct server *s)
{
    struct meta_status status;

    meta_status(s->store.meta, &status);
    if (status.is_open) return OK;
    LOG_WARN("waiting for PostgreSQL, only health is answered", STRF("why", status.why_not));
    struct err e = open_waiting_edges(s);
    if (!e.code) e = wait_until_open(s);
    close_edges(s);
    return e;
}

static struct err open_store(struct server *s)
{
    const struct config *c = s->config;
    const struct str data = arena_str(s->arena, c->data);
    const struct str rows = path_in(s, "rows"), volumes = path_in(s, "volumes");

    if (!data.data || !rows.data || !volumes.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(make_data_dir(s, data.data));
    const struct str store = arena_str(s->arena, c->store), schema = arena_str(s->arena, c->store_schema);
    if (!store.data || !schema.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(store_place_check(&(struct store_place){ .dir = data.data, .store = store.len ? store.data : NULL }));
    const struct meta_options m = {
        .store = store.len ? store.data : NULL,
        .schema = schema.data,
        .read_timeout_ms = c->store_timeout_s * 1000,
        .is_shared = c->store_shared,
        .dir = rows.data,
        .segment_bytes = c->segment_size,
        .checkpoint_rows_bytes = c->checkpoint_rows,
        .checkpoint_log_bytes = c->checkpoint_log,
        .disk_floor_bytes = c->disk_floor,
        .copy_interval_ms = c->copy_interval_s * 1000,
    };
    const struct err opened = meta_open(&m, &s->store.meta);
    if (opened.code) return m.store ? opened : store_place_advise(data.data, opened);
    TRY(wait_for_rows(s));
    TRY(move_mark_refuse(s->store.meta));
    const struct blob_options b = {
        .dir = c->store_shared ? NULL : volumes.data,
        .meta = s->store.meta,
        .volume_bytes = c->volume_size,
        .disk_floor_bytes = c->disk_floor,
    };
    TRY(blob_open(&b, &s->store.blobs));
    TRY(md5_streams_start(&s->store.md5));
    s->store.part_bytes_min = c->part_size_min;
    s->store.small_body_max = c->store_shared ? LIMIT_JOURNAL_BODY : LIMIT_SMALL_BODY;
    return read_store_id(s);
}

static void say_root(struct server *s)
{
    fprintf(
        stderr,
        "firn: made root credentials, kept in %.*s.root (0600):\n  FIRN_ROOT_USER=%.*s\n  FIRN_ROOT_PASSWORD=%.*s\n",
        STR_ARG(s->config->data), STR_ARG(iam_root_user(s->iam)), STR_ARG(iam_root_password(s->iam)));
}

static struct err open_identities(struct server *s)
{
    const struct config *c = s->config;
    bool made_root = false;
    struct iam_options o = {
        .data_dir = c->data,
        .key_file = c->key_file,
        .root_user = c->root_user,
        .root_password = c->root_password,
        .identities_file = c->identities,
        .anonymous_principal = c->anonymous_principal,
        .is_new_store = s->is_new_store,
        .meta = s->store.meta,
        .lease_ms = c->store_shared ? LIMIT_IDENTITIES_LEASE_MS : 0,
    };

    memcpy(o.store_id, s->store_id, sizeof(o.store_id));
    TRY(iam_open(&o, &s->iam, &made_root));
    /* The key first, then the store's id: no crash between leaves a store without its key. */
    if (s->is_new_store) TRY(meta_run(s->store.meta, put_store_id, s));
    if (made_root) say_root(s);
    if (c->anonymous_principal.len)
        LOG_WARN("callers without credentials act as a principal", STRV("principal", c->anonymous_principal));
    return OK;
}

/* ---- what is made at start if absent ---- */

static struct err ensure_bucket(struct server *s, struct str name)
{
    const struct err e = bucket_create(&s->store, name, iam_root_user(s->iam), STR_NONE);

    if (e.code == ERR_BUCKET_OWNED_BY_YOU || e.code == ERR_EXISTS) return OK;
    if (e.code != ERR_OK) return err_fail(e.code, "bucket '%.*s' cannot be made: %s", STR_ARG(name), e.why);
    LOG_INFO("bucket made", STRV("bucket", name));
    return OK;
}

static struct err ensure_catalog(struct server *s, struct str name)
{
    const struct actor who = { .principal = iam_root_user(s->iam),
                               .request_id = STR("start"),
                               .address = STR("-") };
    const struct str location = arena_printf(s->arena, "s3://%.*s", STR_ARG(name));

    TRY(ensure_bucket(s, name));
    if (!location.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    const struct err e = catalog_ensure(&s->store, name, location, &who);
    if (e.code != ERR_OK) return err_fail(e.code, "catalog '%.*s' cannot be made: %s", STR_ARG(name), e.why);
    return OK;
}

/* A stop that was asked for while files are loaded: the signal stays pending for serve(). */
static bool is_stop_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0
        && (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static struct err load_init_dir(struct server *s)
{
    const uint64_t begin = clock_mono_ms();
    const struct init_dir_options o = {
        .store = &s->store,
        .dir = s->config->init_dir,
        .owner = iam_root_user(s->iam),
        .should_stop = is_stop_pending,
    };
    struct init_dir_result r;

    if (o.dir.len == 0) return OK;
    TRY(init_dir_load(&o, &r));
    if (r.is_stopped) LOG_INFO("loading of the init directory was stopped before its end");
    LOG_INFO("init directory", STRV("dir", o.dir), U64("loaded", r.loaded), U64("present", r.present),
             U64("passed_over", r.passed_over), U64("bytes", r.bytes), U64("ms", clock_mono_ms() - begin));
    return OK;
}

static struct err ensure_all(struct server *s)
{
    for (size_t i = 0; i < s->config->buckets.count; i++) TRY(ensure_bucket(s, s->config->buckets.items[i]));
    for (size_t i = 0; i < s->config->catalogs.count; i++)
        TRY(ensure_catalog(s, s->config->catalogs.items[i]));
    TRY(iam_bootstrap(s->iam));
    return load_init_dir(s);
}

/* ---- what runs beside ---- */

static struct err open_maintenance(struct server *s)
{
    const struct maintain_options o = {
        .store = &s->store,
        .interval_s = s->config->maintenance_interval_s,
        .grace_s = s->config->expire_grace_s,
        .expire = s->expire,
        .removes_orphans = s->config->remove_orphans,
        .rate = s->config->maintenance_rate,
    };

    return maintain_new(&o, &s->maintain);
}

/* ---- the edges ---- */

static struct err open_s3(struct server *s)
{
    const struct s3_options o = {
        .store = &s->store,
        .iam = s->iam,
        .region = s->config->region,
        .domain = s->config->domain,
        .external_hosts = s->config->external_hosts,
        .audit = s->audit,
        .guard = &live_guard,
        .is_recreate_ok = s->config->recreate_ok,
    };
    return s3_new(&o, &s->s3);
}

static struct err open_iceberg(struct server *s, uint16_t s3_port)
{
    const struct iceberg_options o = {
        .store = &s->store,
        .iam = s->iam,
        .s3_endpoint = s->config->s3_endpoint,
        .s3_endpoint_map = s->config->s3_endpoint_map.items,
        .s3_endpoint_map_count = s->config->s3_endpoint_map.count,
        .s3_port = s3_port,
        .region = s->config->region,
        .audit = s->audit,
        .audit_reads = s->config->audit_reads,
        .token_ttl_s = (int64_t)s->config->token_ttl_s,
        .vended_ttl_s = (int64_t)s->config->vended_ttl_s,
    };
    return iceberg_new(&o, &s->iceberg);
}

static struct err open_maintenance_edge(struct server *s)
{
    const struct maintenance_options o = {
        .store = &s->store,
        .iam = s->iam,
        .maintain = s->maintain,
        .audit = s->audit,
        .audit_reads = s->config->audit_reads,
    };
    return maintenance_new(&o, &s->maintenance);
}

static struct err open_front(struct server *s, int which, const struct http_app *api)
{
    const struct front_options o = {
        .api = api,
        .management = which == FRONT_CATALOG ? manage_app(s->manage) : NULL,
        .is_catalog = which == FRONT_CATALOG,
        .has_metrics = s->config->metrics && which != FRONT_STATUS,
        .iam = s->iam,
        .store = &s->store,
        .maintenance = which == FRONT_CATALOG ? s->maintenance : NULL,
        .backup = which == FRONT_CATALOG ? s->backup : NULL,
        .data_dir = s->config->data,
    };
    return front_new(&o, &s->fronts[which]);
}

/* Listen on each address; endpoints.json gets "name": [urls]. */
static struct err listen_on(struct server *s, const char *name, const struct config_list *addresses,
                            int which, uint16_t *ret_port)
{
    buf_printf(&s->endpoints, "%s\"%s\": [", s->endpoints.len > 1 ? ", " : "", name);
    for (size_t i = 0; i < addresses->count; i++) {
        const struct http_listener *l;
        TRY(http_server_listen(s->http, addresses->items[i], front_app(s->fronts[which]), &l));
        if (i == 0 && ret_port) *ret_port = http_listener_port(l);
        buf_printf(&s->endpoints, "%s\"%.*s\"", i ? ", " : "", STR_ARG(http_listener_url(l)));
        LOG_INFO("listening, plain HTTP", STRF("api", name), STRV("url", http_listener_url(l)));
    }
    buf_char(&s->endpoints, ']');
    return OK;
}

static struct err open_edges(struct server *s)
{
    const struct http_options o = {
        .threads = (int)s->config->http_threads,
        .connections_max = (int)s->config->connections_max,
        .idle_timeout_s = (int)s->config->idle_timeout_s,
    };
    uint16_t s3_port = 0;

    TRY(http_server_new(&o, &s->http));
    TRY(open_s3(s));
    TRY(open_front(s, FRONT_S3, s3_app(s->s3)));
    TRY(listen_on(s, "s3", &s->config->s3_address, FRONT_S3, &s3_port));
    TRY(open_iceberg(s, s3_port));
    TRY(open_maintenance_edge(s));
    const struct manage_options m = {
        .store = &s->store, .iam = s->iam, .audit = s->audit, .audit_reads = s->config->audit_reads
    };
    TRY(manage_new(&m, &s->manage));
    TRY(backup_job_new(&s->store, s->config->data, &s->backup_job));
    TRY(backup_edge_new(s->iam, s->backup_job, s->audit, &s->backup));
    TRY(open_front(s, FRONT_CATALOG, iceberg_app(s->iceberg)));
    TRY(listen_on(s, "catalog", &s->config->catalog_address, FRONT_CATALOG, NULL));
    if (s->config->status_address.count == 0) return OK;
    TRY(open_front(s, FRONT_STATUS, NULL));
    return listen_on(s, "status", &s->config->status_address, FRONT_STATUS, NULL);
}

static struct err write_endpoints(struct server *s)
{
    const struct str path = path_in(s, "endpoints.json");

    buf_z(&s->endpoints, "}\n");
    TRY(buf_err(&s->endpoints));
    if (!path.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    return sys_write_file(path.data, buf_view(&s->endpoints), 0644);
}

/* ---- start and stop ---- */

static struct err open_all(struct server *s)
{
    TRY(external_open(s->config, s->arena, &s->store.remote));
    TRY(open_store(s));
    TRY(securable_migrate(&s->store));
    TRY(open_identities(s));
    TRY(ensure_all(s));
    TRY(open_maintenance(s));
    TRY(audit_log_new(&s->store, &s->audit));
    const struct background_options b = {
        .store = &s->store,
        .iam = s->iam,
        .maintain = s->maintain,
        .scrub = { .store = &s->store,
                   .interval_s = s->config->scrub_interval_s,
                   .rate = s->config->scrub_rate },
        .audit = s->audit,
        .audit_retention = { .age_ms = (int64_t)s->config->audit_days * 86400000,
                             .bytes_max = s->config->audit_bytes_max },
    };
    TRY(background_start(&b, &s->background));
    TRY(open_edges(s));
    return write_endpoints(s);
}

static void close_all(struct server *s)
{
    const struct str endpoints = path_in(s, "endpoints.json");

    front_begin_stop();
    if (s->http && endpoints.data) err_ignore(sys_unlink(endpoints.data));
    close_edges(s);
    s->backup = backup_edge_free(s->backup);
    s->backup_job = backup_job_free(s->backup_job);
    s->maintenance = maintenance_free(s->maintenance);
    s->background = background_stop(s->background);
    if (s->audit) err_ignore(audit_log_flush(s->audit)); /* what was refused in the last second */
    s->audit = audit_log_free(s->audit);
    s->maintain = maintain_free(s->maintain);
    s->manage = manage_free(s->manage);
    s->iceberg = iceberg_free(s->iceberg);
    s->s3 = s3_free(s->s3);
    s->iam = iam_close(s->iam);
    s->store.md5 = md5_streams_stop(s->store.md5);
    s->store.blobs = blob_close(s->store.blobs);
    s->store.meta = meta_close(s->store.meta);
    s->store.remote = remote_free(s->store.remote);
}

/* SIGTERM and SIGINT are blocked in every thread and waited for here: no handler, nothing asynchronous. */
static void block_signals(sigset_t *stop)
{
    sigemptyset(stop);
    sigaddset(stop, SIGTERM);
    sigaddset(stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop, NULL);
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
}

/* Secrets are in memory and, often, in the environment: no core file holds them, and no other process of the same user reads them (reliability.md G7). */
static void hide_memory(void)
{
#ifndef __SANITIZE_ADDRESS__ /* whose leak check has to look */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) LOG_WARN("core files could not be switched off");
#endif
}

/* Connections, volumes and segments are files: as many as the system lets this process have. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) LOG_WARN("the limit of open files could not be raised");
}

/* What the metrics of queues and sizes are to be compared with. */
static void say_limits(const struct config *config)
{
    METRIC_SET(process_start_timestamp_seconds, clock_now_ms() / 1000);
    METRIC_SET(meta_queue_max, LIMIT_META_QUEUE);
    METRIC_SET(memtable_max_bytes, config->checkpoint_rows);
    METRIC_SET(disk_floor_bytes, config->disk_floor);
}

/* Settings that are one of some words: wrong ones stop the start before anything is made. */
static struct err read_words(struct server *s)
{
    const struct config *c = s->config;
    enum log_level level;

    if (!log_level_from(c->log_level, &level))
        return err_fail(ERR_INVALID, "setting 'log-level' must be error, warn, info or debug, not '%.*s'",
                        STR_ARG(c->log_level));
    log_set_level(level);
    if (!str_is(c->log_format, "json") && !str_is(c->log_format, "text"))
        return err_fail(ERR_INVALID, "setting 'log-format' must be text or json, not '%.*s'",
                        STR_ARG(c->log_format));
    log_set_json(str_is(c->log_format, "json"));
    if (maintain_expire_from(c->expire_snapshots, &s->expire)) return OK;
    return err_fail(ERR_INVALID, "setting 'expire-snapshots' must be off, properties or all, not '%.*s'",
                    STR_ARG(c->expire_snapshots));
}

struct err serve(const struct config *config)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 * MIB);
    struct server s = { .config = config, .arena = arena };
    int number = 0;

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(read_words(&s));
    raise_file_limit();
    hide_memory();
    block_signals(&s.stop_signals);
    say_limits(config);
    buf_init(&s.endpoints, 64 * KIB);
    buf_char(&s.endpoints, '{');
    struct err e = open_all(&s);
    if (s.stop_signal > 0) {
        e = OK;
        LOG_INFO("stopping before it was ready");
    } else if (e.code == ERR_OK) {
        LOG_INFO("ready", STRF("version", FIRN_VERSION), STRV("data", config->data));
        while (sigwait(&s.stop_signals, &number) != 0) continue;
        LOG_INFO("stopping", STRF("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    }
    static char why[512];
    const struct err kept = err_keep(e, why, sizeof(why));
    close_all(&s);
    buf_done(&s.endpoints);
    if (e.code == ERR_OK) LOG_INFO("stopped");
    return kept;
}
