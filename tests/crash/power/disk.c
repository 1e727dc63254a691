/*
 * disk.c - a record as a disk.
 *
 * Each file and directory is what is durable of it, and the changes since, in their order. A finished sync makes durable what was changed before it began. An image is the durable state with some
 * of the changes; which, a cut says (power.h). Two models:
 *
 *   each alone   names, lengths, holes and sectors come or do not, each by itself, whatever came first; a name comes for sure only with a sync of its directory. More than any file system does
 *                to us: what holds here leans on nothing but POSIX
 *   in order     names, lengths and holes come in their order over the whole file system, up to some point; every fsync (of a file too) takes along what came before it. So do ext4 and xfs
 *
 * In both a write may lack any of its sectors of 512 bytes, a sector may have any content it had since the last sync, and a rename is atomic. A file's length is behind the last byte that came,
 * or the newest one (cut.has_sizes), and then what did not come is zeros.
 */
#include "tests/crash/power/power.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODES_MAX 16384
#define SECTOR 512
#define PAGE 4096

struct change {
    struct event event;
    const uint8_t *bytes; /* the log's */
    uint64_t number;      /* of its event in the log */
};

struct changes {
    struct change *list;
    size_t count, size;
};

struct content {
    uint8_t *bytes;
    size_t len, size; /* behind len, up to size: zeros */
};

struct node {
    bool is_there, is_dir;
    struct content content;
    struct changes changes; /* of a file */
};

struct name {
    uint64_t parent, id;
    char text[48];
};

struct names {
    struct name *list;
    size_t count, size;
};

struct disk {
    struct node nodes[NODES_MAX];
    uint64_t node_count;      /* ids are below it */
    struct names names;       /* durable ones, of all directories */
    struct changes named;     /* changes of names */
    uint64_t number, ordered; /* the last event; all metadata up to this one came with an fsync */
    uint64_t sync_begun[64], sync_number[64];
};

/* ---- lists ---- */

static void *grown(void *list, size_t *size, size_t count, size_t each)
{
    if (count < *size) return list;
    *size = *size ? 2 * *size : 16;
    list = realloc(list, *size * each);
    if (!list) fatal("no memory");
    return list;
}

static void changes_add(struct changes *c, const struct change *change)
{
    c->list = grown(c->list, &c->size, c->count, sizeof(*c->list));
    c->list[c->count++] = *change;
}

static struct name *names_find(struct names *n, uint64_t parent, const char *text)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->list[i].parent == parent && !strcmp(n->list[i].text, text)) return &n->list[i];
    return NULL;
}

static void names_remove(struct names *n, uint64_t parent, const char *text)
{
    struct name *found = names_find(n, parent, text);
    if (found) *found = n->list[--n->count];
}

static void names_set(struct names *n, uint64_t parent, const char *text, uint64_t id)
{
    names_remove(n, parent, text);
    n->list = grown(n->list, &n->size, n->count, sizeof(*n->list));
    struct name *added = &n->list[n->count++];
    *added = (struct name){ .parent = parent, .id = id };
    snprintf(added->text, sizeof(added->text), "%s", text);
}

/* ---- bytes ---- */

static void content_reach(struct content *c, size_t len)
{
    if (len > c->size) {
        const size_t size = len > 2 * c->size ? len : 2 * c->size;
        c->bytes = realloc(c->bytes, size);
        if (!c->bytes) fatal("no memory");
        memset(c->bytes + c->size, 0, size - c->size);
        c->size = size;
    }
    if (len > c->len) c->len = len;
}

static void content_cut(struct content *c, size_t len)
{
    content_reach(c, len);
    if (len < c->len) memset(c->bytes + len, 0, c->len - len);
    c->len = len;
}

static void content_write(struct content *c, uint64_t offset, const void *bytes, size_t len)
{
    content_reach(c, offset + len);
    memcpy(c->bytes + offset, bytes, len);
}

static void content_zero(struct content *c, uint64_t offset, uint64_t len)
{
    if (offset >= c->len) return;
    memset(c->bytes + offset, 0, len < c->len - offset ? len : c->len - offset);
}

static void content_change(struct content *c, const struct change *x)
{
    switch (x->event.kind) {
    case EVENT_SIZE: content_cut(c, x->event.offset); return;
    case EVENT_EXTEND: content_reach(c, x->event.offset); return;
    case EVENT_ZERO: content_zero(c, x->event.offset, x->event.other); return;
    default: content_write(c, x->event.offset, x->bytes, x->event.len);
    }
}

