"""Uploads in parts. trap_N: s3.md 2."""
import base64
import hashlib
import os
import zlib

import boto3.s3.transfer
import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20
PART = 5 * MIB


def code_of(call, **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


def upload(s3, bucket, key, parts, **create):
    """Create and put the parts {number: body}. The upload's id and what Complete wants."""
    id_ = s3.create_multipart_upload(Bucket=bucket, Key=key, **create)["UploadId"]
    done = []
    for number, body in parts.items():
        etag = s3.upload_part(Bucket=bucket, Key=key, UploadId=id_, PartNumber=number, Body=body)["ETag"]
        done.append({"PartNumber": number, "ETag": etag})
    return id_, done


def complete(s3, bucket, key, id_, parts, **more):
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=id_, MultipartUpload={"Parts": parts}, **more)


def etag_of(bodies):
    return '"%s-%d"' % (hashlib.md5(b"".join(hashlib.md5(b).digest() for b in bodies)).hexdigest(), len(bodies))


def test_64_mib_by_the_transfer_manager(s3, bucket, tmp_path):
    path = tmp_path / "file"
    body = os.urandom(64 * MIB)
    path.write_bytes(body)
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)
    s3.upload_file(str(path), bucket, "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="big")
    assert (head["ContentLength"], head["Metadata"]) == (64 * MIB, {"a": "b"})
    assert head["ETag"] == etag_of([body[i:i + 8 * MIB] for i in range(0, len(body), 8 * MIB)])
    s3.download_file(bucket, "big", str(tmp_path / "back"), Config=config)
    assert (tmp_path / "back").read_bytes() == body
    for first, last in [(0, 10), (8 * MIB - 5, 8 * MIB + 5), (3 * MIB, 40 * MIB), (64 * MIB - 1, 64 * MIB - 1)]:
        assert s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={first}-{last}")["Body"].read() == body[first:last + 1]
    s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def test_trap_36_etags(s3, bucket):
    bodies = [os.urandom(PART), os.urandom(100)]
    id_, parts = upload(s3, bucket, "k", dict(enumerate(bodies, 1)))
    assert complete(s3, bucket, "k", id_, parts)["ETag"] == etag_of(bodies)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(bodies)
    single = s3.put_object(Bucket=bucket, Key="s", Body=bodies[0])["ETag"]
    assert single == f'"{hashlib.md5(bodies[0]).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 1, 4096, 40_000, 200_000])
def test_trap_42_an_upload_of_one_tiny_part(s3, bucket, size):
    body = os.urandom(size)
    id_, parts = upload(s3, bucket, "k", {1: body}, ContentType="a/b")
    assert complete(s3, bucket, "k", id_, parts)["ETag"] == etag_of([body])
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentType"]) == (body, "a/b")
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=1)["Body"].read() == body


def test_trap_37_what_complete_refuses(s3, raw, bucket):
    id_, parts = upload(s3, bucket, "k", {1: b"a" * PART, 2: b"b", 3: b"c"})
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=[parts[1], parts[0]]) == ("InvalidPartOrder", 400)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=[parts[0], parts[0]]) == ("InvalidPartOrder", 400)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=[parts[0], {"PartNumber": 2, "ETag": parts[0]["ETag"]}]) == ("InvalidPart", 400)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=[{"PartNumber": 7, "ETag": parts[0]["ETag"]}]) == ("InvalidPart", 400)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts) == ("EntityTooSmall", 400)
    for body in (b"<CompleteMultipartUpload/>", b"<CompleteMultipartUpload></CompleteMultipartUpload>", b"nonsense", b""):
        a = raw.post(f"/{bucket}/k", body, f"uploadId={id_}")
        assert (a.status, a.code) == (400, "MalformedXML"), a
    assert code_of(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    complete(s3, bucket, "k", id_, parts[:2])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"a" * PART + b"b"


def test_trap_37_etags_come_quoted_unquoted_and_escaped(raw, bucket):
    for form in ('"%s"', "%s", "&quot;%s&quot;", "&#34;%s&#34;"):
        id_ = raw.post(f"/{bucket}/k", b"", "uploads").text("UploadId")
        etag = raw.put(f"/{bucket}/k", b"x", f"partNumber=1&uploadId={id_}").headers["etag"].strip('"')
        body = f"<CompleteMultipartUpload xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Part><PartNumber>1</PartNumber><ETag>{form % etag}</ETag></Part></CompleteMultipartUpload>"
        a = raw.post(f"/{bucket}/k", body.encode(), f"uploadId={id_}")
        assert a.status == 200, (form, a)


def test_trap_37_complete_twice_answers_the_same(s3, bucket):
    id_, parts = upload(s3, bucket, "k", {1: b"a" * PART, 2: b"b"})
    first = complete(s3, bucket, "k", id_, parts)
    again = complete(s3, bucket, "k", id_, parts)
    assert (first["ETag"], first["Location"]) == (again["ETag"], again["Location"])
    s3.put_object(Bucket=bucket, Key="k", Body=b"another")
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts) == ("NoSuchUpload", 404)


