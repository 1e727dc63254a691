/*
 * fixture_test.h - a remote and an endpoint of the test's own, for the tests of its calls.
 */
#ifndef STORAGE_REMOTE_FIXTURE_TEST_H
#define STORAGE_REMOTE_FIXTURE_TEST_H

#include "storage/remote/remote.h"
#include "tests/unit/fake_s3.h"

struct fixture {
    struct fake_s3 fake;
    struct remote *remote;
    struct remote_place place; /* bucket "lake" */
    struct arena *arena;
};

/* With the keys "KEY" and "THE-SECRET". */
void fixture_begin(struct fixture *f, uint64_t timeout_ms);
void fixture_end(struct fixture *f);

#endif
