"""test_postgresql.py - a server whose rows are in PostgreSQL: start before it, its restart, its crash, one server at a time, Polaris' variables, SQL for people."""
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess

import pytest
import requests

import postgresql
from firn_server import BINARY, ROOT, wait_for


def launch(server):
    """Start it without waiting for it to be ready."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FIRN_", "QUARKUS_"))}
    environment.update({"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1], **server.environment})
    environment = {k: v for k, v in environment.items() if v is not None}
    with open(server.log, "ab") as log:
        server.process = subprocess.Popen([BINARY, "serve", "--data", str(server.data), *server.arguments], env=environment, stdout=log, stderr=log)


def status(url):
    try:
        return requests.get(url, timeout=10).status_code
    except requests.ConnectionError:
        return None


def put(server, key):
    """The status of storing an object."""
    client = server.raw()
    try:
        return client.request("PUT", f"/bucket/{key}", body=key.encode()).status
    finally:
        client.close()


def test_a_server_started_before_postgresql_waits_for_it(firn, pg):
    s = firn()
    launch(s)
    wait_for(lambda: status(s.catalog_at + "/q/health/live") == 200, what="health")
    assert status(s.catalog_at + "/q/health/ready") == 503
    assert status(s.s3_at + "/health/ready") == 503
    assert status(s.s3_at + "/bucket/key") == 503
    assert status(s.catalog_at + "/api/catalog/v1/config") == 503
    assert status(s.catalog_at + "/api/firn/v1/status") == 503
    assert not (s.data / "endpoints.json").exists()
    pg.start()
    wait_for(s.ready, what="the server to be ready")
    assert status(s.catalog_at + "/q/health/ready") == 200
    assert "waiting for PostgreSQL" in s.log.read_text()


def test_a_server_that_waits_stops_when_it_is_told(firn):
    s = firn()
    launch(s)
    wait_for(lambda: status(s.catalog_at + "/q/health/live") == 200, what="health")
    assert s.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_of_postgresql_is_survived_and_loses_nothing(firn, pg, how):
    pg.start()
    s = firn().start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "before") == 200
    getattr(pg, how)()
    assert put(s, "during") == 503
    assert s.raw().request("GET", "/bucket/before").status == 503
    wait_for(lambda: status(s.catalog_at + "/q/health/ready") == 503, what="not ready")
    pg.start()
    wait_for(lambda: status(s.catalog_at + "/q/health/ready") == 200, what="ready again")
    assert put(s, "after") == 200
    keys = [o["Key"] for o in s.boto().list_objects_v2(Bucket="bucket")["Contents"]]
    assert keys == ["after", "before"]
    assert s.boto().get_object(Bucket="bucket", Key="before")["Body"].read() == b"before"


def test_reads_end_when_postgresql_hangs_and_go_on_when_it_goes_on(firn, pg):
    """Without store-timeout the first would wait for 10 s on each of its idle connections."""
    pg.start()
    s = firn({"FIRN_STORE_TIMEOUT": "1", "FIRN_HTTP_THREADS": "2"}).start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "before") == 200
    url = s.boto().generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "before"})
    read = lambda _: requests.get(url, timeout=25).status_code  # noqa: E731
    with concurrent.futures.ThreadPoolExecutor(8) as pool:  # so that there are several connections
        assert set(pool.map(read, range(64))) == {200}
        pg.signal_all(signal.SIGSTOP)
        try:
            assert set(pool.map(read, range(4))) == {503}
            assert status(s.s3_at + "/health") == 200
        finally:
            pg.signal_all(signal.SIGCONT)
    wait_for(lambda: s.raw().request("GET", "/bucket/before").status == 200, what="reads")
    wait_for(lambda: put(s, "after") == 200, seconds=60, what="writes")


def certificate(directory):
    """A key and a certificate for localhost that nobody signed but itself."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "server.key", "-out", "server.crt",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


