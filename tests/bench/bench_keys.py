"""bench_keys.py - phases over many small keys: reads mixed with writes, lists far into a bucket, deletes, uploads of one small part.

What wrk cannot say in one request (three requests of an upload, a body of 1,000 keys) goes over one connection from here.
"""
import base64
import hashlib
import http.client
import os
import re
import time
import urllib.parse

from bench_load import SECONDS, Load, measure, progress
from bench_report import record
from bench_server import BUCKET

LISTED = int(os.environ.get("LISTED", "20000"))
FOLDER = 1000  # keys in one
BATCH = 1000  # keys of a DeleteObjects: S3 takes no more
BATCHES = 5
SMALL = 4096
PIECE = 500000
DELETED = 10000


def fill(server, paths, size=SMALL):
    """All of the paths, and none failed. In pieces: wrk holds its targets in memory."""
    for at in range(0, len(paths), PIECE):
        targets = [server.presign("PUT", p) for p in paths[at:at + PIECE]]
        load = Load(server.url, targets, 64, "PUT", size, count=len(targets), pids=server.pids(), seconds=1800)
        assert load.requests >= len(targets) and not load.failed, f"{server.name}: {load.failed} of {load.requests} PUTs failed"


def mixed(servers, _):
    row = "70% GET, 30% PUT of 4 KiB, 64 connections, requests/s"
    for s in servers:
        run = os.urandom(4).hex()
        writes = [s.presign("PUT", f"/{BUCKET}/w{run}/{i:07d}") for i in range(30000)]
        measure(row, s, Load(s.url, s.reads, 64, size=SMALL, pids=s.pids(), writes=writes))


# ---- lists ----

def listed_key(i):
    return f"m/{i // FOLDER:05d}/{i:08d}"


def list_many(servers, _):
    """Whole pages that begin anywhere in a large bucket; and its folders, each of a thousand keys that a list has to leap over."""
    pages = [[("start-after", listed_key(i * 7919 % max(1, LISTED - 1000)))] for i in range(100)]
    for what, queries in (("keys", pages), ("folders", [[("delimiter", "/")]])):
        row = f"LIST {what} of {LISTED:,} keys, 4 connections, requests/s"
        for s in servers:
            if not getattr(s, "is_filled", False):
                fill(s, [f"/{BUCKET}/{listed_key(i)}" for i in range(LISTED)], 16)
                s.is_filled = True
            targets = [s.presign("GET", f"/{BUCKET}", [("list-type", "2"), ("prefix", "m/"), ("max-keys", "1000"), *q]) for q in queries]
            measure(row, s, Load(s.url, targets, 4, pids=s.pids()))


# ---- deletes ----

def delete(servers, _):
    for s in servers:
        paths = [f"/{BUCKET}/d{os.urandom(4).hex()}/{i:07d}" for i in range(DELETED)]
        fill(s, paths)
        targets = [s.presign("DELETE", p) for p in paths]
        measure("DELETE, 64 connections, requests/s", s, Load(s.url, targets, 64, "DELETE", count=DELETED, pids=s.pids(), seconds=1800))


def delete_objects(servers, _):
    row = f"DeleteObjects of {BATCH:,} keys, 1 connection, keys/s"
    for s in servers:
        run = os.urandom(4).hex()
        keys = [f"b{run}/{i:07d}" for i in range(BATCH * BATCHES)]
        fill(s, [f"/{BUCKET}/{k}" for k in keys])
        connection = Connection(s)
        target = s.presign("POST", f"/{BUCKET}", [("delete", "")])
        bodies = [delete_body(keys[i:i + BATCH]) for i in range(0, len(keys), BATCH)]
        begin = time.monotonic()
        answers = [connection.ask("POST", target, body, {"Content-MD5": md5(body)}) for body in bodies]
        rate = len(keys) / (time.monotonic() - begin)
        assert not any(b"<Error>" in text for text, _ in answers), f"{s.name}: {answers[0][0][:300]}"
        assert connection.status("HEAD", s.presign("HEAD", f"/{BUCKET}/{keys[-1]}")) == 404, f"{s.name}: a deleted key is there"
        record(row, s.name, rate)
        progress(row, s, rate)


def delete_body(keys):
    listed = "".join(f"<Object><Key>{k}</Key></Object>" for k in keys)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>{listed}</Delete>'.encode()


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


# ---- uploads of one small part ----

def multipart(servers, _):
    row = "multipart (Create, 1 part of 4 KiB, Complete), 1 connection, uploads/s"
    for s in servers:
        connection, run, n = Connection(s), os.urandom(4).hex(), 0
        before = s.flushes()
        begin = time.monotonic()
        while time.monotonic() < begin + SECONDS:
            upload(connection, f"/{BUCKET}/u{run}/{n:07d}")
            n += 1
        record(row, s.name, n / (time.monotonic() - begin))
        if before is not None:
            record("multipart (Create, 1 part of 4 KiB, Complete), 1 connection: flushes an upload", s.name, (s.flushes() - before) / n)
        progress(row, s, n / (time.monotonic() - begin))


def upload(connection, path):
    server, upload_id = connection.server, upload_begin(connection, path)
    _, headers = connection.ask("PUT", server.presign("PUT", path, [("partNumber", "1"), ("uploadId", upload_id)]), b"x" * SMALL)
    upload_end(connection, path, upload_id, [headers["ETag"]])


def upload_begin(connection, path):
    text, _ = connection.ask("POST", connection.server.presign("POST", path, [("uploads", "")]))
    return re.search(rb"<UploadId>([^<]+)</UploadId>", text).group(1).decode()


def upload_end(connection, path, upload_id, etags):
    parts = "".join(f"<Part><PartNumber>{i}</PartNumber><ETag>{etag}</ETag></Part>" for i, etag in enumerate(etags, 1))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"
    text, _ = connection.ask("POST", connection.server.presign("POST", path, [("uploadId", upload_id)]), body.encode())
    assert b"<ETag>" in text, (connection.server.name, text[:300])


class Connection:
    """One that is kept; an answer that is no success ends the run."""

    def __init__(self, server):
        self.server, self.http = server, http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=120)

    def ask(self, method, target, body=None, headers=None):
        self.http.request(method, target, body, headers or {})
        answer = self.http.getresponse()
        text = answer.read()
        assert answer.status < 300, (self.server.name, method, answer.status, text[:300])
        return text, answer.headers

    def status(self, method, target):
        self.http.request(method, target)
        answer = self.http.getresponse()
        answer.read()
        return answer.status


PHASES = (mixed, list_many, delete, delete_objects, multipart)
