#!/usr/bin/env python3
"""siege.py - clients that use up what a server has, while others go on being served.

Each siege takes the server's connections, descriptors or patience, while good clients put and get on connections of their own. All their requests must succeed and give the right bytes; when the
siege is over, the server must come back to the sockets that it had. Freed memory is not always given back to the system, but what one siege left is used again by the next: a siege is laid
again until it leaves no more memory than the one before, which something that leaks never does.

  slowloris    heads that never end
  slow-bodies  uploads of which a byte comes now and then
  slow-readers clients that ask for a large object and do not read
  resets       uploads and downloads that are cut by RST in the middle of the body
  descriptors  the server may open hardly more files than it has open: it goes on with those that it has, and accepts again when there are some
  clock        the clock of the day jumps forth and back by ten minutes, again and again (signatures of good clients stay within 15): nothing that was stored is lost, and answers go on

Figures of how long good requests took are printed, and are not judged. Exit status: 0 no violation, 1 violation.
"""
import argparse
import contextlib
import email.utils
import itertools
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from firn_server import Server, wait_for  # noqa: E402
from seeded import run_seeded  # noqa: E402

LARGE = os.urandom(8 << 20)
GOOD = 4        # good clients
PER_CLIENT = 30  # requests of each, at least, beside each siege
FILES = 4       # by which the journal's segments and the like may be more
MEMORY = 256 << 10  # by which it may be more after one siege than after the one before
SIEGES = 8


class Good:
    """Clients that put, get and compare until they are told to stop."""

    def __init__(self, run):
        self.run, self.stop, self.times, self.wrong = run, threading.Event(), [], []
        self.threads = [threading.Thread(target=self.work, args=(i,)) for i in range(GOOD)]

    def work(self, number):
        raw, count = self.run.server.raw(), 0
        try:
            while count < PER_CLIENT or not self.stop.is_set():
                count += 1
                body = f"{number} {count}".encode() * 200
                begin = time.monotonic()
                statuses = raw.put(f"/siege/good{number}", body).status, raw.get(f"/siege/good{number}")
                self.times.append(time.monotonic() - begin)
                if statuses[0] != 200 or statuses[1].body != body:
                    self.wrong.append(f"{statuses}")
                    return
        except Exception as e:  # noqa: BLE001 - that a good client lost anything is what is looked for
            self.wrong.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *error):
        self.stop.set()
        for t in self.threads:
            t.join()

    def p99_ms(self):
        return 1000 * sorted(self.times)[int(len(self.times) * 0.99)]


