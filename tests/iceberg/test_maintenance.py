"""What becomes of a table's files: PyIceberg writes, deletes, overwrites and expires; the server takes away what nothing needs any more, and nothing else."""
import concurrent.futures
import os
import subprocess
import uuid

import pytest

from firn_server import BINARY, wait_for
from iceberg_helpers import OUTSIDER, READER, Rest, open_catalog
from table_files import expire_all_but_refs, files_in_store, files_needed, rows

QUICK = ("--maintenance-interval", "1", "--expire-grace", "0")


@pytest.fixture(scope="module")
def quick(server_factory):
    """A server whose maintenance has no patience."""
    return server_factory(*QUICK, environment={"FIRN_CATALOGS": "lakehouse"})


@pytest.fixture
def tables(quick):
    """Make a table of a schema of two columns, with some properties, in a namespace of its own."""
    catalog = open_catalog(quick)
    namespace = "n_" + uuid.uuid4().hex[:12]
    catalog.create_namespace(namespace)

    def make(name="t", **properties):
        return catalog.create_table((namespace, name), schema=rows(0).schema, properties=properties)

    return make


@pytest.fixture
def own(quick):
    return Own(quick)


class Own:
    """What Firn itself offers of a catalog."""

    def __init__(self, server, credential=None):
        self.rest = Rest(server.catalog_url, *([credential] if credential else []))

    def call(self, method, noun, catalog="lakehouse", **options):
        return self.rest.raw(method, f"/api/firn/v1/catalogs/{catalog}/maintenance/{noun}", **options)

    def of(self, table, method, noun, **body):
        namespace, name = table.name()[:-1], table.name()[-1]
        if method == "GET":
            answer = self.call("GET", noun, params={"namespace": "\x1f".join(namespace), "table": name, **body})
        else:
            answer = self.call("POST", noun, json={"namespace": list(namespace), "table": name, **body})
        assert answer.status_code == 200, answer.text
        (row,) = answer.json()["tables"]
        return row

    def status(self, table):
        return self.of(table, "GET", "status")


def contents(files):
    """Without the metadata files: those are each table's own decision."""
    return {f for f in files if not f.endswith(".metadata.json")}


def settled(own, server, table):
    """Wait until the references are whole and nothing waits in the queue."""
    def done():
        status = own.status(table)
        return status["complete"] and status["queued-files"] == 0
    wait_for(done, what=f"the files of {table.name()}: {own.status(table)}")
    return files_in_store(server, table.location())


def test_files_go_after_an_expiry_and_what_is_kept_still_reads(quick, own, tables):
    table = tables()
    for i in range(4):
        table.append(rows(i * 10))
    table.overwrite(rows(100))
    table.delete("id = 101")
    tagged = table.snapshots()[2].snapshot_id
    table.manage_snapshots().create_tag(tagged, "kept").commit()
    before = files_in_store(quick, table.location())
    table = expire_all_but_refs(table)
    assert {s.snapshot_id for s in table.snapshots()} == {tagged, table.current_snapshot().snapshot_id}
    left = settled(own, quick, table)
    assert contents(left) < contents(before) and contents(left) == contents(files_needed(table))
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [100, 102]
    assert table.scan(snapshot_id=tagged).to_arrow().num_rows == 9


