"""Objects: PUT, GET, HEAD, DELETE, copies, ranges, conditions, metadata. Names with trap_N are the numbers of the wire traps that the project collected
(s3.md 2), so that one finds what holds each."""
import base64
import hashlib
import os
import re
import socket
import zlib

import pytest
from botocore.exceptions import ClientError

MIB = 1 << 20


def code_of(call, **arguments):
    """The error code and status that a boto3 call ends with."""
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


SIZES = [0, 1, 4096, 32 * 1024, 32 * 1024 + 1, 65536, 131072, 131073, 1_000_000, 5 * MIB, 16 * MIB, 16 * MIB + 1, 20 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_comes_back_whatever_its_size(s3, bucket, size):
    body = os.urandom(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ContentType="text/plain", Metadata={"a": "b"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == body
    assert (got["ContentLength"], got["ContentType"], got["Metadata"], got["ETag"]) == (size, "text/plain", {"a": "b"}, put["ETag"])
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"], head["LastModified"]) == (size, put["ETag"], got["LastModified"])
    s3.delete_object(Bucket=bucket, Key="k")
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == ("NoSuchKey", 404)


@pytest.mark.parametrize("size", [0, 10, 40_000, 300_000, 18 * MIB])
def test_trap_17_a_range_is_cut_or_refused_or_ignored(raw, bucket, size):
    body = os.urandom(size)
    assert raw.put(f"/{bucket}/k", body).status == 200
    rows = [("bytes=0-0", 0, 1), ("bytes=2-5", 2, 6), ("bytes=5-", 5, size), ("bytes=-3", max(size - 3, 0), size), (f"bytes=-{size + 9}", 0, size),
            (f"bytes=0-{size + 100}", 0, size), (f"bytes={size}-", None, None), (f"bytes={size + 1}-{size + 2}", None, None), ("bytes=-0", None, None)]
    for text, first, end in rows:
        a = raw.get(f"/{bucket}/k", headers={"range": text})
        if first is None or size == 0:
            assert (a.status, a.code) == (416, "InvalidRange"), (text, a)
            assert a.text("ActualObjectSize") == str(size)
            assert a.headers["content-range"] == f"bytes */{size}"
        else:
            assert (a.status, a.body) == (206, body[first:end]), text
            assert a.headers["content-range"] == f"bytes {first}-{min(end, size) - 1}/{size}"
            head = raw.head(f"/{bucket}/k", headers={"range": text})
            assert (head.status, head.headers["content-length"]) == (206, str(len(a.body)))
    for text in ["bytes=0-1,3-4", "bytes=5-2", "bytes=", "bytes=x-y", "items=0-1", "nonsense"]:
        a = raw.get(f"/{bucket}/k", headers={"range": text})
        assert (a.status, a.body) == (200, body), text


def test_trap_17_range_and_part_number_exclude_each_other(raw, bucket):
    raw.put(f"/{bucket}/k", b"0123456789")
    a = raw.get(f"/{bucket}/k", "partNumber=1", headers={"range": "bytes=0-1"})
    assert (a.status, a.code) == (400, "InvalidRequest")


def test_trap_17_if_range_that_fails_gives_all(raw, bucket):
    put = raw.put(f"/{bucket}/k", b"0123456789")
    modified = raw.head(f"/{bucket}/k").headers["last-modified"]
    for value, status in [(put.headers["etag"], 206), ('"other"', 200), ("W/" + put.headers["etag"], 200), (modified, 206),
                          ("Thu, 01 Jan 1998 00:00:00 GMT", 200)]:
        assert raw.get(f"/{bucket}/k", headers={"range": "bytes=0-1", "if-range": value}).status == status, value


def test_trap_18_dates_and_etags_have_their_forms(raw, bucket):
    raw.put(f"/{bucket}/k", b"x")
    a = raw.get(f"/{bucket}/k")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", a.headers["last-modified"])
    assert re.fullmatch(r'"[0-9a-f]{32}"', a.headers["etag"])
    assert a.headers["accept-ranges"] == "bytes"
    listing = raw.get(f"/{bucket}", "list-type=2")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", listing.text("LastModified"))
    assert listing.text("ETag") == a.headers["etag"]


def test_trap_19_conditions_of_a_read_in_their_order(raw, bucket):
    etag = raw.put(f"/{bucket}/k", b"x", headers={"cache-control": "max-age=5"}).headers["etag"]
    past, future = "Thu, 01 Jan 1998 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    now = raw.head(f"/{bucket}/k").headers["last-modified"]
    rows = [
        ({"if-match": etag}, 200), ({"if-match": '"x"'}, 412), ({"if-match": "*"}, 200), ({"if-match": etag.strip('"')}, 200),
        ({"if-match": f'"x", {etag}'}, 200),
        ({"if-none-match": etag}, 304), ({"if-none-match": '"x"'}, 200), ({"if-none-match": "*"}, 304), ({"if-none-match": "W/" + etag}, 304),
        ({"if-modified-since": past}, 200), ({"if-modified-since": now}, 304), ({"if-modified-since": future}, 304),
        ({"if-unmodified-since": past}, 412), ({"if-unmodified-since": now}, 200),
        ({"if-match": etag, "if-unmodified-since": past}, 200), ({"if-none-match": '"x"', "if-modified-since": future}, 200),
        ({"if-match": '"x"', "if-none-match": etag}, 412),
    ]
    for headers, status in rows:
        for method in ("GET", "HEAD"):
            a = raw.request(method, f"/{bucket}/k", headers=headers)
            assert a.status == status, (method, headers, a)
            if status == 304:
                assert a.body == b"" and a.headers["etag"] == etag and a.headers["cache-control"] == "max-age=5" and "last-modified" in a.headers
            if status == 412 and method == "GET":
                assert a.code == "PreconditionFailed"


def test_trap_20_conditional_writes(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"x"') == ("PreconditionFailed", 412)
    assert code_of(s3.put_object, Bucket=bucket, Key="absent", Body=b"2", IfMatch=first) == ("NoSuchKey", 404)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"3", IfMatch=first) == ("PreconditionFailed", 412)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", IfNoneMatch="*")
    assert code_of(s3.copy_object, Bucket=bucket, Key="copy", CopySource=f"{bucket}/k", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=second)["Body"].read() == b"2"
    assert "absent" not in [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_trap_20_of_racing_creators_one_wins(server, bucket):
    import threading
    answers = []

    def create(n):
        answers.append(server.raw().put(f"/{bucket}/lock", b"%d" % n * 5000, headers={"if-none-match": "*"}).status)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(answers) == [200] + [412] * 15


def test_trap_21_conditional_deletes(raw, s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    assert code_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch='"x"') == ("PreconditionFailed", 412)
    assert raw.delete(f"/{bucket}/k", headers={"x-amz-if-match-size": "2"}).status == 412
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "ETag": '"x"'}]})
    assert answer["Errors"][0]["Code"] == "PreconditionFailed"
    s3.head_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert code_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag) == ("NoSuchKey", 404)
    s3.delete_object(Bucket=bucket, Key="k")


