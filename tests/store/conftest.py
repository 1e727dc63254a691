"""conftest.py - a PostgreSQL of a test's own, and servers on it."""
import os
import tempfile

import pytest

import postgresql
from firn_server import Server


@pytest.fixture
def pg():
    with tempfile.TemporaryDirectory(prefix="firn-pg-") as directory:  # pytest's own are closed to PostgreSQL's user
        os.chmod(directory, 0o711)
        os.mkdir(f"{directory}/pg")
        p = postgresql.Postgresql(f"{directory}/pg")
        yield p
        p.stop()


@pytest.fixture
def firn(tmp_path, pg):
    """A function that makes a server on fixed ports, not started."""
    servers = []

    def make(environment=None):
        directory = tmp_path / f"firn{len(servers)}"
        directory.mkdir()
        ports = ["--s3-address", f"127.0.0.1:{postgresql.free_port()}", "--catalog-address", f"127.0.0.1:{postgresql.free_port()}"]
        s = Server(directory, ports, {"FIRN_STORE": pg.uri, "FIRN_STORE_SCHEMA": "firn", **(environment or {})})
        s.s3_at, s.catalog_at = f"http://{ports[1]}", f"http://{ports[3]}"
        servers.append(s)
        return s

    yield make
    for s in servers:
        assert s.stop() in (0, None), s.log.read_text()[-4000:]
