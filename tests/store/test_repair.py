"""test_repair.py - a broken LMDB: the server says what is broken and what to do; firn store repair gives exactly what was acknowledged, by all clients' eyes; firn store salvage brings bodies back without it."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import pyarrow
import pytest

from firn_server import BINARY, ROOT, Server, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "iceberg"))
from iceberg_helpers import open_catalog  # noqa: E402

EMBEDDED = {"FIRN_STORE": None, "FIRN_STORE_SCHEMA": None, "FIRN_STORE_SHARED": None}
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("FIRN_")}


def store(*words):
    return subprocess.run([BINARY, "store", *map(str, words)], capture_output=True, text=True, timeout=120, env=ENVIRONMENT)


def status(server):
    environment = {**ENVIRONMENT, "FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1]}
    return json.loads(subprocess.run([BINARY, "status", "--data", str(server.data), "--json"], env=environment, capture_output=True, text=True, check=True, timeout=30).stdout)


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path, ["--catalogs", "lakehouse", "--buckets", "bucket", "--segment-size", "256KiB", "--checkpoint-log", "256KiB", "--checkpoint-rows", "64KiB", "--disk-floor", "1MiB",
                          "--metrics", "on"], EMBEDDED)
    yield s.start()
    assert s.stop() in (0, None), s.log.read_text()[-4000:]


def write(server, turn):
    """Objects of all kinds, some over others, and a commit."""
    s3 = server.boto()
    for i in range(40):
        s3.put_object(Bucket="bucket", Key=f"small/{i % 30}/{turn % 2}", Body=os.urandom(100 + 700 * i))
    for key in (f"large/{turn}", "large/again"):
        s3.put_object(Bucket="bucket", Key=key, Body=os.urandom(300_000), Metadata={"turn": str(turn)})
    s3.delete_object(Bucket="bucket", Key=f"small/{turn}/0")
    upload = s3.create_multipart_upload(Bucket="bucket", Key=f"parts/{turn}")["UploadId"]
    parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket="bucket", Key=f"parts/{turn}", UploadId=upload, PartNumber=n, Body=os.urandom(5 << 20 if n == 1 else 1000))["ETag"]} for n in (1, 2)]
    s3.complete_multipart_upload(Bucket="bucket", Key=f"parts/{turn}", UploadId=upload, MultipartUpload={"Parts": parts})
    catalog = open_catalog(server)
    catalog.create_namespace_if_not_exists("ns")
    rows = pyarrow.table({"turn": [turn] * 10, "n": list(range(10))})
    catalog.create_table_if_not_exists("ns.t", schema=rows.schema).append(rows)


def seen(server):
    """Everything, as clients see it."""
    s3 = server.boto()
    objects = {}
    for bucket in ("bucket", "lakehouse"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for o in page.get("Contents", []):
                answer = s3.get_object(Bucket=bucket, Key=o["Key"])
                objects[bucket, o["Key"]] = (hashlib.sha256(answer["Body"].read()).hexdigest(), answer["ETag"], answer["Metadata"])
    return objects, sorted(map(str, open_catalog(server).load_table("ns.t").scan().to_arrow().to_pylist()))


def break_lmdb(server, at):
    with open(server.data / "rows/rows/data.mdb", "r+b") as lmdb:
        lmdb.seek(at)
        lmdb.write(b"\x5a" * 4096 * 6)


@pytest.mark.parametrize("at", [0, 2 * 4096])
def test_a_broken_lmdb_is_repaired_to_what_was_acknowledged(server, at):
    write(server, 1)
    wait_for(lambda: status(server)["copy"]["state"] == "kept", what="the first copy")
    for turn in range(2, 6):
        write(server, turn)
    before = seen(server)
    server.stop(signal.SIGKILL)
    break_lmdb(server, at)

    if at == 0:
        refused = subprocess.run([BINARY, "serve", "--data", str(server.data), *server.arguments, "--s3-address", "127.0.0.1:0", "--catalog-address", "127.0.0.1:0"], capture_output=True, text=True,
                                 timeout=60, env=ENVIRONMENT)
        assert refused.returncode == 1 and "data.mdb" in refused.stderr and f"firn store repair --data {server.data}" in refused.stderr, refused.stderr
    check = store("check", "--data", server.data)
    assert check.returncode == 1 and "LMDB" in check.stdout and "store repair" in check.stderr, check.stdout + check.stderr
    found = json.loads(store("check", "--data", server.data, "--json").stdout)
    assert not found["clean"] and found["findings"][0]["space"] == "LMDB"

    repaired = store("repair", "--data", server.data)
    assert repaired.returncode == 0 and "rows.broken-" in repaired.stdout, repaired.stdout + repaired.stderr
    whole = store("check", "--data", server.data, "--bodies")
    assert whole.returncode == 0 and "0 findings" in whole.stdout, whole.stdout + whole.stderr
    server.start()
    assert seen(server) == before
    write(server, 6)
    metrics = server.raw().request("GET", "/metrics").body.decode()
    assert "firn_rows_copy_suffices 1" in metrics and "firn_rows_copy_wanted 1" in metrics


def test_without_a_copy_repair_says_so_and_changes_nothing(server):
    write(server, 1)
    assert "in use" in store("repair", "--data", server.data).stderr
    server.arguments += ["--copy-interval", "0"]
    server.restart()
    assert status(server)["copy"]["state"] == "off"
    metrics = server.raw().request("GET", "/metrics").body.decode()
    assert "firn_rows_copy_suffices 0" in metrics and "firn_rows_copy_wanted 0" in metrics
    before = seen(server)
    server.stop()
    whole = (server.data / "rows/rows/data.mdb").read_bytes()
    break_lmdb(server, 0)
    refused = store("repair", "--data", server.data)
    assert refused.returncode == 1 and "no copy" in refused.stderr
    assert "store restore" in store("check", "--data", server.data).stderr
    (server.data / "rows/rows/data.mdb").write_bytes(whole)
    server.start()
    assert seen(server) == before


def test_bodies_are_salvaged_without_lmdb_and_copy(server, tmp_path):
    for turn in range(1, 5):
        write(server, turn)
    odd = {"ü/ \\ ..", "a", "a/b"}
    for key in odd:
        server.boto().put_object(Bucket="bucket", Key=key, Body=key.encode() * 20_000, ContentType="text/odd", Metadata={"was": "here"})
    objects, _ = seen(server)
    server.stop(signal.SIGKILL)
    (server.data / "rows/rows.copy").unlink(missing_ok=True)
    break_lmdb(server, 0)

    dry = store("salvage", "--data", server.data, "--dry-run", "--json")
    new = tmp_path / "new"
    new.mkdir()
    done = store("salvage", "--data", server.data, "--to", new / "data")
    assert done.returncode == 0 and "0 damaged" in done.stdout, done.stdout + done.stderr
    assert json.loads(dry.stdout)["objects"] == len(objects), dry.stdout + dry.stderr
    salvaged = Server(new, environment=EMBEDDED).start()
    s3 = salvaged.boto()
    for (bucket, key), (digest, _, metadata) in objects.items():
        answer = s3.get_object(Bucket=bucket, Key=key)
        assert hashlib.sha256(answer["Body"].read()).hexdigest() == digest and answer["Metadata"] == metadata, key
    assert s3.get_object(Bucket="bucket", Key="a/b")["ContentType"] == "text/odd"
    assert salvaged.stop() == 0
    assert "not empty" in store("salvage", "--data", server.data, "--to", new / "data").stderr
    assert store("check", "--data", new / "data", "--bodies").returncode == 0
