/*
 * listen_test.c - addresses to listen on.
 */
#include "server/http/client_test.h"
#include "tests/unit/test.h"

static const struct http_app app = { .name = "test" };

TEST(addresses_to_listen_on)
{
    static const struct {
        const char *address, *url; /* without its port */
        enum err_code code;
    } rows[] = {
        { "127.0.0.1:0", "http://127.0.0.1:", ERR_OK },
        { ":0", "http://127.0.0.1:", ERR_OK },
        { "*:0", "http://127.0.0.1:", ERR_OK },
        { "0.0.0.0:0", "http://127.0.0.1:", ERR_OK },
        { "localhost:0", "http://", ERR_OK },
        { "127.0.0.1", NULL, ERR_INVALID },
        { "", NULL, ERR_INVALID },
        { "127.0.0.1:", NULL, ERR_INVALID },
        { "127.0.0.1:65536", NULL, ERR_INVALID },
        { "127.0.0.1:http", NULL, ERR_INVALID },
        { "127.0.0.1:-1", NULL, ERR_INVALID },
        { "::1:80", NULL, ERR_INVALID },
        { "999.1.1.1:0", NULL, ERR_INVALID },
        { "192.0.2.1:0", NULL, ERR_INVALID }, /* not of this machine */
    };
    const struct http_options options = { 0 };
    struct http_server *s;

    CHECK_OK(http_server_new(&options, &s));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_listener *l = NULL;
        const struct err e = http_server_listen(s, str_from_z(rows[i].address), &app, &l);
        if (e.code != rows[i].code)
            test_fail(__FILE__, __LINE__, "%s: %s", rows[i].address, e.why ? e.why : "OK");
        if (e.code) continue;
        CHECK(http_listener_port(l) != 0);
        CHECK(str_starts(http_listener_url(l), str_from_z(rows[i].url)));
    }
    s = http_server_stop(s, 0);
}

TEST(an_address_in_use_is_named)
{
    struct serving s;
    char address[40];
    const struct http_listener *l;

    serve(&s, (struct http_app){ 0 });
    snprintf(address, sizeof(address), "127.0.0.1:%u", http_listener_port(s.listener));
    CHECK_ERR(http_server_listen(s.server, str_from_z(address), &app, &l), ERR_BUSY);
    const struct err e = http_server_listen(s.server, str_from_z(address), &app, &l);
    CHECK(strstr(e.why, address) != NULL);
    serve_stop(&s);
}

static void answer_name(struct http_request *req)
{
    http_answer(
        req, 200,
        arena_printf(req->arena, "%s from %.*s", (const char *)http_context(req), STR_ARG(req->peer)));
}

static void nothing(struct http_request *req)
{
    (void)req;
}

TEST(each_listener_has_its_app)
{
    struct http_app first = {
        .head = nothing, .end = answer_name, .done = nothing, .name = "1", .context = "first"
    };
    struct http_app second = {
        .head = nothing, .end = answer_name, .done = nothing, .name = "2", .context = "second"
    };
    static struct reply reply;
    const struct http_options options = { .threads = 3 };
    struct serving s = { 0 };
    const struct http_listener *l[2];

    CHECK_OK(http_server_new(&options, &s.server));
    CHECK_OK(http_server_listen(s.server, STR("127.0.0.1:0"), &first, &l[0]));
    CHECK_OK(http_server_listen(s.server, STR(":0"), &second, &l[1]));
    for (int i = 0; i < 10; i++) {
        struct client c;
        s.listener = l[i % 2];
        client_open(&c, &s);
        ask(&c, GET("/"), 200, &reply);
        CHECK_STR(reply.body, i % 2 ? STR("second from 127.0.0.1") : STR("first from 127.0.0.1"));
        client_close(&c);
    }
    s.server = http_server_stop(s.server, 0);
}
