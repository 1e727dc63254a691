/*
 * store_verbs.c - `firn store ...`: the words, and what is said of the outcome. What is done is admin/store.
 */
#include "server/store_verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/store/backup.h"
#include "admin/store/check.h"
#include "admin/store/move.h"
#include "admin/store/offline.h"
#include "admin/store/repair.h"
#include "admin/store/restore.h"
#include "admin/store/salvage.h"
#include "server/config.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* What the flags said. Strings are argv's. */
struct words {
    const char *data, *to, *from, *store, *schema, *config;
    bool bodies, json, no_check, dry_run;
};

static const struct flag {
    const char *name;
    size_t offset;
    bool has_value;
} flags[] = {
    { "--data", offsetof(struct words, data), true },
    { "--to", offsetof(struct words, to), true },
    { "--from", offsetof(struct words, from), true },
    { "--store", offsetof(struct words, store), true },
    { "--store-schema", offsetof(struct words, schema), true },
    { "--config", offsetof(struct words, config), true },
    { "--no-check", offsetof(struct words, no_check), false },
    { "--bodies", offsetof(struct words, bodies), false },
    { "--json", offsetof(struct words, json), false },
    { "--dry-run", offsetof(struct words, dry_run), false },
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

typedef int verb_fn(const struct words *w);
static verb_fn run_check, run_repair, run_salvage, run_backup, run_restore, run_move;

static const struct store_verb {
    const char *name, *flags, *help; /* flags: those that it takes, with blanks around each */
    verb_fn *run;
} verbs[] = {
    { "check", " --data --store --store-schema --config --bodies --json ",
      "check --data DIR [--store postgresql://...] [--store-schema NAME] [--config FILE] [--bodies] [--json]: is the store whole? It must\n"
      "    not be running. It is opened as a start would (the journal's end is settled first). Rows and the headers of bodies are looked\n"
      "    at; --bodies reads every byte too. Where the rows are is said as to the server: by flags, FIRN_STORE, or its file.\n"
      "    Ends with 0 when all is well, with 1 when there are findings, one a line.",
      run_check },
    { "repair", " --data --json ",
      "repair --data DIR [--json]: make the rows anew when LMDB is broken: the daily copy is put in its place, and the journal kept since it is\n"
      "    replayed. Copy, pages, rows and journal are verified; the broken LMDB is kept as DIR/rows/rows.broken-N. When copy or journal do not\n"
      "    do, nothing is changed. The server must not be running. Look at the disk first.",
      run_repair },
    { "salvage", " --data --to --dry-run --json ",
      "salvage --data DIR --to NEWDIR | --dry-run [--json]: without LMDB and its copy, bring bodies back under the names that are still known,\n"
      "    into a new data directory; bodies that have none become objects of bucket salvaged-bodies. DIR is only read. What is damaged is\n"
      "    named, one a line. --dry-run reads and verifies all the same. Ends with 1 when something known was damaged.",
      run_salvage },
    { "backup", " --data --to --store --store-schema --config ",
      "backup --data DIR --to DIRECTORY: copy the store, verified, to a directory elsewhere (absolute). What is there already from the\n"
      "    backup before and has not changed is kept. The server must not be running; one that runs is asked by: firn backup DIRECTORY.",
      run_backup },
    { "restore", " --data --from --no-check ",
      "restore --from DIRECTORY --data DIR [--no-check]: make the data directory DIR of a backup. Every file is verified; then the\n"
      "    store is checked, every byte of it.",
      run_restore },
    { "move", " --data --to --from --store-schema --config --dry-run --json ",
      "move --data DIR --to postgresql://... | --from postgresql://... [--store-schema NAME] [--config FILE] [--dry-run] [--json]: move the\n"
      "    rows of a store, and the small bodies among them, to PostgreSQL or back; the volumes stay in DIR. The server must not be\n"
      "    running. All is read back and compared before the source is retired: DIR/rows becomes DIR/rows.moved-DATE; a schema is marked\n"
      "    as moved. One that was cut off leaves the source as it was, and the same command does it again. --dry-run only reads the\n"
      "    source. A password is better in PGPASSWORD or ~/.pgpass than in the words, which all users of the machine can see.",
      run_move },
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static int fail(struct err e)
{
    fprintf(stderr, "firn: %s\n", e.why);
    return e.code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- the words ---- */

static const struct flag *find_flag(const struct store_verb *verb, const char *word)
{
    char padded[64];

    (void)snprintf(padded, sizeof(padded), " %s ", word);
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (strcmp(flags[i].name, word) == 0 && strstr(verb->flags, padded)) return &flags[i];
    }
    return NULL;
}

static struct err read_words(const struct store_verb *verb, int argc, char **argv, struct words *ret)
{
    for (int i = 0; i < argc; i++) {
        const struct flag *flag = find_flag(verb, argv[i]);
        if (!flag) return err_fail(ERR_INVALID, "'%s' is not a flag of store %s", argv[i], verb->name);
        void *field = (char *)ret + flag->offset;
        if (!flag->has_value) {
            *(bool *)field = true;
            continue;
        }
        if (i + 1 == argc || !argv[i + 1][0]) return err_fail(ERR_INVALID, "%s needs a value", argv[i]);
        *(const char **)field = argv[++i];
    }
    if (!ret->data) return err_fail(ERR_INVALID, "store %s needs --data DIR", verb->name);
    return OK;
}

/* ---- where the store is ---- */

/* Of the server's variables only those that a verb obeys: a wrong one among the others is the server's to complain of. */
static bool is_obeyed(const char *variable)
{
    static const char *const names[] = { "FIRN_STORE=", "FIRN_STORE_SCHEMA=", "FIRN_SEGMENT_SIZE=",
                                         "FIRN_DISK_FLOOR=" };

    if (strncmp(variable, "FIRN_", 5) != 0) return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) return true;
    }
    return false;
}

