/*
 * check_volumes.c - bodies, their extents, their references, and the files that hold them.
 *
 * The trailer of every extent is read from its file and held against the row: it names store, body, volume and place, and has a checksum. So a file that was
 * swapped, cut or punched at the wrong place is found without reading its data.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/check_state.h"
#include "storage/base/sysio.h"
#include "storage/volume/record.h"
#include "storage/volume/volume.h"
#include "storage/volume/volume_rows.h"

static struct err body_row_of(struct check *c, struct uid body, struct body_row *ret)
{
    struct str value;
    const struct err e = rows_get(c->view, SPACE_BODIES, key_body(&body), &value);

    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_CORRUPT, "its body is not there");
    TRY(e);
    return body_row_decode(value, ret);
}

struct err check_body(struct check *c, struct uid body, struct uid referrer, uint64_t length)
{
    struct body_row row;
    char key[KEY_REF_BYTES];

    TRY(body_row_of(c, body, &row));
    if (row.length != length)
        return err_fail(ERR_CORRUPT, "its body has %" PRIu64 " bytes and should have %" PRIu64, row.length,
                        length);
    return check_has_row(c, SPACE_BODY_REFS, key_ref(body, referrer, key), "reference to its body");
}

/* ---- bodies and extents ---- */

/* Each is at its place in the row of its body, and the other way round. */
static struct err check_extent_row(struct check *c, struct uid body, const struct extent *x, uint32_t index)
{
    struct extent_row row;
    struct str value;
    char key[KEY_PLACE_BYTES];
    const struct err e = rows_get(c->view, SPACE_EXTENTS, key_place(x->volume, x->offset, key), &value);

    if (e.code == ERR_NOT_FOUND)
        return err_fail(ERR_CORRUPT, "its extent in volume %" PRIu64 " at %" PRIu64 " has no row", x->volume,
                        x->offset);
    TRY(e);
    TRY(extent_row_decode(value, &row));
    if (memcmp(row.body.bytes, body.bytes, sizeof(body.bytes)) == 0 && row.data_len == x->data_len
        && row.index == index)
        return OK;
    return err_fail(ERR_CORRUPT, "its extent in volume %" PRIu64 " at %" PRIu64 " belongs to something else",
                    x->volume, x->offset);
}

static struct err check_trailer_in(struct check *c, int fd, const struct record *want)
{
    const size_t len = record_trailer_bytes(want->data_len);
    uint8_t *trailer = arena_alloc(c->scratch, len);
    uint32_t *crcs = arena_array(c->scratch, uint32_t, record_blocks(want->data_len));

    if (!trailer || !crcs) return FAIL(ERR_NO_MEMORY, "no memory for the checksums of an extent");
    TRY(sys_pread_all(fd, trailer, len, want->offset + want->data_len));
    return record_decode(trailer, want, crcs);
}

static struct err check_trailer(struct check *c, const struct record *want)
{
    char path[PATH_MAX];
    int fd;

    volume_path(c->options->volumes_dir, want->volume, path);
    struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (e.code)
        return err_fail(ERR_CORRUPT, "the file of its volume %" PRIu64 " cannot be opened", want->volume);
    e = check_trailer_in(c, fd, want);
    sys_close(fd);
    if (!e.code || e.code == ERR_NO_MEMORY) return e;
    return err_fail(ERR_CORRUPT, "volume %" PRIu64 " at %" PRIu64 ": %s", want->volume, want->offset, e.why);
}

static struct err check_is_referred_to(struct check *c, struct uid body)
{
    struct rows_scan scan;
    struct str key, value;

    rows_scan_begin(&scan, c->view, SPACE_BODY_REFS, key_body(&body), false);
    const bool has = rows_scan_next(&scan, &key, &value) && str_starts(key, key_body(&body));
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    return has ? OK : FAIL(ERR_CORRUPT, "nothing refers to it: its space is lost");
}

struct err check_body_row(struct check *c, struct str key, struct str value)
{
    struct body_row row;
    struct uid body;
    uint64_t length = 0;

    c->result.bodies++;
    if (key.len != sizeof(body.bytes)) return FAIL(ERR_CORRUPT, "its key is not that of a body");
    memcpy(body.bytes, key.data, sizeof(body.bytes));
    TRY(body_row_decode(value, &row));
    for (uint32_t i = 0; i < row.count; i++) {
        const struct extent x = body_row_extent(&row, i);
        const struct record want = { .store = c->store_id,
                                     .body = body,
                                     .volume = x.volume,
                                     .offset = x.offset,
                                     .body_offset = length,
                                     .data_len = x.data_len };
        TRY(check_extent_row(c, body, &x, i));
        TRY(check_trailer(c, &want));
        length += x.data_len;
    }
    if (length != row.length) return FAIL(ERR_CORRUPT, "its extents together are not as long as it is");
    return check_is_referred_to(c, body);
}

struct err check_body_ref(struct check *c, struct str key, struct str value)
{
    (void)value;
    if (key.len != KEY_REF_BYTES) return FAIL(ERR_CORRUPT, "its key is not that of a reference");
    return check_has_row(c, SPACE_BODIES, str_slice(key, 0, 16), "body");
}

struct err check_extent(struct check *c, struct str key, struct str value)
{
    struct extent_row row;
    struct body_row body;
    uint64_t volume, offset;
    char volume_key[KEY_VOLUME_BYTES];

    TRY(key_place_decode(key, &volume, &offset));
    TRY(extent_row_decode(value, &row));
    const bool overlaps = volume == c->volume && offset < c->volume_end;
    c->volume = volume;
    c->volume_end = offset + record_bytes(row.data_len);
    if (overlaps) return FAIL(ERR_CORRUPT, "it overlaps the extent before it");
    TRY(check_has_row(c, SPACE_VOLUMES, key_volume(volume, volume_key), "volume"));
    TRY(body_row_of(c, row.body, &body));
    if (row.index >= body.count) return FAIL(ERR_CORRUPT, "its body does not have so many extents");
    const struct extent x = body_row_extent(&body, row.index);
    return x.volume == volume && x.offset == offset ? OK
                                                    : FAIL(ERR_CORRUPT, "its body has another extent there");
}

struct err check_freed(struct check *c, struct str key, struct str value)
{
    struct freed_row row;
    uint64_t volume, offset;
    char place[KEY_PLACE_BYTES];
    struct err e = OK;

    TRY(key_place_decode(key, &volume, &offset));
    TRY(freed_row_decode(value, &row));
    const bool is_taken = rows_have(c->view, SPACE_EXTENTS, key_place(volume, offset, place), &e);
    TRY(e);
    return is_taken ? FAIL(ERR_CORRUPT, "a body still has this space, which is to be given back") : OK;
}

struct err check_volume(struct check *c, struct str key, struct str value)
{
    struct volume_row row;
    struct stat st;
    char path[PATH_MAX];
    uint64_t volume;
    bool has_extents;

    TRY(key_volume_decode(key, &volume));
    TRY(volume_row_decode(value, &row));
    TRY(volume_has_rows(c->view, SPACE_EXTENTS, volume, &has_extents));
    if (!has_extents) return OK; /* its file may be gone, its row about to go */
    volume_path(c->options->volumes_dir, volume, path);
    const struct err e = sys_stat(path, &st);
    if (e.code) return err_fail(ERR_CORRUPT, "its file is not there: %s", e.why);
    if (row.state != VOLUME_SEALED || (uint64_t)st.st_size >= row.length) return OK;
    return err_fail(ERR_CORRUPT, "its file has %" PRIu64 " bytes, %" PRIu64 " were committed",
                    (uint64_t)st.st_size, row.length);
}