def test_trap_22_overrides_are_for_signed_requests_alone(s3, raw, bucket, start_server):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentType="text/plain", CacheControl="no-store")
    wanted = {"ResponseContentType": "a/b", "ResponseContentLanguage": "de", "ResponseExpires": "Fri, 01 Jan 2100 00:00:00 GMT",
              "ResponseCacheControl": "no-cache", "ResponseContentDisposition": "bla", "ResponseContentEncoding": "aaa"}
    for method in (s3.get_object, s3.head_object):
        h = method(Bucket=bucket, Key="k", **wanted)["ResponseMetadata"]["HTTPHeaders"]
        assert (h["content-type"], h["content-language"], h["expires"], h["cache-control"], h["content-disposition"], h["content-encoding"]) == tuple(wanted.values())
    assert raw.get(f"/{bucket}/k", "response-content-type=a%0d%0ab:c").status == 400
    open_server = start_server("--anonymous-principal", "alice")
    open_server.boto().create_bucket(Bucket="bucket-a")
    open_server.boto().put_object(Bucket="bucket-a", Key="k", Body=b"x")
    nobody = open_server.raw((None, None))
    assert nobody.anonymous("GET", "/bucket-a/k").status == 200
    assert nobody.anonymous("GET", "/bucket-a/k", "response-content-type=text/html").status == 400


