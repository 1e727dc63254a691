"""The management API by raw requests: every operation, what each refuses, versions, who sees what; attacks C and D of the threat list by their numbers."""
import base64
import json
import subprocess
import uuid

import pytest
import requests
from firn_server import BINARY
from iceberg_helpers import READER, ROOT, Rest
from rawclient import Raw

BASE = "/api/management/v1"


class Manage(Rest):
    """A caller of the management API."""

    def call(self, method, path, **options):
        return self.session.request(method, self.url + BASE + path, timeout=60, **options)

    def gets(self, path):
        return self.ok("GET", path)

    def denied(self, method, path, **options):
        """The refusal, which says nothing of what is there."""
        error = self.fails(403, "ForbiddenException", method, path, **options)
        assert error["message"] == "Principal is not authorized for this operation"


def unique(word):
    return f"{word}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def root(lake):
    return Manage(lake.catalog_url)


@pytest.fixture
def newcomer(lake, root):
    """A principal without roles: (its name, its caller, its credential)."""
    return make_principal(lake, root)


def make_principal(lake, root, **more):
    name = unique("p")
    made = root.ok("POST", "/principals", json={"principal": {"name": name}, **more})
    credential = made["credentials"]["clientId"], made["credentials"]["clientSecret"]
    return name, Manage(lake.catalog_url, credential), credential


def make_catalog(lake, root, properties=None, **storage):
    name = unique("c")
    lake.boto().create_bucket(Bucket=name)
    return root.ok("POST", "/catalogs", json={"catalog": {
        "name": name, "type": "INTERNAL", "properties": {"default-base-location": f"s3://{name}/base", **(properties or {})},
        "storageConfigInfo": {"storageType": "S3", **storage}}})


def give(root, principal, catalog, *grants):
    """A new principal role of the principal, with a new catalog role that has the grants."""
    role, catalog_role = unique("r"), unique("cr")
    root.ok("POST", "/principal-roles", json={"principalRole": {"name": role}})
    root.ok("PUT", f"/principals/{principal}/principal-roles", json={"principalRole": {"name": role}})
    root.ok("POST", f"/catalogs/{catalog}/catalog-roles", json={"catalogRole": {"name": catalog_role}})
    root.ok("PUT", f"/principal-roles/{role}/catalog-roles/{catalog}", json={"catalogRole": {"name": catalog_role}})
    for grant in grants:
        root.ok("PUT", f"/catalogs/{catalog}/catalog-roles/{catalog_role}/grants", json={"grant": grant})
    return role, catalog_role


def on_catalog(privilege):
    return {"type": "catalog", "privilege": privilege}


def operations():
    lines = subprocess.run([BINARY, "--list-management-operations"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split("\t") for line in lines]


# ---- the table ----

def test_all_33_operations_of_polaris_are_there():
    of_polaris = [row for row in operations() if row[0] != "ReadAudit"]  # Firn's own
    assert len(of_polaris) == 33
    assert len({(row[1], row[2]) for row in of_polaris}) == 33


@pytest.mark.parametrize("row", operations(), ids=lambda row: row[0])
def test_no_operation_is_for_who_has_no_token_or_no_right(lake, newcomer, row):
    name, caller, _ = newcomer
    path = row[2].format_map({"catalog": "lakehouse", "principal": "root", "principal-role": "service_admin", "catalog-role": "catalog_admin"})
    answer = requests.request(row[1], lake.catalog_url + BASE + path, json={} if row[1] in ("PUT", "POST") else None, timeout=60)
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "NotAuthorizedException")
    answer = caller.call(row[1], path, json={} if row[1] in ("PUT", "POST") else None)
    if row[0] == "ListCatalogs":
        assert answer.json() == {"catalogs": []}
    elif path.startswith("/catalogs/") or "/catalog-roles/lakehouse" in path and row[1] != "GET":
        assert answer.status_code == 404 and answer.json()["error"]["message"] == "Catalog not found: lakehouse"
    else:
        assert answer.status_code == 403


@pytest.mark.parametrize("row", operations(), ids=lambda row: row[0])
def test_a17_cve_2020_11012_a_right_key_with_a_wrong_secret_opens_no_operation(lake, row):
    path = row[2].format_map({"catalog": "lakehouse", "principal": "root", "principal-role": "service_admin", "catalog-role": "catalog_admin"})
    host = lake.catalog_url.removeprefix("http://").split(":")
    signed = Raw(host[0], int(host[1]), ROOT[0], "wrong").sign(row[1], BASE + path)["authorization"]
    for claim in (signed, "Basic " + base64.b64encode(f"{ROOT[0]}:wrong".encode()).decode(), f"Bearer {ROOT[0]}", f"Bearer {ROOT[0]}:wrong"):
        answer = requests.request(row[1], lake.catalog_url + BASE + path, headers={"Authorization": claim}, json={} if row[1] in ("PUT", "POST") else None, timeout=60)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "NotAuthorizedException"), claim


