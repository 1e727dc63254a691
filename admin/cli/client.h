/*
 * client.h - one HTTP request and its answer, through libcurl (the only file that knows it).
 *
 * No redirects are followed, no proxy is asked (a credential goes to the server that was named and to nobody else), only http and https are
 * spoken, and an answer has a ceiling. One client keeps its connections; it belongs to one thread.
 */
#ifndef ADMIN_CLI_CLIENT_H
#define ADMIN_CLI_CLIENT_H

#include <stdio.h>

#include "admin/cli/connect.h"
#include "admin/cli/progress.h"

struct client;

struct request {
    const char *method;  /* "GET", "PUT", "POST", "DELETE" */
    struct str url;
    struct str bearer;   /* empty: none */
    const struct credential *signer; /* NULL: not signed; else with AWS Signature Version 4 for S3 */
    const char *region;  /* of the signature */
    const char *type;    /* of the body; NULL: there is none but upload */
    struct str body;
    FILE *upload;        /* PUT: upload_bytes from where it stands (NULL with 0 bytes: an empty body) */
    uint64_t upload_bytes;
    FILE *download;      /* the body of a 2xx answer goes here; NULL: to the reply */
    struct str headers[2]; /* "name: value" each, NUL-terminated; .data NULL: none */
    struct progress *progress; /* NULL: none is shown */
    struct str label;    /* of the progress; done and total are what it begins from, and bytes in all */
    uint64_t done, total;
};

struct reply {
    int status;
    struct str body, etag, date; /* in the arena; empty when there is none. etag with its quotes */
};

struct err client_new(struct client **ret);
struct client *client_free(struct client *c); /* NULL is fine; returns NULL */
void client_freep(struct client **c);

/* OK: there is an answer, whatever its status. ERR_UNAVAILABLE: the server cannot be reached, with its address. ERR_TOO_LARGE: the answer. ERR_IO: it broke off. */
struct err client_send(struct client *c, const struct request *request, struct arena *arena, struct reply *ret);

#endif
