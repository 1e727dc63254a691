/*
 * serve.h - the life of the server: open the store, start what runs in the background, listen, wait for a signal, stop in reverse.
 */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include "server/config.h"

/* Returns when the server has stopped: OK after SIGTERM or SIGINT. An error: what kept it from starting. */
struct err serve(const struct config *config);

#endif
