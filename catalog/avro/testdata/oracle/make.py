"""make.py: writes the files beside it, and what fastavro reads in them as .txt, one line a record. Run by hand (pip install fastavro pyiceberg pyarrow cramjam backports.zstd) when a kind
of file is added; the files are kept, so that tests need neither.

  list-V-CODEC.avro, manifest-V-CODEC.avro   written by PyIceberg: format version, codec
  manifest-foreign.avro                      names that are not Iceberg's, unions with null at the end, fields in another order, fields nobody asks for (arrays, maps, records that hold
                                             themselves), deletion vectors of version 3, several blocks
"""
import io
import pathlib

import fastavro
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (DataFile, DataFileContent, FileFormat, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile, PartitionFieldSummary, write_manifest,
                                write_manifest_list)
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import LongType, NestedField, StringType, TimestampType

HERE = pathlib.Path(__file__).parent
CODECS = ("null", "deflate", "snappy", "zstandard")
NONE = -1
LIST = [(500, None), (501, None), (502, None), (517, 0), (515, 0), (516, 0), (503, NONE), (504, NONE), (505, NONE), (506, NONE), (512, NONE), (513, NONE), (514, NONE), (520, NONE)]
ENTRY = [(0, None), (1, NONE), (3, NONE), (4, NONE)]
FILE = [(134, 0), (100, None), (101, None), (103, None), (104, None), (143, "-"), (144, NONE), (145, NONE), (142, NONE)]
SCHEMA = Schema(NestedField(1, "id", LongType(), required=True), NestedField(2, "region", StringType(), required=False), NestedField(3, "at", TimestampType(), required=False))
SPEC = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="region"),
                     PartitionField(source_id=3, field_id=1001, transform=DayTransform(), name="at_day"), spec_id=3)


def data_file(i):
    return DataFile.from_args(
        content=DataFileContent.DATA, file_path=f"s3://lake/t/data/region=é{i}/{i:05}.parquet", file_format=FileFormat.PARQUET,
        partition=Record(f"é{i}" if i % 3 else None, 19000 + i), record_count=i * 1000, file_size_in_bytes=i * 65537, column_sizes={1: 10 * i, 2: 20}, value_counts={1: i}, null_value_counts={1: 0},
        nan_value_counts={}, lower_bounds={1: b"\x00" * 8}, upper_bounds={1: b"\xff" * 8, 2: b"zz"}, key_metadata=None, split_offsets=[4, 4 << 20], equality_ids=None, sort_order_id=0)


def write_real():
    fs = PyArrowFileIO()
    for version in (1, 2):
        for codec in CODECS:
            path = HERE / f"manifest-{version}-{codec}.avro"
            path.unlink(missing_ok=True)
            with write_manifest(version, SPEC, SCHEMA, fs.new_output(str(path)), 42, codec) as writer:
                for i in range(1, 8):
                    status = (ManifestEntryStatus.ADDED, ManifestEntryStatus.EXISTING, ManifestEntryStatus.DELETED)[i % 3]
                    entry = ManifestEntry.from_args(status=status, snapshot_id=40 + i, sequence_number=i, file_sequence_number=i, data_file=data_file(i))
                    {ManifestEntryStatus.ADDED: writer.add, ManifestEntryStatus.EXISTING: writer.existing, ManifestEntryStatus.DELETED: writer.delete}[status](entry)
            manifests = [ManifestFile.from_args(
                manifest_path=f"s3://lake/t/metadata/{i}-m0.avro", manifest_length=7000 + i, partition_spec_id=3,
                content=ManifestContent.DELETES if version > 1 and i == 2 else ManifestContent.DATA, sequence_number=i, min_sequence_number=1, added_snapshot_id=42, added_files_count=i,
                existing_files_count=0, deleted_files_count=1, added_rows_count=i * 1000, existing_rows_count=0, deleted_rows_count=5,
                partitions=[PartitionFieldSummary(True, False, b"a", b"z"), PartitionFieldSummary(False, None, None, None)], key_metadata=None) for i in range(1, 4)]
            path = HERE / f"list-{version}-{codec}.avro"
            path.unlink(missing_ok=True)
            with write_manifest_list(version, fs.new_output(str(path)), 42, 41, 3, codec) as writer:
                writer.add_manifests(manifests)


