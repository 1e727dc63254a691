"""test_shared.py - servers that share one PostgreSQL: what one changes the others see, rights that are taken away, who does the background work, kills and restarts, what they do not have."""
import os
import shutil
import signal
import subprocess

import pytest
import requests

from firn_server import BINARY, ROOT, wait_for
from test_postgresql import launch, put, status

LEASE_S = 2
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]}


@pytest.fixture
def shared(firn, pg):
    """A function that makes a server that shares, not started. All have one master key."""
    key = pg.directory.parent / "key"

    def make(environment=None):
        return firn({"FIRN_STORE_SHARED": "on", "FIRN_KEY_FILE": str(key), "FIRN_CATALOGS": "lake", **(environment or {})})

    pg.start()
    os.chmod(pg.directory.parent, 0o711)
    return make


class Rest:
    def __init__(self, server, who=ROOT):
        self.url, self.session = server.catalog_at, requests.Session()
        form = {"grant_type": "client_credentials", "client_id": who[0], "client_secret": who[1]}
        answer = self.session.post(self.url + "/api/catalog/v1/oauth/tokens", data=form, timeout=60)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]
        self.session.headers["Authorization"] = "Bearer " + self.token

    def call(self, method, path, **options):
        return self.session.request(method, self.url + path, timeout=60, **options)

    def ok(self, method, path, **options):
        answer = self.call(method, path, **options)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def lake(self, method, path, **options):
        return self.call(method, "/api/catalog/v1/lake" + path, **options)

    def status(self):
        return self.ok("GET", "/api/firn/v1/status")

    def person(self, name):
        """A principal that may do all in the catalog's content. Its credential."""
        m = "/api/management/v1"
        made = self.ok("POST", m + "/principals", json={"principal": {"name": name}})["credentials"]
        self.ok("POST", m + "/principal-roles", json={"principalRole": {"name": name}})
        self.ok("POST", m + "/catalogs/lake/catalog-roles", json={"catalogRole": {"name": name}})
        self.ok("PUT", f"{m}/principals/{name}/principal-roles", json={"principalRole": {"name": name}})
        self.ok("PUT", f"{m}/principal-roles/{name}/catalog-roles/lake", json={"catalogRole": {"name": name}})
        self.ok("PUT", f"{m}/catalogs/lake/catalog-roles/{name}/grants", json={"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}})
        return made["clientId"], made["clientSecret"]

    def revoke(self, name):
        self.ok("POST", f"/api/management/v1/catalogs/lake/catalog-roles/{name}/grants",
                json={"grant": {"type": "catalog", "privilege": "CATALOG_MANAGE_CONTENT"}})


def leader(servers):
    """The one that does the background work."""
    def find():
        found = [s for s in servers if Rest(s).status()["shared"]["background_here"]]
        return found[0] if len(found) == 1 else None
    return wait_for(find, what="one server to lead")


def test_what_one_server_makes_the_other_has_at_once(shared):
    a, b = shared().start(), shared().start()
    first, second = Rest(a), Rest(b)
    first.lake("POST", "/namespaces", json={"namespace": ["n"]}).raise_for_status()
    assert second.lake("GET", "/namespaces/n").status_code == 200
    second.lake("POST", "/namespaces/n/tables", json={"name": "t", "schema": SCHEMA}).raise_for_status()
    for i in range(10):
        one, other = (first, second) if i % 2 else (second, first)
        body = {"requirements": [], "updates": [{"action": "set-properties", "updates": {f"p{i}": str(i)}}]}
        one.lake("POST", "/namespaces/n/tables/t", json=body).raise_for_status()
        loaded = other.lake("GET", "/namespaces/n/tables/t").json()
        assert loaded["metadata"]["properties"][f"p{i}"] == str(i)
    assert len(loaded["metadata"]["metadata-log"]) == 10
    bucket, key = loaded["metadata-location"].removeprefix("s3://").split("/", 1)
    assert a.boto().get_object(Bucket=bucket, Key=key)["Body"].read() == b.boto().get_object(Bucket=bucket, Key=key)["Body"].read()
    assert Rest(a).call("GET", "/api/catalog/v1/lake/namespaces", headers={"Authorization": "Bearer " + second.token}).status_code == 200


def test_a_body_that_needs_volumes_is_refused_by_name(shared):
    a, b = shared().start(), shared().start()
    a.boto().create_bucket(Bucket="bucket")
    a.boto().put_object(Bucket="bucket", Key="largest", Body=b"x" * (1 << 20))
    assert b.boto().get_object(Bucket="bucket", Key="largest")["Body"].read() == b"x" * (1 << 20)
    refused = b.raw().request("PUT", "/bucket/larger", body=b"x" * ((1 << 20) + 1))
    assert refused.status == 501 and b"store-shared" in refused.body
    assert b.raw().request("GET", "/bucket/larger").status == 404


def test_a_right_that_is_taken_away_on_one_server_ends_on_the_other_within_the_lease(shared):
    a, b = shared().start(), shared().start()
    admin = Rest(a)
    alice = admin.person("alice")
    form = {"grant_type": "client_credentials", "client_id": alice[0], "client_secret": alice[1]}
    wait_for(lambda: requests.post(b.catalog_at + "/api/catalog/v1/oauth/tokens", data=form, timeout=60).ok, what="the other to know her")
    her = Rest(b, alice)
    wait_for(lambda: her.lake("GET", "/namespaces").status_code == 200, what="her right on the other")
    admin.revoke("alice")
    wait_for(lambda: her.lake("GET", "/namespaces").status_code in (403, 404), seconds=LEASE_S, what="her right to end on the other")
    admin.ok("DELETE", "/api/management/v1/principals/alice")
    wait_for(lambda: her.lake("GET", "/namespaces").status_code == 401, seconds=LEASE_S, what="her token to end on the other")


def test_a_server_without_its_database_serves_nobody_on_old_rights(shared, pg):
    """S3 and catalog read rows, so they fail anyway; what needs no rows must not go on either."""
    a = shared().start()
    rest = Rest(a)
    assert rest.call("GET", "/api/firn/v1/status").status_code == 200
    pg.stop()
    wait_for(lambda: rest.call("GET", "/api/firn/v1/status").status_code == 503, what="the lease to end")
    pg.start()
    wait_for(lambda: rest.call("GET", "/api/firn/v1/status").status_code == 200, what="to be served again")


def test_status_and_metrics_tell_who_shares(shared):
    a, b = shared({"FIRN_METRICS": "on"}).start(), shared({"FIRN_METRICS": "on"}).start()
    wait_for(lambda: Rest(a).status()["shared"]["servers"] == 2, what="two servers")
    one = leader([a, b])
    other = b if one is a else a
    wait_for(lambda: f"process {one.process.pid}" in Rest(other).status()["shared"]["background_on"], what="its name")
    assert Rest(other).status()["postgresql"]["readers"] >= 1
    text = requests.get(other.catalog_at + "/metrics", timeout=60).text
    assert "firn_servers 2" in text and "firn_background_here 0" in text and "firn_postgresql_connections_lost_total 0" in text
    shown = subprocess.run([BINARY, "status", "--endpoint", other.catalog_at], env={"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1], "PATH": os.environ["PATH"]},
                           capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert f"process {one.process.pid}" in shown.stdout


def test_background_work_moves_when_its_server_is_killed(shared):
    a, b = shared().start(), shared().start()
    one = leader([a, b])
    other = b if one is a else a
    rest = Rest(other)
    rest.lake("POST", "/namespaces", json={"namespace": ["n"]}).raise_for_status()
    one.stop(signal.SIGKILL)
    assert leader([other]) is other
    rest.lake("POST", "/namespaces/n/tables", json={"name": "t", "schema": SCHEMA}).raise_for_status()
    file = rest.lake("GET", "/namespaces/n/tables/t").json()["metadata-location"].removeprefix("s3://lake/")
    rest.lake("DELETE", "/namespaces/n/tables/t", params={"purgeRequested": "true"}).raise_for_status()
    wait_for(lambda: other.raw().request("GET", "/lake/" + file).status == 404, what="the dropped table's file to be deleted")
    one.start()
    assert Rest(one).lake("GET", "/namespaces/n").status_code == 200
    wait_for(lambda: rest.status()["shared"]["servers"] == 2, what="both")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_of_postgresql_under_both_loses_nothing(shared, pg, how):
    servers = [shared().start(), shared().start()]
    servers[0].boto().create_bucket(Bucket="bucket")
    assert [put(s, f"before{i}") for i, s in enumerate(servers)] == [200, 200]
    getattr(pg, how)()
    assert [put(s, "during") for s in servers] == [503, 503]
    pg.start()
    for s in servers:
        wait_for(lambda s=s: status(s.catalog_at + "/q/health/ready") == 200, what="ready again")
    assert [put(s, f"after{i}") for i, s in enumerate(servers)] == [200, 200]
    for s in servers:
        assert [o["Key"] for o in s.boto().list_objects_v2(Bucket="bucket")["Contents"]] == ["after0", "after1", "before0", "before1"]
    leader(servers)


def refused(server, text):
    launch(server)
    assert server.process.wait(timeout=60) in (1, 2)
    assert text in server.log.read_text(), server.log.read_text()[-2000:]
    server.process = None


def test_alone_and_shared_exclude_each_other(shared, pg):
    a = shared().start()
    alone = shared({"FIRN_STORE_SHARED": "off"})
    refused(alone, "servers that share the store")
    assert a.stop() == 0
    alone.start()
    refused(a, "does not share it (setting store-shared)")


def test_a_store_with_volumes_is_not_shared(shared):
    alone = shared({"FIRN_STORE_SHARED": "off"}).start()
    alone.boto().create_bucket(Bucket="bucket")
    alone.boto().put_object(Bucket="bucket", Key="k", Body=b"x" * (2 << 20))
    assert alone.stop() == 0
    refused(shared(), "the store has bodies in the volumes of a server")
    alone.start()
    alone.boto().delete_object(Bucket="bucket", Key="k")
    assert alone.stop() == 0
    shared().start()


def test_what_all_have_in_common_is_asked_for(shared):
    a = shared({"FIRN_KEY_FILE": None}).start()
    refused(shared({"FIRN_KEY_FILE": None}), "master key")
    assert put(a, "x") == 404
    refused(shared({"FIRN_STORE": None}), "setting 'store-shared' needs setting 'store'")
    refused(shared({"FIRN_ROOT_USER": None, "FIRN_ROOT_PASSWORD": None}), "'root-user' and 'root-password'")


def test_of_servers_that_start_together_on_nothing_one_makes_the_store(shared):
    """Each with a key of its own: one serves, the other is told what to do, and does it."""
    servers = [shared({"FIRN_KEY_FILE": None}), shared({"FIRN_KEY_FILE": None})]
    for s in servers:
        launch(s)
    wait_for(lambda: any(s.process.poll() is not None for s in servers) and any((s.data / "endpoints.json").exists() for s in servers), what="one of each")
    lost = next(s for s in servers if s.process.poll() is not None)
    won = next(s for s in servers if s is not lost)
    assert won.process.poll() is None
    assert "master key" in lost.log.read_text()
    shutil.copy(f"{won.data}.key", f"{lost.data}.key")
    lost.start()
    wait_for(won.ready, what="the first")
    assert Rest(lost).status()["shared"]["servers"] >= 1
