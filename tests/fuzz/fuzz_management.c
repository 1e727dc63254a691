/* fuzz_management.c - bodies of anybody: a grant that is accepted can be granted on what it names, and names no more than its type has; storage that is accepted is S3, and the same when read again. */
#include <stdlib.h>

#include "server/manage/manage_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_grant(const struct iam_grant *g)
{
    if (!privilege_fits(g->privilege, g->on)) abort();
    if ((g->ns.count == 0) != (g->on == ON_CATALOG)) abort();
    if ((g->name.len > 0) != (g->on == ON_TABLE || g->on == ON_VIEW)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *body, *storage = NULL, *again = NULL;
    struct iam_grant grant;

    if (json_parse(str_of(data, len), &body).code != ERR_OK) return 0;
    if (manage_grant_parse(body, &grant).code == ERR_OK) check_grant(&grant);
    if (manage_storage_parse(body, &storage).code == ERR_OK) {
        if (!str_is(json_str(json_object_get(storage, "storageType")), "S3")) abort();
        if (manage_storage_parse(storage, &again).code != ERR_OK || !json_equal(storage, again)) abort();
    }
    json_decref(again), json_decref(storage), json_decref(body);
    return 0;
}