/* ---- names ---- */

static void text_of(const struct change *x, char out[48])
{
    if (x->event.len >= 48) fatal("a name is too long for the model");
    memcpy(out, x->bytes, x->event.len);
    out[x->event.len] = 0;
}

static void names_change(struct names *n, const struct change *x)
{
    char text[48], to[48];

    if (x->event.kind == EVENT_RENAME) {
        const size_t from_len = strlen((const char *)x->bytes);
        snprintf(to, sizeof(to), "%.*s", (int)(x->event.len - from_len - 1), x->bytes + from_len + 1);
        const struct name *old = names_find(n, x->event.id, (const char *)x->bytes);
        if (!old) return; /* its file never came by that name: neither does it by this one */
        const uint64_t id = old->id;
        names_remove(n, x->event.id, (const char *)x->bytes);
        names_set(n, x->event.other, to, id);
        return;
    }
    text_of(x, text);
    if (x->event.kind == EVENT_UNLINK) names_remove(n, x->event.id, text);
    else names_set(n, x->event.other, text, x->event.id);
}

static bool is_of(const struct change *x, uint64_t directory)
{
    const bool is_one = x->event.kind == EVENT_UNLINK;
    return (is_one || x->event.kind == EVENT_RENAME) && x->event.id == directory
        ? true
        : !is_one && x->event.other == directory;
}

/* ---- what becomes durable ---- */

static void settle_names(struct disk *d, uint64_t directory, uint64_t before)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->named.count; i++) {
        const struct change x = d->named.list[i];
        if (x.number < before && is_of(&x, directory)) names_change(&d->names, &x);
        else d->named.list[kept++] = x;
    }
    d->named.count = kept;
}

static void settle_file(struct node *n, uint64_t before)
{
    size_t done = 0;

    while (done < n->changes.count && n->changes.list[done].number < before)
        content_change(&n->content, &n->changes.list[done++]);
    n->changes.count -= done;
    memmove(n->changes.list, n->changes.list + done, n->changes.count * sizeof(*n->changes.list));
}

/* A part of a write, or of a hole. */
static struct change part_of(const struct change *x, uint64_t from, uint64_t to)
{
    struct change part = *x;

    part.event.offset = from;
    if (x->event.kind == EVENT_ZERO) {
        part.event.other = to - from;
    } else {
        part.bytes += from - x->event.offset;
        part.event.len = (uint32_t)(to - from);
    }
    return part;
}

/* A write with O_DSYNC takes along what else was changed in its pages, and no more. Changes of length in between would need more thought, and LMDB makes none: they settle the whole file. */
static void settle_pages(struct node *n, uint64_t offset, uint64_t len, uint64_t number)
{
    const uint64_t from = offset / PAGE * PAGE, to = (offset + len + PAGE - 1) / PAGE * PAGE;
    struct changes left = { 0 };

    for (size_t i = 0; i < n->changes.count; i++) {
        const uint32_t kind = n->changes.list[i].event.kind;
        if (kind == EVENT_SIZE || kind == EVENT_EXTEND) {
            settle_file(n, number + 1);
            return;
        }
    }
    for (size_t i = 0; i < n->changes.count; i++) {
        const struct change *x = &n->changes.list[i];
        const uint64_t begin = x->event.offset;
        const uint64_t end = begin + (x->event.kind == EVENT_ZERO ? x->event.other : x->event.len);
        const uint64_t low = begin > from ? begin : from, high = end < to ? end : to;
        if (low >= high) {
            changes_add(&left, x);
            continue;
        }
        const struct change inside = part_of(x, low, high);
        content_change(&n->content, &inside);
        const struct change before = part_of(x, begin, low), behind = part_of(x, high, end);
        if (begin < low) changes_add(&left, &before);
        if (high < end) changes_add(&left, &behind);
    }
    free(n->changes.list);
    n->changes = left;
}

/* ---- the record ---- */

static struct node *node_at(struct disk *d, uint64_t id)
{
    if (!id || id >= NODES_MAX) fatal("a file of number %llu", (unsigned long long)id);
    if (id >= d->node_count) d->node_count = id + 1;
    return &d->nodes[id];
}

struct disk *disk_new(void)
{
    struct disk *d = calloc(1, sizeof(*d));

