"""The seed documents' code for a store and a catalog, run as it stands apart from endpoints and paths (see `run`), and their checklists.

Documents 000 and 001 have no code that speaks to either (Airbyte, Dagster and dbt against a warehouse); 002 asks for a layout by run date and for least
privilege, 003 for a lakehouse of SeaweedFS and Polaris, 004 for MinIO with thousands of small files.
"""
import concurrent.futures
import contextlib
import csv
import datetime
import io
import json
import socket
import threading
import time
import urllib.error
import urllib.request

import botocore.exceptions
import pandas as pd
import pyarrow as pa
import pytest
from ducks import duck_connect, duck_open
from firn_server import ROOT, Server
from pyiceberg.types import StringType

KEYS_003 = ("lakehouse_key", "lakehouse_secret")
USER_004 = ("lingokidsadmin", "lingokidsadmin")


def run(snippet, places, **known):
    """The snippet as the document has it, with its hosts and paths replaced; its names, and what it printed."""
    for there, here in places.items():
        snippet = snippet.replace(there, here)
    names, printed = dict(known), io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet, "snippet", "exec"), names)
    return names, printed.getvalue()


@pytest.fixture(autouse=True)
def no_region(monkeypatch, tmp_path):
    """boto3 finds neither a region nor a profile."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, json.loads(answer.read())


# --- 003: SeaweedFS and Polaris ---

S3_JSON = """{
  "identities": [
    {
      "name": "lakehouse-admin",
      "credentials": [
        {
          "accessKey": "lakehouse_key",
          "secretKey": "lakehouse_secret"
        }
      ],
      "actions": ["Read", "Write", "List", "Tagging", "Admin"]
    }
  ]
}
"""

CREATE_BUCKET = """
import boto3

s3 = boto3.client(
    "s3",
    endpoint_url="http://seaweedfs-s3:8333",
    aws_access_key_id="lakehouse_key",
    aws_secret_access_key="lakehouse_secret",
)

s3.create_bucket(Bucket="lakehouse")

buckets = [b["Name"] for b in s3.list_buckets()["Buckets"]]
print("Buckets:", buckets)
# Expected: Buckets: ['lakehouse']
"""

SALES_CSV = """
import csv
import random
from datetime import date, timedelta
from pathlib import Path

random.seed(42)

PRODUCTS = ["Laptop", "Monitor", "Keyboard", "Mouse", "Headset", "Webcam", "Desk Chair"]
REGIONS  = ["North", "South", "East", "West", "Central"]
START    = date(2024, 1, 1)

rows = []
for i in range(1, 1001):
    order_date = START + timedelta(days=random.randint(0, 89))
    rows.append({
        "order_id":    f"ORD-{i:04d}",
        "customer_id": f"CUST-{random.randint(1, 200):04d}",
        "order_date":  order_date.isoformat(),
        "product":     random.choice(PRODUCTS),
        "quantity":    random.randint(1, 5),
        "amount":      round(random.uniform(20.0, 2000.0), 2),
        "region":      random.choice(REGIONS),
    })

out = Path("/workspace/data/sales.csv")
with open(out, "w", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)

print(f"Created {out} with {len(rows)} rows")
"""

NAMESPACES = """
from pyiceberg.catalog.rest import RestCatalog

catalog = RestCatalog(
    name="polaris",
    uri="http://polaris:8181/api/catalog",
    warehouse="lakehouse",
    **{
        "s3.endpoint": "http://seaweedfs-s3:8333",
        "s3.access-key-id": "lakehouse_key",
        "s3.secret-access-key": "lakehouse_secret",
        "s3.path-style-access": "true",
    }
)

for ns in ["raw", "staging", "marts"]:
    try:
        catalog.create_namespace(ns)
        print(f"Created namespace: {ns}")
    except Exception:
        print(f"Namespace already exists: {ns}")

print("All namespaces:", catalog.list_namespaces())
"""

SMOKE_1 = """
import boto3

s3 = boto3.client(
    "s3",
    endpoint_url="http://seaweedfs-s3:8333",
    aws_access_key_id="lakehouse_key",
    aws_secret_access_key="lakehouse_secret",
)

