"""Listings: pages, prefixes, delimiters, markers, encodings. trap_N: s3.md 2."""
import urllib.parse

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def many(s3):
    """2,500 keys in order, for tests that only read."""
    name = "listing-of-2500-keys"
    s3.create_bucket(Bucket=name)
    keys = [f"dir{i % 5}/key-{i:05d}" for i in range(2500)]
    for key in keys:
        s3.put_object(Bucket=name, Key=key, Body=b"x")
    return name, sorted(keys)


def pages(call, **arguments):
    """All pages of a listing, following it by hand."""
    while True:
        page = call(**arguments)
        yield page
        if not page["IsTruncated"]:
            return
        if "NextContinuationToken" in page:
            arguments["ContinuationToken"] = page["NextContinuationToken"]
        elif "NextKeyMarker" in page:
            arguments["KeyMarker"] = page["NextKeyMarker"]
        else:
            arguments["Marker"] = page["NextMarker"]


@pytest.mark.parametrize("size", [1000, 999, 7 * 61])
def test_2500_keys_come_by_pages_each_once(s3, many, size):
    name, keys = many
    for call in (s3.list_objects_v2, s3.list_objects):
        got = [p for p in pages(call, Bucket=name, MaxKeys=size)]
        assert [o["Key"] for p in got for o in p["Contents"]] == keys
        assert all(len(p["Contents"]) == size for p in got[:-1])
        assert all(p.get("KeyCount", len(p["Contents"])) == len(p["Contents"]) for p in got)


def test_trap_31_versions_of_2500_keys_come_by_pages(s3, many):
    name, keys = many
    versions = [v for p in pages(s3.list_object_versions, Bucket=name) for v in p["Versions"]]
    assert [v["Key"] for v in versions] == keys
    assert {(v["VersionId"], v["IsLatest"]) for v in versions} == {("null", True)}
    first = s3.list_object_versions(Bucket=name, MaxKeys=3)
    assert first["NextVersionIdMarker"] == "null"
    with pytest.raises(ClientError) as e:
        s3.list_object_versions(Bucket=name, VersionIdMarker="null")
    assert e.value.response["Error"]["Code"] == "InvalidArgument"
    top = s3.list_object_versions(Bucket=name, Delimiter="/")
    assert [p["Prefix"] for p in top["CommonPrefixes"]] == [f"dir{i}/" for i in range(5)] and "Versions" not in top


def test_trap_28_more_than_1000_clamps_and_still_says_truncated(s3, many):
    page = s3.list_objects_v2(Bucket=many[0], MaxKeys=100000)
    assert (len(page["Contents"]), page["MaxKeys"], page["IsTruncated"]) == (1000, 1000, True)


