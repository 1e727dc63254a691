"""What the seeds' documents run against an object store, word for word where they give code."""
import json

import boto3
import pytest
import requests
from firn_server import Server


@pytest.fixture
def lakehouse(start_server, tmp_path):
    """Document 003: its s3.json, unchanged."""
    identities = {"identities": [{"name": "lakehouse-admin", "credentials": [{"accessKey": "lakehouse_key", "secretKey": "lakehouse_secret"}],
                                  "actions": ["Read", "Write", "List", "Tagging", "Admin"]}]}
    path = tmp_path / "lakehouse.json"
    path.write_text(json.dumps(identities))
    return start_server("--identities", str(path))


def test_seed_003_create_and_smoke_test(lakehouse, monkeypatch):
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    s3 = boto3.client("s3", endpoint_url=lakehouse.url, aws_access_key_id="lakehouse_key", aws_secret_access_key="lakehouse_secret")
    s3.create_bucket(Bucket="lakehouse")
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["lakehouse"]
    s3.put_object(Bucket="lakehouse", Key="smoke_test.txt", Body=b"ping")
    assert s3.get_object(Bucket="lakehouse", Key="smoke_test.txt")["Body"].read() == b"ping"
    s3.delete_object(Bucket="lakehouse", Key="smoke_test.txt")
    assert s3.list_objects_v2(Bucket="lakehouse")["KeyCount"] == 0


def test_seed_004_three_buckets_of_small_json_files(start_server):
    server = start_server("--buckets", "raw-events,raw-users,raw-activities",
                          environment={"FIRN_ROOT_USER": "lingokidsadmin", "FIRN_ROOT_PASSWORD": "lingokidsadmin"})
    s3 = server.boto(("lingokidsadmin", "lingokidsadmin"))
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["raw-activities", "raw-events", "raw-users"]
    for bucket in ("raw-events", "raw-users"):
        for i in range(300):
            s3.put_object(Bucket=bucket, Key=f"file_{i:04d}.json", Body=json.dumps({"id": i}).encode(), ContentType="application/json")
    merged = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="raw-events", PaginationConfig={"PageSize": 100}):
        merged += [json.load(s3.get_object(Bucket="raw-events", Key=o["Key"])["Body"])["id"] for o in page["Contents"]]
    assert merged == list(range(300))


def test_seed_004_files_of_a_directory_are_loaded_at_start(start_server, tmp_path):
    """In place of the container that copies the raw files with mc: DIR/BUCKET/FILE is there when the server answers, and a restart keeps what was changed since."""
    init = tmp_path / "init"
    for bucket, count in (("raw-events", 3000), ("raw-users", 500), ("raw-activities", 20)):
        (init / bucket / "day=1").mkdir(parents=True)
        for i in range(count):
            (init / bucket / "day=1" / f"file_{i:04d}.json").write_text(json.dumps({"id": i}))
    server = start_server("--init-dir", str(init), "--log-format", "json")
    s3 = server.boto()
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["raw-activities", "raw-events", "raw-users"]
    found = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="raw-events") for o in page["Contents"]]
    assert found == [f"day=1/file_{i:04d}.json" for i in range(3000)]
    one = s3.get_object(Bucket="raw-events", Key="day=1/file_2999.json")
    assert json.load(one["Body"]) == {"id": 2999} and one["ContentType"] == "application/json"

    s3.put_object(Bucket="raw-users", Key="day=1/file_0000.json", Body=b"changed")
    s3.delete_object(Bucket="raw-users", Key="day=1/file_0001.json")
    server.restart()
    assert server.boto().get_object(Bucket="raw-users", Key="day=1/file_0000.json")["Body"].read() == b"changed"
    told = [line for line in map(json.loads, server.log.read_text().splitlines()) if line["message"] == "init directory"]
    assert [(line["loaded"], line["present"], line["passed_over"]) for line in told] == [(3520, 0, 0), (1, 3519, 0)]


def test_an_init_directory_that_cannot_be_loaded_stops_the_start_and_is_named(tmp_path):
    (tmp_path / "init" / "Not_A_Bucket").mkdir(parents=True)
    with pytest.raises(AssertionError, match="Not_A_Bucket"):
        Server(tmp_path, ["--init-dir", str(tmp_path / "init")]).start()


def test_a_requests_id_is_in_its_log_line_and_its_answer(start_server):
    server = start_server("--log-level", "debug", "--log-format", "json")
    answer = server.boto().list_buckets()["ResponseMetadata"]
    missing = requests.get(f"{server.catalog_url}/api/catalog/v1/config?warehouse=none", timeout=30)
    assert server.stop() == 0
    lines = {line["id"]: line for line in map(json.loads, server.log.read_text().splitlines()) if "id" in line}
    assert lines[answer["RequestId"]]["operation"] == "ListBuckets" and lines[answer["RequestId"]]["status"] == 200
    assert lines[missing.headers["X-Request-ID"]]["status"] == missing.status_code


def test_seed_004_minio_names_of_the_root_user(start_server):
    """MINIO_ROOT_USER and MINIO_ROOT_PASSWORD count when Firn's own names are not set."""
    server = start_server(environment={"FIRN_ROOT_USER": None, "FIRN_ROOT_PASSWORD": None, "MINIO_ROOT_USER": "lingokidsadmin", "MINIO_ROOT_PASSWORD": "lingokidsadmin"})
    assert server.boto(("lingokidsadmin", "lingokidsadmin")).list_buckets()["Buckets"] == []


def test_seed_002_bronze_silver_gold_by_run_date(s3, bucket, tmp_path):
    for layer in ("bronze", "silver"):
        for day in range(1, 29):
            path = tmp_path / "part.json"
            path.write_text(f"{layer} {day}")
            s3.upload_file(str(path), bucket, f"{layer}/orders/run_date=2026-01-{day:02d}/part.json")
    dates = s3.list_objects_v2(Bucket=bucket, Prefix="bronze/orders/", Delimiter="/")["CommonPrefixes"]
    assert [d["Prefix"] for d in dates] == [f"bronze/orders/run_date=2026-01-{day:02d}/" for day in range(1, 29)]
    one = s3.list_objects_v2(Bucket=bucket, Prefix="silver/orders/run_date=2026-01-07/")["Contents"]
    s3.download_file(bucket, one[0]["Key"], str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "silver 7"
