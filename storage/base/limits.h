/*
 * limits.h - every limit of a queue, a loop over input and a buffer, with a sentence on why that number.
 */
#ifndef STORAGE_BASE_LIMITS_H
#define STORAGE_BASE_LIMITS_H

#define KIB 1024ull
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)
#define TIB (1024ull * GIB)

/* ---- JSON ---- */
#define LIMIT_JSON_DEPTH 64          /* nested schemas go to about 20; deeper is an attack (reliability.md E3) */
#define LIMIT_JSON_BYTES (64 * MIB)  /* metadata of a table with tens of thousands of snapshots */

/* ---- rows: storage/meta ---- */
#define LIMIT_ROW_KEY 2048           /* bucket id, key of 1,024 bytes, upload id, part number, with room */
#define LIMIT_ROW_VALUE (256 * KIB)  /* a row is decided on in memory by one thread */
#define LIMIT_TXN_ROWS 1000          /* design.md 3: larger work goes in slices */
#define LIMIT_TXN_BYTES (1 * MIB)
#define LIMIT_BATCH_TXNS 256         /* bounds what one flush answers, and so its latency */
#define LIMIT_BATCH_BYTES (4 * MIB)
#define LIMIT_SCAN_ROWS 10000        /* rows that one page of a listing may visit in one view */
#define LIMIT_SMALL_BODY (32 * KIB)  /* bodies up to this size live in the journal */
#define LIMIT_JOURNAL_BODY (1 * MIB) /* a commit's metadata file may too, so that a commit is one flush */
#define LIMIT_TXN_BODY_BYTES (8 * MIB) /* bodies of one transaction: a commit of eight tables of the largest kind */
#define LIMIT_META_QUEUE 4096        /* waiting transactions: 16 full batches, well under a second; their bodies are the callers' memory */
#define LIMIT_META_VIEWS 1024        /* open at once: LMDB's reader slots */
#define LIMIT_SLICE_ROWS 2000        /* of one LMDB transaction of a checkpoint: more stalls the journal's flushes (design.md 3.1) */
#define LIMIT_SLICE_BYTES (8 * MIB)  /* the same, for large rows */
#define LIMIT_COPY_HELD (10 * GIB)   /* of journal that waits for the next copy of the rows: design.md 3.1; less where a tenth of the free space is less */
#define LIMIT_COPY_MARGIN (1 * GIB)  /* free beside what a copy of the rows takes, the floor and two segments, before one is made where there is none, or a tenth of the disk where that is less: so much has to come and go for it to be made and given up in turn */
#define LIMIT_ROWS_COPY_BYTES (64 * MIB) /* copied a second: 2.5 GB, the rows of 10,000,000 objects, in 40 s, at a fraction of what a disk writes */
#define LIMIT_SEGMENT_FILES 128      /* descriptors of old journal segments kept open for reading */
#define LIMIT_IDENTITIES_LEASE_MS 2000 /* how long a server believes what it knows of identities, when others change them too: what is revoked works no longer than that */
#define LIMIT_PG_ANSWER_MS 35000     /* for an answer of PostgreSQL; its own statement_timeout, 30 s, comes first where it is well */
#define LIMIT_PG_READ_MS 10000       /* the same for views and bodies, which HTTP threads wait for; a setting changes it */
#define LIMIT_PG_READERS 32          /* connections for views and bodies: one for each thread that may read at once, of max_connections = 100 */
#define LIMIT_PG_READER_MS 5000      /* waiting for one of them */
#define LIMIT_PG_RETRIES 5           /* of a batch that lost against another transaction */
#define LIMIT_PG_RESOLVE_MS 15000    /* finding out what became of a commit whose connection was lost; callers wait for it */
#define LIMIT_PG_PROBES 8            /* runs of a transaction that only find out what it reads: the deepest chain of rows (a table commit) has 5 */
#define LIMIT_PG_IDLE_MS 5000        /* a server that shares and stops within a batch holds up the others for so long: then PostgreSQL ends its session */
#define LIMIT_PG_LOCK_MS 20000       /* waiting for the batches of other servers: longer than one of them can stop */
#define LIMIT_PG_SERVER_S 60         /* a server that shares and was not heard of for so long has no views any more: no session of its may be idle longer */
#define LIMIT_PG_CHUNK 256           /* rows of a scan fetched at once; the first fetch is of 4, since most scans want one or two */

/* ---- emptying sparse segments: storage/object/compact.h ---- */
#define LIMIT_COMPACT_BYTES (16 * MIB) /* moved a second: read once and written once, a tenth of what a disk does, and a quarter of a batch at most */
#define LIMIT_COMPACT_LOOK_MS 10000    /* a look is a walk over counts in memory; a segment is worth 64 MiB at most */
#define LIMIT_COMPACT_SPARE 4          /* segments' worth of waste that is left alone: what is young may well be gone soon */