class Run:
    def __init__(self, arguments, directory):
        self.a, self.violations = arguments, 0
        self.clock, shim = directory / "clock", directory / "clock_shim.so"
        self.clock.write_bytes(bytes(8))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, ROOT / "tests/crash/clock_shim.c", "-ldl"], check=True)
        self.server = Server(directory, environment={"LD_PRELOAD": str(shim), "CLOCK_SHIM": str(self.clock)})

    def descriptors(self, of="socket:"):
        """How many sockets the server has, or files (of="/"): journal segments come and go by one or two."""
        directory, count = f"/proc/{self.server.process.pid}/fd", 0
        for name in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                count += os.readlink(f"{directory}/{name}").startswith(of)
        return count

    def memory(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return 1024 * int(status.split("RssAnon:")[1].split()[0])

    def connect(self):
        s = socket.socket()
        s.settimeout(30)
        s.connect((self.server.host, self.server.port))
        return s

    def request(self, method, path, headers=""):
        """A signed head, without the empty line at its end."""
        raw = self.server.raw()
        payload = "UNSIGNED-PAYLOAD"
        signed = raw.sign(method, path, payload=payload)
        return f"{method} {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in signed.items()) + headers

    # ---- sieges: each is entered, holds what it takes, and lets go ----
    @contextlib.contextmanager
    def held(self, count, first, then=b"", every=1.0):
        """So many connections that have sent `first`, and send `then` now and then."""
        sockets, over = [], threading.Event()

        def drip():
            while then and not over.wait(every):
                for s in sockets:
                    with contextlib.suppress(OSError):
                        s.send(then, socket.MSG_DONTWAIT)
        for _ in range(count):
            s = self.connect()
            s.sendall(first)
            sockets.append(s)
        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            yield
        finally:
            over.set()
            dripping.join()
            for s in sockets:
                s.close()

    def slowloris(self):
        return self.held(self.a.clients, b"GET / HTTP/1.1\r\nHost: h\r\n", b"X-A: b\r\n")

    def slow_bodies(self):
        return self.held(self.a.clients * 2 // 5, self.request("PUT", "/siege/slow", "Content-Length: 1000000\r\n\r\n").encode(), b"x")

    def slow_readers(self):
        return self.held(self.a.clients * 2 // 5, self.request("GET", "/siege/large", "\r\n").encode())

    def reset(self, method, path, headers, body):
        s = self.connect()
        s.sendall(self.request(method, path, headers + "\r\n").encode() + body)
        if method == "GET":
            s.recv(1000)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()

    @contextlib.contextmanager
    def resets(self):
        yield
        for i in range(self.a.clients * 2 // 5):
            if i % 2:
                self.reset("GET", "/siege/large", "", b"")
            else:
                self.reset("PUT", f"/siege/cut{i}", "Content-Length: 5000000\r\n", LARGE[:200000])
        names = self.server.raw().get("/siege", query="list-type=2&prefix=cut").all("Key")
        if names:
            self.violation("resets", f"half uploads are there: {names[:3]}")

    @contextlib.contextmanager
    def few_descriptors(self):
        pid, before = self.server.process.pid, resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 8, before[1]))
        sockets = [self.connect() for _ in range(60)]  # more than there is room for
        try:
            yield
        finally:
            for s in sockets:
                s.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def date(self):
        """What time the server thinks it is."""
        answer = self.server.raw().get("/siege/large", headers={"range": "bytes=0-0"})
        return email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()

    @contextlib.contextmanager
    def clock_jumps(self):
        over = threading.Event()

        def jump():
            for offset in itertools.cycle((600, -600, 0)):
                with open(self.clock, "r+b") as f:  # in place: it is mapped
                    f.write(struct.pack("q", offset))
                if over.wait(0.05):
                    break
            with open(self.clock, "r+b") as f:
                f.write(bytes(8))
        jumping = threading.Thread(target=jump)
        jumping.start()
        try:
            wait_for(lambda: abs(self.date() - time.time()) > 300, what="the server to be told another time")
            yield
        finally:
            over.set()
            jumping.join()

    # ---- one after the other ----
    def violation(self, siege, what):
        self.violations += 1
        print("VIOLATION", siege, what, flush=True)

    def settled(self, sockets, files):
        return self.descriptors() <= sockets and self.descriptors("/") <= files + FILES

    def besiege(self, name, siege):
        """How much memory the server has afterwards."""
        self.quiet()
        before = self.descriptors(), self.descriptors("/")
        good = Good(self)
        with good:
            wait_for(lambda: len(good.times) >= 4 * GOOD or good.wrong, what="good clients to be connected")
            with siege():
                there = len(good.times)
                wait_for(lambda: len(good.times) >= there + GOOD * 5 or good.wrong, seconds=120, what="good requests under siege")
                held = self.descriptors() - before[0]
        for wrong in good.wrong:
            self.violation(name, f"a good client lost: {wrong}")
        try:
            wait_for(lambda: self.settled(*before), seconds=60, what="descriptors to come back")
        except AssertionError as e:
            self.violation(name, f"{e}: sockets and files were {before}, are {self.descriptors()}, {self.descriptors('/')}")
        if self.server.raw().get("/siege/large").body != LARGE:
            self.violation(name, "an object is not what it was")
        print(f"{name}: {len(good.times)} good requests, p99 {good.p99_ms():.1f} ms; {held} sockets more under siege, {self.memory() >> 10} KiB after it", flush=True)
        return self.memory()

    def besiege_until_steady(self, name, siege):
        memory = [self.besiege(name, siege)]
        while len(memory) < SIEGES:
            memory.append(self.besiege(name, siege))
            if memory[-1] <= memory[-2] + MEMORY:
                return
        self.violation(name, f"memory after each siege: {memory}")

    def quiet(self):
        """Our own last connections are closed at the other end too."""
        last = []

        def is_steady():
            last.append(self.descriptors())
            return len(last) > 20 and len(set(last[-20:])) == 1
        wait_for(is_steady, what="steady descriptors")

    def main(self):
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
        self.server.start()
        raw = self.server.raw()
        assert raw.put("/siege").status == 200 and raw.put("/siege/large", LARGE).status == 200
        for _ in range(20):
            raw.get("/siege/large")
        raw.close()
        try:
            for name, siege in (("slowloris", self.slowloris), ("slow-bodies", self.slow_bodies), ("slow-readers", self.slow_readers), ("resets", self.resets),
                                ("descriptors", self.few_descriptors), ("clock", self.clock_jumps)):
                self.besiege_until_steady(name, siege)
        finally:
            self.violations += self.server.stop() != 0
        return 1 if self.violations else 0


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--clients", type=int, default=300, help="that send half a head; of the other kinds two fifths of it")
    run_seeded(p, "firn-siege-", Run)


if __name__ == "__main__":
    main()
