/*
 * s3_attributes.c - GetObjectAttributes: what is known of an object, in one document. aws s3 cp asks it before it copies a large object by parts.
 *
 * Of a part its number and size are told; the sums of single parts are not kept.
 */
#include "server/s3/s3_documents.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"

struct asked {
    struct s3_request *req;
    struct object_info info;
    struct object_reader *reader; /* open when there are parts */
    struct xml *xml;
};

static struct err print_etag(struct asked *a)
{
    char etag[ETAG_SIZE];

    object_etag(&a->info, etag);
    xml_text(a->xml, "ETag", str_from_z(etag)); /* without quotes, here alone */
    return OK;
}

static struct err print_checksum(struct asked *a)
{
    if (a->info.checksum.value.len == 0) return OK;
    xml_open(a->xml, "Checksum");
    s3_xml_checksum(a->xml, &a->info.checksum, a->info.part_count);
    xml_close(a->xml, "Checksum");
    return OK;
}

static struct err header_number(const struct s3_request *req, const char *name, uint64_t *ret)
{
    const struct str text = http_header(req->http, name);

    if (text.data && !str_to_u64(text, ret))
        return err_fail(ERR_INVALID_ARGUMENT, "%s is not a number", name);
    return OK;
}

/* A page of parts behind `marker`. Part numbers may have gaps, so each is asked for. */
static void print_page(struct asked *a, uint64_t marker, uint64_t max)
{
    uint64_t count = 0, last = marker, offset, size;
    bool is_truncated = false;

    for (uint64_t number = marker + 1; number <= LIMIT_PARTS && !is_truncated; number++) {
        if (object_part_range(a->reader, (uint32_t)number, &offset, &size).code != ERR_OK) continue;
        is_truncated = count++ == max;
        if (is_truncated) continue;
        xml_open(a->xml, "Part");
        xml_u64(a->xml, "PartNumber", number);
        xml_u64(a->xml, "Size", size);
        xml_close(a->xml, "Part");
        last = number;
    }
    xml_u64(a->xml, "NextPartNumberMarker", last);
    xml_bool(a->xml, "IsTruncated", is_truncated);
}

static struct err print_parts(struct asked *a)
{
    uint64_t marker = 0, max = LIMIT_PAGE;

    if (!a->reader) return OK;
    TRY(header_number(a->req, "x-amz-part-number-marker", &marker));
    TRY(header_number(a->req, "x-amz-max-parts", &max));
    if (max > LIMIT_PAGE) max = LIMIT_PAGE;
    if (marker > LIMIT_PARTS) marker = LIMIT_PARTS;
    xml_open(a->xml, "ObjectParts");
    xml_u64(a->xml, "PartsCount", a->info.part_count);
    xml_u64(a->xml, "PartNumberMarker", marker);
    xml_u64(a->xml, "MaxParts", max);
    print_page(a, marker, max);
    xml_close(a->xml, "ObjectParts");
    return OK;
}

static struct err print_class(struct asked *a)
{
    const struct str class = a->info.meta.headers[OBJECT_STORAGE_CLASS];

    xml_text(a->xml, "StorageClass", class.len ? class : STR("STANDARD"));
    return OK;
}

static struct err print_size(struct asked *a)
{
    xml_u64(a->xml, "ObjectSize", a->info.size);
    return OK;
}

static const struct attribute {
    const char *name;
    struct err (*print)(struct asked *a);
} attributes[] = {
    { "ETag", print_etag },          { "Checksum", print_checksum }, { "ObjectParts", print_parts },
    { "StorageClass", print_class }, { "ObjectSize", print_size },
};
#define ATTRIBUTE_COUNT (sizeof(attributes) / sizeof(attributes[0]))

/* Which of them the client asks for: bits. */
static struct err read_wanted(struct str list, unsigned *ret)
{
    struct str name;

    *ret = 0;
    for (struct str_split it = str_split_on(list, ','); str_split_next(&it, &name);) {
        size_t i = 0;
        while (i < ATTRIBUTE_COUNT && !str_is(str_trim(name), attributes[i].name)) i++;
        if (i == ATTRIBUTE_COUNT) return FAIL(ERR_INVALID_ARGUMENT, "Invalid attribute name specified.");
        *ret |= 1u << i;
    }
    return OK;
}

static void close_reader(void *arg)
{
    object_reader_close(arg);
}

static struct err open_asked(struct asked *a)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct s3_request *req = a->req;

    TRY(view_open(req->options->store->meta, &view));
    TRY(object_stat(view, req->bucket, req->key, NULL, &a->info));
    TRY(object_info_keep(&a->info, req->arena));
    if (a->info.part_count == 0) return OK;
    TRY(object_reader_open(req->options->store, view, &a->info, &a->reader));
    if (arena_defer(req->arena, close_reader, a->reader)) return OK;
    a->reader = object_reader_close(a->reader);
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err s3_get_object_attributes(struct s3_request *req)
{
    struct asked a = { .req = req };
    unsigned wanted;

    TRY(read_wanted(http_header(req->http, "x-amz-object-attributes"), &wanted));
    TRY(open_asked(&a));
    a.xml = xml_begin(req->arena, "GetObjectAttributesResponse", MIB);
    if (!a.xml) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        if (wanted & 1u << i) TRY(attributes[i].print(&a));
    }
    s3_set_last_modified(req, a.info.mtime_ms);
    return s3_answer_document(req, a.xml);
}