s3.put_object(Bucket="lakehouse", Key="smoke_test.txt", Body=b"ping")
body = s3.get_object(Bucket="lakehouse", Key="smoke_test.txt")["Body"].read()
assert body == b"ping", f"FAIL: got {body}"
s3.delete_object(Bucket="lakehouse", Key="smoke_test.txt")

print("PASS: SeaweedFS S3 read/write working")
"""

SMOKE_2 = """
import requests

r = requests.get("http://polaris:8181/api/management/v1/health")
assert r.status_code == 200, f"FAIL: HTTP {r.status_code}"
print("PASS: Polaris catalog healthy")
"""

SMOKE_6 = """
import csv

# Append a new row to the source CSV
new_row = {
    "order_id":    "ORD-9999",
    "customer_id": "CUST-0001",
    "order_date":  "2024-03-31",
    "product":     "Laptop",
    "quantity":    "1",
    "amount":      "1500.00",
    "region":      "North",
}
with open("/workspace/data/sales.csv", "a", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=new_row.keys())
    writer.writerow(new_row)

print("New row appended. Now re-run the dlt pipeline, then dbt run, then refresh Streamlit.")
"""

STG_SALES = """
with source as (
    select * from raw.sales
),

cleaned as (
    select
        order_id,
        customer_id,
        cast(order_date as date)                              as order_date,
        product,
        quantity,
        amount,
        region,
        date_part('year',    cast(order_date as date))::int  as order_year,
        date_part('month',   cast(order_date as date))::int  as order_month,
        date_part('quarter', cast(order_date as date))::int  as order_quarter,
        quantity * amount                                     as line_total
    from source
    where quantity > 0
      and amount   > 0
)

select * from cleaned
"""

DAILY_REVENUE = """
with stg as (
    select * from {{ ref('stg_sales') }}
)

select
    order_date,
    region,
    product,
    count(distinct order_id)    as order_count,
    count(distinct customer_id) as customer_count,
    sum(quantity)               as total_units,
    round(sum(line_total), 2)   as revenue,
    round(avg(amount), 2)       as avg_order_value
from stg
group by order_date, region, product
order by order_date, region, product
"""


@pytest.fixture(scope="module")
def seed_003(tmp_path_factory):
    """The document's stack: one server with its s3.json; the catalog lets callers without a credential in as lakehouse-admin."""
    directory = tmp_path_factory.mktemp("seed003")
    (directory / "s3.json").write_text(S3_JSON)
    status = f"127.0.0.1:{free_port()}"
    server = Server(directory, ["--identities", str(directory / "s3.json"), "--catalogs", "lakehouse", "--recreate-ok", "on",
                                "--anonymous-principal", "lakehouse-admin", "--status-address", status]).start()
    server.status_url = "http://" + status
    (directory / "workspace" / "data").mkdir(parents=True)
    server.places = {"http://seaweedfs-s3:8333": server.url, "http://polaris:8181": server.catalog_url, "/workspace": str(directory / "workspace")}
    server.csv = directory / "workspace/data/sales.csv"
    yield server
    assert server.stop() == 0, server.log.read_text()[-4000:]


def sales_of(path):
    with open(path, newline="") as f:
        return [{**row, "quantity": int(row["quantity"]), "amount": float(row["amount"])} for row in csv.DictReader(f)]


def test_003_health_and_status_answer_without_credentials(seed_003):
    assert run(SMOKE_2, seed_003.places)[1] == "PASS: Polaris catalog healthy\n"
    for path in ("/cluster/status", "/"):
        status, told = get(seed_003.status_url + path)
        assert status == 200 and told == {"product": "Firn", "ready": True}
    with pytest.raises(urllib.error.HTTPError) as refused:  # and nothing else is there
        urllib.request.urlopen(seed_003.status_url + "/lakehouse/", timeout=30)
    assert refused.value.code in (403, 404)


