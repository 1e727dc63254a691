"""Who signed a request: SigV4 in headers, presigned, streaming; SigV2 presigned. trap_N: s3.md 2.1. What attackers do with it is in test_attacks.py."""
import base64
import datetime
import hashlib
import os
import time
import urllib.request

import pytest
import rawclient
from botocore.exceptions import ClientError
from rawclient import STREAMING, STREAMING_TRAILER, UNSIGNED, UNSIGNED_TRAILER, crc32_base64

FORMS = [STREAMING, STREAMING_TRAILER, UNSIGNED_TRAILER]


def fetch(url, method="GET", data=None, headers=None):
    """Status and body of a URL, by a client that knows nothing of S3."""
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


# ---- headers

@pytest.mark.parametrize("key", ["plain", "a%20b", "a%2Bb", "a+b", "%C3%BC", "a//b", "a/../b", "a/./b", "run_date%3D1/x", "run_date=1/x", "%61bc", "a%2Fb", "a%2fb", "~", "%7E",
                                 "(x)!*'", "a%25b", "a:b@c,d;e", "trailing%20", "a%00b"])
def test_trap_1_the_path_is_signed_as_bytes_whatever_its_spelling(raw, bucket, key):
    a = raw.put(f"/{bucket}/{key}", b"body")
    assert a.status == 200, a
    assert raw.get(f"/{bucket}/{key}").body == b"body"


def test_trap_1_two_spellings_are_one_key(raw, bucket):
    raw.put(f"/{bucket}/run_date=1/%61+b", b"x")
    assert raw.get(f"/{bucket}/run_date%3D1/a%2Bb").body == b"x"
    assert raw.get(f"/{bucket}", "list-type=2").all("Key") == ["run_date=1/a+b"]


@pytest.mark.parametrize("query", ["acl", "acl=", "prefix=a%20b&list-type=2", "prefix=a+b&list-type=2", "list-type=2&prefix=%C3%BC&delimiter=%2F", "list-type=2&prefix=a%2Bb",
                                   "list-type=2&delimiter=/&prefix=", "b=2&a=1&list-type=2&a=0", "list-type=2&x=%3D%26"])
def test_trap_2_the_query_is_sorted_and_encoded(raw, bucket, query):
    assert raw.get(f"/{bucket}", query).status == 200


def test_trap_3_the_host_of_a_proxy(start_server):
    server = start_server("--external-hosts", "s3.example.com,other.example.com:443")
    raw = server.raw()
    raw.put("/abc")
    for name, status in [("s3.example.com", 200), ("other.example.com:443", 200), ("evil.example.com", 403)]:
        signed = raw.sign("GET", "/abc", headers={"host": name})
        signed["host"] = f"{raw.host}:{raw.port}"  # what the proxy sends on
        assert raw.send("GET", "/abc", signed).status == status, name


def test_trap_4_header_values_are_trimmed_and_folded(raw, bucket):
    signed = raw.sign("PUT", f"/{bucket}/k", headers={"x-amz-meta-a": "one  two   three"}, payload=UNSIGNED)
    signed["x-amz-meta-a"] = "   one  two   three  "
    assert raw.send("PUT", f"/{bucket}/k", signed).status == 200
    signed = raw.sign("GET", f"/{bucket}/k", headers={"user-agent": "me", "accept-encoding": "identity"})
    signed["x-forwarded-for"] = "1.2.3.4"  # added on the way
    assert raw.send("GET", f"/{bucket}/k", signed).status == 200


def test_trap_5_any_region_unless_one_is_set(server, bucket, start_server):
    for region in ("us-east-1", "eu-west-3", "auto", "garage"):
        assert server.raw(region=region).get(f"/{bucket}").status == 200
    a = server.raw(service="ec2").get(f"/{bucket}")
    assert a.status in (400, 403)
    strict = start_server("--region", "eu-west-3")
    assert strict.raw(region="eu-west-3").get("/").status == 200
    a = strict.raw(region="us-east-1").get("/")
    assert (a.status, a.code, a.text("Region")) == (400, "AuthorizationHeaderMalformed", "eu-west-3")


@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24])
def test_trap_6_a_clock_that_is_off(raw, bucket, minutes):
    a = raw.get(f"/{bucket}", when=rawclient.now() + datetime.timedelta(minutes=minutes))
    assert (a.status, a.code) == (403, "RequestTimeTooSkewed")
    assert a.text("MaxAllowedSkewMilliseconds") == "900000" and a.text("ServerTime")


