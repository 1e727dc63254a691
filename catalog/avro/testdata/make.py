"""make.py - makes the golden files of catalog/avro again: python3 make.py (in this directory; needs pyiceberg[snappy] and fastavro).

Manifests and manifest lists of PyIceberg, with every codec, in format versions 1 and 2; version 3 (deletion vectors), which it does not write, with
fastavro and another order of unions and other names. manifest_test.c has what they must say.
"""
import pathlib

import fastavro
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestEntry, ManifestEntryStatus, write_manifest, write_manifest_list
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, StringType

HERE = pathlib.Path(__file__).resolve().parent
IO = PyArrowFileIO()
SCHEMA = Schema(NestedField(1, "id", LongType()), NestedField(2, "region", StringType()))
SPEC = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "region"), spec_id=3)
STATUS = [ManifestEntryStatus.EXISTING, ManifestEntryStatus.ADDED, ManifestEntryStatus.DELETED]


def data_file(i):
    return DataFile.from_args(
        content=DataFileContent.DATA, file_path=f"s3://b/t/data/{i}.parquet", file_format=FileFormat.PARQUET, partition=Record("north"),
        record_count=10 + i, file_size_in_bytes=1000 + i, column_sizes={1: 11, 2: 22}, value_counts={1: 5}, null_value_counts={1: 0},
        nan_value_counts={}, lower_bounds={1: b"\0" * 8}, upper_bounds={1: b"\1" * 8}, split_offsets=[4], equality_ids=None, sort_order_id=0)


def manifest(name, version, codec):
    with write_manifest(version, SPEC, SCHEMA, IO.new_output(str(HERE / f"{name}.avro")), 77, codec) as writer:
        for i, status in enumerate(STATUS):
            writer.add_entry(ManifestEntry.from_args(status=status, snapshot_id=77, sequence_number=5, file_sequence_number=5, data_file=data_file(i)))
    return writer.to_manifest_file()


for codec in "null", "deflate", "bzip2", "snappy", "zstandard":
    made = manifest(f"manifest-v2-{codec}", 2, codec)
    made[0], made[1] = "s3://b/t/metadata/m0.avro", 4321
    with write_manifest_list(2, IO.new_output(str(HERE / f"list-v2-{codec}.avro")), 77, None, 9, codec) as writer:
        writer.add_manifests([made, made])
made = manifest("manifest-v1", 1, "deflate")
made[0], made[1] = "s3://b/t/metadata/m0.avro", 4321
with write_manifest_list(1, IO.new_output(str(HERE / "list-v1.avro")), 77, None, None, "deflate") as writer:
    writer.add_manifests([made])

# PyIceberg writes no xz: the same records as fastavro packs them, an entry a block too.
for kind in "manifest", "list":
    with open(HERE / f"{kind}-v2-null.avro", "rb") as plain:
        reader = fastavro.reader(plain)
        records, metadata = list(reader), {k: v for k, v in reader.metadata.items() if not k.startswith("avro.")}
    with open(HERE / f"{kind}-v2-xz.avro", "wb") as out:
        fastavro.writer(out, reader.writer_schema, records, metadata=metadata, sync_marker=b"0123456789abcdef", codec="xz", sync_interval=1)

LONG = ["long", "null"]
DV = {"type": "record", "name": "e", "namespace": "x.y", "fields": [
    {"name": "file", "field-id": 2, "type": {"type": "record", "name": "f", "fields": [
        {"name": "path", "field-id": 100, "type": "string"}, {"name": "kind", "field-id": 134, "type": "int"},
        {"name": "fmt", "field-id": 101, "type": "string"}, {"name": "rows", "field-id": 103, "type": "long"},
        {"name": "bytes", "field-id": 104, "type": "long"}, {"name": "of", "field-id": 143, "type": ["string", "null"]},
        {"name": "at", "field-id": 144, "type": LONG}, {"name": "len", "field-id": 145, "type": LONG},
        {"name": "first", "field-id": 142, "type": LONG}]}},
    {"name": "extra", "type": {"type": "map", "values": {"type": "array", "items": ["null", "double", {"type": "fixed", "name": "z", "size": 3}]}}},
    {"name": "s", "field-id": 0, "type": "int"}, {"name": "n", "field-id": 3, "type": LONG}]}
with open(HERE / "manifest-v3.avro", "wb") as out:
    fastavro.writer(out, fastavro.parse_schema(DV), [
        {"file": {"path": "s3://b/t/data/dv.puffin", "kind": 1, "fmt": "PUFFIN", "rows": 2, "bytes": 400, "of": "s3://b/t/data/0.parquet",
                  "at": 4, "len": 40, "first": None}, "extra": {"k": [None, 1.5, b"abc"]}, "s": 1, "n": None}],
        metadata={"format-version": "3", "content": "deletes", "partition-spec-id": "0"}, sync_marker=b"0123456789abcdef", codec="null")
