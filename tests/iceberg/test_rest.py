"""The Iceberg REST API by hand: configuration, tokens, namespaces, tables. Commits are in test_commit.py, keys in test_keys.py."""
import base64
import uuid

import pytest
import requests

from iceberg_helpers import OUTSIDER, ROOT, SCHEMA, Rest

NS, TABLES = "/v1/{prefix}/namespaces", "/v1/{prefix}/namespaces/{namespace}/tables"
VIEWS = "/v1/{prefix}/namespaces/{namespace}/views"
ENDPOINTS = {
    f"GET {NS}", f"POST {NS}", f"GET {NS}/{{namespace}}", f"HEAD {NS}/{{namespace}}", f"DELETE {NS}/{{namespace}}", f"POST {NS}/{{namespace}}/properties",
    f"GET {TABLES}", f"POST {TABLES}", f"GET {TABLES}/{{table}}", f"HEAD {TABLES}/{{table}}", f"POST {TABLES}/{{table}}", f"DELETE {TABLES}/{{table}}",
    f"GET {TABLES}/{{table}}/credentials", f"POST {TABLES}/{{table}}/metrics", f"POST {TABLES}/{{table}}/sign", f"POST {NS}/{{namespace}}/register", "POST /v1/{prefix}/tables/rename",
    "POST /v1/{prefix}/transactions/commit", f"GET {VIEWS}", f"POST {VIEWS}", f"GET {VIEWS}/{{view}}", f"HEAD {VIEWS}/{{view}}", f"POST {VIEWS}/{{view}}", f"DELETE {VIEWS}/{{view}}",
    f"POST {NS}/{{namespace}}/register-view", "POST /v1/{prefix}/views/rename",
}


# ---- configuration

@pytest.mark.parametrize("base", ["/api/catalog", "/iceberg"])
def test_config_names_prefix_separator_and_exactly_what_is_served(lake, base):
    rest = Rest(lake.catalog_url, base=base)
    config = rest.raw("GET", f"{base}/v1/config?warehouse=lakehouse").json()
    assert config["overrides"] == {"prefix": "lakehouse", "namespace-separator": "%1F"}
    assert config["defaults"]["default-base-location"] == "s3://lakehouse"
    assert set(config["endpoints"]) == ENDPOINTS and len(config["endpoints"]) == len(ENDPOINTS)
    assert rest.ok("GET", "/namespaces")["next-page-token"] is None


@pytest.mark.parametrize("query, status, kind", [("?warehouse=nothing", 404, "NoSuchWarehouseException"), ("", 400, "BadRequestException")])
def test_config_without_a_warehouse_that_exists(rest, query, status, kind):
    answer = rest.raw("GET", "/api/catalog/v1/config" + query)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


def test_config_without_a_warehouse_when_there_is_one_alone(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "alone"})
    assert Rest(server.catalog_url).raw("GET", "/iceberg/v1/config").json()["overrides"]["prefix"] == "alone"


def test_paths_and_methods_that_are_not_there(rest):
    assert rest.raw("GET", "/api/catalog/v1/nothing").status_code == 404
    assert rest.call("PUT", "/namespaces").status_code == 405
    assert rest.raw("GET", "/api/catalog/v1/lakehouse/namespaces/").status_code == 404
    for path in ("/health", "/health/ready", "/q/health", "/api/management/v1/health"):
        assert requests.get(rest.url + path, timeout=10).status_code == 200


# ---- tokens

