/* fixture_test.h - requests as they arrive, and a signer, for the tests of this folder. */
#ifndef SERVER_AUTH_FIXTURE_TEST_H
#define SERVER_AUTH_FIXTURE_TEST_H

#include "server/auth/s3_auth.h"
#include "server/auth/sigv4.h"
#include "tests/unit/test.h"

/* The credential of AWS' own examples; here it is root's. */
#define ACCESS_KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* One a test: opened by begin, closed by finish. */
extern struct arena *arena;
extern struct s3_auth_options options;

/* identities: JSON, or NULL for root alone. now: a date that clock_parse knows. */
void begin(const char *identities, const char *now);
void finish(void);
void set_now(const char *now);

/* A request as the HTTP layer hands it out. headers: "name:value\n" each. */
struct http_request *request(const char *method, const char *target, const char *headers);
void add_header(struct http_request *req, const char *name, const char *value);
void remove_header(struct http_request *req, const char *name);

/* What a client that signs does; NULL or 0: the usual. Independent of the code under test but for the canonical request, which the vectors check. */
struct signer {
    const char *access_key, *secret, *region, *service, *date, *payload, *signed_headers;
    const char *token;  /* sent as x-amz-security-token */
    const char *expires; /* of a presigned request: then the query is signed */
};
struct signer usual_signer(void);
/* Adds x-amz-date, x-amz-content-sha256, token and Authorization. */
struct http_request *signed_request(const char *method, const char *target, const char *headers, struct signer s);
/* The target of a presigned request. */
const char *presigned_target(const char *method, const char *target, const char *host, struct signer s);

struct err verify(struct http_request *req, struct s3_auth *auth);
/* Is it refused with this code, and nobody the caller? */
void check_refused(struct http_request *req, enum err_code code, const char *file, int line);
#define CHECK_REFUSED(req, code) check_refused((req), (code), __FILE__, __LINE__)

#endif