def test_old_metadata_files_go_only_when_the_table_asks_for_it(quick, own, tables):
    kept = tables("kept", **{"write.metadata.previous-versions-max": "2"})
    asked = tables("asked", **{"write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "true"})
    for table in (kept, asked):
        for i in range(6):
            table.append(rows(i))
    assert len([f for f in settled(own, quick, kept) if f.endswith(".metadata.json")]) == 7
    assert settled(own, quick, asked) == files_needed(asked.refresh())


def test_gc_enabled_false_keeps_everything(quick, own, tables):
    table = tables(**{"gc.enabled": "false"})
    for i in range(3):
        table.append(rows(i))
    before = files_in_store(quick, table.location())
    table = expire_all_but_refs(table)
    wait_for(lambda: own.status(table)["queued-files"] == 2, what="two lists to be queued")
    answer = own.call("POST", "expire", json={"namespace": list(table.name()[:-1]), "table": "t", "older-than-ms": 0})
    assert answer.status_code == 400 and "gc.enabled" in answer.json()["error"]["message"]
    # The same table, allowed: everything that is not needed goes. So what was there until then was there because of the property.
    assert before <= files_in_store(quick, table.location())
    with table.transaction() as change:
        change.set_properties({"gc.enabled": "true"})
    assert contents(settled(own, quick, table)) == contents(files_needed(table))


def test_a_dry_run_says_what_then_goes(quick, own, tables):
    table = tables(**{"firn.expire-grace-ms": "0"})
    for i in range(4):
        table.append(rows(i))
    table.overwrite(rows(50))
    before = files_in_store(quick, table.location())
    would = own.of(table, "POST", "expire", **{"older-than-ms": 0, "keep": 1, "dry-run": True})
    assert len(would["snapshots"]) == len(table.snapshots()) - 1 and would["file-count"] == len(would["paths"])
    assert would["byte-count"] == sum(kind["bytes"] for kind in would["files"].values())
    assert files_in_store(quick, table.location()) == before and len(table.refresh().snapshots()) > 1
    done = own.of(table, "POST", "expire", **{"older-than-ms": 0, "keep": 1})
    assert {k: v for k, v in done.items() if k != "dry-run"} == would
    left = settled(own, quick, table)
    assert contents(before - left) == set(would["paths"])
    assert own.status(table)["expired-snapshots"] == len(would["snapshots"])
    assert table.refresh().scan().to_arrow().num_rows == 3


def test_snapshots_expire_by_properties_on_a_schedule(quick, own, tables):
    kept, asked = tables("kept"), tables("asked", **{"history.expire.max-snapshot-age-ms": "1", "history.expire.min-snapshots-to-keep": "2"})
    for table in (kept, asked):
        for i in range(5):
            table.append(rows(i))
    wait_for(lambda: len(asked.refresh().snapshots()) == 2, what="the expiry")
    assert asked.scan().to_arrow().num_rows == 15
    left = settled(own, quick, asked)
    assert contents(left) == contents(files_needed(asked))
    assert len(kept.refresh().snapshots()) == 5


def test_a_list_that_cannot_be_read_stops_deletion_until_nothing_needs_it(quick, own, tables):
    """Its place is empty when it is committed; a snapshot that expires meanwhile takes no file with it, until the unreadable one has gone too."""
    table = tables()
    rest, path = Rest(quick.catalog_url), f"/namespaces/{table.name()[0]}/tables/t"
    for i in range(2):
        table.append(rows(i))
    before = files_in_store(quick, table.location())
    rest.commit(path, {"action": "add-snapshot", "snapshot": {
        "snapshot-id": 7, "sequence-number": 3, "timestamp-ms": 1_700_000_000_000, "schema-id": 0, "manifest-list": f"{table.location()}/metadata/none.avro",
        "summary": {"operation": "append"}}}, {"action": "set-snapshot-ref", "ref-name": "broken", "type": "tag", "snapshot-id": 7})
    wait_for(lambda: "none.avro" in own.status(table).get("why", ""), what="the report")
    table = expire_all_but_refs(table)
    wait_for(lambda: own.status(table)["queued-files"] == 1, what="the list of the snapshot that went")
    assert own.status(table)["complete"] is False and before <= files_in_store(quick, table.location())
    orphans = {}
    wait_for(lambda: orphans.update(own.of(table, "GET", "orphans")) or "cannot be read" in orphans["why"], what="the last commit to be worked in")
    assert orphans["removable-files"] == 0
    assert own.of(table, "POST", "expire", **{"older-than-ms": 0, "dry-run": True})["snapshots"] == []
    table.manage_snapshots().remove_tag("broken").commit()
    table = expire_all_but_refs(table)
    assert contents(settled(own, quick, table)) == contents(files_needed(table))


def test_orphans_are_reported_and_not_removed_young(quick, own, tables):
    table = tables()
    table.append(rows(1))
    settled(own, quick, table)
    bucket, prefix = table.location().removeprefix("s3://").split("/", 1)
    quick.boto().put_object(Bucket=bucket, Key=f"{prefix}/data/lost.parquet", Body=b"x" * 100)
    told = own.of(table, "GET", "orphans")
    assert [(o["path"], o["bytes"], o["removable"]) for o in told["paths"]] == [(f"{table.location()}/data/lost.parquet", 100, False)]
    assert own.of(table, "POST", "orphans", **{"older-than-ms": 0})["removed-files"] == 0
    assert f"{table.location()}/data/lost.parquet" in files_in_store(quick, table.location())


def test_expiry_never_makes_a_writers_commit_fail(quick, own, tables):
    """Two writers append without a pause, each to a table of its own, while snapshots expire by properties and by hand."""
    made = [tables(name, **{"history.expire.max-snapshot-age-ms": "1", "firn.expire-grace-ms": "0"}) for name in "ab"]

    def write(table):
        for i in range(40):
            table.append(rows(i, 1))  # raises when the commit is refused

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, table) for table in made]
        asked = 0
        while not all(w.done() for w in writers):
            for table in made:
                answer = own.call("POST", "expire", json={"namespace": list(table.name()[:-1]), "table": table.name()[-1], "older-than-ms": 0, "keep": 1})
                assert answer.status_code in (200, 409), answer.text  # 409: it was the expiry that gave way
                asked += 1
        for w in writers:
            w.result()
    assert asked > 2
    for table in made:
        assert table.refresh().scan().to_arrow().num_rows == 40
        wait_for(lambda: len(table.refresh().snapshots()) == 1, what="the last expiry")
        assert contents(settled(own, quick, table)) == contents(files_needed(table))