static char **obeyed_environment(struct arena *arena)
{
    size_t count = 0, kept = 0;

    while (environ[count]) count++;
    char **out = arena_array(arena, char *, count + 1);
    for (size_t i = 0; out && i < count; i++) {
        if (is_obeyed(environ[i])) out[kept++] = environ[i];
    }
    if (out) out[kept] = NULL;
    return out;
}

/* The server's settings, from where it has them: so a verb looks for the rows where the server does. */
static struct err load_settings(const struct words *w, struct arena *arena, struct config *ret)
{
    const char *argv[8];
    int argc = 0;
    const struct {
        const char *name, *value;
    } given[] = { { "--data", w->data },
                  { "--config", w->config },
                  { "--store", w->store },
                  { "--store-schema", w->schema } };

    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        if (!given[i].value) continue;
        argv[argc++] = given[i].name;
        argv[argc++] = given[i].value;
    }
    char **environment = obeyed_environment(arena);
    if (!environment) return no_memory();
    return config_load(argc, (char **)argv, environment, arena, ret);
}

static struct err place_of(const struct words *w, struct arena *arena, struct store_place *ret)
{
    struct config config;

    TRY(load_settings(w, arena, &config));
    const char *store = arena_z(arena, config.store), *schema = arena_z(arena, config.store_schema);
    if (!store || !schema) return no_memory();
    *ret = (struct store_place){ .dir = w->data, .store = store[0] ? store : NULL, .schema = schema };
    return OK;
}

/* ---- check ---- */

struct check_output {
    json_t *findings; /* NULL: they are printed as lines */
    bool is_terminal;
};

/* Bytes as people can read them: what is not printable ASCII as \xNN. */
static void print_key(struct buf *out, struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        const unsigned char c = (unsigned char)key.data[i];
        if (c >= 0x20 && c < 0x7f && c != '\\') buf_char(out, (char)c);
        else buf_printf(out, "\\x%02x", c);
    }
}

static void on_finding(void *arg, const struct check_finding *f)
{
    struct check_output *o = arg;
    struct buf key;

    buf_init(&key, 8 * LIMIT_ROW_KEY);
    print_key(&key, f->key);
    if (o->findings) {
        json_array_append_new(o->findings,
                              json_pack("{s:s, s:o, s:s}", "space", f->space, "key",
                                        json_of_str(buf_view(&key)), "what", f->what));
    } else {
        printf("%s %.*s: %s\n", f->space, STR_ARG(buf_view(&key)), f->what);
    }
    buf_done(&key);
}

static void on_progress(void *arg, const struct check_result *so_far)
{
    const struct check_output *o = arg;

    if (!o->is_terminal) return;
    fprintf(stderr, "\r%llu rows, %llu objects, %llu MiB read, %llu findings ",
            (unsigned long long)so_far->rows, (unsigned long long)so_far->objects,
            (unsigned long long)(so_far->bytes_read / MIB), (unsigned long long)so_far->findings);
}

