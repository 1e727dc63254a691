"""The live-file guard: in a catalog with firn.guard-live-files=true, S3 clients do not take away what a table needs; PyIceberg writes, S3 clients delete and overwrite."""
import concurrent.futures
import threading
import uuid

import pytest
import requests
from botocore.exceptions import ClientError
from pyiceberg.catalog.rest import RestCatalog

from firn_server import wait_for
from iceberg_helpers import DELEGATE, ROOT, Rest, add_snapshot, open_catalog, s3_of
from manage_helpers import Admin, somebody
from table_files import expire_all_but_refs, files_needed, rows

BYPASS = {"BypassGovernanceRetention": True}


@pytest.fixture(scope="module")
def guarded(server_factory):
    server = server_factory("--maintenance-interval", "0", environment={"FIRN_CATALOGS": "lakehouse,second"})
    set_guard(server, "true")
    return server


def set_guard(server, value, catalog="lakehouse"):
    admin = Admin(Rest(server.catalog_url))
    before = admin.ok("GET", f"/catalogs/{catalog}")
    admin.ok("PUT", f"/catalogs/{catalog}", json={"currentEntityVersion": before["entityVersion"],
                                                  "properties": {**before["properties"], "firn.guard-live-files": value}})


@pytest.fixture
def tables(guarded):
    catalog = open_catalog(guarded)
    namespace = "n_" + uuid.uuid4().hex[:12]
    catalog.create_namespace(namespace)

    def make(name="t", **properties):
        return catalog.create_table((namespace, name), schema=rows(0).schema, properties=properties)

    make.catalog = catalog
    return make


@pytest.fixture
def client(guarded):
    return guarded.boto()


def place(url):
    bucket, key = url.removeprefix("s3://").split("/", 1)
    return {"Bucket": bucket, "Key": key}


def needed_now(table):
    """What the guard promises to keep: all that the table names but the metadata files of its log."""
    return files_needed(table) - {entry.metadata_file for entry in table.metadata.metadata_log}


def kinds(table):
    """One file of each kind that a snapshot needs, and the table's metadata file."""
    snapshot = table.current_snapshot()
    (manifest, *_) = snapshot.manifests(table.io)
    data = manifest.fetch_manifest_entry(table.io)[0].data_file.file_path
    return {"metadata": table.metadata_location, "list": snapshot.manifest_list, "manifest": manifest.manifest_path, "data": data}


def refused(table, call, *arguments, **options):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **options)
    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (403, "AccessDenied"), error
    assert ".".join(table.name()) in error["Error"]["Message"], error
    return error


def is_there(client, url):
    try:
        client.head_object(**place(url))
    except ClientError as e:
        assert e.response["ResponseMetadata"]["HTTPStatusCode"] == 404, e
        return False
    return True


def complete(client, url):
    upload = client.create_multipart_upload(**place(url))["UploadId"]
    tag = client.upload_part(**place(url), UploadId=upload, PartNumber=1, Body=b"another")["ETag"]
    return client.complete_multipart_upload(**place(url), UploadId=upload, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})


def test_no_file_that_a_snapshot_needs_is_deleted_or_overwritten(client, tables):
    table = tables()
    table.append(rows(0))
    table.append(rows(10))
    client.put_object(Bucket="lakehouse", Key="elsewhere", Body=b"x")
    for what, url in kinds(table).items():
        size = client.head_object(**place(url))["ContentLength"]
        refused(table, client.delete_object, **place(url))
        refused(table, client.put_object, **place(url), Body=b"another")
        refused(table, client.put_object, **place(url), Body=b"x" * 200_000)
        refused(table, client.copy_object, **place(url), CopySource="lakehouse/elsewhere")
        refused(table, complete, client, url)
        assert client.head_object(**place(url))["ContentLength"] == size, what
    assert table.scan().to_arrow().num_rows == 6


def test_of_many_keys_each_has_its_own_answer(client, tables):
    table = tables()
    table.append(rows(0))
    pending = [f"{table.location()}/data/pending-{i}" for i in range(250)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: client.put_object(**place(url), Body=b"x"), pending))
    live = sorted(needed_now(table))
    keys = [place(url)["Key"] for url in pending[:120] + live + pending[120:]] + ["never/there"]
    answer = client.delete_objects(Bucket="lakehouse", Delete={"Objects": [{"Key": key} for key in keys]})
    assert {f"s3://lakehouse/{e['Key']}" for e in answer["Errors"]} == set(live)
    assert all(e["Code"] == "AccessDenied" and ".".join(table.name()) in e["Message"] for e in answer["Errors"]), answer["Errors"]
    assert len(answer["Deleted"]) == 251 and not any(is_there(client, url) for url in pending)
    assert table.scan().to_arrow().num_rows == 3


