#!/usr/bin/env python3
"""maintenance.py - tables of random histories, expired in random ways, with kill -9 between: the files that are left are those that are needed.

For each table PyIceberg does a random row of things: appends, overwrites, deletes, tags, branches, rollbacks, and expiries of its own, which only change the metadata; and the server is asked to
expire. The server runs with a grace of none and a round each second, so it reads manifests and deletes all the time; between two steps it is killed at random moments, also while it starts. (Not within
a step: a client whose commit breaks off leaves files that nobody names, which are orphans, and not the server's to take.) At the end, when nothing is to be done any more:

  1  the store has exactly the files that PyIceberg's reading of the metadata needs: none is missing, none is left
  2  every snapshot that is left reads, with as many rows as when it was made
  3  the server says of each table that it is complete, and its numbers of live files are those counted here
  4  what a dry run said would go is what went

With --external the tables lie at another S3 endpoint, a Firn of its own, which is not killed; what must be left is counted there.

Exit status: 0 no violation, 1 violation.
"""
import argparse
import datetime
import pathlib
import random
import signal
import sys
import time

import pyarrow
from pyiceberg.exceptions import CommitFailedException

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/iceberg")]
from seeded import run_seeded  # noqa: E402
from firn_server import ROOT as FIRN_ROOT, Server, wait_for  # noqa: E402
from iceberg_helpers import Rest, open_catalog  # noqa: E402
from manage_helpers import Admin  # noqa: E402
from table_files import files_in_store, files_needed  # noqa: E402

SETTINGS = ["--catalogs", "lakehouse", "--maintenance-interval", "1", "--expire-grace", "0", "--segment-size", "1MiB", "--checkpoint-rows", "64KiB", "--checkpoint-log", "1MiB",
            "--volume-size", "4MiB"]


