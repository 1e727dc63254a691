"""firn table files, and the answer behind it: which files a table's snapshots need, as PyIceberg reads its manifests."""
import json
import subprocess
import uuid

import pytest

from firn_server import BINARY, ROOT
from iceberg_helpers import READER, Rest, add_snapshot, open_catalog
from manage_helpers import somebody
from table_files import expire_all_but_refs, files_needed, rows


@pytest.fixture
def table(lake):
    catalog = open_catalog(lake)
    namespace = "n_" + uuid.uuid4().hex[:12]
    catalog.create_namespace(namespace)
    table = catalog.create_table((namespace, "t"), schema=rows(0).schema)
    for i in range(4):
        table.append(rows(i * 10))
    table.delete("id = 1")
    return table.refresh()


def ask(lake, table, credential=ROOT, status=200, **query):
    params = {"namespace": "\x1f".join(table.name()[:-1]), "table": table.name()[-1], **query}
    answer = Rest(lake.catalog_url, credential).raw("GET", "/api/firn/v1/catalogs/lakehouse/maintenance/files", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def pages(lake, table, **query):
    files, page = [], {"next-page-token": ""}
    while "next-page-token" in page:
        page = ask(lake, table, **query, **({"page-token": page["next-page-token"]} if page["next-page-token"] else {}))
        files += page["files"]
    assert len({f["path"] for f in files}) == len(files)
    return files


def of_snapshot(table, snapshot):
    """{path: kind} as the list and the manifests say."""
    found = {snapshot.manifest_list: "manifest-list"}
    for manifest in snapshot.manifests(table.io):
        found[manifest.manifest_path] = "manifest"
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
            found[entry.data_file.file_path] = "data"
    return found


def size(lake, url):
    bucket, key = url.removeprefix("s3://").split("/", 1)
    return lake.boto().head_object(Bucket=bucket, Key=key)["ContentLength"]


def test_each_snapshots_files_are_those_that_its_manifests_name(lake, table):
    holders = {}
    for snapshot in table.snapshots():
        for path in of_snapshot(table, snapshot):
            holders[path] = holders.get(path, 0) + 1
    for snapshot in table.snapshots():
        told = pages(lake, table, snapshot=str(snapshot.snapshot_id), **{"page-size": "3"})
        wanted = of_snapshot(table, snapshot)
        assert {f["path"]: f["kind"] for f in told} == wanted
        assert all(f["bytes"] == size(lake, f["path"]) for f in told), told
        assert all(f["snapshots"] == holders[f["path"]] and f["state"] == "live" for f in told), told
    current = {f["path"] for f in pages(lake, table)}
    assert current == set(of_snapshot(table, table.current_snapshot()))
    assert {f["path"] for f in pages(lake, table, all="true")} == files_needed(table)


def test_a_branch_a_tag_and_what_waits_for_deletion(lake, table):
    first = table.snapshots()[0]
    table.manage_snapshots().create_tag(first.snapshot_id, "first").commit()
    assert {f["path"] for f in pages(lake, table, ref="first")} == set(of_snapshot(table, first))
    before = ask(lake, table, summary="true")["summary"]
    old = files_needed(table)
    table = expire_all_but_refs(table)
    queued = pages(lake, table, state="queued")
    gone = {path for path in old - files_needed(table) if not path.endswith(".metadata.json")}
    assert {f["path"] for f in queued} == gone and all(f["may-go-ms"] - f["since-ms"] == 86_400_000 for f in queued)
    assert before["expirable"]["files"] == len(gone) and before["expirable"]["bytes"] == sum(f["bytes"] for f in queued)
    assert ask(lake, table, summary="true")["summary"]["expirable"]["files"] == 0


def test_files_that_no_commit_names_are_orphans(lake, table):
    path = f"{table.location()}/data/aborted"
    bucket, key = path.removeprefix("s3://").split("/", 1)
    lake.boto().put_object(Bucket=bucket, Key=key, Body=b"12345")
    [orphan] = pages(lake, table, state="orphan")
    assert (orphan["path"], orphan["bytes"], orphan["state"], orphan["removable"]) == (path, 5, "orphan", False)


def test_a_list_that_cannot_be_read_is_named(lake, table):
    (added, _) = add_snapshot(77, 9, **{"manifest-list": f"{table.location()}/metadata/missing.avro", "timestamp-ms": table.metadata.last_updated_ms + 1})
    Rest(lake.catalog_url).commit("/namespaces/{}/tables/{}".format(*table.name()), added)
    answer = ask(lake, table, summary="true")
    assert answer["complete"] is False and "missing.avro" in answer["why"]
    assert [u["path"] for u in answer["unread"]] == [f"{table.location()}/metadata/missing.avro"] and answer["unread"][0]["why"]
    assert "why-not-expirable" in answer["summary"]


def test_who_may_ask_and_what_is_wrong(lake, table):
    assert ask(lake, table, READER)["files"]
    blind, _, _ = somebody(lake, "TABLE_READ_PROPERTIES")
    ask(lake, table, blind, 403)
    stranger, _, _ = somebody(lake)
    assert "Unable to find warehouse" in ask(lake, table, stranger, 404)["error"]["message"]
    for query, word in (({"state": "dead"}, "state"), ({"snapshot": "x"}, "snapshot"), ({"snapshot": "12"}, "12"), ({"ref": "nowhere"}, "nowhere"),
                        ({"page-size": "0"}, "page-size"), ({"all": "yes"}, "all"), ({"all": "true", "ref": "main"}, "only one"),
                        ({"state": "queued", "all": "true"}, "live"), ({"page-token": "abc"}, "page-token")):
        assert word in ask(lake, table, status=400, **query)["error"]["message"], query
    answer = Rest(lake.catalog_url).raw("GET", "/api/firn/v1/catalogs/lakehouse/maintenance/files", params={"namespace": table.name()[0]})
    assert answer.status_code == 400 and "table" in answer.json()["error"]["message"]


def firn(lake, *words):
    environment = {"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1], "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run([BINARY, *words, "--catalog-endpoint", lake.catalog_url, "--catalog", "lakehouse"], env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_line(lake, table):
    name = ".".join(table.name())
    plain = firn(lake, "table", "files", name)
    assert plain.returncode == 0, plain.stderr
    lines = plain.stdout.splitlines()
    wanted = of_snapshot(table, table.current_snapshot())
    assert lines[0].split() == ["KIND", "SIZE", "SNAPSHOTS", "FILE"]
    assert {line.split()[-1] for line in lines[1:len(wanted) + 1]} == set(wanted)
    assert f"{len(wanted)} files" in plain.stdout and "without a branch or tag need" in plain.stdout
    answer = json.loads(firn(lake, "table", "files", name, "--all", "--json").stdout)
    assert {f["path"] for f in answer["files"]} == files_needed(table) and answer["complete"] is True
    first = table.snapshots()[0]
    assert {f["path"] for f in json.loads(firn(lake, "table", "files", name, "--snapshot", str(first.snapshot_id), "--json").stdout)["files"]} == set(of_snapshot(table, first))
    assert json.loads(firn(lake, "table", "files", name, "--state", "queued", "--json").stdout)["files"] == []
    wrong = firn(lake, "table", "files", name, "--state", "dead")
    assert wrong.returncode == 2 and "live, queued or orphan" in wrong.stderr, wrong
    assert firn(lake, "table", "files", name, "--ref", "nowhere").returncode != 0