def test_other_paths_and_methods_are_told_apart(root):
    root.fails(404, "NotFoundException", "GET", "/nothing")
    root.fails(404, "NotFoundException", "GET", "/catalogs/")
    root.fails(405, "MethodNotAllowedException", "PATCH", "/catalogs")
    root.fails(400, "BadRequestException", "GET", "/catalogs/%FF")


def test_health_needs_no_token(lake):
    assert requests.get(lake.catalog_url + BASE + "/health", timeout=60).json() == {"status": "UP"}


# ---- catalogs ----

def test_a_catalog_is_made_shown_changed_and_dropped(lake, root):
    storage = {"roleArn": "arn:aws:iam::1:role/r", "region": "eu-1", "endpoint": "http://s3:9000", "pathStyleAccess": True, "stsUnavailable": False,
               "allowedKmsKeys": ["arn:k"]}
    made = make_catalog(lake, root, {"owner": "ops"}, unknownOfLaterVersions={"x": 1}, **storage)
    name = made["name"]
    location = f"s3://{name}/base"
    assert made["type"] == "INTERNAL" and made["entityVersion"] == 1 and made["createTimestamp"] == made["lastUpdateTimestamp"] > 1_700_000_000_000
    assert made["properties"] == {"default-base-location": location, "owner": "ops"}
    assert made["storageConfigInfo"] == {"storageType": "S3", "allowedLocations": [location], **storage}
    assert root.gets(f"/catalogs/{name}") == made
    assert made in root.gets("/catalogs")["catalogs"]
    # It is a warehouse at once, and service_admin holds its catalog_admin.
    assert Rest(lake.catalog_url, prefix=name).ok("GET", "/namespaces")["namespaces"] == []
    assert [r["name"] for r in root.gets(f"/catalogs/{name}/catalog-roles")["roles"]] == ["catalog_admin"]
    assert [r["name"] for r in root.gets(f"/catalogs/{name}/catalog-roles/catalog_admin/principal-roles")["roles"]] == ["service_admin"]
    assert sorted(g["privilege"] for g in root.gets(f"/catalogs/{name}/catalog-roles/catalog_admin/grants")["grants"]) == [
        "CATALOG_MANAGE_ACCESS", "CATALOG_MANAGE_METADATA"]

    changed = root.ok("PUT", f"/catalogs/{name}", json={"currentEntityVersion": 1, "properties": {"team": "x"}})
    assert changed["entityVersion"] == 2 and changed["properties"] == {"default-base-location": location, "team": "x"}
    assert changed["createTimestamp"] == made["createTimestamp"] and changed["storageConfigInfo"] == made["storageConfigInfo"]
    changed = root.ok("PUT", f"/catalogs/{name}", json={"currentEntityVersion": 2, "storageConfigInfo": {"storageType": "S3", "region": "us-2"}})
    assert changed["storageConfigInfo"] == {"storageType": "S3", "region": "us-2", "allowedLocations": [location]}
    assert root.gets(f"/catalogs/{name}") == changed

    assert root.ok("DELETE", f"/catalogs/{name}") is None
    root.fails(404, "NotFoundException", "GET", f"/catalogs/{name}")
    root.fails(404, "NotFoundException", "DELETE", f"/catalogs/{name}")
    assert make_catalog(lake, root)  # and others can still be made


def test_a_change_from_an_old_version_is_a_conflict_and_does_nothing(lake, root):
    made = make_catalog(lake, root)
    for version in (0, 2, -1):
        root.fails(409, "CommitFailedException", "PUT", f"/catalogs/{made['name']}", json={"currentEntityVersion": version, "properties": {"a": "b"}})
    assert root.gets(f"/catalogs/{made['name']}") == made