class Run:
    def __init__(self, arguments, directory):
        self.a, self.random, self.violations, self.kills = arguments, random.Random(arguments.seed), [], 0
        self.server, self.name, self.options = Server(directory, SETTINGS), "lakehouse", {}
        self.files_at = self.server
        if arguments.external:
            self.name, self.options = "far", {"s3.access-key-id": FIRN_ROOT[0], "s3.secret-access-key": FIRN_ROOT[1]}
            (directory / "far").mkdir()
            self.files_at = Server(directory / "far", environment={"FIRN_BUCKETS": "far"})
            self.server.environment = {"AWS_ACCESS_KEY_ID": FIRN_ROOT[0], "AWS_SECRET_ACCESS_KEY": FIRN_ROOT[1]}
        self.rows = {}  # (table, snapshot) -> rows

    def violation(self, what, **facts):
        self.violations.append(what)
        print(f"VIOLATION {what} {facts}", flush=True)

    # ---- the server ----
    def connect(self):
        self.rest = Rest(self.server.catalog_url, prefix=self.name)
        self.catalog = open_catalog(self.server, warehouse=self.name, **self.options)

    def maybe_kill(self):
        if self.random.random() >= self.a.kills:
            return
        time.sleep(self.random.uniform(0, 0.3))  # the moment of the kill: this wait is the test
        self.server.stop(signal.SIGKILL)
        self.kills += 1
        self.server.start()
        self.connect()

    def maintenance(self, method, noun, table, **body):
        path = f"/api/firn/v1/catalogs/{self.name}/maintenance/{noun}"
        if method == "GET":
            answer = self.rest.raw("GET", path, params={"namespace": "n", "table": table})
        else:
            answer = self.rest.raw("POST", path, json={"namespace": ["n"], "table": table, **body})
        answer.raise_for_status()
        return answer.json()["tables"][0]

    # ---- steps: each ends with its commit acknowledged ----
    def note(self, table):
        for snapshot in table.refresh().snapshots():
            key = (table.name()[-1], snapshot.snapshot_id)
            if key not in self.rows:
                self.rows[key] = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows

    def make_rows(self):
        count = self.random.randint(1, 20)
        return pyarrow.table({"id": pyarrow.array([self.random.randint(0, 50) for _ in range(count)], pyarrow.int64()), "part": pyarrow.array([self.random.choice("abc") for _ in range(count)])})

    def append(self, table):
        table.append(self.make_rows())

    def overwrite(self, table):
        table.overwrite(self.make_rows(), overwrite_filter=f"part = '{self.random.choice('abc')}'") if self.random.random() < 0.7 else table.overwrite(self.make_rows())

    def delete(self, table):
        table.delete(f"id < {self.random.randint(0, 50)}")

    def set_ref(self, table):
        snapshot = self.random.choice(table.snapshots()).snapshot_id
        name = f"r{self.random.randint(0, 3)}"
        if name in table.refs():
            change = table.manage_snapshots()
            (change.remove_tag if table.refs()[name].snapshot_ref_type == "tag" else change.remove_branch)(name).commit()
        elif self.random.random() < 0.5:
            table.manage_snapshots().create_tag(snapshot, name).commit()
        else:
            table.manage_snapshots().create_branch(snapshot, name).commit()

    def rollback(self, table):
        ancestors = [table.current_snapshot()]
        while ancestors[-1].parent_snapshot_id and table.snapshot_by_id(ancestors[-1].parent_snapshot_id):
            ancestors.append(table.snapshot_by_id(ancestors[-1].parent_snapshot_id))
        self.rest.commit(f"/namespaces/n/tables/{table.name()[-1]}", {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch",
                                                                      "snapshot-id": self.random.choice(ancestors).snapshot_id})

    def expire_some(self, table):
        heads = {ref.snapshot_id for ref in table.refs().values()}
        free = [s.snapshot_id for s in table.snapshots() if s.snapshot_id not in heads]
        if free:
            table.maintenance.expire_snapshots().by_ids(self.random.sample(free, self.random.randint(1, len(free)))).commit()

    def expire_old(self, table):
        table.maintenance.expire_snapshots().older_than(datetime.datetime.now() + datetime.timedelta(seconds=60)).commit()

    def expire_by_server(self, table):
        name, body = table.name()[-1], {"older-than-ms": 0, "keep": self.random.randint(1, 3)}
        would = self.maintenance("POST", "expire", name, **body, **{"dry-run": True})
        done = self.maintenance("POST", "expire", name, **body)
        if would != done:
            self.violation("a-dry-run-that-was-not-done", table=name, would=would, done=done)
        left = files_in_store(self.files_at, table.location())
        if would["snapshots"] and would["files"] is None:
            self.violation("files-not-known", table=name, why=would.get("why"))
        if would["snapshots"]:
            wait_for(lambda: not set(would["paths"]) & files_in_store(self.files_at, table.location()), what=f"what a dry run named: {sorted(set(would['paths']) & left)[:3]}")

    STEPS = [(append, 8), (overwrite, 3), (delete, 3), (set_ref, 2), (rollback, 1), (expire_some, 2), (expire_old, 1), (expire_by_server, 1)]

    def fill(self, name):
        properties = {"write.metadata.previous-versions-max": "3", "write.metadata.delete-after-commit.enabled": "true"} if self.random.random() < 0.3 else {}
        table = self.catalog.create_table(("n", name), schema=self.make_rows().schema, properties=properties)
        table.append(self.make_rows())
        steps, weights = zip(*self.STEPS)
        for _ in range(self.random.randint(3, self.a.steps)):
            table = self.catalog.load_table(("n", name))
            try:
                self.random.choices(steps, weights)[0](self, table)
            except CommitFailedException:
                pass  # a lost race with the server would be told so; nothing was done
            self.note(table)
            self.maybe_kill()

    # ---- the end ----
    def is_settled(self, name):
        status = self.maintenance("GET", "status", name)
        return status if status["complete"] and status["queued-files"] == 0 else None

    def check(self, name):
        table = self.catalog.load_table(("n", name))
        status = wait_for(lambda: self.is_settled(name), 60, f"table {name} to settle: {self.maintenance('GET', 'status', name)}")
        needed, there = files_needed(table), files_in_store(self.files_at, table.location())
        if needed - there:
            self.violation("a-needed-file-is-gone", table=name, files=sorted(needed - there))
        if there - needed:
            self.violation("a-file-is-left", table=name, files=sorted(there - needed))
        if status["live-files"] != len(needed):
            self.violation("live-files", table=name, said=status["live-files"], needed=len(needed))
        for snapshot in table.snapshots():
            rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows
            if rows != self.rows[name, snapshot.snapshot_id]:
                self.violation("rows-differ", table=name, snapshot=snapshot.snapshot_id, rows=rows, were=self.rows[name, snapshot.snapshot_id])

    def make_external(self):
        self.files_at.start()
        catalog = {"name": self.name, "type": "INTERNAL", "properties": {"default-base-location": "s3://far/base"},
                   "storageConfigInfo": {"storageType": "S3", "endpoint": self.files_at.url}}
        Admin(Rest(self.server.catalog_url)).ok("POST", "/catalogs", json={"catalog": catalog})

    def main(self):
        self.server.start()
        if self.a.external:
            self.make_external()
        self.connect()
        self.catalog.create_namespace("n")
        names = [f"t{i}" for i in range(self.a.tables)]
        try:
            for i, name in enumerate(names):
                self.fill(name)
                if (i + 1) % 20 == 0:
                    print(f"{i + 1}/{self.a.tables} tables, {len(self.rows)} snapshots, {self.kills} kills", flush=True)
            for name in names:
                self.check(name)
        finally:
            self.server.stop(signal.SIGKILL)
            if self.a.external:
                self.files_at.stop(signal.SIGKILL)
        print(f"{self.a.tables} tables, {len(self.rows)} snapshots, {self.kills} kills, {len(self.violations)} violations")
        must_kill = self.a.kills and self.a.tables >= 10  # of fewer tables it may happen that none saw a kill
        return 1 if self.violations or (must_kill and self.kills == 0) else 0


def main():
    p = argparse.ArgumentParser(formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__)
    p.add_argument("--tables", type=int, default=40)
    p.add_argument("--steps", type=int, default=12, help="of one table, at most")
    p.add_argument("--external", action="store_true")
    p.add_argument("--kills", type=float, default=0.1, help="how often after a step")
    run_seeded(p, "firn-maintenance-", Run)


if __name__ == "__main__":
    main()
