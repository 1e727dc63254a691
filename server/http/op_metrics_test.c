/* op_metrics_test.c - requests are counted under their operation and class, and what is none of them under "none". */
#include "server/http/op_metrics.h"

#include "server/http/client_test.h"
#include "tests/unit/test.h"

static struct op_metrics *metrics;

static const char *name_of(size_t i)
{
    static const char *const names[] = { "GetThing", "PutThing", "NeverAsked" };
    return names[i];
}

static void answer(struct http_request *req)
{
    http_answer(req, req->method == HTTP_PUT ? 503 : 200, STR("x"));
}

static void done(struct http_request *req)
{
    op_metrics_count(metrics, req->method == HTTP_GET ? 0 : req->method == HTTP_PUT ? 1 : SIZE_MAX, req);
}

static void ask_for(struct serving *s, const char *request, int status)
{
    static struct reply reply;
    struct client c;

    client_open(&c, s);
    ask(&c, request, status, &reply);
    client_close(&c);
}

TEST(requests_are_counted_by_operation_and_class)
{
    struct serving s;
    struct buf b;

    CHECK_OK(op_metrics_new("test", 3, name_of, &metrics));
    serve(&s, (struct http_app){ .head = answer, .done = done });
    ask_for(&s, GET("/"), 200);
    ask_for(&s, GET("/"), 200);
    ask_for(&s, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 503);
    ask_for(&s, "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 200);
    serve_stop(&s);
    buf_init(&b, 1 << 20);
    op_metrics_print(&b);
    CHECK_OK(buf_err(&b));
    static const struct str wanted[] = {
        STR("\nfirn_operation_requests_total{api=\"test\",operation=\"GetThing\",status=\"2xx\"} 2\n"),
        STR("\nfirn_operation_requests_total{api=\"test\",operation=\"PutThing\",status=\"5xx\"} 1\n"),
        STR("\nfirn_operation_requests_total{api=\"test\",operation=\"none\",status=\"2xx\"} 1\n"),
        STR("\nfirn_operation_seconds_bucket{api=\"test\",operation=\"GetThing\",le=\"+Inf\"} 2\n"),
        STR("\nfirn_operation_seconds_count{api=\"test\",operation=\"PutThing\"} 1\n"),
    };
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (!str_contains(buf_view(&b), wanted[i]))
            test_fail(__FILE__, __LINE__, "%.*s is not in\n%.*s", STR_ARG(wanted[i]), STR_ARG(buf_view(&b)));
    }
    CHECK(!str_contains(buf_view(&b), STR("NeverAsked")));

    metrics = op_metrics_free(metrics);
    buf_clear(&b);
    op_metrics_print(&b);
    CHECK(!str_contains(buf_view(&b), STR("\nfirn_operation")));
    buf_done(&b);
}
