"""Attacks on the catalog, each named by its number in the project's list of cases (reliability.md 3: D locations, vending, tokens; E parsers). D7, D13, D15 are in test_keys.py, D25 in
test_commit.py, D12 in catalog/commit/catalog_test.c. After each the server must be alive and the old state in place."""
import base64
import gzip
import hashlib
import hmac
import http.client
import json
import socket
import time

import pytest
import requests

from iceberg_helpers import DELEGATE, READER, ROOT, SCHEMA, Rest


@pytest.fixture(autouse=True)
def alive(lake):
    yield
    assert requests.get(lake.catalog_url + "/health", timeout=10).status_code == 200


@pytest.fixture
def victim(rest, namespace):
    """Another's table, whose place and state no attack may change."""
    made = rest.create(namespace, "victim", location=f"s3://lakehouse/{namespace}/victim")
    yield made
    assert rest.ok("GET", f"/namespaces/{namespace}/tables/victim")["metadata"] == made["metadata"]


def test_d1_cve_2026_42809_a_staged_table_gets_no_keys_for_anothers_place(rest, namespace, victim):
    body = {"name": "t", "schema": SCHEMA, "stage-create": True, "location": victim["metadata"]["location"] + "/inner"}
    answer = rest.call("POST", f"/namespaces/{namespace}/tables", json=body, headers=DELEGATE)
    assert answer.status_code in (400, 403, 409) and "session-token" not in answer.text