def test_what_a_catalog_must_be_is_said(lake, root):
    bucket = unique("b")
    lake.boto().create_bucket(Bucket=bucket)

    def refused(text, status=400, kind="BadRequestException", body=None, **change):
        catalog = {"name": unique("c"), "type": "INTERNAL", "properties": {"default-base-location": f"s3://{bucket}/x"}, "storageConfigInfo": {"storageType": "S3"}}
        catalog.update(change)
        root.fails(status, kind, "POST", "/catalogs", text, json=body or {"catalog": {k: v for k, v in catalog.items() if v is not ...}})

    refused("'catalog' is missing", body={"x": 1})
    refused("'name' is missing", name=...)
    refused("'name' must be a string", name=7)
    for name in ("", "a\x00b", "x" * 256, "system$x", " SYSTEM$x", ".."):
        refused("", name=name)
    refused("EXTERNAL", type="EXTERNAL")
    refused("'type' must be INTERNAL", type="SOMETHING")
    refused("'properties' is missing", properties=...)
    refused("default-base-location", properties={})
    refused("property 'n' must be a string", properties={"default-base-location": f"s3://{bucket}/x", "n": 1})
    refused("'storageConfigInfo' is missing", storageConfigInfo=...)
    refused("'storageType' is missing", storageConfigInfo={})
    for kind in ("FILE", "GCS", "AZURE", "s3"):
        refused(f"Unsupported storage type: {kind}", storageConfigInfo={"storageType": kind})
    refused("'storageConfigInfo.allowedLocations' must be an array of strings", storageConfigInfo={"storageType": "S3", "allowedLocations": "s3://x"})
    refused("'storageConfigInfo.pathStyleAccess' must be true or false", storageConfigInfo={"storageType": "S3", "pathStyleAccess": "yes"})
    refused("Invalid location", storageConfigInfo={"storageType": "S3", "allowedLocations": ["gs://x/y"]})
    for location in ("file:///etc", f"s3://{bucket}/../x", f"s3://{bucket}//x", "s3:///x", "x"):
        refused("Invalid location", properties={"default-base-location": location})
    missing = unique("missing")
    refused(f"the bucket '{missing}' of default-base-location does not exist", properties={"default-base-location": f"s3://{missing}/x"})
    refused("Catalog already exists", 409, "AlreadyExistsException", name="lakehouse")
    root.fails(400, "BadRequestException", "POST", "/catalogs", data=b"{")
    root.fails(400, "BadRequestException", "POST", "/catalogs", data=b"[]")
    root.fails(413, "BadRequestException", "POST", "/catalogs", data=b" " * (1 << 20) + b"{}")


@pytest.mark.parametrize("location", ["s3://{0}/base", "s3://{0}", "S3://{0}/base/", "s3a://{0}/base/below", "s3n://{0}/base/below/it"])
def test_places_of_two_catalogs_do_not_overlap(lake, root, location):
    first = make_catalog(lake, root)["name"]
    bucket = unique("b")
    lake.boto().create_bucket(Bucket=bucket)
    taken = location.format(first)
    for properties, allowed in (({"default-base-location": taken}, []), ({"default-base-location": f"s3://{bucket}/x"}, [taken])):
        error = root.fails(400, "BadRequestException", "POST", "/catalogs", "overlaps", json={"catalog": {
            "name": unique("c"), "type": "INTERNAL", "properties": properties, "storageConfigInfo": {"storageType": "S3", "allowedLocations": allowed}}})
        assert first not in error["message"].replace(f"s3://{first}", "")
    # A neighbour whose name only begins the same is none.
    root.ok("POST", "/catalogs", json={"catalog": {"name": unique("c"), "type": "INTERNAL", "properties": {"default-base-location": f"s3://{first}/base2"},
                                                   "storageConfigInfo": {"storageType": "S3"}}})


def test_a_catalog_that_is_used_stays_and_moves_only_outwards(lake, root):
    made = make_catalog(lake, root)
    name = made["name"]
    rest = Rest(lake.catalog_url, prefix=name)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    root.fails(400, "BadRequestException", "DELETE", f"/catalogs/{name}", "is not empty")
    move = {"currentEntityVersion": 1, "properties": {"default-base-location": f"s3://{name}/other"}}
    root.fails(400, "BadRequestException", "PUT", f"/catalogs/{name}", "does not hold", json=move)
    assert root.gets(f"/catalogs/{name}") == made
    rest.create("n", "t")
    root.ok("PUT", f"/catalogs/{name}", json={"currentEntityVersion": 1, "properties": {"default-base-location": f"s3://{name}"}})
    assert rest.ok("GET", "/namespaces/n/tables/t")["metadata"]["location"].startswith(f"s3://{name}/base/n/t")
    rest.ok("DELETE", "/namespaces/n/tables/t")
    rest.ok("DELETE", "/namespaces/n")
    root.ok("POST", f"/catalogs/{name}/catalog-roles", json={"catalogRole": {"name": "mine"}})
    root.fails(400, "BadRequestException", "DELETE", f"/catalogs/{name}", "mine")
    root.ok("DELETE", f"/catalogs/{name}/catalog-roles/mine")
    root.ok("DELETE", f"/catalogs/{name}")


