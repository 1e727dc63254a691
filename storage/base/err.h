/*
 * err.h - how every module says that something went wrong.
 *
 * A struct err is returned by value: a code that programs decide on, and a sentence for people. Codes are rows of
 * err.def; each edge (S3, Iceberg REST, the command line) has one table from code to wire code and status, and a static
 * assertion that it has a row for every code. Lower layers return errors, they do not log them.
 *
 * `why` is never NULL in a failure. It is a constant, or text made by err_fail, which lives in a ring of the calling thread:
 * valid until 16 more failures were made there. Whoever hands an error to another thread, or keeps it, copies the text
 * first (err_keep).
 */
#ifndef STORAGE_BASE_ERR_H
#define STORAGE_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

enum err_code {
    ERR_OK = 0,
#define ERR(name, text) ERR_##name,
#include "storage/base/err.def"
#undef ERR
    ERR_CODE_COUNT,
};

#ifdef __clang__
struct __attribute__((warn_unused_result)) err {
#else
struct [[nodiscard]] err {
#endif
    enum err_code code; /* ERR_OK: all is well, and why is NULL */
    const char *why;
};

#define OK ((struct err){ ERR_OK, NULL })

/* A failure with constant text. */
#define FAIL(code_, why_) ((struct err){ (code_), (why_) })

/* Leave the function when a step fails. The only macro of the project that returns. */
#define TRY(step)                                                                                            \
    do {                                                                                                     \
        const struct err try_err_ = (step);                                                                  \
        if (try_err_.code != ERR_OK) return try_err_;                                                        \
    } while (0)

/* A failure with text made from a format; cut at 511 bytes. */
#define err_fail(code_, ...) FAIL((code_), err_format(__VA_ARGS__))

/* The same, with ": " and the text of errno_value behind it. */
#define err_errno(code_, errno_value_, ...) FAIL((code_), err_format_errno((errno_value_), __VA_ARGS__))

/* The texts of these two, in the ring. (They are macros so that the compiler sees that what they give is a failure.) */
const char *err_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *err_format_errno(int errno_value, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The error e with its text copied to buf (cut at size), so that it outlives the ring and may change threads. */
struct err err_keep(struct err e, char *buf, size_t size);

/* For a caller that has a better thing to do than fail: names that the error is meant to be dropped. */
static inline void err_ignore(struct err e)
{
    (void)e;
}

/* "NO_SUCH_KEY" and its default sentence; never NULL. */
const char *err_name(enum err_code code);
const char *err_text(enum err_code code);

/* The failure for want of memory, with its default sentence. */
static inline struct err no_memory(void)
{
    return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

#endif
