/* fixture_test.c - see fixture_test.h; it has no tests of its own. */
#include "storage/remote/fixture_test.h"

#include "tests/unit/test.h"

void fixture_begin(struct fixture *f, uint64_t timeout_ms)
{
    const struct remote_options o = { .access_key = STR("KEY"),
                                      .secret_key = STR("THE-SECRET"),
                                      .timeout_ms = timeout_ms,
                                      .cache_bytes = 1 << 20 };

    fake_s3_start(&f->fake);
    CHECK_OK(remote_new(&o, &f->remote));
    f->place = (struct remote_place){ .endpoint = str_from_z(f->fake.url), .bucket = STR("lake") };
    f->arena = arena_new(64 << 20);
}

void fixture_end(struct fixture *f)
{
    f->remote = remote_free(f->remote);
    fake_s3_stop(&f->fake);
    f->arena = arena_free(f->arena);
}