@pytest.mark.parametrize("minutes", [-14, 14])
def test_trap_6_a_clock_that_is_off_a_little(raw, bucket, minutes):
    assert raw.get(f"/{bucket}", when=rawclient.now() + datetime.timedelta(minutes=minutes)).status == 200


def test_trap_7_the_payload_hash(raw, bucket):
    assert raw.put(f"/{bucket}/k", b"x", payload=UNSIGNED).status == 200
    a = raw.put(f"/{bucket}/k", b"other", payload=hashlib.sha256(b"x").hexdigest())
    assert (a.status, a.code) == (400, "XAmzContentSHA256Mismatch")
    assert raw.get(f"/{bucket}/k").body == b"x"
    for wrong in ("nonsense", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "00"):
        a = raw.put(f"/{bucket}/k", b"y", payload=wrong)
        assert a.status in (400, 501), (wrong, a)
    signed = raw.sign("PUT", f"/{bucket}/k", payload=UNSIGNED)
    del signed["x-amz-content-sha256"]
    assert raw.send("PUT", f"/{bucket}/k", signed, b"y").status in (400, 403)
    assert raw.get(f"/{bucket}/k").body == b"x"


def test_trap_13_the_error_shows_what_was_signed(server, bucket):
    raw = server.raw(("test-root", "wrong-secret"))
    a = raw.get(f"/{bucket}")
    assert (a.status, a.code) == (403, "SignatureDoesNotMatch")
    assert a.text("StringToSign").startswith("AWS4-HMAC-SHA256\n") and a.text("CanonicalRequest").startswith(f"GET\n/{bucket}\n")
    assert len(a.text("SignatureProvided")) == 64
    a = server.raw(("no-such-key", "x")).get(f"/{bucket}")
    assert (a.status, a.code) == (403, "InvalidAccessKeyId")


def test_trap_11_without_credentials_nothing(nobody, bucket):
    for method, path in [("GET", "/"), ("GET", f"/{bucket}"), ("PUT", f"/{bucket}/k"), ("GET", f"/{bucket}/k"), ("DELETE", f"/{bucket}")]:
        assert nobody.anonymous(method, path).status == 403


def test_trap_12_a_bad_session_token(server, bucket):
    a = server.raw(token="nonsense").get(f"/{bucket}")
    assert a.status in (400, 403) and a.code in ("InvalidToken", "ExpiredToken", "InvalidAccessKeyId"), a


# ---- streaming payloads

@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size,chunk", [(0, 65536), (1, 65536), (65536, 65536), (65537, 65536), (300_000, 8192), (1_000_000, 131072)])
@pytest.mark.parametrize("transfer_chunked", [False, True])
def test_trap_9_streaming_payloads(raw, bucket, form, size, chunk, transfer_chunked):
    body = os.urandom(size)
    trailer = None if form == STREAMING else ("x-amz-checksum-crc32", crc32_base64(body))
    a = raw.put_chunked(f"/{bucket}/k", body, form, chunk, trailer, transfer_chunked=transfer_chunked)
    assert a.status == 200, a
    got = raw.get(f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.body == body and "content-encoding" not in got.headers
    if trailer:
        assert got.headers["x-amz-checksum-crc32"] == trailer[1]


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
@pytest.mark.parametrize("form", [STREAMING_TRAILER, UNSIGNED_TRAILER])
def test_trap_8_trailers_of_every_algorithm(raw, bucket, form, algorithm):
    known = {"crc32": b"\xcb\xf4\x39\x26", "crc32c": b"\xe3\x06\x92\x83", "crc64nvme": bytes.fromhex("ae8b14860a799888"),
             "sha1": hashlib.sha1(b"123456789").digest(), "sha256": hashlib.sha256(b"123456789").digest()}
    value = base64.b64encode(known[algorithm]).decode()
    a = raw.put_chunked(f"/{bucket}/k", b"123456789", form, trailer=(f"x-amz-checksum-{algorithm}", value))
    assert a.status == 200 and a.headers[f"x-amz-checksum-{algorithm}"] == value, a
    wrong = base64.b64encode(b"\0" * len(known[algorithm])).decode()
    a = raw.put_chunked(f"/{bucket}/none", b"123456789", form, trailer=(f"x-amz-checksum-{algorithm}", wrong))
    assert (a.status, a.code) == (400, "BadDigest")
    assert raw.head(f"/{bucket}/none").status == 404


def test_trap_9_the_last_line_may_be_missing_and_hex_may_be_upper_case(raw, bucket):
    a = raw.put_chunked(f"/{bucket}/k", b"x" * 43981, STREAMING, tamper=lambda p: p[:-1])
    assert a.status == 200, a
    a = raw.put_chunked(f"/{bucket}/k", b"x" * 43981, UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32_base64(b"x" * 43981)),
                        tamper=lambda p: [p[0].replace(b"abcd", b"ABCD", 1)] + p[1:])
    assert a.status == 200, a


