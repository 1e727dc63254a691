"""Every operation of the catalog under every privilege alone, granted on the catalog: allowed where the operation wants it or one that includes it, refused everywhere else.

What an operation wants is written down here (from Polaris' documentation and authoriser), and what includes what in privileges.tsv; neither is read from the server.
"""
import csv
import pathlib
import uuid

import pytest
from iceberg_helpers import Rest, add_snapshot, set_ref
from manage_helpers import Admin, somebody

SCHEMA = {"type": "struct", "schema-id": 1, "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}, {"id": 2, "name": "w", "required": False, "type": "long"}]}
VIEW = {"schema": {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]},
        "view-version": {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["truth"],
                         "representations": [{"type": "sql", "sql": "select 1", "dialect": "duckdb"}]}, "properties": {}}


def rows():
    with open(pathlib.Path(__file__).parent / "privileges.tsv") as file:
        for name, on, included in (r for r in csv.reader(file, delimiter="\t") if not r[0].startswith("#")):
            yield name, on.split(), set(included.split()) | {name}


GIVES = {name: included for name, _, included in rows()}
GRANTABLE = [name for name, on, _ in rows() if "catalog" in on]
NS, TABLE, VIEW_PATH = "/namespaces/truth", "/namespaces/truth/tables/t", "/namespaces/truth/views/v"


def commit(*updates):
    return {"requirements": [], "updates": list(updates)}


def update(action, **fields):
    return ("POST", TABLE, commit({"action": action, **fields}))


