/*
 * pg_engine.h - the PostgreSQL engine behind meta.h, as its own files see it.
 *
 *   pg.c          one connection (pg.h)
 *   pg_rows.c     rows of one snapshot (pg_rows.h)
 *   pg_migrate.c  schema, tables, views for people
 *   pg_session.c  the writer's session: connecting, the lease, what became of a commit
 *   pg_shared.c   several servers on one database: the row of each, its heartbeat, which of them leads
 *   pg_commit.c   the queue, answers, whatever happens to a batch: the writer's thread
 *   pg_batch.c    one batch: reading, deciding, writing
 *   pg_view.c     readers: views, and which moments are still looked at
 *   pg_body.c     small bodies: pins, and clearing away what was dropped
 *   pg_engine.c   opening, closing, status
 *
 * One writer. A single thread with a single connection runs all transactions of this server, many in one transaction of PostgreSQL: one BEGIN, one fetch of what they read, one COMMIT. That
 * connection holds the lease, an advisory lock of its session. So
 *   - who has not the lease cannot write: there is no other connection that does;
 *   - whoever gets the lease knows that every transaction of the one who had it before is over, committed or not. What became of a commit whose connection was
 *     lost is then a fact, to be read (pg_session.c).
 * Transactions are SERIALIZABLE all the same: against others' hands on the tables.
 *
 * Several servers (is_shared) have the lease together, each with a writer; who has it alone excludes them, and they exclude him. Their batches are ordered by the lock on the lease's row, which each takes
 * with its first statement: see pg_shared.c.
 *
 * Numbers. A batch has a number, kept in the lease's row and raised by each batch in its own transaction: so it is also the mark that the batch was committed. A transaction's number is its
 * batch's, times 256, plus its place in it: growing, never reused, and nothing has to be stored for it.
 *
 * Locks, in their order: queue_lock, views_lock, each taken alone.
 */
#ifndef STORAGE_META_PG_ENGINE_H
#define STORAGE_META_PG_ENGINE_H

#include <stdatomic.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/meta/engine.h"
#include "storage/meta/pg_rows.h"
#include "storage/meta/work_list.h"

/* Numbers of prepared statements, behind those of spaces (pg_rows.h). */
enum {
    PG_S_BEGIN = PG_NUMBER(PG_KIND_COUNT, 0),
    PG_S_LEASE,
    PG_S_COMMIT,
    PG_S_BODY,
    PG_S_DROP,
    PG_S_LOOK,
    PG_S_SNAPSHOT,
    PG_S_READ_BODY,
    PG_S_SWEEP,
    PG_S_SWEPT,
    PG_S_BEAT,
};

#define PG_NUMBERS_OF_BATCH 256
#define PG_HOLDER_DIGITS 32
#define PG_WHY_SIZE 256
#define PG_PIN_BUCKETS 1024 /* chains of pins: as many as connections that send a body, about */

/* A connection for reading, and the view on it, if there is one. */
struct pg_view {
    struct pg_reader reader; /* first: a view is its rows */
    struct pg_engine *engine;
    struct pg *pg;
    uint64_t number;               /* every transaction up to it is seen */
    struct pg_view *older, *newer; /* among the open ones; newer also among the idle ones */
};

/* A body that its transaction puts, or drops. */
struct pg_body {
    uint64_t id;
    struct str bytes; /* of a put; the caller's */
    bool is_drop;
    uint64_t number; /* of the transaction */
};

struct pg_txn {
    struct txn txn; /* first */
    struct pg_engine *engine;
    uint32_t puts;
};

/* Bodies of a batch, in the order they were made. */
struct pg_bodies {
    struct pg_body *items;
    size_t count, size;
    uint64_t bytes;
};

struct pg_pin {
    struct pg_pin *next;
    uint64_t id;
    uint64_t number; /* the oldest view's when it was pinned: the body may be dropped behind that */
    uint32_t count;
};

/* The writer's session. */
struct pg_session {
    struct pg *pg; /* NULL: there is none */
    char holder[PG_HOLDER_DIGITS + 1]; /* who we are: random, for the life of the process */
    char backend[64];                  /* "pid start" of its process, to end it when it is lost */
    char timeline[16];
    bool was_held;                     /* the lease was ours before */
    uint64_t batch;                    /* our last that was committed */
    uint64_t newest;                   /* anybody's, when the session was opened */
};

/* A commit whose connection was lost. */
struct pg_doubt {
    bool is_open;          /* its outcome is not known */
    enum err_code verdict; /* once it is: as pg_session_resolve */
    uint64_t batch, number; /* the last of its transactions' */
    char xid[24], timeline[16];
};

enum pg_state {
    PG_CONNECTING, /* rows can be read, once they could (is_open); no writes */
    PG_SERVING,
    PG_REFUSED,    /* for good: another server, a newer schema */
};

struct pg_engine {
    struct meta meta; /* first */
    char *store, *schema;
    uint64_t number_after; /* meta_options */
    bool is_offline;
    bool is_shared;
    uint64_t read_ms; /* for one round trip of a view */