def test_trap_9_the_sum_of_chunks_is_the_decoded_length(raw, bucket):
    for length in (9, 11):
        a = raw.put_chunked(f"/{bucket}/k", b"0123456789", STREAMING, decoded_length=length)
        assert (a.status, a.code) == (400, "IncompleteBody"), a
        raw.close()
    a = raw.put_chunked(f"/{bucket}/k", b"0123456789", STREAMING, tamper=lambda p: p[:1])
    assert (a.status, a.code) == (400, "IncompleteBody"), a
    assert raw.head(f"/{bucket}/k").status == 404


def test_trap_8_parts_come_in_chunks_too(raw, bucket):
    id_ = raw.post(f"/{bucket}/k", b"", "uploads").text("UploadId")
    a = raw.put_chunked(f"/{bucket}/k", b"abc", UNSIGNED_TRAILER, trailer=("x-amz-checksum-crc32", crc32_base64(b"abc")), query=f"partNumber=1&uploadId={id_}")
    body = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{a.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    assert raw.post(f"/{bucket}/k", body.encode(), f"uploadId={id_}").status == 200
    assert raw.get(f"/{bucket}/k").body == b"abc"


# ---- presigned

def test_presigned_by_boto3_in_both_forms(server, bucket):
    for version in ("s3v4", "s3", None):
        config = {"signature_version": version} if version else {}
        client = server.boto(**config)
        put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b/ü+"}, ExpiresIn=60)
        assert fetch(put, "PUT", b"presigned")[0] in (200, 403)  # 403: urllib adds a Content-Type, which SigV2 signs
        put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b/ü+", "ContentType": "a/b"}, ExpiresIn=60)
        assert fetch(put, "PUT", b"presigned", {"Content-Type": "a/b"})[0] == 200, version
        get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+"}, ExpiresIn=60)
        assert fetch(get) == (200, b"presigned")
        assert fetch(get, headers={"Range": "bytes=0-2"}) == (206, b"pre")
        get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/ü+", "ResponseContentType": "x/y"}, ExpiresIn=60)
        assert fetch(get)[0] == 200
        head = client.generate_presigned_url("head_object", Params={"Bucket": bucket, "Key": "a b/ü+"}, ExpiresIn=60)
        assert fetch(head, "HEAD") == (200, b"")
        listing = client.generate_presigned_url("list_objects_v2", Params={"Bucket": bucket, "Prefix": "a b"}, ExpiresIn=60)
        assert b"<KeyCount>1</KeyCount>" in fetch(listing)[1]
        delete = client.generate_presigned_url("delete_object", Params={"Bucket": bucket, "Key": "a b/ü+"}, ExpiresIn=60)
        assert fetch(delete, "DELETE")[0] == 204
        assert fetch(get)[0] == 404


def test_presigned_with_metadata_that_is_signed(raw, bucket):
    query = raw.presign("PUT", f"/{bucket}/k", headers={"x-amz-meta-a": "b"})
    assert raw.send("PUT", f"/{bucket}/k?{query}", {"x-amz-meta-a": "b"}, b"x").status == 200
    assert raw.send("PUT", f"/{bucket}/k?{query}", {"x-amz-meta-a": "c"}, b"x").status == 403
    assert raw.send("PUT", f"/{bucket}/k?{query}", {}, b"x").status == 403


def test_trap_2_semicolons_of_signed_headers_raw_and_encoded(raw, bucket):
    query = raw.presign("PUT", f"/{bucket}/k", headers={"x-amz-meta-a": "b"})
    assert "%3B" in query
    assert raw.send("PUT", f"/{bucket}/k?{query.replace('%3B', ';')}", {"x-amz-meta-a": "b"}, b"x").status == 200


def test_trap_6_expired_presigned(raw, bucket):
    raw.put(f"/{bucket}/k", b"x")
    past = rawclient.now() - datetime.timedelta(seconds=100)
    ok = raw.presign("GET", f"/{bucket}/k", expires=600, when=past)
    assert raw.anonymous("GET", f"/{bucket}/k", ok).status == 200
    a = raw.anonymous("GET", f"/{bucket}/k", raw.presign("GET", f"/{bucket}/k", expires=99, when=past))
    assert (a.status, a.code) == (403, "AccessDenied") and "expired" in a.text("Message")
    a = raw.anonymous("GET", f"/{bucket}/k", raw.presign_v2("GET", f"/{bucket}/k", int(time.time()) - 1))
    assert (a.status, a.code) == (403, "AccessDenied") and "expired" in a.text("Message")
    assert raw.anonymous("GET", f"/{bucket}/k", raw.presign_v2("GET", f"/{bucket}/k", int(time.time()) + 60)).status == 200


def test_wrong_signatures_store_nothing(server, bucket):
    for keys in (("test-root", "wrong"), ("nobody-knows", "wrong")):
        raw = server.raw(keys)
        assert raw.put(f"/{bucket}/k", b"x").status == 403
        assert raw.anonymous("PUT", f"/{bucket}/k", raw.presign("PUT", f"/{bucket}/k"), body=b"x").status == 403
        assert raw.anonymous("PUT", f"/{bucket}/k", raw.presign_v2("PUT", f"/{bucket}/k", int(time.time()) + 60), body=b"x").status == 403
        for form in FORMS:
            assert raw.put_chunked(f"/{bucket}/k", b"x", form, trailer=None if form == STREAMING else ("x-amz-checksum-crc32", crc32_base64(b"x"))).status == 403
            raw.close()
    assert server.raw().head(f"/{bucket}/k").status == 404


def test_sigv2_in_a_header_is_verified_too(server, bucket):
    client = server.boto(signature_version="s3")
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 1 and client.get_bucket_acl(Bucket=bucket)["Grants"]
    with pytest.raises(ClientError) as e:
        server.boto(("test-root", "wrong"), signature_version="s3").get_object(Bucket=bucket, Key="k")
    assert e.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_wrong_checksums_store_nothing(raw, bucket):
    """E10 of the attack cases is the same with an old object in place."""
    body = b"the body"
    wrong = [{"content-md5": base64.b64encode(bytes(16)).decode()}, {"x-amz-checksum-crc32": "AAAAAA=="},
             {"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}]
    for headers in wrong:
        a = raw.put(f"/{bucket}/k", body, headers=headers)
        assert (a.status, a.code) == (400, "BadDigest"), (headers, a)
    for headers, code in [({"content-md5": "nonsense"}, "InvalidDigest"), ({"content-md5": "AAAA"}, "InvalidDigest"), ({"x-amz-checksum-crc32": "AA"}, "InvalidRequest"),
                          ({"x-amz-sdk-checksum-algorithm": "MD4"}, "InvalidRequest"),
                          ({"x-amz-checksum-crc32": crc32_base64(body), "x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, "InvalidRequest")]:
        a = raw.put(f"/{bucket}/k", body, headers=headers)
        assert (a.status, a.code) == (400, code), (headers, a)
    assert raw.head(f"/{bucket}/k").status == 404
    assert raw.put(f"/{bucket}/k", body, headers={"content-md5": rawclient.md5_base64(body), "x-amz-checksum-crc32": crc32_base64(body)}).status == 200


def test_virtual_host_style(server, bucket):
    for host in (f"{bucket}.localhost:{server.port}", f"{bucket}.s3.localhost:{server.port}"):
        raw = server.raw()
        signed = raw.sign("PUT", "/dir/key", headers={"host": host}, payload=UNSIGNED)
        assert raw.send("PUT", "/dir/key", signed, b"x").status == 200
        assert raw.get(f"/{bucket}/dir/key").body == b"x"
        a = raw.send("GET", "/?list-type=2", raw.sign("GET", "/", "list-type=2", headers={"host": host}))
        assert a.all("Key") == ["dir/key"]
