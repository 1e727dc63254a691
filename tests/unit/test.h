/*
 * test.h - unit tests that read as facts and register themselves.
 *
 *   TEST(an_empty_key_is_refused) { CHECK_ERR(bucket_name_check(STR("")), ERR_INVALID_BUCKET_NAME); }
 *
 * A test file is x_test.c beside x.c. The runner (runner.c) runs every registered test in a process of its own (fork), so that a crash or
 * a leak of state is that test's alone, prints a line for each that fails, and ends with "N passed, N failed".
 * CHECKs abort the test at the first that fails, with file, line and the values.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

struct test_case {
    const char *name, *file;
    void (*fn)(void);
    struct test_case *next;
};
void test_register(struct test_case *t);
void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));

#define TEST(name_)                                                                                          \
    static void test_##name_(void);                                                                          \
    static struct test_case test_case_##name_ = { #name_, __FILE__, test_##name_, NULL };                    \
    __attribute__((constructor)) static void test_register_##name_(void) { test_register(&test_case_##name_); } \
    static void test_##name_(void)

#define CHECK(claim) ((claim) ? (void)0 : test_fail(__FILE__, __LINE__, "not true: %s", #claim))
#define CHECK_OK(step)                                                                                       \
    do {                                                                                                     \
        const struct err check_e_ = (step);                                                                  \
        if (check_e_.code) test_fail(__FILE__, __LINE__, "%s: %s (%s)", #step, err_name(check_e_.code), check_e_.why); \
    } while (0)
#define CHECK_ERR(step, code_)                                                                               \
    do {                                                                                                     \
        const struct err check_e_ = (step);                                                                  \
        if (check_e_.code != (code_))                                                                        \
            test_fail(__FILE__, __LINE__, "%s: wanted %s, got %s (%s)", #step, err_name(code_), err_name(check_e_.code), \
                      check_e_.why ? check_e_.why : "");                                                     \
    } while (0)
#define CHECK_U64(got, want)                                                                                 \
    do {                                                                                                     \
        const uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);                                     \
        if (got_ != want_)                                                                                   \
            test_fail(__FILE__, __LINE__, "%s: wanted %llu, got %llu", #got, (unsigned long long)want_,      \
                      (unsigned long long)got_);                                                             \
    } while (0)
#define CHECK_STR(got, want)                                                                                 \
    do {                                                                                                     \
        const struct str got_ = (got), want_ = (want);                                                       \
        if (!str_eq(got_, want_))                                                                            \
            test_fail(__FILE__, __LINE__, "%s: wanted \"%.*s\", got \"%.*s\"", #got, STR_ARG(want_), STR_ARG(got_)); \
    } while (0)

/* How many times the rounds of CI a test of random rounds does: FIRN_TEST_SCALE, by default 1 (tests/prove.sh has more). A test's time limit
 * is multiplied by it, too. */
uint64_t test_scale(void);

/* A new empty directory for this test, removed with all in it when the test ends. The string lives as long as the test. */
const char *test_dir(void);

/* While faults strike, the code says so on standard error, as it should; in between nobody reads it. *_end takes what *_begin gave. */
int test_quiet_begin(void);
void test_quiet_end(int kept);

#endif
