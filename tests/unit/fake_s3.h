/*
 * fake_s3.h - an S3 endpoint in the test's own process: it keeps objects in memory, and fails when it is told to.
 *
 * It knows GET (with Range), HEAD, PUT (with If-None-Match: *) and DELETE of /bucket/key, and HEAD and ListObjectsV2 of the bucket "lake". Files are as old as this process' clock says. It looks at signatures only so far that there is one.
 */
#ifndef TESTS_UNIT_FAKE_S3_H
#define TESTS_UNIT_FAKE_S3_H

#include <stdatomic.h>

#include "storage/base/arena.h"

enum { FAKE_S3_OBJECTS = 512, FAKE_S3_CONNECTIONS = 64 };

struct fake_s3 {
    char url[64]; /* "http://127.0.0.1:PORT" */
    /* Counts since the start. */
    _Atomic int requests, puts, gets, heads, deletes, connections;
    /* The next fail_next requests are answered with fail_status (and fail_code), after the request was carried out when fails_late. 0 as status: the connection is closed instead. */
    _Atomic int fail_next, fail_status;
    _Atomic bool fails_late;
    const char *fail_code;
    const char *fail_page; /* the body of such an answer as it is, in place of an error document; NULL: with fail_code */
    const char *fail_path; /* "/bucket/key": requests of this path alone fail (ends it with '*': of all that begin so); NULL: of all */
    _Atomic bool ignores_range; /* all of a file is the answer */
    _Atomic bool is_silent; /* requests are read and never answered */
    void (*on_head)(void *arg); /* called before a HEAD is answered; NULL: nothing */
    void *arg;
    struct fake_s3_state *state;
};

void fake_s3_start(struct fake_s3 *f);
void fake_s3_stop(struct fake_s3 *f);

/* A copy of what lies at "/bucket/key"; .data NULL: nothing. */
struct str fake_s3_find(struct fake_s3 *f, const char *path, struct arena *arena);
/* How many objects there are. */
int fake_s3_count(struct fake_s3 *f);
void fake_s3_put(struct fake_s3 *f, const char *path, struct str bytes);
/* The head of the last request, in the arena. */
struct str fake_s3_last_head(struct fake_s3 *f, struct arena *arena);

#endif
