/* log_test.c - an event is one line, whatever its values are. */
#include "storage/base/log.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/json.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

static char log_path[PATH_MAX];
static int real_stderr;

static void capture_begin(void)
{
    int fd = -1;

    CHECK(snprintf(log_path, sizeof(log_path), "%s/log", test_dir()) < (int)sizeof(log_path));
    CHECK_OK(sys_open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd));
    real_stderr = dup(STDERR_FILENO);
    CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    sys_close(fd);
}

/* Standard error is itself again, so that a CHECK can be read. The text is malloc'ed. */
static char *capture_end(size_t *ret_len)
{
    char *text = NULL;

    CHECK(dup2(real_stderr, STDERR_FILENO) == STDERR_FILENO);
    CHECK_OK(sys_read_file(log_path, 1 << 26, &text, ret_len));
    return text;
}

/* What stands behind the time of the only line. */
static struct str only_line(char **ret_text)
{
    size_t len = 0;
    *ret_text = capture_end(&len);
    const struct str all = str_of(*ret_text, len);

    CHECK(len > 25 && (*ret_text)[10] == 'T' && (*ret_text)[23] == 'Z' && (*ret_text)[24] == ' ');
    CHECK_U64(str_find_char(all, '\n'), len - 1);
    return str_slice(all, 25, len - 1);
}

TEST(a_line_has_level_message_and_fields)
{
    char *text;

    capture_begin();
    LOG_WARN("volume sealed", U64("volume", UINT64_MAX), I64("delta", -5), STRF("path", "/data/v12"),
             STRV("key", STR("a b")), ERRF(FAIL(ERR_IO, "it broke")), STRF("none", NULL));
    CHECK_STR(only_line(&text),
              STR("warn volume sealed volume=18446744073709551615 delta=-5 path=\"/data/v12\" "
                  "key=\"a b\" why=\"it broke\" none=\"\""));
    free(text);
}

TEST(a_line_may_have_no_fields)
{
    char *text;

    capture_begin();
    LOG_ERROR("stopped");
    CHECK_STR(only_line(&text), STR("error stopped"));
    free(text);
}

TEST(values_cannot_leave_their_quotes_or_their_line)
{
    static const struct {
        struct str value, want;
    } rows[] = {
        { STR("say \"x\" \\"), STR("say \\\"x\\\" \\\\") },
        { STR("a\nb\r\tc"), STR("a\\nb\\r\\tc") },
        { STR("\0\x1b[31m\x7f"), STR("\\x00\\x1b[31m\\x7f") },
        { STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\xa7\x8a"), STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\xa7\x8a") },
        { STR("\xc3"), STR("\\xc3") },
        { STR("\xff\x80x"), STR("\\xff\\x80x") },
        { STR("\xc2\x85"), STR("\\xc2\\x85") },
        { STR("\xe2\x80\xa8"), STR("\\xe2\\x80\\xa8") },
        { STR("\xed\xa0\x80"), STR("\\xed\\xa0\\x80") },
    };
    char *text, want[128];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        capture_begin();
        LOG_INFO("event", STRV("v", rows[i].value));
        (void)snprintf(want, sizeof(want), "info event v=\"%.*s\"", STR_ARG(rows[i].want));
        CHECK_STR(only_line(&text), str_from_z(want));
        free(text);
    }
}

/* Every length around the ceiling: the line is at most PIPE_BUF bytes, and a cut value still ends its quotes. */
TEST(a_long_line_is_cut)
{
    static char value[2 * PIPE_BUF];
    char *text;

    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\n';
    for (size_t len = PIPE_BUF - 80; len < PIPE_BUF + 10; len++) {
        capture_begin();
        LOG_INFO("event", STRV("v", str_of(value, len)), U64("n", 7));
        const struct str line = only_line(&text);
        CHECK(line.len + 26 <= PIPE_BUF);
        CHECK(str_ends(line, STR("v\" n=7")) || str_ends(line, STR("v\"..."))
              || str_ends(line, STR("v\" n=...")) || str_ends(line, STR("v\" n..."))
              || str_ends(line, STR("v\" ...")));
        free(text);
    }
}

TEST(what_is_below_the_level_is_not_said)
{
    enum log_level level = LOG_LEVEL_ERROR;
    size_t len = 1;

    CHECK(log_get_level() == LOG_LEVEL_INFO);
    CHECK(log_level_from(STR("debug"), &level) && level == LOG_LEVEL_DEBUG);
    CHECK(!log_level_from(STR("loud"), &level) && level == LOG_LEVEL_DEBUG);
    capture_begin();
    LOG_DEBUG("not said");
    log_set_level(LOG_LEVEL_ERROR);
    LOG_WARN("not said either");
    free(capture_end(&len));
    CHECK_U64(len, 0);
}

#define WRITERS 4
#define LINES 500

static void write_lines(void *arg)
{
    (void)arg;
    for (int i = 0; i < LINES; i++) LOG_INFO("event", STRF("text", "the same in every line"));
}

TEST(lines_of_many_threads_stay_whole)
{
    pthread_t threads[WRITERS];
    size_t len = 0, lines = 0;
    struct str line;

    capture_begin();
    for (int i = 0; i < WRITERS; i++) CHECK_OK(thread_start("log", write_lines, NULL, &threads[i]));
    for (int i = 0; i < WRITERS; i++) thread_join(threads[i]);
    char *text = capture_end(&len);
    for (struct str_split it = str_split_on(str_of(text, len - 1), '\n'); str_split_next(&it, &line); lines++)
        CHECK_STR(str_from(line, 25), STR("info event text=\"the same in every line\""));
    CHECK_U64(lines, WRITERS * LINES);
    free(text);
}

TEST(as_json_a_line_is_an_object)
{
    char *text;
    size_t len = 0;

    capture_begin();
    log_set_json(true);
    LOG_WARN("say \"it\"", U64("volume", UINT64_MAX), I64("delta", -5),
             STRV("key", STR("a\"b\\\n\t\x1b\xff gr\xc3\xbc\xc3\x9f")), STRF("none", NULL));
    text = capture_end(&len);
    const struct str tail = str_from(str_of(text, len), 33);
    CHECK(strncmp(text, "{\"time\":\"", 9) == 0 && text[32] == 'Z');
    CHECK_STR(
        tail,
        STR("\",\"level\":\"warn\",\"message\":\"say \\\"it\\\"\",\"volume\":18446744073709551615,"
            "\"delta\":-5,\"key\":\"a\\\"b\\\\\\n\\t\\u001b\\u00ff gr\xc3\xbc\xc3\x9f\",\"none\":\"\"}\n"));
    free(text);
}

TEST(as_json_a_line_that_is_cut_is_an_object_all_the_same)
{
    static char value[PIPE_BUF + 100];

    /* Every way in which the end of the line can meet the end of a value, an escape, a name or a number. */
    for (size_t size = PIPE_BUF - 300; size < PIPE_BUF + 50; size++) {
        char *text;
        size_t len = 0;
        json_t *line;

        memset(value, 'x', size);
        memset(value + size - 40, '\x01', 40);
        capture_begin();
        log_set_json(true);
        LOG_INFO("event", STRV("v", str_of(value, size)), U64("number", UINT64_MAX), STRF("last", "z"));
        text = capture_end(&len);
        CHECK(len <= PIPE_BUF && text[len - 1] == '\n');
        CHECK_OK(json_parse(str_of(text, len), &line));
        CHECK(json_is_object(line));
        CHECK((json_object_get(line, "cut") == NULL) == (json_object_get(line, "last") != NULL));
        json_decref(line);
        free(text);
    }
}
