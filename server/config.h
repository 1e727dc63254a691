/*
 * config.h - every setting of the server, in one table.
 *
 * A setting has one name. It is given, from weakest to strongest: its default; a line `name = value` of the file (--config FILE); the
 * environment (FIRN_NAME, and the names that users of MinIO and Polaris already have); a flag (--name VALUE). Dashes in names are underscores in the
 * environment. Lists are comma-separated, and a flag of a list may be repeated. Unknown names and wrong values are errors that name the
 * place and the word; nothing is guessed. `firn config show` prints what is in force, `firn serve --help` the table.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

#define CONFIG_LIST_MAX 64

struct config_list {
    struct str items[CONFIG_LIST_MAX];
    size_t count;
};

/* Values; strings live in the arena given to config_load. Sizes in bytes, times as the names say. */
struct config {
    struct str data;
    struct str store, store_schema;
    uint64_t store_timeout_s;
    bool store_shared;
    struct config_list s3_address, catalog_address, status_address;
    struct str root_user, root_password;
    struct str key_file, identities, anonymous_principal;
    struct str region, domain, external_hosts, s3_endpoint;
    struct config_list s3_endpoint_map;
    struct config_list buckets, catalogs;
    struct str init_dir, log_level, log_format;
    bool metrics, recreate_ok;
    uint64_t http_threads, connections_max, idle_timeout_s, drain_s;
    uint64_t part_size_min, segment_size, volume_size, checkpoint_rows, checkpoint_log, disk_floor;
    uint64_t token_ttl_s, vended_ttl_s;
    bool audit_reads;
    uint64_t audit_days, audit_bytes_max;
    uint64_t maintenance_interval_s, expire_grace_s, maintenance_rate;
    struct str expire_snapshots;
    bool remove_orphans;
    uint64_t scrub_interval_s, scrub_rate;
    uint64_t copy_interval_s;
    struct str external_credentials, external_access_key, external_secret_key, external_session_token;
    uint64_t external_timeout_s;
};

/* Read everything. argv: what follows the verb (`serve`). environment: as environ. ERR_INVALID with setting, place and word. */
struct err config_load(int argc, char **argv, char **environment, struct arena *arena, struct config *ret);

/* "name = value" for each setting, secrets as "(set)" or "(not set)", with where it came from behind '#'. */
struct err config_show(int argc, char **argv, char **environment, FILE *out);

/* The table for --help. */
void config_help(FILE *out);

#endif
