/*
 * gauges.c - from status to gauges, at each reading of /metrics.
 *
 * Looking is cheap (a few locks, a statvfs, LMDB's own counters) and happens every few seconds at most; keeping them up to date would put work on the paths that they describe.
 */
#include "server/manage/gauges.h"

#include <stdlib.h>
#include <unistd.h>

#include "storage/base/metrics.h"
#include "storage/base/sysio.h"

/* /proc/self/statm: pages of the program, then pages that are resident, ... */
static void refresh_memory(void)
{
    char *text = NULL;
    size_t len;
    uint64_t pages;
    struct str size, resident;

    if (sys_read_file("/proc/self/statm", 4096, &text, &len).code != ERR_OK) return;
    const struct str rest = str_cut(str_of(text, len), ' ', &size);
    (void)str_cut(rest, ' ', &resident);
    if (str_to_u64(resident, &pages))
        METRIC_SET(process_resident_bytes, pages * (uint64_t)sysconf(_SC_PAGESIZE));
    free(text);
}

void gauges_refresh(struct store *s)
{
    struct meta_status m;
    struct blob_status b;

    meta_status(s->meta, &m);
    blob_status(s->blobs, &b);
    METRIC_SET(writable, m.is_writable && b.is_writable);
    METRIC_SET(disk_free_bytes, m.disk_free_bytes);
    METRIC_SET(disk_total_bytes, m.disk_total_bytes);
    METRIC_SET(memtable_rows, m.memtable_rows);
    METRIC_SET(memtable_bytes, m.memtable_bytes);
    METRIC_SET(checkpoint_last_timestamp_seconds, m.checkpoint_last_ms / 1000);
    METRIC_SET(rows_copy_last_timestamp_seconds, m.copy.made_ms / 1000);
    METRIC_SET(rows_copy_suffices, m.copy.made_ms != 0);
    METRIC_SET(rows_copy_wanted, m.copy.is_wanted);
    METRIC_SET(rows_copy_held_bytes, m.copy.held_bytes);
    METRIC_SET(lmdb_used_bytes, m.lmdb_bytes_used);
    METRIC_SET(lmdb_map_bytes, m.lmdb_bytes_map);
    METRIC_SET(journal_segments, m.journal_segments);
    METRIC_SET(postgresql_readers, m.readers);
    METRIC_SET(postgresql_readers_idle, m.readers_idle);
    METRIC_SET(postgresql_readers_waiting, m.readers_waiting);
    METRIC_SET(servers, m.servers);
    METRIC_SET(background_here, m.is_leader);
    METRIC_SET(volume_count, b.volumes);
    METRIC_SET(volume_live_bytes, b.bytes_live);
    METRIC_SET(volume_disk_bytes, b.bytes_on_disk);
    METRIC_SET(volume_waiting_bytes, b.bytes_freed_waiting);
    refresh_memory();
}