def metric(server, name):
    text = requests.get(server.catalog_url + "/metrics", timeout=30).text
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith(name + " ")))


def test_refusals_are_counted(start_server):
    server = start_server("--metrics", "on", environment={"FIRN_CATALOGS": "lakehouse"})
    set_guard(server, "true")
    catalog = open_catalog(server)
    catalog.create_namespace("n")
    table = catalog.create_table("n.t", schema=rows(0).schema)
    table.append(rows(0))
    files = kinds(table)
    refused(table, server.boto().delete_object, **place(files["data"]))
    server.boto().delete_objects(Bucket="lakehouse", Delete={"Objects": [{"Key": place(files[k])["Key"]} for k in ("list", "manifest")] + [{"Key": "none"}]})
    assert metric(server, "firn_guard_refusals_total") == 3


def test_what_an_expired_snapshot_needed_goes_right_after_the_expiry(client, tables):
    table = tables()
    for i in range(3):
        table.append(rows(i * 10))
    table.overwrite(rows(100))
    tagged = table.snapshots()[1].snapshot_id
    table.manage_snapshots().create_tag(tagged, "kept").commit()
    before = needed_now(table)
    for url in before:
        refused(table, client.delete_object, **place(url))
    table = expire_all_but_refs(table)
    after = needed_now(table)
    assert before - after and any("/data/" in url for url in before - after)
    for url in before - after:
        client.delete_object(**place(url))
    for url in after:
        refused(table, client.delete_object, **place(url))
    assert table.scan().to_arrow().num_rows == 3 and table.scan(snapshot_id=tagged).to_arrow().num_rows == 6


def test_a_branch_holds_its_files(client, tables):
    table = tables()
    table.append(rows(0))
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "work").commit()
    table.append(rows(50), branch="work")
    head = table.refresh().snapshot_by_name("work")
    (manifest, *_) = head.manifests(table.io)
    data = manifest.fetch_manifest_entry(table.io)[0].data_file.file_path
    refused(table, client.delete_object, **place(data))
    table.manage_snapshots().remove_branch("work").commit()
    refused(table.refresh(), client.delete_object, **place(data))  # the snapshot is still in the metadata
    table = expire_all_but_refs(table)
    client.delete_object(**place(data))
    assert table.scan().to_arrow().num_rows == 3


def test_writers_clean_up_behind_themselves(client, tables):
    table = tables(**{"write.metadata.previous-versions-max": "2", "write.metadata.delete-after-commit.enabled": "true"})
    for i in range(6):
        table.append(rows(i))
        aborted = f"{table.location()}/data/aborted-{i}.parquet"
        client.put_object(**place(aborted), Body=b"x")
        client.put_object(**place(aborted), Body=b"y")  # a writer that tries again
        client.delete_object(**place(aborted))
        assert not is_there(client, aborted)
    kept = [o["Key"] for o in client.list_objects_v2(Bucket="lakehouse", Prefix=place(table.location())["Key"] + "/metadata/")["Contents"]]
    assert len([key for key in kept if key.endswith(".metadata.json")]) == 3


def test_what_was_committed_stays_while_others_commit_and_expire(guarded, tables):
    """Writers append and expire; deleters go for everything that they ever saw committed. Only what is not needed any more goes."""
    table, seen, over = tables(), set(), threading.Event()
    name = ".".join(table.name())

    def delete():
        client, codes = guarded.boto(), set()
        while not over.is_set():
            keys = sorted(seen)
            for i in range(0, len(keys), 1000):
                answer = client.delete_objects(Bucket="lakehouse", Delete={"Objects": [{"Key": key} for key in keys[i:i + 1000]], "Quiet": True})
                codes |= {(e["Code"], name in e["Message"]) for e in answer.get("Errors", [])}
        return codes

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        deleters = [pool.submit(delete) for _ in range(2)]
        try:
            for i in range(12):
                table.append(rows(i * 10))
                seen |= {place(url)["Key"] for url in needed_now(table)}
                if i % 4 == 3:
                    table = expire_all_but_refs(table)
        finally:
            over.set()
        codes = set().union(*(d.result() for d in deleters))
    assert ("AccessDenied", True) in codes and codes <= {("AccessDenied", True), ("SlowDown", False)}, codes
    assert table.refresh().scan().to_arrow().num_rows == 36
    client = guarded.boto()
    assert all(is_there(client, url) for url in needed_now(table))


def test_the_files_of_a_dropped_table_are_free(client, tables):
    table = tables()
    table.append(rows(0))
    files = needed_now(table)
    tables.catalog.drop_table(table.name())
    for url in files:
        client.delete_object(**place(url))
        assert not is_there(client, url)