/* ---- bodies: storage/volume ---- */
#define LIMIT_MD5_STREAMS 64         /* computed side by side, 256 KiB each: 16 MiB; with more each body's writer computes its own */
#define LIMIT_MD5_STREAM_BYTES (1 * MIB) /* a body from this size on: with less to hand over costs as much as it saves */
#define LIMIT_BLOCK (64 * KIB)       /* one CRC32C each */
#define LIMIT_COMPACT_VOLUME 10      /* per cent of a sealed volume that are taken: with less it is emptied */
#define LIMIT_COMPACT_ROUND_MS 3600000 /* from one round through the rows of all volumes to the next */
#define LIMIT_EXTENT_STEP (64 * MIB) /* space is taken in such steps as bytes arrive */

/* ---- Avro files of clients: catalog/avro ---- */
#define LIMIT_AVRO_FILE (512 * MIB)  /* writers aim at 8 MiB a manifest (commit.manifest.target-size-bytes) */
#define LIMIT_AVRO_PLAIN (2 * GIB)   /* a file unpacked: 250 times such a manifest; at 1 GB/s what a bomb may cost is 2 s, with bzip2 18 s */
#define LIMIT_AVRO_BLOCK (64 * MIB)  /* packed, and unpacked: Java writes 64 KB, but some writers one block a file */
#define LIMIT_AVRO_HEADER (16 * MIB) /* the metadata of a file, all keys and values: it has the table's schema, thousands of columns */
#define LIMIT_AVRO_META 256          /* entries of it; Iceberg has 7 */
#define LIMIT_AVRO_SCHEMA (1 * MIB)  /* of the JSON of the writer's schema: some 10 KB, and 100 bytes a partition field */
#define LIMIT_AVRO_NODES 4096        /* of the schema, compiled: about 60, and 2 a partition field */
#define LIMIT_AVRO_DEPTH 64          /* of values in values, which only a schema that names itself can exceed; manifests have 6 */
#define LIMIT_AVRO_STRING (8 * KIB)  /* of a string that is taken: a URL of a key of 1,024 bytes, each escaped, with room */
#define LIMIT_AVRO_RECORDS 10000000  /* of a file: a thousandfold bomb of equal entries is not to become as many rows */

/* ---- files of tables: catalog/refs, catalog/maintain ---- */
#define LIMIT_REF_SLICE 180          /* edges of one transaction: each is up to five rows, and there may be LIMIT_TXN_ROWS */
#define LIMIT_REF_NOTES 256          /* commits of one table that are worked in at once: each may be a metadata file to read */
#define LIMIT_REF_PAUSES 256         /* tables that pause since their files could not be had; with one more, one of them is tried too early */
#define LIMIT_NOTE_NAMES (64 * KIB)  /* of what a commit lets go, in the row that it leaves: 500 snapshots; more is read from the metadata before */
#define LIMIT_DELETE_SLICE 50        /* files of one transaction: a large body has up to 100 rows, most have 1 to 6 */
#define LIMIT_IMPACT_FILES (8 * 1000 * 1000) /* that one expiry may let go of and still be told which, in 256 MB */
#define LIMIT_IMPACT_VIEW 5000       /* looks of one view meanwhile, so that it is short */
#define LIMIT_REPORT_UNREAD 100      /* files that cannot be read and are named with why, of one table */
#define LIMIT_REPORT_PATHS 1000      /* files that an answer names; all are counted */
#define LIMIT_REPORT_TABLES 1000     /* tables of one request for maintenance; the answer says when there are more */
#define LIMIT_ADOPTED 100            /* tables of an older store that one transaction takes up */
#define LIMIT_MAINTENANCE_BODY (1 * MIB) /* a request is a namespace, a name and some numbers */

/* ---- other S3 endpoints: storage/remote ---- */
#define LIMIT_REMOTE_KEYS (256 * KIB) /* a file of credentials: hundreds of profiles */
#define LIMIT_REMOTE_IDLE 16         /* handles whose connections are kept: as many as workers may use at once */
#define LIMIT_REMOTE_WAITERS 8       /* calls at once while an endpoint fails: of 16 workers, half stay with who does not need it */
#define LIMIT_ORPHAN_STOPS 32        /* tables whose scan for orphans ended at a file that another endpoint did not delete: a kilobyte each */
#define LIMIT_ORPHAN_FAILURES 100    /* files at another endpoint that are not deleted, before a scan by hand gives up: each costs a listing, and somebody waits */
#define LIMIT_REMOTE_ENDPOINTS 64    /* that are called at once: more than there are workers and background threads */
#define LIMIT_REMOTE_WARY_MS 10000   /* so long after a failure that holds */
#define LIMIT_REMOTE_BACKGROUND_MS 10000 /* of one call of the background, whose one thread looks after all tables */
#define LIMIT_REMOTE_REST_FACTOR 20  /* so many times as long as a failure took, the background leaves the endpoint alone: a dead one takes a twentieth of its time */
#define LIMIT_REMOTE_REST_MIN_MS 1000 /* a refused connection takes no time: still not more than one try a second */
#define LIMIT_REMOTE_REST_DENIED_MS 30000 /* a denial ends when a person does something */
#define LIMIT_REMOTE_REST_MAX_MS 300000 /* what comes back is seen within five minutes, if anything there is asked for: tables and purges that failed pause besides */
#define LIMIT_REMOTE_RESTS 256       /* buckets of other endpoints that rest at once; with one more, one of them is asked too early */
#define LIMIT_REMOTE_WINDOW (1 * MIB) /* of a manifest, one request: most are smaller */
#define LIMIT_REMOTE_LISTING (8 * MIB) /* a page: LIMIT_PAGE keys of LIMIT_KEY, all escaped, are less than half of it */
#define LIMIT_REMOTE_PAGE 100        /* files that one step of a purge deletes, one request each */
#define LIMIT_REMOTE_CACHE (64 * MIB) /* of metadata files in memory: thousands of tables of the usual size */

