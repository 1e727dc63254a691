"""bench.py - see run.sh. The phases, the ceilings, and the table that is printed."""
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from bench_large import receive, seconds_of, send
from bench_server import BUCKET, Firn, Server, anonymous_mib, cpu_seconds, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = float(os.environ.get("SECONDS_EACH", "3"))
REPEAT = int(os.environ.get("REPEAT", "1"))
OBJECTS = int(os.environ.get("OBJECTS", "100000"))
KIB, MIB = 1024, 1024 * 1024
SMALL, LARGE = 4 * KIB, 64 * MIB
LARGE_COUNT = 16  # bodies: 1 GiB, as dd writes
TABLES = 64  # commits go over so many: as good as never two at once on one table
KEYS = 2000  # that are read and listed


class Load:
    """One run of wrk: requests per second, 99th percentile in ms, CPU seconds and memory of the server meanwhile."""

    def __init__(self, url, targets, connections, method="GET", size=0, token=None, commit=False, count=0, pids=(), seconds=SECONDS):
        environment = dict(os.environ, METHOD=method, SIZE=str(size), COUNT=str(count))
        if token:
            environment["TOKEN"] = token
        if commit:
            environment["COMMIT"] = "1"
        with tempfile.NamedTemporaryFile("w", dir=WORK) as urls:
            urls.write("".join(t + "\n" for t in targets))
            urls.flush()
            environment["URLS"] = urls.name
            command = ["wrk", "--latency", "--timeout", "60", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s",
                       "-s", os.path.join(HERE, "load.lua"), url]
            self.anonymous_mib, self.cpu = 0.0, None
            before = cpu_seconds(pids)
            wrk = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            watcher = threading.Thread(target=self.watch, args=(wrk, pids)) if pids else None
            if watcher:
                watcher.start()
            text = wrk.communicate()[0]
            if watcher:
                watcher.join()
                self.cpu = cpu_seconds(pids) - before
        self.rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
        self.requests = int(re.search(r"(\d+) requests in", text).group(1))
        self.p99_ms = in_ms(re.search(r"99%\s+([\d.]+)(\w+)", text))
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.failed = int(failed.group(1)) if failed else 0

    def watch(self, wrk, pids):
        while wrk.poll() is None:
            self.anonymous_mib = max(self.anonymous_mib, anonymous_mib(pids))
            time.sleep(0.05)


def in_ms(match):
    return float(match.group(1)) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[match.group(2)]


# ---- results: row -> column -> figures of the rounds ----

results, notes = {}, []


def record(row, column, value):
    results.setdefault(row, {}).setdefault(column, []).append(value)


def note(row, text):
    notes.append((row, text))


def measure(row, server, load):
    record(row, server.name, load.rate)
    record(row + ": p99 ms", server.name, load.p99_ms)
    if load.failed:
        note(row, f"{server.name}: {load.failed} of {load.requests} requests failed")
    print(f"  {row:<44} {server.name:<12} {load.rate:10.1f}", file=sys.stderr, flush=True)


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
            before = s.counters() if isinstance(s, Firn) else None
            load = Load(s.url, targets, connections, "PUT", SMALL, pids=s.pids())
            measure(row, s, load)
            if before:
                after = s.counters()
                syncs = sum(after[k] - before[k] for k in ("journal_syncs", "volume_syncs"))
                record(f"PUT 4 KiB, {connections} connections: requests a flush", s.name, load.requests / max(syncs, 1))
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
    print(f"  {row + ' 64 MiB, MiB/s':<44} {server.name:<12} {mib / seconds:10.1f}", file=sys.stderr, flush=True)


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


# ---- starts and memory ----

def starts(binary):
    """Of ours alone: an empty store; and one with many objects after kill -9 in the middle of writing."""
    directory = os.path.join(WORK, "starts")
    os.makedirs(directory)
    server = Firn(binary, directory)
    record("start to ready, empty, ms", "firn", server.start() * 1000)
    record("RssAnon idle, empty, MiB", "firn", anonymous_mib(server.pids()))
    server.make_bucket()
    targets = [server.presign("PUT", f"/{BUCKET}/{i:08d}") for i in range(OBJECTS)]
    load = Load(server.url, targets, 64, "PUT", 100, count=OBJECTS, pids=server.pids(), seconds=120)
    server.stop(signal.SIGKILL)
    assert load.requests >= OBJECTS and not load.failed, f"{load.failed} of {load.requests} PUTs failed, {OBJECTS} were wanted"
    record(f"start to ready, {OBJECTS:,} objects, after kill -9, ms", "firn", server.start() * 1000)
    record(f"RssAnon idle, {OBJECTS:,} objects, MiB", "firn", anonymous_mib(server.pids()))
    reads = [server.presign("GET", f"/{BUCKET}/{i * 997 % OBJECTS:08d}") for i in range(KEYS)]
    busy = Load(server.url, reads, 200, pids=server.pids())
    record(f"RssAnon, {OBJECTS:,} objects, 200 connections reading, MiB", "firn", busy.anonymous_mib)
    server.stop()


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


def print_table(servers):
    others = [s.name for s in servers[1:]]
    ceilings = [c for c in ("dd", "fdatasync loop", "nginx") if any(c in row for row in results.values())]
    columns = ["firn", *others, *ceilings]
    ratios = [c for c in columns if c != "firn"]
    print("| | " + " | ".join(columns + [f"firn / {c}" for c in ratios]) + " |")
    print("|---" * (1 + len(columns) + len(ratios)) + "|")
    for row, found in results.items():
        medians = {c: statistics.median(v) for c, v in found.items()}
        cells = [f"{medians[c]:,.4g}" if c in medians and medians[c] < 1000 else f"{medians[c]:,.0f}" if c in medians else "" for c in columns]
        for c in ratios:
            has_both = "firn" in medians and medians.get(c)
            cells.append(f"{medians['firn'] / medians[c]:.2f}" if has_both else "")
        print(f"| {row} | " + " | ".join(cells) + " |")
    for row, text in notes:
        print(f"\n{row}: {text}.")


def main():
    binary = os.environ.get("FIRN", "build/firn")
    directory = os.path.join(WORK, "firn")
    os.makedirs(directory)
    ours = Firn(binary, directory)
    nginx = Nginx()
    try:
        ours.start()
        servers = [ours]
        for argument in sys.argv[1:]:
            name, _, words = argument.partition("=")
            servers.append(Server(name, *words.split(",")))
        for s in servers:
            prepare(s)
        load_before = os.getloadavg()[0]
        for _ in range(REPEAT):
            for phase in (get_small, put_small, list_keys, large, catalog):
                phase(servers, nginx.url)
        record("RssAnon after all this, MiB", "firn", anonymous_mib(ours.pids()))
        ours.stop()
        starts(binary)
    finally:
        ours.stop()
        nginx.stop()
    print(f"{os.cpu_count()} cores ({platform.machine()}), load generator on the same machine, {SECONDS:g} s a phase, median of {REPEAT}; "
          f"load of the machine before: {load_before:.1f}.\n")
    print_table(servers)


if __name__ == "__main__":
    os.makedirs("build", exist_ok=True)
    WORK = os.path.abspath(os.environ.get("WORK") or tempfile.mkdtemp(prefix="bench-", dir="build"))
    try:
        main()
    finally:
        if not os.environ.get("WORK"):
            shutil.rmtree(WORK, ignore_errors=True)