static int say_check(const struct check_output *o, const struct check_result *r)
{
    if (o->is_terminal) fputc('\n', stderr);
    if (o->findings) {
        CLEANUP(json_freep)
        json_t *all = json_pack("{s:b, s:I, s:I, s:I, s:I, s:O}", "clean", r->findings == 0, "rows",
                                (json_int_t)r->rows, "objects", (json_int_t)r->objects, "bodies",
                                (json_int_t)r->bodies, "bytes_read", (json_int_t)r->bytes_read, "findings",
                                o->findings);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        printf("%s: %llu rows, %llu objects, %llu bodies in volumes, %llu bytes read, %llu findings\n",
               r->findings ? "NOT CLEAN" : "clean", (unsigned long long)r->rows,
               (unsigned long long)r->objects, (unsigned long long)r->bodies,
               (unsigned long long)r->bytes_read, (unsigned long long)r->findings);
    }
    return r->findings ? EXIT_FAILED : EXIT_DONE;
}

/* LMDB's pages first: a broken one is not to be opened. */
static int say_broken(const struct words *w, struct check_output *output, struct err e)
{
    struct check_result result = { .findings = 1 };

    if (e.code != ERR_CORRUPT) return fail(e);
    on_finding(output, &(struct check_finding){ .space = "LMDB", .what = e.why });
    const int code = say_check(output, &result);
    (void)fail(store_place_advise(w->data, FAIL(ERR_CORRUPT, "the rows are damaged")));
    return code;
}

static int check_at(const struct words *w, const struct store_place *where)
{
    CLEANUP(json_freep) json_t *findings = w->json ? json_array() : NULL;
    struct check_output output = { .findings = findings, .is_terminal = isatty(STDERR_FILENO) };
    struct check_result result = { 0 };
    struct offline o;

    struct err e = store_rows_check(where);
    if (e.code) return say_broken(w, &output, e);
    e = offline_open(where, &o);
    if (e.code) return fail(where->store ? e : store_place_advise(w->data, e));
    const struct check_options options = {
        .store = &o.store,
        .volumes_dir = o.volumes,
        .reads_bodies = w->bodies,
        .found = on_finding,
        .progress = on_progress,
        .arg = &output,
    };
    e = store_check(&options, &result);
    const int code = e.code ? fail(e) : say_check(&output, &result);
    offline_close(&o);
    return code;
}

static int run_check(const struct words *w)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(MIB);
    struct store_place where;
    const struct err e = arena ? place_of(w, arena, &where) : no_memory();

    return e.code ? fail(e) : check_at(w, &where);
}

/* ---- repair ---- */

static int run_repair(const struct words *w)
{
    char made[CLOCK_ISO_SIZE];
    struct repaired r;
    const struct err e = store_repair(w->data, &r);

    if (e.code) return fail(e);
    clock_iso(r.copy.made_ms, made);
    if (w->json) {
        CLEANUP(json_freep)
        json_t *out = json_pack("{s:b, s:s, s:s}", "repaired", 1, "copy", made, "broken", r.broken);
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        return EXIT_DONE;
    }
    printf("repaired: the copy of %s, and the journal since then; all rows were verified\n", made);
    if (r.broken[0])
        printf("What was broken is in %s/rows/%s: remove it when nobody wants to look at it any more.\n",
               w->data, r.broken);
    printf("firn store check --data %s --bodies reads everything once more.\n", w->data);
    return EXIT_DONE;
}

/* ---- salvage ---- */

static void on_lost(void *arg, struct str bucket, struct str key, const char *why)
{
    const struct check_output *o = arg;
    struct buf name;

    buf_init(&name, 8 * LIMIT_ROW_KEY);
    print_key(&name, key);
    if (o->findings)
        json_array_append_new(o->findings,
                              json_pack("{s:o, s:o, s:s}", "bucket", json_of_str(bucket), "key",
                                        json_of_str(buf_view(&name)), "what", why));
    else printf("%.*s/%.*s: %s\n", STR_ARG(bucket), STR_ARG(buf_view(&name)), why);
    buf_done(&name);
}

static void on_salvage(void *arg, const struct salvage_result *r)
{
    const struct check_output *o = arg;

    if (o->is_terminal)
        fprintf(stderr, "\r%llu objects, %llu MiB, %llu damaged ", (unsigned long long)r->objects,
                (unsigned long long)(r->bytes / MIB), (unsigned long long)r->damaged);
}