def test_the_servers_own_deletion_is_not_hindered(guarded, client, tables):
    table = tables(**{"firn.expire-grace-ms": "0"})
    table.append(rows(0))
    files = needed_now(table)
    tables.catalog.purge_table(table.name())
    wait_for(lambda: not any(is_there(client, url) for url in files), what="the purge")


def test_who_has_the_right_goes_past_with_the_header(guarded, client, tables):
    table = tables()
    table.append(rows(0))
    data = kinds(table)["data"]
    body = client.get_object(**place(data))["Body"].read()
    client.delete_object(**place(data), **BYPASS)
    assert not is_there(client, data)
    client.put_object(**place(data), Body=body)  # what is missing is put back without asking
    refused(table, client.delete_object, **place(data))
    answer = client.delete_objects(Bucket="lakehouse", Delete={"Objects": [{"Key": place(data)["Key"]}]}, **BYPASS)
    assert "Errors" not in answer and not is_there(client, data)


def test_the_header_alone_is_not_enough(guarded, client, tables):
    table = tables()
    table.append(rows(0))
    data = kinds(table)["data"]
    writer, _, _ = somebody(guarded, "TABLE_WRITE_DATA", "TABLE_READ_PROPERTIES")
    refused(table, guarded.boto(writer).delete_object, **place(data), **BYPASS)
    config = Rest(guarded.catalog_url).ok("GET", "/namespaces/{}/tables/{}".format(*table.name()), headers=DELEGATE)["config"]
    refused(table, s3_of(config).delete_object, **place(data), **BYPASS)
    manager, _, _ = somebody(guarded, "CATALOG_MANAGE_CONTENT")
    refused(table, guarded.boto(manager).delete_object, **place(data))
    guarded.boto(manager).delete_object(**place(data), **BYPASS)
    assert not is_there(client, data)


def test_a_refusal_is_in_the_audit_log(guarded, client, tables):
    table = tables()
    table.append(rows(0))
    data = kinds(table)["data"]
    refused(table, client.delete_object, **place(data))
    admin = Admin(Rest(guarded.catalog_url))
    wait_for(lambda: any(place(data)["Key"] in e["object"] and e["operation"] == "DeleteObject" and e["outcome"] == "denied"
                         for e in admin.ok("GET", "/audit", params={"pageSize": 1000})["events"]), what="the refusal in the audit log")


def test_a_table_whose_files_are_not_all_known_keeps_all_and_says_why(guarded, client, tables):
    table = tables()
    table.append(rows(0))
    rest, path = Rest(guarded.catalog_url), "/namespaces/{}/tables/{}".format(*table.name())
    missing, pending = f"{table.location()}/metadata/missing.avro", f"{table.location()}/data/pending"
    (added, _) = add_snapshot(77, 2, **{"manifest-list": missing, "timestamp-ms": table.metadata.last_updated_ms + 1})
    rest.commit(path, added)
    client.put_object(**place(pending), Body=b"x")
    error = refused(table, client.delete_object, **place(pending))
    assert missing in error["Error"]["Message"], error
    rest.commit(path, {"action": "remove-snapshots", "snapshot-ids": [77]})
    client.delete_object(**place(pending))
    assert not is_there(client, pending)
    refused(table, client.delete_object, **place(kinds(table)["data"]))


def test_a_catalog_that_does_not_ask_for_it_is_not_guarded(guarded, client):
    catalog = RestCatalog("second", uri=guarded.catalog_url + "/api/catalog", warehouse="second", credential=":".join(ROOT))
    catalog.create_namespace("n")
    table = catalog.create_table("n.t", schema=rows(0).schema)
    table.append(rows(0))
    for url in kinds(table).values():
        client.put_object(**place(url), Body=b"another")
        client.delete_object(**place(url))
        assert not is_there(client, url)


def test_the_property_is_checked_and_may_be_taken_back(guarded, client, tables):
    admin = Admin(Rest(guarded.catalog_url))
    before = admin.ok("GET", "/catalogs/lakehouse")
    admin.fails(400, "PUT", "/catalogs/lakehouse", "firn.guard-live-files",
                json={"currentEntityVersion": before["entityVersion"], "properties": {"firn.guard-live-files": "perhaps"}})
    table = tables()
    table.append(rows(0))
    files = kinds(table)
    set_guard(guarded, "false")
    try:
        client.delete_object(**place(files["data"]))
        client.put_object(**place(files["manifest"]), Body=b"x")
    finally:
        set_guard(guarded, "true")
    refused(table, client.delete_object, **place(files["list"]))
