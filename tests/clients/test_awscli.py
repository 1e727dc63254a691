"""aws-cli as a person at a shell uses it: every command's exit code, what it prints, and what is in the store or on disk afterwards."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from firn_server import ROOT

AWS = pathlib.Path(sys.executable).parent / "aws"
MIB = 1024 * 1024


class Aws:
    """`aws` with a home of its own, so that no configuration of this machine counts."""

    def __init__(self, server, home):
        self.server, self.home = server, home
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FIRN_"))}
        self.environment = {**clean, "HOME": str(home), "AWS_ACCESS_KEY_ID": ROOT[0], "AWS_SECRET_ACCESS_KEY": ROOT[1],
                            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}

    def run(self, *words, **environment):
        command = [str(AWS), "--endpoint-url", self.server.url, *map(str, words)]
        return subprocess.run(command, env={**self.environment, **environment}, cwd=self.home, capture_output=True, text=True, timeout=120)

    def __call__(self, *words, **environment):
        done = self.run(*words, **environment)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def api(self, *words):
        out = self("s3api", *words, "--output", "json")
        return json.loads(out) if out.strip() else None

    def fails(self, *words, **environment):
        done = self.run(*words, **environment)
        assert done.returncode != 0, (words, done.stdout)
        return done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("aws-home")


@pytest.fixture(scope="module")
def aws(lake, home):
    return Aws(lake, home)


@pytest.fixture(scope="module")
def store(lake):
    return lake.boto()


@pytest.fixture(scope="module")
def big(home):
    """A file of 64 MiB and a bit: 8 MiB parts, so 9 of them."""
    path = home / "big.bin"
    block = os.urandom(MIB)
    with path.open("wb") as f:
        for i in range(64):
            f.write(i.to_bytes(8, "big") + block[8:])
        f.write(b"the end")
    return path


@pytest.fixture(scope="module")
def bucket(aws, store):
    assert aws("s3", "mb", "s3://cli") == "make_bucket: cli\n"
    assert "cli" in [b["Name"] for b in store.list_buckets()["Buckets"]]
    return "cli"


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def keys(store, bucket, prefix=""):
    return [o["Key"] for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix) for o in page.get("Contents", [])]


def test_making_a_bucket_twice_and_removing_a_full_one_fail(aws, store, bucket):
    assert "BucketAlreadyOwnedByYou" in aws.fails("s3", "mb", "s3://cli")
    store.put_object(Bucket="cli", Key="keep", Body=b"1")
    assert "BucketNotEmpty" in aws.fails("s3", "rb", "s3://cli")
    assert keys(store, "cli", "keep") == ["keep"]


def test_a_small_file_goes_up_and_down(aws, store, bucket, home):
    (home / "small.txt").write_text("ping\n")
    for key in ("small.txt", "a b+c%20/ü/small.txt", "run_date=2026-01-01/small.txt"):
        aws("s3", "cp", "small.txt", f"s3://cli/up/{key}")
        head = store.head_object(Bucket="cli", Key=f"up/{key}")
        assert head["ContentLength"] == 5 and head["ContentType"] == "text/plain" and head["ETag"] == '"' + hashlib.md5(b"ping\n").hexdigest() + '"'
        aws("s3", "cp", f"s3://cli/up/{key}", "down.txt")
        assert (home / "down.txt").read_text() == "ping\n"
    assert aws("s3", "cp", "s3://cli/up/small.txt", "-") == "ping\n"
    assert "404" in aws.fails("s3", "cp", "s3://cli/up/none", "down.txt")
    assert "NoSuchBucket" in aws.fails("s3", "cp", "small.txt", "s3://no-such-bucket/x")


def test_a_file_of_64_mib_goes_by_parts_and_comes_back(aws, store, bucket, home, big):
    aws("s3", "cp", "big.bin", "s3://cli/big.bin", "--metadata", "origin=test", "--no-progress")
    head = store.head_object(Bucket="cli", Key="big.bin")
    assert head["ContentLength"] == big.stat().st_size and head["ETag"].endswith('-9"') and head["Metadata"] == {"origin": "test"}
    assert "Uploads" not in store.list_multipart_uploads(Bucket="cli")
    aws("s3", "cp", "s3://cli/big.bin", "big.back", "--no-progress")
    assert sha256(home / "big.back") == sha256(big)
    (home / "big.back").unlink()


def test_a_big_object_is_copied_in_the_server(aws, store, lake, bucket, big):
    """Above the threshold aws-cli sends UploadPartCopy with x-amz-copy-source-if-match and a range; version 1 leaves metadata and tags behind."""
    if "big.bin" not in keys(store, "cli", "big"):
        store.upload_file(str(big), "cli", "big.bin")
    aws("s3", "cp", "s3://cli/big.bin", "s3://cli/copied/big.bin", "--no-progress")
    head = store.head_object(Bucket="cli", Key="copied/big.bin")
    assert head["ContentLength"] == big.stat().st_size and head["ETag"].endswith('-9"')
    body = store.get_object(Bucket="cli", Key="copied/big.bin")["Body"]
    digest = hashlib.sha256()
    for chunk in body.iter_chunks(MIB):
        digest.update(chunk)
    assert digest.hexdigest() == sha256(big)
    aws("s3", "mv", "s3://cli/copied/big.bin", "s3://cli/moved/big.bin", "--no-progress")
    assert keys(store, "cli", "copied/") == [] and keys(store, "cli", "moved/") == ["moved/big.bin"]


def test_sync_brings_what_is_new_and_deletes_what_is_gone(aws, store, bucket, home):
    tree = home / "tree"
    for i in range(60):
        path = tree / f"run_date=2026-01-{i % 3 + 1:02}" / f"part {i:03}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"id": i}))
    want = sorted(f"sync/{p.relative_to(tree)}" for p in tree.rglob("*.json"))
    assert aws("s3", "sync", "tree", "s3://cli/sync", "--no-progress").count("upload:") == 60
    assert keys(store, "cli", "sync/") == want
    assert aws("s3", "sync", "tree", "s3://cli/sync") == ""
    (tree / "run_date=2026-01-01" / "part 000.json").write_text(json.dumps({"id": "changed"}))
    (tree / "run_date=2026-01-02" / "part 001.json").unlink()
    lines = sorted(line.split()[0] for line in aws("s3", "sync", "tree", "s3://cli/sync", "--delete", "--no-progress").splitlines())
    assert lines == ["delete:", "upload:"] and len(keys(store, "cli", "sync/")) == 59
    aws("s3", "sync", "s3://cli/sync", "back", "--exclude", "*", "--include", "run_date=2026-01-01/*", "--no-progress")
    here = sorted(p.name for p in (tree / "run_date=2026-01-01").iterdir())
    assert sorted(p.name for p in (home / "back").rglob("*.json")) == here
    assert json.loads((home / "back/run_date=2026-01-01/part 000.json").read_text()) == {"id": "changed"}
    aws("s3", "sync", "s3://cli/sync", "s3://cli/sync2", "--no-progress")
    assert len(keys(store, "cli", "sync2/")) == 59


def test_ls_shows_folders_or_all_below(aws, store, bucket):
    for i in range(1100):
        store.put_object(Bucket="cli", Key=f"ls/day={i % 2}/{i:04}", Body=b"abc")
    store.put_object(Bucket="cli", Key="ls/day", Body=b"beside")
    assert [line.split() for line in aws("s3", "ls", "s3://cli/ls/").splitlines()][:2] == [["PRE", "day=0/"], ["PRE", "day=1/"]]
    assert aws("s3", "ls", "s3://cli/ls/").splitlines()[2].split()[2:] == ["6", "day"]
    lines = aws("s3", "ls", "s3://cli/ls/", "--recursive", "--summarize").splitlines()
    assert [line.split(None, 3)[3] for line in lines[:1101]] == keys(store, "cli", "ls/")
    assert "Total Objects: 1101" in lines[-2] and "Total Size: 3306" in lines[-1]
    assert len(aws("s3", "ls", "s3://cli/ls/day=0/", "--page-size", "100").splitlines()) == 550
    assert "cli" in [line.split()[2] for line in aws("s3", "ls").splitlines()]
    assert aws.run("s3", "ls", "s3://cli/nothing-here/").returncode == 1


def test_a_presigned_url_serves_until_it_expires(aws, store, bucket):
    store.put_object(Bucket="cli", Key="presigned/a b.txt", Body=b"by link")
    url = aws("s3", "presign", "s3://cli/presigned/a b.txt", "--expires-in", "60").strip()
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.status == 200 and answer.read() == b"by link"
    for wrong, code in ((url.replace("a%20b", "other"), 403), (url[:-1] + ("0" if url[-1] != "0" else "1"), 403)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(wrong, timeout=30)
        assert refused.value.code == code and b"SignatureDoesNotMatch" in refused.value.read()


def test_rm_takes_one_or_all_below_and_rb_the_bucket(aws, store, bucket):
    aws("s3", "mb", "s3://cli-gone")
    for i in range(1050):
        store.put_object(Bucket="cli-gone", Key=f"a/{i}", Body=b"")
    store.put_object(Bucket="cli-gone", Key="b/x y", Body=b"")
    store.put_object(Bucket="cli-gone", Key="ab", Body=b"")
    aws("s3", "rm", "s3://cli-gone/ab")
    assert keys(store, "cli-gone", "ab") == []
    assert aws("s3", "rm", "s3://cli-gone/a/", "--recursive").count("delete:") == 1050
    assert keys(store, "cli-gone") == ["b/x y"]
    aws("s3", "rb", "s3://cli-gone", "--force")
    assert "cli-gone" not in [b["Name"] for b in store.list_buckets()["Buckets"]]


def test_s3api_objects(aws, store, bucket, home):
    (home / "body").write_bytes(b"0123456789")
    sha = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII="
    put = aws.api("put-object", "--bucket", "cli", "--key", "api/o", "--body", "body", "--content-type", "text/x", "--metadata", "Who=me",
                  "--checksum-algorithm", "SHA256", "--tagging", "a=1")
    assert put["ChecksumSHA256"] == sha and put["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"'
    head = aws.api("head-object", "--bucket", "cli", "--key", "api/o", "--checksum-mode", "ENABLED")
    assert (head["ContentType"], head["Metadata"], head["ChecksumSHA256"], head["AcceptRanges"]) == ("text/x", {"who": "me"}, sha, "bytes")
    got = aws.api("get-object", "--bucket", "cli", "--key", "api/o", "--range", "bytes=2-4", "--if-match", put["ETag"], "part")
    assert got["ContentRange"] == "bytes 2-4/10" and (home / "part").read_bytes() == b"234"
    assert "PreconditionFailed" in aws.fails("s3api", "put-object", "--bucket", "cli", "--key", "api/o", "--body", "body", "--if-none-match", "*")
    assert "304" in aws.fails("s3api", "get-object", "--bucket", "cli", "--key", "api/o", "--if-none-match", put["ETag"], "part")
    assert aws.api("get-object-tagging", "--bucket", "cli", "--key", "api/o")["TagSet"] == [{"Key": "a", "Value": "1"}]
    copied = aws.api("copy-object", "--bucket", "cli", "--key", "api/c", "--copy-source", "cli/api/o", "--copy-source-if-match", put["ETag"])
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    page = aws.api("list-objects-v2", "--bucket", "cli", "--prefix", "api/", "--max-items", "1")
    assert [o["Key"] for o in page["Contents"]] == ["api/c"] and page["NextToken"]
    answer = aws.api("delete-objects", "--bucket", "cli", "--delete", "Objects=[{Key=api/c},{Key=api/none}]")
    assert sorted(d["Key"] for d in answer["Deleted"]) == ["api/c", "api/none"] and keys(store, "cli", "api/") == ["api/o"]


def test_s3api_a_multipart_upload_by_hand(aws, store, bucket, home):
    (home / "p1").write_bytes(b"1" * 5 * MIB)
    (home / "p2").write_bytes(b"2")
    upload = aws.api("create-multipart-upload", "--bucket", "cli", "--key", "parts/o")["UploadId"]
    where = ["--bucket", "cli", "--key", "parts/o", "--upload-id", upload]
    tags = [aws.api("upload-part", *where, "--part-number", n, "--body", f"p{n}")["ETag"] for n in (1, 2)]
    assert [p["ETag"] for p in aws.api("list-parts", *where)["Parts"]] == tags
    assert [u["Key"] for u in aws.api("list-multipart-uploads", "--bucket", "cli")["Uploads"]] == ["parts/o"]
    (home / "parts.json").write_text(json.dumps({"Parts": [{"PartNumber": n, "ETag": t} for n, t in enumerate(tags, 1)]}))
    done = aws.api("complete-multipart-upload", *where, "--multipart-upload", "file://parts.json")
    assert done["ETag"].endswith('-2"') and store.head_object(Bucket="cli", Key="parts/o")["ContentLength"] == 5 * MIB + 1
    assert aws.api("head-object", "--bucket", "cli", "--key", "parts/o", "--part-number", 2)["PartsCount"] == 2
    upload = aws.api("create-multipart-upload", "--bucket", "cli", "--key", "parts/no")["UploadId"]
    where = ["--bucket", "cli", "--key", "parts/no", "--upload-id", upload]
    copy = [*where, "--part-number", 1, "--copy-source", "cli/parts/o", "--copy-source-range", "bytes=0-9", "--copy-source-if-match"]
    assert "PreconditionFailed" in aws.fails("s3api", "upload-part-copy", *copy, '"another"')
    assert aws.api("upload-part-copy", *copy, done["ETag"])["CopyPartResult"]["ETag"] == '"' + hashlib.md5(b"1" * 10).hexdigest() + '"'
    aws.api("abort-multipart-upload", *where)
    assert "Uploads" not in store.list_multipart_uploads(Bucket="cli") and keys(store, "cli", "parts/") == ["parts/o"]


def test_s3api_attributes_of_an_object(aws, store, bucket):
    store.put_object(Bucket="cli", Key="attributes", Body=b"0123456789", ChecksumAlgorithm="CRC32")
    found = aws.api("get-object-attributes", "--bucket", "cli", "--key", "attributes", "--object-attributes", "ETag", "ObjectSize", "Checksum")
    assert found["ObjectSize"] == 10 and found["ETag"] == "781e5e245d69b566979b86e28d23f2c7" and found["Checksum"]["ChecksumCRC32"] == "poTHxg=="


def test_s3api_buckets(aws, store, bucket):
    aws.api("create-bucket", "--bucket", "cli-eu", "--create-bucket-configuration", "LocationConstraint=eu-west-1")
    assert "cli-eu" in [b["Name"] for b in aws.api("list-buckets")["Buckets"]]
    assert "LocationConstraint" in aws.api("get-bucket-location", "--bucket", "cli-eu")
    aws.api("put-bucket-tagging", "--bucket", "cli-eu", "--tagging", "TagSet=[{Key=team,Value=data}]")
    assert aws.api("get-bucket-tagging", "--bucket", "cli-eu")["TagSet"] == [{"Key": "team", "Value": "data"}]
    assert aws.api("get-bucket-versioning", "--bucket", "cli-eu") is None
    assert "NoSuchBucketPolicy" in aws.fails("s3api", "get-bucket-policy", "--bucket", "cli-eu")
    assert aws.api("get-bucket-acl", "--bucket", "cli-eu")["Grants"][0]["Permission"] == "FULL_CONTROL"
    aws.api("delete-bucket", "--bucket", "cli-eu")
    assert "404" in aws.fails("s3api", "head-bucket", "--bucket", "cli-eu")


def test_a_wrong_secret_is_refused(aws, store, bucket, home):
    (home / "small.txt").write_text("ping\n")
    assert "SignatureDoesNotMatch" in aws.fails("s3", "cp", "small.txt", "s3://cli/refused", AWS_SECRET_ACCESS_KEY="wrong")
    assert "InvalidAccessKeyId" in aws.fails("s3", "ls", AWS_ACCESS_KEY_ID="nobody")
    assert keys(store, "cli", "refused") == []
