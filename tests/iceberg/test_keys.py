"""Vended S3 keys and the advertised endpoint (reliability.md 3 D; design.md 7)."""
import time

import botocore.exceptions
import boto3
import pytest
import requests
from botocore.config import Config

from iceberg_helpers import DELEGATE, OUTSIDER, Rest, open_catalog, s3_of


def place(loaded):
    bucket, prefix = loaded["metadata"]["location"].removeprefix("s3://").split("/", 1)
    return bucket, prefix


def code_of(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def vended(rest, table):
    loaded = rest.ok("GET", table, headers=DELEGATE)
    return s3_of(loaded["config"]), *place(loaded)


def test_keys_come_when_asked_for_and_in_both_places(rest, table):
    plain = rest.ok("GET", table)
    assert "s3.access-key-id" not in plain["config"] and "storage-credentials" not in plain
    assert plain["config"]["s3.path-style-access"] == "true" and plain["config"]["s3.endpoint"].startswith("http://127.0.0.1:")
    loaded = rest.ok("GET", table, headers=DELEGATE)
    [entry] = loaded["storage-credentials"]
    assert entry["prefix"] == loaded["metadata"]["location"] + "/"
    for name in ("s3.access-key-id", "s3.secret-access-key", "s3.session-token", "s3.session-token-expires-at-ms", "s3.endpoint", "client.region", "s3.region"):
        assert entry["config"][name] == loaded["config"][name]
    life = int(entry["config"]["s3.session-token-expires-at-ms"]) / 1000 - time.time()
    assert 43_000 < life <= 43_200
    assert loaded["config"]["client.refresh-credentials-endpoint"] == f"v1/lakehouse{table}/credentials"
    [fresh] = rest.ok("GET", table + "/credentials")["storage-credentials"]
    s3_of(fresh["config"]).list_objects_v2(Bucket="lakehouse", Prefix=place(loaded)[1] + "/")


def test_keys_do_what_a_writer_needs_in_the_tables_place(vended):
    s3, bucket, prefix = vended
    s3.put_object(Bucket=bucket, Key=prefix + "/data/x", Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=prefix + "/data/x")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/data/")["KeyCount"] == 1
    upload = s3.create_multipart_upload(Bucket=bucket, Key=prefix + "/data/y")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=prefix + "/data/y", UploadId=upload, PartNumber=1, Body=b"y")["ETag"]
    s3.complete_multipart_upload(Bucket=bucket, Key=prefix + "/data/y", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    s3.delete_object(Bucket=bucket, Key=prefix + "/data/x")


def test_d7_a_siblings_place_is_refused(rest, namespace, lake):
    rest.create(namespace, "a", location=f"s3://lakehouse/{namespace}/t")
    rest.create(namespace, "b", location=f"s3://lakehouse/{namespace}/t2")
    lake.boto().put_object(Bucket="lakehouse", Key=f"{namespace}/t2/x", Body=b"foreign")
    loaded = rest.ok("GET", f"/namespaces/{namespace}/tables/a", headers=DELEGATE)
    s3 = s3_of(loaded["config"])
    for key in (f"{namespace}/t2/x", f"{namespace}/t/../t2/x", f"{namespace}/t", "x"):
        assert code_of(s3.get_object, Bucket="lakehouse", Key=key) == ("AccessDenied", 403)
        assert code_of(s3.put_object, Bucket="lakehouse", Key=key, Body=b"") == ("AccessDenied", 403)
        assert code_of(s3.delete_object, Bucket="lakehouse", Key=key) == ("AccessDenied", 403)
    for prefix in ("", f"{namespace}/", f"{namespace}/t", f"{namespace}/t2/"):
        assert code_of(s3.list_objects_v2, Bucket="lakehouse", Prefix=prefix) == ("AccessDenied", 403)
    assert code_of(s3.copy_object, Bucket="lakehouse", Key=f"{namespace}/t/x", CopySource=f"lakehouse/{namespace}/t2/x") == ("AccessDenied", 403)
    assert code_of(s3.get_object, Bucket="second", Key=f"{namespace}/t/x")[1] == 403
    assert code_of(s3.delete_bucket, Bucket="lakehouse") == ("AccessDenied", 403)


def test_d3_names_that_look_like_patterns_open_nothing_else(rest, namespace, lake):
    for name in ("*", "f*", "foo?", "${aws:username}"):
        rest.create(namespace, name)
        made = rest.ok("GET", f"/namespaces/{namespace}/tables/{requests.utils.quote(name, safe='')}", headers=DELEGATE)
        s3, (bucket, prefix) = s3_of(made["config"]), place(made)
        s3.put_object(Bucket=bucket, Key=prefix + "/x", Body=b"")
        assert not set("*?$") & set(prefix.rsplit("/", 1)[1]) or name == "${aws:username}"
        assert code_of(s3.put_object, Bucket=bucket, Key=f"{namespace}/foreign/x", Body=b"") == ("AccessDenied", 403)


def test_d13_a_reader_gets_keys_that_only_read(reader, rest, table):
    loaded = reader.ok("GET", table, headers=DELEGATE)
    bucket, prefix = place(loaded)
    s3 = s3_of(loaded["config"])
    assert s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["KeyCount"] == 1
    key = loaded["metadata-location"].removeprefix(f"s3://{bucket}/")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    denied = ("AccessDenied", 403)
    assert code_of(s3.put_object, Bucket=bucket, Key=prefix + "/x", Body=b"") == denied
    assert code_of(s3.delete_object, Bucket=bucket, Key=key) == denied
    assert code_of(s3.create_multipart_upload, Bucket=bucket, Key=prefix + "/x") == denied
    assert code_of(s3.copy_object, Bucket=bucket, Key=prefix + "/x", CopySource=f"{bucket}/{key}") == denied
    assert code_of(s3.put_object_tagging, Bucket=bucket, Key=key, Tagging={"TagSet": []}) == denied
    reader.fails(403, "ForbiddenException", "POST", table, json={"requirements": [], "updates": []})
    reader.fails(403, "ForbiddenException", "DELETE", table)
    reader.fails(403, "ForbiddenException", "POST", "/namespaces", json={"namespace": ["x"]})
    _, _, namespace, _, name = table.split("/")
    change = {"identifier": {"namespace": [namespace], "name": name}, "requirements": [], "updates": []}
    reader.fails(403, "ForbiddenException", "POST", "/transactions/commit", json={"table-changes": [change]})
    assert rest.call("HEAD", table).status_code == 204


def test_keys_reach_the_places_that_properties_name(rest, namespace):
    made = rest.create(namespace, "t", properties={"write.data.path": f"s3://lakehouse/{namespace}-data"})
    loaded = rest.ok("GET", f"/namespaces/{namespace}/tables/t", headers=DELEGATE)
    assert [e["prefix"] for e in loaded["storage-credentials"]] == [made["metadata"]["location"] + "/", f"s3://lakehouse/{namespace}-data/"]
    s3_of(loaded["config"]).put_object(Bucket="lakehouse", Key=f"{namespace}-data/x", Body=b"")


def test_changed_keys_are_refused(vended, rest, table):
    s3, bucket, prefix = vended
    good = rest.ok("GET", table, headers=DELEGATE)["config"]
    token = good["s3.session-token"]
    flipped = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    for change in ({"s3.session-token": flipped}, {"s3.secret-access-key": "x"}, {"s3.access-key-id": "FV" + "A" * 18}):
        assert code_of(s3_of({**good, **change}).put_object, Bucket=bucket, Key=prefix + "/x", Body=b"")[1] in (400, 403)


def test_d15_keys_are_never_kept_alive_by_a_304(server_factory):
    server = server_factory("--vended-ttl", "60", environment={"FIRN_CATALOGS": "lakehouse"})
    rest = Rest(server.catalog_url)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    rest.create("n", "t")
    path = "/namespaces/n/tables/t"
    tag = rest.call("GET", path, headers=DELEGATE).headers["ETag"]
    assert rest.call("GET", path, headers={**DELEGATE, "If-None-Match": tag}).status_code == 304
    stem, issued = tag.rstrip('"').rsplit(".", 1)
    old = f'{stem}.{int(issued) - 31}"'  # as it was given half a life ago
    assert rest.call("GET", path, headers={**DELEGATE, "If-None-Match": old}).status_code == 200
    without = rest.call("GET", path).headers["ETag"]
    assert rest.call("GET", path, headers={**DELEGATE, "If-None-Match": without}).status_code == 200
    config = rest.ok("GET", path, headers=DELEGATE)["config"]
    assert 0 < int(config["s3.session-token-expires-at-ms"]) / 1000 - time.time() <= 60


# ---- the endpoint that clients are told

def endpoint(server, host):
    rest = Rest(server.catalog_url)
    rest.call("POST", "/namespaces", json={"namespace": ["n"]})
    rest.call("POST", "/namespaces/n/tables", json={"name": "t", "schema": {"type": "struct", "fields": []}})
    return rest.ok("GET", "/namespaces/n/tables/t", headers={"Host": host, "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"})["config"]["s3.endpoint"]


def test_the_endpoint_follows_the_name_that_the_client_uses(server_factory):
    server = server_factory("--s3-endpoint-map", "lake.example=https://files.example:9000", environment={"FIRN_CATALOGS": "lakehouse"})
    assert endpoint(server, "127.0.0.1:8181") == server.url
    assert endpoint(server, "firn:8181") == f"http://firn:{server.port}"
    assert endpoint(server, "[::1]:8181") == f"http://[::1]:{server.port}"
    assert endpoint(server, "lake.example:18181") == "https://files.example:9000"


def test_a_set_endpoint_wins(server_factory):
    server = server_factory("--s3-endpoint", "https://s3.example", environment={"FIRN_CATALOGS": "lakehouse"})
    assert endpoint(server, "firn:8181") == "https://s3.example"


# ---- callers without credentials

def test_an_anonymous_principal_serves_the_seeds_snippet(server_factory):
    server = server_factory("--anonymous-principal", "reader", environment={"FIRN_CATALOGS": "lakehouse"})
    root = Rest(server.catalog_url)
    root.ok("POST", "/namespaces", json={"namespace": ["n"]})
    root.create("n", "t")
    nobody = Rest(server.catalog_url, credential=None)
    assert nobody.ok("GET", "/namespaces")["namespaces"] == [["n"]]
    loaded = nobody.ok("GET", "/namespaces/n/tables/t", headers=DELEGATE)
    assert s3_of(loaded["config"]).list_objects_v2(Bucket="lakehouse", Prefix=place(loaded)[1] + "/")["KeyCount"] == 1
    nobody.fails(403, "ForbiddenException", "DELETE", "/namespaces/n/tables/t")


def test_pyiceberg_without_keys_of_its_own_uses_the_vended_ones(lake, namespace):
    import pyarrow as pa
    catalog = open_catalog(lake)
    data = pa.table({"a": [1, 2, 3]})
    catalog.create_table(f"{namespace}.p", schema=data.schema).append(data)
    assert catalog.load_table(f"{namespace}.p").scan().to_arrow().num_rows == 3


def test_no_keys_for_who_may_not_see_the_table(lake, table):
    Rest(lake.catalog_url, OUTSIDER).fails(404, "NoSuchWarehouseException", "GET", table + "/credentials")
