#!/usr/bin/env python3
"""backup.py - backups of a server under load, again and again to one directory, some cut off by kill -9; each is restored and compared object by object.

Writers put, overwrite, delete and upload in parts, each on keys of its own, and one commits to a table. Everything sent and everything acknowledged is remembered with its time. Then, in each round,
a backup is asked for; in some the server is killed while it is being made, and started again. What is in the directory is restored, and must

  1  pass `firn store check --bodies` (the restore runs it) and start as a server
  2  hold for every key what was acknowledged last before the backup was asked for, or what was sent after that and before it ended: every byte of it, and nothing else
  3  list exactly the keys that can be read
  4  have the table at a commit between those two moments
  5  after a kill, be the new backup or the one before it, whole

Exit status: 0 no violation, 1 violation.   backup.py [--rounds N] [--seed N]
"""
import argparse
import hashlib
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import botocore.exceptions
import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from firn_server import BINARY, ROOT, Server, wait_for  # noqa: E402

BUCKET = "load"
OPTIONS = ["--segment-size", "1MiB", "--volume-size", "8MiB", "--checkpoint-rows", "64KiB", "--checkpoint-log", "2MiB", "--part-size-min", "64KiB", "--disk-floor", "16MiB",
           "--buckets", BUCKET, "--catalogs", "lake"]
ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, requests.RequestException, OSError)


def body_of(key, version, size):
    seed = hashlib.sha256(f"{key} {version}".encode()).digest()
    return (seed * (size // 32 + 1))[:size]


class Op:
    """One change of a key: version None is a delete."""

    def __init__(self, version, size):
        self.version, self.size, self.sent, self.acked = version, size, time.monotonic(), None


class Load:
    def __init__(self, server, writers, keys, seed):
        self.server, self.seed, self.stop = server, seed, threading.Event()
        self.ops = {f"w{w}/k{k}": [] for w in range(writers) for k in range(keys)}
        self.commits, self.acked, self.writers, self.round = [], 0, writers, 0

    def start(self):
        self.stop.clear()
        self.round += 1
        self.threads = [threading.Thread(target=self.write, args=(w,)) for w in range(self.writers)] + [threading.Thread(target=self.commit)]
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()

    def change(self, s3, key, op, kind):
        if op.version is None:
            s3.delete_object(Bucket=BUCKET, Key=key)
            return
        body = body_of(key, op.version, op.size)
        if kind != "parts":
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            return
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        half, parts = op.size // 2, []
        for number, piece in enumerate((body[:half], body[half:]), 1):
            etag = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})

    def write(self, writer):
        s3, r = self.server.boto(ROOT), random.Random(f"{self.seed} {writer} {self.round}")
        mine = [k for k in self.ops if k.startswith(f"w{writer}/")]
        while not self.stop.is_set():
            key, kind = r.choice(mine), r.choices(("small", "large", "parts", "delete"), (50, 25, 5, 20))[0]
            size = {"small": r.randrange(0, 30000), "large": r.randrange(33000, 700000), "parts": r.randrange(200000, 900000), "delete": 0}[kind]
            op = Op(None if kind == "delete" else f"{self.round}-{writer}-{r.getrandbits(64):x}", size)
            self.ops[key].append(op)
            try:
                self.change(s3, key, op, kind)
            except ERRORS:
                continue
            op.acked = time.monotonic()
            self.acked += 1

    def commit(self):
        url = f"{self.server.catalog_url}/api/catalog/v1/lake/namespaces/n/tables/t"
        while not self.stop.is_set():
            op = Op(str(len(self.commits) + 1), 0)
            self.commits.append(op)
            update = {"requirements": [], "updates": [{"action": "set-properties", "updates": {"n": op.version}}]}
            try:
                answer = requests.post(url, json=update, headers=bearer(self.server), timeout=30)
                if answer.status_code == 200:
                    op.acked = time.monotonic()
                    self.acked += 1
            except ERRORS:
                continue


def allowed(ops, begun, ended):
    """The (version, size) that a key may have in a backup of that time; (None, 0): there is no object."""
    last = max((i for i, op in enumerate(ops) if op.acked and op.acked < begun), default=-1)
    states = [(None, 0) if last < 0 else (ops[last].version, ops[last].size)]
    return states + [(op.version, op.size) for op in ops[last + 1:] if op.sent < ended]


def bearer(server):
    if getattr(server, "token_of", None) != server.catalog_url:
        answer = requests.post(f"{server.catalog_url}/api/catalog/v1/oauth/tokens", timeout=30,
                               data={"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1], "scope": "PRINCIPAL_ROLE:ALL"})
        server.token, server.token_of = answer.json()["access_token"], server.catalog_url
    return {"Authorization": f"Bearer {server.token}"}


def make_table(server):
    base = f"{server.catalog_url}/api/catalog/v1/lake/namespaces"
    requests.post(base, json={"namespace": ["n"]}, headers=bearer(server), timeout=30).raise_for_status()
    schema = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]}
    requests.post(f"{base}/n/tables", json={"name": "t", "schema": schema}, headers=bearer(server), timeout=30).raise_for_status()


