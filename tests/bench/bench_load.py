"""bench_load.py - one run of wrk, and what it and the server's processes told."""
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

from bench_report import note, record
from bench_server import anonymous_mib, cpu_seconds

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = float(os.environ.get("SECONDS_EACH", "3"))
UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


class Load:
    """Requests per second, 99th percentile in ms, CPU seconds and memory of the server meanwhile. writes: targets of PUTs, 3 of 10 requests."""

    def __init__(self, url, targets, connections, method="GET", size=0, token=None, commit=False, count=0, pids=(), seconds=SECONDS, writes=()):
        environment = dict(os.environ, METHOD=method, SIZE=str(size), COUNT=str(count))
        if token:
            environment["TOKEN"] = token
        if commit:
            environment["COMMIT"] = "1"
        with target_file(targets) as urls, target_file(writes) as puts:
            environment["URLS"] = urls.name
            if writes:
                environment["WRITES"] = puts.name
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


def target_file(targets):
    file = tempfile.NamedTemporaryFile("w")
    file.writelines(t + "\n" for t in targets)
    file.flush()
    return file


def in_ms(match):
    return float(match.group(1)) * UNITS_MS[match.group(2)]


def measure(row, server, load):
    record(row, server.name, load.rate)
    record(row + ": p99 ms", server.name, load.p99_ms)
    if load.failed:
        note(row, f"{server.name}: {load.failed} of {load.requests} requests failed")
    progress(row, server, load.rate)


def progress(row, server, value):
    print(f"  {row:<44} {server.name:<12} {value:10.1f}", file=sys.stderr, flush=True)
