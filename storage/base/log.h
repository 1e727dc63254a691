/*
 * log.h - one line an event: time, level, constant message, fields. To standard error.
 *
 *   LOG_INFO("volume sealed", U64("volume", id), STRF("path", path));
 *   2026-11-21T09:30:00.000Z info volume sealed volume=12 path="/data/v12"
 *
 * or, after log_set_json(true):
 *   {"time":"2026-11-21T09:30:00.000Z","level":"info","message":"volume sealed","volume":12,"path":"/data/v12"}
 *
 * The message is a constant; what varies is in fields; values are quoted and escaped when they need it, so that no input can make a
 * second line. There is no field type for secrets. Levels: error = a person must act, warn = we coped, info = lifecycle, debug = rest.
 */
#ifndef STORAGE_BASE_LOG_H
#define STORAGE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_field {
    const char *name;
    enum { LOG_FIELD_U64, LOG_FIELD_I64, LOG_FIELD_STR } type;
    uint64_t number;
    struct str text;
};

#define U64(name_, v_) ((struct log_field){ .name = (name_), .type = LOG_FIELD_U64, .number = (uint64_t)(v_) })
#define I64(name_, v_) ((struct log_field){ .name = (name_), .type = LOG_FIELD_I64, .number = (uint64_t)(int64_t)(v_) })
#define STRF(name_, z_) ((struct log_field){ .name = (name_), .type = LOG_FIELD_STR, .text = str_from_z(z_) })
#define STRV(name_, s_) ((struct log_field){ .name = (name_), .type = LOG_FIELD_STR, .text = (s_) })
#define ERRF(e_) ((struct log_field){ .name = "why", .type = LOG_FIELD_STR, .text = str_from_z((e_).why) })

void log_set_level(enum log_level level); /* info to begin with */
enum log_level log_get_level(void);
void log_set_json(bool is_json); /* text to begin with */
bool log_level_from(struct str name, enum log_level *ret);
void log_event(enum log_level level, const char *message, const struct log_field *fields, int count);

#define LOG_AT(level_, message_, ...)                                                                        \
    do {                                                                                                     \
        if ((level_) <= log_get_level()) {                                                                   \
            const struct log_field log_fields_[] = { { 0 }, ##__VA_ARGS__ };                                 \
            log_event((level_), "" message_, log_fields_ + 1, (int)(sizeof(log_fields_) / sizeof(*log_fields_)) - 1); \
        }                                                                                                    \
    } while (0)
#define LOG_ERROR(message_, ...) LOG_AT(LOG_LEVEL_ERROR, message_, ##__VA_ARGS__)
#define LOG_WARN(message_, ...) LOG_AT(LOG_LEVEL_WARN, message_, ##__VA_ARGS__)
#define LOG_INFO(message_, ...) LOG_AT(LOG_LEVEL_INFO, message_, ##__VA_ARGS__)
#define LOG_DEBUG(message_, ...) LOG_AT(LOG_LEVEL_DEBUG, message_, ##__VA_ARGS__)

#endif
