/*
 * guest.h - S3 requests that somebody else will send, signed with our credentials: what would they do, and a signature for just that.
 *
 * Whoever gets a signature may send that one request, for the 15 minutes that S3 takes it. So only requests of a few known kinds are signed: of the methods, query parameters and x-amz-* headers of these tables and no
 * others. A header that could name a second object or give rights away (x-amz-copy-source, x-amz-acl, x-amz-grant-*) is none of them; the endpoint refuses x-amz-* headers that are not signed.
 */
#ifndef STORAGE_REMOTE_GUEST_H
#define STORAGE_REMOTE_GUEST_H

#include "storage/remote/endpoint.h"
#include "storage/remote/remote.h"

enum guest_act { GUEST_READ, GUEST_LIST, GUEST_WRITE, GUEST_DELETE };

enum { GUEST_HEADERS_MAX = 64 };
struct guest_request {
    struct str method;  /* upper case */
    struct str uri;     /* where it goes, whole */
    struct sign_header headers[GUEST_HEADERS_MAX]; /* as they will be sent; names in any case */
    size_t header_count;
};

struct guest_look {
    struct endpoint_object object;
    enum guest_act act;
    struct str key;     /* that it touches; of GUEST_LIST the prefix */
};

/* What the request does at the endpoint; a bucket before the host must be `bucket`. ERR_DENIED: it goes elsewhere, or is of no kind that is signed; the text says why. ERR_INVALID: a header with control characters, or twice. */
struct err guest_look(const struct endpoint *e, struct str bucket, const struct guest_request *r, struct arena *arena, struct guest_look *ret);

/* Sign it, as of now. In *ret the headers that it is to be sent with: those of r, with ours in the place of, or besides, its own. ERR_UNAVAILABLE as remote_sign. */
struct err guest_sign(const struct remote *remote, const struct remote_place *p, const struct guest_request *r, const struct guest_look *look, struct arena *arena,
                      struct guest_request *ret);

#endif
