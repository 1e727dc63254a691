"""test_cli.py - every verb of the command line against a running server: what it prints, and its exit code."""
import json
import os
import pathlib
import shutil
import subprocess

import pyarrow
import pytest
import requests
from firn_server import BINARY, ROOT, wait_for
from pyiceberg.catalog import load_catalog

DONE, FAILED, USAGE, UNREACHABLE, MISSING, DENIED = range(6)
SAMPLE = pathlib.Path(__file__).parents[2] / "deploy" / "sample"


def run(words, environment=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FIRN_", "AWS_", "MINIO_", "XDG_"))}
    clean["HOME"] = "/nonexistent"  # nobody's profiles
    return subprocess.run([BINARY, *words], env={**clean, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


class Cli:
    def __init__(self, server):
        self.server = server
        self.environment = {"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1]}

    def __call__(self, *words, status=DONE):
        done = run([*words, "--data", str(self.server.data)], self.environment)
        assert done.returncode == status, (words, done)
        assert status == DONE or done.stderr.startswith("firn: "), done
        return done.stdout if status == DONE else done.stderr

    def json(self, *words):
        return json.loads(self(*words, "--json"))


@pytest.fixture
def lake(start_server):
    return start_server("--catalogs", "lake")


@pytest.fixture
def cli(lake):
    return Cli(lake)


@pytest.fixture
def catalog(lake):
    return load_catalog("lake", type="rest", uri=lake.catalog_url + "/api/catalog", warehouse="lake", credential=":".join(ROOT),
                        **{"oauth2-server-uri": lake.catalog_url + "/api/catalog/v1/oauth/tokens"},
                        **{"s3.endpoint": lake.url, "s3.access-key-id": ROOT[0], "s3.secret-access-key": ROOT[1]})


def test_buckets_are_made_listed_and_deleted(cli, lake):
    cli("bucket", "create", "first")
    assert "there already" not in cli("bucket", "list")
    assert [b["name"] for b in cli.json("bucket", "list")] == ["first", "lake"]
    assert cli("bucket", "list").splitlines()[0].split() == ["NAME", "CREATED"]
    assert "BucketAlreadyOwnedByYou" in cli("bucket", "create", "first", status=FAILED)
    assert "InvalidBucketName" in cli("bucket", "create", "health", status=FAILED)
    lake.boto().put_object(Bucket="first", Key="x", Body=b"")
    assert "BucketNotEmpty" in cli("bucket", "delete", "first", "--yes", status=FAILED)
    lake.boto().delete_object(Bucket="first", Key="x")
    assert "--yes" in cli("bucket", "delete", "first", status=USAGE)
    cli("bucket", "delete", "first", "--yes")
    assert "NoSuchBucket" in cli("bucket", "delete", "first", "--yes", status=MISSING)


@pytest.mark.parametrize("size", [0, 1, 40_000, 3_000_000])
def test_a_file_is_uploaded_whole_to_any_key(cli, lake, tmp_path, size):
    body = os.urandom(size)
    (tmp_path / "file").write_bytes(body)
    key = "a b+c%20/ü/..x/../y//z~'\""
    cli("object", "put", str(tmp_path / "file"), "lake/" + key)
    assert lake.boto().get_object(Bucket="lake", Key=key)["Body"].read() == body
    assert "No such file" in cli("object", "put", str(tmp_path / "none"), "lake/x", status=MISSING)
    cli("object", "put", str(tmp_path), "lake/x", status=USAGE)


def tree(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_objects_are_copied_up_down_and_within(cli, lake, tmp_path):
    body = os.urandom(70_000)
    (tmp_path / "file").write_bytes(body)
    key = "a b+c%20/ü/z~'\"&<>"
    cli("object", "cp", str(tmp_path / "file"), "s3://lake/" + key)
    cli("object", "cp", "s3://lake/" + key, "s3://lake/copy/")  # takes the last name
    assert lake.boto().get_object(Bucket="lake", Key="copy/" + key.rpartition("/")[2])["Body"].read() == body
    cli("object", "cp", "s3://lake/" + key, str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == body
    cli("object", "cp", str(tmp_path / "file"), "s3://lake")
    cli("object", "cp", "s3://lake/file", str(tmp_path / "new"))
    cli("object", "cp", "s3://lake/file", str(tmp_path) + "/")
    assert subprocess.run([BINARY, "object", "cat", "lake/" + key, "--data", str(lake.data)], env={**os.environ, **cli.environment}, capture_output=True).stdout == body
    assert "NoSuchKey" in cli("object", "cp", "s3://lake/none", str(tmp_path / "back"), status=MISSING)
    assert (tmp_path / "back").read_bytes() == body and not (tmp_path / "back.firn-part").exists()
    assert "NoSuchKey" in cli("object", "cat", "lake/none", status=MISSING)
    assert "neither" in cli("object", "cp", "a", "b", status=USAGE)
    assert "s3://lake" in cli("object", "cp", "s3://lake", str(tmp_path), status=USAGE)
    assert "No such file" in cli("object", "cp", str(tmp_path / "none"), "s3://lake/x", status=MISSING)
    assert "NoSuchBucket" in cli("object", "cp", str(tmp_path / "file"), "s3://none/x", status=MISSING)


def test_trees_are_copied_listed_and_removed(cli, lake, tmp_path):
    up, down = tmp_path / "up", tmp_path / "down"
    for name in ("a", "d/b c", "d/e/ü"):
        (up / name).parent.mkdir(parents=True, exist_ok=True)
        (up / name).write_bytes(os.urandom(1000))
    assert "3 copied" in cli("object", "cp", str(up) + "/", "s3://lake/t", "--recursive")
    lake.boto().put_object(Bucket="lake", Key="tt", Body=b"beside")
    assert [(r["key"], r.get("size")) for r in cli.json("object", "ls", "lake/t/")] == [("t/d/", None), ("t/a", 1000)]
    assert [r["key"] for r in cli.json("object", "ls", "s3://lake/t/", "--recursive")] == ["t/a", "t/d/b c", "t/d/e/ü"]
    assert cli("object", "ls", "lake").split()[:3] == ["MODIFIED", "SIZE", "KEY"]
    assert "3 copied" in cli("object", "cp", "s3://lake/t", "s3://lake/u/v", "--recursive")
    assert "3 copied" in cli("object", "cp", "s3://lake/u/v", str(down), "--recursive")
    assert tree(down) == tree(up)
    assert cli.json("bucket", "usage", "lake") == [{"name": "lake", "objects": 7, "bytes": 6006}]
    assert [b["name"] for b in cli.json("bucket", "usage")] == ["lake"]
    assert "--yes" in cli("object", "rm", "lake/t", "--recursive", status=USAGE)
    cli("object", "rm", "lake/t/a", "--yes")
    assert "2 objects" in cli("object", "rm", "lake/t/", "--recursive", "--yes")
    assert [r["key"] for r in cli.json("object", "ls", "lake", "--recursive")] == ["tt", "u/v/a", "u/v/d/b c", "u/v/d/e/ü"]
    assert "must be BUCKET/KEY" in cli("object", "rm", "lake", "--yes", status=USAGE)
    assert "NoSuchBucket" in cli("object", "ls", "none", status=MISSING)


@pytest.mark.parametrize("key", ["x/../../evil", "x//evil", "x/./evil"])
def test_a_key_cannot_leave_the_directory_it_is_copied_to(cli, lake, tmp_path, key):
    lake.boto().put_object(Bucket="lake", Key=key, Body=b"evil")
    assert "evil" in cli("object", "cp", "s3://lake/x", str(tmp_path / "in"), "--recursive", status=FAILED)
    assert not [name for name in tree(tmp_path) if "evil" in name]


def test_a_large_file_goes_in_parts_and_long_listings_come_whole(cli, lake, tmp_path):
    with open(tmp_path / "large", "wb") as file:
        for _ in range(130):
            file.write(os.urandom(1 << 20))
    cli("object", "put", str(tmp_path / "large"), "lake/large")
    head = lake.boto().head_object(Bucket="lake", Key="large")
    assert head["ContentLength"] == 130 << 20 and head["ETag"].endswith('-3"')
    cli("object", "cp", "s3://lake/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large").read_bytes()
    client = lake.boto()
    for i in range(1005):
        client.put_object(Bucket="lake", Key=f"many/{i:04}", Body=b"")
    assert len(cli.json("object", "ls", "lake/many/")) == 1005
    assert "1005 objects" in cli("object", "rm", "lake/many", "--recursive", "--yes")
    assert [r["key"] for r in cli.json("object", "ls", "lake")] == ["large"]


def test_namespaces_nest(cli):
    assert "does not exist" in cli("namespace", "create", "a.b", status=MISSING)
    for name in ("a", "a.b", "a.b.c", 'a."x.y"', "d"):
        cli("namespace", "create", name)
    assert "already exists" in cli("namespace", "create", "a", status=FAILED)
    assert cli("namespace", "list").split() == ["NAMESPACE", "a", "d"]
    assert [n["levels"] for n in cli.json("namespace", "list", "a")] == [["a", "b"], ["a", "x.y"]]
    assert cli("namespace", "list", "--all").split() == ["NAMESPACE", "a", "d", "a.b", 'a."x.y"', "a.b.c"]
    assert "not empty" in cli("namespace", "drop", "a", "--yes", status=FAILED)
    assert "--yes" in cli("namespace", "drop", "d", status=USAGE)
    cli("namespace", "drop", 'a."x.y"', "--yes")
    assert "does not exist" in cli("namespace", "drop", 'a."x.y"', "--yes", status=MISSING)


def test_long_listings_come_whole(cli, catalog):
    for i in range(1005):
        catalog.create_namespace(f"n{i:04}")
    assert [n["name"] for n in cli.json("namespace", "list")] == [f"n{i:04}" for i in range(1005)]


def test_the_sample_table_is_registered_and_shown(start_server):
    lake = start_server("--catalogs", "lakehouse")
    cli = Cli(lake)
    for file in SAMPLE.glob("orders/*/*"):
        cli("object", "put", str(file), f"lakehouse/sample/{file.relative_to(SAMPLE)}")
    (metadata,) = SAMPLE.glob("orders/metadata/00001-*.json")
    location = f"s3://lakehouse/sample/orders/metadata/{metadata.name}"
    cli("namespace", "create", "sample")
    cli("table", "register", "sample.orders", location)
    assert "already exists" in cli("table", "register", "sample.orders", location, status=FAILED)
    assert cli("table", "list").split() == ["TABLE", "sample.orders"]
    assert cli.json("table", "list", "sample") == [{"namespace": ["sample"], "name": "orders", "table": "sample.orders"}]
    shown = cli("table", "show", "sample.orders")
    assert "s3://lakehouse/sample/orders" in shown and "decimal(10, 2)" in shown
    assert ["rows", "20"] in [line.split() for line in shown.splitlines()]
    loaded = cli.json("table", "show", "sample.orders")
    assert loaded["metadata-location"] == location and "config" not in loaded and "storage-credentials" not in loaded
    assert "does not exist" in cli("table", "show", "sample.none", status=MISSING)
    assert "NAMESPACE.TABLE" in cli("table", "show", "orders", status=USAGE)


def make_table(catalog, appends):
    catalog.create_namespace("raw")
    rows = pyarrow.table({"id": [1, 2, 3]})
    table = catalog.create_table("raw.events", schema=rows.schema)
    for _ in range(appends):
        table.append(rows)
    return table


def test_snapshots_expire_by_age_and_number(cli, catalog):
    table = make_table(catalog, 6)
    ids = [s.snapshot_id for s in table.snapshots()]
    table.manage_snapshots().create_tag(ids[1], "kept").create_branch(ids[2], "other").commit()
    listed = cli.json("snapshot", "list", "raw.events")
    assert [(s["snapshot-id"], s["refs"]) for s in listed] == list(zip(ids, [[], ["kept"], ["other"], [], [], ["main"]]))
    assert [s["total-rows"] for s in listed] == ["3", "6", "9", "12", "15", "18"]

    assert "0 of 6 snapshots removed" in cli("snapshot", "expire", "raw.events", "--yes")  # five days are the default
    assert "--yes" in cli("snapshot", "expire", "raw.events", "--older-than", "0s", status=USAGE)
    would = cli.json("snapshot", "expire", "raw.events", "--older-than", "0s", "--keep", "2", "--dry-run")
    assert [s["snapshot-id"] for s in would] == [ids[0], ids[3]]  # each branch keeps two: 5 and 4, 2 and 1
    assert [s.snapshot_id for s in table.refresh().snapshots()] == ids

    assert "2 of 6 snapshots removed" in cli("snapshot", "expire", "raw.events", "--older-than", "0s", "--keep", "2", "--yes")
    left = table.refresh()
    assert [s.snapshot_id for s in left.snapshots()] == [ids[1], ids[2], ids[4], ids[5]]
    assert set(left.refs()) == {"main", "kept", "other"}
    assert left.scan().to_arrow().num_rows == 18
    assert left.scan(snapshot_id=ids[1]).to_arrow().num_rows == 6


def test_expiry_keeps_what_a_branch_asks_for(cli, catalog):
    table = make_table(catalog, 5)
    ids = [s.snapshot_id for s in table.snapshots()]
    table.manage_snapshots().create_branch(ids[3], "audit", min_snapshots_to_keep=3).commit()
    cli("snapshot", "expire", "raw.events", "--older-than", "0s", "--keep", "1", "--yes")
    assert [s.snapshot_id for s in table.refresh().snapshots()] == ids[1:]
    with table.transaction() as change:
        change.set_properties({"gc.enabled": "false"})
    assert "gc.enabled" in cli("snapshot", "expire", "raw.events", "--older-than", "0s", "--yes", status=FAILED)


def test_all_tables_of_a_namespace_or_the_catalog_expire(cli, catalog):
    make_table(catalog, 3)
    for name in ("raw.deep", "other"):
        catalog.create_namespace(name)
    rows = pyarrow.table({"id": [1]})
    for name, count in (("raw.deep.a", 2), ("other.b", 4)):
        table = catalog.create_table(name, schema=rows.schema)
        for _ in range(count):
            table.append(rows)
    with catalog.load_table("raw.deep.a").transaction() as change:
        change.set_properties({"gc.enabled": "false"})
    old = ("--older-than", "0s")
    assert "which table" in cli("snapshot", "expire", "--yes", status=USAGE)
    assert "--yes" in cli("snapshot", "expire", "--all", status=USAGE)
    done = run(["snapshot", "expire", "raw", "--all", *old, "--yes", "--json", "--data", str(cli.server.data)], cli.environment)
    assert done.returncode == FAILED and "some tables" in done.stderr  # one has gc.enabled=false; the other went on
    told = {row["name"]: row for row in json.loads(done.stdout)}
    assert len(told["events"]["snapshots"]) == 2 and "gc.enabled" in told["a"]["error"] and len(told) == 2
    assert "gc.enabled" in run(["snapshot", "expire", "raw", "--all", *old, "--yes", "--data", str(cli.server.data)], cli.environment).stdout
    assert len(catalog.load_table("other.b").snapshots()) == 4
    assert ["other.b", "3"] in [line.split()[:2] for line in cli("snapshot", "expire", "other", "--all", *old, "--dry-run").splitlines()]
    assert len(catalog.load_table("other.b").snapshots()) == 4
    assert [len(row["snapshots"]) for row in cli.json("snapshot", "expire", "other", "--all", *old, "--yes") if row["name"] == "b"] == [3]
    assert len(catalog.load_table("other.b").snapshots()) == 1
    assert "does not exist" in cli("snapshot", "expire", "none", "--all", "--yes", status=MISSING)


def test_properties_of_namespaces_are_shown_and_set(cli):
    cli("namespace", "create", "n")
    assert "2 set, 0 removed, 1 were not there" in cli("namespace", "set", "n", "owner=me", "note=a=b c", "gone-")
    assert cli.json("namespace", "show", "n")["properties"].items() >= {"owner": "me", "note": "a=b c"}.items()
    cli("namespace", "set", "n", "owner-")
    shown = cli("namespace", "show", "n")
    assert "a=b c" in shown and "owner" not in shown
    assert "'word'" in cli("namespace", "set", "n", "word", status=USAGE)
    assert "'=x'" in cli("namespace", "set", "n", "=x", status=USAGE)
    cli("namespace", "set", "n", status=USAGE)
    assert "does not exist" in cli("namespace", "show", "none", status=MISSING)


def test_the_tree_has_namespaces_tables_and_views(cli, catalog):
    make_table(catalog, 0)
    catalog.create_namespace("raw.deep")
    catalog.create_namespace("empty")
    catalog.create_table("raw.deep.t", schema=pyarrow.schema([("id", pyarrow.int64())]))
    assert cli("namespace", "tree").splitlines()[1:] == ["empty     namespace", "raw       namespace", "  events  table", "  deep    namespace", "    t     table"]
    assert [(row["name"], row["kind"]) for row in cli.json("namespace", "tree", "raw")] == [
        ("raw.events", "table"), ("raw.deep", "namespace"), ("raw.deep.t", "table")]
    assert [row["table"] for row in cli.json("table", "list", "raw", "--all")] == ["raw.events", "raw.deep.t"]
    assert "does not exist" in cli("namespace", "tree", "none", status=MISSING)


def test_refs_are_made_listed_and_dropped(cli, catalog):
    table = make_table(catalog, 2)
    first, second = [s.snapshot_id for s in table.snapshots()]
    cli("table", "tag", "raw.events", "v1", "--snapshot", str(first))
    cli("table", "branch", "raw.events", "work")
    assert {(r["name"], r["type"], r["snapshot-id"]) for r in cli.json("table", "refs", "raw.events")} == {
        ("main", "branch", second), ("v1", "tag", first), ("work", "branch", second)}
    assert "already" in cli("table", "tag", "raw.events", "v1", status=FAILED)
    assert "no snapshot 7" in cli("table", "tag", "raw.events", "x", "--snapshot", "7", status=MISSING)
    assert "'seven'" in cli("table", "tag", "raw.events", "x", "--snapshot", "seven", status=USAGE)
    assert "--yes" in cli("table", "drop-ref", "raw.events", "v1", status=USAGE)
    cli("table", "drop-ref", "raw.events", "v1", "--yes")
    assert "'v1'" in cli("table", "drop-ref", "raw.events", "v1", "--yes", status=MISSING)
    assert "main" in cli("table", "drop-ref", "raw.events", "main", "--yes", status=USAGE)
    assert set(table.refresh().refs()) == {"main", "work"}


def test_a_table_goes_back_to_an_older_snapshot(cli, catalog):
    table = make_table(catalog, 3)
    ids = [s.snapshot_id for s in table.snapshots()]
    assert "--yes" in cli("table", "rollback", "raw.events", str(ids[0]), status=USAGE)
    cli("table", "rollback", "raw.events", str(ids[0]), "--yes")
    assert table.refresh().scan().to_arrow().num_rows == 3
    assert "did not lead" in cli("table", "rollback", "raw.events", str(ids[2]), "--yes", status=FAILED)
    assert "no snapshot" in cli("table", "rollback", "raw.events", "7", "--yes", status=MISSING)
    assert "'x'" in cli("table", "rollback", "raw.events", "x", "--yes", status=USAGE)
    history = cli.json("table", "history", "raw.events")
    assert [(h["snapshot-id"], h["is-ancestor"]) for h in history] == [(ids[0], True), (ids[1], False), (ids[2], False), (ids[0], True)]
    assert cli("table", "snapshots", "raw.events") == cli("snapshot", "list", "raw.events")


def test_tables_are_renamed_and_dropped(cli, catalog, lake):
    table = make_table(catalog, 1)
    catalog.create_namespace("new")
    cli("table", "rename", "raw.events", "new.facts")
    assert cli("table", "list").split() == ["TABLE", "new.facts"]
    assert "does not exist" in cli("table", "rename", "raw.events", "new.other", status=MISSING)
    assert "NAMESPACE.TABLE" in cli("table", "rename", "new.facts", "facts", status=USAGE)
    assert "--yes" in cli("table", "drop", "new.facts", status=USAGE)
    assert "still there" in cli("table", "drop", "new.facts", "--yes")
    key = table.metadata_location.removeprefix("s3://lake/")
    assert lake.boto().head_object(Bucket="lake", Key=key)["ContentLength"]
    assert "does not exist" in cli("table", "drop", "new.facts", "--yes", status=MISSING)
    cli("table", "register", "raw.again", table.metadata_location)
    cli("table", "drop", "raw.again", "--purge", "--yes")
    assert cli.json("table", "list") == []


def test_views_are_listed_shown_and_dropped(cli, lake):
    cli("namespace", "create", "n")
    base = lake.catalog_url + "/api/catalog/v1"
    token = requests.post(base + "/oauth/tokens", data={"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1],
                                                        "scope": "PRINCIPAL_ROLE:ALL"}).json()["access_token"]
    said = {"type": "sql", "sql": "SELECT 1", "dialect": "spark"}
    version = {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["n"], "representations": [said]}
    schema = {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": False, "type": "int"}]}
    made = requests.post(base + "/lake/namespaces/n/views", headers={"Authorization": f"Bearer {token}"},
                         json={"name": "v", "schema": schema, "view-version": version, "properties": {}})
    assert made.status_code == 200, made.text
    assert [v["view"] for v in cli.json("view", "list", "n")] == ["n.v"]
    assert "spark: SELECT 1" in cli("view", "show", "n.v")
    assert cli.json("view", "show", "n.v")["metadata"]["current-version-id"] == 1
    cli("view", "drop", "n.v", status=USAGE)
    cli("view", "drop", "n.v", "--yes")
    assert "does not exist" in cli("view", "show", "n.v", status=MISSING)


@pytest.fixture
def managed(cli, lake):
    """The command line against a server that has the management API."""
    if requests.get(lake.catalog_url + "/api/management/v1/principals").status_code == 404:
        pytest.skip("the server has no management API")
    return cli


def test_principals_come_and_go(managed, lake):
    cli = managed
    made = cli.json("principal", "create", "ada")
    assert made["principal"] == "ada" and made["clientId"] and made["clientSecret"]
    assert "told this once" in cli("principal", "create", "carl")
    assert "already exists" in cli("principal", "create", "ada", status=FAILED)
    assert {"ada", "carl"} <= {p["name"] for p in cli.json("principal", "list")}
    assert made["clientSecret"] not in cli("principal", "show", "ada") and made["clientId"] in cli("principal", "show", "ada")
    ada = {"FIRN_ROOT_USER": made["clientId"], "FIRN_ROOT_PASSWORD": made["clientSecret"]}
    where = ["--data", str(lake.data)]
    assert run(["principal", "create", "eve", *where], ada).returncode == DENIED
    rotated = json.loads(run(["principal", "rotate", "ada", "--yes", "--json", *where], ada).stdout)
    assert rotated["clientSecret"] != made["clientSecret"]
    assert "--yes" in cli("principal", "reset", "ada", status=USAGE)
    reset = cli.json("principal", "reset", "ada", "--yes")
    assert run(["namespace", "list", "--catalog", "lake", *where], {"FIRN_ROOT_USER": made["clientId"], "FIRN_ROOT_PASSWORD": "x"}).returncode == DENIED
    assert reset["clientSecret"] not in (made["clientSecret"], rotated["clientSecret"])
    assert "--yes" in cli("principal", "delete", "carl", status=USAGE)
    cli("principal", "delete", "carl", "--yes")
    assert "carl" in cli("principal", "show", "carl", status=MISSING)


def test_a_grant_is_enough_to_read_and_a_revoke_ends_it(managed, lake, catalog):
    cli = managed
    make_table(catalog, 1)
    made = cli.json("principal", "create", "ada")
    ada = {"FIRN_ROOT_USER": made["clientId"], "FIRN_ROOT_PASSWORD": made["clientSecret"]}

    def show():
        return run(["table", "show", "raw.events", "--catalog", "lake", "--data", str(lake.data)], ada).returncode
    assert "analyst" in cli("grant", "select", "on", "table", "raw.events", "to", "analyst", status=MISSING)  # no such role, and nothing was made
    assert "analyst" not in [r["name"] for r in cli.json("catalog-role", "list")]
    cli("role", "create", "analyst")
    cli("role", "grant", "analyst", "ada")
    assert cli.json("principal", "show", "ada")["principal-roles"] == ["analyst"]
    assert show() in (DENIED, MISSING)
    for _ in range(2):  # what is done twice is done once
        assert "TABLE_READ_DATA on table raw.events" in cli("grant", "select", "on", "table", "raw.events", "to", "analyst")
    assert show() == DONE
    granted = cli.json("grant", "list", "analyst")
    assert {(g["privilege"], g["type"], g["object"]) for g in granted} == {("TABLE_READ_DATA", "table", "raw.events"), ("TABLE_LIST", "table", "raw.events")}
    assert "TABLE_READ_DATA" in cli("grant", "list") and "CATALOG_MANAGE_ACCESS" in cli("grant", "list")
    shown = cli.json("role", "show", "analyst", "--catalog", "lake")
    assert shown["principals"] == ["ada"] and shown["catalog-roles"] == ["analyst"]
    assert cli.json("catalog-role", "show", "analyst")["principal-roles"] == ["analyst"]
    cli("revoke", "select", "on", "table", "raw.events", "from", "analyst")
    assert show() in (DENIED, MISSING) and cli.json("grant", "list", "analyst") == []
    cli("grant", "select,create", "on", "namespace", "raw", "to", "analyst")
    assert show() == DONE
    cli("grant", "all", "on", "catalog", "lake", "to", "analyst")
    cli("catalog-role", "revoke", "analyst", "analyst")
    assert show() in (DENIED, MISSING)
    cli("catalog-role", "grant", "analyst", "analyst")
    cli("role", "revoke", "analyst", "ada")
    assert show() in (DENIED, MISSING)
    cli("catalog-role", "create", "spare")
    cli("catalog-role", "delete", "spare", "--yes")
    cli("role", "delete", "analyst", "--yes")
    assert "analyst" not in cli("role", "list")
    assert "none" in cli("grant", "list", "none", status=MISSING)


def test_catalogs_are_made_and_deleted(managed, lake):
    cli = managed
    cli("bucket", "create", "second")
    assert "s3://second/x" in cli("catalog", "create", "second", "--location", "s3://second/x")
    assert [c["name"] for c in cli.json("catalog", "list")] == ["lake", "second"]
    assert cli.json("catalog", "show", "second")["properties"]["default-base-location"] == "s3://second/x"
    assert "s3://second/x" in cli("catalog", "show", "second")
    assert "2 set, 0 removed" in cli("catalog", "set", "second", "firn.guard-live-files=true", "owner=me")
    cli("catalog", "set", "second", "owner-", "team=a=b")
    assert cli.json("catalog", "show", "second")["properties"] == {"default-base-location": "s3://second/x", "firn.guard-live-files": "true", "team": "a=b"}
    assert "firn.guard-live-files" in cli("catalog", "set", "second", "firn.guard-live-files=perhaps", status=FAILED)
    assert "KEY=VALUE" in cli("catalog", "set", "second", "team", status=USAGE)
    assert "file:///x" in cli("catalog", "create", "third", "--location", "file:///x", status=USAGE)
    cli("namespace", "create", "n", "--catalog", "second")
    cli("catalog", "delete", "second", "--yes", status=FAILED)
    cli("namespace", "drop", "n", "--catalog", "second", "--yes")
    cli("catalog", "delete", "second", "--yes")
    cli("catalog", "show", "second", status=MISSING)


def test_a_wrong_word_of_a_grant_is_named(cli):
    for words, said in ((["selct", "on", "table", "a.b", "to", "r"], "did you mean select"), (["select", "in", "table", "a.b", "to", "r"], "'in'"),
                        (["select", "on", "table", "a", "to", "r"], "'a' must be"), (["select", "on", "table"], "name of the table"),
                        (["TABLE_NONSENSE1", "on", "table", "a.b", "to", "r"], "TABLE_NONSENSE1")):
        assert said in cli("grant", *words, status=USAGE)


def test_maintenance_is_told_for_a_table_a_namespace_or_the_catalog(cli, catalog, lake):
    table = make_table(catalog, 2)
    location = table.location().removeprefix("s3://lake/")
    lake.boto().put_object(Bucket="lake", Key=location + "/data/nobody.parquet", Body=b"123")
    wait_for(lambda: [row["files"] for row in cli.json("maintenance", "orphans")] == [1], what="the table's files to be read")
    for words in ([], ["raw.events"], ["raw", "--all"]):
        assert [row["name"] for row in cli.json("maintenance", "status", *words)] == ["events"]
        assert [row["files"] for row in cli.json("maintenance", "orphans", *words)] == [1]
    assert cli("maintenance", "status").split()[:3] == ["TABLE", "COMPLETE", "FILES"] and "raw.events" in cli("maintenance", "orphans")
    assert "--yes" in cli("maintenance", "remove-orphans", "raw.events", status=USAGE)
    assert [row["removed-files"] for row in cli.json("maintenance", "remove-orphans", "raw.events", "--yes")] == [0]  # it is not a week old
    assert lake.boto().head_object(Bucket="lake", Key=location + "/data/nobody.parquet")["ContentLength"] == 3
    assert "does not exist" in cli("maintenance", "status", "raw.none", status=MISSING)


def test_the_audit_log_is_asked_by_filters(managed):
    cli = managed
    for name in ("ada", "carl", "eve"):
        cli("principal", "create", name)
    made = cli.json("audit", "--operation", "CreatePrincipal")
    assert [e["object"].rpartition("/")[2].rpartition(":")[2] for e in made] == ["eve", "carl", "ada"] and {e["principal"] for e in made} == {"root"}
    assert len(cli.json("audit", "--operation", "CreatePrincipal", "--limit", "2")) == 2
    assert len(cli.json("audit", "--operation", "CreatePrincipal", "--from", "1h")) == 3
    assert cli.json("audit", "--to", "2020-01-01T00:00:00Z") == []
    assert cli.json("audit", "--principal", "nobody") == []
    assert cli("audit").split()[:3] == ["TIME", "PRINCIPAL", "OPERATION"]
    assert "'soon'" in cli("audit", "--from", "soon", status=USAGE)


def test_the_doctor_finds_what_is_wrong(cli, lake):
    told = {(row["check"], row["state"]) for row in cli.json("doctor")}
    assert {("s3", "ok"), ("catalog API", "ok"), ("credential", "ok"), ("s3 credential", "ok"), ("status", "ok"), ("writes", "ok"), ("catalog", "ok")} <= told
    assert not [check for check, state in told if state == "FAIL"]
    cli.environment["FIRN_ROOT_PASSWORD"] = "wrong"
    done = run(["doctor", "--data", str(lake.data)], cli.environment)
    assert done.returncode == DENIED and "FAIL" in done.stdout and "credential" in done.stderr
    done = run(["doctor", "--endpoint", "http://127.0.0.1:1", "--json"], cli.environment)
    assert done.returncode == UNREACHABLE
    assert [(row["check"], row["state"]) for row in json.loads(done.stdout)] == [("s3", "FAIL"), ("catalog API", "FAIL"), ("credential", "ok")]
    assert run(["doctor", "--data", str(lake.data)]).returncode == USAGE  # no credential at all


def test_the_doctor_tries_the_address_that_clients_are_told(start_server):
    server = start_server("--catalogs", "lake", "--s3-endpoint-map", "127.0.0.1=http://127.0.0.1:1")
    cli = Cli(server)
    assert [row["state"] for row in cli.json("doctor") if row["check"] == "files"] == ["ok"]  # nothing to ask yet
    catalog = load_catalog("lake", type="rest", uri=server.catalog_url + "/api/catalog", warehouse="lake", credential=":".join(ROOT),
                           **{"oauth2-server-uri": server.catalog_url + "/api/catalog/v1/oauth/tokens"})
    catalog.create_namespace("raw")
    catalog.create_namespace(("raw", "a.b"))
    catalog.create_table(("raw", "a.b", "t"), schema=pyarrow.schema([("id", pyarrow.int64())]))
    done = run(["doctor", "--data", str(server.data), "--json"], cli.environment)
    assert done.returncode == UNREACHABLE
    told = {row["check"]: row for row in json.loads(done.stdout)}
    assert told["files"]["state"] == "FAIL" and "http://127.0.0.1:1" in told["files"]["what"] and "s3-endpoint-map" in told["files"]["what"]
    assert [check for check, row in told.items() if row["state"] == "FAIL"] == ["files"]
    by_name = server.catalog_url.replace("127.0.0.1", "localhost")  # not in the map: told what is derived from it
    told = {row["check"]: row for row in cli.json("doctor", "--catalog-endpoint", by_name)}
    assert told["files"]["state"] == "ok" and "http://localhost:" in told["files"]["what"]


def test_health_needs_no_credential(lake):
    done = run(["health", "--data", str(lake.data), "--json"])
    assert done.returncode == DONE
    assert [(h["api"], h["endpoint"], h["ready"]) for h in json.loads(done.stdout)] == [("s3", lake.url, True), ("catalog", lake.catalog_url, True)]
    assert run(["health", "--endpoint", lake.url]).returncode == DONE
    assert run(["health"], {"FIRN_ENDPOINT": lake.url}).returncode == DONE


def test_status_says_where_the_data_is(cli, lake):
    shown = cli("status")
    assert str(lake.data) in shown and "last checkpoint" in shown and "disk free" in shown
    told = cli.json("status")
    assert told["data"] == str(lake.data) and told["writable"] is True and told["disk"]["free_bytes"] > 0


def test_a_wrong_credential_is_told(cli, lake):
    cli.environment["FIRN_ROOT_PASSWORD"] = "not-this-one"
    assert "credential" in cli("bucket", "list", status=DENIED)
    assert "credential" in cli("table", "list", status=DENIED)
    assert "credential" in cli("status", status=DENIED)
    assert "not-this-one" not in run(["bucket", "list", "--data", str(lake.data)], cli.environment).stderr
    cli.environment = {}
    assert "FIRN_ROOT_USER" in cli("bucket", "list", status=USAGE)


def test_the_credential_that_the_server_made_is_found(start_server, tmp_path):
    lake = start_server("--catalogs", "lake", environment={"FIRN_ROOT_USER": "", "FIRN_ROOT_PASSWORD": ""})
    assert run(["bucket", "list", "--data", str(lake.data)]).returncode == DONE
    assert run(["status"], {"FIRN_DATA": str(lake.data)}).returncode == DONE


def test_which_catalog(start_server):
    lake = start_server("--catalogs", "one,two")
    cli = Cli(lake)
    assert "--catalog" in cli("namespace", "list", status=USAGE)
    cli("namespace", "create", "n", "--catalog", "two")
    assert cli("namespace", "list", "--catalog", "one").split() == ["NAMESPACE"]
    assert cli("namespace", "list", "--catalog", "two").split() == ["NAMESPACE", "n"]
    cli.environment["FIRN_CATALOG"] = "two"
    assert cli("namespace", "list").split() == ["NAMESPACE", "n"]
    assert "three" in cli("namespace", "list", "--catalog", "three", status=MISSING)


def test_a_server_that_is_gone_is_unreachable(cli, lake):
    endpoint = lake.url
    lake.stop()
    assert "no server runs" in cli("bucket", "list", status=UNREACHABLE)
    done = run(["bucket", "list", "--endpoint", endpoint], cli.environment)
    assert done.returncode == UNREACHABLE and endpoint in done.stderr
    assert run(["health", "--endpoint", endpoint]).returncode == UNREACHABLE


def test_a_profile_says_where_and_who(lake, tmp_path):
    path = tmp_path / "profiles"
    path.write_text(f"[lab]\ns3-endpoint = {lake.url}\ncatalog-endpoint = {lake.catalog_url}\ncatalog = lake\n"
                    f"access-key = {ROOT[0]}\nsecret-key = {ROOT[1]}\n[wrong]\nendpoint = {lake.url}\naccess-key = x\nsecret-key = y\n")
    path.chmod(0o600)
    named = {"FIRN_PROFILES": str(path)}
    assert "lake" in run(["bucket", "list", "--profile", "lab"], named).stdout
    assert run(["namespace", "list"], {**named, "FIRN_PROFILE": "lab"}).returncode == DONE
    assert run(["bucket", "list", "--profile", "wrong"], named).returncode == DENIED
    root = {"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1]}
    assert run(["bucket", "list"], {**named, **root, "FIRN_PROFILE": "wrong"}).returncode == DONE  # the environment is stronger
    assert run(["bucket", "list", "--profile", "wrong"], {**named, **root}).returncode == DENIED  # than a profile nobody asked for
    for words, environment, said in ((["--profile", "none"], named, "[none]"), ([], named, "[default]"), ([], {"FIRN_PROFILES": "/nonexistent/x"}, "/nonexistent/x")):
        done = run(["bucket", "list", *words], environment)
        assert done.returncode == USAGE and said in done.stderr
    path.chmod(0o640)
    done = run(["bucket", "list", "--profile", "lab"], named)
    assert done.returncode == USAGE and "chmod 600" in done.stderr and ROOT[1] not in done.stderr
    aws = {"AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1]}
    assert run(["bucket", "list", "--endpoint", lake.url], aws).returncode == DONE


def test_a_mistyped_word_is_answered_with_the_near_one():
    for words, near in ((["bukcet"], "bucket"), (["bucket", "lsit"], "list"), (["bucket", "list", "--jsno"], "--json"), (["sevre"], "serve")):
        done = run(words)
        assert done.returncode == USAGE and f"did you mean" in done.stderr and near in done.stderr


def complete(words):
    script = ('source <("$FIRN" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _firn; printf "%s\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", script, "bash", *words], env={"FIRN": BINARY, "PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.split()


def test_bash_completes_nouns_verbs_and_flags():
    assert complete(["firn", "buc"]) == ["bucket"]
    assert complete(["firn", "bucket", ""]) == run_verbs("bucket")
    assert complete(["firn", "snapshot", "expire", "--o"]) == ["--older-than"]
    assert complete(["firn", "health", "--s"]) == ["--s3-endpoint"]
    assert {"serve", "config", "help"} <= set(complete(["firn", ""]))
    assert run(["completion", "fish"]).returncode == USAGE and "fish" in run(["completion", "fish"]).stderr


def run_verbs(noun):
    return [line.split()[2] for line in run([noun, "--help"]).stdout.splitlines() if line.startswith(f"  firn {noun} ")]


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_takes_its_script(tmp_path):
    (tmp_path / "_firn").write_text(run(["completion", "zsh"]).stdout)
    assert subprocess.run(["zsh", "-n", str(tmp_path / "_firn")]).returncode == 0


@pytest.mark.skipif(not shutil.which("groff"), reason="there is no groff")
def test_the_manual_page_is_good_roff():
    page = run(["man"]).stdout
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert all(f".SH {title}" in page for title in ("VERBS", "FLAGS", "EXIT STATUS"))


def test_every_verb_has_help():
    verbs = [line.split()[1:3] for line in run(["help"]).stdout.splitlines() if line.startswith("  firn ")]
    assert ["snapshot", "expire"] in verbs and len(verbs) > 14
    verbs = [v for v in verbs if v[0] not in ("serve", "config", "version", "help")]  # the server's own
    for noun in ("bucket", "object", "namespace", "table", "snapshot"):
        assert noun in run([noun, "--help"]).stdout
        for verb in (v for n, v in verbs if n == noun):
            done = run([noun, verb, "--help"])
            assert done.returncode == DONE and ("--json" in done.stdout or verb == "cat")
    for verb in ("health", "status"):
        assert "--data" in run([verb, "--help"]).stdout