def test_trap_28_a_page_of_nothing_is_not_truncated(s3, many):
    page = s3.list_objects_v2(Bucket=many[0], MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"], page["MaxKeys"]) == (0, False, 0) and "Contents" not in page


@pytest.mark.parametrize("query", ["max-keys=-1", "max-keys=blah", "max-keys=99999999999", "list-type=2&continuation-token=", "list-type=2&continuation-token=%2A%2A",
                                   "encoding-type=base64", "list-type=1"])
def test_trap_28_wrong_arguments_are_told(raw, bucket, query):
    a = raw.get(f"/{bucket}", query)
    assert (a.status, a.code) == (400, "InvalidArgument"), a


def test_trap_28_prefixes_and_keys_count_alike_and_are_paged(s3, bucket):
    keys = ["a", "b/1", "b/2", "b/3", "c", "d/x/1", "d/x/2", "e", "f/1"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for call in (s3.list_objects_v2, s3.list_objects):
        for size in (1, 2, 3, 6, 1000):
            seen = []
            for page in pages(call, Bucket=bucket, Delimiter="/", MaxKeys=size):
                here = [o["Key"] for o in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
                assert len(here) <= size and page.get("KeyCount", len(here)) == len(here)
                seen += sorted(here)
            assert seen == ["a", "b/", "c", "d/", "e", "f/"], (call, size)
    assert [p["Prefix"] for p in s3.list_objects_v2(Bucket=bucket, Prefix="d/", Delimiter="/")["CommonPrefixes"]] == ["d/x/"]
    assert [p["Prefix"] for p in s3.list_objects_v2(Bucket=bucket, Delimiter="/x")["CommonPrefixes"]] == ["d/x"]
    assert [p["Prefix"] for p in s3.list_objects_v2(Bucket=bucket, Delimiter="x/1")["CommonPrefixes"]] == ["d/x/1"]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="zzz")["KeyCount"] == 0


def test_trap_28_start_after_and_token(s3, bucket):
    for key in "abcde":
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="b", MaxKeys=2)
    assert [o["Key"] for o in page["Contents"]] == ["c", "d"] and page["StartAfter"] == "b"
    page = s3.list_objects_v2(Bucket=bucket, StartAfter="a", ContinuationToken=page["NextContinuationToken"])
    assert [o["Key"] for o in page["Contents"]] == ["e"]
    assert s3.list_objects_v2(Bucket=bucket, StartAfter="aa")["Contents"][0]["Key"] == "b"
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    assert token != "a"  # opaque


def test_trap_28_owner_only_when_asked(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
    assert s3.list_objects(Bucket=bucket)["Contents"][0]["Owner"]["ID"]


def test_trap_28_order_is_that_of_bytes(s3, bucket):
    keys = ["A", "B", "_", "a", "b", "é", "日本", "\U0001f600", "Ａ", "a-", "a/", "a0", "a/b", "ab"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == sorted(keys, key=lambda k: k.encode())


def test_trap_29_encoding_of_everything_that_holds_keys(raw, bucket):
    keys = ["asdf+b", "foo+1/bar", "foo/bar", "quux ab/thud", "über/=x", "a&b<c>"]
    for key in keys:
        raw.put("/" + bucket + "/" + urllib.parse.quote(key, safe="/"), b"")
    a = raw.get(f"/{bucket}", "list-type=2&delimiter=/&encoding-type=url")
    assert a.all("Key") == ["a%26b%3Cc%3E", "asdf%2Bb"]
    assert a.all("Prefix")[1:] == ["foo%2B1/", "foo/", "quux%20ab/", "%C3%BCber/"]
    assert a.text("EncodingType") == "url" and a.text("Delimiter") == "/"
    a = raw.get(f"/{bucket}", "prefix=foo%2B1/&delimiter=b%20r&marker=foo%2B1/a&encoding-type=url&max-keys=1")
    assert (a.text("Prefix"), a.text("Marker"), a.text("Delimiter")) == ("foo%2B1/", "foo%2B1/a", "b%20r")
    a = raw.get(f"/{bucket}", "list-type=2&start-after=foo%2B&encoding-type=url&delimiter=/&max-keys=1")
    assert a.text("StartAfter") == "foo%2B"
    plain = raw.get(f"/{bucket}", "list-type=2")
    assert plain.all("Key") == sorted(keys, key=lambda k: k.encode())


def test_trap_29_without_encoding_control_characters_are_references(raw, bucket):
    raw.put(f"/{bucket}/a%01b%0Dc", b"")
    a = raw.send("GET", f"/{bucket}?list-type=2", raw.sign("GET", f"/{bucket}", "list-type=2"))
    assert b"<Key>a&#x1;b&#xD;c</Key>" in a.body


def test_trap_30_next_marker_and_marker_that_is_a_prefix(s3, bucket):
    for key in ["a/1", "a/2", "b/1", "c"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=1)
    assert (page["NextMarker"], page["CommonPrefixes"]) == ("a/", [{"Prefix": "a/"}])
    page = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="a/", MaxKeys=1)
    assert page["CommonPrefixes"] == [{"Prefix": "b/"}]


def test_trap_32_there_are_no_implicit_directories(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.put_object(Bucket=bucket, Key="a/b", Body=b"2")
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="a/")
    s3.put_object(Bucket=bucket, Key="a/", Body=b"")
    s3.delete_object(Bucket=bucket, Key="a/b")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a", "a/"]
    s3.delete_object(Bucket=bucket, Key="a/")
    s3.delete_object(Bucket=bucket, Key="a")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_what_was_written_is_listed_at_once_and_what_was_deleted_is_not(s3, bucket):
    for i in range(30):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x" * i)
        assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Size"] == i
        s3.delete_object(Bucket=bucket, Key="k")
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_trap_44_prefixes_of_hive_partitions(s3, bucket):
    for day in range(1, 4):
        s3.put_object(Bucket=bucket, Key=f"events/run_date=2026-01-0{day}/part 0+1.parquet", Body=b"x")
    page = s3.list_objects_v2(Bucket=bucket, Prefix="events/run_date=2026-01-02/")
    assert [o["Key"] for o in page["Contents"]] == ["events/run_date=2026-01-02/part 0+1.parquet"]
    assert len(s3.list_objects_v2(Bucket=bucket, Prefix="events/", Delimiter="/")["CommonPrefixes"]) == 3
