#!/usr/bin/env python3
"""tables.py - kill -9 under table commits.

Writers commit to a few tables over REST: each commit adds a snapshot (its parent is what the writer saw, its id is new) and a property with the writer's counter. Every
acknowledgement is remembered. Then the server is killed at a random moment, started again (now and then killed once more while it starts), and what must hold is checked:

  1  every acknowledged commit is there: its snapshot, its property
  2  nothing is there that nobody sent; a commit without an answer is there whole or not at all
  3  the chain is whole: the current metadata file and every one its log names can be read from the store, each one's snapshots are a subset of the next one's,
     sequence numbers grow by one, and the snapshot log ends at the current snapshot
  4  a table and its files agree over both doors: what REST says is what the S3 object holds

With --postgresql the rows are in a PostgreSQL, and each time it is the server, PostgreSQL, or both that are killed.

With --servers N so many servers share it, and writers go to them in turn. Each time it is one of them, all, PostgreSQL, or one and PostgreSQL that are killed; who still lives goes on committing meanwhile. A commit
that got a clear refusal (409, 503) must not be there; one without an answer (500, a broken connection) may be, once.

With --external the tables lie in a catalog whose warehouse is another S3 endpoint: a Firn of its own, which is not killed. What must hold is looked for there.

--commits N: end once so many are acknowledged, whatever --cycles says.

Exit status: 0 no violation, 1 violation, 2 the server would not start.
"""
import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import boto3
import botocore.config
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import postgresql  # noqa: E402
from seeded import run_seeded  # noqa: E402

USER, PASSWORD = "crash", "crashcrash"
LAKE, FAR = "lake", "far"  # the catalog of the first server's own; one whose files lie at another endpoint
TABLE_COMMITS = 100  # then another table is begun
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]}


