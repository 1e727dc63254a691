#!/usr/bin/env python3
"""register.py - many writers on few keys, with kill -9: each key must behave as a register (linear.py).

Eight clients put, create (If-None-Match: *), swap (If-Match), delete, complete small uploads and read, all on the same keys, so that each is contended for. The server is killed again and
again under them, and started. What a client saw is remembered with its times; at the end the history of each key is checked as a whole, over all kills.

Exit status: 0 no violation, 1 violation.
"""
import argparse
import hashlib
import http.client
import pathlib
import random
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from firn_server import Server  # noqa: E402
from linear import Operation, first_wrong, prove  # noqa: E402
from seeded import run_seeded  # noqa: E402

TINY = ("--segment-size", "1MiB", "--volume-size", "64MiB", "--checkpoint-rows", "64KiB", "--checkpoint-log", "2MiB")
NO_ANSWER = (OSError, http.client.HTTPException)
KINDS = ("get", "get", "get", "put", "create", "swap", "swap", "delete", "upload")


class Run:
    def __init__(self, arguments, directory):
        self.a = arguments
        self.server = Server(directory, TINY)
        self.history = {f"/register/k{i}": [] for i in range(arguments.keys)}
        self.bodies = {}  # ETag -> the body it is of
        self.lock, self.stop, self.strange = threading.Lock(), threading.Event(), []
        self.done = 0

    # ---- one client ----
    def body(self, name, choose):
        body = f"{name} ".encode() * choose.choice((1, 50, 4000))  # in the journal, or in a volume
        with self.lock:
            self.bodies[f'"{hashlib.md5(body).hexdigest()}"'] = body
        return body

    def read(self, raw, key):
        answer = raw.get(key)
        if answer.status == 200:
            etag = answer.headers["etag"]
            if answer.body != self.bodies.get(etag, answer.body) or (etag not in self.bodies and "-1" not in etag):
                self.strange.append(f"{key}: {etag} is not of these bytes")
            return answer, hashlib.md5(answer.body).hexdigest()
        return answer, None

    def upload(self, raw, key, body):
        """A whole upload of one part; the Complete is what counts."""
        begun = raw.post(key, query="uploads")
        upload = begun.text("UploadId")
        part = raw.put(key, body, query=f"partNumber=1&uploadId={upload}")
        etag = part.headers["etag"]
        complete = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return lambda: raw.post(key, complete.encode(), query=f"uploadId={upload}")

    def one(self, raw, name, choose, seen):
        key, kind = choose.choice(list(self.history)), choose.choice(KINDS)
        body = self.body(name, choose) if kind not in ("get", "delete") else b""
        value = hashlib.md5(body).hexdigest() if body else None
        old = seen.get(key, ("never there", '"00000000000000000000000000000000"'))
        if kind == "get":
            def send():
                return self.read(raw, key)
        elif kind == "delete":
            def send():
                return raw.delete(key), None
        elif kind == "upload":
            complete = self.upload(raw, key, body)

            def send():
                return complete(), value
        else:
            headers = {"create": {"if-none-match": "*"}, "swap": {"if-match": old[1]}}.get(kind, {})

            def send():
                return raw.put(key, body, headers=headers), value
        operation = Operation("put" if kind == "upload" else kind, value, time.monotonic(), old=old[0])
        with self.lock:
            self.history[key].append(operation)
        operation.outcome = "unknown"
        answer, operation.value = send()
        operation.end = time.monotonic()
        operation.outcome = {200: "done", 204: "done", 412: "refused", 404: "missing"}.get(answer.status, "unknown")
        if answer.status in (409, 503):
            operation.kind, operation.outcome = "nothing", "unknown"  # certainly not applied
        elif operation.outcome == "unknown":
            self.strange.append(f"{kind} {key}: {answer}")
        elif kind == "get":
            operation.outcome = "done"  # also that nothing is there
        if "etag" in answer.headers:
            seen[key] = (operation.value, answer.headers["etag"])

    def client(self, number):
        choose, seen, count = random.Random(self.a.seed * 1000 + number + self.done * 100), {}, 0
        raw = self.server.raw()
        try:
            while not self.stop.is_set():
                self.one(raw, f"{number}.{self.cycle}.{count}", choose, seen)
                count += 1
        except NO_ANSWER:
            pass

    # ---- cycles ----
    def load(self, seconds):
        self.stop.clear()
        clients = [threading.Thread(target=self.client, args=(i,)) for i in range(self.a.clients)]
        for c in clients:
            c.start()
        time.sleep(seconds)  # the moment of the kill: this wait is the test
        self.server.stop(signal.SIGKILL)
        self.stop.set()
        for c in clients:
            c.join()
        self.done = sum(len(h) for h in self.history.values())

    def settle(self):
        """What got no answer ended with the server."""
        now = time.monotonic()
        for key, history in self.history.items():
            for operation in history:
                operation.end = operation.end or now
            self.history[key] = [o for o in history if o.kind != "nothing" and not (o.kind == "get" and o.outcome == "unknown")]

    def main(self):
        prove()
        choose, self.cycle = random.Random(self.a.seed), 0
        self.server.start()
        assert self.server.raw().put("/register").status == 200
        try:
            while self.done < self.a.operations:
                self.cycle += 1
                self.load(choose.uniform(0.2, 2.5))
                self.settle()
                self.server.start()
        finally:
            self.server.stop(signal.SIGKILL)
        wrong = [(key, o) for key, o in ((key, first_wrong(h)) for key, h in self.history.items()) if o]
        for key, operation in wrong:
            print("VIOLATION", key, operation)
        for line in self.strange[:10]:
            print("VIOLATION", line)
        outcomes = {o: sum(x.outcome == o for h in self.history.values() for x in h) for o in ("done", "refused", "missing", "unknown")}
        print(f"{self.done} operations on {len(self.history)} keys, {self.cycle} kills, {outcomes}, {len(wrong) + len(self.strange)} violations")
        return 1 if wrong or self.strange or not all(outcomes.values()) else 0


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--operations", type=int, default=5000)
    p.add_argument("--clients", type=int, default=8)
    p.add_argument("--keys", type=int, default=5)
    run_seeded(p, "firn-register-", Run)


if __name__ == "__main__":
    main()
