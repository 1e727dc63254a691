"""The audit log: what was changed, refused and read, by whom; and what is never in it."""
import json
import signal
import subprocess
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests
from firn_server import BINARY, ROOT, wait_for
from iceberg_helpers import DELEGATE, READER, SCHEMA, Rest, add_snapshot
from manage_helpers import Admin, somebody


def events(admin, **query):
    return admin.ok("GET", "/audit", params=query)["events"]


def one(admin, **query):
    """The one event of that kind, as soon as it is written: refusals and reads are written behind."""
    found = wait_for(lambda: events(admin, **query), 20, f"an event {query}")
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def admin(rest):
    return Admin(rest)


@pytest.fixture
def name():
    return "a_" + uuid.uuid4().hex[:10]


def test_a_change_says_who_did_what_from_where_and_what_changed(admin, rest, name):
    rest.ok("POST", "/namespaces", json={"namespace": [name], "properties": {"owner": "secret-value"}})
    rest.create(name, "t")
    path = f"/namespaces/{name}/tables/t"
    answer = rest.call("POST", path, json={"requirements": [], "updates": [
        {"action": "set-properties", "updates": {"key-told": "value-not-told"}}, {"action": "remove-properties", "removals": ["gone"]}, *add_snapshot(77, 1)]})
    assert answer.status_code == 200
    found = one(admin, operation="UpdateTable", object=f"{name}.t")
    assert found["request-id"] == answer.headers["X-Request-ID"]
    assert (found["principal"], found["roles"], found["address"], found["catalog"], found["outcome"]) == ("root", "service_admin", "127.0.0.1", "lakehouse", "ok")
    told = found["details"]["updates"]
    assert [u["action"] for u in told] == ["set-properties", "remove-properties", "add-snapshot", "set-snapshot-ref"]
    assert told[0]["keys"] == ["key-told"] and told[1]["removals"] == ["gone"] and told[2]["snapshot-id"] == 77 and told[3]["ref-name"] == "main"
    assert one(admin, operation="CreateNamespace", object=name)["details"]["properties"] == ["owner"]
    text = json.dumps(events(admin, object=name, pageSize=1000))
    assert "value-not-told" not in text and "secret-value" not in text


def test_bug_a_catalogs_row_told_the_values_of_its_properties(admin, lake, name):
    bucket = name.replace("_", "-")
    lake.boto().create_bucket(Bucket=bucket)
    place, storage = f"s3://{bucket}", {"storageType": "S3", "allowedLocations": [f"s3://{bucket}/inner"], "externalId": "id-not-told"}
    admin.ok("POST", "/catalogs", json={"catalog": {"type": "INTERNAL", "name": name, "properties": {"default-base-location": place, "password": "value-not-told"},
                                                    "storageConfigInfo": storage}})
    admin.ok("PUT", f"/catalogs/{name}", json={"currentEntityVersion": 1, "properties": {"default-base-location": place, "password": "another-not-told"}})
    admin.ok("DELETE", f"/catalogs/{name}")
    told = {e["operation"]: e.get("details") for e in events(admin, object=name, outcome="ok")}
    assert set(told) == {"CreateCatalog", "UpdateCatalog", "DeleteCatalog"}
    assert sorted(told["CreateCatalog"]["properties"]) == ["default-base-location", "password"] and told["UpdateCatalog"]["version"] == 2
    assert told["CreateCatalog"]["base-location"] == place and told["CreateCatalog"]["allowed-locations"][0] == place + "/inner"
    assert "not-told" not in json.dumps(told)


def test_bug_a_transaction_of_many_tables_was_too_large_with_what_was_told_of_it(admin, rest, name):
    """200 tables, 100 property keys of 90 characters each: what is told of a commit never makes it fail."""
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    names = [f"t{i}" for i in range(200)]
    for table in names:
        rest.create(name, table)
    updates = [{"action": "set-properties", "updates": {f"{'k' * 90}{i}": "1" for i in range(100)}}, {"action": "remove-properties", "removals": ["x"]}]
    rest.ok("POST", "/transactions/commit", json={"table-changes": [
        {"identifier": {"namespace": [name], "name": table}, "requirements": [], "updates": updates} for table in names]})
    rows = events(admin, object=name, operation="UpdateTable", pageSize=1000)
    assert sorted(e["object"] for e in rows) == sorted(f"{name}.{table}" for table in names)
    for e in rows:
        assert e["details"]["actions"] == {"set-properties": 1, "remove-properties": 1}
        told = e["details"]["updates"][0]
        assert len(told["keys"]) + told["more"] == 100


