"""Attacks on the S3 edge, each named by its number in the project's list of cases (reliability.md 3: A signatures, B paths and buckets, C rights, E parsers). After each
the server must be alive, the old state in place, and nothing foreign in the answer."""
import base64
import hashlib
import hmac
import re
import time

import pytest
import rawclient
from rawclient import STREAMING, STREAMING_TRAILER, UNSIGNED, UNSIGNED_TRAILER, crc32_base64

CRC = ("x-amz-checksum-crc32", crc32_base64(b"x" * 100))


@pytest.fixture
def old(raw, bucket):
    """An object that no attack may change."""
    assert raw.put(f"/{bucket}/old", b"the old body", headers={"x-amz-meta-a": "1"}).status == 200
    yield f"/{bucket}/old"
    raw.close()
    assert raw.get(f"/{bucket}/old").body == b"the old body"


def forged(raw, method, path, payload=UNSIGNED, query="", signature="0" * 64, headers=None):
    signed = raw.sign(method, path, query, headers, payload)
    signed["authorization"] = re.sub(r"Signature=.*", f"Signature={signature}", signed["authorization"])
    return signed


# ---- A: signatures

@pytest.mark.parametrize("payload", [UNSIGNED_TRAILER, STREAMING, STREAMING_TRAILER, UNSIGNED])
def test_a1_cve_2026_40344_a_made_up_signature_on_a_streaming_put(raw, bucket, old, payload):
    headers = forged(raw, "PUT", old, payload, headers={"x-amz-decoded-content-length": "1", "x-amz-trailer": CRC[0]})
    a = raw.send("PUT", old, headers, b"1\r\nx\r\n0\r\n" + b"x-amz-checksum-crc32:jNyJAg==\r\n\r\n")
    assert (a.status, a.code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("query", ["", "partNumber=1&uploadId=00000000000000000000000000000000"])
def test_a2_cve_2026_41145_credential_in_the_query_alone(raw, old, query):
    stamp = rawclient.now().strftime("%Y%m%dT%H%M%SZ")
    claim = f"X-Amz-Credential={rawclient.quote(raw.access_key + '/' + raw.scope(stamp), '')}"
    for extra in ("", "&X-Amz-Algorithm=AWS4-HMAC-SHA256", f"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={stamp}&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="):
        q = "&".join(p for p in (query, claim + extra) if p)
        a = raw.send("PUT", f"{old}?{q}", {"x-amz-content-sha256": UNSIGNED_TRAILER, "x-amz-decoded-content-length": "1"}, b"1\r\nx\r\n0\r\n\r\n")
        assert a.status in (400, 403), a
        raw.close()


def test_a4_a_forged_streaming_put_then_an_anonymous_list(raw, nobody, old):
    a = raw.send("PUT", old, forged(raw, "PUT", old, UNSIGNED_TRAILER, headers={"x-amz-decoded-content-length": "1"}), b"1\r\nx\r\n0\r\n\r\n")
    assert a.status == 403
    assert nobody.anonymous("GET", "/").status == 403


def test_a5_who_signed_is_asked_of_every_request_of_a_connection(raw, old):
    assert raw.get(old).status == 200
    c = raw.connection
    a = raw.send("PUT", old, {"x-amz-content-sha256": UNSIGNED_TRAILER, "x-amz-decoded-content-length": "1"}, b"1\r\nx\r\n0\r\n\r\n")
    assert a.status == 403 and c is not None
    assert raw.anonymous("GET", old).status == 403


def test_a6_the_claimed_key_alone_counts_for_nothing(raw, old):
    for signature in ("00", "", "0" * 64, "0" * 63, "z" * 64):
        assert raw.send("GET", old, forged(raw, "GET", old, signature=signature)).status in (400, 403)
    for text in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=test-root", f"AWS {raw.access_key}:", f"AWS {raw.access_key}:AAAA", "Bearer x", "Basic dGVzdC1yb290Og==", ""):
        a = raw.send("GET", old, {"authorization": text, "x-amz-date": rawclient.now().strftime("%Y%m%dT%H%M%SZ"), "x-amz-content-sha256": UNSIGNED})
        assert a.status in (400, 403), (text, a)


def test_a8_two_authorizations(raw, old):
    signed = raw.sign("GET", old)
    a = raw.send("GET", old, list(signed.items()) + [("authorization", signed["authorization"])])
    assert a.status == 400, a
    query = raw.presign("GET", old)
    assert raw.anonymous("GET", old, query + "&X-Amz-Signature=" + "0" * 64).status == 400
    assert raw.send("GET", f"{old}?{query}", signed).status == 400


@pytest.mark.parametrize("name,value", [("x-amz-copy-source", "/bucket-b/secret"), ("x-amz-acl", "private"), ("x-amz-meta-a", "2"), ("x-amz-tagging", "a=b"),
                                        ("x-amz-metadata-directive", "REPLACE"), ("x-amz-security-token", "t")])
def test_a9_an_amz_header_that_is_not_signed(raw, old, name, value):
    signed = raw.sign("PUT", old, payload=UNSIGNED)
    signed[name] = value
    a = raw.send("PUT", old, signed, b"new")
    assert a.status in (400, 403), a
    raw.close()
    signed = raw.sign("PUT", old, headers={name: value}, payload=UNSIGNED, leave_unsigned=(name,))
    assert raw.send("PUT", old, signed, b"new").status in (400, 403)
    raw.close()
    query = raw.presign("PUT", old)
    assert raw.send("PUT", f"{old}?{query}", {name: value}, b"new").status in (400, 403)


def test_a10_host_must_be_signed(raw, old):
    assert raw.request("GET", old, leave_unsigned=("host",)).status in (400, 403)
    assert raw.request("GET", old, leave_unsigned=("x-amz-date",)).status in (400, 403)


@pytest.mark.parametrize("expires", ["604801", "0", "-1", "1e30", "", "abc", "99999999999999999999", "+60", "60 "])
def test_a12_presigned_expiry_out_of_range(raw, old, expires):
    a = raw.anonymous("GET", old, raw.presign("GET", old, expires=rawclient.quote(expires, "")))
    assert a.status in (400, 403), (expires, a)


def test_a12_a_presigned_request_that_was_changed(raw, bucket, old):
    good = raw.presign("GET", old)
    assert raw.anonymous("GET", old, good).status == 200
    for method, path, query in [("HEAD", old, good), ("DELETE", old, good), ("PUT", old, good), ("GET", old + "2", good), ("GET", old, good + "&versionId=null"),
                                ("GET", old, good + "&response-content-type=text/html"), ("GET", old, "acl&" + good), ("GET", old, good.replace("Expires=300", "Expires=301"))]:
        a = raw.anonymous(method, path, query)
        assert a.status in (400, 403), (method, path, query, a)
        raw.close()
    a = raw.send("GET", f"{old}?{good}", {"host": "other.example.com"})
    assert a.status == 403
    v2 = raw.presign_v2("GET", old, int(time.time()) + 60)
    assert raw.anonymous("GET", old, v2).status == 200
    for method, path, query in [("PUT", old, v2), ("GET", old + "2", v2), ("GET", old, v2 + "&response-content-type=text/html"), ("GET", old, "acl&" + v2),
                                ("GET", old, re.sub(r"Expires=\d+", f"Expires={int(time.time()) + 6000}", v2))]:
        assert raw.anonymous(method, path, query).status == 403, (method, path, query)
        raw.close()


def test_a13_a_signature_without_the_key(raw, old):
    query = raw.presign("GET", old)
    fields, _, _ = query.rpartition("&X-Amz-Signature=")
    stamp = re.search(r"X-Amz-Date=(\w+)", fields).group(1)
    canonical = f"GET\n{old}\n{raw.canonical_query(fields)}\nhost:{raw.host}:{raw.port}\n\nhost\n{UNSIGNED}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{raw.scope(stamp)}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    for text in (to_sign, canonical, fields, raw.access_key):
        for signature in (hashlib.sha256(text.encode()).hexdigest(), hmac.new(b"", text.encode(), hashlib.sha256).hexdigest()):
            assert raw.anonymous("GET", old, f"{fields}&X-Amz-Signature={signature}").status == 403


def test_a14_the_body_is_not_what_was_signed(raw, old):
    signed = raw.sign("PUT", old, payload=hashlib.sha256(b"one body").hexdigest())
    a = raw.send("PUT", old, signed, b"two body")
    assert (a.status, a.code) == (400, "XAmzContentSHA256Mismatch")


def break_signature(pieces):
    """The second chunk's."""
    return [pieces[0], re.sub(rb"signature=....", b"signature=0000", pieces[1])] + pieces[2:]


A14 = {
    "chunk signature": (STREAMING, break_signature, (403,)),
    "chunk signature, trailer": (STREAMING_TRAILER, break_signature, (403,)),
    "chunks reordered": (STREAMING, lambda p: [p[1], p[0]] + p[2:], (403,)),
    "chunk changed": (STREAMING, lambda p: [p[0].replace(b"xxxx", b"xxxy", 1)] + p[1:], (403,)),
    "final chunk missing": (STREAMING, lambda p: p[:-2], (400,)),
    "final chunk missing, unsigned": (UNSIGNED_TRAILER, lambda p: p[:-2], (400,)),
    "a chunk left out": (STREAMING, lambda p: [p[0]] + p[2:], (400, 403)),
    "a chunk twice": (UNSIGNED_TRAILER, lambda p: [p[0]] + p, (400,)),
    "trailer signature": (STREAMING_TRAILER, lambda p: p[:-1] + [re.sub(rb"signature:....", b"signature:0000", p[-1])], (403,)),
    "trailer signature missing": (STREAMING_TRAILER, lambda p: p[:-1] + [p[-1].split(b"x-amz-trailer-signature")[0] + b"\r\n"], (400, 403)),
    "trailer checksum": (UNSIGNED_TRAILER, lambda p: p[:-1] + [b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n"], (400,)),
    "trailer missing": (UNSIGNED_TRAILER, lambda p: p[:-1] + [b"\r\n"], (400,)),
    "another trailer": (UNSIGNED_TRAILER, lambda p: p[:-1] + [b"x-amz-checksum-sha1:AAAA\r\n\r\n"], (400,)),
    "chunk size is no number": (UNSIGNED_TRAILER, lambda p: [b"zz" + p[0][2:]] + p[1:], (400,)),
    "chunk size is huge": (UNSIGNED_TRAILER, lambda p: [b"ffffffffffffffff" + p[0][2:]] + p[1:], (400,)),
    "chunk size overflows": (UNSIGNED_TRAILER, lambda p: [b"1" + b"0" * 40 + p[0][2:]] + p[1:], (400,)),
    "chunk size is negative": (UNSIGNED_TRAILER, lambda p: [b"-1" + p[0][2:]] + p[1:], (400,)),
    "no line end behind a chunk": (UNSIGNED_TRAILER, lambda p: [p[0][:-2]] + p[1:], (400,)),
    "a line without end": (UNSIGNED_TRAILER, lambda p: [b"1" * 100000], (400,)),
}


@pytest.mark.parametrize("name", A14)
def test_a14_streaming_bodies_that_were_tampered_with(raw, old, name):
    form, tamper, statuses = A14[name]
    a = raw.put_chunked(old, b"x" * 100, form, chunk=40, trailer=None if form == STREAMING else CRC, tamper=tamper)
    assert a.status in statuses, a
    raw.close()
    assert raw.get(old).headers["x-amz-meta-a"] == "1"


@pytest.mark.parametrize("key,stored", [("%61", b"a"), ("%2e%2e", b".."), ("a+b", b"a+b"), ("a%20b", b"a b"), ("%2561", b"%61"), ("%C3%A9", "é".encode()),
                                        ("e%CC%81", "e\u0301".encode()), ("a%2F%2Fb", b"a//b")])
def test_a18_a_key_is_decoded_once(raw, bucket, key, stored):
    assert raw.put(f"/{bucket}/{key}", b"x").status == 200
    a = raw.get(f"/{bucket}", "list-type=2&encoding-type=url")
    assert a.all("Key") == [rawclient.quote(stored)]


def test_a20_sts_and_iam_calls_without_credentials(nobody, raw):
    for body in (b"Action=AssumeRole&Version=2011-06-15&RoleArn=x&RoleSessionName=y", b"Action=AssumeRoleWithWebIdentity&WebIdentityToken=x.y.z", b"Action=CreateUser&UserName=x"):
        assert nobody.anonymous("POST", "/", headers={"content-type": "application/x-www-form-urlencoded"}, body=body).status in (400, 403, 405, 501)
        assert raw.post("/", body).status in (400, 403, 405, 501)


# ---- B: paths, keys, buckets

@pytest.mark.parametrize("path", ["/bucket-a/../bucket-b/secret", "/bucket-a/%2e%2e/bucket-b/secret", "/bucket-a/%2e%2e%2fbucket-b%2fsecret", "/bucket-a/..%2fbucket-b/secret",
                                  "/bucket-a//../bucket-b/secret", "/bucket-a%2f..%2fbucket-b/secret", "//bucket-b/secret", "/./bucket-b/secret", "/bucket-a/..;/bucket-b/secret",
                                  "/bucket-b%00/secret", "/bucket-b%2fsecret"])
def test_b1_cve_2026_54917_a_path_does_not_climb_into_another_bucket(alice, path):
    for method in ("GET", "PUT", "DELETE"):
        a = alice.request(method, path, body=b"x" if method == "PUT" else b"")
        assert b"the secret" not in a.body
        if method == "GET":
            assert a.status in (400, 403, 404), a
        alice.close()


def test_b1_the_secret_is_still_there(alice, bob):
    assert bob.get("/bucket-b/secret").body == b"the secret of b"


@pytest.mark.parametrize("source", ["/bucket-a/../bucket-b/secret", "bucket-a/..%2Fbucket-b%2Fsecret", "/bucket-b/secret", "bucket-b/secret", "bucket-b%2Fsecret", "//bucket-b/secret",
                                    "/bucket-b/secret?versionId=null", "bucket-a/../../bucket-b/secret"])
def test_b2_cve_2026_55874_c15_a_copy_source_that_the_caller_may_not_read(alice, source):
    a = alice.put("/bucket-a/stolen", headers={"x-amz-copy-source": source})
    assert a.status in (400, 403, 404), a
    id_ = alice.post("/bucket-a/stolen", b"", "uploads").text("UploadId")
    a = alice.put("/bucket-a/stolen", query=f"partNumber=1&uploadId={id_}", headers={"x-amz-copy-source": source})
    assert a.status in (400, 403, 404), a
    assert alice.delete("/bucket-a/stolen", f"uploadId={id_}").status == 204
    assert alice.head("/bucket-a/stolen").status == 404


def test_c15_whether_a_foreign_source_exists_is_not_told(alice):
    answers = [alice.put("/bucket-a/x", headers={"x-amz-copy-source": f"bucket-b/{key}"}) for key in ("secret", "no-such-key")]
    assert [(a.status, a.code) for a in answers] == [(403, "AccessDenied")] * 2


def test_b4_cve_2026_42882_rights_and_store_see_the_same_key(start_server, tmp_path):
    import json
    identities = tmp_path / "prefixed.json"
    identities.write_text(json.dumps({"identities": [{"name": "carol", "credentials": [{"accessKey": "carol-key", "secretKey": "carol-secret"}],
                                                      "actions": ["Read:bucket-a/public/*", "Write:bucket-a/public/*"]}]}))
    server = start_server("--identities", str(identities), "--buckets", "bucket-a")
    root, carol = server.raw(), server.raw(("carol-key", "carol-secret"))
    root.put("/bucket-a/private/x", b"private")
    root.put("/bucket-a/public/x", b"public")
    assert carol.get("/bucket-a/public/x").body == b"public"
    assert carol.get("/bucket-a/p%75blic%2Fx").body == b"public"
    for path in ("/bucket-a/private/x", "/bucket-a/public%2F..%2Fprivate%2Fx", "/bucket-a/public/../private/x", "/bucket-a/publicx", "/bucket-a/public", "/bucket-a//public/x"):
        a = carol.get(path)
        assert a.status in (403, 404) and b"private" != a.body, path
    assert carol.put("/bucket-a/public%2F..%2Fprivate%2Fy", b"x").status == 200  # a key of that name, below public/
    assert root.head("/bucket-a/private/y").status == 404


@pytest.mark.parametrize("key,status", [("..", 200), (".", 200), ("%2F", 200), ("a/../../etc/passwd", 200), ("a%00b", 200), ("%01", 200), ("k" * 1024, 200), ("k" * 1025, 400),
                                        ("%FF", 400), ("%C0%AF", 400), (".kill9", 200), ("data.mdb", 200), ("%ED%A0%80", 400)])
def test_b5_keys_are_bytes_and_never_paths(server, raw, bucket, key, status):
    before = {p.name for p in server.directory.iterdir()}
    a = raw.put(f"/{bucket}/{key}", b"x")
    assert a.status == status, a
    if status == 400:
        assert a.code in ("KeyTooLongError", "InvalidURI")
    else:
        assert raw.get(f"/{bucket}/{key}").body == b"x"
    assert {p.name for p in server.directory.iterdir()} == before
    assert not list(server.data.glob("**/*kill9*"))


@pytest.mark.parametrize("name", ["..", "A", "a.b-", "ab", "a" * 64, "10.0.0.1", "_catalog", "api", "q", "iceberg", "%2e%2e", "a%2fb", "%00abc"])
def test_b6_bucket_names(raw, name):
    a = raw.put(f"/{name}")
    assert (a.status, a.code) == (400, "InvalidBucketName"), a


def test_b8_where_a_body_lies_is_never_told(server, raw, bucket):
    """No header but these, and no name of a file, a volume or a segment, whatever is asked of an object in the journal, in a volume, or in parts."""
    known = {"accept-ranges", "content-length", "content-type", "content-range", "date", "etag", "last-modified", "server", "x-amz-id-2", "x-amz-request-id", "x-amz-mp-parts-count", "connection",
             "x-content-type-options"}
    path = f"/{bucket}/k"
    for body in (b"x" * 100, b"y" * 200_000):
        assert raw.put(path, body).status == 200
        upload = raw.post(path + "parts", b"", "uploads").text("UploadId")
        etag = raw.put(path + "parts", body, f"partNumber=1&uploadId={upload}").headers["etag"]
        answers = [raw.get(path + "parts", f"uploadId={upload}"), raw.get(f"/{bucket}", "uploads")]
        complete = f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>".encode()
        answers += [raw.post(path + "parts", complete, f"uploadId={upload}"), raw.get(path), raw.head(path + "parts"), raw.get(path, headers={"range": "bytes=1-2"}), raw.get(f"/{bucket}", "list-type=2"),
                    raw.get(f"/{bucket}/none"), raw.get(path, "attributes", headers={"x-amz-object-attributes": "ETag,ObjectSize,ObjectParts,StorageClass"})]
        for answer in answers:
            assert {n for n in answer.headers if not n.startswith("x-amz-checksum-")} <= known, answer.headers
            text = str(answer.headers) + answer.body.replace(body, b"").decode()
            for place in [str(server.data), "journal", "volumes", ".vol", ".seg"]:
                assert place not in text, (place, answer)


def test_b9_archives_are_not_unpacked(raw, bucket):
    a = raw.put(f"/{bucket}/x.tar", b"not a tar", headers={"x-amz-meta-snowball-auto-extract": "true"})
    assert a.status == 200 and raw.get(f"/{bucket}", "list-type=2").all("Key") == ["x.tar"]


# ---- C: rights

def test_c7_no_prefix_match_on_bucket_names(alice, bob):
    for method, path, query in [("GET", "/bucket-ax", "list-type=2"), ("PUT", "/bucket-ax/k", ""), ("GET", "/bucket-b/secret", ""), ("PUT", "/bucket-b/k", ""), ("DELETE", "/bucket-b/secret", ""),
                                ("GET", "/bucket-b", ""), ("DELETE", "/bucket-ax", ""), ("PUT", "/new-bucket-of-alice", "")]:
        a = alice.request(method, path, query)
        assert (a.status, a.code) == (403, "AccessDenied"), (method, path, a)
    for method, path, query in [("PUT", "/bucket-b/secret", ""), ("DELETE", "/bucket-b/secret", ""), ("POST", "/bucket-b/k", "uploads"), ("PUT", "/bucket-b/secret", "tagging"),
                                ("PUT", "/bucket-b", "tagging"), ("DELETE", "/bucket-b", ""), ("PUT", "/bucket-b", "policy")]:
        a = bob.request(method, path, query, body=b"<Tagging><TagSet/></Tagging>" if method == "PUT" else b"")
        assert a.status == 403, (method, path, query, a)
    assert alice.get("/").all("Name") == ["bucket-a"] and bob.get("/").all("Name") == ["bucket-b"]
    assert bob.get("/bucket-b/secret").body == b"the secret of b"


def test_c7_delete_objects_asks_for_each_key(server, alice, bob):
    body = b"<Delete><Object><Key>secret</Key></Object></Delete>"
    headers = {"content-md5": rawclient.md5_base64(body)}
    assert alice.post("/bucket-b", body, "delete", headers=headers).status == 403
    a = bob.post("/bucket-b", body, "delete", headers=headers)
    assert a.status == 403 or a.all("Code") == ["AccessDenied"], a
    assert bob.get("/bucket-b/secret").status == 200


def test_c9_headers_that_claim_an_identity(alice):
    for name in ("userid", "groups", "x-amz-meta-aws:username", "x-forwarded-user", "x-amz-principal"):
        a = alice.request("GET", "/bucket-b/secret", headers={name: "test-root"} if ":" not in name else {})
        assert a.status == 403


def test_c16_anonymous_callers(nobody, two_buckets):
    body = b"<Delete><Object><Key>secret</Key></Object></Delete>"
    for method, path, query in [("GET", "/bucket-b", ""), ("GET", "/bucket-b", "list-type=2"), ("GET", "/bucket-b", "versions"), ("HEAD", "/bucket-b/secret", ""), ("GET", "/bucket-b", "acl"),
                                ("GET", "/bucket-b", "policy"), ("GET", "/bucket-b", "uploads"), ("GET", "/bucket-b", "location"), ("PUT", "/bucket-b/x", ""), ("GET", "/no-such-bucket", ""),
                                ("GET", "/bucket-b/none", ""), ("OPTIONS", "/bucket-b", "")]:
        a = nobody.anonymous(method, path, query)
        assert a.status in (403, 405), (method, path, query, a)
    a = nobody.anonymous("POST", "/bucket-b", "delete", {"content-md5": rawclient.md5_base64(body)}, body)
    assert a.status == 403


def test_c16_a_missing_key_is_not_told_to_whom_may_not_list(start_server, tmp_path):
    import json
    identities = tmp_path / "reader.json"
    identities.write_text(json.dumps({"identities": [{"name": "dave", "credentials": [{"accessKey": "dave-key", "secretKey": "dave-secret"}], "actions": ["Read:bucket-a"]}]}))
    server = start_server("--identities", str(identities), "--buckets", "bucket-a")
    dave = server.raw(("dave-key", "dave-secret"))
    server.raw().put("/bucket-a/there", b"x")
    assert dave.get("/bucket-a/there").status == 200
    assert dave.get("/bucket-a/none").status == 403 and dave.head("/bucket-a/none").status == 403


def test_c17_bypass_of_governance(alice):
    a = alice.delete("/bucket-b/secret", "versionId=null", headers={"x-amz-bypass-governance-retention": "true"})
    assert a.status == 403


def test_c19_cve_2023_43040_post_forms(nobody, raw, bucket):
    body = b"--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nbody\r\n--x--\r\n"
    assert nobody.anonymous("POST", f"/{bucket}", headers={"content-type": "multipart/form-data; boundary=x"}, body=body).status in (403, 405, 501)
    assert raw.get(f"/{bucket}", "list-type=2").all("Key") == []


@pytest.mark.parametrize("headers", [{"x-amz-acl": "public-read"}, {"x-amz-acl": "public-read-write"}, {"x-amz-acl": "authenticated-read"}, {"x-amz-grant-read": "uri=x"},
                                     {"x-amz-grant-full-control": "id=bob"}, {"x-amz-acl": "nonsense"}])
def test_c20_acl_headers_never_widen_anything_in_silence(alice, nobody, headers):
    for call in (lambda: alice.put("/bucket-a/acl", b"x", headers=headers), lambda: alice.post("/bucket-a/acl", b"", "uploads", headers=headers),
                 lambda: alice.put("/bucket-a/acl", headers={"x-amz-copy-source": "bucket-a/public/x", **headers})):
        a = call()
        assert (a.status, a.code) == (400, "AccessControlListNotSupported"), a
    assert alice.put("/bucket-a/public/x", b"<AccessControlPolicy/>", "acl").code == "AccessControlListNotSupported"
    assert nobody.anonymous("GET", "/bucket-a/acl").status == 403
    assert alice.head("/bucket-a/acl").status == 404


# ---- E: parsers

ENTITIES = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
E1 = {
    "billion laughs": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">' + ENTITIES + b"]><%(root)s>&l9;</%(root)s>",
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><%(root)s>&e;</%(root)s>',
    "external entity by http": b'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]><%(root)s>&e;</%(root)s>',
    "external dtd": b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><%(root)s/>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY %% p SYSTEM "file:///etc/passwd"> %%p;]><%(root)s/>',
    "10,000 levels": b"<%(root)s>" + b"<a>" * 10000 + b"</a>" * 10000 + b"</%(root)s>",
    "3 MiB of text": b"<%(root)s>" + b"x" * (3 << 20) + b"</%(root)s>",
    "utf-16": "<Delete/>".encode("utf-16"),
    "nul": b"<%(root)s>\0</%(root)s>",
    "not utf-8": b"<%(root)s>\xff\xfe</%(root)s>",
    "not xml": b"{}",
    "another root": b"<Nonsense/>",
    "cut short": b"<%(root)s><Object><Key>k",
}
BODIES = {"Delete": ("POST", "", "delete"), "Tagging": ("PUT", "/old", "tagging"), "CompleteMultipartUpload": ("POST", "/old", "uploadId=%s"), "CreateBucketConfiguration": ("PUT", None, "")}


@pytest.mark.parametrize("name", E1)
@pytest.mark.parametrize("root", BODIES)
def test_e1_hostile_xml_in_every_body(raw, bucket, old, name, root):
    method, path, query = BODIES[root]
    if "%s" in query:
        query = query % raw.post(old, b"", "uploads").text("UploadId")
    body = E1[name].replace(b"%(root)s", root.encode()).replace(b"%%", b"%")
    path = f"/{bucket}{path}" if path is not None else "/new-bucket-by-attack"
    start = time.monotonic()
    a = raw.request(method, path, query, headers={"content-md5": rawclient.md5_base64(body)}, body=body)
    assert (a.status, a.code) == (400, "MalformedXML"), a
    assert time.monotonic() - start < 2 and b"root:" not in a.body
    raw.close()
    assert raw.head("/new-bucket-by-attack").status == 404


def test_e2_lists_that_are_too_long_or_wrong(raw, bucket, old):
    body = b"<Delete>" + b"".join(b"<Object><Key>k%d</Key></Object>" % i for i in range(1001)) + b"</Delete>"
    a = raw.post(f"/{bucket}", body, "delete", headers={"content-md5": rawclient.md5_base64(body)})
    assert (a.status, a.code) == (400, "MalformedXML")
    id_ = raw.post(old, b"", "uploads").text("UploadId")
    etag = raw.put(old, b"x", f"partNumber=1&uploadId={id_}").headers["etag"]

    def complete(numbers):
        parts = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>" for n in numbers)
        return raw.post(old, f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode(), f"uploadId={id_}")

    for numbers in (range(1, 10002), [1, 1], [2, 1], [0], [10001], [99999999999999999999], [-1], ["x"], [""], [], ["1 1"], ["0x1"]):
        a = complete(numbers)
        assert a.status == 400, (numbers, a)
        raw.close()


def test_e5_headers_that_are_too_many_or_split(raw, bucket, old):
    assert raw.put(old, b"x", headers={f"x-amz-meta-{i}": "v" * 300 for i in range(27)}).status == 400
    raw.close()
    signed = raw.sign("GET", old)
    a = raw.send("GET", old, list(signed.items()) + [(f"h{i}", "v") for i in range(300)])
    assert a.status in (400, 431)
    raw.close()
    for value in ("a%0d%0aset-cookie:%20x", "a%0ab", "a%00b", "a%0d"):
        a = raw.get(old, f"response-content-type={value}")
        assert a.status == 400 and "set-cookie" not in a.headers, (value, a)


def test_e11_hundreds_of_open_uploads_are_listed_page_by_page_and_can_be_given_up(raw, bucket, old):
    begun = {raw.post(f"/{bucket}/open{i % 10}", b"", "uploads").text("UploadId") for i in range(300)}
    listed, query = [], "uploads&max-uploads=70"
    while query:
        page = raw.get(f"/{bucket}", query)
        assert page.status == 200 and len(page.all("UploadId")) <= 70, page
        listed += page.all("UploadId")
        more = page.text("IsTruncated") == "true"
        query = more and f"uploads&max-uploads=70&key-marker={page.text('NextKeyMarker')}&upload-id-marker={page.text('NextUploadIdMarker')}"
    assert len(listed) == 300 and set(listed) == begun
    assert raw.get(f"/{bucket}", "list-type=2").all("Key") == ["old"]
    assert raw.delete(f"/{bucket}/none", f"uploadId={listed[0]}").status == 404
    for key in range(10):
        for upload in raw.get(f"/{bucket}", f"uploads&prefix=open{key}").all("UploadId"):
            assert raw.delete(f"/{bucket}/open{key}", f"uploadId={upload}").status == 204
    assert raw.get(f"/{bucket}", "uploads").all("UploadId") == []


@pytest.mark.parametrize("target", ["", "?", "//", "%", "%zz", "*", "/%", "/%zz", "/%f", "/a%", "/" + "a" * 65536, "?" + "&" * 5000, "/?%zz=1", "/b%00/k", "abc", "/ ", "/a b"])
def test_e9_strange_targets(raw, old, target):
    answer = raw.wire(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer == b"" or int(answer.split()[1]) in (400, 403, 404, 405, 414, 431, 501), answer[:200]
    signed = raw.sign("GET", "/%zz" if target == "/%zz" else "/")
    assert raw.send("GET", "/", signed).status in (200, 403)


def test_e9_absolute_form_and_connect(raw, old):
    for line in (b"GET http://other.example.com/ HTTP/1.1\r\nHost: x", b"CONNECT x:80 HTTP/1.1\r\nHost: x", b"GET / HTTP/1.1", b"GET / HTTP/9.9\r\nHost: x", b"\r\n\r\n\r\n", b"\0\0\0\0"):
        answer = raw.wire(line + b"\r\nConnection: close\r\n\r\n")
        assert answer == b"" or int(answer.split()[1]) in (400, 403, 405, 501, 505), (line, answer[:200])
    assert raw.get(old).status == 200


@pytest.mark.parametrize("headers", [
    {"content-md5": base64.b64encode(bytes(16)).decode()}, {"x-amz-checksum-crc32": "AAAAAA=="}, {"x-amz-checksum-crc32c": "AAAAAA=="}, {"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="},
    {"x-amz-checksum-sha1": base64.b64encode(bytes(20)).decode()}, {"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()},
    {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="}, {"x-amz-checksum-crc32": "AAAAAAAAAAA="}, {"x-amz-checksum-sha256": "AAAAAA=="},
    {"x-amz-checksum-md9": "AAAA", "x-amz-sdk-checksum-algorithm": "MD9"}, {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "SHA256"}, {"content-md5": "*"},
    {"x-amz-trailer": "x-amz-checksum-crc32"}])
def test_e10_wrong_sums_leave_the_old_object(raw, old, headers):
    a = raw.put(old, b"a new body", headers=headers)
    assert a.status == 400 and a.code in ("BadDigest", "InvalidDigest", "InvalidRequest"), a
    id_ = raw.post(old, b"", "uploads").text("UploadId")
    a = raw.put(old, b"a new body", f"partNumber=1&uploadId={id_}", headers=headers)
    assert a.status == 400, a
    assert raw.get(old, f"uploadId={id_}").all("PartNumber") == []


def test_no_secret_is_in_the_log(server, raw):
    for key in ("test-root", "alice-key"):
        server.raw((key, "wrong")).get("/")
    text = server.log.read_text()
    for secret in ("test-root-secret", "alice-secret", "bob-secret"):
        assert secret not in text
