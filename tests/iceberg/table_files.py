"""table_files.py - which files a table needs, as PyIceberg reads its metadata, and which the store has; and what makes some: rows, and an expiry."""
import datetime

import pyarrow


def files_needed(table):
    """Every file that the current metadata names: itself, its log, and of each snapshot the list, the manifests, the live entries; statistics."""
    metadata, io = table.metadata, table.io
    needed = {table.metadata_location} | {entry.metadata_file for entry in metadata.metadata_log}
    needed |= {s.statistics_path for s in metadata.statistics} | {s.statistics_path for s in metadata.partition_statistics}
    for snapshot in metadata.snapshots:
        needed.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(io):
            needed.add(manifest.manifest_path)
            needed |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(io, discard_deleted=True)}
    return needed


def files_in_store(server, location):
    """Without the directory markers that PyArrow leaves when it deletes a file (PyIceberg deletes old metadata files itself, where the table asks for it)."""
    bucket, prefix = location.removeprefix("s3://").split("/", 1)
    pages = server.boto().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + "/")
    return {f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", [])
            if not found["Key"].endswith("/")}


def rows(first, count=3):
    return pyarrow.table({"id": pyarrow.array(range(first, first + count), pyarrow.int64()), "v": pyarrow.array([f"v{first}"] * count)})


def expire_all_but_refs(table):
    """PyIceberg's own expiry: it changes the metadata and deletes no file."""
    table.refresh().maintenance.expire_snapshots().older_than(datetime.datetime.now() + datetime.timedelta(seconds=60)).commit()
    return table.refresh()
