"""test_move.py - firn store move: what clients see is the same in PostgreSQL and back, the store goes on being written to, and a move that is killed loses nothing."""
import datetime
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import pyarrow
import pytest

import postgresql
from firn_server import BINARY, Server, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "iceberg"))
from iceberg_helpers import Rest, open_catalog  # noqa: E402
from manage_helpers import Admin  # noqa: E402

MIB = 1 << 20
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("FIRN_", "QUARKUS_", "POLARIS_"))}


class Store:
    """A data directory with a server on it, whose rows are here or there."""

    def __init__(self, directory, uri=None):
        self.schema = "move_" + os.urandom(8).hex()
        self.uri = uri or postgresql.shared().uri
        self.server = Server(directory, ["--catalogs", "lakehouse", "--buckets", "bucket", "--segment-size", "4MiB"], {"FIRN_STORE": None, "FIRN_STORE_SCHEMA": None})
        self.data = self.server.data

    def serve(self, in_postgresql):
        self.server.environment.update({"FIRN_STORE": self.uri if in_postgresql else None, "FIRN_STORE_SCHEMA": self.schema if in_postgresql else None})
        return self.server.start()

    def words(self, way, *more):
        return [BINARY, "store", "move", "--data", str(self.data), way, self.uri, "--store-schema", self.schema, *more]

    def move(self, way, *more):
        return subprocess.run(self.words(way, *more), capture_output=True, text=True, timeout=300, env=ENVIRONMENT)

    def check(self, in_postgresql):
        where = ["--store", self.uri, "--store-schema", self.schema] if in_postgresql else []
        return subprocess.run([BINARY, "store", "check", "--data", str(self.data), "--bodies", *where], capture_output=True, text=True, timeout=300, env=ENVIRONMENT)

    def refused(self, in_postgresql, data=None):
        """What a server says that is started there, perhaps with another data directory, and must not run."""
        store = {"FIRN_STORE": self.uri, "FIRN_STORE_SCHEMA": self.schema} if in_postgresql else {}
        done = subprocess.run([BINARY, "serve", "--data", str(data or self.data), "--s3-address", "127.0.0.1:0", "--catalog-address", "127.0.0.1:0"], capture_output=True, text=True, timeout=120,
                              env={**ENVIRONMENT, **store})
        assert done.returncode not in (0, None)
        return done.stderr


@pytest.fixture
def store(tmp_path):
    s = Store(tmp_path)
    yield s
    assert s.server.stop() in (0, None), s.server.log.read_text()[-4000:]


def fill(server):
    s3 = server.boto()
    for i, size in enumerate((0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 3 * MIB)):
        s3.put_object(Bucket="bucket", Key=f"of/{size}", Body=bytes([i + 1]) * size, Metadata={"size": str(size)}, ContentType="text/x", Tagging="a=b&c=d")
    s3.put_object(Bucket="bucket", Key="\u00fc" * 500, Body=b"long key")
    parts = []
    whole = s3.create_multipart_upload(Bucket="bucket", Key="in/parts")["UploadId"]
    for n, body in ((1, b"1" * 5 * MIB), (2, b"2" * 5 * MIB), (3, b"3" * 100)):
        parts.append({"PartNumber": n, "ETag": s3.upload_part(Bucket="bucket", Key="in/parts", UploadId=whole, PartNumber=n, Body=body)["ETag"]})
    s3.complete_multipart_upload(Bucket="bucket", Key="in/parts", UploadId=whole, MultipartUpload={"Parts": parts})
    opened = s3.create_multipart_upload(Bucket="bucket", Key="open", Metadata={"of": "upload"})["UploadId"]
    for n, body in ((1, b"a" * 5 * MIB), (2, b"small")):
        s3.upload_part(Bucket="bucket", Key="open", UploadId=opened, PartNumber=n, Body=body)
    catalog = open_catalog(server)
    catalog.create_namespace("ns", {"owner": "x\u0000y"})
    table = catalog.create_table("ns.t", pyarrow.schema([("id", pyarrow.int64()), ("v", pyarrow.string())]))
    append(server, 10)
    catalog.create_table("ns.gone", table.schema())
    catalog.purge_table("ns.gone")
    admin = Admin(Rest(server.catalog_url))
    admin.person("somebody")
    admin.grant("somebody", "TABLE_READ_DATA", namespace="ns")
    return opened


def append(server, rows):
    table = open_catalog(server).load_table("ns.t")
    table.append(pyarrow.table({"id": list(range(rows)), "v": [f"{datetime.date.min}" for _ in range(rows)]}))


def objects(s3):
    for o in s3.list_objects_v2(Bucket="bucket")["Contents"]:
        got = s3.get_object(Bucket="bucket", Key=o["Key"])
        tags = s3.get_object_tagging(Bucket="bucket", Key=o["Key"])["TagSet"]
        yield o["Key"], (o["ETag"], o["Size"], str(o["LastModified"]), got["Metadata"], got["ContentType"], got["Body"].read(), tags)


