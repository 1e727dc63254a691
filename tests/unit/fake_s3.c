/*
 * fake_s3.c - a thread that accepts, and one for each connection.
 */
#include "tests/unit/fake_s3.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "tests/unit/test.h"

struct object {
    char path[512];
    char *bytes;
    size_t len;
    int64_t written_ms;
};

struct fake_s3_state {
    struct fake_s3 *fake;
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock; /* guards: the rest */
    struct object objects[FAKE_S3_OBJECTS];
    int object_count;
    char head[8192];
    int fds[FAKE_S3_CONNECTIONS];
    pthread_t threads[FAKE_S3_CONNECTIONS];
    int connection_count;
};

struct request {
    struct str method, path, query, range, head, body;
    bool is_new_only, is_signed;
};

/* What an answer says besides status and body. */
struct fields {
    char range[64];     /* of Content-Range */
    int64_t written_ms; /* 0: of no object */
};

/* ---- objects ---- */

static struct object *find_locked(struct fake_s3_state *s, struct str path)
{
    for (int i = 0; i < s->object_count; i++) {
        if (str_is(path, s->objects[i].path)) return &s->objects[i];
    }
    return NULL;
}

static void put_locked(struct fake_s3_state *s, struct str path, struct str bytes)
{
    struct object *o = find_locked(s, path);

    if (!o) {
        CHECK(s->object_count < FAKE_S3_OBJECTS && path.len < sizeof(o->path));
        o = &s->objects[s->object_count++];
        *o = (struct object){ .len = 0 };
        memcpy(o->path, path.data, path.len);
    }
    free(o->bytes);
    o->bytes = malloc(bytes.len + 1);
    o->len = bytes.len;
    o->written_ms = clock_now_ms();
    if (bytes.len) memcpy(o->bytes, bytes.data, bytes.len);
}

static void delete_locked(struct fake_s3_state *s, struct str path)
{
    struct object *o = find_locked(s, path);

    if (!o) return;
    free(o->bytes);
    *o = s->objects[--s->object_count];
}

/* ---- requests ---- */