class Run:
    def __init__(self, options, directory):
        self.directory, self.random, self.violations = directory, random.Random(options.seed), []
        self.to, self.windows, self.sizes = directory / "backup", {}, []
        self.server = Server(directory, OPTIONS).start()
        make_table(self.server)
        self.load = Load(self.server, 3, 12, options.seed)
        self.compared = self.killed = self.cut = 0

    def ask(self):
        begun = time.monotonic()
        answer = requests.post(f"{self.server.catalog_url}/api/firn/v1/backup", json={"directory": str(self.to)}, headers=bearer(self.server), timeout=30)
        assert answer.status_code == 202, answer.text
        return begun

    def state(self):
        status = requests.get(f"{self.server.catalog_url}/api/firn/v1/backup", headers=bearer(self.server), timeout=30).json()
        return status if status["state"] != "running" else None

    def number(self):
        try:
            return json.loads((self.to / "MANIFEST").read_text().splitlines()[0])["number"]
        except FileNotFoundError:
            return 0

    def back_up(self):
        before, begun = self.number(), self.ask()
        status = wait_for(self.state, 120, "the backup")
        if status["state"] != "done":
            self.violations.append(f"a backup failed: {status}")
        self.windows[before + 1] = (begun, time.monotonic())
        self.sizes.append((status["bytes"], status["bytes-copied"]))

    def back_up_and_kill(self):
        before, begun = self.number(), self.ask()
        time.sleep(self.random.random() * 0.25)  # where it lands is the point, not how long it takes
        self.server.stop(signal.SIGKILL)
        self.load.end()
        self.windows[before + 1] = (begun, time.monotonic())
        self.killed += 1
        self.cut += self.number() == before
        self.server.start()
        self.load.start()

    def verify(self, number):
        data = self.directory / "restored" / "data"
        shutil.rmtree(data.parent, ignore_errors=True)
        data.parent.mkdir()
        done = subprocess.run([BINARY, "store", "restore", "--from", str(self.to), "--data", str(data)], capture_output=True, text=True)
        if done.returncode != 0:
            self.violations.append(f"restore of backup {number}: {done.stdout[-2000:]}{done.stderr}")
            return
        shutil.copy(f"{self.server.data}.key", f"{data}.key")
        restored = Server(data.parent, OPTIONS).start()
        try:
            self.compare(restored, number)
        finally:
            restored.stop()

    def compare(self, restored, number):
        begun, ended = self.windows[number]
        s3, found = restored.boto(ROOT), set()
        for key, ops in self.load.ops.items():
            try:
                got = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
                found.add(key)
            except s3.exceptions.NoSuchKey:
                got = None
            states = allowed(list(ops), begun, ended)
            if not any(got == (None if v is None else body_of(key, v, size)) for v, size in states):
                self.violations.append(f"backup {number}: {key} is not what was acknowledged, of {len(states)} states")
            self.compared += 1
        listed = {o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
        if listed != found:
            self.violations.append(f"backup {number}: listed and read differ: {listed ^ found}")
        table = requests.get(f"{restored.catalog_url}/api/catalog/v1/lake/namespaces/n/tables/t", headers=bearer(restored), timeout=30).json()
        got = table["metadata"]["properties"].get("n")
        if (got, 0) not in allowed(list(self.load.commits), begun, ended):
            self.violations.append(f"backup {number}: the table is at commit {got}")

    def go(self, rounds):
        self.load.start()
        for n in range(rounds):
            time.sleep(self.random.random())  # of load between two backups
            if n % 3 == 2:
                self.back_up_and_kill()
            else:
                self.back_up()
            number = self.number()
            if number:
                self.verify(number)
            print(f"round {n + 1}/{rounds}: backup {number}, {self.load.acked} changes acknowledged, {self.compared} keys compared, {len(self.violations)} violations", flush=True)
        self.load.end()
        self.server.stop()
        done = subprocess.run([BINARY, "store", "check", "--data", str(self.server.data), "--bodies"], capture_output=True, text=True)
        if done.returncode != 0:
            self.violations.append(f"the store itself: {done.stdout[-2000:]}{done.stderr}")
        print(f"{rounds} rounds, {len(self.windows)} backups, {self.killed} kills, {self.cut} cut off; {self.load.acked} changes acknowledged; {self.compared} keys compared; "
              f"bytes of backups {sum(s[0] for s in self.sizes)}, copied {sum(s[1] for s in self.sizes)}; {len(self.violations)} violations")
        for v in self.violations:
            print("VIOLATION", v)
        return 1 if self.violations else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="firn-backup-"))
    run = None
    try:
        run = Run(options, directory)
        return run.go(options.rounds)
    finally:
        if run:
            run.load.end()
            run.server.stop(signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
