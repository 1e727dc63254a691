"""Spark 4 with Iceberg 1.11 and vended keys. Run by `make clients` alone (600 MB to install): pytest finds no file of this name by itself."""
import concurrent.futures
import datetime
import time

import pytest
from firn_server import ROOT
from session import open_session


@pytest.fixture(scope="session")
def spark(lake, tmp_path_factory):
    session = open_session(lake.catalog_url, ":".join(ROOT), tmp_path_factory.mktemp("spark"))
    session.sql("CREATE NAMESPACE IF NOT EXISTS db")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def store(lake):
    return lake.boto()


@pytest.fixture
def sql(spark):
    return lambda text: [tuple(row) for row in spark.sql(text).collect()]


def keys(store, table, spark):
    """The keys below a table's location."""
    location = dict((r[0], r[1]) for r in spark.sql(f"DESCRIBE TABLE EXTENDED {table}").collect())["Location"]
    prefix = location.removeprefix("s3://lakehouse/") + "/"
    return [o["Key"] for p in store.get_paginator("list_objects_v2").paginate(Bucket="lakehouse", Prefix=prefix) for o in p.get("Contents", [])]


def test_namespaces_with_properties(sql):
    sql("CREATE NAMESPACE db.nested WITH PROPERTIES (owner_team = 'data')")
    assert ("db.nested",) in sql("SHOW NAMESPACES IN db") or ("nested",) in sql("SHOW NAMESPACES IN db")
    assert "owner_team" in str(sql("DESCRIBE NAMESPACE EXTENDED db.nested"))
    sql("DROP NAMESPACE db.nested")


def test_a_partitioned_table_is_written_with_vended_keys(spark, sql, store):
    sql("CREATE TABLE db.events (id BIGINT, kind STRING, day DATE, amount DOUBLE) USING iceberg PARTITIONED BY (kind, months(day))")
    columns = ["id", "concat('k', id % 5) AS kind", "date_add(DATE '2026-01-01', cast(id % 60 AS INT)) AS day", "id * 0.5 AS amount"]
    spark.range(300_000).selectExpr(*columns).writeTo("db.events").append()
    assert sql("SELECT count(*), sum(id), sum(amount) FROM db.events") == [(300_000, 299_999 * 150_000, 299_999 * 75_000.0)]
    assert sql("SELECT count(*) FROM db.events WHERE kind = 'k3' AND day < DATE '2026-02-01'") == sql(
        "SELECT count(*) FROM range(300000) WHERE id % 5 = 3 AND id % 60 < 31")
    found = keys(store, "db.events", spark)
    assert len({k.split("/data/")[1].rsplit("/", 1)[0] for k in found if "/data/" in k}) == 11  # 5 kinds in 2 months, and 1 March, which is of kind k4


def test_pyiceberg_reads_what_spark_wrote(lake, spark, sql):
    from pyiceberg.catalog.rest import RestCatalog
    sql("CREATE TABLE db.shared AS SELECT id, id * 2 AS twice FROM range(1000)")
    catalog = RestCatalog("firn", uri=lake.catalog_url + "/api/catalog", warehouse="lakehouse", credential=":".join(ROOT))
    assert sum(catalog.load_table("db.shared").scan().to_arrow()["twice"].to_pylist()) == 999 * 1000
    import pyarrow
    catalog.load_table("db.shared").append(pyarrow.table({"id": [1000], "twice": [2000]}))
    assert sql("SELECT count(*), sum(twice) FROM db.shared") == [(1001, 1000 * 1001)]


@pytest.mark.parametrize("mode", ["copy-on-write", "merge-on-read"])
@pytest.mark.parametrize("version", [2, 3])
def test_insert_update_merge_delete(sql, mode, version):
    table = f"db.dml_{version}_{mode.replace('-', '_')}"
    sql(f"CREATE TABLE {table} (id BIGINT, v STRING) USING iceberg TBLPROPERTIES ('format-version'='{version}', 'write.delete.mode'='{mode}', "
        f"'write.update.mode'='{mode}', 'write.merge.mode'='{mode}')")
    sql(f"INSERT INTO {table} SELECT id, concat('v', id) FROM range(100)")
    sql(f"UPDATE {table} SET v = 'updated' WHERE id = 7")
    sql(f"DELETE FROM {table} WHERE id >= 90")
    sql(f"MERGE INTO {table} t USING (SELECT id, 'merged' AS v FROM range(80, 95)) s ON t.id = s.id "
        "WHEN MATCHED AND t.id = 80 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *")
    want = {i: f"v{i}" for i in range(90)} | {7: "updated"} | {i: "merged" for i in range(81, 95)}
    del want[80]
    assert dict(sql(f"SELECT id, v FROM {table}")) == want
    if mode == "merge-on-read":
        formats = {r[0] for r in sql(f"SELECT file_format FROM {table}.delete_files")}
        assert formats == ({"PUFFIN"} if version == 3 else {"PARQUET"})