static int refuse(struct buf *out, int status, const char *code)
{
    buf_printf(out, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>no</Message></Error>", code);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct object *)a)->path, ((const struct object *)b)->path);
}

/* The value of a query parameter, decoded. */
static struct str parameter(const struct request *r, const char *name, char out[1024])
{
    struct str pair, key;
    size_t len = 0;

    for (struct str_split it = str_split_on(r->query, '&'); str_split_next(&it, &pair);) {
        const struct str value = str_cut(pair, '=', &key);
        if (str_is(key, name) && value.len < 1024 && percent_from(value, true, out, &len))
            return str_of(out, len);
    }
    return STR("");
}

/* ListObjectsV2 with encoding-type=url: paths are kept encoded. */
static int list_locked(struct fake_s3_state *s, const struct request *r, struct buf *out)
{
    char prefix_bytes[1024], after_bytes[1024], max_bytes[1024], path_bytes[1024], time[CLOCK_ISO_SIZE];
    const struct str prefix = parameter(r, "prefix", prefix_bytes),
                     after = parameter(r, "start-after", after_bytes);
    uint64_t max = 1000, count = 0;
    size_t len = 0;

    (void)str_to_u64(parameter(r, "max-keys", max_bytes), &max);
    qsort(s->objects, (size_t)s->object_count, sizeof(s->objects[0]), compare_paths);
    buf_z(out, "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>");
    for (int i = 0; i < s->object_count; i++) {
        const struct str path = str_from_z(s->objects[i].path), key = str_from(path, sizeof("/lake/") - 1);
        CHECK(percent_from(key, false, path_bytes, &len));
        if (!str_starts(str_of(path_bytes, len), prefix)) continue;
        path_bytes[len] = '\0';
        after_bytes[after.len] = '\0';
        if (after.len && strcmp(path_bytes, after_bytes) <= 0) continue;
        if (count++ == max) break;
        clock_iso(s->objects[i].written_ms, time);
        buf_printf(out, "<Contents><Key>%.*s</Key><LastModified>%s</LastModified><Size>%zu</Size></Contents>",
                   STR_ARG(key), time, s->objects[i].len);
    }
    buf_printf(out, "<IsTruncated>%s</IsTruncated></ListBucketResult>", count > max ? "true" : "false");
    return 200;
}

/* "bytes=0-9" */
static int piece(const struct object *o, struct str range, struct buf *out, struct fields *fields)
{
    uint64_t from = 0, to = 0;
    struct str first;
    const struct str last = str_cut(str_from(range, 6), '-', &first);

    CHECK(str_to_u64(first, &from) && str_to_u64(last, &to) && from <= to);
    if (from >= o->len) return refuse(out, 416, "InvalidRange");
    if (to >= o->len) to = o->len - 1;
    buf_append(out, o->bytes + from, to - from + 1);
    (void)snprintf(fields->range, sizeof(fields->range), "bytes %llu-%llu/%zu", (unsigned long long)from,
                   (unsigned long long)to, o->len);
    return 206;
}

static int carry_out_locked(struct fake_s3_state *s, const struct request *r, struct buf *out,
                            struct fields *fields)
{
    struct object *o = find_locked(s, r->path);

    if (!r->is_signed) return refuse(out, 403, "AccessDenied");
    if (str_is(r->path, "/lake") && r->query.len) return list_locked(s, r, out);
    if (str_is(r->path, "/lake") || str_is(r->path, "/")) return 200;
    if (!str_starts(r->path, STR("/lake/"))) return refuse(out, 404, "NoSuchBucket");
    if (str_is(r->method, "PUT")) {
        s->fake->puts++;
        if (o && r->is_new_only) return refuse(out, 412, "PreconditionFailed");
        put_locked(s, r->path, r->body);
        return 200;
    }
    if (str_is(r->method, "DELETE")) {
        s->fake->deletes++;
        delete_locked(s, r->path);
        return 204;
    }
    if (str_is(r->method, "HEAD")) s->fake->heads++;
    else s->fake->gets++;
    if (!o) return refuse(out, 404, "NoSuchKey");
    fields->written_ms = o->written_ms;
    if (r->range.len && !s->fake->ignores_range) return piece(o, r->range, out, fields);
    buf_append(out, o->bytes, o->len);
    return 200;
}

static bool is_meant(const char *fail_path, struct str path)
{
    const struct str wanted = fail_path ? str_from_z(fail_path) : STR("*");
    const bool is_prefix = str_ends(wanted, STR("*"));

    return is_prefix ? str_starts(path, str_slice(wanted, 0, wanted.len - 1)) : str_eq(path, wanted);
}

static bool takes_failure_locked(struct fake_s3 *f, const struct request *r)
{
    if (f->fail_next <= 0 || !is_meant(f->fail_path, r->path)) return false;
    f->fail_next--;
    return true;
}

static int fail(const struct fake_s3 *f, struct buf *out)
{
    const int status = f->fail_status;

    buf_clear(out);
    if (f->fail_page) buf_z(out, f->fail_page);
    else if (status) refuse(out, status, f->fail_code ? f->fail_code : "InternalError");
    return status;
}

static int decide(struct fake_s3_state *s, const struct request *r, struct buf *out, struct fields *fields)
{
    struct fake_s3 *f = s->fake;
    int status = 0;

    if (f->on_head && str_is(r->method, "HEAD")) f->on_head(f->arg);
    pthread_mutex_lock(&s->lock);
    (void)snprintf(s->head, sizeof(s->head), "%.*s", STR_ARG(r->head));
    f->requests++;
    const bool fails = takes_failure_locked(f, r);
    if (!fails || f->fails_late) status = carry_out_locked(s, r, out, fields);
    if (fails) status = fail(f, out);
    pthread_mutex_unlock(&s->lock);
    return status;
}

static struct str header(struct str head, const char *name)
{
    struct str line;

    for (struct str_split it = str_split_on(head, '\n'); str_split_next(&it, &line);) {
        struct str line_name;
        const struct str value = str_cut(line, ':', &line_name);
        if (str_is_nocase(line_name, name)) return str_trim(str_slice(value, 0, value.len - 1));
    }
    return STR_NONE;
}

/* A whole request in `in`; false when the connection ended before. */
static bool receive(int fd, struct buf *in, struct request *r)
{
    char piece[16384];

    for (;;) {
        const struct str all = buf_view(in);
        const size_t end = str_find(all, STR("\r\n\r\n"));
        uint64_t len = 0;
        if (end < all.len) {
            r->head = str_slice(all, 0, end + 2);
            (void)str_to_u64(header(r->head, "Content-Length"), &len);
            r->body = str_slice(all, end + 4, end + 4 + len);
            if (r->body.len == len) break;
        }
        const ssize_t got = recv(fd, piece, sizeof(piece), 0);
        if (got <= 0) return false;
        buf_append(in, piece, (size_t)got);
    }
    const struct str rest = str_cut(r->head, ' ', &r->method);
    (void)str_cut(rest, ' ', &r->path);
    r->query = str_cut(r->path, '?', &r->path);
    r->range = header(r->head, "Range");
    r->is_new_only = str_is(header(r->head, "If-None-Match"), "*");
    r->is_signed = str_starts(header(r->head, "Authorization"), STR("AWS4-HMAC-SHA256 Credential="));
    return true;
}

static bool answer(int fd, const struct request *r, int status, const struct buf *body,
                   const struct fields *fields)
{
    struct buf out;
    char date[CLOCK_HTTP_SIZE], written[CLOCK_HTTP_SIZE];
    const bool has_body = !str_is(r->method, "HEAD") && status != 204;

    buf_init(&out, 256 << 20);
    buf_printf(&out, "HTTP/1.1 %d X\r\n", status);
    clock_http(clock_now_ms(), date);
    clock_http(fields->written_ms, written);
    buf_printf(&out, "Date: %s\r\n", date);
    if (fields->range[0]) buf_printf(&out, "Content-Range: %s\r\n", fields->range);
    if (fields->written_ms) buf_printf(&out, "Last-Modified: %s\r\n", written);
    if (status != 204) buf_printf(&out, "Content-Length: %zu\r\n", body->len);
    buf_z(&out, "\r\n");
    if (has_body) buf_str(&out, buf_view(body));
    const ssize_t sent = send(fd, out.data, out.len, MSG_NOSIGNAL);
    const bool is_whole = sent >= 0 && (size_t)sent == out.len;
    buf_done(&out);
    return is_whole;
}

/* False: the connection is over. */
static bool serve_one(struct fake_s3_state *s, int fd)
{
    struct buf in, body;
    struct request r = { .is_signed = false };
    struct fields fields = { .written_ms = 0 };

    buf_init(&in, 256 << 20);
    buf_init(&body, 256 << 20);
    bool goes_on = receive(fd, &in, &r);
    if (goes_on && s->fake->is_silent) {
        char nothing;
        s->fake->requests++;
        (void)recv(fd, &nothing, 1, 0); /* until the client gives up, or the test ends */
        goes_on = false;
    }
    if (goes_on) {
        const int status = decide(s, &r, &body, &fields);
        goes_on = status && answer(fd, &r, status, &body, &fields);
    }
    buf_done(&in);
    buf_done(&body);
    return goes_on;
}

struct connection {
    struct fake_s3_state *state;
    int fd;
};

static void *serve_connection(void *arg)
{
    struct connection c = *(struct connection *)arg;

    free(arg);
    while (serve_one(c.state, c.fd)) continue;
    (void)shutdown(c.fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct fake_s3_state *s = arg;
    int fd;

    while ((fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct connection *c = malloc(sizeof(*c));
        *c = (struct connection){ s, fd };
        pthread_mutex_lock(&s->lock);
        CHECK(s->connection_count < FAKE_S3_CONNECTIONS);
        s->fds[s->connection_count] = fd;
        CHECK(!pthread_create(&s->threads[s->connection_count++], NULL, serve_connection, c));
        s->fake->connections++;
        pthread_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* ---- from the test ---- */

void fake_s3_start(struct fake_s3 *f)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof(addr);
    struct fake_s3_state *s = calloc(1, sizeof(*s));

    CHECK(s);
    *f = (struct fake_s3){ .state = s };
    s->fake = f;
    pthread_mutex_init(&s->lock, NULL);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(s->listener >= 0 && !bind(s->listener, (struct sockaddr *)&addr, sizeof(addr)));
    CHECK(!listen(s->listener, 64) && !getsockname(s->listener, (struct sockaddr *)&addr, &len));
    (void)snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", ntohs(addr.sin_port));
    CHECK(!pthread_create(&s->acceptor, NULL, accept_all, s));
}

void fake_s3_stop(struct fake_s3 *f)
{
    struct fake_s3_state *s = f->state;

    (void)shutdown(s->listener, SHUT_RDWR);
    (void)close(s->listener);
    pthread_join(s->acceptor, NULL);
    for (int i = 0; i < s->connection_count; i++) {
        (void)shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        (void)close(s->fds[i]);
    }
    for (int i = 0; i < s->object_count; i++) free(s->objects[i].bytes);
    pthread_mutex_destroy(&s->lock);
    free(s);
    f->state = NULL;
}

struct str fake_s3_find(struct fake_s3 *f, const char *path, struct arena *arena)
{
    struct str found = STR_NONE;

    pthread_mutex_lock(&f->state->lock);
    const struct object *o = find_locked(f->state, str_from_z(path));
    if (o) found = arena_str(arena, str_of(o->bytes, o->len));
    pthread_mutex_unlock(&f->state->lock);
    return found;
}

int fake_s3_count(struct fake_s3 *f)
{
    pthread_mutex_lock(&f->state->lock);
    const int count = f->state->object_count;
    pthread_mutex_unlock(&f->state->lock);
    return count;
}

void fake_s3_put(struct fake_s3 *f, const char *path, struct str bytes)
{
    pthread_mutex_lock(&f->state->lock);
    put_locked(f->state, str_from_z(path), bytes);
    pthread_mutex_unlock(&f->state->lock);
}

struct str fake_s3_last_head(struct fake_s3 *f, struct arena *arena)
{
    pthread_mutex_lock(&f->state->lock);
    const struct str head = arena_str(arena, str_from_z(f->state->head));
    pthread_mutex_unlock(&f->state->lock);
    return head;
}
