"""bench.py - see run.sh. The phases, the ceilings, and the whole."""
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

import bench_keys
from bench_large import receive, seconds_of, send
from bench_load import SECONDS, Load, measure, progress
from bench_report import note, page, record, table
from bench_server import BUCKET, Firn, Server, anonymous_mib, cpu_seconds, free_port
from bench_starts import starts

PAGE = os.environ.get("PAGE")
STORE = os.environ.get("STORE")
REPEAT = int(os.environ.get("REPEAT", "1"))
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SMALL, LARGE = 4 * KIB, 64 * MIB
PARTS = 80
LARGE_COUNT = 16  # bodies: 1 GiB, as dd writes
TABLES = 64  # commits go over so many: as good as never two at once on one table
KEYS = 2000  # that are read and listed


# ---- phases ----

def put_targets(server, count):
    run = os.urandom(4).hex()
    return [server.presign("PUT", f"/{BUCKET}/p{run}/{i:07d}") for i in range(count)]


def get_small(servers, nginx):
    for connections in (1, 16, 64):
        row = f"GET 4 KiB, {connections} connections, requests/s"
        for s in servers:
            load = Load(s.url, s.reads, connections, pids=s.pids())
            measure(row, s, load)
            if load.cpu is not None and connections == 64:
                record("GET 4 KiB, 64 connections: CPU us a request", s.name, load.cpu / max(load.requests, 1) * 1e6)
        if nginx:
            record(row, "nginx", Load(nginx, ["/small"], connections).rate)


def put_small(servers, _):
    for connections in (1, 16, 64):
        row = f"PUT 4 KiB, {connections} connections, requests/s"
        for s in servers:
            targets = put_targets(s, 30000)
            before = s.flushes()
            load = Load(s.url, targets, connections, "PUT", SMALL, pids=s.pids())
            measure(row, s, load)
            if before is not None:
                record(f"PUT 4 KiB, {connections} connections: requests a flush", s.name, load.requests / max(s.flushes() - before, 1))
            if load.cpu is not None and connections == 64:
                record("PUT 4 KiB, 64 connections: CPU us a request", s.name, load.cpu / max(load.requests, 1) * 1e6)
        if connections == 1:
            record(row, "fdatasync loop", flushes_per_second())


def list_keys(servers, _):
    for s in servers:
        target = s.presign("GET", f"/{BUCKET}", [("list-type", "2"), ("prefix", "k/"), ("max-keys", "1000")])
        measure("LIST 1,000 keys, 4 connections, requests/s", s, Load(s.url, [target], 4, pids=s.pids()))


def large_one(row, server, work, targets):
    """MiB/s, and what a GiB costs the server's processors."""
    pids = server.pids()
    before = cpu_seconds(pids)
    seconds = seconds_of(work, server.url, targets, 4, LARGE)
    mib = len(targets) * LARGE / MIB
    record(f"{row} 64 MiB, 4 connections, MiB/s", server.name, mib / seconds)
    if pids:
        record(f"{row} 64 MiB: CPU seconds a GiB", server.name, (cpu_seconds(pids) - before) * 1024 / mib)
    progress(f"{row} 64 MiB, MiB/s", server, mib / seconds)


def large(servers, nginx):
    for s in servers:
        large_one("PUT", s, send, put_targets(s, LARGE_COUNT))
    record("PUT 64 MiB, 4 connections, MiB/s", "dd", dd_mib_per_second())
    for s in servers:
        status, text = s.s3("PUT", f"/{BUCKET}/large", b"x" * LARGE)
        assert status == 200, (status, text[:300])
        large_one("GET", s, receive, [s.presign("GET", f"/{BUCKET}/large")] * 2 * LARGE_COUNT)
    if nginx:
        large_one("GET", Server("nginx", nginx, "", ""), receive, ["/large"] * 2 * LARGE_COUNT)


def large_parts(servers, _):
    """One object of 5 GiB, eight of its parts at once; and it is deleted again."""
    row = f"multipart of {PARTS * LARGE // GIB} GiB, parts of 64 MiB, 8 at once, MiB/s"
    etag = hashlib.md5(bytes(LARGE)).hexdigest()
    for s in servers:
        path = f"/{BUCKET}/parts{os.urandom(4).hex()}"
        upload_id = bench_keys.upload_begin(bench_keys.Connection(s), path)
        targets = [s.presign("PUT", path, [("partNumber", str(i)), ("uploadId", upload_id)]) for i in range(1, PARTS + 1)]
        seconds = seconds_of(send, s.url, targets, 8, LARGE)
        connection, begin = bench_keys.Connection(s), time.monotonic()
        bench_keys.upload_end(connection, path, upload_id, [f'"{etag}"'] * PARTS)
        seconds += time.monotonic() - begin
        record(row, s.name, PARTS * LARGE / MIB / seconds)
        progress(row, s, PARTS * LARGE / MIB / seconds)
        connection.ask("DELETE", s.presign("DELETE", path))


def catalog(servers, _):
    servers = [s for s in servers if s.catalog]
    for s in servers:
        if s.prefix is None:
            s.open_catalog()
        s.tables = s.make_tables(TABLES)
    for connections in (1, 8):
        for s in servers:
            load = Load(s.catalog, s.tables[:1], connections, token=s.token, pids=s.pids())
            measure(f"catalog: load a table, {connections} connections, 1/s", s, load)
    for connections in (1, 8):
        for s in servers:
            load = Load(s.catalog, s.tables, connections, "POST", token=s.token, commit=True, pids=s.pids())
            measure(f"catalog: commit properties, {connections} connections, 1/s", s, load)