def test_v3_deletion_vectors_row_lineage_and_variant(spark, sql, store):
    sql("CREATE TABLE db.v3 (id BIGINT, doc VARIANT) USING iceberg TBLPROPERTIES ('format-version'='3', 'write.delete.mode'='merge-on-read')")
    sql("""INSERT INTO db.v3 SELECT id, parse_json(concat('{"n": ', id, '}')) FROM range(1000)""")
    sql("DELETE FROM db.v3 WHERE id % 10 = 0")
    assert sql("SELECT count(*), sum(variant_get(doc, '$.n', 'bigint')) FROM db.v3") == [(900, sum(i for i in range(1000) if i % 10))]
    assert any(k.endswith(".puffin") for k in keys(store, "db.v3", spark))
    lineage = sql("SELECT id, _row_id, _last_updated_sequence_number FROM db.v3")
    assert len({r[1] for r in lineage}) == 900 and {r[2] for r in lineage} == {1}
    sql("DELETE FROM db.v3 WHERE id = 1")  # a deletion vector replaces the one before
    assert sql("SELECT count(*) FROM db.v3") == [(899,)] and sql("SELECT sum(record_count) FROM db.v3.delete_files") == [(101,)]


def test_time_travel_branches_tags_and_rollback(sql):
    sql("CREATE TABLE db.travel (n BIGINT) USING iceberg")
    sql("INSERT INTO db.travel VALUES (1)")
    time.sleep(1.1)
    between = datetime.datetime.now()
    time.sleep(0.1)
    sql("INSERT INTO db.travel VALUES (2)")
    first, second = [r[0] for r in sql("SELECT snapshot_id FROM db.travel.snapshots ORDER BY committed_at")]
    assert sql(f"SELECT n FROM db.travel VERSION AS OF {first}") == [(1,)]
    assert sql(f"SELECT n FROM db.travel TIMESTAMP AS OF '{between}'") == [(1,)]
    sql(f"ALTER TABLE db.travel CREATE TAG one AS OF VERSION {first}")
    sql("ALTER TABLE db.travel CREATE BRANCH work")
    sql("INSERT INTO db.travel.branch_work VALUES (3)")
    assert sql("SELECT count(*) FROM db.travel VERSION AS OF 'one'") == [(1,)] and sql("SELECT count(*) FROM db.travel VERSION AS OF 'work'") == [(3,)]
    assert sql("SELECT count(*) FROM db.travel") == [(2,)]
    sql("CALL lake.system.fast_forward('db.travel', 'main', 'work')")
    assert sql("SELECT sum(n) FROM db.travel") == [(6,)]
    sql(f"CALL lake.system.rollback_to_snapshot('db.travel', {first})")
    assert sql("SELECT n FROM db.travel") == [(1,)] and second in [r[0] for r in sql("SELECT snapshot_id FROM db.travel.snapshots")]


