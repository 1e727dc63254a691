"""Commits over HTTP: every requirement, every update for tables, transactions. What each comes to in detail is in catalog/commit/apply_test.c."""
import concurrent.futures

import pytest

from firn_server import wait_for
from iceberg_helpers import Rest, add_snapshot, set_ref


@pytest.fixture
def filled(rest, table):
    """A table with snapshots 1 and 2, main at 2."""
    rest.commit(table, *add_snapshot(1, 1))
    rest.commit(table, *add_snapshot(2, 2, 1))
    return table


# ---- requirements

def test_requirements_that_hold(rest, filled):
    metadata = rest.ok("GET", filled)["metadata"]
    changed = rest.commit(filled, {"action": "set-properties", "updates": {"a": "1"}}, requirements=[
        {"type": "assert-table-uuid", "uuid": metadata["table-uuid"].upper()},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 2},
        {"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": None},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 3},
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
    ])
    assert changed["properties"]["a"] == "1"


@pytest.mark.parametrize("requirement, text", [
    ({"type": "assert-create"}, "table already exists"),
    ({"type": "assert-table-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}, "UUID does not match"),
    ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 1}, "branch main has changed: expected id 1 != 2"),
    ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None}, "branch main was created concurrently"),
    ({"type": "assert-ref-snapshot-id", "ref": "none", "snapshot-id": 1}, "branch or tag none is missing, expected 1"),
    ({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 2}, "last assigned field id changed: expected id 2 != 3"),
    ({"type": "assert-current-schema-id", "current-schema-id": 1}, "current schema changed: expected id 1 != 0"),
    ({"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1}, "last assigned partition id changed"),
    ({"type": "assert-default-spec-id", "default-spec-id": 1}, "default partition spec changed"),
    ({"type": "assert-default-sort-order-id", "default-sort-order-id": 1}, "default sort order changed"),
])
def test_requirements_that_fail(rest, filled, requirement, text):
    before = rest.ok("GET", filled)
    rest.refused(filled, {"action": "set-properties", "updates": {"a": "1"}}, requirements=[requirement], status=409, kind="CommitFailedException",
                 text="Requirement failed: " + text)
    assert rest.ok("GET", filled) == before


@pytest.mark.parametrize("requirement", [{"type": "assert-nothing"}, {"type": "assert-view-uuid", "uuid": "x"}, {}, 5, {"type": "assert-current-schema-id"}])
def test_requirements_that_are_none(rest, table, requirement):
    rest.refused(table, requirements=[requirement])


# ---- updates

def test_schema_spec_and_order_grow(rest, table):
    fields = rest.ok("GET", table)["metadata"]["schemas"][0]["fields"]
    after = rest.commit(table, {"action": "add-schema", "schema": {"type": "struct", "fields": fields + [{"id": 4, "name": "x", "required": False, "type": "int"}]}},
                        {"action": "set-current-schema", "schema-id": -1},
                        {"action": "add-spec", "spec": {"fields": [{"source-id": 3, "name": "month", "transform": "month"}]}}, {"action": "set-default-spec", "spec-id": -1},
                        {"action": "add-sort-order", "sort-order": {"fields": [{"source-id": 4, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}]}},
                        {"action": "set-default-sort-order", "sort-order-id": -1})
    assert (after["current-schema-id"], after["last-column-id"]) == (1, 4)
    assert (after["default-spec-id"], after["last-partition-id"], after["partition-specs"][1]["fields"][0]["field-id"]) == (1, 1000, 1000)
    assert after["default-sort-order-id"] == 1
    rest.refused(table, {"action": "remove-schemas", "schema-ids": [1]}, text="Cannot remove current schema")
    rest.refused(table, {"action": "remove-partition-specs", "spec-ids": [1]}, text="Cannot remove the default partition spec")
    after = rest.commit(table, {"action": "remove-schemas", "schema-ids": [0]}, {"action": "remove-partition-specs", "spec-ids": [0, 77]})
    assert [s["schema-id"] for s in after["schemas"]] == [1] and [s["spec-id"] for s in after["partition-specs"]] == [1]