    struct mutex queue_lock; /* guards what follows, up to the blank line */
    struct cond has_work;    /* for the writer */
    struct cond has_state;   /* for pg_open: the first attempt is over */
    struct work_list foreground, background;
    enum pg_state state;
    bool is_closing, is_writer_waiting, is_sweep_due;
    uint32_t attempts; /* to connect, since it was last lost */
    struct err refusal;
    char why[PG_WHY_SIZE]; /* not serving */
    uint32_t servers;      /* that share, and are alive */
    char leader[META_WHO_SIZE];

    struct mutex views_lock; /* guards what follows, up to the blank line */
    struct cond has_idle;    /* for those who wait for a reader */
    struct pg_view *view_oldest, *view_newest, *idle;
    size_t readers; /* idle, open, or being connected */
    size_t idle_count, waiting;
    struct pg_pin *pins[PG_PIN_BUCKETS];

    /* the writer's own */
    struct pg_session session;
    struct pg_doubt doubt;
    struct pg_reader reader;
    struct pg_txn txn;
    struct memtable *overlay; /* the rows of the batch so far */
    struct pg_bodies bodies;  /* and its bodies */
    struct work_list taken;   /* from the queue, not yet decided */
    size_t alone;             /* so many of them each get a batch of their own */
    pthread_t writer;
    bool has_writer;

    /* read by anybody */
    atomic_bool is_open;
    _Atomic uint64_t published, transactions, batches, retried, lost;
    /* shared: */
    atomic_bool is_leader;
    _Atomic uint64_t seen_by_all; /* every view of every server, open now or later, sees all up to it */
    _Atomic uint64_t beat_ms;     /* monotonic: when the row last said that we are alive */
};

static inline struct pg_engine *pg_engine_of(struct meta *m)
{
    return (struct pg_engine *)m; /* its first member */
}

/* A batch on its way. */
struct pg_batch {
    struct pg_engine *m;
    struct work_list works; /* in order */
    size_t decided;         /* so many of them fitted */
    uint64_t batch, number; /* its number; that of the next transaction */
    uint64_t txns;          /* that wrote something */
    char xid[24];
};

enum pg_verdict {
    PG_COMMITTED, /* or there was nothing to commit */
    PG_CONFLICT,  /* not committed; try again */
    PG_LOST,      /* the connection, and certainly not committed */
    PG_IN_DOUBT,  /* the connection, while committing */
    PG_FAILED,    /* not committed, the server says */
};

/* ---- pg_migrate.c ---- */
/* Bring the schema to this version's, or make it. With the lease. ERR_UNSUPPORTED: it is of a later version. ERR_NOT_FOUND: it is not there, and must_exist. */
struct err pg_migrate(struct pg *pg, const char *schema, bool must_exist);

/* ---- pg_session.c ---- */
/* Connect, take the lease, migrate, and settle m->doubt, if there is one. ERR_BUSY: another server has the lease. ERR_CLOSED: another had it since: what is in memory here is stale. */
struct err pg_session_open(struct pg_engine *m);
void pg_session_close(struct pg_engine *m);
/* What became of the commit in m->doubt, after a lost connection: OK, it is there; ERR_UNAVAILABLE, certainly not; ERR_OUTCOME_UNKNOWN. Tries for LIMIT_PG_RESOLVE_MS. */
struct err pg_session_resolve(struct pg_engine *m);

struct pg_who {
    char host[256], pid[24];
};
void pg_who(struct pg_who *ret); /* this process, for people */

/* ---- pg_shared.c ---- */
#define PG_SHARED_HOLDER "shared" /* who has the lease, when several have it */
/* With the lease: that nobody had it alone meanwhile, our own row, the session's time-outs. ERR_CLOSED as above. */
struct err pg_shared_enter(struct pg_engine *m, struct pg *pg);
/* Say that we are alive and which moment is still looked at here, hear it of the others, and lead if nobody does. */
struct err pg_shared_beat(struct pg_engine *m);
void pg_shared_leave(struct pg_engine *m); /* for good: nobody has to wait for our row to grow old */

/* ---- pg_commit.c ---- */
void pg_submit(struct meta *meta, struct meta_work *work);
void pg_writer_main(void *engine);

/* ---- pg_batch.c ---- */
/* One try at b->works. PG_COMMITTED: the first b->decided of them have their outcomes, to be told now. */
enum pg_verdict pg_batch_try(struct pg_batch *b, struct err *ret);
struct err pg_batch_init(struct pg_engine *m); /* the memory for it */
void pg_batch_done(struct pg_engine *m);

/* ---- pg_view.c ---- */
struct err pg_view_open(struct meta *meta, struct rows **ret);
struct err pg_read_body(struct meta *meta, struct place p, void *out);
uint64_t pg_viewed_here(struct pg_engine *m);   /* every view of this server sees all up to it */
uint64_t pg_viewed_by_all(struct pg_engine *m); /* and of the others */
void pg_views_free(struct pg_engine *m);

/* ---- pg_body.c ---- */
struct err pg_put_body(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret);
struct err pg_drop_body(struct txn *txn, struct place p);
void pg_pin(struct meta *meta, struct place p);
void pg_unpin(struct meta *meta, struct place p);
void pg_pins_free(struct pg_engine *m);
uint64_t pg_pinned_since(struct pg_engine *m, uint64_t number); /* the number of the oldest pin, if that is below */
/* Delete dropped bodies that nobody can read any more. *ret_more: there may be others now or later. */
struct err pg_sweep(struct pg_engine *m, bool *ret_more);

#endif