# name: (what all of it wants, the request). Requests are such that, allowed, they change nothing that matters to the next: they answer 2xx, or an error that comes after the check.
OPERATIONS = {
    "LoadNamespace": (["NAMESPACE_READ_PROPERTIES"], ("GET", NS, None)),
    "NamespaceExists": (["NAMESPACE_LIST"], ("HEAD", NS, None)),
    "CreateNamespace": (["NAMESPACE_CREATE"], ("POST", "/namespaces", {"namespace": ["truth"]})),
    "CreateNamespace below": (["NAMESPACE_CREATE"], ("POST", "/namespaces", {"namespace": ["truth", "below"]})),
    "DropNamespace": (["NAMESPACE_DROP"], ("DELETE", NS, None)),
    "UpdateNamespace": (["NAMESPACE_WRITE_PROPERTIES"], ("POST", NS + "/properties", {"updates": {"a": "1"}, "removals": []})),
    "CreateTable": (["TABLE_CREATE"], ("POST", NS + "/tables", {"name": "t", "schema": SCHEMA})),
    "CreateTable staged": (["TABLE_CREATE"], ("POST", NS + "/tables", {"name": "staged", "stage-create": True, "schema": SCHEMA})),
    "UpdateTable creating": (["TABLE_CREATE"], ("POST", NS + "/tables/t", {"requirements": [{"type": "assert-create"}], "updates": []})),
    "ListPolicies": (["POLICY_LIST"], ("GET", "polaris:" + NS + "/policies", None)),
    "ApplicablePolicies of the catalog": (["CATALOG_READ_PROPERTIES"], ("GET", "polaris:/applicable-policies", None)),
    "ApplicablePolicies of a namespace": (["NAMESPACE_READ_PROPERTIES"], ("GET", "polaris:/applicable-policies?namespace=truth", None)),
    "ApplicablePolicies of a table": (["TABLE_READ_PROPERTIES"], ("GET", "polaris:/applicable-policies?namespace=truth&target-name=t", None)),
    "LoadTable": (["TABLE_READ_PROPERTIES"], ("GET", TABLE, None)),
    "TableExists": (["TABLE_LIST"], ("HEAD", TABLE, None)),
    "LoadCredentials": (["TABLE_READ_DATA"], ("GET", TABLE + "/credentials", None)),
    "ReportMetrics of a scan": (["TABLE_READ_DATA"], ("POST", TABLE + "/metrics", {"report-type": "scan-report"})),
    "ReportMetrics of a commit": (["TABLE_WRITE_DATA"], ("POST", TABLE + "/metrics", {"report-type": "commit-report"})),
    "RegisterTable": (["TABLE_CREATE"], ("POST", NS + "/register", {"name": "t", "metadata-location": "s3://lakehouse/none.metadata.json"})),
    "RegisterTable over": (["TABLE_FULL_METADATA"], ("POST", NS + "/register", {"name": "t", "metadata-location": "s3://lakehouse/none.metadata.json", "overwrite": True})),
    "RenameTable": (["TABLE_DROP", "TABLE_LIST", "TABLE_CREATE"], ("POST", "/tables/rename", {"source": {"namespace": ["truth"], "name": "t"}, "destination": {"namespace": ["truth"], "name": "t"}})),
    "DropTable": (["TABLE_DROP"], ("DELETE", NS + "/tables/gone", None)),
    "DropTable purging": (["TABLE_DROP", "TABLE_WRITE_DATA"], ("DELETE", NS + "/tables/gone?purgeRequested=true", None)),
    "CreateView": (["VIEW_CREATE"], ("POST", NS + "/views", {"name": "v", **VIEW})),
    "LoadView": (["VIEW_READ_PROPERTIES"], ("GET", VIEW_PATH, None)),
    "ViewExists": (["VIEW_LIST"], ("HEAD", VIEW_PATH, None)),
    "ReplaceView": (["VIEW_WRITE_PROPERTIES"], ("POST", VIEW_PATH, commit({"action": "set-properties", "updates": {"a": "1"}}))),
    "RegisterView": (["VIEW_CREATE"], ("POST", NS + "/register-view", {"name": "v", "metadata-location": "s3://lakehouse/none.metadata.json"})),
    "RenameView": (["VIEW_DROP", "VIEW_LIST", "VIEW_CREATE"], ("POST", "/views/rename", {"source": {"namespace": ["truth"], "name": "v"}, "destination": {"namespace": ["truth"], "name": "v"}})),
    "DropView": (["VIEW_DROP"], ("DELETE", NS + "/views/gone_view", None)),
    "CommitTransaction": (["TABLE_SET_PROPERTIES"], ("POST", "/transactions/commit", {"table-changes": [
        {"identifier": {"namespace": ["truth"], "name": "t"}, **commit({"action": "set-properties", "updates": {"a": "1"}})}]})),
    "CommitTransaction of two": (["TABLE_SET_PROPERTIES", "TABLE_SET_LOCATION"], ("POST", "/transactions/commit", {"table-changes": [
        {"identifier": {"namespace": ["truth"], "name": "t"}, **commit({"action": "set-properties", "updates": {"a": "1"}})},
        {"identifier": {"namespace": ["truth"], "name": "u"}, **commit({"action": "set-location", "location": "s3://elsewhere/x"})}]})),
    "UpdateTable without updates": (["TABLE_WRITE_PROPERTIES"], ("POST", TABLE, commit())),
    "UpdateTable of a kind nobody knows": (["TABLE_WRITE_PROPERTIES"], update("make-coffee")),
    "assign-uuid": (["TABLE_ASSIGN_UUID"], update("assign-uuid", uuid="not-its-own")),
    "upgrade-format-version": (["TABLE_UPGRADE_FORMAT_VERSION"], update("upgrade-format-version", **{"format-version": 2})),
    "add-schema": (["TABLE_ADD_SCHEMA"], update("add-schema", schema=SCHEMA)),
    "set-current-schema": (["TABLE_SET_CURRENT_SCHEMA"], update("set-current-schema", **{"schema-id": 0})),
    "add-spec": (["TABLE_ADD_PARTITION_SPEC"], update("add-spec", spec={"spec-id": 0, "fields": []})),
    "set-default-spec": (["TABLE_WRITE_PROPERTIES"], update("set-default-spec", **{"spec-id": 0})),
    "add-sort-order": (["TABLE_ADD_SORT_ORDER"], update("add-sort-order", **{"sort-order": {"order-id": 0, "fields": []}})),
    "set-default-sort-order": (["TABLE_SET_DEFAULT_SORT_ORDER"], update("set-default-sort-order", **{"sort-order-id": 0})),
    "add-snapshot": (["TABLE_ADD_SNAPSHOT"], ("POST", TABLE, commit(add_snapshot(1, 1)[0]))),
    "set-snapshot-ref": (["TABLE_SET_SNAPSHOT_REF"], ("POST", TABLE, commit(set_ref("x", 404)))),
    "remove-snapshots": (["TABLE_REMOVE_SNAPSHOTS"], update("remove-snapshots", **{"snapshot-ids": [404]})),
    "remove-snapshot-ref": (["TABLE_REMOVE_SNAPSHOT_REF"], update("remove-snapshot-ref", **{"ref-name": "none"})),
    "set-location": (["TABLE_SET_LOCATION"], update("set-location", location="s3://elsewhere/x")),
    "set-properties": (["TABLE_SET_PROPERTIES"], update("set-properties", updates={"a": "1"})),
    "remove-properties": (["TABLE_REMOVE_PROPERTIES"], update("remove-properties", removals=["none"])),
    "set-statistics": (["TABLE_SET_STATISTICS"], update("set-statistics", statistics={"snapshot-id": 404, "statistics-path": "s3://lakehouse/x", "file-size-in-bytes": 1,
                                                                                      "file-footer-size-in-bytes": 1, "blob-metadata": []})),
    "remove-statistics": (["TABLE_REMOVE_STATISTICS"], update("remove-statistics", **{"snapshot-id": 404})),
    "remove-partition-specs": (["TABLE_REMOVE_PARTITION_SPECS"], update("remove-partition-specs", **{"spec-ids": [404]})),
    "remove-schemas": (["TABLE_WRITE_PROPERTIES"], update("remove-schemas", **{"schema-ids": [404]})),
    "several at once": (["TABLE_SET_PROPERTIES", "TABLE_ADD_SNAPSHOT"], ("POST", TABLE, commit({"action": "set-properties", "updates": {"a": "1"}}, {"action": "add-snapshot", "snapshot": {}}))),
}
VICTIMS = {"DropTable": (NS + "/tables", {"name": "gone", "schema": SCHEMA}), "DropTable purging": (NS + "/tables", {"name": "gone", "schema": SCHEMA}),
           "DropView": (NS + "/views", {"name": "gone_view", **VIEW})}