def seen(server):
    """All that clients see."""
    s3, rest = server.boto(), Rest(server.catalog_url)
    admin = Admin(rest)
    uploads = s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    parts = [s3.list_parts(Bucket="bucket", Key=u["Key"], UploadId=u["UploadId"])["Parts"] for u in uploads]
    loaded = rest.ok("GET", "/namespaces/ns/tables/t")
    return {
        "buckets": [(b["Name"], str(b["CreationDate"])) for b in s3.list_buckets()["Buckets"]],
        "objects": dict(objects(s3)),
        "uploads": [(u["Key"], u["UploadId"], str(u["Initiated"])) for u in uploads],
        "parts": [[(p["PartNumber"], p["ETag"], p["Size"], str(p["LastModified"])) for p in of] for of in parts],
        "lake": [(o["Key"], o["ETag"]) for o in s3.list_objects_v2(Bucket="lakehouse").get("Contents", []) if "/gone" not in o["Key"]],
        "namespaces": rest.ok("GET", "/namespaces/ns"),
        "tables": rest.ok("GET", "/namespaces/ns/tables"),
        "metadata": (loaded["metadata-location"], loaded["metadata"]),
        "rows": open_catalog(server).load_table("ns.t").scan().to_arrow().to_pylist(),
        "principals": admin.ok("GET", "/principals"),
        "principal roles": admin.ok("GET", "/principal-roles"),
        "catalog roles": admin.ok("GET", "/catalogs/lakehouse/catalog-roles"),
        "grants": admin.ok("GET", "/catalogs/lakehouse/catalog-roles/somebody/grants"),
        "changes": [row for row in admin.ok("GET", "/audit?operation=CreateTable")["events"]],
    }


def check_same(was, now):
    for what, value in was.items():
        assert now[what] == value, what


def write_more(server, opened, n):
    """The store goes on: a new object of each kind, another snapshot, and, once, the upload that was open is completed."""
    s3 = server.boto()
    s3.put_object(Bucket="bucket", Key=f"later/{n}", Body=b"s" * 100)
    s3.put_object(Bucket="bucket", Key=f"later/{n}/large", Body=b"l" * MIB)
    s3.delete_object(Bucket="bucket", Key=f"of/{(1, 3 * MIB)[n]}")
    append(server, 3 + n)
    if n == 0:
        return
    parts = [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in s3.list_parts(Bucket="bucket", Key="open", UploadId=opened)["Parts"]]
    s3.complete_multipart_upload(Bucket="bucket", Key="open", UploadId=opened, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="bucket", Key="open")["Body"].read() == b"a" * 5 * MIB + b"small"


def test_a_store_moves_there_and_back_and_clients_see_no_difference(store, tmp_path):
    server = store.serve(False)
    opened = fill(server)
    was = seen(server)
    assert store.move("--to").returncode == 1  # it runs
    assert server.stop() == 0

    for n, way in enumerate(("--to", "--from")):
        in_postgresql = way == "--to"
        dry = json.loads(store.move(way, "--dry-run", "--json").stdout)
        done = store.move(way, "--json")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert (dry["moved"], said["moved"], said["ended"]) == (False, True, False)
        assert dry["spaces"] == said["spaces"] and sum(s["bodies"] for s in said["spaces"]) > 10
        checked = store.check(in_postgresql)
        assert checked.returncode == 0 and ", 0 findings" in checked.stdout, checked.stdout + checked.stderr
        if in_postgresql:
            assert "firn store move" in store.refused(False) and not (store.data / "rows").exists()
        else:
            assert "the rows of this store are in" in store.refused(True) and f"moved from here to the data directory {store.data}" in store.refused(True, tmp_path / "other")
        server = store.serve(in_postgresql)
        check_same(was, seen(server))
        write_more(server, opened, n)
        was = seen(server) if n == 0 else was
        assert server.stop() == 0
    assert [p.name for p in store.data.glob("rows*")] and (store.data / "rows").exists() and not (store.data / "rows.moving").exists()
    assert store.check(False).returncode == 0


def many(server, count):
    s3 = server.boto()
    for i in range(count):
        s3.put_object(Bucket="bucket", Key=f"k/{i:05}", Body=f"{i}".encode() * (1 + i % 500))


def listing(server):
    s3 = server.boto()
    return {o["Key"]: s3.get_object(Bucket="bucket", Key=o["Key"])["Body"].read() for o in s3.list_objects_v2(Bucket="bucket")["Contents"]}