def test_trap_23_user_metadata(raw, bucket):
    a = raw.put(f"/{bucket}/k", b"x", headers={"x-amz-meta-plain": "v", "x-amz-meta-empty": "", "x-amz-meta-under_score": "1"})
    assert a.status == 200
    got = raw.head(f"/{bucket}/k")
    names = [n for n, _ in got.raw_headers if n.lower().startswith("x-amz-meta-")]
    assert sorted(names) == ["x-amz-meta-empty", "x-amz-meta-plain", "x-amz-meta-under_score"]  # lower case on the wire
    assert got.headers["x-amz-meta-plain"] == "v" and got.headers["x-amz-meta-empty"].strip() == ""
    a = raw.put(f"/{bucket}/k2", b"x", headers={"x-amz-meta-big": "v" * 2046})
    assert (a.status, a.code) == (400, "MetadataTooLarge")
    assert raw.head(f"/{bucket}/k2").status == 404
    assert raw.put(f"/{bucket}/k2", b"x", headers={"x-amz-meta-big": "v" * 2045}).status == 200


def test_trap_23_metadata_in_utf8_comes_back_as_it_was(raw, bucket):
    value = "Grüße \u4e16\u754c"
    query = raw.presign("PUT", f"/{bucket}/k", headers={"x-amz-meta-text": value})
    headers = [("x-amz-meta-text", value.encode()), ("Content-Length", "1")]
    assert raw.send("PUT", f"/{bucket}/k?{query}", headers, b"x").status == 200
    assert raw.head(f"/{bucket}/k").headers["x-amz-meta-text"].encode("latin-1").decode() == value