def test_003_bucket_and_smoke_test(seed_003):
    assert run(CREATE_BUCKET, seed_003.places)[1] == "Buckets: ['lakehouse']\n"
    assert run(SMOKE_1, seed_003.places)[1] == "PASS: SeaweedFS S3 read/write working\n"
    left = seed_003.boto(KEYS_003).list_objects_v2(Bucket="lakehouse", Prefix="smoke_test")
    assert left["KeyCount"] == 0


def test_003_keys_that_are_not_in_s3_json_are_refused(seed_003):
    for keys, code in ((("lakehouse_key", "wrong"), "SignatureDoesNotMatch"), (("other_key", "lakehouse_secret"), "InvalidAccessKeyId")):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            seed_003.boto(keys).list_buckets()
        assert refused.value.response["Error"]["Code"] == code


def test_003_namespaces_without_credentials(seed_003):
    names, printed = run(NAMESPACES, seed_003.places)
    assert sorted(names["catalog"].list_namespaces()) == [("marts",), ("raw",), ("staging",)]
    assert printed.count("Created namespace: ") == 3
    assert run(NAMESPACES, seed_003.places)[1].count("Namespace already exists: ") == 3


def build_staging_and_marts(connection):
    """What `dbt run` makes of the document's two models, into the catalog."""
    connection.execute("USE lake.raw")
    for table, query in (("lake.staging.stg_sales", STG_SALES.replace("raw.sales", "lake.raw.sales")),
                         ("lake.marts.daily_revenue", DAILY_REVENUE.replace("{{ ref('stg_sales') }}", "lake.staging.stg_sales"))):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(f"CREATE TABLE {table} AS {query}")


def check_marts(connection, rows):
    """The document's tests 4 and 5, and its schema.yml, with the sums of the source."""
    query = "SELECT count(*), count(DISTINCT order_id), count(customer_id), count(order_date) FROM lake.staging.stg_sales"
    assert connection.execute(query).fetchone() == (len(rows),) * 4
    found = dict(connection.execute("SELECT region, round(sum(revenue), 2) FROM lake.marts.daily_revenue GROUP BY region ORDER BY 2 DESC").fetchall())
    source = {}
    for row in rows:
        source[row["region"]] = source.get(row["region"], 0) + row["quantity"] * row["amount"]
    assert len(found) == 5 and found == pytest.approx(source, abs=0.5)


def test_003_sales_from_csv_to_marts_and_one_order_more(seed_003, extension_directory):
    run(CREATE_BUCKET, seed_003.places)
    catalog = run(NAMESPACES, seed_003.places)[0]["catalog"]
    assert "with 1000 rows" in run(SALES_CSV, seed_003.places)[1]
    s3 = seed_003.boto(KEYS_003)
    s3.upload_file(str(seed_003.csv), "lakehouse", "landing/sales.csv")
    rows = sales_of(seed_003.csv)
    table = catalog.create_table("raw.sales", schema=pa.Table.from_pylist(rows).schema)
    table.append(pa.Table.from_pylist(rows))
    connection = duck_connect(seed_003, extension_directory)
    assert connection.execute("SELECT count(*) FROM read_csv('s3://lakehouse/landing/sales.csv')").fetchone()[0] == 1000
    assert connection.execute("SELECT count(*) FROM lake.raw.sales").fetchone()[0] == 1000
    build_staging_and_marts(connection)
    check_marts(connection, rows)

    run(SMOKE_6, seed_003.places)
    rows = sales_of(seed_003.csv)
    assert len(rows) == 1001 and rows[-1]["order_id"] == "ORD-9999"
    s3.upload_file(str(seed_003.csv), "lakehouse", "landing/sales.csv")
    catalog.load_table("raw.sales").overwrite(pa.Table.from_pylist(rows))  # write_disposition="replace"
    assert connection.execute("SELECT count(*) FROM lake.raw.sales").fetchone()[0] == 1001
    build_staging_and_marts(connection)
    check_marts(connection, rows)
    assert connection.execute("SELECT line_total FROM lake.staging.stg_sales WHERE order_id = 'ORD-9999'").fetchall() == [(1500.0,)]
    connection.close()
    assert catalog.load_table("marts.daily_revenue").scan().to_arrow().num_rows > 0


