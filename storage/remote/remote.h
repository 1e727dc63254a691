/*
 * remote.h - other S3 endpoints, as far as a catalog needs them: whole small files, read, written once and deleted; pieces of large ones, and listings; and signatures for its clients.
 *
 * Files are written under fresh names and never change, so every call here may be repeated: one that meets a server's error or a broken connection is, after a short pause of random length, until timeout_ms
 * have passed since it began. A file that was read or written is kept in memory (cache.h), so that loading a table normally asks nobody.
 *
 * While an endpoint fails, no more than LIMIT_REMOTE_WAITERS calls wait for it at once; others get ERR_UNAVAILABLE right away, so that a dead endpoint does not keep every worker.
 *
 * That something is gone (ERR_NO_SUCH_KEY, ERR_NO_SUCH_BUCKET) is believed of S3's own NoSuchKey and NoSuchBucket alone. Any other 404, a proxy's for one, is ERR_UNAVAILABLE: rows of files that are there must not go
 * by it. HEAD, whose answer has no document, is followed by GET then.
 *
 * Errors name the endpoint, what was asked, the status and the code of S3's error document; never a secret. They block: for workers and background threads, never for HTTP threads. Any number of threads.
 *
 * Why a client of our own over libcurl and no SDK: decisions/0015.
 */
#ifndef STORAGE_REMOTE_REMOTE_H
#define STORAGE_REMOTE_REMOTE_H

#include "storage/remote/sign.h"

struct remote;

struct remote_options {
    const char *credentials_file; /* keys.h; NULL: none, then the next three are profile "default" */
    struct str access_key, secret_key, session_token; /* both of the first, or neither */
    uint64_t timeout_ms;          /* of one call, all its attempts together */
    size_t cache_bytes;
};

/* ERR_INVALID: the credentials are not right, and where. Texts are copied. */
struct err remote_new(const struct remote_options *o, struct remote **ret);
struct remote *remote_free(struct remote *r); /* nobody is in a call; NULL is fine; returns NULL */

/* Where files lie. Texts are borrowed for the call. */
struct remote_place {
    struct str endpoint;  /* endpoint.h */
    struct str region;    /* empty: the profile's; else us-east-1 */
    struct str profile;   /* whose credentials; empty: "default" */
    struct str bucket;
    bool is_path_style;   /* else as the host wants it */
    bool is_background;   /* who asks has others to look after: a call takes LIMIT_REMOTE_BACKGROUND_MS at most, and none is made while the endpoint rests */
};

bool remote_has_keys(const struct remote *r, struct str profile);
struct str remote_region(const struct remote *r, const struct remote_place *p);
bool remote_is_path_style(const struct remote_place *p);
/* After a call failed or was denied the background leaves that bucket with these credentials alone: LIMIT_REMOTE_REST_FACTOR times as long as the failure took. Any call that succeeds ends that; one that was turned away, or a 404 to HEAD before GET was answered, changes nothing. */
bool remote_rests(struct remote *r, const struct remote_place *p);

/* Is the bucket there, and may we use it? ERR_NO_SUCH_BUCKET; else as remote_get. */
struct err remote_check_bucket(struct remote *r, const struct remote_place *p, struct arena *arena);
/* ERR_NO_SUCH_KEY, ERR_NO_SUCH_BUCKET; ERR_TOO_LARGE; ERR_INVALID: the endpoint is no address; ERR_UNAVAILABLE: it does not answer, or refuses (also our credentials). */
struct err remote_get(struct remote *r, const struct remote_place *p, struct str key, size_t bytes_max, struct arena *arena, struct str *ret);
/* Make a file that is not there yet (If-None-Match: *). ERR_PRECONDITION: another one is there. After ERR_UNAVAILABLE it may be there or not. */
struct err remote_put(struct remote *r, const struct remote_place *p, struct str key, struct str bytes, struct arena *arena);
/* OK also when it was not there. */
struct err remote_delete(struct remote *r, const struct remote_place *p, struct str key, struct arena *arena);

/* ---- what maintenance needs besides: nothing of it is kept in memory ---- */

/* Times are by our clock, to a second: the endpoint's own clock says how old a file is. */
struct remote_file {
    struct str key;     /* of remote_list; in the arena */
    uint64_t size;
    int64_t written_ms;
};
/* As remote_get. */
struct err remote_stat(struct remote *r, const struct remote_place *p, struct str key, struct arena *arena, struct remote_file *ret);

/* Bytes [offset, offset + len) of a file, or up to its end; *ret_size: of the whole file. ERR_CORRUPT: it ends before offset; or the answer is of another piece. Else as remote_get. */
struct remote_piece {
    uint64_t offset;
    size_t len;
};
struct err remote_read(struct remote *r, const struct remote_place *p, struct str key, struct remote_piece piece, struct arena *arena, struct str *ret, uint64_t *ret_size);

struct remote_listing {
    struct remote_file *files;
    size_t count;
    bool is_truncated;  /* there are more behind the last, of which there is one then */
};
struct remote_query {
    struct str prefix, after; /* keys that begin with the one, behind the other (empty: all) */
    size_t max;               /* LIMIT_PAGE at most */
};
/* A page, in the order of keys. ERR_CORRUPT: what the endpoint answers is no such page. Else as remote_get. */
struct err remote_list(struct remote *r, const struct remote_place *p, const struct remote_query *q, struct arena *arena, struct remote_listing *ret);

/* A signature for somebody else's request to the place; s->region is filled from it. The caller has looked at what is asked for. ERR_UNAVAILABLE: no such profile. */
struct err remote_sign(const struct remote *r, const struct remote_place *p, struct sign_request *s, struct arena *arena, struct str *ret_authorization);
/* Of the place's profile; empty: none, or no such profile. */
struct str remote_session_token(const struct remote *r, struct str profile);

#endif
