"""Buckets: making, listing, removing; the answers of a bucket in which nothing was configured. trap_N: s3.md 2."""
import uuid

import pytest
from botocore.exceptions import ClientError


def code_of(call, **arguments):
    with pytest.raises(ClientError) as e:
        call(**arguments)
    return e.value.response["Error"]["Code"], e.value.response["ResponseMetadata"]["HTTPStatusCode"]


def new_name():
    return f"b-{uuid.uuid4().hex[:16]}"


def test_the_life_of_a_bucket(s3):
    name = new_name()
    answer = s3.create_bucket(Bucket=name)
    assert answer["Location"] == f"/{name}"
    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert code_of(s3.create_bucket, Bucket=name) == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.create_multipart_upload(Bucket=name, Key="open")
    s3.delete_bucket(Bucket=name)
    assert code_of(s3.head_bucket, Bucket=name)[1] == 404
    assert code_of(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)
    s3.create_bucket(Bucket=name)
    assert "Contents" not in s3.list_objects_v2(Bucket=name) and "Uploads" not in s3.list_multipart_uploads(Bucket=name)


def test_trap_27_recreating_answers_200_when_set_so(start_server):
    s3 = start_server("--recreate-ok", "on").boto()
    s3.create_bucket(Bucket="abc")
    s3.put_object(Bucket="abc", Key="k", Body=b"x")
    s3.create_bucket(Bucket="abc")
    assert s3.list_objects_v2(Bucket="abc")["KeyCount"] == 1


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "under_score", "-a-", "a..b", "192.168.1.1", "xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", "abc--x-s3", "a b", "api",
                                  "metrics", "health", "console", "a.b-"])
def test_trap_34_names_that_buckets_may_not_have(raw, name):
    a = raw.put("/" + name.replace(" ", "%20"))
    assert (a.status, a.code) == (400, "InvalidBucketName"), a


def test_trap_34_configurations_that_come_with_a_new_bucket(s3, raw):
    for body in (b"", b"<CreateBucketConfiguration/>", b"<CreateBucketConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"):
        assert raw.put(f"/{new_name()}", body).status == 200
    name = new_name()
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", "Tags": [{"Key": "a", "Value": "b"}]})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "a", "Value": "b"}]
    a = raw.put(f"/{new_name()}", b"<Nonsense")
    assert (a.status, a.code) == (400, "MalformedXML")
    assert code_of(s3.create_bucket, Bucket=new_name(), ACL="public-read") == ("AccessControlListNotSupported", 400)
    assert code_of(s3.create_bucket, Bucket=new_name(), ObjectLockEnabledForBucket=True) == ("NotImplemented", 501)
    s3.create_bucket(Bucket=new_name(), ACL="private")


def test_trap_34_the_region_must_match_when_one_is_set(start_server):
    raw = start_server("--region", "eu-west-3").raw(region="eu-west-3")
    body = "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"
    assert raw.put("/abc", body.format("us-west-2").encode()).status == 400
    assert raw.put("/abc", body.format("eu-west-3").encode()).status == 200


def test_trap_35_the_location_of_us_east_1_is_an_empty_element(s3, raw, bucket):
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    assert b"<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>" in raw.get(f"/{bucket}", "location").body


def test_list_buckets_by_pages_and_prefix(start_server):
    s3 = start_server("--buckets", ",".join(f"bucket-{i:02d}" for i in range(25)) + ",other").boto()
    names = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert names == [f"bucket-{i:02d}" for i in range(25)] + ["other"]
    assert [b["Name"] for b in s3.list_buckets(Prefix="o")["Buckets"]] == ["other"]
    seen, token = [], {}
    while True:
        page = s3.list_buckets(MaxBuckets=10, **token)
        seen += [b["Name"] for b in page["Buckets"]]
        if "ContinuationToken" not in page:
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    assert seen == names