def test_trap_10_aws_chunked_is_not_stored(raw, bucket):
    rows = [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"), ("gzip", "gzip"), ("aws-chunked, aws-chunked", None)]
    for sent, stored in rows:
        assert raw.put(f"/{bucket}/k", b"x", headers={"content-encoding": sent}).status == 200
        assert raw.head(f"/{bucket}/k").headers.get("content-encoding") == stored, sent


def test_stored_headers_come_back(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", CacheControl="max-age=1", ContentDisposition="attachment", ContentLanguage="de",
                  ContentEncoding="gzip", Expires="Fri, 01 Jan 2100 00:00:00 GMT", StorageClass="STANDARD_IA", Tagging="a=1&b=2",
                  WebsiteRedirectLocation="/other")
    h = s3.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
    assert h["cache-control"] == "max-age=1" and h["content-disposition"] == "attachment" and h["content-language"] == "de"
    assert h["content-encoding"] == "gzip" and h["expires"] == "Fri, 01 Jan 2100 00:00:00 GMT" and h["x-amz-storage-class"] == "STANDARD_IA"
    assert h["x-amz-website-redirect-location"] == "/other"
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    assert h["content-type"] == "binary/octet-stream"
    assert code_of(s3.put_object, Bucket=bucket, Key="g", Body=b"x", StorageClass="GLACIER") == ("InvalidStorageClass", 400)


def test_what_is_not_built_is_refused_and_nothing_is_stored(raw, bucket):
    for headers in [{"x-amz-server-side-encryption": "AES256"}, {"x-amz-server-side-encryption": "aws:kms"},
                    {"x-amz-server-side-encryption-customer-algorithm": "AES256"}, {"x-amz-object-lock-mode": "GOVERNANCE"},
                    {"x-amz-object-lock-legal-hold": "ON"}, {"x-amz-write-offset-bytes": "0"}]:
        a = raw.put(f"/{bucket}/k", b"x", headers=headers)
        assert (a.status, a.code) == (501, "NotImplemented"), headers
        a = raw.post(f"/{bucket}/k", b"", "uploads", headers=headers)
        assert (a.status, a.code) == (501, "NotImplemented"), headers
    assert raw.head(f"/{bucket}/k").status == 404


def test_trap_16_head_has_the_headers_of_get_and_no_body(raw, bucket):
    raw.put(f"/{bucket}/k", b"x" * 100, headers={"x-amz-meta-a": "b", "content-type": "a/b"})
    head, get = raw.head(f"/{bucket}/k"), raw.get(f"/{bucket}/k")
    different = {"date", "x-amz-request-id", "x-amz-id-2"}
    assert {k: v for k, v in head.headers.items() if k not in different} == {k: v for k, v in get.headers.items() if k not in different}
    for path in (f"/{bucket}/none", "/no-such-bucket/k"):
        a = raw.head(path)
        assert (a.status, a.body) == (404, b"")


def test_trap_24_lengths(raw, bucket):
    signed = raw.sign("PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
    a = raw.send("PUT", f"/{bucket}/k", signed, length=False)
    assert (a.status, a.code) == (411, "MissingContentLength")
    raw.close()
    signed = raw.sign("PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
    signed["content-length"] = str(5 * 1024 * MIB + 1)
    a = raw.send("PUT", f"/{bucket}/k", signed)
    assert (a.status, a.code) == (400, "EntityTooLarge")
    raw.close()
    assert raw.head(f"/{bucket}/k").status == 404


@pytest.mark.parametrize("sent", [0, 999, 70_000])
def test_trap_24_a_body_that_breaks_off_stores_nothing(raw, bucket, sent):
    """The client is gone, so there is nobody to answer; the next request on that key must find nothing."""
    signed = raw.sign("PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
    signed["content-length"] = "100000"
    head = f"PUT /{bucket}/k HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in signed.items()) + "\r\n"
    with socket.create_connection((raw.host, raw.port)) as s:
        s.sendall(head.encode() + b"x" * sent)
    assert raw.head(f"/{bucket}/k").status == 404
    assert raw.get(f"/{bucket}", "list-type=2").all("Key") == []


def test_trap_26_every_answer_has_its_id(raw, bucket):
    a = raw.get(f"/{bucket}/none")
    assert re.fullmatch(r"[0-9A-F]{16}", a.headers["x-amz-request-id"])
    assert a.headers["x-amz-request-id"] == a.text("RequestId")
    assert "date" in a.headers and "server" in a.headers and "x-amz-id-2" in a.headers
    assert raw.get(f"/{bucket}/none").headers["x-amz-request-id"] != a.headers["x-amz-request-id"]


def test_trap_27_error_documents(raw, bucket):
    a = raw.get(f"/{bucket}/none%20here")
    assert (a.status, a.code, a.headers["content-type"]) == (404, "NoSuchKey", "application/xml")
    assert a.text("Key") == "none here" and a.text("BucketName") == bucket and a.text("Resource") == f"/{bucket}/none%20here"
    assert b"xmlns" not in a.body
    rows = [("GET", "/no-such-bucket/k", "", 404, "NoSuchBucket"), ("GET", "/no-such-bucket", "list-type=2", 404, "NoSuchBucket"),
            ("GET", f"/{bucket}/k", "uploadId=0", 404, "NoSuchUpload"), ("DELETE", "/no-such-bucket", "", 404, "NoSuchBucket"),
            ("GET", f"/{bucket}/k", "versionId=abcdefghijklmnopqrstuvwxyz012345", 404, "NoSuchVersion"),
            ("GET", f"/{bucket}/k", "versionId=bad!", 400, "InvalidArgument"), ("GET", f"/{bucket}/" + "k" * 1025, "", 400, "KeyTooLongError"),
            ("PATCH", f"/{bucket}/k", "", 405, "MethodNotAllowed")]
    for method, path, query, status, code in rows:
        a = raw.request(method, path, query)
        assert (a.status, a.code) == (status, code), (method, path, query, a)


def test_version_null_is_the_object(raw, bucket):
    raw.put(f"/{bucket}/k", b"x")
    a = raw.get(f"/{bucket}/k", "versionId=null")
    assert (a.status, a.body, a.headers["x-amz-version-id"]) == (200, b"x", "null")
    assert raw.delete(f"/{bucket}/k", "versionId=null").status == 204
    assert raw.head(f"/{bucket}/k").status == 404


def test_trap_25_a_connection_goes_on_after_an_error(raw, bucket):
    for _ in range(3):
        assert raw.put("/no-such-bucket/k", b"x" * 1000).status == 404
        assert raw.put(f"/{bucket}/k", b"x" * 1000).status == 200
        assert raw.get(f"/{bucket}/none").status == 404


def test_trap_15_refusals_come_before_the_body(server, bucket):
    """With Expect: 100-continue: the final answer at once, and no 100."""
    raw = server.raw()
    raw.put(f"/{bucket}/there", b"x")
    for path, headers, status in [("/no-such-bucket/k", {}, 404), (f"/{bucket}/there", {"if-none-match": "*"}, 412), (f"/{bucket}/none", {"if-match": "x"}, 404),
                                  (f"/{bucket}/k", {"content-length": str(6 << 30)}, 400)]:
        h = {"expect": "100-continue", "content-length": "1000000", **headers}
        signed = raw.sign("PUT", path, headers=h, payload="UNSIGNED-PAYLOAD")
        answer = raw.wire(f"PUT {path} HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in signed.items()).encode() + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 %d" % status), (path, answer[:200])
        assert b"connection: close" in answer.lower()
    signed = raw.sign("PUT", f"/{bucket}/k", headers={"expect": "100-continue", "content-length": "3"}, payload="UNSIGNED-PAYLOAD")
    answer = raw.wire(f"PUT /{bucket}/k HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in signed.items()).encode() + b"\r\nabc")
    assert b"HTTP/1.1 200" in answer


ODD_KEYS = ["a b+c%20/ü/..x//y", "k" * 1024, "ü" * 512, "run_date=2026-01-01/part-0.parquet", "dir", "dir/x", "dir/", "a//b", "a/../b", "..", ".", "/", "//",
            "trailing ", " leading", "control\x01\x1f\x7f", "tab\tnewline\nreturn\r", "quote\"'<>&", "%", "%41", "A", "a?b#c", "emoji\U0001f600", "~-_.!*()",
            "a" * 300 + "/" + "b" * 300]


def test_odd_keys_are_kept_apart_and_come_back(s3, bucket):
    for i, key in enumerate(ODD_KEYS):
        s3.put_object(Bucket=bucket, Key=key, Body=b"%d" % i)
    for i, key in enumerate(ODD_KEYS):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"%d" % i, key
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"%d" % i, key
    s3.delete_object(Bucket=bucket, Key="copy")
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(ODD_KEYS, key=lambda k: k.encode())
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ODD_KEYS if "\x01" not in k]})
    assert "Errors" not in answer
    s3.delete_object(Bucket=bucket, Key="control\x01\x1f\x7f")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


CHECK_VALUES = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888", "sha1": hashlib.sha1(b"123456789").hexdigest(),
                "sha256": hashlib.sha256(b"123456789").hexdigest()}


@pytest.mark.parametrize("algorithm", CHECK_VALUES)
def test_checksums_are_kept_and_told_when_asked(raw, bucket, algorithm):
    name, value = f"x-amz-checksum-{algorithm}", base64.b64encode(bytes.fromhex(CHECK_VALUES[algorithm])).decode()
    put = raw.put(f"/{bucket}/k", b"123456789", headers={name: value})
    assert (put.status, put.headers[name]) == (200, value)
    asked = {"x-amz-checksum-mode": "ENABLED"}
    for method in ("GET", "HEAD"):
        a = raw.request(method, f"/{bucket}/k", headers=asked)
        assert (a.headers[name], a.headers["x-amz-checksum-type"]) == (value, "FULL_OBJECT")
        assert name not in raw.request(method, f"/{bucket}/k").headers
        assert name not in raw.request(method, f"/{bucket}/k", headers={**asked, "range": "bytes=0-1"}).headers
    only_named = raw.put(f"/{bucket}/k2", b"123456789", headers={"x-amz-sdk-checksum-algorithm": algorithm.upper()})
    assert only_named.headers[name] == value


def test_trap_39_without_a_checksum_it_is_crc64nvme(raw, bucket):
    a = raw.put(f"/{bucket}/k", b"123456789")
    crc = base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    assert a.headers["x-amz-checksum-crc64nvme"] == crc
    assert raw.head(f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"}).headers["x-amz-checksum-crc64nvme"] == crc


def test_copies(s3, bucket):
    for size in (10, 100_000, 6 * MIB):
        body = os.urandom(size)
        etag = s3.put_object(Bucket=bucket, Key="src", Body=body, Metadata={"a": "1"}, ContentType="a/b", Tagging="t=1")["ETag"]
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"/{bucket}/src")
        got = s3.get_object(Bucket=bucket, Key="dst")
        assert (got["Body"].read(), got["Metadata"], got["ContentType"], got["ETag"], got["TagCount"]) == (body, {"a": "1"}, "a/b", etag, 1)
        s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/src", MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="c/d",
                       TaggingDirective="REPLACE", Tagging="x=1&y=2")
        got = s3.head_object(Bucket=bucket, Key="dst")
        assert (got["Metadata"], got["ContentType"]) == ({"b": "2"}, "c/d")
        s3.delete_object(Bucket=bucket, Key="src")
        assert s3.get_object(Bucket=bucket, Key="dst")["Body"].read() == body
    assert code_of(s3.copy_object, Bucket=bucket, Key="dst", CopySource=f"{bucket}/dst") == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="dst", CopySource=f"{bucket}/dst", MetadataDirective="REPLACE", Metadata={"mtime": "5"})
    assert s3.head_object(Bucket=bucket, Key="dst")["Metadata"] == {"mtime": "5"}
    assert code_of(s3.copy_object, Bucket=bucket, Key="d", CopySource=f"{bucket}/none") == ("NoSuchKey", 404)
    assert code_of(s3.copy_object, Bucket=bucket, Key="d", CopySource="no-such-bucket/none") == ("NoSuchBucket", 404)