def test_a_list_shows_only_the_catalogs_that_one_sees(lake, root, newcomer):
    name, caller, _ = newcomer
    made = make_catalog(lake, root, {"secret-of": "the owner"}, roleArn="arn:r")
    make_catalog(lake, root)
    assert caller.gets("/catalogs") == {"catalogs": []}
    caller.fails(404, "NotFoundException", "GET", f"/catalogs/{made['name']}", f"Catalog not found: {made['name']}")
    give(root, name, made["name"], on_catalog("TABLE_LIST"))
    [seen] = caller.gets("/catalogs")["catalogs"]
    assert seen["name"] == made["name"] and seen["properties"] == {"default-base-location": made["properties"]["default-base-location"]}
    assert seen["storageConfigInfo"] == {"storageType": "S3"}
    caller.denied("GET", f"/catalogs/{made['name']}")
    give(root, name, made["name"], on_catalog("CATALOG_READ_PROPERTIES"))
    assert caller.gets("/catalogs")["catalogs"] == [made] and caller.gets(f"/catalogs/{made['name']}") == made


# ---- principals, roles ----

KINDS = [("/principals", "principal", "principals"), ("/principal-roles", "principalRole", "roles"), ("/catalogs/lakehouse/catalog-roles", "catalogRole", "roles")]


@pytest.mark.parametrize("path,field,listed", KINDS, ids=[k[1] for k in KINDS])
def test_an_entity_is_made_shown_changed_and_dropped(root, path, field, listed):
    name = unique("e") + " ä/b"
    at = path + "/" + requests.utils.quote(name, safe="")
    made = root.ok("POST", path, json={field: {"name": name, "properties": {"a": "b"}, "unknownOfLaterVersions": 1}})
    made = made[field] if field == "principal" else made
    assert made["name"] == name and made["properties"] == {"a": "b"} and made["entityVersion"] == 1 and made["createTimestamp"] > 1_700_000_000_000
    assert made.get("federated") == (False if field == "principalRole" else None)
    assert root.gets(at) == made and made in root.gets(path)[listed]
    root.fails(409, "AlreadyExistsException", "POST", path, json={field: {"name": name}})

    changed = root.ok("PUT", at, json={"currentEntityVersion": 1, "properties": {"c": "d"}})
    assert changed["entityVersion"] == 2 and changed["properties"] == {"c": "d"} and root.gets(at) == changed
    root.fails(409, "CommitFailedException", "PUT", at, json={"currentEntityVersion": 1, "properties": {}})
    assert root.gets(at) == changed
    for body, text in [({"properties": {}}, "'currentEntityVersion' is missing"), ({"currentEntityVersion": "2", "properties": {}}, "'currentEntityVersion' must be"),
                       ({"currentEntityVersion": 2}, "'properties' is missing"), ({"currentEntityVersion": 2, "properties": {"x": 1}}, "'x' must be a string")]:
        root.fails(400, "BadRequestException", "PUT", at, text, json=body)

    assert root.ok("DELETE", at) is None
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"currentEntityVersion": 2, "properties": {}})):
        root.fails(404, "NotFoundException", method, at, json=body)


@pytest.mark.parametrize("path,field,listed", KINDS, ids=[k[1] for k in KINDS])
def test_what_an_entity_must_be_is_said(root, path, field, listed):
    root.fails(400, "BadRequestException", "POST", path, f"'{field}' is missing", json={})
    root.fails(400, "BadRequestException", "POST", path, "'name' is missing", json={field: {}})
    root.fails(400, "BadRequestException", "POST", path, "'properties' must be", json={field: {"name": unique("e"), "properties": []}})
    root.fails(400, "BadRequestException", "POST", path, "'x' must be a string", json={field: {"name": unique("e"), "properties": {"x": {}}}})
    for name in ("", "x" * 257, "a\nb", "system$x", " System$x"):
        root.fails(400, "BadRequestException", "POST", path, json={field: {"name": name}})