class Firn:
    def __init__(self, directory, pg=None, key=None, more=None):
        """key: of a server that shares the store with others. more: of its environment."""
        self.directory, self.data, self.process, self.pg, self.key, self.more = directory, directory / "data", None, pg, key, more or {}
        directory.mkdir(exist_ok=True)

    def start(self):
        (self.data / "endpoints.json").unlink(missing_ok=True)
        command = [os.environ.get("FIRN_BINARY", str(ROOT / "build/firn")), "serve", "--data", str(self.data), "--s3-address", "127.0.0.1:0", "--catalog-address", "127.0.0.1:0", "--segment-size", "1MiB",
                   "--checkpoint-rows", "128KiB", "--checkpoint-log", "2MiB", "--catalogs", "lake"]
        environment = {**{k: v for k, v in os.environ.items() if k != "FIRN_BINARY"}, "FIRN_ROOT_USER": USER, "FIRN_ROOT_PASSWORD": PASSWORD, **self.more}
        if self.pg:
            environment["FIRN_STORE"] = self.pg.uri
        if self.key:
            environment.update({"FIRN_STORE_SHARED": "on", "FIRN_KEY_FILE": str(self.key)})
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def wait_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            try:
                self.endpoints = json.loads((self.data / "endpoints.json").read_text())
                return True
            except (FileNotFoundError, ValueError):
                time.sleep(0.005)
        return False

    def wait_writable(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if requests.get(self.endpoints["catalog"][0] + "/q/health/ready", timeout=30).status_code == 200:
                return True
            time.sleep(0.01)
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Rest:
    def __init__(self, url, catalog):
        self.root, self.base, self.catalog, self.session = url, url + "/api/catalog/v1", catalog, requests.Session()
        form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": PASSWORD}
        token = self.session.post(self.base + "/oauth/tokens", data=form, timeout=30)
        token.raise_for_status()
        self.session.headers["Authorization"] = "Bearer " + token.json()["access_token"]

    def call(self, method, path, **options):
        return self.session.request(method, f"{self.base}/{self.catalog}{path}", timeout=30, **options)


class Run:
    def __init__(self, arguments, directory):
        self.pg = None
        if arguments.postgresql or arguments.servers > 1:
            directory.chmod(0o711)
            (directory / "pg").mkdir()
            self.pg = postgresql.Postgresql(directory / "pg").start()
        self.a = arguments
        self.catalog, self.far, more = LAKE, None, {}
        if arguments.external:
            self.catalog, self.far = FAR, Firn(directory / "far", more={"FIRN_BUCKETS": FAR})
            more = {"AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD}
        self.servers = [Firn(directory / f"server{i}" if i else directory, self.pg, directory / "key" if arguments.servers > 1 else None, more) for i in range(arguments.servers)]
        self.random = random.Random(arguments.seed)
        self.tables = [f"t{i}" for i in range(arguments.tables)]
        self.acknowledged = {t: {} for t in self.tables}  # snapshot id -> property name
        self.sent = {t: {} for t in self.tables}
        self.refused = {}  # snapshot id -> what was answered
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.violations, self.conflicts, self.counter = [], 0, 0

    def violation(self, what, **detail):
        print("VIOLATION", what, json.dumps(detail)[:600], flush=True)
        self.violations.append(what)

    def rest(self, server):
        return Rest(server.endpoints["catalog"][0], self.catalog)

    # ---- load ----
    def commit(self, rest, table, writer):
        path = f"/namespaces/n/tables/{table}"
        loaded = rest.call("GET", path)
        if loaded.status_code == 503 and self.pg:
            return  # PostgreSQL is away
        metadata = loaded.json()["metadata"]
        with self.lock:
            self.counter += 1
            number = self.counter
        snapshot, name = 10_000 + number, f"w{writer}.{number}"
        head = metadata["current-snapshot-id"]
        body = {"requirements": [{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None if head == -1 else head}],
                "updates": [{"action": "add-snapshot", "snapshot": {"snapshot-id": snapshot, "sequence-number": metadata["last-sequence-number"] + 1, "timestamp-ms": int(time.time() * 1000),
                                                                    "manifest-list": f"{metadata['location']}/metadata/{snapshot}.avro", "summary": {"operation": "append"}, "schema-id": 0,
                                                                    **({} if head == -1 else {"parent-snapshot-id": head})}},
                            {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": snapshot},
                            {"action": "set-properties", "updates": {name: str(snapshot)}}]}
        with self.lock:
            self.sent[table][snapshot] = name
        answer = rest.call("POST", path, json=body)
        if answer.status_code == 200:
            with self.lock:
                self.acknowledged[table][snapshot] = name
        elif answer.status_code in (409, 503):
            self.conflicts += answer.status_code == 409
            with self.lock:
                self.refused[snapshot] = f"{answer.status_code} {answer.text}"
                del self.sent[table][snapshot]  # certainly not applied
        elif answer.status_code != 500:
            self.violation("unexpected-answer", status=answer.status_code, body=answer.text)

    def write(self, writer):
        choose = random.Random(self.a.seed * 1000 + writer)
        try:
            rest = self.rest(self.servers[writer % len(self.servers)])
            while not self.stop.is_set():
                self.commit(rest, choose.choice(self.tables), writer)
        except requests.RequestException:
            pass  # the server was killed under us: without an answer
        except ValueError:
            pass  # half an answer

    # ---- checks ----
    def check_chain(self, s3, table, metadata):
        previous = None
        files = [entry["metadata-file"] for entry in metadata.get("metadata-log", [])]
        for url in files:
            bucket, key = url.removeprefix("s3://").split("/", 1)
            try:
                older = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            except Exception as e:  # noqa: BLE001 - whatever is wrong with it is the violation
                self.violation("metadata-file-unreadable", table=table, file=url, why=str(e))
                return
            ids = {s["snapshot-id"] for s in older.get("snapshots", [])}
            if previous is not None and not previous <= ids:
                self.violation("chain-lost-snapshots", table=table, file=url)
            previous = ids
        ids = {s["snapshot-id"] for s in metadata.get("snapshots", [])}
        if previous is not None and not previous <= ids:
            self.violation("chain-lost-snapshots", table=table, file="current")

    def check_table(self, rest, s3, table):
        answer = rest.call("GET", f"/namespaces/n/tables/{table}")
        if answer.status_code != 200:
            self.violation("table-unreadable", table=table, status=answer.status_code, body=answer.text)
            return
        loaded = answer.json()
        metadata = loaded["metadata"]
        bucket, key = loaded["metadata-location"].removeprefix("s3://").split("/", 1)
        if json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) != metadata:
            self.violation("doors-disagree", table=table)
        snapshots = {s["snapshot-id"]: s for s in metadata.get("snapshots", [])}
        for snapshot, name in self.acknowledged[table].items():
            if snapshot not in snapshots or metadata["properties"].get(name) != str(snapshot):
                self.violation("acknowledged-commit-lost", table=table, snapshot=snapshot)
        for snapshot in snapshots:
            if snapshot not in self.sent[table]:
                self.violation("commit-nobody-sent", table=table, snapshot=snapshot, answer=self.refused.get(snapshot))
            elif metadata["properties"].get(self.sent[table][snapshot]) != str(snapshot):
                self.violation("half-a-commit", table=table, snapshot=snapshot)
            self.acknowledged[table][snapshot] = self.sent[table].setdefault(snapshot, "")  # seen now: must stay
        numbers = sorted(s["sequence-number"] for s in snapshots.values())
        if numbers != list(range(1, len(numbers) + 1)):
            self.violation("sequence-numbers", table=table, numbers=numbers[-5:])
        log = metadata.get("snapshot-log", [])
        if log and log[-1]["snapshot-id"] != metadata["current-snapshot-id"]:
            self.violation("snapshot-log-end", table=table)
        self.check_chain(s3, table, metadata)

    def check(self):
        for server in self.servers:
            self.check_at(server)

    def check_at(self, server):
        rest, door = self.rest(server), self.far or server
        config = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        s3 = boto3.client("s3", endpoint_url=door.endpoints["s3"][0], aws_access_key_id=USER, aws_secret_access_key=PASSWORD, region_name="us-east-1", config=config)
        for table in self.tables:
            self.check_table(rest, s3, table)

    # ---- cycles ----
    def make_external(self, rest):
        catalog = {"name": FAR, "type": "INTERNAL", "properties": {"default-base-location": f"s3://{FAR}/base"},
                   "storageConfigInfo": {"storageType": "S3", "endpoint": self.far.endpoints["s3"][0]}}
        rest.session.post(rest.root + "/api/management/v1/catalogs", json={"catalog": catalog}, timeout=30).raise_for_status()

    def set_up(self):
        for server in [self.far] * bool(self.far) + self.servers:
            server.start()
            if not server.wait_ready():
                return False
        rest = self.rest(self.servers[0])
        if self.far:
            self.make_external(rest)
        rest.call("POST", "/namespaces", json={"namespace": ["n"]}).raise_for_status()
        for table in self.tables:
            rest.call("POST", "/namespaces/n/tables", json={"name": table, "schema": SCHEMA}).raise_for_status()
        return True

    def victims(self):
        """Which servers are killed, and is PostgreSQL?"""
        choices = ["server", "postgresql", "both"] if self.pg else ["server"]
        choice = self.random.choice(choices + ["servers"] if len(self.servers) > 1 else choices)
        if choice == "servers":
            return self.servers, False
        return [] if choice == "postgresql" else [self.random.choice(self.servers)], choice in ("postgresql", "both")

    def start_again(self, server):
        if self.random.random() < 0.25:
            server.start()
            time.sleep(self.random.uniform(0.005, 0.2))
            server.kill()
        server.start()
        return server.wait_ready()

    def cycle(self):
        self.stop.clear()
        writers = [threading.Thread(target=self.write, args=(w,)) for w in range(self.a.writers)]
        for w in writers:
            w.start()
        time.sleep(self.random.uniform(0.1, self.a.max_run))  # the moment of the kill: this wait is the test
        killed, kills_pg = self.victims()
        for server in killed:
            server.kill()
        if kills_pg:
            self.pg.kill()
            self.pg.start()
        # Who was not killed goes on by itself, with the writers that it has.
        is_up = all(server.wait_writable() for server in self.servers if server not in killed)
        if len(killed) < len(self.servers):
            time.sleep(self.random.uniform(0, 0.2))
        self.stop.set()
        for w in writers:
            w.join()
        return is_up and all([self.start_again(server) for server in killed])

    def total(self):
        return sum(len(a) for a in self.acknowledged.values())

    def replace_long_tables(self):
        """With --commits: a table with very many snapshots is left as it is, and another one begun, so that 100,000 commits do not take as long as their square."""
        for i, table in enumerate(self.tables):
            if self.a.commits and len(self.acknowledged[table]) > TABLE_COMMITS:
                self.tables[i] = table + "x"
                self.acknowledged[self.tables[i]], self.sent[self.tables[i]] = {}, {}
                self.rest(self.servers[0]).call("POST", "/namespaces/n/tables", json={"name": self.tables[i], "schema": SCHEMA}).raise_for_status()

    def main(self):
        if not self.set_up():
            return 2
        cycle = 0
        try:
            while self.total() < self.a.commits if self.a.commits else cycle < self.a.cycles:
                cycle += 1
                if not self.cycle():
                    self.violation("no-restart", cycle=cycle)
                    return 2
                self.check()
                self.replace_long_tables()
                print(f"cycle {cycle}: {self.total()} commits, {self.conflicts} conflicts, {len(self.violations)} violations", flush=True)
        finally:
            for server in self.servers + [self.far] * bool(self.far):
                server.kill()
            if self.pg:
                self.pg.stop()
        if self.total() == 0:
            self.violation("nothing-was-committed")
        return 1 if self.violations else 0


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--cycles", type=int, default=30)
    p.add_argument("--writers", type=int, default=4)
    p.add_argument("--tables", type=int, default=3)
    p.add_argument("--max-run", type=float, default=1.0)
    p.add_argument("--postgresql", action="store_true")
    p.add_argument("--servers", type=int, default=1)
    p.add_argument("--external", action="store_true")
    p.add_argument("--commits", type=int, default=0)
    run_seeded(p, "firn-tables-", Run)


if __name__ == "__main__":
    main()