static void say_salvage(const struct words *w, const struct check_output *o, const struct salvage_result *r)
{
    if (o->findings) {
        CLEANUP(json_freep)
        json_t *all = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "written",
                                w->to != NULL, "batches", (json_int_t)r->batches, "gaps", (json_int_t)r->gaps,
                                "unreadable", (json_int_t)r->unreadable, "extents", (json_int_t)r->extents,
                                "names", (json_int_t)r->names, "objects", (json_int_t)r->objects, "bytes",
                                (json_int_t)r->bytes, "unnamed", (json_int_t)r->unnamed, "damaged",
                                (json_int_t)r->damaged, "damages", o->findings);
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    printf(
        "%s: %llu objects with %llu bytes under their names, %llu bodies without a name (bucket salvaged-bodies), %llu damaged or gone\n",
        w->to ? "brought back" : "this could be brought back", (unsigned long long)r->objects,
        (unsigned long long)r->bytes, (unsigned long long)r->unnamed, (unsigned long long)r->damaged);
    printf(
        "found: %llu batches in %llu segments with %llu gaps, %llu extents in %llu volumes; %llu blocks could not be read\n",
        (unsigned long long)r->batches, (unsigned long long)r->segments, (unsigned long long)r->gaps,
        (unsigned long long)r->extents, (unsigned long long)r->volumes, (unsigned long long)r->unreadable);
}

static int run_salvage(const struct words *w)
{
    CLEANUP(json_freep) json_t *damages = w->json ? json_array() : NULL;
    struct check_output output = { .findings = damages, .is_terminal = isatty(STDERR_FILENO) };
    const struct salvage_options o = {
        .from = w->data, .to = w->to, .lost = on_lost, .progress = on_salvage, .arg = &output
    };
    struct salvage_result r;

    if (!w->to == !w->dry_run)
        return fail(FAIL(ERR_INVALID, "store salvage needs one of --to NEWDIR and --dry-run"));
    const struct err e = store_salvage(&o, &r);
    if (output.is_terminal) fputc('\n', stderr);
    if (e.code) return fail(e);
    say_salvage(w, &output, &r);
    return r.damaged ? EXIT_FAILED : EXIT_DONE;
}

/* ---- backup and restore ---- */

static void say_backup(const struct words *w, const struct backup_result *r)
{
    printf("backup %llu: %llu files, %llu bytes; copied now: %llu files, %llu bytes\n",
           (unsigned long long)r->number, (unsigned long long)r->files, (unsigned long long)r->bytes,
           (unsigned long long)r->files_copied, (unsigned long long)r->bytes_copied);
    printf("NOT in it: the master key (%s.key, or where key-file says) and root's credential (%s.root).\n"
           "Keep them elsewhere: without its key a restored store does not start.\n",
           w->data, w->data);
}

static int run_backup(const struct words *w)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(MIB);
    struct backup_result result;
    struct store_place where;
    struct offline o;

    if (!w->to) return fail(FAIL(ERR_INVALID, "store backup needs --to DIRECTORY"));
    struct err e = arena ? place_of(w, arena, &where) : no_memory();
    if (!e.code) e = offline_open(&where, &o);
    if (e.code) return fail(e);
    const struct backup_options options = { .store = &o.store, .data_dir = w->data, .to = w->to };
    e = store_backup(&options, &result);
    const int code = e.code ? fail(e) : EXIT_DONE;
    if (code == EXIT_DONE) say_backup(w, &result);
    offline_close(&o);
    return code;
}

static int run_restore(const struct words *w)
{
    struct restore_result r;
    char made[CLOCK_ISO_SIZE];

    if (!w->from) return fail(FAIL(ERR_INVALID, "store restore needs --from DIRECTORY"));
    const struct err e = store_restore(w->from, w->data, &r);
    if (e.code) return fail(e);
    clock_iso(r.made_ms, made);
    printf("restored backup %llu of %s: %llu files, %llu bytes, each as it was written\n",
           (unsigned long long)r.number, made, (unsigned long long)r.files, (unsigned long long)r.bytes);
    printf("It needs the master key of the store: put it to %s.key, or name it by key-file.\n", w->data);
    const struct words whole = { .data = w->data, .bodies = true };
    return w->no_check ? EXIT_DONE : check_at(&whole, &(struct store_place){ .dir = w->data });
}

/* ---- move ---- */

static void on_move(void *arg, const char *what, uint64_t rows, uint64_t bodies)
{
    const bool *is_terminal = arg;

    if (*is_terminal)
        fprintf(stderr, "\r%s: %llu rows, %llu small bodies ", what, (unsigned long long)rows,
                (unsigned long long)bodies);
}

static struct move_space move_total(const struct move_tally *t)
{
    struct move_space total = { .name = "all" };

    for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) {
        total.rows += t->spaces[i].rows;
        total.row_bytes += t->spaces[i].row_bytes;
        total.bodies += t->spaces[i].bodies;
        total.body_bytes += t->spaces[i].body_bytes;
    }
    return total;
}