ABSENT = [("get_bucket_policy", "NoSuchBucketPolicy"), ("get_bucket_policy_status", "NoSuchBucketPolicy"), ("get_bucket_cors", "NoSuchCORSConfiguration"),
          ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"), ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
          ("get_bucket_replication", "ReplicationConfigurationNotFoundError"), ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
          ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"), ("get_bucket_website", "NoSuchWebsiteConfiguration"), ("get_bucket_tagging", "NoSuchTagSet")]


@pytest.mark.parametrize("call,code", ABSENT)
def test_trap_27_what_is_not_configured_is_told_in_aws_words(s3, bucket, call, code):
    assert code_of(getattr(s3, call), Bucket=bucket) == (code, 404)
    assert code_of(getattr(s3, call), Bucket="no-such-bucket") == ("NoSuchBucket", 404)


@pytest.mark.parametrize("what", ["analytics", "inventory", "metrics", "intelligent_tiering"])
def test_configurations_by_id_and_their_lists(s3, bucket, what):
    assert code_of(getattr(s3, f"get_bucket_{what}_configuration"), Bucket=bucket, Id="x") == ("NoSuchConfiguration", 404)
    listed = getattr(s3, f"list_bucket_{what}_configurations")(Bucket=bucket)
    assert listed["IsTruncated"] is False and not [k for k in listed if k.endswith("List")]


def test_answers_that_say_little(s3, bucket):
    def plain(answer):
        return {k: v for k, v in answer.items() if k != "ResponseMetadata"}
    assert plain(s3.get_bucket_versioning(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_accelerate_configuration(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_logging(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_notification_configuration(Bucket=bucket)) == {}
    assert plain(s3.get_bucket_request_payment(Bucket=bucket)) == {"Payer": "BucketOwner"}
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    acl = s3.get_bucket_acl(Bucket=bucket)
    assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL"] and acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert code_of(s3.get_object_retention, Bucket=bucket, Key="k") == ("NoSuchObjectLockConfiguration", 404)
    assert code_of(s3.get_object_legal_hold, Bucket=bucket, Key="k") == ("NoSuchObjectLockConfiguration", 404)
    assert code_of(s3.get_object_acl, Bucket=bucket, Key="none") == ("NoSuchKey", 404)


def test_bucket_tags(s3, bucket):
    tags = [{"Key": str(i), "Value": "v"} for i in range(50)]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert sorted(t["Key"] for t in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == sorted(t["Key"] for t in tags)
    assert code_of(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": tags + [{"Key": "x", "Value": "y"}]}) == ("InvalidTag", 400)
    s3.delete_bucket_tagging(Bucket=bucket)
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("key", ["abac", "session", "publicAccessBlock", "metadataInventoryTable", "torrent", "select", "renameObject", "restore", "legal-hold", "website"])
def test_a_subresource_that_is_not_served_is_never_a_listing(raw, bucket, method, key):
    for path in (f"/{bucket}", f"/{bucket}/k"):
        a = raw.request(method, path, key)
        assert a.status in (404, 405, 501) and b"ListBucketResult" not in a.body, (path, a)
    assert raw.head(f"/{bucket}").status == 200 and raw.head(f"/{bucket}/k").status == 404


def test_a_store_survives_a_restart(start_server):
    server = start_server()
    s3 = server.boto()
    s3.create_bucket(Bucket="abc")
    bodies = {f"k{n}": b"%d" % n * n for n in (1, 4096, 40_000, 300_000)}
    for key, body in bodies.items():
        s3.put_object(Bucket="abc", Key=key, Body=body, Metadata={"n": key})
    upload = s3.create_multipart_upload(Bucket="abc", Key="m")["UploadId"]
    part = s3.upload_part(Bucket="abc", Key="m", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    assert server.stop() == 0
    s3 = server.start().boto()
    for key, body in bodies.items():
        got = s3.get_object(Bucket="abc", Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (body, {"n": key})
    s3.complete_multipart_upload(Bucket="abc", Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    assert s3.get_object(Bucket="abc", Key="m")["Body"].read() == b"part"