def test_each_kind_of_change_has_its_row(admin, rest, name):
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    rest.ok("POST", f"/namespaces/{name}/properties", json={"updates": {"a": "1"}, "removals": []})
    rest.create(name, "t")
    rest.ok("POST", "/tables/rename", json={"source": {"namespace": [name], "name": "t"}, "destination": {"namespace": [name], "name": "u"}})
    rest.ok("DELETE", f"/namespaces/{name}/tables/u?purgeRequested=true")
    rest.ok("DELETE", f"/namespaces/{name}")
    done = [e["operation"] for e in reversed(events(admin, object=name, outcome="ok")) if e["operation"][:4] not in ("Load", "List")]
    assert done == ["CreateNamespace", "UpdateNamespace", "CreateTable", "RenameTable", "DropTable", "DropNamespace"]
    admin.person(name)
    admin.grant(name, "TABLE_LIST")
    admin.revoke(name, "TABLE_LIST")
    admin.ok("POST", f"/principals/{name}/reset", json={})
    admin.ok("DELETE", f"/principals/{name}")
    made = {e["operation"] for e in events(admin, object=name, outcome="ok")} | {e["operation"] for e in events(admin, object=f"lakehouse/{name}")}
    assert made >= {"CreatePrincipal", "CreatePrincipalRole", "CreateCatalogRole", "AssignPrincipalRole", "AssignCatalogRoleToPrincipalRole", "AddGrantToCatalogRole",
                    "RevokeGrantFromCatalogRole", "ResetCredentials", "DeletePrincipal"}


