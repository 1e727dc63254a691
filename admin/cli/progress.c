/*
 * progress.c - written over itself with a carriage return, cut at a width that any terminal has.
 */
#include "admin/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "admin/cli/format.h"
#include "storage/base/clock.h"

#define EVERY_MS 200
#define WIDTH 78

void progress_begin(struct progress *p)
{
    *p = (struct progress){ .is_shown = isatty(STDERR_FILENO) != 0 };
}

static bool is_due(struct progress *p)
{
    const int64_t now = clock_now_ms();

    if (!p->is_shown || (now - p->last_ms < EVERY_MS && now >= p->last_ms)) return false;
    p->last_ms = now;
    return true;
}

static void show(struct buf *line, struct str name)
{
    buf_z(line, ": ");
    text_to(line, name);
    (void)fprintf(stderr, "\r%-*.*s", WIDTH, (int)(line->len < WIDTH ? line->len : WIDTH),
                  line->data ? line->data : "");
    buf_done(line);
}

void progress_count(struct progress *p, uint64_t done, uint64_t total, struct str name)
{
    struct buf line;

    if (!is_due(p)) return;
    buf_init(&line, 64 * 1024);
    buf_u64(&line, done);
    if (total) buf_z(&line, " of ");
    if (total) buf_u64(&line, total);
    show(&line, name);
}

void progress_bytes(struct progress *p, uint64_t done, uint64_t total, struct str name)
{
    struct buf line;

    if (!is_due(p)) return;
    buf_init(&line, 64 * 1024);
    size_to(&line, done);
    if (total) buf_z(&line, " of ");
    if (total) size_to(&line, total);
    show(&line, name);
}

void progress_end(struct progress *p)
{
    if (p->is_shown && p->last_ms) (void)fprintf(stderr, "\r%*s\r", WIDTH, "");
}