def test_conditions_on_the_source_of_a_copy(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="src", Body=b"x")["ETag"]
    s3.copy_object(Bucket=bucket, Key="d", CopySource=f"{bucket}/src", CopySourceIfMatch=etag)
    s3.copy_object(Bucket=bucket, Key="d", CopySource=f"{bucket}/src", CopySourceIfNoneMatch='"x"')
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}, {"CopySourceIfModifiedSince": "Fri, 01 Jan 2100 00:00:00 GMT"},
                      {"CopySourceIfUnmodifiedSince": "Thu, 01 Jan 1998 00:00:00 GMT"}):
        assert code_of(s3.copy_object, Bucket=bucket, Key="e", CopySource=f"{bucket}/src", **condition) == ("PreconditionFailed", 412), condition
    assert code_of(s3.head_object, Bucket=bucket, Key="e")[1] == 404


def test_tags_of_objects(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "ü"}]
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == etag
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    many = {"TagSet": [{"Key": str(i), "Value": "v"} for i in range(11)]}
    assert code_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=many) == ("InvalidTag", 400)
    assert code_of(s3.get_object_tagging, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


def test_attributes(s3, raw, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="CRC32")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"])
    assert (got["ETag"], got["ObjectSize"], got["StorageClass"]) == (put["ETag"].strip('"'), 5, "STANDARD")
    assert got["Checksum"] == {"ChecksumCRC32": put["ChecksumCRC32"], "ChecksumType": "FULL_OBJECT"} and "ObjectParts" not in got
    assert "ETag" not in s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert raw.get(f"/{bucket}/k", "attributes", headers={"x-amz-object-attributes": "Nonsense"}).code == "InvalidArgument"


def test_trap_33_delete_objects(s3, raw, bucket):
    for i in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{i}\r&", Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k0\r&"}, {"Key": "none"}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["k0\r&", "none"] and "Errors" not in answer
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Quiet": True, "Objects": [{"Key": "k1\r&"}, {"Key": "k2\r&", "VersionId": "x"}]})
    assert "Deleted" not in quiet and [e["Key"] for e in quiet["Errors"]] == ["k2\r&"]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k2\r&"]
    body = b"<Delete><Object><Key>k2&#13;&amp;</Key></Object></Delete>"
    a = raw.post(f"/{bucket}", body, "delete")
    assert (a.status, a.code) == (400, "InvalidRequest")
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    a = raw.post(f"/{bucket}", body, "delete", headers={"content-md5": md5})
    assert (a.status, a.code) == (400, "BadDigest")
    a = raw.post(f"/{bucket}", body, "delete", headers={"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()})
    assert (a.status, a.all("Key")) == (200, ["k2\r&"])
    objects = [{"Key": f"x{i}"} for i in range(1000)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]) == 1000
    assert code_of(s3.delete_objects, Bucket=bucket, Delete={"Objects": objects + [{"Key": "one"}]}) == ("MalformedXML", 400)


def test_trap_43_what_file_system_clients_ask(raw, alice, bucket):
    """s3fs and pyarrow: HEAD of what may be a directory, a listing of it, and CreateBucket that must be denied cleanly."""
    raw.put(f"/{bucket}/dir/file", b"x")
    assert raw.head(f"/{bucket}/dir").status == 404 and raw.head(f"/{bucket}/dir/").status == 404
    a = raw.get(f"/{bucket}", "list-type=2&prefix=dir/&delimiter=/&max-keys=2")
    assert a.all("Key") == ["dir/file"]
    assert raw.get(f"/{bucket}", "list-type=2&prefix=dir&delimiter=/&max-keys=2").all("Prefix") == ["dir", "dir/"]
    a = alice.put("/bucket-of-somebody")
    assert (a.status, a.code) == (403, "AccessDenied")
    assert alice.get("/bucket-a/public/x").status == 200


def test_trap_45_what_java_sends(raw, bucket):
    """AWS' SDK v2: a checksum header on GET, x-amz-te, DeleteObjects with crc32."""
    raw.put(f"/{bucket}/k", b"0123456789")
    a = raw.get(f"/{bucket}/k", headers={"range": "bytes=2-4", "x-amz-te": "append-md5", "x-amz-checksum-crc32": "AAAAAA=="}, payload="UNSIGNED-PAYLOAD")
    assert (a.status, a.body) == (206, b"234")
    body = b"<Delete xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><Object><Key>k</Key></Object><Quiet>true</Quiet></Delete>"
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    a = raw.post(f"/{bucket}", body, "delete", headers={"x-amz-checksum-crc32": crc, "x-amz-sdk-checksum-algorithm": "CRC32"})
    assert a.status == 200 and raw.head(f"/{bucket}/k").status == 404