def test_003_duckdb_attaches_without_credentials(seed_003, extension_directory):
    catalog = run(NAMESPACES, seed_003.places)[0]["catalog"]
    catalog.create_table_if_not_exists("raw.numbers", schema=pa.schema([("n", pa.int64())])).overwrite(pa.table({"n": list(range(10))}))
    connection = duck_connect(seed_003, extension_directory)
    connection.execute(f"ATTACH 'lakehouse' AS open_lake (TYPE iceberg, ENDPOINT '{seed_003.catalog_url}/api/catalog', AUTHORIZATION_TYPE 'none')")
    assert connection.execute("SELECT sum(n) FROM open_lake.raw.numbers").fetchone()[0] == 45
    connection.close()


def test_003_expire_snapshots_in_todays_form(seed_003):
    """The document has table.expire_snapshots(older_than=...), which no PyIceberg has; this is what stands for it."""
    catalog = run(NAMESPACES, seed_003.places)[0]["catalog"]
    table = catalog.create_table("raw.expiring", schema=pa.schema([("n", pa.int64())]))
    for n in range(4):
        table.append(pa.table({"n": [n]}))
    table.maintenance.expire_snapshots().older_than(datetime.datetime.now() - datetime.timedelta(days=7)).commit()
    assert len(catalog.load_table("raw.expiring").snapshots()) == 4
    table.maintenance.expire_snapshots().older_than(datetime.datetime.now() + datetime.timedelta(days=1)).commit()
    left = catalog.load_table("raw.expiring")
    assert len(left.snapshots()) == 1 and sorted(left.scan().to_arrow()["n"].to_pylist()) == [0, 1, 2, 3]


def test_003_git_branches_are_namespaces_and_schema_changes_roll_back(seed_003):
    """'Environment Isolation' and 'Schema Changes': three namespaces, evolution in one, back by a snapshot."""
    catalog = run(NAMESPACES, seed_003.places)[0]["catalog"]
    for name in ("dev_analytics", "staging_analytics", "prod_analytics"):
        catalog.create_namespace_if_not_exists(name)
        catalog.create_table_if_not_exists(f"{name}.t", schema=pa.schema([("id", pa.int64())])).append(pa.table({"id": [1, 2]}))
    dev = catalog.load_table("dev_analytics.t")
    before = dev.current_snapshot().snapshot_id
    with dev.update_schema() as change:
        change.add_column("note", StringType())
    dev.append(pa.table({"id": [3], "note": ["new"]}))
    assert catalog.load_table("prod_analytics.t").schema().column_names == ["id"]
    dev.manage_snapshots().rollback_to_snapshot(before).commit()
    assert catalog.load_table("dev_analytics.t").scan().to_arrow()["id"].to_pylist() == [1, 2]


def test_003_without_the_setting_no_credential_is_refused(lake):
    """Callers without a credential are let in by --anonymous-principal alone."""
    with pytest.raises(Exception) as refused:
        run(NAMESPACES, {"http://seaweedfs-s3:8333": lake.url, "http://polaris:8181": lake.catalog_url})
    assert "Unauthorized" in type(refused.value).__name__ or "401" in str(refused.value)


# --- 004: MinIO and small files ---


@pytest.fixture(scope="module")
def seed_004(tmp_path_factory):
    directory = tmp_path_factory.mktemp("seed004")
    status = f"127.0.0.1:{free_port()}"
    server = Server(directory, ["--status-address", status], environment={
        "FIRN_ROOT_USER": None, "FIRN_ROOT_PASSWORD": None, "MINIO_ROOT_USER": USER_004[0], "MINIO_ROOT_PASSWORD": USER_004[1],
        "FIRN_BUCKETS": "raw-events,raw-users,raw-activities"}).start()
    server.status_url = "http://" + status
    yield server
    assert server.stop() == 0, server.log.read_text()[-4000:]


def put_json(s3, bucket, documents):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda d: s3.put_object(Bucket=bucket, Key=d[0], Body=json.dumps(d[1]).encode(), ContentType="application/json"), documents))