# Renaming something onto itself is refused only after the check.


@pytest.fixture(scope="module")
def world(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    root = Rest(server.catalog_url)
    root.ok("POST", "/namespaces", json={"namespace": ["truth"]})
    root.ok("POST", NS + "/tables", json={"name": "t", "schema": SCHEMA})
    root.ok("POST", NS + "/tables", json={"name": "u", "schema": SCHEMA})
    root.ok("POST", NS + "/views", json={"name": "v", **VIEW})
    return server, root


def is_refused(answer):
    """403, or as if what is asked for did not exist; not an error of what was done after the check."""
    return answer.status_code in (403, 404)


@pytest.mark.parametrize("privilege", [None, *GRANTABLE])
def test_each_operation_is_open_to_who_holds_what_it_wants_and_to_nobody_else(world, privilege):
    server, root = world
    _, rest, _ = somebody(server, *([privilege] if privilege else []))
    wrong = []
    for name, (wanted, (method, path, body)) in OPERATIONS.items():
        if name in VICTIMS:
            root.call("POST", VICTIMS[name][0], json=VICTIMS[name][1])
        answer = rest.call(method, path, json=body) if body is not None else rest.call(method, path)
        is_allowed = all(privilege in GIVES[w] for w in wanted)
        if is_refused(answer) == is_allowed or answer.status_code >= 500:
            wrong.append((name, is_allowed, answer.status_code, answer.text[:200]))
    assert not wrong, wrong


def test_lists_show_what_one_holds_something_on(world):
    server, root = world
    for path in (["seen"], ["seen", "deep"], ["seen", "other"], ["unseen"]):
        root.ok("POST", "/namespaces", json={"namespace": path})
    for path in ("seen%1Fdeep", "seen%1Fother", "unseen"):
        root.ok("POST", f"/namespaces/{path}/tables", json={"name": "a", "schema": SCHEMA})
        root.ok("POST", f"/namespaces/{path}/tables", json={"name": "b", "schema": SCHEMA})
    _, rest, _ = somebody(server, "TABLE_READ_DATA", namespace=["seen", "deep"], table="b")
    assert rest.ok("GET", "/namespaces")["namespaces"] == [["seen"]]
    assert rest.ok("GET", "/namespaces?parent=seen")["namespaces"] == [["seen", "deep"]]
    assert [i["name"] for i in rest.ok("GET", "/namespaces/seen%1Fdeep/tables")["identifiers"]] == ["b"]
    rest.ok("GET", "/namespaces/seen%1Fdeep/tables/b")
    hidden = rest.fails(404, "NoSuchTableException", "GET", "/namespaces/seen%1Fdeep/tables/a")
    missing = rest.fails(404, "NoSuchTableException", "GET", "/namespaces/seen%1Fdeep/tables/c")
    assert hidden["message"].replace(".a", ".x") == missing["message"].replace(".c", ".x")
    hidden = rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/unseen")
    missing = rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/never")
    assert hidden["message"].replace("unseen", "x") == missing["message"].replace("never", "x")
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/unseen/tables")
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces?parent=unseen")
    rest.fails(403, "ForbiddenException", "DELETE", "/namespaces/seen%1Fdeep/tables/b")
    rest.fails(403, "ForbiddenException", "DELETE", "/namespaces/seen%1Fdeep")
    _, nobody, _ = somebody(server)
    nobody.fails(404, "NoSuchWarehouseException", "GET", "/namespaces")
    assert nobody.raw("GET", "/api/catalog/v1/config?warehouse=lakehouse").status_code == 404


def test_lists_of_little_are_paged_too(world):
    server, root = world
    root.ok("POST", "/namespaces", json={"namespace": ["paged"]})
    names = [f"t{i}" for i in range(5)]
    for name in names:
        root.ok("POST", "/namespaces/paged/tables", json={"name": name, "schema": SCHEMA})
    _, rest, who = somebody(server)
    admin = Admin(root)
    for name in names[1:]:
        admin.grant(who, "TABLE_LIST", namespace="paged", table=name)
    seen, token = [], ""
    while token is not None:
        page = rest.ok("GET", f"/namespaces/paged/tables?pageSize=3&pageToken={token}")
        assert len(page["identifiers"]) <= 3
        seen += [i["name"] for i in page["identifiers"]]
        token = page["next-page-token"]
    assert seen == names[1:]


def test_d24_a_prefix_is_no_way_into_another_catalog(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse,second"})
    _, rest, _ = somebody(server, "CATALOG_MANAGE_CONTENT")
    rest.ok("GET", "/namespaces")
    rest.prefix = "second"
    rest.fails(404, "NoSuchWarehouseException", "GET", "/namespaces")
    rest.fails(404, "NoSuchWarehouseException", "POST", "/namespaces", json={"namespace": ["x"]})
    for prefix in ("..", "lakehouse%2F..%2Fsecond", "lakehouse%2Fsecond", "%2e%2e"):
        rest.prefix = prefix
        assert rest.call("GET", "/namespaces").status_code in (400, 404)


def test_d25_a_transaction_is_refused_whole(world):
    server, root = world
    _, rest, _ = somebody(server, "TABLE_SET_PROPERTIES", namespace="truth", table="t")
    changes = [{"identifier": {"namespace": ["truth"], "name": n}, **commit({"action": "set-properties", "updates": {"d25": "1"}})} for n in ("t", "u")]
    rest.ok("POST", "/transactions/commit", json={"table-changes": changes[:1]})
    before = root.ok("GET", TABLE)["metadata-location"]
    assert rest.call("POST", "/transactions/commit", json={"table-changes": changes}).status_code == 404  # not seen
    assert root.ok("GET", TABLE)["metadata-location"] == before
    assert uuid.UUID(root.ok("GET", "/namespaces/truth/tables/u")["metadata"]["table-uuid"])
    assert "d25" not in root.ok("GET", "/namespaces/truth/tables/u")["metadata"]["properties"]
