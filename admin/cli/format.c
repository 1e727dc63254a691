/*
 * format.c - sizes, times and durations as text.
 */
#include "admin/cli/format.h"

#include "storage/base/clock.h"

void size_to(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    uint64_t whole = bytes, rest = 0;
    size_t unit = 0;

    while (whole >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        rest = whole % 1024;
        whole /= 1024;
        unit++;
    }
    buf_u64(out, whole);
    if (unit > 0 && whole < 10) buf_printf(out, ".%u", (unsigned)(rest * 10 / 1024));
    buf_printf(out, " %s", units[unit]);
}

void time_to(struct buf *out, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];

    clock_iso(ms, iso);
    buf_printf(out, "%.10s %.8sZ", iso, iso + 11);
}

bool duration_parse(struct str text, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 }, { 'w', 604800000 } };
    const int64_t ms_max = 1000LL * 366 * 86400000;
    int64_t number;

    if (text.len < 2 || text.data[0] == '-' || !str_to_i64(str_slice(text, 0, text.len - 1), &number))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (text.data[text.len - 1] != units[i].unit) continue;
        if (number > ms_max / units[i].ms) return false;
        *ret_ms = number * units[i].ms;
        return true;
    }
    return false;
}

void text_to(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        /* C1 controls are two bytes in UTF-8, 0xC2 and 0x80 to 0x9F; some terminals obey them. */
        if (c == 0xc2 && i + 1 < text.len && (unsigned char)text.data[i + 1] < 0xa0) {
            buf_char(out, '?');
            i++;
        } else {
            buf_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
        }
    }
}

size_t text_width(struct str text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.len; i++) width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return width;
}
