"""What becomes of the files of tables that lie at another S3 endpoint: PyIceberg writes and expires, the catalog's server deletes there what nothing needs any more, and nothing else."""
import signal

import pytest

from firn_server import ROOT, wait_for
from iceberg_helpers import Rest
from manage_helpers import Admin
from table_files import expire_all_but_refs, files_in_store, files_needed, rows
from test_external import KEYS, check_store, open_external, py_catalog

QUICK = ("--maintenance-interval", "1", "--expire-grace", "0")
RARE = ("--maintenance-interval", "3600", "--expire-grace", "0")
CLIENT = {"s3.access-key-id": ROOT[0], "s3.secret-access-key": ROOT[1]}


@pytest.fixture(scope="module")
def far(server_factory):
    return server_factory(environment={"FIRN_BUCKETS": "far"})


@pytest.fixture(scope="module")
def quick(server_factory):
    """The catalog's server, whose maintenance has no patience."""
    return server_factory(*QUICK, environment={**KEYS, "FIRN_EXTERNAL_TIMEOUT": "5", "FIRN_CATALOGS": "own"})


class Elsewhere:
    """A catalog whose files are at `far`, and what Firn says of it."""

    def __init__(self, server, far):
        self.server, self.far = server, far
        self.prefix = open_external(server, far.url).prefix

    @property
    def rest(self):
        return Rest(self.server.catalog_url, prefix=self.prefix)

    def make(self, name="t", **properties):
        return py_catalog(self.server, self.rest, **CLIENT).create_table(("n", name), rows(0).schema, properties=properties)

    def load(self, name="t"):
        return py_catalog(self.server, self.rest, **CLIENT).load_table(("n", name))

    def call(self, method, noun, **options):
        return self.rest.raw(method, f"/api/firn/v1/catalogs/{self.prefix}/maintenance/{noun}", **options)

    def of(self, method, noun, name="t", **body):
        of = {"params": {"namespace": "n", "table": name, **body}} if method == "GET" else {"json": {"namespace": ["n"], "table": name, **body}}
        answer = self.call(method, noun, **of)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self, name="t"):
        return self.of("GET", "status", name)["tables"][0]

    def files(self, table):
        return {f for f in files_in_store(self.far, table.location()) if not f.endswith(".metadata.json")}

    def settled(self, table, name="t"):
        def done():
            status = self.status(name)
            return status["complete"] and status["queued-files"] == 0
        wait_for(done, what=f"the files of {name}: {self.status(name)}")
        return self.files(table)

    def move_endpoint(self, url):
        admin = Admin(self.rest)
        shown = admin.ok("GET", f"/catalogs/{self.prefix}")
        admin.ok("PUT", f"/catalogs/{self.prefix}", json={"currentEntityVersion": shown["entityVersion"], "properties": shown["properties"],
                                                          "storageConfigInfo": {**shown["storageConfigInfo"], "endpoint": url}})


@pytest.fixture
def elsewhere(quick, far):
    return Elsewhere(quick, far)


def needed(table):
    return {f for f in files_needed(table) if not f.endswith(".metadata.json")}


def written(elsewhere, name="t", appends=4, **properties):
    """A table with some snapshots of which a tag keeps one."""
    table = elsewhere.make(name, **properties)
    for i in range(appends):
        table.append(rows(i * 10))
    table.overwrite(rows(100))
    table.delete("id = 101")
    table.manage_snapshots().create_tag(table.snapshots()[2].snapshot_id, "kept").commit()
    return table


def test_files_go_after_an_expiry_and_what_is_kept_still_reads(elsewhere):
    table = written(elsewhere)
    wait_for(lambda: elsewhere.status()["complete"], what="its files to be known")
    before = elsewhere.files(table)
    assert elsewhere.status()["live-files"] == len(files_needed(table)) and elsewhere.status()["external"]
    would = elsewhere.of("POST", "expire", **{"older-than-ms": 0, "keep": 1, "dry-run": True})["tables"][0]
    assert would["file-count"] == len(would["paths"]) and set(would["paths"]) < before
    table = expire_all_but_refs(table)
    left = elsewhere.settled(table)
    assert left < before and left == needed(table) and before - left == set(would["paths"])
    assert sorted(table.scan().to_arrow()["id"].to_pylist()) == [100, 102]
    assert table.scan(snapshot_id=table.metadata.refs["kept"].snapshot_id).to_arrow().num_rows == 9


