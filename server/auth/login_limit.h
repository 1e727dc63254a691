/*
 * login_limit.h - how often somebody may be wrong about a secret (reliability.md D20).
 *
 * Counted for a client id and the address that asks together: who guesses is slowed down, and nobody else is locked out by it. Memory is fixed; a pair that shares
 * all of its three places with others who are wrong is slowed down with them (one in 7 * 10^10 for a single guesser). Threads: any.
 */
#ifndef SERVER_AUTH_LOGIN_LIMIT_H
#define SERVER_AUTH_LOGIN_LIMIT_H

#include "storage/base/err.h"
#include "storage/base/str.h"

#define LIMIT_LOGIN_FAILURES 100    /* in a window: a program with an old secret and retries is below it, a guesser is not */
#define LIMIT_LOGIN_WINDOW_MS 60000

/* ERR_BUSY: too many wrong ones in this window; neither a wrong nor a right secret is looked at until it is over. */
struct err login_may_try(struct str client_id, struct str peer);
void login_failed(struct str client_id, struct str peer);

#endif
