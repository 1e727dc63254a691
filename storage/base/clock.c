/*
 * clock.c - time: what people read, and what is measured.
 *
 * The calendar is ours: gmtime and strptime ask the locale and the time zone's files, and differ between C libraries. The
 * conversion between days and dates is that of Howard Hinnant's "chrono-compatible low-level date algorithms": years that begin
 * in March, so that the leap day is the last of a year, in eras of 400 years (146097 days), all of which are alike.
 *
 * Years are 0 to 9999, which is what the forms can say; a time beyond is printed as the nearest.
 */
#include "storage/base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
#define DAYS_0000_TO_1970 INT64_C(719528)   /* from 0000-01-01 */
#define DAYS_1970_TO_10000 INT64_C(2932897) /* to 10000-01-01 */

static const char weekdays[7][10] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static _Atomic int64_t offset;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_now_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000 + atomic_load_explicit(&offset, memory_order_relaxed);
}

uint64_t clock_mono_ns(void)
{
    return (uint64_t)read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

void clock_set_offset_ms(int64_t offset_ms)
{
    atomic_store_explicit(&offset, offset_ms, memory_order_relaxed);
}

/* ---- the calendar ---- */

struct civil {
    int year, month, day; /* from 1 */
    int hour, minute, second, ms;
    int weekday; /* 0: Sunday */
    int zone_minutes;
};

/* Days since 1970-01-01. */
static int64_t days_from_civil(int year, int month, int day)
{
    const int64_t y = year - (month <= 2) + 400; /* an era on, so that nothing is negative */
    const int64_t era = y / 400, year_of_era = y % 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1; /* from 1 March */
    const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (era - 1) * 146097 + day_of_era - 719468;
}

static struct civil civil_from_ms(int64_t ms)
{
    if (ms < -DAYS_0000_TO_1970 * DAY_MS) ms = -DAYS_0000_TO_1970 * DAY_MS;
    if (ms >= DAYS_1970_TO_10000 * DAY_MS) ms = DAYS_1970_TO_10000 * DAY_MS - 1;

    const int64_t since_0000 = ms + DAYS_0000_TO_1970 * DAY_MS;
    const int64_t days = since_0000 / DAY_MS - DAYS_0000_TO_1970;
    const int in_day = (int)(since_0000 % DAY_MS);

    const int64_t z = days + 719468 + 146097; /* from 1 March of the year -400 */
    const int64_t era = z / 146097, day_of_era = z % 146097;
    const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096)
        / 365;
    const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t march_month = (5 * day_of_year + 2) / 153;
    const int month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);

    return (struct civil){
        .year = (int)(year_of_era + era * 400 - 400) + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * march_month + 2) / 5) + 1,
        .hour = in_day / 3600000,
        .minute = in_day / 60000 % 60,
        .second = in_day / 1000 % 60,
        .ms = in_day % 1000,
        .weekday = (int)((days + 719534) % 7), /* 1970-01-01 was a Thursday; 719534 = 4 modulo 7 */
    };
}

static int days_in_month(int year, int month)
{
    static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

/* False for a date or time that does not exist. A second 60 is one (a leap second), and is the next minute's first. */
static bool ms_from_civil(const struct civil *c, int64_t *ret_ms)
{
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_in_month(c->year, c->month))
        return false;
    if (c->hour > 23 || c->minute > 59 || c->second > 60) return false;

    const int64_t minutes = (c->hour * 60 + c->minute) - c->zone_minutes;
    *ret_ms = days_from_civil(c->year, c->month, c->day) * DAY_MS + minutes * 60000 + c->second * 1000
        + c->ms;
    return true;
}

/* ---- printing ---- */

