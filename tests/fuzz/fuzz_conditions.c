/* fuzz_conditions.c - the conditional headers: what matches an ETag is not what fails to match it, for reads and writes alike. */
#include <stdlib.h>
#include <string.h>

#include "storage/object/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

/* The input: two texts, with a line between, for ETags and for a time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct str time, tags = str_cut(str_of(data, len), '\n', &time);
    struct object_info info = { .mtime_ms = 1795253400000 };
    struct conditions match = { .if_match = tags }, none = { .if_none_match = tags };
    struct conditions since = { .if_modified_since = time }, until = { .if_unmodified_since = time };

    memset(info.etag_md5, 0xab, sizeof(info.etag_md5));
    info.part_count = len % 3;
    const enum err_code matched = conditions_read(&match, &info).code, not_matched = conditions_read(&none, &info).code;
    must(matched == ERR_OK || matched == ERR_PRECONDITION);
    must(not_matched == ERR_OK || not_matched == ERR_NOT_MODIFIED);
    must(!tags.data || matched == ERR_PRECONDITION || not_matched == ERR_NOT_MODIFIED); /* strong comparison is the narrower one */
    const enum err_code newer = conditions_read(&since, &info).code, older = conditions_read(&until, &info).code;
    must(newer == ERR_OK || newer == ERR_NOT_MODIFIED);
    must(older == ERR_OK || older == ERR_PRECONDITION);
    must(newer == ERR_OK || older == ERR_OK); /* it was not changed since, so not after either */

    must(conditions_write(&match, &info).code == matched);
    must(!tags.data || conditions_write(&match, NULL).code == ERR_NO_SUCH_KEY);
    const enum err_code written = conditions_write(&none, &info).code;
    must(written == ERR_UNSUPPORTED || written == ERR_PRECONDITION || !tags.data);
    must(!tags.data || conditions_write(&none, NULL).code == (written == ERR_PRECONDITION ? ERR_OK : written));
    must(conditions_write(&since, &info).code == ERR_OK && conditions_write(&until, &info).code == older);
    return 0;
}