/* ---- S3 ---- */
#define LIMIT_KEY 1024               /* S3: bytes of UTF-8 */
#define LIMIT_USER_METADATA 2048     /* S3: names and values together */
#define LIMIT_TAGS 10                /* S3: of an object; 50 of a bucket */
#define LIMIT_BUCKET_TAGS 50
#define LIMIT_TAG_KEY 128            /* characters */
#define LIMIT_TAG_VALUE 256
#define LIMIT_PARTS 10000            /* S3 */
#define LIMIT_PART_BYTES_MIN (5 * MIB) /* S3: every part but the last */
#define LIMIT_PUT_BYTES (5 * GIB)    /* S3: one PUT, one part, one copy */
#define LIMIT_OBJECT_BYTES (50 * TIB) /* S3 since December 2025 */
#define LIMIT_PAGE 1000              /* S3: keys, parts, uploads of one listing page; keys of one DeleteObjects */
#define LIMIT_XML_BYTES (2 * MIB)    /* 1,000 keys of 1,024 bytes, escaped, fit */
#define LIMIT_BUCKETS_PER_PAGE 10000 /* S3: ListBuckets */

/* ---- HTTP ---- */
#define LIMIT_HEADER_BYTES (32 * KIB) /* request line and headers; AWS allows 8 KiB, session tokens of others are long */
#define LIMIT_HTTP_POOL (48 * KIB)   /* libmicrohttpd's memory of a connection: a whole head, its index, our headers. It is zeroed
                                        after each request: 64 KiB were a fifth slower than 48 (GET of 4 KiB) */
#define LIMIT_HEADERS 200
#define LIMIT_TARGET (16 * KIB)      /* a presigned URL of a key of 1,024 escaped bytes with a session token */
#define LIMIT_QUERY 256              /* query parameters; a presigned request has about 12 */
#define LIMIT_CONNECTIONS 10000
#define LIMIT_LISTENERS 16           /* ports and addresses that one process serves */
#define LIMIT_HEAD_MS 10000          /* from the first byte of a head to its end */
#define LIMIT_IDLE_MS 60000          /* between requests */
#define LIMIT_RATE_MS 30000          /* in such a window a body or an answer must move LIMIT_RATE_BYTES */
#define LIMIT_RATE_BYTES (30 * KIB)
#define LIMIT_DRAIN_BYTES (64 * KIB) /* an unread body up to this is thrown away so that the connection can go on */
#define LIMIT_LINGER 1024            /* closed connections that may still hold unread bytes: read empty, so that the client gets its answer */
#define LIMIT_LINGER_MS 10000
#define LIMIT_LINGER_BYTES (64 * MIB)
#define LIMIT_SOURCE_PIECE (128 * KIB) /* of an answer that is made piece by piece; memory that it holds */
#define LIMIT_HTTP_WORKERS 16        /* threads for work that blocks, and as many for cold reads; they mostly sleep */
#define LIMIT_OFFLOADS 1024          /* requests that wait for a worker: at 1 ms each, 16 workers have them done in 64 ms */
#define LIMIT_CATALOGS 1000          /* a list of them is one answer, and a new one is held against each */
#define LIMIT_MANAGE_BODY (1 * MIB)  /* properties of one catalog, principal or role: a row holds less */
#define LIMIT_PATH_PARTS 16          /* pieces of a REST path; the longest route has 9 */
#define LIMIT_REQUEST_ARENA (4 * MIB) /* what one S3 request may take besides its body */
#define LIMIT_REST_BODY (64 * MIB)   /* a commit with a large schema; Polaris' 10 MiB is too small */
#define LIMIT_REST_ARENA (256 * MIB)

/* ---- the init directory (server/init_dir.h) ---- */
#define LIMIT_INIT_THREADS 32        /* that put files: each waits for a flush most of the time, and all who wait share one */
#define LIMIT_INIT_BATCH 4096        /* names that are in memory at once */
#define LIMIT_INIT_DEPTH 64          /* directories in one another, each one open; a key of 1,024 bytes seldom has 20 */
#define LIMIT_INIT_PIECE (64 * KIB)  /* of a file, read at once, on the thread's stack */
#define LIMIT_INIT_SAY_MS 5000       /* between two lines of the log about progress */

/* ---- an operator's verbs: admin/store ---- */
#define LIMIT_BACKUP_MS (12ull * 3600 * 1000) /* of one backup: so long freed space waits at most, and 12 hours copy 10 TiB at 250 MB/s */

#endif
