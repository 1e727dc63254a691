/*
 * backup.c - firn backup DIRECTORY: ask the running server for a backup, and wait until it has ended.
 *
 * The server copies to a directory of its own machine, whoever asks from where. When the waiting is cut off, the backup goes on.
 */
#include "admin/cli/api.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

#define PATH "/api/firn/v1/backup"
#define ASK_EVERY_MS 200 /* a backup takes seconds to hours */

static const struct column columns[] = {
    { "directory", "directory", COLUMN_TEXT },
    { "number", "backup", COLUMN_NUMBER },
    { "files", "files", COLUMN_NUMBER },
    { "bytes", "  size", COLUMN_SIZE },
    { "files-copied", "copied now", COLUMN_NUMBER },
    { "bytes-copied", "  size", COLUMN_SIZE },
    { NULL, NULL, COLUMN_TEXT },
};

static void wait_a_while(void)
{
    struct mutex lock = MUTEX_INIT(LOCK_SERVER);
    struct cond nobody_signals;
    const uint64_t until = clock_mono_ms() + ASK_EVERY_MS;

    cond_init(&nobody_signals);
    mutex_lock(&lock);
    while (cond_wait_until(&nobody_signals, &lock, until)) continue;
    mutex_unlock(&lock);
}

/* *ret_status is to be json_decref'ed. */
static struct err wait_for_end(struct cli *cli, json_t **ret_status)
{
    for (;;) {
        json_t *status = NULL;
        TRY(catalog_get_own(cli, PATH, &status));
        if (!str_is(json_str(json_object_get(status, "state")), "running")) {
            *ret_status = status;
            return OK;
        }
        json_decref(status);
        wait_a_while();
    }
}

struct err verb_backup(struct cli *cli)
{
    CLEANUP(json_freep) json_t *body = json_pack("{s:s}", "directory", cli_word(cli, 0));
    CLEANUP(json_freep) json_t *begun = NULL, *status = NULL;
    struct str state, why = STR_NONE;

    if (!body) return FAIL(ERR_INVALID_ARGUMENT, "DIRECTORY must be UTF-8");
    TRY(catalog_post_path(cli, PATH, body, &begun));
    TRY(wait_for_end(cli, &status));
    TRY(json_need_str(status, "state", &state));
    TRY(json_want_str(status, "why", &why));
    if (!str_is(state, "done")) return err_fail(ERR_INTERNAL, "the backup failed: %.*s", STR_ARG(why));
    TRY(cli_print_facts(cli, columns, status));
    cli_say(cli,
            "NOT in it: the master key (DIR.key, or where key-file says) and root's credential (DIR.root).\n"
            "Keep them elsewhere: without its key a restored store does not start.");
    return OK;
}