def test_tls_is_used_and_verified(firn, pg, tmp_path):
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
        certificate(tmp_path / name)
    data = pg.directory / "data"
    for name in ("server.key", "server.crt"):
        shutil.copy(tmp_path / "right" / name, data / name)
        shutil.chown(data / name, *(("postgres", "postgres") if os.geteuid() == 0 else (os.getuid(), os.getgid())))
    (data / "server.key").chmod(0o600)
    with open(data / "postgresql.conf", "a", encoding="ascii") as conf:
        conf.write("ssl = on\n")
    (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")
    pg.start()
    at = f"postgresql://postgres@localhost:{pg.port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert="
    s = firn({"FIRN_STORE": at + str(tmp_path / "right/server.crt")}).start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "x") == 200
    psql = [postgresql.BIN / "psql", "-XAtq", "-h", str(pg.directory), "-p", str(pg.port), "-U", "postgres", "-c",
            "select bool_and(ssl) and count(*) > 1 from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'firn'"]
    assert subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip() == "t"
    other = firn({"FIRN_STORE": at + str(tmp_path / "wrong/server.crt"), "FIRN_STORE_SCHEMA": "other"})
    launch(other)
    wait_for(lambda: "certificate verify failed" in other.log.read_text(), what="the certificate to be refused")
    wait_for(lambda: status(other.catalog_at + "/q/health/ready") == 503, what="the server to say that it is not ready")


def test_of_two_hosts_the_one_that_is_there_is_taken(firn, pg):
    pg.start()
    nobody = postgresql.free_port()
    s = firn({"FIRN_STORE": f"postgresql://postgres@127.0.0.1:{nobody},127.0.0.1:{pg.port}/postgres"}).start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "x") == 200
    assert s.raw().request("GET", "/bucket/x").body == b"x"


def test_a_second_server_is_refused_and_told_by_whom(firn, pg):
    pg.start()
    first, second = firn().start(), firn()
    launch(second)
    assert second.process.wait(timeout=60) == 1
    assert "another server holds the store in PostgreSQL" in second.log.read_text()
    assert f"process {first.process.pid}" in second.log.read_text()
    second.process = None
    assert put(first, "x") == 404  # it goes on serving: there is no bucket


def test_a_server_that_was_killed_gives_way(firn, pg):
    pg.start()
    s = firn().start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "kept") == 200
    s.restart(signal.SIGKILL)
    assert s.boto().get_object(Bucket="bucket", Key="kept")["Body"].read() == b"kept"


def test_rows_of_another_engine_are_not_forgotten(firn, pg):
    pg.start()
    s = firn({"FIRN_STORE": None}).start()
    assert s.stop() == 0
    s.environment["FIRN_STORE"] = pg.uri
    launch(s)
    assert s.process.wait(timeout=60) == 2
    assert "the rows of this store are in" in s.log.read_text()
    s.process = None


def test_polaris_variables_are_enough_and_no_password_is_told(firn, pg):
    pg.start()
    pg.sql("create role polaris login password 'polaris_secret'")
    pg.sql("create database polaris owner polaris")
    s = firn({"FIRN_STORE": None, "QUARKUS_DATASOURCE_DB_KIND": "postgresql", "QUARKUS_DATASOURCE_USERNAME": "polaris", "QUARKUS_DATASOURCE_PASSWORD": "polaris_secret",
              "QUARKUS_DATASOURCE_JDBC_URL": pg.jdbc.replace("/postgres", "/polaris"), "POLARIS_PERSISTENCE_TYPE": "relational-jdbc"}).start()
    s.boto().create_bucket(Bucket="bucket")
    assert put(s, "x") == 200
    pg.stop()
    wait_for(lambda: status(s.catalog_at + "/q/health/ready") == 503, what="not ready")
    assert "polaris_secret" not in s.log.read_text()
    shown = subprocess.run([BINARY, "config", "show", "--data", "d"], env={k: v for k, v in s.environment.items() if v}, capture_output=True, text=True, check=True)
    assert "polaris_secret" not in shown.stdout and "store = (set)" in shown.stdout