def test_snapshots_refs_and_history(rest, filled):
    metadata = rest.ok("GET", filled)["metadata"]
    assert (metadata["current-snapshot-id"], metadata["last-sequence-number"]) == (2, 2)
    assert [e["snapshot-id"] for e in metadata["snapshot-log"]] == [1, 2] and len(metadata["metadata-log"]) == 2
    rest.commit(filled, set_ref("old", 1, "tag", **{"max-ref-age-ms": 1000}), set_ref("work", 1, **{"min-snapshots-to-keep": 2}))
    refs = rest.ok("GET", filled + "?snapshots=refs")["metadata"]
    assert [s["snapshot-id"] for s in refs["snapshots"]] == [1, 2] and refs["refs"]["old"] == {"snapshot-id": 1, "type": "tag", "max-ref-age-ms": 1000}
    rest.commit(filled, {"action": "remove-snapshot-ref", "ref-name": "old"}, {"action": "remove-snapshot-ref", "ref-name": "work"})
    assert [s["snapshot-id"] for s in rest.ok("GET", filled + "?snapshots=refs")["metadata"]["snapshots"]] == [2]
    back = rest.commit(filled, set_ref("main", 1))  # a rollback
    assert back["current-snapshot-id"] == 1 and [e["snapshot-id"] for e in back["snapshot-log"]] == [1, 2, 1]
    gone = rest.commit(filled, {"action": "remove-snapshots", "snapshot-ids": [2, 99]})
    assert [s["snapshot-id"] for s in gone["snapshots"]] == [1] and [e["snapshot-id"] for e in gone["snapshot-log"]] == [1]


def test_a_stale_sequence_number_is_a_conflict(rest, filled):
    rest.refused(filled, *add_snapshot(3, 2, 2), status=409, kind="CommitFailedException", text="sequence number")
    rest.refused(filled, *add_snapshot(2, 9, 1), text="Snapshot already exists for id: 2")
    rest.refused(filled, set_ref("main", 99), text="Cannot set main to unknown snapshot: 99")
    rest.refused(filled, set_ref("main", 1, "tag"))


def test_row_ids_of_version_3(rest, table):
    rest.commit(table, {"action": "upgrade-format-version", "format-version": 3})
    rest.refused(table, *add_snapshot(1, 1), text="first-row-id is null")
    after = rest.commit(table, *add_snapshot(1, 1, **{"first-row-id": 0, "added-rows": 10}))
    assert after["next-row-id"] == 10
    rest.refused(table, *add_snapshot(2, 2, 1, **{"first-row-id": 5, "added-rows": 1}), status=409, kind="CommitFailedException", text="first-row-id is behind")
    key = {"key-id": "k", "encrypted-key-metadata": "AA=="}
    assert rest.commit(table, {"action": "add-encryption-key", "encryption-key": key})["encryption-keys"] == [key]
    assert not rest.commit(table, {"action": "remove-encryption-key", "key-id": "k"}).get("encryption-keys")
    rest.refused(table, {"action": "upgrade-format-version", "format-version": 2}, text="Cannot downgrade v3 to v2")
    rest.refused(table, {"action": "upgrade-format-version", "format-version": 4}, text="unsupported format version: v4")


def test_properties_statistics_location_and_uuid(rest, filled):
    statistics = {"snapshot-id": 1, "statistics-path": "s3://lakehouse/p", "file-size-in-bytes": 1, "file-footer-size-in-bytes": 1, "blob-metadata": []}
    partition = {"snapshot-id": 1, "statistics-path": "s3://lakehouse/q", "file-size-in-bytes": 2}
    before = rest.ok("GET", filled)["metadata"]
    after = rest.commit(filled, {"action": "set-properties", "updates": {"a": "1", "b": "2"}}, {"action": "remove-properties", "removals": ["a", "zz"]},
                        {"action": "set-statistics", "statistics": statistics}, {"action": "set-partition-statistics", "partition-statistics": partition},
                        {"action": "assign-uuid", "uuid": before["table-uuid"]}, {"action": "set-location", "location": before["location"] + "/"})
    assert after["properties"].get("b") == "2" and "a" not in after["properties"]
    assert (after["statistics"], after["partition-statistics"], after["location"]) == ([statistics], [partition], before["location"])
    after = rest.commit(filled, {"action": "remove-statistics", "snapshot-id": 1}, {"action": "remove-partition-statistics", "snapshot-id": 1})
    assert (after["statistics"], after["partition-statistics"]) == ([], [])
    rest.refused(filled, {"action": "assign-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}, text="Cannot reassign uuid")


@pytest.mark.parametrize("update", [
    {"action": "fly"}, {}, 5, {"action": "add-view-version", "view-version": {}}, {"action": "set-current-view-version", "view-version-id": 1},
    {"action": "set-current-schema", "schema-id": 7}, {"action": "set-default-spec", "spec-id": -1}, {"action": "set-default-sort-order", "sort-order-id": 9},
    {"action": "set-properties", "updates": {"a": None}}, {"action": "set-location", "location": "relative/path"}, {"action": "add-snapshot", "snapshot": {"snapshot-id": 1}},
    {"action": "add-schema", "schema": {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "timestamp_ns"}]}},
    {"action": "add-schema", "schema": {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "int"}, {"id": 1, "name": "b", "required": False, "type": "int"}]}},
])
def test_updates_that_are_refused(rest, table, update):
    before = rest.ok("GET", table)
    rest.refused(table, {"action": "set-properties", "updates": {"half": "done"}}, update)
    assert rest.ok("GET", table) == before


