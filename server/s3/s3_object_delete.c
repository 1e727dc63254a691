/*
 * s3_object_delete.c - DeleteObject and DeleteObjects. Sources: AWS; s3.md 21, 33.
 */
#include "storage/object/object_delete.h"

#include "server/s3/s3_body.h"
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"

/* ---- one ---- */

static void deleted(struct s3_request *req)
{
    if (req->outcome.code != ERR_OK) {
        s3_answer_error(req, req->outcome);
        return;
    }
    s3_answer_empty(req, 204);
}

struct err s3_delete_object(struct s3_request *req)
{
    struct object_delete *d = arena_new_of(req->arena, struct object_delete);

    if (!d) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *d = (struct object_delete){
        .store = req->options->store,
        .bucket = req->bucket,
        .key = req->key,
        .guard = s3_guard(req, req->key),
        .conditions.if_match = http_header(req->http, "if-match"),
        .if_match_size = http_header(req->http, "x-amz-if-match-size"),
        .if_match_mtime = http_header(req->http, "x-amz-if-match-last-modified-time"),
    };
    return s3_commit(req, object_delete_fn, d, true, deleted);
}

/* ---- many ---- */

struct batch {
    struct delete_item *items; /* what is deleted, in the document's order */
    size_t count;
    struct delete_item *refused; /* what is not even tried */
    size_t refused_count;
    bool is_quiet;
};

/* What one <Object> may not be: outside the caller's rights, not a key, or under a condition that we do not have. */
static struct err check_item(const struct s3_request *req, const struct xml_node *object, struct str key)
{
    TRY(object_key_check(key));
    TRY(s3_version_check(xml_child_text(object, "VersionId")));
    if (xml_child(object, "Size") || xml_child(object, "LastModifiedTime"))
        return FAIL(ERR_UNSUPPORTED, "Conditions on size and time are not implemented here.");
    return s3_allow(req, PERM_DELETE, req->bucket, key);
}

static struct err read_item(struct s3_request *req, const struct xml_node *object, struct batch *b)
{
    struct delete_item item = { .key = xml_child_text(object, "Key"),
                                .if_match = xml_child_text(object, "ETag") };

    if (!item.key.data) return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    if (b->count + b->refused_count == LIMIT_PAGE)
        return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    struct err e = check_item(req, object, item.key);
    if (e.code == ERR_OK) {
        item.guard = s3_guard(req, item.key);
        b->items[b->count++] = item;
        return OK;
    }
    const struct str why = arena_str(req->arena, str_from_z(e.why));
    if (!why.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    e.why = why.data;
    b->refused[b->refused_count++] = (struct delete_item){ .key = item.key, .outcome = e };
    return OK;
}

static struct err read_batch(struct s3_request *req, struct batch *b)
{
    struct xml_node *root;

    TRY(xml_parse(buf_view(req->text), "Delete", req->arena, &root));
    b->is_quiet = str_is_nocase(str_trim(xml_child_text(root, "Quiet")), "true");
    b->items = arena_array(req->arena, struct delete_item, LIMIT_PAGE);
    b->refused = arena_array(req->arena, struct delete_item, LIMIT_PAGE);
    if (!b->items || !b->refused) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (const struct xml_node *object = root->children; object; object = object->next) {
        if (str_is(object->name, "Object")) TRY(read_item(req, object, b));
    }
    if (b->count + b->refused_count == 0) return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    return OK;
}

static void print_items(struct xml *xml, const struct delete_item *items, size_t count, bool is_quiet)
{
    for (size_t i = 0; i < count; i++) {
        const struct err e = items[i].outcome;
        if (e.code == ERR_OK && is_quiet) continue;
        if (e.code == ERR_IN_USE) METRIC_ADD(guard_refusals, 1);
        xml_open(xml, e.code == ERR_OK ? "Deleted" : "Error");
        xml_text(xml, "Key", items[i].key);
        if (e.code != ERR_OK) {
            xml_text(xml, "Code", str_from_z(s3_error_row(e.code)->code));
            xml_text(xml, "Message", s3_error_text(e));
        }
        xml_close(xml, e.code == ERR_OK ? "Deleted" : "Error");
    }
}

/* A body that deletes must be the one that was meant (AWS asks for Content-MD5 or a checksum; s3.md 33). */
static struct err check_digest(const struct s3_request *req)
{
    if (s3_body_checksum(req)->is_given || http_has_header(req->http, "content-md5")) return OK;
    return FAIL(ERR_INVALID_REQUEST,
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

struct err s3_delete_objects(struct s3_request *req)
{
    struct batch b = { 0 };

    TRY(check_digest(req));
    TRY(read_batch(req, &b));
    TRY(object_delete_many(req->options->store, req->bucket, b.items, b.count, req->arena));
    struct xml *xml = xml_begin(req->arena, "DeleteResult", 16 * MIB);
    if (!xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    print_items(xml, b.items, b.count, b.is_quiet);
    print_items(xml, b.refused, b.refused_count, b.is_quiet);
    return s3_answer_document(req, xml);
}