def test_people_can_query_the_catalog(firn, pg):
    pg.start()
    s = firn()
    s.arguments += ["--catalogs", "lake"]
    s.start()
    form = {"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1]}
    base = s.catalog_url + "/api/catalog/v1"
    token = requests.post(base + "/oauth/tokens", data=form, timeout=30).json()["access_token"]
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer " + token
        name = "\u00e4 quoted ' name"
        session.post(base + "/lake/namespaces", json={"namespace": ["a"], "properties": {"owner": "x\u0000y"}}, timeout=30).raise_for_status()
        session.post(base + "/lake/namespaces", json={"namespace": ["a", "b"]}, timeout=30).raise_for_status()
        schema = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]}
        session.post(base + "/lake/namespaces/a%1Fb/tables", json={"name": name, "schema": schema}, timeout=30).raise_for_status()
        loaded = session.get(base + "/lake/namespaces/a", timeout=30).json()
    assert loaded["properties"]["owner"] == "x\u0000y"
    pg_sql = lambda q: pg.sql("set search_path = firn; " + q)  # noqa: E731
    assert pg_sql("select name from catalogs") == "lake"
    assert pg_sql("select properties->>'owner' from namespaces where name = 'a'") == "x\ufffdy"
    assert pg_sql(r"""select readable('{"a":"\\u0000\u0000\u0000"}')->>'a'""") == "\\u0000\ufffd\ufffd"
    assert pg_sql("select catalog || '/' || name from namespaces order by name") == "lake/a\nlake/a.b"
    assert pg_sql("select catalog || '/' || namespace || '/' || name from tables") == f"lake/a.b/{name}"
    assert pg_sql("select metadata_location from tables").startswith("s3://lake/a/b/")
    assert pg_sql("select count(*) from audit where operation = 'CreateTable' and outcome = 'ok' and time > now() - interval '1 hour'") == "1"
    assert json.loads(pg_sql("select row from tables"))["version"] == 1


def test_a_backup_says_whose_it_is(firn, pg, tmp_path):
    pg.start()
    s = firn().start()
    environment = {"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1], "PATH": "/usr/bin:/bin"}
    refused = subprocess.run([BINARY, "backup", "--data", str(s.data), str(tmp_path / "b")], capture_output=True, text=True, timeout=60, env=environment)
    assert refused.returncode != 0 and "in PostgreSQL: back them up there" in refused.stderr
    assert not (tmp_path / "b").exists()
    assert s.stop() == 0
    words = [BINARY, "store", "backup", "--data", str(s.data), "--to", str(tmp_path / "b")]
    refused = subprocess.run([*words, "--store", pg.uri], capture_output=True, text=True, timeout=60, env=environment)
    assert refused.returncode == 1 and "in PostgreSQL: back them up there" in refused.stderr
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
    assert refused.returncode == 2 and "setting 'store' has to name it" in refused.stderr
    assert not (tmp_path / "b").exists() and not (s.data / "rows").exists()


def test_a_store_is_checked_where_its_rows_are(firn, pg, tmp_path):
    pg.start()
    s = firn().start()
    s.boto().create_bucket(Bucket="bucket")
    for size in (0, 10, 100000):
        s.boto().put_object(Bucket="bucket", Key=f"of/{size}", Body=b"x" * size)

    def check(*words, **more):
        return subprocess.run([BINARY, "store", "check", "--data", str(s.data), *words], capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin", **more})

    running = check("--store", pg.uri)
    assert running.returncode == 1 and "another server holds the store" in running.stderr
    assert s.stop() == 0
    (tmp_path / "firn.conf").write_text(f"store = {pg.uri}\n")
    for found in (check("--store", pg.uri, "--bodies"), check(FIRN_STORE=pg.uri), check("--config", str(tmp_path / "firn.conf"))):
        assert found.returncode == 0 and found.stdout.startswith("clean: ") and "3 objects" in found.stdout, found.stdout + found.stderr
    nowhere = check()
    assert nowhere.returncode == 2 and "has the volumes of a store, but not its rows" in nowhere.stderr
    none = check("--store", pg.uri, "--store-schema", "none")
    assert none.returncode == 1 and "no schema 'none'" in none.stderr
    assert pg.sql("select count(*) from pg_namespace where nspname = 'none'") == "0"
    pg.sql("delete from firn.rows_bodies; update firn.small_bodies set bytes = 'rot'")
    found = check("--store", pg.uri, "--bodies")
    assert found.returncode == 1 and "its body is not there" in found.stdout and "is damaged" in found.stdout
    pg.stop()
    away = check("--store", pg.uri)
    assert away.returncode == 1 and "PostgreSQL cannot be used" in away.stderr