    if (!d) fatal("no memory");
    *node_at(d, 1) = (struct node){ .is_there = true, .is_dir = true };
    return d;
}

void disk_free(struct disk *d)
{
    for (uint64_t i = 0; i < d->node_count; i++) {
        free(d->nodes[i].content.bytes);
        free(d->nodes[i].changes.list);
    }
    free(d->names.list);
    free(d->named.list);
    free(d);
}

static void base(struct disk *d, const struct event *e, const uint8_t *bytes)
{
    struct node *n = node_at(d, e->id);
    const bool is_dir = e->kind == EVENT_BASE_DIR;
    const int len = (int)(is_dir ? e->len : e->offset);
    char text[48];

    snprintf(text, sizeof(text), "%.*s", len, bytes);
    *n = (struct node){ .is_there = true, .is_dir = is_dir };
    names_set(&d->names, e->other, text, e->id);
    if (!is_dir) content_write(&n->content, 0, bytes + len, e->len - (size_t)len);
}

static void sync_end(struct disk *d, const struct event *e)
{
    for (size_t i = 0; i < 64; i++) {
        if (d->sync_begun[i] != e->other) continue;
        const uint64_t before = d->sync_number[i];
        d->sync_begun[i] = 0;
        if (node_at(d, e->id)->is_dir) settle_names(d, e->id, before);
        else settle_file(node_at(d, e->id), before);
        if (e->offset && before > d->ordered) d->ordered = before;
        return;
    }
    fatal("a sync ends that did not begin");
}

static void sync_begin(struct disk *d, const struct event *e)
{
    for (size_t i = 0; i < 64; i++) {
        if (d->sync_begun[i]) continue;
        d->sync_begun[i] = e->other;
        d->sync_number[i] = d->number;
        return;
    }
    fatal("too many syncs at once");
}

void disk_apply(struct disk *d, const struct event *e, const void *bytes)
{
    const struct change x = { .event = *e, .bytes = bytes, .number = ++d->number };

    switch ((enum event_kind)e->kind) {
    case EVENT_BASE_DIR:
    case EVENT_BASE_FILE: base(d, e, bytes); return;
    case EVENT_CREATE:
    case EVENT_MKDIR:
        *node_at(d, e->id) = (struct node){ .is_there = true, .is_dir = e->kind == EVENT_MKDIR };
        changes_add(&d->named, &x);
        return;
    case EVENT_RENAME:
    case EVENT_UNLINK: changes_add(&d->named, &x); return;
    case EVENT_WRITE:
    case EVENT_ZERO:
    case EVENT_SIZE:
    case EVENT_EXTEND: changes_add(&node_at(d, e->id)->changes, &x); return;
    case EVENT_WRITE_SYNCED:
        changes_add(&node_at(d, e->id)->changes, &x);
        settle_pages(node_at(d, e->id), e->offset, e->len, d->number);
        return;
    case EVENT_SYNC_BEGIN: sync_begin(d, e); return;
    case EVENT_SYNC_END: sync_end(d, e); return;
    case EVENT_MARK: return;
    case EVENT_KILL: /* its syncs never end; what they were for is not durable, but not lost either */
        memset(d->sync_begun, 0, sizeof(d->sync_begun));
        return;
    }
    fatal("an event of unknown kind %u", e->kind);
}

/* ---- images ---- */

struct cut cut_from(uint64_t seed)
{
    static const unsigned keeps[] = { 0, 10, 50, 90, 100 };
    uint64_t random = seed;
    struct cut c = { .seed = seed };

    c.is_ordered = random_below(&random, 2);
    c.is_torn = random_below(&random, 2);
    c.has_sizes = random_below(&random, 2);
    c.keep = keeps[random_below(&random, sizeof(keeps) / sizeof(*keeps))];
    return c;
}

void cut_print(const struct cut *c, char *out, size_t size)
{
    snprintf(out, size, "%u%% of what was not synced %s, names and lengths %s%s", c->keep,
             c->is_torn ? "by sector" : "by write", c->is_ordered ? "in order" : "each alone",
             c->has_sizes ? ", lengths before bytes" : "");
}

struct imaging {
    const struct cut *cut;
    uint64_t random, metadata_end; /* in order: metadata up to here */
};

static bool comes(struct imaging *im)
{
    return random_below(&im->random, 100) < im->cut->keep;
}