def test_a_schema_that_readers_cannot_follow_is_refused_but_a_replaced_table_may_have_it(rest, filled):
    change = [{"action": "add-schema", "schema": {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "string"}]}},
              {"action": "set-current-schema", "schema-id": -1}]
    rest.refused(filled, *change, text="Cannot change column type: id: long -> string")
    after = rest.commit(filled, *change, {"action": "remove-snapshot-ref", "ref-name": "main"})
    assert after["current-snapshot-id"] == -1 and after["current-schema-id"] == 1


def test_a_commit_without_a_change_writes_nothing(rest, table):
    before = rest.ok("GET", table)
    answer = rest.ok("POST", table, json={"requirements": [], "updates": []})
    assert (answer["metadata-location"], answer["metadata"]) == (before["metadata-location"], before["metadata"])
    assert rest.ok("GET", table) == before


def test_the_body_may_name_the_table_but_no_other(rest, namespace, table):
    body = {"requirements": [], "updates": []}
    assert rest.call("POST", table, json={**body, "identifier": {"namespace": [namespace], "name": "t"}}).status_code == 200
    rest.fails(400, "BadRequestException", "POST", table, "identifier", json={**body, "identifier": {"namespace": [namespace], "name": "u"}})


def test_old_metadata_files_are_deleted_when_the_table_says_so(lake, rest, namespace):
    made = rest.create(namespace, "t", properties={"write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "true"})
    for i in range(6):
        rest.commit(f"/namespaces/{namespace}/tables/t", {"action": "set-properties", "updates": {"i": str(i)}})
    prefix = made["metadata"]["location"].removeprefix("s3://lakehouse/")
    wait_for(lambda: lake.boto().list_objects_v2(Bucket="lakehouse", Prefix=prefix)["KeyCount"] == 3, what="the old files to go")


# ---- several tables

def change(namespace, name, *updates, requirements=()):
    return {"identifier": {"namespace": [namespace], "name": name}, "requirements": list(requirements), "updates": list(updates)}


def test_d25_several_tables_change_together_or_not_at_all(rest, namespace):
    for name in "abc":
        rest.create(namespace, name)
    tables = f"/namespaces/{namespace}/tables/"
    mark = {"action": "set-properties", "updates": {"mark": "1"}}
    bad = [change(namespace, "a", mark), change(namespace, "b", mark, requirements=[{"type": "assert-current-schema-id", "current-schema-id": 9}]), change(namespace, "c", mark)]
    rest.fails(409, "CommitFailedException", "POST", "/transactions/commit", "Requirement failed: ", json={"table-changes": bad})
    bad[1] = change(namespace, "nothing", mark)
    rest.fails(404, "NoSuchTableException", "POST", "/transactions/commit", json={"table-changes": bad})
    assert all("mark" not in rest.ok("GET", tables + name)["metadata"]["properties"] for name in "abc")
    good = [change(namespace, name, mark) for name in "abc"] + [change(namespace, "a", {"action": "set-properties", "updates": {"twice": "2"}})]
    assert rest.call("POST", "/transactions/commit", json={"table-changes": good}).status_code == 204
    assert all(rest.ok("GET", tables + name)["metadata"]["properties"]["mark"] == "1" for name in "abc")
    folded = rest.ok("GET", tables + "a")["metadata"]
    assert folded["properties"]["twice"] == "2" and len(folded["metadata-log"]) == 1
    rest.fails(400, "BadRequestException", "POST", "/transactions/commit", json={"table-changes": []})


def test_racing_commits_are_all_there(lake, rest, table):
    def set_one(i):
        Rest(lake.catalog_url).commit(table, {"action": "set-properties", "updates": {f"p{i}": "x"}})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(set_one, range(40)))
    metadata = rest.ok("GET", table)["metadata"]
    assert sum(k.startswith("p") for k in metadata["properties"]) == 40 and len(metadata["metadata-log"]) == 40


def test_of_racing_creators_one_wins(lake, namespace):
    def create(_):
        return Rest(lake.catalog_url).call("POST", f"/namespaces/{namespace}/tables", json={"name": "t", "schema": {"type": "struct", "fields": []}}).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [200] + [409] * 7
