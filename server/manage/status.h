/*
 * status.h - what `firn status` shows: where the data is, how full, what the engine does. JSON.
 */
#ifndef SERVER_MANAGE_STATUS_H
#define SERVER_MANAGE_STATUS_H

#include "storage/object/object.h"

/* {"version", "data", "writable", "disk": {...}, "rows": {...}, "journal": {...}, "volumes": {...}} in the arena. */
struct err status_print(struct store *s, struct str data_dir, struct arena *arena, struct str *ret);

#endif
