/*
 * md5_streams.h - the MD5s of large bodies that arrive at the same time, computed side by side (md5.h).
 *
 * What a stream is fed is copied, and computed later: by one thread that takes a piece of each stream that has one, up to MD5_LANES, and computes them together. So the more streams wait the less each costs, as with a
 * grouped flush; and who receives one body alone receives on while its MD5 is computed on another processor. A feeder that is more than its room ahead does not only wait: it computes a round itself.
 *
 * Invariants:
 *   S1  pieces of a stream are computed in their order, one at a time
 *   S2  nobody writes to a piece that waits
 *
 * Threads: a stream belongs to one thread at a time. Opening, feeding and ending may wait for some rounds (a round is a quarter of a millisecond), never for a disk or a client.
 */
#ifndef STORAGE_BASE_MD5_STREAMS_H
#define STORAGE_BASE_MD5_STREAMS_H

#include <stddef.h>

#include "storage/base/digest.h"
#include "storage/base/err.h"

struct md5_streams;
struct md5_stream;

/* Start the thread. ERR_NO_MEMORY. */
struct err md5_streams_start(struct md5_streams **ret);
/* All streams are closed. NULL is fine; returns NULL. */
struct md5_streams *md5_streams_stop(struct md5_streams *all);

/* A new stream. ERR_BUSY: LIMIT_MD5_STREAMS are open; ERR_NO_MEMORY. Then the caller computes by itself (digest.h). */
struct err md5_stream_open(struct md5_streams *all, struct md5_stream **ret);
void md5_stream_feed(struct md5_stream *s, const void *data, size_t len);
/* The value of all that was fed; once, and nothing may be fed any more. */
struct digest_value md5_stream_end(struct md5_stream *s);
/* At any time. NULL is fine; returns NULL. */
struct md5_stream *md5_stream_close(struct md5_stream *s);

#endif
