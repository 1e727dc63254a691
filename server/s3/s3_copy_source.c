/*
 * s3_copy_source.c - the header x-amz-copy-source. Source: AWS "CopyObject"; s3-tests test_object_copy_*, test_upload_part_copy_percent_encoded_key.
 *
 * The header is cut first and decoded then: an encoded '?' belongs to the key, a bare one begins ?versionId=. Clients that send a bare '?' of a key unencoded are
 * understood too, as long as no versionId follows it. '+' is a plus: clients encode blanks as %20.
 */
#include "server/s3/s3_copy_source.h"

#include "server/s3/s3_headers.h"
#include "storage/base/encode.h"

static struct err cut_version(struct str *text)
{
    const struct str marker = STR("?versionId=");
    const size_t at = str_find(*text, marker);

    if (at == text->len) return OK;
    TRY(s3_version_check(str_from(*text, at + marker.len)));
    *text = str_slice(*text, 0, at);
    return OK;
}

struct err s3_copy_source_parse(struct arena *arena, struct str text, struct s3_copy_source *ret)
{
    struct str bucket;

    TRY(cut_version(&text));
    /* Some clients encode the slash between bucket and key as well: then there is none until it is decoded. */
    if (str_find_char(text, '/') == text.len) text = percent_str(arena, text, false);
    if (text.len && text.data[0] == '/') text = str_from(text, 1);
    const struct str key = str_cut(text, '/', &bucket);
    const struct s3_copy_source source = {
        .bucket = percent_str(arena, bucket, false),
        .key = percent_str(arena, key, false),
    };
    if (!source.bucket.data || !source.key.data || source.key.len == 0)
        return FAIL(ERR_INVALID_ARGUMENT,
                    "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    if (bucket_name_check(source.bucket).code != ERR_OK)
        return FAIL(ERR_INVALID_ARGUMENT, "Invalid copy source bucket name");
    TRY(object_key_check(source.key));
    *ret = source;
    return OK;
}

struct err s3_copy_source_of(struct s3_request *req, struct s3_copy_source *ret)
{
    TRY(s3_copy_source_parse(req->arena, http_header(req->http, "x-amz-copy-source"), ret));
    return s3_allow(req, PERM_READ, ret->bucket, ret->key);
}