def test_maintenance_by_hand_needs_the_right_to_write(quick, own, tables):
    table = tables()
    where = {"namespace": list(table.name()[:-1]), "table": "t"}
    assert Own(quick, READER).call("POST", "expire", json=where).status_code == 403
    assert Own(quick, OUTSIDER).call("POST", "expire", json=where).status_code == 404
    own.rest.session.headers.pop("Authorization")
    assert own.call("POST", "expire", json=where).status_code == 401


@pytest.mark.parametrize("method, noun, options, status, text", [
    ("POST", "expire", {"data": "{"}, 400, ""),
    ("POST", "expire", {"json": {"tabel": "t"}}, 400, "unknown field 'tabel'"),
    ("POST", "expire", {"json": {"table": "t"}}, 400, "needs field 'namespace'"),
    ("POST", "expire", {"json": {"keep": -2}}, 400, "'keep'"),
    ("POST", "expire", {"json": {"namespace": ["none"], "table": "t"}}, 404, "does not exist"),
    ("GET", "expire", {}, 405, "method"),
    ("GET", "nothing", {}, 404, "nothing"),
    ("GET", "orphans", {"params": {"older-than-ms": "soon"}}, 400, "'older-than-ms'"),
])
def test_wrong_requests_are_told(own, method, noun, options, status, text):
    answer = own.call(method, noun, **options)
    assert answer.status_code == status and text in answer.json()["error"]["message"], answer.text


def test_a_whole_namespace_at_once(quick, own, tables):
    made = [tables(name) for name in ("a", "b")]
    for table in made:
        for i in range(3):
            table.append(rows(i))
    answer = own.call("POST", "expire", json={"namespace": [made[0].name()[0]], "older-than-ms": 0, "keep": 1}).json()
    assert [(t["name"], len(t["snapshots"])) for t in answer["tables"]] == [("a", 2), ("b", 2)] and answer["more"] is False
    assert [len(t.refresh().snapshots()) for t in made] == [1, 1]
    assert own.call("POST", "expire", catalog="nowhere", json={}).status_code == 404


def test_a_wrong_word_stops_the_start_before_anything_is_made(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIRN_")}
    done = subprocess.run([BINARY, "serve", "--data", str(tmp_path / "data"), "--expire-snapshots", "sometimes"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0 and "'expire-snapshots'" in done.stderr and "'sometimes'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_namespace_says_whether_its_snapshots_expire(quick, own, tables):
    table = tables()
    for i in range(3):
        table.append(rows(i))
    snapshots = len(table.snapshots())
    open_catalog(quick).update_namespace_properties(table.name()[:-1], updates={"firn.expire-snapshots": "off"})
    with table.transaction() as change:
        change.set_properties({"history.expire.max-snapshot-age-ms": "1"})
    other = tables("other", **{"history.expire.max-snapshot-age-ms": "1"})
    open_catalog(quick).create_namespace((*table.name()[:-1], "inner"), properties={"firn.expire-snapshots": "properties"})
    inner = open_catalog(quick).create_table((*table.name()[:-1], "inner", "t"), schema=rows(0).schema, properties={"history.expire.max-snapshot-age-ms": "1"})
    for i in range(3):
        inner.append(rows(i))
        other.append(rows(i))
    wait_for(lambda: len(inner.refresh().snapshots()) == 1, what="the inner namespace's table")
    assert len(table.refresh().snapshots()) == snapshots and len(other.refresh().snapshots()) == 3