# ---- ceilings ----

def flushes_per_second():
    """Overwriting 4 KiB of a file that is there, one fdatasync each: what one client at a time can get at most."""
    path = os.path.join(WORK, "flush")
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    block, begin, n = b"x" * SMALL, time.monotonic(), 0
    os.pwrite(fd, bytes(4 * MIB), 0)
    os.fsync(fd)
    while time.monotonic() < begin + 1:
        os.pwrite(fd, block, n % 1024 * SMALL)
        os.fdatasync(fd)
        n += 1
    os.close(fd)
    os.unlink(path)
    return n / (time.monotonic() - begin)


def dd_mib_per_second():
    path = os.path.join(WORK, "dd")
    begin = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", "count=1024", "conv=fdatasync"], check=True, stderr=subprocess.DEVNULL)
    rate = 1024 / (time.monotonic() - begin)
    os.unlink(path)
    return rate


class Nginx:
    """Two files over sendfile; url is None where nginx is not installed."""

    def __init__(self):
        self.url = self.process = None
        binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if not binary:
            return
        directory = os.path.join(WORK, "nginx")
        os.makedirs(directory, mode=0o755)
        port = free_port()
        for name, size in (("small", SMALL), ("large", LARGE)):
            with open(os.path.join(directory, name), "wb") as f:
                f.write(b"x" * size)
        temporary = "".join(f"{k}_temp_path {directory}/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(directory, "conf"), "w") as f:
            user = "user root;" if os.geteuid() == 0 else ""
            f.write(f"daemon off; {user} worker_processes {os.cpu_count()}; pid {directory}/pid; error_log {directory}/error; events {{}}\n"
                    f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; {temporary}\n"
                    f"server {{ listen 127.0.0.1:{port}; root {directory}; }} }}\n")
        self.process = subprocess.Popen([binary, "-c", os.path.join(directory, "conf"), "-p", directory], stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}"
        probe = Server("nginx", self.url, "", "")
        for _ in range(500):
            try:
                if probe.ask(self.url, "HEAD", "/small")[0] == 200:
                    return
            except OSError:
                time.sleep(0.01)
        note("nginx", "it did not start; no ceiling for GET")
        self.stop()
        self.url = None

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)


# ---- the whole ----

def prepare(server):
    server.make_bucket()
    body = os.urandom(SMALL)
    paths = [f"/{BUCKET}/k/{i:07d}" for i in range(KEYS)]
    targets = [server.presign("PUT", p) for p in paths]
    load = Load(server.url, targets, 16, "PUT", SMALL, count=KEYS, seconds=60)
    assert load.requests >= KEYS and not load.failed, f"{server.name}: {load.failed} of {load.requests} PUTs failed"
    assert server.s3("PUT", paths[0], body)[0] == 200 and server.s3("GET", paths[0])[1] == body
    server.reads = [server.presign("GET", p) for p in paths]


def main():
    binary = os.environ.get("FIRN", "build/firn")
    directory = os.path.join(WORK, "firn")
    os.makedirs(directory)
    ours = Firn(binary, directory, STORE)
    nginx = Nginx()
    try:
        ours.start()
        servers = [ours, *(server_of(argument) for argument in sys.argv[1:])]
        stores = [s for s in servers if s.url]
        for s in stores:
            prepare(s)
        load_before = os.getloadavg()[0]
        for _ in range(REPEAT):
            for phase in (get_small, put_small, list_keys, *bench_keys.PHASES, large, large_parts):
                phase(stores, nginx.url)
            catalog(servers, nginx.url)
        record("RssAnon after all this, MiB", "firn", anonymous_mib(ours.pids()))
        ours.stop()
        starts(binary, os.path.join(WORK, "starts"))
    finally:
        ours.stop()
        nginx.stop()
    publish([s.name for s in servers[1:]], binary, load_before)


def server_of(argument):
    name, _, words = argument.partition("=")
    return Server(name, *words.split(","))


def publish(names, binary, load_before):
    conditions = (f"{os.cpu_count()} cores ({platform.machine()}), load generator on the same machine, {SECONDS:g} s a phase, median of {REPEAT}; "
                  f"load of the machine before: {load_before:.1f}{'; rows in PostgreSQL, but for the starts' if STORE else ''}")
    print(conditions + ".\n")
    print("\n".join(table(names)))
    if PAGE:
        variables = {key: os.environ[key] for key in ("SECONDS_EACH", "REPEAT", "OBJECTS", "LISTED", "OVERWRITE") if key in os.environ}
        with open(PAGE, "w") as f:
            f.writelines(line + "\n" for line in page(conditions, names, binary, variables))


if __name__ == "__main__":
    os.makedirs("build", exist_ok=True)
    WORK = os.path.abspath(os.environ.get("WORK") or tempfile.mkdtemp(prefix="bench-", dir="build"))
    try:
        main()
    finally:
        if not os.environ.get("WORK"):
            shutil.rmtree(WORK, ignore_errors=True)
