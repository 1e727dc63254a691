"""Views over HTTP."""
import pytest

from iceberg_helpers import SCHEMA


def version(sql, *dialects, number=1):
    return {"version-id": number, "timestamp-ms": 1, "schema-id": -1, "summary": {"engine": "test"}, "default-namespace": ["n"],
            "representations": [{"type": "sql", "sql": sql, "dialect": d} for d in dialects or ("spark",)]}


@pytest.fixture
def views(rest, namespace):
    """The path of a namespace's views, with one view `v` in it."""
    path = f"/namespaces/{namespace}/views"
    rest.ok("POST", path, json={"name": "v", "schema": SCHEMA, "view-version": version("select 1"), "properties": {"comment": "c"}})
    return path


def test_create_load_list_exists_drop(rest, namespace, views):
    loaded = rest.ok("GET", f"{views}/v")
    metadata = loaded["metadata"]
    assert metadata["format-version"] == 1 and metadata["current-version-id"] == 1 and metadata["properties"] == {"comment": "c"}
    assert metadata["versions"][0]["representations"][0]["sql"] == "select 1" and metadata["versions"][0]["schema-id"] == 0
    assert loaded["metadata-location"].startswith(metadata["location"] + "/metadata/00000-")
    assert rest.ok("GET", views)["identifiers"] == [{"namespace": [namespace], "name": "v"}]
    assert rest.ok("GET", f"/namespaces/{namespace}/tables")["identifiers"] == []
    assert rest.call("HEAD", f"{views}/v").status_code == 204
    rest.fails(409, "AlreadyExistsException", "POST", views, f"View already exists: {namespace}.v", json={"name": "v", "schema": SCHEMA, "view-version": version("select 2")})
    rest.fails(409, "NamespaceNotEmptyException", "DELETE", f"/namespaces/{namespace}")
    assert rest.call("DELETE", f"{views}/v").status_code == 204
    rest.fails(404, "NoSuchViewException", "GET", f"{views}/v", f"View does not exist: {namespace}.v")
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/nothing/views", "Namespace does not exist: nothing")


def test_a_view_is_replaced_by_a_commit(rest, views):
    uuid = rest.ok("GET", f"{views}/v")["metadata"]["view-uuid"]
    after = rest.commit(f"{views}/v", {"action": "add-schema", "schema": {"type": "struct", "fields": []}}, {"action": "add-view-version", "view-version": version("select 2")},
                        {"action": "set-current-view-version", "view-version-id": -1}, requirements=[{"type": "assert-view-uuid", "uuid": uuid}])
    assert after["current-version-id"] == 2 and [e["version-id"] for e in after["version-log"]] == [1, 2] and len(after["schemas"]) == 2
    rest.refused(f"{views}/v", {"action": "remove-properties", "removals": []}, requirements=[{"type": "assert-view-uuid", "uuid": "00000000-0000-0000-0000-000000000000"}],
                 status=409, kind="CommitFailedException", text="Requirement failed: UUID does not match")
    rest.refused(f"{views}/v", {"action": "add-spec", "spec": {"fields": []}})
    rest.refused(f"{views}/v", requirements=[{"type": "assert-create"}])
    rest.fails(404, "NoSuchViewException", "POST", f"{views}/none", json={"requirements": [], "updates": []})


@pytest.mark.parametrize("change", [{"view-version": version("x", "spark", "SPARK")}, {"view-version": {}}, {"schema": None}, {"view-version": None}, {"location": "s3://second/v"}, {"name": ""}])
def test_views_that_are_refused(rest, views, change):
    rest.fails(400, "BadRequestException", "POST", views, json={"name": "w", "schema": SCHEMA, "view-version": version("select 1"), **change})


def test_tables_and_views_share_their_names_and_places(rest, namespace, views):
    tables = f"/namespaces/{namespace}/tables"
    rest.fails(409, "AlreadyExistsException", "POST", tables, f"View with same name already exists: {namespace}.v", json={"name": "v", "schema": SCHEMA})
    made = rest.create(namespace, "t")
    rest.fails(409, "AlreadyExistsException", "POST", views, f"Table with same name already exists: {namespace}.t",
               json={"name": "t", "schema": SCHEMA, "view-version": version("select 1")})
    rest.fails(409, "AlreadyExistsException", "POST", views, json={"name": "w", "schema": SCHEMA, "view-version": version("x"), "location": made["metadata"]["location"]})
    rest.fails(404, "NoSuchTableException", "GET", f"{tables}/v")
    rest.fails(404, "NoSuchViewException", "GET", f"{views}/t")

    def rename(kind, source, destination):
        return rest.call("POST", f"/{kind}/rename", json={"source": {"namespace": [namespace], "name": source}, "destination": {"namespace": [namespace], "name": destination}})

    assert rename("views", "v", "t").json()["error"]["message"] == f"Cannot rename {namespace}.v to {namespace}.t. Table already exists"
    assert rename("tables", "t", "v").status_code == 409 and rename("views", "t", "x").status_code == 404
    assert rename("views", "v", "moved").status_code == 204
    assert rest.call("HEAD", f"{views}/moved").status_code == 204


def test_a_view_is_registered(rest, namespace, views):
    before = rest.ok("GET", f"{views}/v")
    rest.ok("DELETE", f"{views}/v")
    made = rest.ok("POST", f"/namespaces/{namespace}/register-view", json={"name": "w", "metadata-location": before["metadata-location"]})
    assert made["metadata"] == before["metadata"]
    table = rest.create(namespace, "t")
    rest.fails(400, "BadRequestException", "POST", f"/namespaces/{namespace}/register-view", json={"name": "x", "metadata-location": table["metadata-location"]})