def test_the_server_expires_by_hand_and_by_properties(elsewhere):
    table = written(elsewhere)
    elsewhere.of("POST", "expire", **{"older-than-ms": 0, "keep": 1})
    assert elsewhere.settled(table) == needed(table.refresh()) and len(table.snapshots()) == 2
    other = written(elsewhere, "u")
    with other.transaction() as change:
        change.set_properties({"history.expire.max-snapshot-age-ms": "1"})
    wait_for(lambda: len(other.refresh().snapshots()) == 2, what="an expiry by properties")
    assert elsewhere.settled(other, "u") == needed(other.refresh())


def test_files_are_told_of(elsewhere):
    table = written(elsewhere)
    told = elsewhere.of("GET", "files", summary="true")
    assert told["complete"] and told["summary"]["live"]["files"] == len(told["files"])
    data = {f["path"] for f in told["files"] if f["kind"] == "data"}
    assert data == {task.file.file_path for task in table.scan().plan_files()}
    assert all(f["bytes"] > 0 for f in told["files"] if f["kind"] != "metadata")
    every = {f["path"] for f in elsewhere.of("GET", "files", all="true")["files"]}
    assert every == files_needed(table)


def test_old_metadata_files_go_only_when_the_table_asks_for_it(elsewhere):
    kept = elsewhere.make("kept", **{"write.metadata.previous-versions-max": "2"})
    asked = elsewhere.make("asked", **{"write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "true"})
    for table in (kept, asked):
        for i in range(6):
            table.append(rows(i))
    elsewhere.settled(kept, "kept")
    assert len([f for f in files_in_store(elsewhere.far, kept.location()) if f.endswith(".metadata.json")]) == 7
    elsewhere.settled(asked, "asked")
    assert files_in_store(elsewhere.far, asked.location()) == files_needed(asked.refresh())


def test_gc_enabled_false_keeps_everything(elsewhere):
    table = written(elsewhere, **{"gc.enabled": "false"})
    before = elsewhere.files(table)
    table = expire_all_but_refs(table)
    wait_for(lambda: elsewhere.status()["complete"] and elsewhere.status()["queued-files"] > 0, what="files to be queued")
    assert elsewhere.files(table) == before
    with table.transaction() as change:
        change.set_properties({"gc.enabled": "true"})
    assert elsewhere.settled(table) == needed(table.refresh())


def test_orphans_are_told_and_young_ones_stay(elsewhere):
    table = written(elsewhere)
    wait_for(lambda: elsewhere.status()["complete"], what="its files to be known")
    bucket, prefix = table.location().removeprefix("s3://").split("/", 1)
    elsewhere.far.boto().put_object(Bucket=bucket, Key=prefix + "/data/left & behind", Body=b"12345")
    elsewhere.far.boto().put_object(Bucket=bucket, Key=prefix + "-other/data/f", Body=b"not its own")
    (found,) = elsewhere.of("GET", "orphans")["tables"]
    assert [p["path"] for p in found["paths"]] == [table.location() + "/data/left & behind"] and found["bytes"] == 5
    assert found["removable-files"] == 0
    (removed,) = elsewhere.of("POST", "orphans", **{"older-than-ms": 0, "dry-run": False})["tables"]
    assert removed["removed-files"] == 0  # a week, at the least
    assert table.location() + "/data/left & behind" in elsewhere.files(table)


def test_a_purge_takes_the_files_and_survives_a_kill(start_server, far):
    server = start_server(*QUICK, environment=KEYS)
    elsewhere = Elsewhere(server, far)
    table, other = written(elsewhere), written(elsewhere, "other")
    kept = elsewhere.files(other)
    elsewhere.rest.ok("DELETE", "/namespaces/n/tables/t?purgeRequested=true")
    server.restart(signal.SIGKILL)
    wait_for(lambda: not files_in_store(far, table.location()), what="the purge")
    assert elsewhere.files(other) == kept and elsewhere.load("other").scan().to_arrow().num_rows == 2


def test_an_endpoint_that_is_down_holds_up_nobody_else(start_server, tmp_path):
    """Its table says so, its queue waits, and a table that lies here is looked after meanwhile."""
    far = start_server(environment={"FIRN_BUCKETS": "far"})
    server = start_server(*RARE, environment={**KEYS, "FIRN_EXTERNAL_TIMEOUT": "2", "FIRN_CATALOGS": "own"})
    elsewhere = Elsewhere(server, far)
    table = expire_all_but_refs(written(elsewhere))
    wait_for(lambda: elsewhere.status()["complete"] and elsewhere.status()["queued-files"] > 0, what="files to be queued")
    before = elsewhere.files(table)
    far.stop(signal.SIGKILL)
    server.arguments = list(QUICK)
    server.restart()
    wait_for(lambda: elsewhere.status()["endpoint-rests"], what="the endpoint to be left alone")
    own = py_catalog(server, Rest(server.catalog_url, prefix="own"))
    own.create_namespace("n")
    mine = own.create_table("n.t", rows(0).schema)
    for i in range(3):
        mine.append(rows(i))
    mine = expire_all_but_refs(mine)
    wait_for(lambda: files_in_store(server, mine.location()) == files_needed(mine) | {f for f in files_in_store(server, mine.location()) if f.endswith(".metadata.json")}, what="our own table's files")
    assert elsewhere.status()["queued-files"] > 0
    far.start()
    elsewhere.move_endpoint(far.url)
    elsewhere.far = far
    table = elsewhere.load()
    assert elsewhere.settled(table) == needed(table) < before


def test_a_server_that_is_killed_while_it_deletes_deletes_no_more_and_no_less(start_server, far):
    server = start_server(*RARE, environment=KEYS)
    elsewhere = Elsewhere(server, far)
    table = written(elsewhere, appends=30)
    table = expire_all_but_refs(table)
    wait_for(lambda: elsewhere.status()["complete"] and elsewhere.status()["queued-files"] > 60, what="files to be queued")
    server.arguments = [*QUICK, "--maintenance-rate", "20"]
    kills, count = 0, len(elsewhere.files(table))
    while len(elsewhere.files(table)) > len(needed(table)) and kills < 6:
        server.restart(signal.SIGKILL)
        wait_for(lambda: len(elsewhere.files(table)) < count, what="a deletion")  # and the next kill is right behind it
        count, kills = len(elsewhere.files(table)), kills + 1
    assert kills >= 2
    server.restart(signal.SIGKILL)
    assert elsewhere.settled(table) == needed(table)
    assert sorted(elsewhere.load().scan().to_arrow()["id"].to_pylist()) == [100, 102]


def test_two_endpoints_with_a_bucket_of_one_name_are_not_confused(quick, far, server_factory):
    third = server_factory(environment={"FIRN_BUCKETS": "far"})
    one, two = Elsewhere(quick, far), Elsewhere(quick, third)
    tables = {e: written(e) for e in (one, two)}
    copied = files_in_store(far, tables[one].location())
    for url in copied:  # the other endpoint has files of the same names
        bucket, key = url.removeprefix("s3://").split("/", 1)
        third.boto().put_object(Bucket=bucket, Key=key, Body=b"a namesake")
    table = expire_all_but_refs(tables[one])
    assert one.settled(table) == needed(table)
    assert files_in_store(third, table.location()) == copied
    table = expire_all_but_refs(tables[two])
    assert two.settled(table) == needed(table)


def test_a_store_with_such_references_is_whole(start_server, far):
    """A store with references and a queue of external tables is whole to `firn store check`."""
    server = start_server(*RARE, environment=KEYS)
    elsewhere = Elsewhere(server, far)
    expire_all_but_refs(written(elsewhere))
    wait_for(lambda: elsewhere.status()["complete"] and elsewhere.status()["queued-files"] > 0, what="files to be queued")
    check_store(server)