def test_bug_a_change_and_its_refusal_had_different_names(admin, rest, lake, name):
    """So a filter by operation found one of the two: both are called as the tables of operations are."""
    known = {line.split("\t")[0] for kind in ("rest", "management") for line in subprocess.check_output([BINARY, f"--list-{kind}-operations"], text=True).splitlines()}
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    rest.ok("POST", f"/namespaces/{name}/views", json={"name": "v", "schema": SCHEMA, "properties": {}, "view-version": {
        "version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": [name],
        "representations": [{"type": "sql", "sql": "SELECT 1", "dialect": "duckdb"}]}})
    admin.person(name)
    admin.grant(name, "TABLE_LIST")
    admin.revoke(name, "TABLE_LIST")
    _, nobody, who = somebody(lake, "NAMESPACE_LIST", "VIEW_LIST")
    properties = {"json": {"updates": {"a": "1"}, "removals": []}}
    replaced = {"json": {"requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "1"}}]}}
    rest.ok("POST", f"/namespaces/{name}/properties", **properties)
    rest.ok("POST", f"/namespaces/{name}/views/v", **replaced)
    assert nobody.call("POST", f"/namespaces/{name}/properties", **properties).status_code == 403
    assert nobody.call("POST", f"/namespaces/{name}/views/v", **replaced).status_code == 403
    for operation, about in (("UpdateNamespace", name), ("ReplaceView", f"{name}.v")):
        assert one(admin, operation=operation, object=about, principal=who)["outcome"] == "denied"
        assert one(admin, operation=operation, object=about, principal="root")["outcome"] == "ok"
    recorded = {e["operation"] for about in (name, f"lakehouse/{name}") for e in events(admin, object=about, principal="root", pageSize=1000)}
    assert {"AddGrantToCatalogRole", "RevokeGrantFromCatalogRole", "AssignCatalogRoleToPrincipalRole"} <= recorded <= known


def test_refusals_and_reads_are_there_a_moment_later(admin, rest, lake, name):
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    rest.create(name, "t")
    _, nobody, who = somebody(lake)
    _, lister, lister_name = somebody(lake, "TABLE_LIST", namespace=name)
    assert nobody.call("GET", f"/namespaces/{name}/tables/t").status_code == 404
    assert lister.call("DELETE", f"/namespaces/{name}/tables/t").status_code == 403
    assert nobody.raw("GET", "/api/management/v1/principals").status_code == 403
    requests.get(lake.catalog_url + f"/api/catalog/v1/lakehouse/namespaces/{name}/tables", headers={"Authorization": "Bearer x"}, timeout=10)
    assert one(admin, principal=who, operation="LoadTable")["outcome"] == "not found"
    denied = one(admin, principal=lister_name, operation="DropTable")
    assert (denied["outcome"], denied["status"], denied["object"], denied["roles"]) == ("denied", 403, f"{name}.t", lister_name)
    assert one(admin, principal=who, operation="ListPrincipals")["outcome"] == "denied"
    assert one(admin, principal="-", object=name, operation="ListTables")["status"] == 401
    rest.ok("GET", f"/namespaces/{name}/tables/t")
    assert one(admin, principal="root", operation="LoadTable", object=f"{name}.t")["outcome"] == "ok"


def test_a_refusal_names_what_the_body_named(admin, rest, lake, name):
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    rest.create(name, "t")
    _, lister, who = somebody(lake, "TABLE_LIST", "NAMESPACE_LIST")
    source, target = {"namespace": [name], "name": "t"}, {"namespace": [name], "name": "u"}
    change = {"identifier": source, "requirements": [], "updates": [{"action": "set-properties", "updates": {"a": "1"}}]}
    assert lister.call("POST", "/tables/rename", json={"source": source, "destination": target}).status_code == 403
    assert lister.call("POST", "/namespaces", json={"namespace": [name, "inner"]}).status_code == 403
    assert lister.call("POST", "/transactions/commit", json={"table-changes": [change]}).status_code == 403
    for operation, about in (("RenameTable", f"{name}.t"), ("CreateNamespace", name), ("CommitTransaction", f"{name}.t")):
        assert one(admin, principal=who, operation=operation)["object"] == about


def test_maintenance_by_hand_leaves_rows(admin, rest, lake, name):
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    rest.create(name, "t")
    base, where = "/api/firn/v1/catalogs/lakehouse/maintenance/", {"namespace": [name], "table": "t"}
    _, lister, who = somebody(lake, "TABLE_LIST", namespace=name)
    for noun, operation in (("orphans", "RemoveOrphans"), ("expire", "ExpireSnapshots")):
        assert lister.raw("POST", base + noun, json=where).status_code == 403
        refused = one(admin, principal=who, operation=operation)
        assert (refused["outcome"], refused["object"], refused["catalog"], refused["roles"]) == ("denied", f"{name}.t", "lakehouse", who)
        assert rest.raw("POST", base + noun, json=where).status_code == 200
        done = one(admin, principal="root", operation=operation, object=f"{name}.t")
        assert (done["outcome"], done["address"]) == ("ok", "127.0.0.1")


def test_a_backup_by_hand_leaves_a_row(admin, reader, rest, tmp_path):
    path, body = "/api/firn/v1/backup", {"directory": str(tmp_path / "b")}
    assert reader.raw("POST", path, json=body).status_code == 403
    assert one(admin, principal="reader", operation="MakeBackup")["outcome"] == "denied"
    assert rest.raw("POST", path, json=body).status_code == 202
    assert one(admin, principal="root", operation="MakeBackup", outcome="ok")["object"] == str(tmp_path / "b")
    wait_for(lambda: rest.raw("GET", path).json()["state"] != "running", what="the backup")  # with rows in PostgreSQL it fails, and was asked for all the same
    assert not events(admin, operation="BackupStatus", outcome="ok")


def test_logins_are_told_by_whom_and_wrong_ones_by_whose_id_was_used(admin, lake):
    credential, theirs, who = somebody(lake)
    assert one(admin, principal=who, operation="GetToken")["outcome"] == "ok"
    secret = "a-secret-put-in-the-wrong-place"
    for client in (credential[0], secret):
        assert theirs.ask_token({"grant_type": "client_credentials", "client_id": client, "client_secret": "wrong"}).status_code == 401
    refused = one(admin, principal=who, operation="GetToken", outcome="denied")
    assert refused["status"] == 401
    assert wait_for(lambda: events(admin, principal="-", operation="GetToken"), 20, "the stranger")
    assert secret not in json.dumps(events(admin, operation="GetToken", pageSize=1000))


def test_a_refusal_at_the_s3_door_is_there_too(admin, lake, name):
    credential, _, who = somebody(lake)
    s3 = boto3.client("s3", endpoint_url=lake.url, aws_access_key_id=credential[0], aws_secret_access_key=credential[1], region_name="us-east-1",
                      config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
    for _ in range(3):
        with pytest.raises(botocore.exceptions.ClientError):
            s3.get_object(Bucket="lakehouse", Key=name + "/x")
    found = wait_for(lambda: sum(e.get("count", 1) for e in events(admin, principal=who, operation="GetObject", outcome="denied")) == 3 and events(admin, principal=who), 20, "the refusals")
    assert found[0]["object"] == f"lakehouse/{name}/x"


def test_bug_an_unknown_key_at_the_s3_door_was_told_as_who_it_was(admin, lake, name):
    """It is any text: a secret put in the wrong place, or a name that makes it look like somebody else."""
    secret, known = "A-SECRET-IN-THE-WRONG-PLACE", somebody(lake)
    for key in (secret, "root", known[0][0]):
        s3 = boto3.client("s3", endpoint_url=lake.url, aws_access_key_id=key, aws_secret_access_key="wrong", region_name="us-east-1",
                          config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
        with pytest.raises(botocore.exceptions.ClientError):
            s3.get_object(Bucket="lakehouse", Key=name)
    found = wait_for(lambda: sum(e.get("count", 1) for e in events(admin, object=f"lakehouse/{name}", outcome="denied")) == 3 and events(admin, object=f"lakehouse/{name}"), 20, "the refusals")
    assert {e["principal"] for e in found} == {"-", known[2]}
    assert secret not in json.dumps(events(admin, pageSize=1000))


def test_a_flood_of_refusals_is_a_handful_of_rows(admin, rest, lake, name):
    """Also while the background has other work, and so does not sleep between its rounds: it has 30 tables to look into again and again."""
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    names = [f"t{i}" for i in range(30)]
    for table in names:
        rest.create(name, table)
    _, nobody, who = somebody(lake)
    begun = time.monotonic()
    for i in range(3000):
        nobody.call("DELETE", "/namespaces/flooded" if i % 2 else "/namespaces/flooded2")
        if i % 100 == 0:
            updates = [{"action": "set-properties", "updates": {"a": str(i)}}]
            rest.ok("POST", "/transactions/commit", json={"table-changes": [
                {"identifier": {"namespace": [name], "name": table}, "requirements": [], "updates": updates} for table in names]})
    wait_for(lambda: sum(e.get("count", 1) for e in events(admin, principal=who, operation="DropNamespace", pageSize=1000)) == 3000, 20, "all of them")
    writings = time.monotonic() - begun + 2  # one a second, whatever else is done
    assert len(events(admin, principal=who, operation="DropNamespace", pageSize=1000)) <= 2 * writings


def test_d16_no_secret_is_in_any_row(admin, rest, lake, name):
    credential, theirs, who = somebody(lake, "CATALOG_MANAGE_CONTENT")
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    config = theirs.ok("POST", f"/namespaces/{name}/tables", json={"name": "t", "schema": SCHEMA}, headers=DELEGATE)["config"]
    rotated = Admin(theirs).ok("POST", f"/principals/{who}/rotate")["credentials"]["clientSecret"]
    theirs.ask_token({"grant_type": "client_credentials", "client_id": credential[0], "client_secret": "a-guessed-secret"})
    theirs.call("GET", "/namespaces")
    one(admin, operation="RotateCredentials", object=who)
    text, token = "", ""
    while token is not None:
        page = admin.ok("GET", "/audit", params={"pageSize": 1000, "pageToken": token})
        text, token = text + json.dumps(page["events"]), page["next-page-token"]
    for secret in (ROOT[1], READER[1], credential[1], rotated, "a-guessed-secret", config["s3.secret-access-key"], config["s3.session-token"], theirs.session.headers["Authorization"].split()[1]):
        assert secret not in text


def test_who_may_read_it_and_what_a_question_may_be(admin, rest, lake, name):
    _, someone, _ = somebody(lake, "CATALOG_MANAGE_ACCESS", "CATALOG_MANAGE_CONTENT")
    Admin(someone).fails(403, "GET", "/audit")
    for query, word in (({"form": "1"}, "form"), ({"from": "yesterday"}, "from"), ({"to": "-1"}, "to"), ({"pageSize": "0"}, "pageSize"), ({"pageSize": "1001"}, "pageSize"),
                        ({"pageToken": "zz"}, "pageToken")):
        admin.fails(400, "GET", "/audit", text=word, params=query)
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    when = one(admin, operation="CreateNamespace", object=name)["time"]
    assert len(events(admin, object=name, **{"from": when})) == 1 and not events(admin, object=name, to=when)


def test_a_changes_row_is_as_durable_as_the_change(server_factory):
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    rest = Rest(server.catalog_url)
    for i in range(20):
        rest.ok("POST", "/namespaces", json={"namespace": [f"n{i}"]})
    server.restart(signal.SIGKILL)
    admin = Admin(Rest(server.catalog_url))
    assert [e["object"] for e in reversed(events(admin, operation="CreateNamespace"))] == [f"n{i}" for i in range(20)]


def test_reads_are_left_out_where_the_setting_says_so(server_factory):
    server = server_factory("--audit-reads", "off", environment={"FIRN_CATALOGS": "lakehouse"})
    rest = Rest(server.catalog_url)
    rest.ok("GET", "/namespaces")
    rest.fails(404, "NoSuchNamespaceException", "GET", "/namespaces/none")
    admin = Admin(rest)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    assert "session-token" in rest.call("POST", "/namespaces/n/tables", json={"name": "t", "schema": SCHEMA, "stage-create": True}, headers=DELEGATE).text
    one(admin, operation="LoadNamespace", outcome="not found")
    assert not events(admin, outcome="ok", operation="ListNamespaces")
    assert one(admin, operation="CreateTable", outcome="ok")["object"] == "n.t", "keys were given"
    assert one(admin, operation="GetToken", outcome="ok")["principal"] == "root"