def test_trap_37_a_part_may_be_replaced_and_only_listed_ones_are_used(s3, bucket):
    id_, _ = upload(s3, bucket, "k", {1: b"old" * PART, 4: b"unused"})
    parts = [{"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="k", UploadId=id_, PartNumber=n, Body=body)["ETag"]}
             for n, body in ((1, b"n" * PART), (9, b"end"))]
    complete(s3, bucket, "k", id_, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"n" * PART + b"end"


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_trap_37_part_numbers(raw, bucket, number):
    id_ = raw.post(f"/{bucket}/k", b"", "uploads").text("UploadId")
    a = raw.put(f"/{bucket}/k", b"x", f"partNumber={number}&uploadId={id_}")
    assert (a.status, a.code) == (400, "InvalidArgument")


def test_trap_20_complete_under_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"there")["ETag"]
    id_, parts = upload(s3, bucket, "k", {1: b"new"})
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts, IfMatch='"x"') == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"there"
    complete(s3, bucket, "k", id_, parts, IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"


def test_trap_39_full_object_and_composite_checksums(s3, bucket):
    bodies = [b"a" * PART, b"bcd"]
    crc = base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    composite = base64.b64encode(zlib.crc32(b"".join(zlib.crc32(b).to_bytes(4, "big") for b in bodies)).to_bytes(4, "big")).decode() + "-2"
    sha = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(b).digest() for b in bodies)).digest()).decode() + "-2"
    for algorithm, type_, wanted in [("CRC32", "FULL_OBJECT", crc), ("CRC32", "COMPOSITE", composite), ("SHA256", "COMPOSITE", sha)]:
        created = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=type_)
        assert (created["ChecksumAlgorithm"], created["ChecksumType"]) == (algorithm, type_)
        parts = []
        for number, body in enumerate(bodies, 1):
            part = s3.upload_part(Bucket=bucket, Key="k", UploadId=created["UploadId"], PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
            parts.append({"PartNumber": number, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]})
        listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=created["UploadId"])
        assert [p[f"Checksum{algorithm}"] for p in listed["Parts"]] == [p[f"Checksum{algorithm}"] for p in parts]
        done = complete(s3, bucket, "k", created["UploadId"], parts, ChecksumType=type_)
        assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (wanted, type_)
        head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (wanted, type_)
        assert f"Checksum{algorithm}" not in s3.head_object(Bucket=bucket, Key="k", PartNumber=1, ChecksumMode="ENABLED")


def test_trap_39_wrong_sums_and_sizes_are_refused(s3, bucket):
    id_, parts = upload(s3, bucket, "k", {1: b"abc"}, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    wrong = base64.b64encode(b"\0\0\0\0").decode()
    right = base64.b64encode(zlib.crc32(b"abc").to_bytes(4, "big")).decode()
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts, ChecksumCRC32=wrong)[1] == 400
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=[{**parts[0], "ChecksumCRC32": wrong}]) == ("InvalidPart", 400)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts, MpuObjectSize=4)[1] == 400
    assert code_of(s3.head_object, Bucket=bucket, Key="k")[1] == 404
    complete(s3, bucket, "k", id_, parts, ChecksumCRC32=right, MpuObjectSize=3)
    for algorithm, type_ in [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]:
        assert code_of(s3.create_multipart_upload, Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=type_) == ("InvalidRequest", 400)


def test_trap_40_parts_by_their_number(s3, raw, bucket):
    bodies = [b"a" * PART, b"b" * PART, b"c"]
    id_, parts = upload(s3, bucket, "k", dict(zip((1, 5, 10000), bodies)))
    complete(s3, bucket, "k", id_, parts)
    for number, body in zip((1, 5, 10000), bodies):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (got["ResponseMetadata"]["HTTPStatusCode"], got["PartsCount"], got["Body"].read()) == (206, 3, body)
        head = s3.head_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(body), 3)
    a = raw.get(f"/{bucket}/k", "partNumber=2")
    assert (a.status, a.code) == (416, "InvalidPartNumber")
    s3.put_object(Bucket=bucket, Key="single", Body=b"xyz")
    one = s3.get_object(Bucket=bucket, Key="single", PartNumber=1)
    assert one["Body"].read() == b"xyz" and "PartsCount" not in one
    assert raw.get(f"/{bucket}/single", "partNumber=2").status == 416


