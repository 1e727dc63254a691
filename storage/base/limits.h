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

/* ---- bodies: storage/volume ---- */
#define LIMIT_BLOCK (64 * KIB)       /* one CRC32C each */
#define LIMIT_EXTENT_STEP (64 * MIB) /* space is taken in such steps as bytes arrive */

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
#define LIMIT_HEADER_BYTES (64 * KIB) /* session tokens are long */
#define LIMIT_HEADERS 200
#define LIMIT_TARGET (16 * KIB)      /* a presigned URL of a key of 1,024 escaped bytes with a session token */
#define LIMIT_CONNECTIONS 10000
#define LIMIT_REQUEST_ARENA (4 * MIB) /* what one S3 request may take besides its body */
#define LIMIT_REST_BODY (64 * MIB)   /* a commit with a large schema; Polaris' 10 MiB is too small */
#define LIMIT_REST_ARENA (256 * MIB)

#endif
