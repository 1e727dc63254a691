#include "server/s3/s3_ops.h"

#include "tests/unit/test.h"

/* A request of the shape that a row asks for. */
struct shape {
    struct http_request http;
    struct http_pair query[4], headers[1];
    struct s3_request req;
};

static void shape_query(struct shape *s, const char *key)
{
    const struct str name = str_from_z(key);
    s->query[s->http.query_count++] = (struct http_pair){
        .name = name, .raw_name = name, .value = STR(""), .raw_value = STR("")
    };
}

static struct shape *shape_of(struct shape *s, enum http_method method, enum s3_level level)
{
    *s = (struct shape){ .http.method = method };
    s->http.query = s->query;
    s->http.headers = s->headers;
    s->req.http = &s->http;
    s->req.level = level;
    return s;
}

static void shape_of_row(struct shape *s, const struct s3_op *op)
{
    shape_of(s, op->method, op->level);
    for (int i = 0; i < 2; i++) {
        if (op->query[i]) shape_query(s, op->query[i]);
    }
    if (!op->header) return;
    s->headers[0] = (struct http_pair){ .name = str_from_z(op->header), .value = STR("x") };
    s->http.header_count = 1;
}

static const char *found(const struct shape *s)
{
    const struct s3_op *op = s3_op_find(&s->req);
    return op ? op->name : "none";
}

TEST(the_table_has_all_111_operations_and_is_sound)
{
    size_t count;

    s3_ops(&count);
    CHECK_U64(count, 111);
    CHECK_OK(s3_ops_check());
}

TEST(every_row_is_found_by_a_request_of_its_own_shape)
{
    size_t count, matched = 0;
    const struct s3_op *ops = s3_ops(&count);

    for (size_t i = 0; i < count; i++) {
        struct shape s;
        if (ops[i].flags & OP_ALIAS) continue;
        shape_of_row(&s, &ops[i]);
        if (strcmp(found(&s), ops[i].name) != 0)
            test_fail(__FILE__, __LINE__, "%s is taken for %s", ops[i].name, found(&s));
        matched++;
    }
    CHECK_U64(matched, 106);
}

/* SDKs stamp x-id on everything; it must change nothing. */
TEST(keys_that_name_no_subresource_change_nothing)
{
    static const char *const keys[] = { "x-id", "prefix", "X-Amz-Signature", "nonsense" };
    size_t count;
    const struct s3_op *ops = s3_ops(&count);

    for (size_t i = 0; i < count; i++) {
        struct shape s;
        if (ops[i].flags & OP_ALIAS) continue;
        shape_of_row(&s, &ops[i]);
        shape_query(&s, keys[i % 4]);
        CHECK(strcmp(found(&s), ops[i].name) == 0);
    }
}

TEST(every_name_is_there_once)
{
    size_t count;
    const struct s3_op *ops = s3_ops(&count);

    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++) CHECK(strcmp(ops[i].name, ops[j].name) != 0);
}

/* Every subresource key, with every method and level at which no row asks for it: never a listing, never an object. */
TEST(a_known_subresource_is_never_passed_over)
{
    static const char *const plain[] = { "ListObjects",  "ListBuckets",  "GetObject",
                                         "HeadObject",   "PutObject",    "DeleteObject",
                                         "CreateBucket", "DeleteBucket", "HeadBucket" };
    static const char *const refining[] = { "id", "partNumber", "list-type", "select-type" };
    size_t count;
    const struct s3_op *ops = s3_ops(&count);

    for (size_t i = 0; i < count; i++) {
        bool is_refining = !ops[i].query[0];
        for (size_t r = 0; r < 4 && !is_refining; r++)
            is_refining = strcmp(ops[i].query[0], refining[r]) == 0;
        for (int method = HTTP_GET; method <= HTTP_DELETE && !is_refining; method++) {
            for (int level = LEVEL_ROOT; level <= LEVEL_OBJECT; level++) {
                struct shape s;
                shape_of(&s, (enum http_method)method, (enum s3_level)level);
                shape_query(&s, ops[i].query[0]);
                for (size_t p = 0; p < sizeof(plain) / sizeof(plain[0]); p++) {
                    if (strcmp(found(&s), plain[p]) == 0)
                        test_fail(__FILE__, __LINE__, "?%s (method %d, level %d) is taken for %s",
                                  ops[i].query[0], method, level, plain[p]);
                }
            }
        }
    }
}

TEST(a_part_without_its_upload_is_no_object)
{
    struct shape s;

    shape_query(shape_of(&s, HTTP_PUT, LEVEL_OBJECT), "partNumber");
    CHECK(strcmp(found(&s), "UnknownSubresource") == 0);
    shape_query(shape_of(&s, HTTP_PUT, LEVEL_OBJECT), "uploadId");
    CHECK(strcmp(found(&s), "UnknownSubresource") == 0);
    shape_query(shape_of(&s, HTTP_GET, LEVEL_OBJECT), "partNumber");
    CHECK(strcmp(found(&s), "GetObject") == 0);
}
