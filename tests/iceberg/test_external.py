"""Catalogs whose files lie at another S3 endpoint: here a second server, of which the first knows no more than an address and a key."""
import concurrent.futures
import os
import signal
import socket
import subprocess
import threading
import uuid

import pyarrow
import pytest
import s3fs

import postgresql
from firn_server import BINARY, Server, wait_for
from iceberg_helpers import ROOT, SCHEMA, Rest, identities_file, open_catalog
from manage_helpers import Admin

KEYS = {"AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1]}


@pytest.fixture(scope="module")
def far(server_factory):
    """The other endpoint."""
    server = server_factory(environment={"FIRN_BUCKETS": "far"})
    return server


@pytest.fixture(scope="module")
def near(server_factory):
    """The catalog's server; the bucket `far` is not in it."""
    return server_factory(environment={**KEYS, "FIRN_EXTERNAL_TIMEOUT": "5"})


def make_catalog(server, endpoint, location="s3://far", name=None, **storage):
    name = name or "c" + uuid.uuid4().hex[:12]
    admin = Admin(Rest(server.catalog_url))
    catalog = {"name": name, "type": "INTERNAL", "properties": {"default-base-location": f"{location}/{name}"},
               "storageConfigInfo": {"storageType": "S3", "endpoint": endpoint, "stsUnavailable": True, **storage}}
    answer = admin.call("POST", "/catalogs", json={"catalog": catalog})
    return name, answer


def open_external(server, endpoint, **storage):
    name, answer = make_catalog(server, endpoint, **storage)
    assert answer.status_code == 201, answer.text
    rest = Rest(server.catalog_url, prefix=name)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    return rest


@pytest.fixture
def rest(near, far):
    return open_external(near, far.url)


def check_store(server):
    """Stops it."""
    assert server.stop() == 0
    where = ["--store", postgresql.shared().uri, "--store-schema", server.schema] if os.environ.get("FIRN_TEST_STORE") == "postgresql" else []
    done = subprocess.run([BINARY, "store", "check", "--data", str(server.data), *where], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def metadata_files(far, rest):
    listed = far.boto().list_objects_v2(Bucket="far", Prefix=rest.prefix + "/").get("Contents", [])
    return sorted(o["Key"] for o in listed if o["Key"].endswith(".metadata.json"))


def set_property(name):
    return {"action": "set-properties", "updates": {name: "1"}}


def py_catalog(server, rest, **options):
    return open_catalog(server, warehouse=rest.prefix, **options)


ROWS = pyarrow.table({"id": pyarrow.array([1, 2, 3], pyarrow.int64()), "v": pyarrow.array(["a", "b", "c"])})


def test_pyiceberg_with_keys_of_its_own_creates_appends_reads_and_drops(near, far, rest):
    """The server tells the endpoint; the keys are the client's."""
    catalog = py_catalog(near, rest, **{"s3.access-key-id": ROOT[0], "s3.secret-access-key": ROOT[1]})
    table = catalog.create_table("n.t", ROWS.schema)
    assert table.io.properties["s3.endpoint"] == far.url and table.location().startswith(f"s3://far/{rest.prefix}/n/t-")
    table.append(ROWS)
    table.append(ROWS)
    assert catalog.load_table("n.t").scan().to_arrow().num_rows == 6
    assert len(metadata_files(far, rest)) == 3
    assert "far" not in [b["Name"] for b in near.boto().list_buckets()["Buckets"]]
    catalog.rename_table("n.t", "n.u")
    assert catalog.load_table("n.u").scan().to_arrow().num_rows == 6
    location = catalog.load_table("n.u").metadata_location
    catalog.drop_table("n.u")
    assert catalog.register_table("n.again", location).scan().to_arrow().num_rows == 6
    assert catalog.list_tables("n") == [("n", "again")]


def test_no_keys_are_vended_and_the_client_is_told_the_outer_name(near, far):
    rest = open_external(near, "http://files.example.com:9000", endpointInternal=far.url, region="eu-7", pathStyleAccess=True)
    loaded = rest.create("n", "t")
    assert loaded["config"] == {"s3.endpoint": "http://files.example.com:9000", "s3.path-style-access": "true", "s3.region": "eu-7", "client.region": "eu-7"}
    vended = rest.call("GET", "/namespaces/n/tables/t", headers={"X-Iceberg-Access-Delegation": "vended-credentials"}).json()
    assert "storage-credentials" not in vended and "s3.access-key-id" not in vended["config"]
    assert rest.ok("GET", "/namespaces/n/tables/t/credentials") == {"storage-credentials": []}


def test_views_staged_tables_and_transactions(far, rest):
    version = {"version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["n"],
               "representations": [{"type": "sql", "sql": "select 1", "dialect": "spark"}]}
    rest.ok("POST", "/namespaces/n/views", json={"name": "v", "schema": SCHEMA, "view-version": version, "properties": {}})
    assert rest.ok("GET", "/namespaces/n/views/v")["metadata"]["current-version-id"] == 1
    rest.create("n", "staged", **{"stage-create": True})
    assert len(metadata_files(far, rest)) == 1
    for name in ("a", "b"):
        rest.create("n", name)
    changes = [{"identifier": {"namespace": ["n"], "name": name}, "requirements": [], "updates": [set_property("together")]} for name in ("a", "b")]
    rest.ok("POST", "/transactions/commit", json={"table-changes": changes})
    for name in ("a", "b"):
        assert rest.ok("GET", f"/namespaces/n/tables/{name}")["metadata"]["properties"]["together"] == "1"
    before = metadata_files(far, rest)
    changes[1]["requirements"] = [{"type": "assert-table-uuid", "uuid": str(uuid.uuid4())}]
    rest.fails(409, "CommitFailedException", "POST", "/transactions/commit", json={"table-changes": changes})
    assert metadata_files(far, rest) == before


def test_lost_races_leave_no_metadata_file_behind(far, rest):
    rest.create("n", "t")

    def some(number):
        mine = Rest(rest.url, prefix=rest.prefix)
        return [mine.call("POST", "/namespaces/n/tables/t", json={"requirements": [], "updates": [set_property(f"p{number}-{i}")]}).status_code for i in range(5)]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = [status for statuses in pool.map(some, range(6)) for status in statuses]
    assert set(answers) <= {200, 409}
    assert len(metadata_files(far, rest)) == 1 + answers.count(200)
    properties = rest.ok("GET", "/namespaces/n/tables/t")["metadata"]["properties"]
    assert len([name for name in properties if name.startswith("p")]) == answers.count(200)


def test_whose_a_bucket_is(near, far):
    near.boto().create_bucket(Bucket="mine")
    name, answer = make_catalog(near, far.url, location="s3://mine")
    assert answer.status_code == 201
    rest = Rest(near.catalog_url, prefix=name)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    assert rest.create("n", "t")["config"]["s3.endpoint"] != far.url  # what is here is ours, whatever a script says of endpoints
    assert near.boto().list_objects_v2(Bucket="mine")["KeyCount"] == 1
    for location, endpoint, storage, status, text in (
            ("s3://none", far.url, {}, 400, "neither in this store nor at storageConfigInfo.endpoint"),
            ("s3://none", near.url, {}, 400, "neither in this store nor at storageConfigInfo.endpoint"),  # a script's "endpoint" that is this very server
            ("s3://far", far.url, {"storageName": "unknown"}, 400, "external-credentials"),
            ("s3://far", "ftp://x", {}, 400, "http://"),
            ("s3://far", far.url + "/path", {}, 400, "without a path")):
        _, answer = make_catalog(near, endpoint, location=location, **storage)
        assert (answer.status_code, text in answer.json()["error"]["message"]) == (status, True), answer.text


# ---- faults ----

def test_an_endpoint_that_is_down_changes_nothing(start_server, near):
    other = start_server(environment={"FIRN_BUCKETS": "far", "FIRN_ROOT_USER": ROOT[0]})
    rest = open_external(near, other.url)
    rest.create("n", "t")
    location = rest.ok("GET", "/namespaces/n/tables/t")["metadata-location"]
    other.stop(signal.SIGKILL)
    update = {"requirements": [], "updates": [set_property("p")]}
    error = rest.fails(503, "ServiceUnavailableException", "POST", "/namespaces/n/tables/t", other.url, json=update)
    assert "s3://far/" in error["message"] and ROOT[1] not in error["message"]
    rest.fails(503, "ServiceUnavailableException", "POST", "/namespaces/n/tables", json={"name": "u", "schema": SCHEMA})
    loaded = rest.ok("GET", "/namespaces/n/tables/t")  # from memory
    assert loaded["metadata-location"] == location and "p" not in loaded["metadata"]["properties"]
    assert rest.call("HEAD", "/namespaces/n/tables/u").status_code == 404


def test_a_wrong_key_is_told_as_such_and_not_shown(start_server, far):
    catalog = start_server(environment={**KEYS})
    rest = open_external(catalog, far.url)
    rest.create("n", "t")
    catalog.environment["AWS_SECRET_ACCESS_KEY"] = "a-wrong-secret"
    catalog.restart()
    rest = Rest(catalog.catalog_url, prefix=rest.prefix)
    error = rest.fails(503, "ServiceUnavailableException", "GET", "/namespaces/n/tables/t", "403 SignatureDoesNotMatch to the credentials 'default'")
    assert "a-wrong-secret" not in error["message"] and "a-wrong-secret" not in catalog.log.read_text()
    _, answer = make_catalog(catalog, far.url)
    assert answer.status_code == 503 and "403" in answer.json()["error"]["message"]


def test_a_silent_endpoint_is_waited_for_no_longer_than_set_and_others_go_on(start_server, far):
    catalog = start_server(environment={**KEYS, "FIRN_EXTERNAL_TIMEOUT": "1", "FIRN_CATALOGS": "own"})
    rest = open_external(catalog, far.url)
    rest.create("n", "t")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        admin = Admin(rest)
        shown = admin.ok("GET", f"/catalogs/{rest.prefix}")
        admin.ok("PUT", f"/catalogs/{rest.prefix}", json={"currentEntityVersion": shown["entityVersion"], "properties": shown["properties"],
                                                          "storageConfigInfo": {**shown["storageConfigInfo"], "endpointInternal": url}})
        update = {"requirements": [], "updates": [set_property("p")]}
        threads = [threading.Thread(target=rest.call, args=("POST", "/namespaces/n/tables/t"), kwargs={"json": update}) for _ in range(24)]
        for t in threads:
            t.start()
        own = Rest(catalog.catalog_url, prefix="own")
        own.ok("POST", "/namespaces", json={"namespace": ["n"]})
        own.create("n", "t")
        for t in threads:
            t.join()
        rest.fails(503, "ServiceUnavailableException", "GET", "/namespaces/n/tables/t", url)
    assert own.ok("GET", "/namespaces/n/tables/t")["metadata"]


def test_a_killed_server_loses_no_commit(start_server, far):
    catalog = start_server(environment={**KEYS})
    rest = open_external(catalog, far.url)
    rest.create("n", "t")
    acknowledged, tried = set(), threading.Event()

    def commit():
        for i in range(10_000):
            try:
                rest.commit("/namespaces/n/tables/t", set_property(f"p{i}"))
            except Exception:
                return
            acknowledged.add(f"p{i}")
            tried.set()

    for round_number in range(3):
        tried.clear()
        writer = threading.Thread(target=commit)
        writer.start()
        count = len(acknowledged)
        wait_for(lambda: tried.is_set() and len(acknowledged) >= min(count + 5, 5), what="some commits")
        catalog.stop(signal.SIGKILL)
        writer.join()
        catalog.start()
        rest = Rest(catalog.catalog_url, prefix=rest.prefix)
        loaded = rest.ok("GET", "/namespaces/n/tables/t")
        assert acknowledged <= set(loaded["metadata"]["properties"]), round_number


def test_files_that_lie_elsewhere_cannot_be_guarded_here(near, rest):
    admin, path = Admin(Rest(near.catalog_url)), f"/catalogs/{rest.prefix}"
    before = admin.ok("GET", path)
    answer = admin.call("PUT", path, json={"currentEntityVersion": before["entityVersion"], "properties": {**before["properties"], "firn.guard-live-files": "true"}})
    assert answer.status_code == 400 and "another S3 endpoint" in answer.json()["error"]["message"]
    assert admin.ok("GET", path) == before


def test_a_store_with_external_tables_is_whole(start_server, far):
    catalog = start_server(environment={**KEYS})
    open_external(catalog, far.url).create("n", "t")
    check_store(catalog)


@pytest.mark.parametrize("text, mode, said", [
    ("[default]\naws_access_key_id = A\n", 0o600, "line 1: section [default] needs both"),
    ("[default]\naws_acess_key_id = A\n", 0o600, "line 2: unknown key 'aws_acess_key_id'"),
    ("[default]\naws_access_key_id = A\naws_secret_access_key = hush\n", 0o644, "chmod 600"),
])
def test_a_wrong_file_of_credentials_stops_the_start(tmp_path, text, mode, said):
    path = tmp_path / "credentials"
    path.write_text(text)
    path.chmod(mode)
    server = Server(tmp_path, ["--external-credentials", str(path)])
    with pytest.raises(AssertionError, match="the server ended"):
        server.start()
    log = server.log.read_text()
    assert str(path) in log and said in log and "hush" not in log
    assert not (tmp_path / "data").exists()


def test_profiles_are_chosen_by_storage_name(start_server, far, tmp_path):
    path = tmp_path / "credentials"
    path.write_text(f"[default]\naws_access_key_id = {ROOT[0]}\naws_secret_access_key = wrong\n"
                    f"[lab]\naws_access_key_id = {ROOT[0]}\naws_secret_access_key = {ROOT[1]}\nregion = eu-9\n")
    path.chmod(0o600)
    catalog = start_server("--external-credentials", str(path))
    assert make_catalog(catalog, far.url)[1].status_code == 503
    rest = open_external(catalog, far.url, storageName="lab")
    assert rest.create("n", "t")["config"]["s3.region"] == "eu-9"


# ---- remote signing ----

SIGNING = {"X-Iceberg-Access-Delegation": "remote-signing"}


def test_pyiceberg_without_any_key_creates_appends_reads_and_drops(near, far, rest, monkeypatch):
    """Every request to the endpoint is signed by the catalog."""
    # s3fs keeps file systems by thread id; one whose session was closed with an earlier thread gets a new client, which PyIceberg's signer is not in.
    monkeypatch.setattr(s3fs.S3FileSystem, "cachable", False)
    catalog = py_catalog(near, rest, **{"header.X-Iceberg-Access-Delegation": "remote-signing"})
    catalog.create_namespace_if_not_exists(("n", "a b"))
    table = catalog.create_table(("n", "a b", "t/%é"), ROWS.schema)
    assert table.io.properties["s3.remote-signing-enabled"] == "true" and "s3.access-key-id" not in table.io.properties
    table.append(ROWS)
    table.append(ROWS)
    assert catalog.load_table(("n", "a b", "t/%é")).scan().to_arrow().num_rows == 6
    assert table.scan(row_filter="id = 2").to_arrow()["v"].to_pylist() == ["b", "b"]
    catalog.drop_table(("n", "a b", "t/%é"))


def test_signing_is_offered_to_who_asks_for_it(rest):
    assert "s3.signer.endpoint" not in rest.create("n", "t")["config"]
    config = rest.ok("GET", "/namespaces/n/tables/t", headers=SIGNING)["config"]
    assert config["s3.signer.endpoint"] == f"v1/{rest.prefix}/namespaces/n/tables/t/sign" and config["s3.remote-signing-enabled"] == "true"
    staged = rest.ok("POST", "/namespaces/n/tables", json={"name": "u", "schema": SCHEMA, "stage-create": True}, headers=SIGNING)
    assert "s3.signer.endpoint" not in staged["config"]


def sign(rest, method, uri, status=200, path="/namespaces/n/tables/t/sign", **headers):
    answer = rest.call("POST", path, json={"region": "us-east-1", "method": method, "uri": uri, "headers": {k.replace("_", "-"): [v] for k, v in headers.items()}})
    assert answer.status_code == status, f"{method} {uri}: {answer.status_code} {answer.text}"
    return answer


def test_a_signed_request_works_as_it_is_and_not_otherwise(far, rest):
    location = rest.create("n", "t")["metadata"]["location"]
    url = f"{far.url}/{location.removeprefix('s3://')}/data/f"
    answer = sign(rest, "PUT", url, Content_Type="x/y")
    assert answer.headers["Cache-Control"] == "no-cache" and ROOT[1] not in answer.text
    headers = {name: ", ".join(values) for name, values in answer.json()["headers"].items()}
    assert headers["Content-Type"] == "x/y" and answer.json()["uri"] == url
    assert rest.session.put(url, data=b"bytes", headers={**headers, "Authorization": headers["authorization"]}).status_code == 200
    headers = {name: values[0] for name, values in sign(rest, "GET", url).json()["headers"].items()}
    headers["Authorization"] = headers.pop("authorization")
    assert rest.session.get(url, headers=headers).content == b"bytes"
    assert rest.session.get(url + "2", headers=headers).status_code == 403
    assert rest.session.delete(url, headers=headers).status_code == 403
    assert rest.session.get(url, headers={**headers, "x-amz-acl": "public-read"}).status_code == 403


def test_d29_nothing_else_is_signed(near, far, rest):
    rest.create("n", "u")
    location = rest.create("n", "t")["metadata"]["location"].removeprefix("s3://")
    bucket, key = location.split("/", 1)
    own = f"{far.url}/{location}"
    for method, uri in (("GET", f"{far.url}/{bucket}/other/f"), ("GET", f"{own}2/f"), ("GET", own), ("GET", f"{own}/../u/f"), ("GET", f"{own}/%2e%2e/u/f"),
                        ("GET", f"http://127.0.0.1:1/{location}/f"), ("GET", f"{near.url}/{location}/f"), ("GET", f"{own}/f?acl"), ("PUT", f"{own}/f?acl"),
                        ("DELETE", f"{own}/f?versionId=1"), ("GET", f"{far.url}/{bucket}?list-type=2&prefix={key}"), ("GET", f"{far.url}/{bucket}?list-type=2"),
                        ("GET", f"{far.url}/{bucket}?list-type=2&prefix={key}%2F&prefix="), ("POST", f"{far.url}/{bucket}?delete"), ("PATCH", f"{own}/f"),
                        ("PUT", f"{far.url}/{bucket}")):
        assert "Signature" not in sign(rest, method, uri, 403).text
    sign(rest, "GET", f"{far.url}/{bucket}?list-type=2&prefix={key}%2F")
    for name in ("x_amz_copy_source", "x_amz_acl", "x_amz_grant_read"):
        sign(rest, "PUT", f"{own}/f", 403, **{name: "x"})
    sign(rest, "PUT", f"{own}/f", 400, x_amz_meta_a="a\r\nb: c")
    sign(rest, "GET", f"{own}/f", 404, path="/namespaces/n/tables/none/sign")
    assert rest.call("POST", "/namespaces/n/tables/t/sign", json={"method": "GET"}).status_code == 400
    assert rest.call("POST", "/namespaces/n/tables/t/sign", json={"method": "GET", "uri": own, "headers": {"a": "b"}}).status_code == 400


def test_rights_are_looked_at_each_time(near, far, rest):
    location = rest.create("n", "t")["metadata"]["location"].removeprefix("s3://")
    admin, name = Admin(Rest(near.catalog_url)), "p_" + uuid.uuid4().hex[:12]
    reader = Rest(near.catalog_url, admin.person(name, catalog=rest.prefix), prefix=rest.prefix)
    uri = f"{far.url}/{location}/f"
    sign(reader, "GET", uri, 404)  # as if it did not exist
    admin.grant(name, "TABLE_READ_DATA", namespace="n", table="t", catalog=rest.prefix)
    sign(reader, "GET", uri)
    for method in ("PUT", "DELETE"):
        sign(reader, method, uri, 403)
    admin.grant(name, "TABLE_WRITE_DATA", namespace="n", table="t", catalog=rest.prefix)
    for method in ("PUT", "DELETE"):
        sign(reader, method, uri)
    for privilege in ("TABLE_WRITE_DATA", "TABLE_READ_DATA"):
        admin.revoke(name, privilege, namespace="n", table="t", catalog=rest.prefix)
    sign(reader, "GET", uri, 404)


def test_own_tables_are_not_signed_for(start_server):
    server = start_server(environment={"FIRN_CATALOGS": "own"})
    own = Rest(server.catalog_url, prefix="own")
    own.ok("POST", "/namespaces", json={"namespace": ["n"]})
    location = own.create("n", "t")["metadata"]["location"].removeprefix("s3://")
    assert "vended credentials" in sign(own, "GET", f"{server.url}/{location}/f", 406).text