def write_foreign():
    def field(name, kind, number, **more):
        return {"name": name, "type": kind, "field-id": number, **more}

    node = {"type": "record", "name": "node", "fields": [{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "node"]}]}
    file = {"type": "record", "name": "r2", "fields": [
        field("size", "long", 104), field("noise", {"type": "map", "values": {"type": "array", "items": "string"}}, 900), field("where", "string", 100),
        field("list", node, 901), field("again", "node", 902), field("points_at", ["string", "null"], 143), field("kind", "int", 134), field("as", "string", 101),
        field("off", ["long", "null"], 144), field("len", ["long", "null"], 145), field("row0", ["null", "long"], 142), field("rows", "long", 103),
        field("colour", {"type": "enum", "name": "colour", "symbols": ["RED", "BLUE"]}, 903), field("six", {"type": "fixed", "name": "six", "size": 6}, 904),
        field("d", "double", 905), field("f", "float", 906), field("b", "boolean", 907), field("nothing", "null", 908)]}
    schema = {"type": "record", "name": "whatever", "namespace": "a.b", "fields": [
        field("extra", {"type": "array", "items": {"type": "record", "name": "kv", "fields": [{"name": "key", "type": "int", "field-id": 100}, {"name": "value", "type": "bytes"}]}, "logicalType": "map"}, 950),
        field("the_file", file, 2), field("sequence", ["long", "null"], 3), field("st", "int", 0), field("fseq", ["null", "long"], 4), field("snap", ["long", "null"], 1)]}
    records = []
    for i in range(50):
        vector = i % 2 == 1
        chain = None
        for v in range(i % 5):
            chain = {"v": v, "next": chain}
        records.append({
            "extra": [{"key": k, "value": b"x" * k} for k in range(i % 4)], "sequence": i if i % 3 else None, "st": i % 3, "fseq": None if i % 4 else i, "snap": None if i % 5 == 0 else -i * (1 << 40),
            "the_file": {"size": i << 30, "noise": {f"k{j}": ["a"] * j for j in range(i % 3)}, "where": f"s3a://lake/t/{'dv.puffin' if vector else f'{i}.parquet'}", "list": {"v": 1, "next": chain},
                         "again": {"v": 2, "next": None}, "points_at": f"s3://lake/t/{i - 1}.parquet" if vector else None, "kind": 1 if vector else 0, "as": "puffin" if vector else "PARQUET",
                         "off": 4 + i if vector else None, "len": 40 if vector else None, "row0": None if vector else i * 100, "rows": i, "colour": "BLUE", "six": b"123456", "d": 1.5, "f": 2.5, "b": True,
                         "nothing": None}})
    metadata = {"schema": "{}", "partition-spec": "[]", "partition-spec-id": "7", "format-version": "3", "content": "deletes"}
    with open(HERE / "manifest-foreign.avro", "wb") as out:
        fastavro.writer(out, schema, records, codec="deflate", metadata=metadata, sync_interval=400)


def names_of(schema):
    """field-id -> name, of the top record and of data_file in it."""
    top = {f["field-id"]: f["name"] for f in schema["fields"] if "field-id" in f}
    inner = next((f["type"] for f in schema["fields"] if f.get("field-id") == 2), None)
    return top, {f["field-id"]: f["name"] for f in inner["fields"] if "field-id" in f} if inner else {}


def value(record, names, number, default):
    found = record.get(names.get(number))
    return default if found is None else found


def describe(path):
    with open(path, "rb") as file:
        reader = fastavro.reader(io.BytesIO(file.read()))
    top, inner = names_of(reader.writer_schema)
    for record in reader:
        if path.name.startswith("list"):
            yield [value(record, top, n, d) for n, d in LIST]
        else:
            yield [value(record, top, n, d) for n, d in ENTRY] + [value(record[top[2]], inner, n, d) for n, d in FILE]


write_real()
write_foreign()
for path in sorted(HERE.glob("*.avro")):
    path.with_suffix(".txt").write_text("".join("\t".join(map(str, row)) + "\n" for row in describe(path)))