static void say_space(const struct move_space *s, const char *digest)
{
    printf("%-16s %12llu %14llu %12llu %14llu  %.16s\n", s->name, (unsigned long long)s->rows,
           (unsigned long long)s->row_bytes, (unsigned long long)s->bodies, (unsigned long long)s->body_bytes,
           digest);
}

static void say_move_table(const struct words *w, const struct move_result *r)
{
    const struct move_space total = move_total(&r->tally);
    char digest[65];

    if (!r->is_end_only) {
        printf("%-16s %12s %14s %12s %14s  %s\n", "space", "rows", "bytes", "bodies", "bytes", "sha-256");
        for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) {
            const struct move_space *s = &r->tally.spaces[i];
            hex_z(s->sha256, sizeof(s->sha256), digest);
            if (s->rows) say_space(s, digest);
        }
        say_space(&total, "");
    }
    if (w->dry_run) {
        printf("this is what would be moved; nothing was\n");
        return;
    }
    printf("%s: the rows are in %s now\n",
           r->is_end_only ? "a move that was cut off was ended" : "moved, read back and equal",
           w->to ? "PostgreSQL" : w->data);
    if (w->to)
        printf("The old ones are in %s: remove them when you no longer want to look back.\n"
               "Give the server setting 'store' from now on.\n",
               r->kept);
    else
        printf("The schema in PostgreSQL is marked as moved: no server starts on it. Drop it when you like.\n"
               "Take setting 'store' out.\n");
}

static void say_move_json(const struct words *w, const struct move_result *r)
{
    CLEANUP(json_freep) json_t *all = json_array();
    char digest[65];

    for (size_t i = 0; i < MOVE_SPACE_COUNT && !r->is_end_only; i++) {
        const struct move_space *s = &r->tally.spaces[i];
        hex_z(s->sha256, sizeof(s->sha256), digest);
        json_array_append_new(all,
                              json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "space", s->name, "rows",
                                        (json_int_t)s->rows, "bytes", (json_int_t)s->row_bytes, "bodies",
                                        (json_int_t)s->bodies, "body_bytes", (json_int_t)s->body_bytes,
                                        "sha256", digest));
    }
    CLEANUP(json_freep)
    json_t *out = json_pack("{s:b, s:b, s:s, s:s, s:O}", "moved", !w->dry_run, "ended", r->is_end_only, "to",
                            w->to ? "postgresql" : "embedded", "kept", r->kept, "spaces", all);
    json_dumpf(out, stdout, JSON_COMPACT);
    putchar('\n');
}

static int run_move(const struct words *w)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(MIB);
    bool is_terminal = isatty(STDERR_FILENO);
    struct move_result result;
    struct config config;

    if (!w->to == !w->from)
        return fail(
            FAIL(ERR_INVALID, "store move needs one of --to postgresql://... and --from postgresql://..."));
    struct err e = arena ? load_settings(w, arena, &config) : no_memory();
    if (e.code) return fail(e);
    const struct move_options o = {
        .place = { .dir = w->data,
                   .store = w->to ? w->to : w->from,
                   .schema = arena_z(arena, config.store_schema) },
        .is_to_postgresql = w->to != NULL,
        .is_dry_run = w->dry_run,
        .segment_bytes = config.segment_size,
        .disk_floor_bytes = config.disk_floor,
        .progress = on_move,
        .arg = &is_terminal,
    };
    e = store_move(&o, &result);
    if (is_terminal) fputc('\n', stderr);
    if (e.code) return fail(e);
    if (w->json) say_move_json(w, &result);
    else say_move_table(w, &result);
    return EXIT_DONE;
}

/* ---- the verb ---- */

static int help(FILE *out)
{
    fputs("firn store VERB: what is done with a whole data directory, on its machine.\n\n", out);
    for (size_t i = 0; i < VERB_COUNT; i++) fprintf(out, "  %s\n", verbs[i].help);
    return out == stdout ? EXIT_DONE : EXIT_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int store_verb(int argc, char **argv)
{
    struct words words = { 0 };

    log_set_level(LOG_LEVEL_WARN); /* a verb says what it did itself */
    if (argc < 1) return help(stderr);
    for (int i = 0; i < argc; i++) {
        if (is_help(argv[i])) return help(stdout);
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argv[0], verbs[i].name) != 0) continue;
        const struct err e = read_words(&verbs[i], argc - 1, argv + 1, &words);
        return e.code ? fail(e) : verbs[i].run(&words);
    }
    return fail(err_fail(ERR_INVALID, "'store %s' is not a verb; see firn store --help", argv[0]));
}