def test_the_servers_own_stay(root):
    for method, path in (("DELETE", "/principals/root"), ("DELETE", "/principal-roles/service_admin"), ("DELETE", "/catalogs/lakehouse/catalog-roles/catalog_admin")):
        root.fails(400, "BadRequestException", method, path)
    # Root has service_admin, so that giving it is done already, and taking it away is not to be done.
    root.ok("PUT", "/principals/root/principal-roles", json={"principalRole": {"name": "service_admin"}})
    assert [r["name"] for r in root.gets("/principals/root/principal-roles")["roles"]] == ["service_admin"]
    root.fails(400, "BadRequestException", "DELETE", "/principals/root/principal-roles/service_admin")
    root.fails(400, "BadRequestException", "DELETE", "/principals/reader")  # of the identities file
    assert {"root", "reader"} <= {p["name"] for p in root.gets("/principals")["principals"]}


def test_roles_are_assigned_and_taken_away(root, newcomer):
    name, _, _ = newcomer
    role, catalog_role = unique("r"), unique("cr")
    root.ok("POST", "/principal-roles", json={"principalRole": {"name": role, "federated": False}})
    root.ok("POST", "/catalogs/lakehouse/catalog-roles", json={"catalogRole": {"name": catalog_role}})
    steps = [(f"/principals/{name}/principal-roles", "principalRole", role, f"/principal-roles/{role}/principals", "principals", name),
             (f"/principal-roles/{role}/catalog-roles/lakehouse", "catalogRole", catalog_role, f"/catalogs/lakehouse/catalog-roles/{catalog_role}/principal-roles", "roles", role)]
    for path, field, what, holders, listed, holder in steps:
        assert root.gets(path) == {"roles": []} and root.gets(holders) == {listed: []}
        for _ in range(2):
            assert root.call("PUT", path, json={field: {"name": what}}).status_code == 201
        assert [r["name"] for r in root.gets(path)["roles"]] == [what]
        assert [h["name"] for h in root.gets(holders)[listed]] == [holder]
        root.fails(404, "NotFoundException", "PUT", path, json={field: {"name": "nobody"}})
        root.fails(400, "BadRequestException", "PUT", path, f"'{field}' is missing", json={"name": what})
        assert root.call("DELETE", f"{path}/{what}").status_code == 204
        root.fails(404, "NotFoundException", "DELETE", f"{path}/{what}")
        assert root.gets(path) == {"roles": []}
    root.fails(404, "NotFoundException", "GET", f"/principal-roles/{role}/catalog-roles/nothing")
    root.fails(404, "NotFoundException", "PUT", "/principals/nobody/principal-roles", json={"principalRole": {"name": role}})


# ---- credentials ----

def test_a_principal_rotates_its_own_credentials(lake, root, newcomer):
    name, caller, old = newcomer
    answer = caller.call("POST", f"/principals/{name}/rotate")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    new = answer.json()["credentials"]
    assert answer.json()["principal"]["name"] == name and new["clientId"] == old[0] and new["clientSecret"] != old[1]
    assert caller.call("GET", "/catalogs").status_code == 401  # its tokens of before are dead
    assert Manage(lake.catalog_url, (new["clientId"], new["clientSecret"])).gets("/catalogs") == {"catalogs": []}


def test_who_must_rotate_may_do_nothing_else(lake, root):
    name, caller, credential = make_principal(lake, root, credentialRotationRequired=True)
    give(root, name, "lakehouse", on_catalog("CATALOG_MANAGE_CONTENT"))
    assert caller.gets("/catalogs") == {"catalogs": []}
    caller.denied("GET", f"/principals/{name}")
    new = caller.ok("POST", f"/principals/{name}/rotate")["credentials"]
    assert [c["name"] for c in Manage(lake.catalog_url, (new["clientId"], new["clientSecret"])).gets("/catalogs")["catalogs"]] == ["lakehouse"]


def test_reset_gives_new_credentials_or_those_that_are_wanted(lake, root, newcomer):
    name, caller, old = newcomer
    made = root.ok("POST", f"/principals/{name}/reset")["credentials"]
    assert made["clientSecret"] != old[1] and caller.call("GET", "/catalogs").status_code == 401
    wanted = {"clientId": unique("id"), "clientSecret": uuid.uuid4().hex}
    assert root.ok("POST", f"/principals/{name}/reset", json=wanted)["credentials"] == wanted
    assert Manage(lake.catalog_url, (wanted["clientId"], wanted["clientSecret"])).gets("/catalogs") == {"catalogs": []}
    assert caller.ask_token({"grant_type": "client_credentials", "client_id": made["clientId"], "client_secret": made["clientSecret"]}).status_code == 401
    other, _, _ = make_principal(lake, root)
    root.fails(409, "AlreadyExistsException", "POST", f"/principals/{other}/reset", json=wanted)
    root.fails(400, "BadRequestException", "POST", f"/principals/{other}/reset", "'clientSecret' must be a string", json={"clientSecret": 1})
    root.fails(404, "NotFoundException", "POST", "/principals/nobody/reset")