def test_expire_and_rewrite_procedures(spark, sql, store):
    sql("CREATE TABLE db.upkeep (n BIGINT) USING iceberg")
    for n in range(6):
        sql(f"INSERT INTO db.upkeep VALUES ({n})")
    sql("CALL lake.system.rewrite_data_files(table => 'db.upkeep', options => map('min-input-files', '2'))")
    data = [k for k in keys(store, "db.upkeep", spark) if "/data/" in k]
    tomorrow = datetime.datetime.now() + datetime.timedelta(days=1)
    deleted = sql(f"CALL lake.system.expire_snapshots(table => 'db.upkeep', older_than => TIMESTAMP '{tomorrow}', retain_last => 1)")[0]
    left = [k for k in keys(store, "db.upkeep", spark) if "/data/" in k]
    assert deleted[0] == 6 and len(data) == 7 and len(left) == 1
    assert sql("SELECT count(*), sum(n) FROM db.upkeep") == [(6, 15)]
    assert sql("SELECT count(*) FROM db.upkeep.snapshots") == [(1,)]
    store.put_object(Bucket="lakehouse", Key=left[0].rsplit("/", 1)[0] + "/orphan.parquet", Body=b"nobody's")
    orphans = sql("CALL lake.system.remove_orphan_files(table => 'db.upkeep', dry_run => true, prefix_listing => true, "
                  f"older_than => TIMESTAMP '{datetime.datetime.now() - datetime.timedelta(days=2)}')")
    assert orphans == []  # none is that old


def test_schema_and_partition_evolution(sql):
    sql("CREATE TABLE db.evolve (id INT, a STRING, day DATE) USING iceberg PARTITIONED BY (day)")
    sql("INSERT INTO db.evolve VALUES (1, 'x', DATE '2026-01-01')")
    for change in ("ADD COLUMN b DOUBLE", "RENAME COLUMN a TO c", "ALTER COLUMN id TYPE BIGINT", "ALTER COLUMN b FIRST",
                   "ADD PARTITION FIELD bucket(4, id)", "REPLACE PARTITION FIELD day WITH months(day)", "SET TBLPROPERTIES ('write.parquet.compression-codec'='zstd')"):
        sql(f"ALTER TABLE db.evolve {change}")
    sql("INSERT INTO db.evolve VALUES (2.5, 5000000000, 'y', DATE '2026-02-01')")
    assert sorted(sql("SELECT id, c, b FROM db.evolve"), key=str) == sorted([(1, "x", None), (5_000_000_000, "y", 2.5)], key=str)
    sql("ALTER TABLE db.evolve DROP COLUMN b")
    sql("ALTER TABLE db.evolve RENAME TO db.evolved")
    assert sql("SELECT count(*) FROM db.evolved WHERE day >= DATE '2026-02-01'") == [(1,)]


def test_create_or_replace_and_dynamic_overwrite(spark, sql):
    sql("CREATE OR REPLACE TABLE db.replaced AS SELECT id, id % 3 AS p FROM range(30)")
    sql("CREATE OR REPLACE TABLE db.replaced PARTITIONED BY (p) AS SELECT id, id % 3 AS p FROM range(300)")
    assert sql("SELECT count(*) FROM db.replaced") == [(300,)] and sql("SELECT count(*) FROM db.replaced.history")[0][0] >= 1
    spark.range(5).selectExpr("id", "CAST(1 AS BIGINT) AS p").writeTo("db.replaced").overwritePartitions()
    assert sql("SELECT p, count(*) FROM db.replaced GROUP BY p ORDER BY p") == [(0, 100), (1, 5), (2, 100)]


def test_eight_writers_at_once_lose_nothing(spark, sql):
    sql("CREATE TABLE db.busy (w INT, n INT) USING iceberg TBLPROPERTIES ('commit.retry.num-retries'='20', 'commit.retry.min-wait-ms'='50')")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: spark.sql(f"INSERT INTO db.busy VALUES ({i % 8}, {i})").collect(), range(32)))
    assert sql("SELECT count(*), count(DISTINCT n) FROM db.busy") == [(32, 32)] and sql("SELECT count(*) FROM db.busy.snapshots") == [(32,)]


def test_a_table_is_registered_and_dropped_with_its_files(spark, sql, store):
    sql("CREATE TABLE db.gone AS SELECT * FROM range(10)")
    metadata = sql("SELECT file FROM db.gone.metadata_log_entries ORDER BY timestamp DESC LIMIT 1")[0][0]
    where = keys(store, "db.gone", spark)
    sql("DROP TABLE db.gone")
    sql(f"CALL lake.system.register_table('db.gone', '{metadata}')")
    assert sql("SELECT count(*) FROM db.gone") == [(10,)] and set(where) <= set(keys(store, "db.gone", spark))
    # Until 1.12 (rest-catalog-purge) Spark drops the table first and then deletes its files itself, with keys that end with the table.
    with pytest.raises(Exception, match="Status Code: 403"):
        sql("DROP TABLE db.gone PURGE")
    assert not spark.catalog.tableExists("lake.db.gone")


