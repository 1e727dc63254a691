"""Seed 003's governance on one catalog: namespaces dev_analytics, staging_analytics and prod_analytics, roles analyst, engineer and admin, held at both doors: the catalog's and S3's."""
import time
import uuid

import boto3
import botocore.config
import botocore.exceptions
import pyarrow as pa
import pytest
from firn_server import ROOT, wait_for
from iceberg_helpers import DELEGATE, Rest, open_catalog
from manage_helpers import Admin, somebody
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError

ENVIRONMENTS = ("dev_analytics", "staging_analytics", "prod_analytics")
ROWS = pa.table({"id": pa.array([1, 2, 3], pa.int64()), "v": ["a", "b", "c"]})
DENIED = ("AccessDenied", 403)


def s3_with(url, key, secret, token=None):
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, region_name="us-east-1", config=config)


def vended(config):
    return s3_with(config["s3.endpoint"], config["s3.access-key-id"], config["s3.secret-access-key"], config["s3.session-token"])


def outcome(call, **arguments):
    """None, or code and status."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as e:
        return e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


@pytest.fixture(scope="module")
def house(server_factory):
    """Three environments with a table each, and the seed's three roles: an analyst reads prod, an engineer writes dev and staging, an admin manages the catalog's contents."""
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    root = open_catalog(server)
    for name in ENVIRONMENTS:
        root.create_namespace(name)
        root.create_table(f"{name}.sales", schema=ROWS.schema).append(ROWS)
    admin = Admin(Rest(server.catalog_url))
    people = {name: admin.person(name) for name in ("analyst", "engineer", "admin")}
    for privilege in ("TABLE_READ_DATA", "NAMESPACE_READ_PROPERTIES"):
        admin.grant("analyst", privilege, namespace="prod_analytics")
    for name in ENVIRONMENTS[:2]:
        for privilege in ("TABLE_CREATE", "TABLE_DROP", "TABLE_WRITE_DATA", "NAMESPACE_READ_PROPERTIES"):
            admin.grant("engineer", privilege, namespace=name)
    admin.grant("admin", "CATALOG_MANAGE_CONTENT")
    return server, people, admin


def place(rest, namespace, table="sales"):
    location = rest.ok("GET", f"/namespaces/{namespace}/tables/{table}")["metadata"]["location"]
    return location.removeprefix("s3://").split("/", 1)


def test_each_role_sees_its_environments_alone(house):
    server, people, _ = house
    seen = {who: [n[0] for n in Rest(server.catalog_url, people[who]).ok("GET", "/namespaces")["namespaces"]] for who in people}
    assert seen == {"analyst": ["prod_analytics"], "engineer": ["dev_analytics", "staging_analytics"], "admin": sorted(ENVIRONMENTS)}


def test_the_analyst_reads_prod_and_writes_nothing(house):
    server, people, _ = house
    catalog = open_catalog(server, people["analyst"])
    table = catalog.load_table("prod_analytics.sales")
    assert table.scan().to_arrow().num_rows == 3
    with pytest.raises(Exception, match="(?i)denied|forbidden|not authorized"):
        table.append(ROWS)
    with pytest.raises(ForbiddenError):
        catalog.drop_table("prod_analytics.sales")
    for name in ENVIRONMENTS[:2]:
        with pytest.raises(NoSuchTableError):
            catalog.load_table(f"{name}.sales")


def test_the_engineer_works_in_dev_and_staging_and_never_touches_prod(house):
    server, people, _ = house
    catalog = open_catalog(server, people["engineer"])
    for name in ENVIRONMENTS[:2]:
        catalog.create_table(f"{name}.made", schema=ROWS.schema).append(ROWS)
        assert catalog.load_table(f"{name}.made").scan().to_arrow().num_rows == 3
        catalog.load_table(f"{name}.sales").append(ROWS)
        catalog.drop_table(f"{name}.made")
    with pytest.raises(NoSuchTableError):
        catalog.load_table("prod_analytics.sales")
    with pytest.raises(Exception, match="does not exist"):
        catalog.create_table("prod_analytics.made", schema=ROWS.schema)


def test_a_dev_key_gets_403_on_prod_files_too(house):
    """The engineer's own key at the S3 door: dev's files, and nothing of prod: not to read, list, write, delete or copy from."""
    server, people, _ = house
    root, s3 = Rest(server.catalog_url), s3_with(server.url, *people["engineer"])
    bucket, dev = place(root, "dev_analytics")
    _, prod = place(root, "prod_analytics")
    root_s3 = s3_with(server.url, *ROOT)
    files = [o["Key"] for o in root_s3.list_objects_v2(Bucket=bucket, Prefix=prod + "/")["Contents"]]
    s3.put_object(Bucket=bucket, Key=dev + "/data/x", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=dev + "/data/x")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=dev + "/")["KeyCount"] > 1
    s3.delete_object(Bucket=bucket, Key=dev + "/data/x")
    for key in files:
        assert outcome(s3.get_object, Bucket=bucket, Key=key) == DENIED
        assert outcome(s3.head_object, Bucket=bucket, Key=key)[1] == 403
        assert outcome(s3.delete_object, Bucket=bucket, Key=key) == DENIED
        assert outcome(s3.copy_object, Bucket=bucket, Key=dev + "/data/stolen", CopySource=f"{bucket}/{key}") == DENIED
    assert outcome(s3.put_object, Bucket=bucket, Key=prod + "/data/x", Body=b"") == DENIED
    assert outcome(s3.create_multipart_upload, Bucket=bucket, Key=prod + "/data/x") == DENIED
    for prefix in ("", prod, prod + "/", dev, dev[:-1]):
        assert outcome(s3.list_objects_v2, Bucket=bucket, Prefix=prefix) == DENIED, prefix
    refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in files]})
    assert {e["Code"] for e in refused["Errors"]} == {"AccessDenied"} and len(refused["Errors"]) == len(files)
    assert outcome(s3.create_bucket, Bucket="engineers") == DENIED and outcome(s3.delete_bucket, Bucket=bucket) == DENIED
    assert [o["Key"] for o in root_s3.list_objects_v2(Bucket=bucket, Prefix=prod + "/")["Contents"]] == files


def test_a_reading_key_reads_and_does_nothing_else(house):
    server, people, _ = house
    s3 = s3_with(server.url, *people["analyst"])
    bucket, prod = place(Rest(server.catalog_url), "prod_analytics")
    key = s3.list_objects_v2(Bucket=bucket, Prefix=prod + "/")["Contents"][0]["Key"]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    assert outcome(s3.put_object, Bucket=bucket, Key=prod + "/x", Body=b"") == DENIED
    assert outcome(s3.delete_object, Bucket=bucket, Key=key) == DENIED
    assert outcome(s3.put_object_tagging, Bucket=bucket, Key=key, Tagging={"TagSet": []}) == DENIED


# ---- keys end when what they stand on ends

@pytest.fixture
def keyed(house):
    """Somebody who may write one namespace, a table in it, and a key vended for that."""
    server, _, admin = house
    root = Rest(server.catalog_url)
    namespace = "k_" + uuid.uuid4().hex[:10]
    root.ok("POST", "/namespaces", json={"namespace": [namespace]})
    root.create(namespace, "t")
    credential, rest, name = somebody(server, "TABLE_WRITE_DATA", "TABLE_DROP", namespace=namespace)
    loaded = rest.ok("GET", f"/namespaces/{namespace}/tables/t", headers=DELEGATE)
    bucket, prefix = loaded["metadata"]["location"].removeprefix("s3://").split("/", 1)
    s3 = vended(loaded["config"])
    s3.put_object(Bucket=bucket, Key=prefix + "/x", Body=b"x")
    return {"admin": admin, "rest": rest, "root": root, "name": name, "namespace": namespace, "credential": credential, "s3": s3, "bucket": bucket, "prefix": prefix}


def is_dead(k):
    return outcome(k["s3"].get_object, Bucket=k["bucket"], Key=k["prefix"] + "/x") is not None


def ends_within_a_second(k):
    begun = time.monotonic()
    wait_for(lambda: is_dead(k), 10, "the key's end")
    assert outcome(k["s3"].put_object, Bucket=k["bucket"], Key=k["prefix"] + "/x", Body=b"")[1] == 403
    return time.monotonic() - begun


@pytest.mark.parametrize("end", ["grant", "role", "principal", "rotate", "reset", "drop"])
def test_c21_a_vended_key_ends_with_what_it_stands_on(keyed, end):
    k = keyed
    admin, name = k["admin"], k["name"]
    if end == "grant":
        admin.revoke(name, "TABLE_WRITE_DATA", namespace=k["namespace"])
    elif end == "role":
        admin.ok("DELETE", f"/principals/{name}/principal-roles/{name}")
    elif end == "principal":
        admin.ok("DELETE", f"/principals/{name}")
    elif end == "rotate":
        admin.rest.raw("POST", "/api/management/v1/principals/x/rotate")
        Admin(k["rest"]).ok("POST", f"/principals/{name}/rotate")
    elif end == "reset":
        admin.ok("POST", f"/principals/{name}/reset", json={})
    elif end == "drop":
        k["root"].ok("DELETE", f"/namespaces/{k['namespace']}/tables/t")
    assert is_dead(k) or end == "drop"
    ends_within_a_second(k)


def test_a_key_of_before_reads_on_when_only_writing_was_taken(keyed):
    k = keyed
    k["admin"].grant(k["name"], "TABLE_READ_DATA", namespace=k["namespace"])
    k["admin"].revoke(k["name"], "TABLE_WRITE_DATA", namespace=k["namespace"])
    assert outcome(k["s3"].put_object, Bucket=k["bucket"], Key=k["prefix"] + "/x", Body=b"") == DENIED
    assert not is_dead(k)


def test_d20_both_secrets_live_after_a_rotation_at_both_doors(keyed, house):
    server, _, _ = house
    k = keyed
    old = k["credential"]
    made = Admin(k["rest"]).ok("POST", f"/principals/{k['name']}/rotate")["credentials"]
    new = (made["clientId"], made["clientSecret"])
    assert new[0] == old[0] and new[1] != old[1]
    assert k["rest"].call("GET", f"/namespaces/{k['namespace']}").status_code == 401  # the token of before
    for credential in (old, new):
        Rest(server.catalog_url, credential).ok("GET", f"/namespaces/{k['namespace']}/tables")
        s3_with(server.url, *credential).put_object(Bucket=k["bucket"], Key=k["prefix"] + "/y", Body=b"y")
    k["admin"].ok("POST", f"/principals/{k['name']}/reset", json={})
    for credential in (old, new):
        assert Rest(server.catalog_url, None).ask_token({"grant_type": "client_credentials", "client_id": credential[0], "client_secret": credential[1]}).status_code == 401
        assert outcome(s3_with(server.url, *credential).put_object, Bucket=k["bucket"], Key=k["prefix"] + "/y", Body=b"y")[1] == 403


def test_a_staged_key_writes_for_its_table_and_ends_when_another_takes_the_place(keyed):
    k = keyed
    k["admin"].grant(k["name"], "TABLE_CREATE", namespace=k["namespace"])
    schema = {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}]}
    staged = k["rest"].ok("POST", f"/namespaces/{k['namespace']}/tables", json={"name": "later", "stage-create": True, "schema": schema}, headers=DELEGATE)
    bucket, prefix = staged["metadata"]["location"].removeprefix("s3://").split("/", 1)
    s3 = vended(staged["config"])
    s3.put_object(Bucket=bucket, Key=prefix + "/data/x", Body=b"x")
    k["root"].create(k["namespace"], "other", location=staged["metadata"]["location"])
    assert outcome(s3.get_object, Bucket=bucket, Key=prefix + "/data/x") == DENIED


# ---- callers without credentials

def test_a_named_principal_for_callers_without_credentials(server_factory):
    """Seed 003's snippets pass none. The principal is one like any other: what it may do is granted to it."""
    server = server_factory(environment={"FIRN_CATALOGS": "lakehouse"})
    admin = Admin(Rest(server.catalog_url))
    admin.person("notebooks")
    admin.grant("notebooks", "NAMESPACE_FULL_METADATA")
    assert Rest(server.catalog_url, None).raw("GET", "/api/catalog/v1/config?warehouse=lakehouse").status_code == 401
    server.arguments += ["--anonymous-principal", "notebooks"]
    server.restart()
    nobody = Rest(server.catalog_url, None)
    nobody.ok("POST", "/namespaces", json={"namespace": ["raw"]})
    nobody.fails(403, "ForbiddenException", "POST", "/namespaces/raw/tables", json={"name": "t", "schema": {"type": "struct", "fields": []}})
    assert "callers without credentials act as a principal" in server.log.read_text()