def test_credentials_of_the_configuration_are_not_changed_here(lake, root):
    for verb in ("rotate", "reset"):
        for name in ("reader", "root"):
            root.fails(400, "BadRequestException", "POST", f"/principals/{name}/{verb}")
    Manage(lake.catalog_url, READER).fails(400, "BadRequestException", "POST", "/principals/reader/rotate")


# ---- grants ----

def test_grants_of_each_type_are_given_listed_and_revoked(lake, root, rest, namespace, table):
    role = unique("cr")
    at = f"/catalogs/lakehouse/catalog-roles/{role}/grants"
    root.ok("POST", "/catalogs/lakehouse/catalog-roles", json={"catalogRole": {"name": role}})
    view = {"name": "v", "schema": {"type": "struct", "fields": []}, "properties": {}, "view-version": {
        "version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": [namespace], "representations": [{"type": "sql", "sql": "select 1", "dialect": "d"}]}}
    rest.ok("POST", f"/namespaces/{namespace}/views", json=view)
    grants = [on_catalog("CATALOG_MANAGE_CONTENT"), {"type": "namespace", "namespace": [namespace], "privilege": "TABLE_CREATE"},
              {"type": "table", "namespace": [namespace], "tableName": "t", "privilege": "TABLE_READ_DATA"},
              {"type": "view", "namespace": [namespace], "viewName": "v", "privilege": "VIEW_DROP"}]
    for grant in grants + grants:
        assert root.call("PUT", at, json={"grant": grant}).status_code == 201
    key = lambda g: json.dumps(g, sort_keys=True)  # noqa: E731
    assert sorted(root.gets(at)["grants"], key=key) == sorted(grants, key=key)
    for grant in grants:
        assert root.call("POST", at, params={"cascade": "false"}, json={"grant": grant}).status_code == 201
        root.fails(404, "NotFoundException", "POST", at, json={"grant": grant})
    assert root.gets(at) == {"grants": []}
    root.fails(400, "BadRequestException", "POST", at, "cascade", params={"cascade": "true"}, json={"grant": grants[0]})


def test_what_a_grant_must_be_is_said(root, namespace):
    at = "/catalogs/lakehouse/catalog-roles/catalog_admin/grants"

    def refused(text, grant, status=400, kind="BadRequestException"):
        for method in ("PUT", "POST"):
            root.fails(status, kind, method, at, text, json={"grant": grant})

    root.fails(400, "BadRequestException", "PUT", at, "'grant' is missing", json={})
    refused("'type' is missing", {"privilege": "TABLE_LIST"})
    refused("'type' must be", {"type": "bucket", "privilege": "TABLE_LIST"})
    refused("policies", {"type": "policy", "namespace": ["n"], "policyName": "p", "privilege": "POLICY_READ"})
    refused("'privilege' is missing", {"type": "catalog"})
    for privilege in ("NOTHING", "SERVICE_MANAGE_ACCESS", "PRINCIPAL_CREATE", "CATALOG_ROLE_USAGE", "table_list"):
        refused("cannot be granted on a catalog", on_catalog(privilege))
    refused("cannot be granted on a table", {"type": "table", "namespace": [namespace], "tableName": "t", "privilege": "NAMESPACE_CREATE"})
    # What was meant for a namespace must not become a grant on the whole catalog.
    refused("'namespace' does not belong", {"type": "catalog", "namespace": [namespace], "privilege": "TABLE_LIST"})
    refused("'tableName' does not belong", {"type": "namespace", "namespace": [namespace], "tableName": "t", "privilege": "TABLE_LIST"})
    refused("'namespace' is missing", {"type": "namespace", "privilege": "TABLE_LIST"})
    refused("'namespace' must be", {"type": "namespace", "namespace": [1], "privilege": "TABLE_LIST"})
    refused("Invalid namespace", {"type": "namespace", "namespace": [], "privilege": "TABLE_LIST"})
    refused("'tableName' is missing", {"type": "table", "namespace": [namespace], "privilege": "TABLE_LIST"})
    refused("", {"type": "namespace", "namespace": ["nothing"], "privilege": "TABLE_LIST"}, 404, "NoSuchNamespaceException")
    refused("", {"type": "table", "namespace": [namespace], "tableName": "nothing", "privilege": "TABLE_LIST"}, 404, "NoSuchTableException")
    refused("", {"type": "view", "namespace": [namespace], "viewName": "nothing", "privilege": "VIEW_LIST"}, 404, "NoSuchViewException")
    root.fails(400, "BadRequestException", "POST", at, json={"grant": on_catalog("CATALOG_MANAGE_ACCESS")})
    root.fails(404, "NotFoundException", "PUT", "/catalogs/lakehouse/catalog-roles/nobody/grants", json={"grant": on_catalog("TABLE_LIST")})
    root.fails(404, "NotFoundException", "GET", "/catalogs/lakehouse/catalog-roles/nobody/grants")