def killed_after(store, way, seconds):
    """Whether the move was killed before it ended."""
    process = subprocess.Popen(store.words(way), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("way", ["--to", "--from"])
def test_a_move_that_is_killed_is_done_again_by_the_same_command(store, way):
    in_postgresql = way == "--from"
    server = store.serve(False)
    many(server, 600)
    was = listing(server)
    assert server.stop() == 0
    if in_postgresql:
        assert store.move("--to").returncode == 0
    began = time.monotonic()
    kills, seconds = 0, 0.004
    while killed_after(store, way, seconds):  # later each time, until one is left to end
        kills += 1
        seconds *= 1.6
        assert time.monotonic() - began < 240
        if kills % 3 == 0 and (in_postgresql or (store.data / "rows").exists()) and not retired(store, in_postgresql):
            server = store.serve(in_postgresql)  # the source can be used meanwhile, and written to
            server.boto().put_object(Bucket="bucket", Key=f"between/{kills}", Body=b"x")
            was[f"between/{kills}"] = b"x"
            assert server.stop() == 0
    assert kills
    said = store.move(way)  # the last one ended, and there is nothing more to do
    assert said.returncode == 2 and "nothing to move" in said.stderr, said.stdout + said.stderr
    checked = store.check(not in_postgresql)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    server = store.serve(not in_postgresql)
    assert listing(server) == was


def retired(store, in_postgresql):
    if not in_postgresql:
        return not (store.data / "rows").exists()
    return postgresql.shared().sql(f"select count(*) from {store.schema}.rows_system where key = 'store-move'") != "0"


def test_a_half_moved_store_is_not_served(store):
    server = store.serve(False)
    many(server, 20)
    assert server.stop() == 0
    assert store.move("--to").returncode == 0
    # As if it had been cut off before its last steps: the old rows are back, the mark is there.
    kept = next(store.data.glob("rows.moved-*"))
    mark = bytes([1, 1]) + os.urandom(16) + bytes.fromhex((store.data / "volumes" / "STORE").read_text())
    postgresql.shared().sql(f"insert into {store.schema}.rows_system values ('store-move', '\\x{mark.hex()}')")
    kept.rename(store.data / "rows")
    assert "are in" in store.refused(True)  # both: the directory has rows
    (store.data / "rows").rename(store.data / "elsewhere")
    assert "that was cut off" in store.refused(True)
    refused = store.check(True)
    assert refused.returncode == 2 and "that was cut off" in refused.stderr
    (store.data / "elsewhere").rename(store.data / "rows")
    assert store.move("--to").returncode == 0
    assert len(listing(store.serve(True))) == 20


@pytest.fixture
def own_postgresql():
    with tempfile.TemporaryDirectory(prefix="firn-pg-") as directory:  # pytest's own are closed to PostgreSQL's user
        os.chmod(directory, 0o711)
        os.mkdir(f"{directory}/pg")
        p = postgresql.Postgresql(f"{directory}/pg").start()
        yield p
        p.stop()


@pytest.mark.parametrize("way", ["--to", "--from"])
def test_a_move_whose_postgresql_is_killed_leaves_the_source_as_it_was(tmp_path, own_postgresql, way):
    store = Store(tmp_path, own_postgresql.uri)
    server = store.serve(False)
    many(server, 50)
    was = listing(server)
    assert server.stop() == 0
    for before in ("--to", "--from") if way == "--to" else ("--to",):
        assert store.move(before).returncode == 0
    held = subprocess.Popen([postgresql.BIN / "psql", "-Xq", "-c", f"begin; lock table {store.schema}.rows_objects; select pg_sleep(600)", store.uri], stderr=subprocess.DEVNULL)
    locks = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted and relation::regclass::text like '%rows_objects'"
    wait_for(lambda: own_postgresql.sql(locks) == "1", what="the table to be locked")
    move = subprocess.Popen(store.words(way), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_for(lambda: own_postgresql.sql("select count(*) from pg_locks where not granted") != "0", what="the move to wait for the table")
    own_postgresql.kill()
    said = move.communicate(timeout=120)[1]
    assert move.returncode == 1 and "the same command does it again" in said, said
    held.wait(timeout=60)
    own_postgresql.start()
    assert store.check(way == "--from").returncode == 0
    if way == "--to":
        assert "the rows of this store are in" in store.refused(True)
    done = store.move(way)
    assert done.returncode == 0, done.stderr
    server = store.serve(way == "--to")
    assert listing(server) == was
    assert server.stop() == 0


@pytest.mark.parametrize("words, code, said", [
    ((), 2, "needs one of --to"), (("--to", "postgresql://x", "--from", "postgresql://x"), 2, "needs one of --to"), (("--to", "nonsense"), 2, "postgresql://"),
    (("--to", "postgresql://nobody@127.0.0.1:1/none"), 1, "PostgreSQL cannot be used"), (("--to", "postgresql://x", "--store-schema", "A-b"), 2, "no name for a schema"),
])
def test_wrong_words_are_named(store, words, code, said):
    server = store.serve(False)
    assert server.stop() == 0
    done = subprocess.run([BINARY, "store", "move", "--data", str(store.data), *words], capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == code and said in done.stderr, done.stderr
    assert store.check(False).returncode == 0