static bool metadata_comes(struct imaging *im, const struct change *x)
{
    return im->cut->is_ordered ? x->number <= im->metadata_end : comes(im);
}

static void write_torn(struct imaging *im, struct content *c, const struct change *x)
{
    const bool is_hole = x->event.kind == EVENT_ZERO;
    const uint64_t end = x->event.offset + (is_hole ? x->event.other : x->event.len);

    for (uint64_t at = x->event.offset; at < end;) {
        uint64_t next = (at / SECTOR + 1) * SECTOR;
        if (next > end) next = end;
        if (comes(im)) {
            const struct change part = part_of(x, at, next);
            content_change(c, &part);
        }
        at = next;
    }
}

static void image_change(struct imaging *im, struct content *c, const struct change *x)
{
    const bool is_data = x->event.kind == EVENT_WRITE || x->event.kind == EVENT_WRITE_SYNCED;

    if (is_data || (x->event.kind == EVENT_ZERO && !im->cut->is_ordered)) {
        if (im->cut->is_torn) write_torn(im, c, x);
        else if (comes(im)) content_change(c, x);
    } else if (metadata_comes(im, x)) {
        content_change(c, x);
    }
}

static uint64_t newest_length(const struct node *n)
{
    uint64_t len = n->content.len;

    for (size_t i = 0; i < n->changes.count; i++) {
        const struct event *e = &n->changes.list[i].event;
        if (e->kind == EVENT_SIZE) len = e->offset;
        else if (e->kind == EVENT_EXTEND) len = e->offset > len ? e->offset : len;
        else if (e->kind != EVENT_ZERO) len = e->offset + e->len > len ? e->offset + e->len : len;
    }
    return len;
}

static bool is_zeros(const uint8_t *bytes, size_t len)
{
    return !len || (!bytes[0] && !memcmp(bytes, bytes + 1, len - 1));
}

static void write_file(const char *path, const struct content *c)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)c->len)) fatal("%s cannot be made", path);
    for (size_t at = 0; at < c->len; at += 4 * PAGE) {
        const size_t len = c->len - at < 4 * PAGE ? c->len - at : 4 * PAGE;
        if (is_zeros(c->bytes + at, len)) continue;
        if (pwrite(fd, c->bytes + at, len, (off_t)at) != (ssize_t)len) fatal("%s cannot be written", path);
    }
    close(fd);
}

static void image_file(struct imaging *im, const struct node *n, const char *path)
{
    struct content c = n->content;

    if (!n->changes.count) {
        write_file(path, &c);
        return;
    }
    c.bytes = malloc(c.size + 1);
    if (!c.bytes) fatal("no memory");
    if (c.size) memcpy(c.bytes, n->content.bytes, c.size);
    for (size_t i = 0; i < n->changes.count; i++) image_change(im, &c, &n->changes.list[i]);
    if (im->cut->has_sizes && !im->cut->is_ordered) content_cut(&c, newest_length(n));
    write_file(path, &c);
    free(c.bytes);
}

static void image_dir(struct imaging *im, const struct disk *d, const struct names *names, uint64_t id,
                      const char *path)
{
    if (mkdir(path, 0700)) fatal("%s cannot be made", path);
    for (size_t i = 0; i < names->count; i++) {
        const struct name *n = &names->list[i];
        char child[PATH_MAX];
        if (n->parent != id) continue;
        snprintf(child, sizeof(child), "%s/%s", path, n->text);
        if (d->nodes[n->id].is_dir) image_dir(im, d, names, n->id, child);
        else image_file(im, &d->nodes[n->id], child);
    }
}

void disk_image(const struct disk *d, const struct cut *c, const char *dir)
{
    struct imaging im = { .cut = c, .random = c->seed ^ 0x706f776572ull };
    struct names names = { .count = d->names.count, .size = d->names.count };

    im.metadata_end = d->ordered + random_below(&im.random, d->number - d->ordered + 1);
    if (c->keep == 100) im.metadata_end = d->number;
    names.list = malloc((names.size + 1) * sizeof(*names.list));
    if (!names.list) fatal("no memory");
    if (names.count) memcpy(names.list, d->names.list, names.count * sizeof(*names.list));
    for (size_t i = 0; i < d->named.count; i++)
        if (metadata_comes(&im, &d->named.list[i])) names_change(&names, &d->named.list[i]);
    image_dir(&im, d, &names, 1, dir);
    free(names.list);
}