def test_a_grant_is_in_force_at_once_and_so_is_its_end(lake, root, newcomer, namespace, table):
    name, _, credential = newcomer
    rest = Rest(lake.catalog_url, credential)
    rest.fails(404, "NoSuchWarehouseException", "GET", table)
    grant = {"type": "table", "namespace": [namespace], "tableName": "t", "privilege": "TABLE_READ_PROPERTIES"}
    _, catalog_role = give(root, name, "lakehouse", grant)
    assert rest.ok("GET", table)
    root.ok("POST", f"/catalogs/lakehouse/catalog-roles/{catalog_role}/grants", json={"grant": grant})
    rest.fails(404, "NoSuchWarehouseException", "GET", table)


# ---- attacks ----

def test_C3_nobody_makes_a_principal_of_anothers_rights(root, newcomer):
    _, caller, _ = newcomer
    for body in ({"principal": {"name": unique("x"), "parent": "root"}}, {"principal": {"name": unique("x"), "roles": ["service_admin"], "is_root": True}}):
        caller.denied("POST", "/principals", json=body)
        made = root.ok("POST", "/principals", json=body)["principal"]
        assert root.gets(f"/principals/{made['name']}/principal-roles") == {"roles": []}


def test_C4_a_field_that_does_not_belong_gives_nothing(lake, newcomer, root):
    name, caller, _ = newcomer
    new = caller.ok("POST", f"/principals/{name}/rotate", json={"policy": "admin", "principalRole": {"name": "service_admin"}, "clientSecret": "known"})
    assert new["credentials"]["clientSecret"] != "known"
    assert root.gets(f"/principals/{name}/principal-roles") == {"roles": []} and root.gets(f"/principals/{name}")["properties"] == {}


def test_C5_who_manages_one_catalog_makes_nobody_service_admin(lake, root, newcomer):
    name, caller, _ = newcomer
    give(root, name, "lakehouse", on_catalog("CATALOG_MANAGE_ACCESS"))
    caller.denied("PUT", f"/principals/{name}/principal-roles", json={"principalRole": {"name": "service_admin"}})
    caller.denied("POST", "/principal-roles", json={"principalRole": {"name": unique("r")}})
    caller.denied("POST", "/catalogs", json={"catalog": {}})


def test_C8_credentials_of_others_are_out_of_reach(lake, root, newcomer):
    _, caller, _ = newcomer
    other, _, credential = make_principal(lake, root)
    for path in (f"/principals/{other}/rotate", f"/principals/{other}/reset", "/principals/root/rotate", "/principals/nobody/rotate"):
        caller.denied("POST", path)
    for method in ("GET", "DELETE"):
        caller.denied(method, f"/principals/{other}")
        caller.denied(method, "/principals/nobody")  # the same for who is not there
    assert Manage(lake.catalog_url, credential).gets("/catalogs") == {"catalogs": []}


def test_C9_headers_make_nobody_root(lake, newcomer):
    _, caller, _ = newcomer
    for header in ("userid", "groups", "x-amz-meta-aws:username", "aws:PrincipalArn", "Polaris-Realm", "X-Forwarded-User", "X-Principal", "Polaris-Principal"):
        caller.denied("GET", "/principals", headers={header.replace(":", "-"): "root"})
    basic = "Basic " + base64.b64encode(":".join(ROOT).encode()).decode()
    answer = requests.get(lake.catalog_url + BASE + "/principals", headers={"Authorization": basic}, timeout=60)
    assert answer.status_code == 401


def test_C21_who_is_dropped_is_out_at_once(root, newcomer):
    name, caller, _ = newcomer
    assert caller.gets("/catalogs") == {"catalogs": []}
    root.ok("DELETE", f"/principals/{name}")
    assert caller.call("GET", "/catalogs").status_code == 401


