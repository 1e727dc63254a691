/*
 * external.h - credentials for other S3 endpoints, as the settings give them.
 */
#ifndef SERVER_EXTERNAL_H
#define SERVER_EXTERNAL_H

#include "server/config.h"
#include "storage/remote/remote.h"

/* Settings external-*. ERR_INVALID names the setting or the file, its line and the word. There may be no credentials: then no catalog of other endpoints can be made or used. */
struct err external_open(const struct config *config, struct arena *arena, struct remote **ret);

#endif