def events(count):
    for i in range(count):
        document = {"event_id": i, "user_id": i % 97, "activity_id": i % 13, "name": "activity_enter" if i % 3 else "activity_exit"}
        yield f"events/2025/01/{i % 28 + 1:02}/event_{i:05}.json", document


def test_004_the_user_of_minio_and_its_three_buckets(seed_004):
    s3 = seed_004.boto(USER_004)
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["raw-activities", "raw-events", "raw-users"]
    for name in ("raw-events", "raw-users", "raw-activities"):  # as an initialization script does
        s3.head_bucket(Bucket=name)
    with pytest.raises(botocore.exceptions.ClientError):
        seed_004.boto(ROOT).list_buckets()
    assert get(seed_004.status_url + "/") == (200, {"product": "Firn", "ready": True})  # where the console of MinIO was


def test_004_thousands_of_small_files_are_listed_and_merged(seed_004, extension_directory):
    s3 = seed_004.boto(USER_004, max_pool_connections=8)
    put_json(s3, "raw-events", events(3000))
    put_json(s3, "raw-users", ((f"user_{i:03}.json", {"user_id": i, "country": "ES" if i % 2 else "US"}) for i in range(97)))
    put_json(s3, "raw-activities", ((f"activity_{i:02}.json", {"activity_id": i, "theme": f"t{i % 4}"}) for i in range(13)))
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="raw-events"))
    keys = [o["Key"] for page in pages for o in page["Contents"]]
    assert [len(p["Contents"]) for p in pages] == [1000] * 3 and keys == sorted(k for k, _ in events(3000))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # the bronze asset: one file of many
        merged = list(pool.map(lambda k: json.load(s3.get_object(Bucket="raw-events", Key=k)["Body"]), keys))
    assert sorted(m["event_id"] for m in merged) == list(range(3000))
    s3.put_object(Bucket="raw-events", Key="bronze/bronze_events.json", Body="\n".join(map(json.dumps, merged)).encode())
    connection = duck_open(seed_004, extension_directory, USER_004)
    whole, small = ("read_json('s3://raw-events/bronze/bronze_events.json')", "read_json('s3://raw-events/events/2025/01/0[1-3]/*.json')")
    assert connection.execute(f"SELECT count(*), sum(event_id) FROM {whole}").fetchone() == (3000, 2999 * 1500)
    assert connection.execute(f"SELECT count(*) FROM {small}").fetchone()[0] == sum(m["event_id"] % 28 < 3 for m in merged)
    rows = connection.execute(f"""SELECT u.country, count(*) FROM {whole} e JOIN read_json('s3://raw-users/*.json') u USING (user_id)
                                  JOIN read_json('s3://raw-activities/*.json') a USING (activity_id) GROUP BY 1 ORDER BY 1""").fetchall()
    assert dict(rows) == {"ES": sum(m["user_id"] % 2 for m in merged), "US": sum(1 - m["user_id"] % 2 for m in merged)}
    connection.close()


def test_004_a_sensor_sees_every_file_once(seed_004):
    """Polling as a Dagster sensor does: what sorts behind the cursor is new. Keys begin with the time, as files that land do."""
    s3 = seed_004.boto(USER_004)
    seen, cursor, landed = [], "", threading.Event()

    def land():
        writer = seed_004.boto(USER_004)
        for i in range(200):
            writer.put_object(Bucket="raw-events", Key=f"landing/{i:06}.json", Body=b"{}")
        landed.set()

    thread = threading.Thread(target=land)
    thread.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        last = landed.is_set()
        page = s3.list_objects_v2(Bucket="raw-events", Prefix="landing/", StartAfter=cursor, MaxKeys=37)
        new = [o["Key"] for o in page.get("Contents", [])]
        seen += new
        cursor = new[-1] if new else cursor
        if last and not new:
            break
    thread.join()
    assert seen == [f"landing/{i:06}.json" for i in range(200)]
    head = s3.head_object(Bucket="raw-events", Key="landing/000007.json")  # S3KeySensor.poke
    assert head["LastModified"] <= datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    with pytest.raises(botocore.exceptions.ClientError, match="404"):
        s3.head_object(Bucket="raw-events", Key="landing/none.json")


