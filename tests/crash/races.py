#!/usr/bin/env python3
"""races.py - conditional writes that race through the server.

  create     16 writers put the same new key with If-None-Match: *. Exactly one is answered 200, all others 412, and its body is what is there. ROUNDS times.
  complete   the same, each by completing an upload of its own.
  increment  8 writers count in one object, each reading it and writing one more with If-Match. In the end it holds as many as were answered 200.

Exit status: 0 no violation, 1 violation.
"""
import argparse
import pathlib
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from firn_server import Server  # noqa: E402
from seeded import run_seeded  # noqa: E402

CREATORS, COUNTERS = 16, 8


class Run:
    def __init__(self, arguments, directory):
        self.a, self.server, self.violations = arguments, Server(directory), []

    def violation(self, what, detail):
        self.violations.append(what)
        print("VIOLATION", what, detail, flush=True)

    def together(self, count, work):
        """work(number, raw), each on a thread and a connection of its own; what they return or raise."""
        results = [None] * count

        def run(i):
            try:
                results[i] = work(i, self.server.raw())
            except Exception as e:  # noqa: BLE001 - it is told in place of a result
                results[i] = e
        threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        return results

    # ---- who comes first ----
    @staticmethod
    def put(raw, key, body):
        return lambda: raw.put(key, body, headers={"if-none-match": "*"})

    @staticmethod
    def complete(raw, key, body):
        upload = raw.post(key, query="uploads").text("UploadId")
        etag = raw.put(key, body, query=f"partNumber=1&uploadId={upload}").headers["etag"]
        text = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
        return lambda: raw.post(key, text.encode(), query=f"uploadId={upload}", headers={"if-none-match": "*"})

    def create(self, how, rounds):
        start = threading.Barrier(CREATORS, timeout=60)

        def work(number, raw):
            answers = []
            for i in range(rounds):
                send = how(raw, f"/races/{how.__name__}{i}", f"{number} of round {i}".encode() * (1 if i % 2 else 3000))
                start.wait()
                answers.append(send().status)
            return answers
        results = self.together(CREATORS, work)
        if any(isinstance(r, Exception) for r in results):
            return self.violation(how.__name__, results)
        raw = self.server.raw()
        for i in range(rounds):
            statuses = [r[i] for r in results]
            if sorted(statuses) != [200] + [412] * (CREATORS - 1):
                self.violation(how.__name__, f"round {i}: {statuses}")
            elif not raw.get(f"/races/{how.__name__}{i}").body.startswith(f"{statuses.index(200)} of round {i}".encode()):
                self.violation(how.__name__, f"round {i}: another's body is there")
        return None

    # ---- who counts ----
    def increment(self, times):
        key, lost = "/races/counter", [0] * COUNTERS
        assert self.server.raw().put(key, b"0").status == 200

        def work(number, raw):
            for _ in range(times):
                while True:
                    seen = raw.get(key)
                    status = raw.put(key, str(int(seen.body) + 1).encode(), headers={"if-match": seen.headers["etag"]}).status
                    if status == 200:
                        break
                    assert status == 412, status
                    lost[number] += 1
        results = self.together(COUNTERS, work)
        total = int(self.server.raw().get(key).body)
        if any(results) or total != COUNTERS * times:
            self.violation("increment", f"{total} of {COUNTERS * times}: {results}")
        return sum(lost)

    def main(self):
        self.server.start()
        assert self.server.raw().put("/races").status == 200
        try:
            self.create(self.put, self.a.rounds)
            self.create(self.complete, (self.a.rounds + 3) // 4)
            lost = self.increment(self.a.rounds)
        finally:
            self.server.stop()
        print(f"{self.a.rounds} rounds of {CREATORS} creators, {COUNTERS * self.a.rounds} increments after {lost} lost races, {len(self.violations)} violations")
        return 1 if self.violations else 0


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--rounds", type=int, default=60)
    run_seeded(p, "firn-races-", Run)


if __name__ == "__main__":
    main()