def test_trap_41_parts_by_copy(s3, raw, bucket):
    source = os.urandom(6 * MIB)
    s3.put_object(Bucket=bucket, Key="src x+y", Body=source)
    id_ = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = []
    for number, range_ in ((1, None), (2, f"bytes=0-{PART - 1}"), (3, "bytes=7-7")):
        arguments = {"CopySourceRange": range_} if range_ else {}
        got = s3.upload_part_copy(Bucket=bucket, Key="k", UploadId=id_, PartNumber=number, CopySource={"Bucket": bucket, "Key": "src x+y"}, **arguments)
        parts.append({"PartNumber": number, "ETag": got["CopyPartResult"]["ETag"]})
    complete(s3, bucket, "k", id_, parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == source + source[:PART] + source[7:8]
    id_ = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for range_ in ("bytes=5-", "bytes=-5", "bytes=9-5", "5-9", "bytes=0-99999999"):
        a = raw.put(f"/{bucket}/k", b"", f"partNumber=1&uploadId={id_}", headers={"x-amz-copy-source": f"{bucket}/src%20x%2By", "x-amz-copy-source-range": range_})
        assert a.status in (400, 416) and a.code in ("InvalidArgument", "InvalidRange"), (range_, a)
    etag = s3.head_object(Bucket=bucket, Key="src x+y")["ETag"]
    s3.upload_part_copy(Bucket=bucket, Key="k", UploadId=id_, PartNumber=1, CopySource=f"{bucket}/src x+y", CopySourceIfMatch=etag)
    assert code_of(s3.upload_part_copy, Bucket=bucket, Key="k", UploadId=id_, PartNumber=1, CopySource=f"{bucket}/src x+y",
                   CopySourceIfMatch='"x"') == ("PreconditionFailed", 412)


def test_abort(s3, bucket):
    id_, parts = upload(s3, bucket, "k", {1: b"abc"})
    assert code_of(s3.abort_multipart_upload, Bucket=bucket, Key="other", UploadId=id_) == ("NoSuchUpload", 404)
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=id_)
    assert code_of(s3.abort_multipart_upload, Bucket=bucket, Key="k", UploadId=id_) == ("NoSuchUpload", 404)
    assert code_of(complete, s3=s3, bucket=bucket, key="k", id_=id_, parts=parts) == ("NoSuchUpload", 404)
    assert code_of(s3.upload_part, Bucket=bucket, Key="k", UploadId=id_, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_list_parts_by_pages(s3, bucket):
    id_, parts = upload(s3, bucket, "k", {n: b"x" * n for n in range(1, 26)})
    seen, marker = [], 0
    while True:
        page = s3.list_parts(Bucket=bucket, Key="k", UploadId=id_, MaxParts=10, PartNumberMarker=marker)
        seen += [(p["PartNumber"], p["Size"]) for p in page["Parts"]]
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert seen == [(n, n) for n in range(1, 26)]
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=id_)["StorageClass"] == "STANDARD"


def test_trap_46_list_uploads_by_pages_and_prefix(s3, bucket):
    ids = {}
    for key in ["a", "b/1", "b/1", "b/2", "c"]:
        ids.setdefault(key, []).append(s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
    wanted = [(k, i) for k in sorted(ids) for i in ids[k]]
    seen, arguments = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **arguments)
        seen += [(u["Key"], u["UploadId"]) for u in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        arguments = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert seen == wanted
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket=bucket, Prefix="b/")["Uploads"]] == ["b/1", "b/1", "b/2"]
    top = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [u["Key"] for u in top["Uploads"]] == ["a", "c"] and top["CommonPrefixes"] == [{"Prefix": "b/"}]


def test_an_open_upload_hides_nothing_and_is_not_listed(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    upload(s3, bucket, "k", {1: b"new"})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"
    upload(s3, bucket, "other", {1: b"new"})
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


def test_trap_38_complete_answers_with_a_document_and_nothing_before_it(raw, bucket):
    id_ = raw.post(f"/{bucket}/k", b"", "uploads").text("UploadId")
    etag = raw.put(f"/{bucket}/k", b"x", f"partNumber=1&uploadId={id_}").headers["etag"]
    body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    a = raw.post(f"/{bucket}/k", body.encode(), f"uploadId={id_}")
    assert a.status == 200 and a.body.startswith(b"<?xml") and a.text("ETag") == etag_of([b"x"])