# --- 002: bronze, silver, gold ---


@pytest.fixture
def pipeline_user(start_server, tmp_path):
    """'S3 bucket and least privilege IAM user for programmatic S3 access': one that has the bucket de-lake and no other."""
    (tmp_path / "iam.json").write_text(json.dumps({"identities": [{"name": "pipeline", "credentials": [{"accessKey": "pipe", "secretKey": "pipe-secret"}],
                                                                  "actions": ["Read:de-lake", "Write:de-lake", "List:de-lake"]}]}))
    server = start_server("--identities", str(tmp_path / "iam.json"), "--buckets", "de-lake,other")
    server.boto().put_object(Bucket="other", Key="secret", Body=b"secret")
    return server.boto(("pipe", "pipe-secret"))


def ingest(s3, run_date, hours, directory):
    """Week 1 and 3: writes locally and uploads; a rerun of a date replaces it."""
    raw = {"hourly": [{"time": f"{run_date}T{h:02}:00", "temperature": 10 + h} for h in range(hours)] + [{"time": f"{run_date}T00:00", "temperature": 10}]}
    clean = pd.DataFrame(raw["hourly"]).drop_duplicates("time")
    (directory / "raw.json").write_text(json.dumps(raw))
    clean.to_parquet(directory / "clean.parquet")
    for layer, name in (("bronze", "raw.json"), ("silver", "clean.parquet")):
        s3.upload_file(str(directory / name), "de-lake", f"{layer}/source=openmeteo/run_date={run_date}/{name}")
    return len(raw["hourly"]), len(clean)


def test_002_layers_by_run_date_and_a_backfill(pipeline_user, tmp_path):
    s3 = pipeline_user
    dates = [(datetime.date(2025, 10, 20) + datetime.timedelta(days=d)).isoformat() for d in range(102)]
    for date in dates + dates[5:8]:  # a backfill of three days
        assert ingest(s3, date, 24, tmp_path) == (25, 24)
    for layer in ("bronze", "silver"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="de-lake", Prefix=f"{layer}/source=openmeteo/", Delimiter="/",
                                                            PaginationConfig={"PageSize": 50})
        found = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
        assert found == [f"{layer}/source=openmeteo/run_date={d}/" for d in dates]
    silver = [s3.get_object(Bucket="de-lake", Key=f"silver/source=openmeteo/run_date={d}/clean.parquet")["Body"].read() for d in dates[:2]]
    for date, body in zip(dates, silver):  # week 6: gold, two partitions
        gold = pd.read_parquet(io.BytesIO(body)).rename(columns={"temperature": "temperature_c"}).to_parquet()
        s3.put_object(Bucket="de-lake", Key=f"gold/fact_weather/run_date={date}/part.parquet", Body=gold)
    s3.download_file("de-lake", f"bronze/source=openmeteo/run_date={dates[50]}/raw.json", str(tmp_path / "back.json"))
    assert json.loads((tmp_path / "back.json").read_text())["hourly"][23]["time"] == f"{dates[50]}T23:00"
    for date in dates[:2]:
        body = s3.get_object(Bucket="de-lake", Key=f"gold/fact_weather/run_date={date}/part.parquet")["Body"].read()
        assert len(pd.read_parquet(io.BytesIO(body))) == 24


def test_002_least_privilege_is_kept(pipeline_user):
    for call in (lambda s3: s3.get_object(Bucket="other", Key="secret"), lambda s3: s3.list_objects_v2(Bucket="other"),
                 lambda s3: s3.put_object(Bucket="other", Key="x", Body=b""), lambda s3: s3.delete_object(Bucket="other", Key="secret"),
                 lambda s3: s3.create_bucket(Bucket="third"), lambda s3: s3.delete_bucket(Bucket="de-lake"),
                 lambda s3: s3.copy_object(Bucket="de-lake", Key="stolen", CopySource="other/secret")):
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            call(pipeline_user)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