def staged_commit(uuid, location):
    return {"requirements": [{"type": "assert-create"}], "updates": [
        {"action": "assign-uuid", "uuid": uuid}, {"action": "add-schema", "schema": SCHEMA}, {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": {"fields": []}}, {"action": "set-default-spec", "spec-id": -1}, {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1}, {"action": "set-location", "location": location}]}


def test_d1_nor_by_committing_one_with_anothers_uuid_or_place(rest, namespace, victim):
    m = victim["metadata"]
    fresh = "00000000-0000-4000-8000-000000000001"
    path = f"/namespaces/{namespace}/tables/t"
    rest.fails(409, "AlreadyExistsException", "POST", path, json=staged_commit(m["table-uuid"], m["location"]))
    rest.fails(409, "AlreadyExistsException", "POST", path, json=staged_commit(m["table-uuid"].upper(), m["location"]))
    rest.fails(409, "AlreadyExistsException", "POST", path, json=staged_commit(fresh, m["location"]))
    rest.fails(409, "AlreadyExistsException", "POST", path, json=staged_commit(m["table-uuid"], m["location"] + "2"))
    assert rest.call("HEAD", path).status_code == 404


@pytest.mark.parametrize("name", ["write.metadata.path", "write.data.path", "write.object-storage.path", "write.folder-storage.path"])
@pytest.mark.parametrize("path", ["s3://lakehouse/{ns}/victim/x", "s3://second/x", "file:///tmp/x", "s3://lakehouse", "s3://lakehouse/{ns}/../x"])
def test_d5_cve_2026_42811_a_property_does_not_send_files_to_a_foreign_place(lake, rest, namespace, victim, table, name, path):
    def files():
        return lake.boto().list_objects_v2(Bucket="lakehouse", Prefix=namespace)["KeyCount"]

    before = files()
    path = path.format(ns=namespace)
    rest.refused(table, {"action": "set-properties", "updates": {name: path}})
    rest.fails(*((409, "AlreadyExistsException") if "victim" in path else (400, "BadRequestException")), "POST", f"/namespaces/{namespace}/tables",
               json={"name": "u", "schema": SCHEMA, "properties": {name: path}})
    assert files() == before


@pytest.mark.parametrize("location, status", [
    ("{v}", 409), ("{v}/", 409), ("{v}/inner", 409), ("s3://lakehouse/{ns}", 409), ("S3://lakehouse/{ns}/victim", 409), ("s3a://lakehouse/{ns}/victim", 409), ("s3n://lakehouse/{ns}/victim/a", 409),
    ("s3://lakehouse/{ns}//victim", 400), ("s3://lakehouse/{ns}/./victim", 400), ("s3://lakehouse/{ns}/x/../victim", 400), ("s3://lakehouse/", 400), ("s3://lakehouse", 400),
    ("s3://second/x", 400), ("s3://LAKEHOUSE/x", 400), ("file:///etc", 400), ("http://169.254.169.254/x", 400), ("/etc/passwd", 400), ("s3://lakehouse/{ns}/a\u0001b", 400), ("s3:///x", 400),
])
def test_d8_d11_no_place_overlaps_anothers_in_any_spelling(rest, namespace, victim, table, location, status):
    location = location.format(v=victim["metadata"]["location"], ns=namespace)
    kind = {409: "AlreadyExistsException", 400: "BadRequestException"}[status]
    rest.fails(status, kind, "POST", f"/namespaces/{namespace}/tables", json={"name": "u", "schema": SCHEMA, "location": location})
    rest.refused(table, {"action": "set-location", "location": location})


def test_d8_a_percent_sign_is_a_character_and_not_an_escape(rest, namespace, victim):
    made = rest.create(namespace, "u", location=f"s3://lakehouse/{namespace}%2Fvictim")
    assert made["metadata"]["location"].endswith("%2Fvictim")


@pytest.mark.parametrize("location", ["{v}/metadata/00000-x.metadata.json", "s3://second/x.metadata.json", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data", "s3://lakehouse/none.json"])
def test_d9_register_reads_nothing_foreign(rest, namespace, victim, location):
    answer = rest.call("POST", f"/namespaces/{namespace}/register", json={"name": "t", "metadata-location": location.format(v=victim["metadata"]["location"])})
    assert answer.status_code in (400, 403) and "root:" not in answer.text


def test_d9_a_file_planted_in_ones_own_place_does_not_name_anothers(lake, rest, namespace, victim, table):
    own = rest.ok("GET", table)["metadata"]["location"].removeprefix("s3://lakehouse/")
    forged = {**victim["metadata"], "table-uuid": "00000000-0000-4000-8000-000000000002"}
    lake.boto().put_object(Bucket="lakehouse", Key=own + "/metadata/forged.metadata.json", Body=json.dumps(forged).encode())
    for overwrite in (False, True):
        body = {"name": "t" if overwrite else "u", "metadata-location": f"s3://lakehouse/{own}/metadata/forged.metadata.json", "overwrite": overwrite}
        assert rest.call("POST", f"/namespaces/{namespace}/register", json=body).status_code in (400, 409)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"x" * 100, b'{"format-version":2}', b'{"format-version":4}', b"\x00" * 1000, gzip.compress(b"{}" * 1000)])
def test_d9_files_that_are_no_metadata(lake, rest, namespace, content):
    key = f"{namespace}/planted.metadata.json"
    lake.boto().put_object(Bucket="lakehouse", Key=key, Body=content)
    rest.fails(400, "BadRequestException", "POST", f"/namespaces/{namespace}/register", json={"name": "t", "metadata-location": f"s3://lakehouse/{key}"})


def test_d11_a_namespaces_location_stays_in_the_catalog(rest, namespace, victim):
    for location in ("s3://second/x", "file:///tmp", "s3://lakehouse/../x"):
        rest.fails(400, "BadRequestException", "POST", "/namespaces", json={"namespace": [namespace, "l"], "properties": {"location": location}})
        rest.fails(400, "BadRequestException", "POST", f"/namespaces/{namespace}/properties", json={"updates": {"location": location}})
    rest.ok("POST", f"/namespaces/{namespace}/properties", json={"updates": {"location": f"s3://lakehouse/{namespace}/victim"}})
    rest.fails(409, "AlreadyExistsException", "POST", f"/namespaces/{namespace}/tables", json={"name": "u", "schema": SCHEMA})


def test_d16_no_secret_in_the_log(server_factory):
    server = server_factory("--log-level", "debug", environment={"FIRN_CATALOGS": "lakehouse"})
    rest = Rest(server.catalog_url)
    rest.ok("POST", "/namespaces", json={"namespace": ["n"]})
    rest.create("n", "t")
    config = rest.ok("GET", "/namespaces/n/tables/t", headers=DELEGATE)["config"]
    rest.ask_token({"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": "a-wrong-secret"})
    log = server.log.read_text()
    assert "LoadTable" in log
    for secret in (ROOT[1], READER[1], "a-wrong-secret", config["s3.secret-access-key"], config["s3.session-token"], rest.session.headers["Authorization"].split()[1]):
        assert secret not in log


def test_c24_side_ports_say_nothing_to_strangers(server_factory):
    """The status port, and what every port answers without a credential: that it is there and ready, and nothing of what it holds."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        status = f"127.0.0.1:{free.getsockname()[1]}"
    server = server_factory("--status-address", status, environment={"FIRN_CATALOGS": "lakehouse"})
    Rest(server.catalog_url).ok("POST", "/namespaces", json={"namespace": ["private"]})
    known = {"/", "/cluster/status", "/health", "/health/ready"}
    for base in (f"http://{status}", server.url, server.catalog_url):
        for path in known | {"/metrics", "/status", "/debug", "/admin", "/q/metrics", "/api/firn/v1/status", "/api/management/v1/principals", "/api/management/v1/audit", "/minio/admin/v3/info"}:
            answer = requests.get(base + path, timeout=10)
            assert answer.status_code in (400, 401, 403, 404) or path in known, (base, path, answer.status_code)
            assert "private" not in answer.text and str(server.data) not in answer.text and ROOT[0] not in answer.text
    assert requests.get(server.catalog_url + "/api/firn/v1/status", timeout=10).status_code == 401


def test_d28_forwarded_headers_move_no_address(rest, table):
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example;proto=https", "X-Forwarded-Prefix": "/evil",
                 "X-Original-Host": "evil.example", "X-Forwarded-Port": "4443"}
    for path in ("/api/catalog/v1/config?warehouse=lakehouse", "/api/catalog/v1/lakehouse" + table):
        answer = rest.raw("GET", path, headers={**forwarded, **DELEGATE})
        assert answer.status_code == 200 and "evil" not in answer.text and "4443" not in answer.text


def test_g7_errors_tell_no_paths_and_no_secrets(rest, lake):
    for method, path in (("GET", "/api/catalog/v1/none"), ("GET", "/api/catalog/v1/lakehouse/namespaces/none"), ("POST", "/api/catalog/v1/oauth/tokens"), ("PUT", "/api/catalog/v1/config"),
                         ("POST", "/api/catalog/v1/lakehouse/namespaces"), ("GET", "/%00"), ("GET", "/api/management/v1/none")):
        answer = rest.raw(method, path, data=b"{")
        assert answer.status_code >= 400
        for secret in (str(lake.data), str(lake.directory), ROOT[1], READER[1], ".c:", "/home"):
            assert secret not in answer.text and secret not in str(answer.headers)


def part(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).rstrip(b"=").decode()


def bearer_status(rest, token):
    return requests.get(rest.base + "/v1/lakehouse/namespaces", headers={"Authorization": "Bearer " + token}, timeout=10).status_code


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS512", "RS256", ""])
def test_d17_cve_2024_48916_tokens_without_a_signature(rest, alg):
    header, claims, signature = rest.token()["access_token"].split(".")
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))
    for sign in ("", signature):
        assert bearer_status(rest, f"{part({**kid, 'alg': alg})}.{claims}.{sign}") == 401
    assert bearer_status(rest, f"{header}.{claims}.") == 401


@pytest.mark.parametrize("secret", [ROOT[1], READER[1], "", ROOT[0]])
def test_d19_tokens_signed_with_a_secret_that_a_client_knows(rest, secret):
    header, claims, _ = rest.token()["access_token"].split(".")
    forged = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged.update(sub="root", exp=int(time.time()) + 99999)
    text = f"{header}.{part(forged)}"
    signature = part(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())
    assert bearer_status(rest, f"{text}.{signature}") == 401


def test_d20_a_thousand_wrong_secrets(rest):
    """401 each, until a guesser is slowed down; another client of the same address is not."""
    begin = time.monotonic()
    answers = [rest.ask_token({"grant_type": "client_credentials", "client_id": "guessed-at", "client_secret": f"wrong{i}"}) for i in range(1000)]
    windows = 2 + int((time.monotonic() - begin) / 60)  # that the guesses may have fallen into
    statuses = [a.status_code for a in answers]
    assert set(statuses) == {401, 429} and 100 <= statuses.count(401) <= 100 * windows
    slow = answers[statuses.index(429)]
    assert slow.json()["error"] == "slow_down" and int(slow.headers["Retry-After"]) > 0
    rest.token()


def test_d20_wider_scopes(rest, reader):
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": reader.session.headers["Authorization"].split()[1],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "scope": "PRINCIPAL_ROLE:root PRINCIPAL_ROLE:ALL"}
    refused = rest.ask_token(form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    wider = rest.ask_token(dict(form, scope="PRINCIPAL_ROLE:ALL")).json()["access_token"]
    answer = requests.post(rest.base + "/v1/lakehouse/namespaces", json={"namespace": ["x"]}, headers={"Authorization": "Bearer " + wider}, timeout=10)
    assert answer.status_code == 403


@pytest.mark.parametrize("name", ["", "a\u001fb", "a\nb", "\u0000", "x" * 256, "..", ".", "\u007f"])
def test_d4_d23_names_that_are_refused(rest, namespace, name):
    rest.fails(400, "BadRequestException", "POST", "/namespaces", json={"namespace": [namespace, name]})
    rest.fails(400, "BadRequestException", "POST", f"/namespaces/{namespace}/tables", json={"name": name, "schema": SCHEMA})


def test_d23_namespaces_that_are_too_deep_or_long(rest):
    for levels in (["a"] * 300, [], ["x" * 255] * 5, "a", [1], ["a", None]):
        rest.fails(400, "BadRequestException", "POST", "/namespaces", json={"namespace": levels})
    for path in ("%1F", "a%1F", "%1Fa", "a%1F%1Fb", "%ff", "%zz", "%00", "%1F".join("a" * 300)):
        assert rest.call("GET", f"/namespaces/{path}").status_code in (400, 404), path


@pytest.mark.parametrize("prefix", ["nothing", "..", "%2e%2e", "lakehouse%2F..%2Fsecond", "lakehouse%00", "second%2F", "%1F"])
def test_d24_other_catalogs_prefixes(rest, reader, namespace, table, prefix):
    for client in (rest, reader):
        assert client.raw("GET", f"/api/catalog/v1/{prefix}/namespaces/{namespace}").status_code in (400, 404)
    assert reader.raw("GET", "/api/catalog/v1/second/namespaces").status_code == 404  # the reader has no rights there
    assert rest.raw("GET", f"/api/catalog/v1/second{table}").status_code == 404


# ---- E3: JSON that means harm

@pytest.mark.parametrize("body", [
    b'{"namespace":' + b"[" * 10000 + b"]" * 10000 + b"}", b'{"namespace":["a"],"namespace":["b"]}', b'{"namespace":["\\ud800"]}', b'{"namespace":["\xff"]}', b'{"namespace":["a"]} x', b"", b"[]", b"null",
    b"5", b'{"namespace":["a"],"properties":{"x":1e999}}', b'{"namespace":["a"],"properties":{"x":9223372036854775808}}', b'{"namespace":["a"', b"\x00", b'\xef\xbb\xbf{"namespace":["a"]}',
    b"<x/>", b'{"namespace":["a\\u0000b"]}', b'{"namespace":{"a":"b"}}',
])
def test_e3_bodies_that_are_refused(rest, body):
    rest.fails(400, "BadRequestException", "POST", "/namespaces", data=body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("number", ["-0", "-1", "2147483648", "9223372036854775807", "9223372036854775808", "1e999", "1.5", "true", '"1"', "null"])
def test_e3_numbers_out_of_range(rest, table, number):
    before = rest.ok("GET", table)
    schema = '{"type":"struct","fields":[{"id":%s,"name":"a","required":false,"type":"int"}]}' % number
    texts = ['{"action":"upgrade-format-version","format-version":%s}' % number, '{"action":"set-current-schema","schema-id":%s}' % number.replace("-1", "-2").replace("-0", "-3")]
    texts += ['{"action":"add-schema","schema":%s}' % schema] if number != "-0" else []
    for text in texts:
        answer = rest.call("POST", table, data='{"requirements":[],"updates":[%s]}' % text)
        assert answer.status_code == 400, (text, answer.text)
    assert rest.ok("GET", table) == before


def test_e3_a_body_beyond_the_limit_and_one_with_too_many_updates(rest, table):
    wire = http.client.HTTPConnection(rest.url.removeprefix("http://"), timeout=30)
    wire.putrequest("POST", "/api/catalog/v1/lakehouse" + table)
    wire.putheader("Authorization", rest.session.headers["Authorization"])
    wire.putheader("Content-Length", str(100 << 20))
    wire.endheaders()
    assert wire.getresponse().status == 413
    wire.close()
    rest.refused(table, *[{"action": "remove-properties", "removals": []}] * 10001)


def test_e6_a_compressed_body_is_not_inflated(rest):
    answer = rest.call("POST", "/namespaces", data=gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
