"""bench_starts.py - ours alone: how it starts, and a store with many objects: after kill -9, in memory, on the disk, listed, overwritten."""
import os
import random
import signal

from bench_keys import SMALL, fill
from bench_load import Load, measure, progress
from bench_report import record
from bench_server import BUCKET, Firn, anonymous_mib

OBJECTS = int(os.environ.get("OBJECTS", "100000"))
OVERWRITE = int(os.environ.get("OVERWRITE", "0"))
OVERWRITTEN_MAX = 1000000  # keys: wrk holds its targets in memory
READ = 2000


def path_of(i):
    """Keys of 40 bytes, as the goals are stated for."""
    return f"/{BUCKET}/{i:040d}"


def some(count):
    return random.Random(1).sample(range(OBJECTS), min(count, OBJECTS))


def starts(binary, directory):
    os.makedirs(directory)
    server = Firn(binary, directory)
    record("start to ready, empty, ms", "firn", server.start() * 1000)
    record("RssAnon idle, empty, MiB", "firn", anonymous_mib(server.pids()))
    server.make_bucket()
    fill(server, Paths(), 100)
    server.stop(signal.SIGKILL)
    record(f"start to ready, {OBJECTS:,} objects, after kill -9, ms", "firn", server.start() * 1000)
    record(f"RssAnon idle, {OBJECTS:,} objects, MiB", "firn", anonymous_mib(server.pids()))
    reads = [server.presign("GET", path_of(i)) for i in some(READ)]
    busy = Load(server.url, reads, 200, pids=server.pids())
    record(f"RssAnon, {OBJECTS:,} objects, 200 connections reading, MiB", "firn", busy.anonymous_mib)
    list_pages(server)
    if OVERWRITE:
        overwrite(server)
    server.stop()
    rows = os.stat(os.path.join(directory, "data", "rows", "rows", "data.mdb"))
    record(f"index, {OBJECTS:,} objects with keys of 40 bytes, bytes an object", "firn", rows.st_blocks * 512 / OBJECTS)


class Paths:
    """All of them, a slice at a time."""

    def __len__(self):
        return OBJECTS

    def __getitem__(self, part):
        return [path_of(i) for i in range(*part.indices(OBJECTS))]


def list_pages(server):
    """Pages of 1,000 keys that begin anywhere."""
    queries = [[("list-type", "2"), ("max-keys", "1000"), ("start-after", path_of(max(0, i - 1001)).rpartition("/")[2])] for i in some(100)]
    targets = [server.presign("GET", f"/{BUCKET}", q) for q in queries]
    measure(f"LIST keys of {OBJECTS:,} keys of 40 bytes, 4 connections, requests/s", server, Load(server.url, targets, 4, pids=server.pids()))


def overwrite(server):
    """In any order, for minutes: checkpoints run, and space is given back."""
    keys = some(OVERWRITTEN_MAX)
    targets = [server.presign("PUT", path_of(i)) for i in keys]
    before, seconds = server.flushes(), OVERWRITE
    load = Load(server.url, targets, 64, "PUT", SMALL, pids=server.pids(), seconds=seconds)
    row = f"PUT 4 KiB over {len(keys):,} of {OBJECTS:,} keys for {seconds} s, 64 connections"
    measure(row + ", requests/s", server, load)
    record(row + ": requests a flush", "firn", load.requests / max(server.flushes() - before, 1))
    record(row + ": RssAnon at most, MiB", "firn", load.anonymous_mib)
    written = min(len(keys), load.requests)
    used = sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(server.directory) for name in names)
    record(row + ": disk for each byte that lives", "firn", used / (written * SMALL + (OBJECTS - written) * 100))
    progress(row + ": RssAnon, MiB", server, load.anonymous_mib)