def test_views_where_the_catalog_serves_them(lake, sql):
    """The endpoints of /v1/config say whether it does. Where they do not, Spark refuses by itself, and tables go on."""
    import json
    import urllib.request
    token = json.load(urllib.request.urlopen(lake.catalog_url + "/api/catalog/v1/oauth/tokens", data=(
        f"grant_type=client_credentials&client_id={ROOT[0]}&client_secret={ROOT[1]}&scope=PRINCIPAL_ROLE:ALL").encode(), timeout=30))["access_token"]
    request = urllib.request.Request(lake.catalog_url + "/api/catalog/v1/config?warehouse=lakehouse", headers={"Authorization": f"Bearer {token}"})
    served = any("/views" in e for e in json.load(urllib.request.urlopen(request, timeout=30))["endpoints"])
    sql("CREATE TABLE db.viewed AS SELECT * FROM range(3)")
    if not served:
        with pytest.raises(Exception, match="(?i)view"):
            sql("CREATE VIEW db.v AS SELECT * FROM db.viewed")
    else:
        sql("CREATE VIEW db.v (n COMMENT 'a number') TBLPROPERTIES ('owner' = 'me') AS SELECT id + 1 FROM db.viewed")
        assert sql("SELECT sum(n) FROM db.v") == [(6,)] and [r[1] for r in sql("SHOW VIEWS IN db")] == ["v"]
        sql("CREATE OR REPLACE VIEW db.v AS SELECT id * 10 AS n FROM db.viewed")
        assert sql("SELECT sum(n) FROM db.v") == [(30,)]
        sql("ALTER VIEW db.v SET TBLPROPERTIES ('k' = 'w')")
        sql("ALTER VIEW db.v RENAME TO db.w")
        assert sql("SELECT max(n) FROM db.w") == [(20,)]
        sql("DROP VIEW db.w")
        assert sql("SHOW VIEWS IN db") == []
    assert sql("SELECT count(*) FROM db.viewed") == [(3,)]


def files_known(lake, table):
    """{path: kind} of all that the server knows the table to need."""
    from firn_server import wait_for
    from iceberg_helpers import Rest
    rest, params, found = Rest(lake.catalog_url), {"namespace": "db", "table": table, "all": "true"}, {}

    def ask(**more):
        answer = rest.raw("GET", "/api/firn/v1/catalogs/lakehouse/maintenance/files", params={**params, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    page = wait_for(lambda: (answer := ask())["complete"] and answer, what="the table's manifests to be read")
    while page:
        found.update((f["path"], f["kind"]) for f in page["files"])
        page = ask(**{"page-token": page["next-page-token"]}) if "next-page-token" in page else None
    return found


@pytest.mark.parametrize("version, codec", [(1, "gzip"), (2, "gzip"), (2, "zstd"), (2, "snappy"), (3, "gzip")])
def test_manifests_that_java_wrote_are_read(lake, sql, version, codec):
    """What the server's own reader of manifests says a table needs is what Iceberg's Java says: data, deletes, manifests, lists."""
    table = f"java_{version}_{codec}"
    merge_on_read = "" if version == 1 else ", 'write.delete.mode' = 'merge-on-read'"
    sql(f"CREATE TABLE db.{table} (id BIGINT, kind STRING) USING iceberg PARTITIONED BY (kind) "
        f"TBLPROPERTIES ('format-version' = '{version}', 'write.avro.compression-codec' = '{codec}'{merge_on_read})")
    for i in range(3):
        sql(f"INSERT INTO db.{table} SELECT id + {i * 100}, concat('k', id % 4) FROM range(100)")
    sql(f"DELETE FROM db.{table} WHERE id % 10 = 3")
    wanted = {row[0] for row in sql(f"SELECT file_path FROM db.{table}.all_files")}
    wanted |= {row[0] for row in sql(f"SELECT path FROM db.{table}.all_manifests")} | {row[0] for row in sql(f"SELECT manifest_list FROM db.{table}.snapshots")}
    known = files_known(lake, table)
    assert {path for path, kind in known.items() if kind not in ("metadata", "statistics")} == wanted
    deletes = [path for path, kind in known.items() if kind == "deletes"]
    assert bool(deletes) == (version > 1)