def test_D16_a_secret_is_shown_once_and_logged_never(lake, root, newcomer):
    name, _, credential = newcomer
    assert credential[1] not in root.call("GET", f"/principals/{name}").text + root.call("GET", "/principals").text
    assert credential[1] not in lake.log.read_text()


def test_D21_rights_on_one_catalog_grant_nothing_on_another(lake, root, newcomer):
    name, caller, _ = newcomer
    other = make_catalog(lake, root)["name"]
    root.ok("POST", f"/catalogs/{other}/catalog-roles", json={"catalogRole": {"name": "victim"}})
    role, catalog_role = give(root, name, "lakehouse", on_catalog("CATALOG_MANAGE_ACCESS"))
    caller.ok("PUT", f"/catalogs/lakehouse/catalog-roles/{catalog_role}/grants", json={"grant": on_catalog("TABLE_LIST")})
    for method, path, body in (("PUT", f"/catalogs/{other}/catalog-roles/victim/grants", {"grant": on_catalog("TABLE_LIST")}),
                               ("PUT", f"/principal-roles/{role}/catalog-roles/{other}", {"catalogRole": {"name": "victim"}}),
                               ("POST", f"/catalogs/{other}/catalog-roles", {"catalogRole": {"name": "mine"}}), ("GET", f"/catalogs/{other}/catalog-roles", None)):
        caller.fails(404, "NotFoundException", method, path, f"Catalog not found: {other}", json=body)
    # No role nests in itself: there is no path for it, and names of another kind are not found.
    root.fails(404, "NotFoundException", "PUT", f"/principals/{role}/principal-roles", json={"principalRole": {"name": role}})
    root.fails(404, "NotFoundException", "PUT", f"/principal-roles/{role}/catalog-roles/lakehouse", json={"catalogRole": {"name": role}})


def test_D21_a_grant_without_the_right_to_grant_is_refused(lake, root, newcomer, namespace, table):
    name, caller, _ = newcomer
    _, catalog_role = give(root, name, "lakehouse", on_catalog("CATALOG_MANAGE_CONTENT"))
    at = f"/catalogs/lakehouse/catalog-roles/{catalog_role}/grants"
    for grant in (on_catalog("TABLE_LIST"), {"type": "namespace", "namespace": [namespace], "privilege": "TABLE_LIST"},
                  {"type": "table", "namespace": [namespace], "tableName": "t", "privilege": "TABLE_LIST"},
                  {"type": "table", "namespace": [namespace], "tableName": "nothing", "privilege": "TABLE_LIST"}):
        caller.denied("PUT", at, json={"grant": grant})
        caller.denied("POST", at, json={"grant": grant})


def test_D21_who_may_change_a_catalog_does_not_move_it_over_anothers_bucket(lake, root, newcomer):
    name, caller, _ = newcomer
    made = make_catalog(lake, root)
    bucket = unique("victim")
    lake.boto().create_bucket(Bucket=bucket)
    give(root, name, made["name"], on_catalog("CATALOG_MANAGE_CONTENT"))
    at = f"/catalogs/{made['name']}"
    caller.denied("PUT", at, json={"currentEntityVersion": 1, "properties": {"default-base-location": f"s3://{bucket}"}})
    caller.denied("PUT", at, json={"currentEntityVersion": 1, "storageConfigInfo": {"storageType": "S3", "allowedLocations": [f"s3://{bucket}"]}})
    assert caller.ok("PUT", at, json={"currentEntityVersion": 1, "properties": {"owner": name}})["properties"]["owner"] == name


@pytest.mark.parametrize("name", ["..", ".", "%2e%2e", "lakehouse%2F..%2Fsecond", "..%2Flakehouse", "%00", "lakehouse%00", "LAKEHOUSE", "lakehouse%20", "%1F"])
def test_D24_another_spelling_is_no_catalog(lake, root, name):
    # As it is: requests would tidy the path up.
    request = requests.Request("GET", lake.catalog_url, headers=dict(root.session.headers)).prepare()
    request.url = lake.catalog_url + BASE + "/catalogs/" + name
    answer = root.session.send(request, timeout=60)
    assert answer.status_code in (400, 404), answer.text


def test_what_was_made_is_there_after_a_restart(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    root = Manage(server.catalog_url)
    name, caller, credential = make_principal(server, root)
    catalog = make_catalog(server, root)
    give(root, name, catalog["name"], on_catalog("CATALOG_READ_PROPERTIES"))
    server.restart()
    assert Manage(server.catalog_url, credential).gets("/catalogs") == {"catalogs": [catalog]}
