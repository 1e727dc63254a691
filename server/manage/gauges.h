/*
 * gauges.h - figures that are looked up when they are read, not kept: how full things are.
 */
#ifndef SERVER_MANAGE_GAUGES_H
#define SERVER_MANAGE_GAUGES_H

#include "storage/object/object.h"

/* Set the gauges of metrics.def that come from meta_status, blob_status and the system. Where one cannot be known it keeps its value. */
void gauges_refresh(struct store *s);

#endif