/* Write the digits of a number that fits, with leading zeros, and return where they end. */
static char *put(char *out, int width, int number)
{
    for (int i = width; i > 0; i--) {
        out[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + width;
}

static char *put_z(char *out, const char *text, size_t len)
{
    return (char *)memcpy(out, text, len) + len;
}

static char *put_time(char *out, const struct civil *c, const char *between)
{
    const size_t len = strlen(between);

    out = put(out, 2, c->hour);
    out = put(put_z(out, between, len), 2, c->minute);
    return put(put_z(out, between, len), 2, c->second);
}

void clock_http(int64_t ms, char out[CLOCK_HTTP_SIZE])
{
    const struct civil c = civil_from_ms(ms);

    out = put_z(out, weekdays[c.weekday], 3);
    out = put(put_z(out, ", ", 2), 2, c.day);
    out = put_z(put_z(out, " ", 1), months[c.month - 1], 3);
    out = put(put_z(out, " ", 1), 4, c.year);
    out = put_time(put_z(out, " ", 1), &c, ":");
    put_z(out, " GMT", 5);
}

void clock_iso(int64_t ms, char out[CLOCK_ISO_SIZE])
{
    const struct civil c = civil_from_ms(ms);

    out = put(out, 4, c.year);
    out = put(put_z(out, "-", 1), 2, c.month);
    out = put(put_z(out, "-", 1), 2, c.day);
    out = put_time(put_z(out, "T", 1), &c, ":");
    out = put(put_z(out, ".", 1), 3, c.ms);
    put_z(out, "Z", 2);
}

void clock_amz(int64_t ms, char out[CLOCK_AMZ_SIZE])
{
    const struct civil c = civil_from_ms(ms);

    out = put(put(put(out, 4, c.year), 2, c.month), 2, c.day);
    out = put_time(put_z(out, "T", 1), &c, "");
    put_z(out, "Z", 2);
}

/* ---- parsing ---- */

/* The forms, with the letters of strptime, and our own: %e a day with a blank before one digit, %f an optional fraction of a
 * second, %z an optional zone (Z, +hh:mm, +hhmm). A weekday has to be one, but is not compared with the date. */
static const char *const forms[] = {
    "%a, %d %b %Y %H:%M:%S GMT", /* RFC 9110 5.6.7, IMF-fixdate */
    "%A, %d-%b-%y %H:%M:%S GMT", /* obsolete, RFC 850 */
    "%a %b %e %H:%M:%S %Y",      /* obsolete, asctime */
    "%Y-%m-%dT%H:%M:%S%f%z",     /* ISO 8601 */
    "%Y%m%dT%H%M%SZ",            /* the same, basic, as SigV4 has it */
};

static bool take_char(struct str *text, char c)
{
    if (text->len == 0 || text->data[0] != c) return false;
    *text = str_from(*text, 1);
    return true;
}

static bool take_digits(struct str *text, size_t width, int *ret)
{
    uint64_t value;

    if (text->len < width || !str_to_u64(str_slice(*text, 0, width), &value)) return false;
    *text = str_from(*text, width);
    *ret = (int)value;
    return true;
}

/* One of `count` names, each in `size` bytes; only its first `cut` characters count. */
static bool take_name(struct str *text, const char *names, int count, size_t size, size_t cut, int *ret)
{
    for (int i = 0; i < count; i++) {
        const struct str name = str_slice(str_from_z(names + (size_t)i * size), 0, cut);
        if (!str_starts(*text, name)) continue;
        *text = str_from(*text, name.len);
        *ret = i;
        return true;
    }
    return false;
}

/* RFC 9110 5.6.7: a year of two digits that seems to be more than 50 years ahead is the last one in the past that ends so. */
static bool take_short_year(struct str *text, int *ret)
{
    const int this_year = civil_from_ms(clock_now_ms()).year;
    int year;

    if (!take_digits(text, 2, &year)) return false;
    year += this_year / 100 * 100;
    *ret = year > this_year + 50 ? year - 100 : year;
    return true;
}

/* Digits beyond milliseconds are dropped. */
static bool take_fraction(struct str *text, int *ret_ms)
{
    int ms = 0, scale = 100, digits = 0, digit;

    if (!take_char(text, '.')) return true;
    while (text->len && take_digits(text, 1, &digit)) {
        ms += digit * scale;
        scale /= 10;
        digits++;
    }
    *ret_ms = ms;
    return digits > 0;
}

static bool take_zone(struct str *text, int *ret_minutes)
{
    int hours, minutes;

    if (text->len == 0 || take_char(text, 'Z')) return true;
    const bool is_west = take_char(text, '-');
    if (!is_west && !take_char(text, '+')) return false;
    if (!take_digits(text, 2, &hours)) return false;
    (void)take_char(text, ':');
    if (!take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) return false;
    *ret_minutes = (hours * 60 + minutes) * (is_west ? -1 : 1);
    return true;
}

static bool take_field(struct str *text, char letter, struct civil *c)
{
    switch (letter) {
    case 'a': return take_name(text, weekdays[0], 7, sizeof(weekdays[0]), 3, &c->weekday);
    case 'A': return take_name(text, weekdays[0], 7, sizeof(weekdays[0]), 9, &c->weekday);
    case 'b': return take_name(text, months[0], 12, sizeof(months[0]), 3, &c->month) && ++c->month;
    case 'd': return take_digits(text, 2, &c->day);
    case 'e': return take_digits(text, take_char(text, ' ') ? 1 : 2, &c->day);
    case 'm': return take_digits(text, 2, &c->month);
    case 'y': return take_short_year(text, &c->year);
    case 'Y': return take_digits(text, 4, &c->year);
    case 'H': return take_digits(text, 2, &c->hour);
    case 'M': return take_digits(text, 2, &c->minute);
    case 'S': return take_digits(text, 2, &c->second);
    case 'f': return take_fraction(text, &c->ms);
    case 'z': return take_zone(text, &c->zone_minutes);
    }
    return false;
}

static bool take_form(struct str text, const char *form, struct civil *c)
{
    for (; *form; form++) {
        const bool is_field = *form == '%';
        if (is_field ? !take_field(&text, *++form, c) : !take_char(&text, *form)) return false;
    }
    return text.len == 0;
}

bool clock_parse(struct str text, int64_t *ret_ms)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct civil c = { 0 };
        if (take_form(text, forms[i], &c)) return ms_from_civil(&c, ret_ms);
    }
    return false;
}