@pytest.mark.parametrize("scope", [None, "", "catalog", "PRINCIPAL_ROLE:ALL", "PRINCIPAL_ROLE:service_admin", "catalog PRINCIPAL_ROLE:service_admin"])
def test_every_scope_that_clients_send(rest, scope):
    form = {"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1]}
    answer = rest.ask_token(form if scope is None else {**form, "scope": scope})
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"].lower() == "bearer" and body["expires_in"] == 3600
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert rest.raw("GET", "/iceberg/v1/config?warehouse=lakehouse", headers={"Authorization": "Bearer " + body["access_token"]}).status_code == 200


def test_credentials_by_basic_and_the_exchange_of_a_token(rest):
    first = rest.ask_token({"grant_type": "client_credentials"}, auth=ROOT).json()["access_token"]
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": first,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "scope": "catalog"}
    second = rest.ask_token(form, headers={"Authorization": "Bearer " + first})
    assert second.status_code == 200
    assert rest.ask_token({**form, "subject_token": "x"}, auth=ROOT).status_code == 200  # with credentials it is a new login
    bearer = {"Authorization": "Bearer " + second.json()["access_token"]}
    assert requests.get(rest.base + "/v1/lakehouse/namespaces", headers=bearer, timeout=10).status_code == 200


@pytest.mark.parametrize("form, status, error", [
    ({"client_secret": "wrong"}, 401, "invalid_client"), ({"client_id": "nobody"}, 401, "invalid_client"), ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"scope": "admin"}, 400, "invalid_scope"), ({"grant_type": ""}, 400, "invalid_request"), ({"client_secret": ""}, 401, "invalid_client"),
])
def test_tokens_that_are_refused(rest, form, status, error):
    answer = rest.ask_token({"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1], **form})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ROOT[1] not in answer.text


def test_a_tokens_life_is_the_settings(server_factory):
    server = server_factory("--token-ttl", "60", environment={"FIRN_CATALOGS": "lakehouse"})
    assert Rest(server.catalog_url).token()["expires_in"] == 60


@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer x.y.z", "Basic " + base64.b64encode(b":".join(s.encode() for s in ROOT)).decode(), "bearer", "Digest a"])
def test_no_token_or_none_of_ours_is_401(lake, header):
    answer = requests.get(lake.catalog_url + "/api/catalog/v1/lakehouse/namespaces", headers={"Authorization": header} if header else {}, timeout=10)
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["type"] == "NotAuthorizedException"


# ---- namespaces

def test_namespaces_nest(rest, namespace):
    inner = f"/namespaces/{namespace}%1Finner"
    rest.fails(404, "NoSuchNamespaceException", "GET", inner, f"Namespace does not exist: {namespace}.inner")
    made = rest.ok("POST", "/namespaces", json={"namespace": [namespace, "inner"], "properties": {"owner": "data"}})
    assert made == {"namespace": [namespace, "inner"], "properties": {"owner": "data"}}
    assert rest.ok("GET", inner) == made
    assert rest.call("HEAD", inner).status_code == 204
    assert rest.ok("GET", f"/namespaces?parent={namespace}")["namespaces"] == [[namespace, "inner"]]
    assert [namespace, "inner"] not in rest.ok("GET", "/namespaces")["namespaces"]
    rest.fails(409, "NamespaceNotEmptyException", "DELETE", f"/namespaces/{namespace}", "is not empty")
    assert rest.call("DELETE", inner).status_code == 204
    rest.fails(404, "NoSuchNamespaceException", "DELETE", inner, "Namespace does not exist: ")
    assert rest.call("HEAD", inner).status_code == 404
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces?parent=nothing", "Namespace does not exist: nothing")
    rest.fails(404, "NoSuchNamespaceException", "POST", "/namespaces", "Namespace does not exist: nothing", json={"namespace": ["nothing", "x"]})
    rest.fails(409, "AlreadyExistsException", "POST", "/namespaces", f"Namespace already exists: {namespace}", json={"namespace": [namespace]})


def test_namespace_properties(rest, namespace):
    path = f"/namespaces/{namespace}/properties"
    assert rest.ok("POST", path, json={"updates": {"a": "1", "b": "2"}, "removals": ["c"]}) == {"updated": ["a", "b"], "removed": [], "missing": ["c"]}
    assert rest.ok("POST", path, json={"removals": ["a"]})["removed"] == ["a"]
    assert rest.ok("GET", f"/namespaces/{namespace}")["properties"] == {"b": "2"}
    rest.fails(422, "UnprocessableEntityException", "POST", path, json={"updates": {"x": "1"}, "removals": ["x"]})
    rest.fails(400, "BadRequestException", "POST", path, json={"updates": {"x": 1}})
    rest.fails(404, "NoSuchNamespaceException", "POST", "/namespaces/nothing/properties", json={"updates": {"x": "1"}})


def test_no_policy_applies_to_what_is_there(rest, namespace):
    rest.create(namespace, "t")
    for target in ("", f"?namespace={namespace}", f"?namespace={namespace}&target-name=t", f"?namespace={namespace}&policyType=system.data-compaction&pageToken="):
        assert rest.ok("GET", f"polaris:/applicable-policies{target}") == {"applicable-policies": [], "next-page-token": None}
    rest.fails(404, "NoSuchNamespaceException", "GET", "polaris:/applicable-policies?namespace=nowhere")
    rest.fails(404, "NoSuchTableException", "GET", f"polaris:/applicable-policies?namespace={namespace}&target-name=none")
    rest.fails(400, "BadRequestException", "GET", "polaris:/applicable-policies?target-name=t")
    rest.fails(400, "BadRequestException", "GET", "polaris:/applicable-policies?namespace=" + "%1F".join("a" * 40))


def test_lists_come_by_pages_that_survive_changes(rest, namespace):
    for i in range(7):
        rest.ok("POST", "/namespaces", json={"namespace": [namespace, f"c{i}"]})
    path, found, token = f"/namespaces?parent={namespace}", [], ""
    while token is not None:
        page = rest.ok("GET", f"{path}&pageSize=2", params={"pageToken": token})
        assert len(page["namespaces"]) <= 2
        found += [n[1] for n in page["namespaces"]]
        if token == "":
            rest.ok("DELETE", f"/namespaces/{namespace}%1Fc0")
            rest.ok("POST", "/namespaces", json={"namespace": [namespace, "c1x"]})
        token = page["next-page-token"]
    assert found == ["c0", "c1", "c1x", "c2", "c3", "c4", "c5", "c6"]
    everything = rest.ok("GET", f"{path}&pageSize=2")  # no token: paging was not asked for
    assert len(everything["namespaces"]) == 7 and everything["next-page-token"] is None
    assert rest.ok("GET", f"{path}&pageToken=")["next-page-token"] is None
    rest.fails(400, "BadRequestException", "GET", f"{path}&pageToken=&pageSize=0")


# ---- tables

def test_create_load_list_exists_drop(rest, namespace):
    made = rest.create(namespace, "t", properties={"owner": "data"})
    metadata = made["metadata"]
    assert metadata["format-version"] == 2 and metadata["current-snapshot-id"] == -1 and metadata["last-sequence-number"] == 0
    assert metadata["properties"] == {"owner": "data", "write.parquet.compression-codec": "zstd"}
    assert made["metadata-location"].startswith(metadata["location"] + "/metadata/00000-")
    assert metadata["location"].startswith(f"s3://lakehouse/{namespace}/t-")
    path = f"/namespaces/{namespace}/tables"
    loaded = rest.ok("GET", f"{path}/t")
    assert (loaded["metadata"], loaded["metadata-location"]) == (metadata, made["metadata-location"])
    assert rest.ok("GET", path) == {"next-page-token": None, "identifiers": [{"namespace": [namespace], "name": "t"}]}
    assert rest.call("HEAD", f"{path}/t").status_code == 204
    rest.fails(409, "AlreadyExistsException", "POST", path, f"Table already exists: {namespace}.t", json={"name": "t", "schema": SCHEMA})
    assert rest.call("DELETE", f"{path}/t").status_code == 204
    assert rest.call("HEAD", f"{path}/t").status_code == 404
    rest.fails(404, "NoSuchTableException", "GET", f"{path}/t", f"Table does not exist: {namespace}.t")
    rest.fails(404, "NoSuchTableException", "DELETE", f"{path}/t", "Table does not exist: ")
    rest.fails(404, "NoSuchNamespaceException", "POST", "/namespaces/nothing/tables", "Namespace does not exist: nothing", json={"name": "t", "schema": SCHEMA})
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/nothing/tables", "Namespace does not exist: nothing")


def test_tables_by_pages(rest, namespace):
    for i in range(5):
        rest.create(namespace, f"t{i}")
    path = f"/namespaces/{namespace}/tables?pageSize=3&pageToken="
    first = rest.ok("GET", path)
    second = rest.ok("GET", path + first["next-page-token"])
    assert [t["name"] for t in first["identifiers"] + second["identifiers"]] == [f"t{i}" for i in range(5)] and second["next-page-token"] is None


@pytest.mark.parametrize("version", [1, 2, 3])
def test_format_versions(rest, namespace, version):
    metadata = rest.create(namespace, "t", properties={"format-version": str(version)})["metadata"]
    assert metadata["format-version"] == version and "format-version" not in metadata["properties"]
    assert ("schema" in metadata) == (version == 1) and ("next-row-id" in metadata) == (version == 3)
    assert metadata["current-snapshot-id"] == (None if version == 3 else -1)
    assert [f["id"] for f in metadata["schemas"][0]["fields"]] == [1, 2, 3]


@pytest.mark.parametrize("version", ["0", "4", "x"])
def test_format_versions_that_are_not_served(rest, namespace, version):
    rest.fails(400, "BadRequestException", "POST", f"/namespaces/{namespace}/tables", "format version",
               json={"name": "t", "schema": SCHEMA, "properties": {"format-version": version}})


def test_a_staged_table_is_made_by_its_commit(rest, namespace):
    tables = f"/namespaces/{namespace}/tables"
    staged = rest.create(namespace, "t", **{"stage-create": True})
    assert "metadata-location" not in staged or staged["metadata-location"] is None
    assert rest.call("HEAD", f"{tables}/t").status_code == 404
    m = staged["metadata"]
    updates = [{"action": "assign-uuid", "uuid": m["table-uuid"]}, {"action": "upgrade-format-version", "format-version": 2},
               {"action": "add-schema", "schema": m["schemas"][0], "last-column-id": 3}, {"action": "set-current-schema", "schema-id": -1},
               {"action": "add-spec", "spec": m["partition-specs"][0]}, {"action": "set-default-spec", "spec-id": -1},
               {"action": "add-sort-order", "sort-order": m["sort-orders"][0]}, {"action": "set-default-sort-order", "sort-order-id": -1},
               {"action": "set-location", "location": m["location"]}, {"action": "set-properties", "updates": {"k": "v"}}]
    create = {"type": "assert-create"}
    rest.refused(f"{tables}/t", *updates, requirements=[create, {"type": "assert-current-schema-id", "current-schema-id": 0}], text="assert-create must be the only")
    made = rest.commit(f"{tables}/t", *updates, requirements=[create])
    assert made["table-uuid"] == m["table-uuid"] and made["properties"]["k"] == "v"
    rest.refused(f"{tables}/t", *updates, requirements=[create], status=409, kind="CommitFailedException", text="Requirement failed: table already exists")
    rest.fails(404, "NoSuchTableException", "POST", f"{tables}/u", "Table does not exist: ", json={"requirements": [], "updates": []})


def test_rename(rest, namespace, table):
    def rename(source, destination):
        return {"json": {"source": {"namespace": source[:1], "name": source[1]}, "destination": {"namespace": destination[:1], "name": destination[1]}}}

    rest.ok("POST", "/namespaces", json={"namespace": [namespace + "b"]})
    location = rest.ok("GET", table)["metadata"]["location"]
    rest.fails(404, "NoSuchTableException", "POST", "/tables/rename", "Table does not exist: ", **rename([namespace, "x"], [namespace, "y"]))
    rest.fails(404, "NoSuchNamespaceException", "POST", "/tables/rename", "Namespace does not exist: ", **rename([namespace, "t"], ["nothing", "y"]))
    rest.create(namespace, "taken")
    rest.fails(409, "AlreadyExistsException", "POST", "/tables/rename", "Table already exists: ", **rename([namespace, "t"], [namespace, "taken"]))
    assert rest.call("POST", "/tables/rename", **rename([namespace, "t"], [namespace + "b", "moved"])).status_code == 204
    assert rest.call("HEAD", table).status_code == 404
    moved = f"/namespaces/{namespace}b/tables/moved"
    assert rest.ok("GET", moved)["metadata"]["location"] == location
    rest.commit(moved, {"action": "set-properties", "updates": {"still": "works"}})
    assert rest.create(namespace, "t")["metadata"]["location"] != location


def test_register_adopts_a_file_and_may_replace(rest, namespace, table):
    register = f"/namespaces/{namespace}/register"
    before = rest.ok("GET", table)
    body = {"name": "t", "metadata-location": before["metadata-location"]}
    rest.fails(409, "AlreadyExistsException", "POST", register, "Table already exists: ", json=body)
    rest.commit(table, {"action": "set-properties", "updates": {"a": "1"}})
    assert rest.ok("POST", register, json={**body, "overwrite": True})["metadata"] == before["metadata"]
    assert "a" not in rest.ok("GET", table)["metadata"]["properties"]
    rest.ok("DELETE", table)
    assert rest.ok("POST", register, json={**body, "name": "again"})["metadata"]["table-uuid"] == before["metadata"]["table-uuid"]
    rest.fails(400, "BadRequestException", "POST", register, json={"name": "u", "metadata-location": before["metadata-location"] + "x"})


def test_two_tables_cannot_be_one(rest, namespace, table):
    loaded = rest.ok("GET", table)
    body = {"name": "twin", "metadata-location": loaded["metadata-location"]}
    rest.fails(409, "AlreadyExistsException", "POST", f"/namespaces/{namespace}/register", "uuid", json=body)


def test_drop_without_purge_keeps_the_files_and_with_it_does_not(lake, rest, namespace):
    from firn_server import wait_for
    kept, purged = rest.create(namespace, "kept"), rest.create(namespace, "purged")
    assert rest.call("DELETE", f"/namespaces/{namespace}/tables/kept?purgeRequested=false").status_code == 204
    assert rest.call("DELETE", f"/namespaces/{namespace}/tables/purged?purgeRequested=true").status_code == 204
    s3 = lake.boto()

    def files(made):
        return s3.list_objects_v2(Bucket="lakehouse", Prefix=made["metadata"]["location"].removeprefix("s3://lakehouse/") + "/")["KeyCount"]

    wait_for(lambda: files(purged) == 0, what="the purge")
    assert files(kept) == 1
    assert rest.call("DELETE", f"/namespaces/{namespace}/tables/x?purgeRequested=maybe").status_code == 400


def test_metrics_are_taken(rest, table):
    report = {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1, "filter": True, "schema-id": 0, "projected-field-ids": [1], "projected-field-names": ["id"], "metrics": {}}
    assert rest.call("POST", table + "/metrics", json=report).status_code == 204
    rest.fails(404, "NoSuchTableException", "POST", table + "x/metrics", json=report)
    rest.fails(400, "BadRequestException", "POST", table + "/metrics", json={})


def test_an_unchanged_table_is_304(rest, table):
    first = rest.call("GET", table)
    tag = first.headers["ETag"]
    again = rest.call("GET", table, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    refs = rest.call("GET", table + "?snapshots=refs", headers={"If-None-Match": tag})
    assert refs.status_code == 200 and refs.headers["ETag"] != tag
    rest.commit(table, {"action": "set-properties", "updates": {"a": "1"}})
    assert rest.call("GET", table, headers={"If-None-Match": tag}).status_code == 200
    assert rest.call("GET", table + "?snapshots=some").status_code == 400


@pytest.mark.parametrize("name", ["a.b", "ü", "a b+c", "x%41", "a'b\"c", "*", "${aws:username}", "a/b", "...", "%1F"])
def test_odd_names_make_the_round_trip(rest, namespace, name):
    encoded = requests.utils.quote(name, safe="")
    rest.ok("POST", "/namespaces", json={"namespace": [namespace, name]})
    inside = f"/namespaces/{namespace}%1F{encoded}"
    made = rest.ok("POST", f"{inside}/tables", json={"name": name, "schema": SCHEMA})
    assert rest.ok("GET", f"{inside}/tables/{encoded}")["metadata"] == made["metadata"]
    assert rest.ok("GET", f"{inside}/tables")["identifiers"] == [{"namespace": [namespace, name], "name": name}]
    assert rest.ok("GET", f"/namespaces?parent={namespace}")["namespaces"] == [[namespace, name]]


def test_everything_is_there_after_a_restart(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    rest = Rest(server.catalog_url)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    made = rest.create("n", "t")
    server.restart()
    rest = Rest(server.catalog_url)
    assert rest.ok("GET", "/namespaces/n/tables/t")["metadata"] == made["metadata"]


def test_who_has_no_rights_here_sees_no_catalog(lake):
    outsider = Rest(lake.catalog_url, OUTSIDER)
    assert outsider.raw("GET", "/api/catalog/v1/config?warehouse=lakehouse").status_code == 404
    outsider.fails(404, "NoSuchWarehouseException", "GET", "/namespaces")
    outsider.fails(404, "NoSuchWarehouseException", "POST", "/namespaces", json={"namespace": ["x" + uuid.uuid4().hex]})
