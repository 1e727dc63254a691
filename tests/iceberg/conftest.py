"""Catalog fixtures: a server with the catalog `lakehouse`, PyIceberg and plain REST on it."""
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from iceberg_helpers import Rest, open_catalog  # noqa: E402

@pytest.fixture(scope="session")
def lake(server_factory):
    return server_factory(environment={"FIRN_CATALOGS": "lakehouse"})


@pytest.fixture(scope="session")
def server_factory(tmp_path_factory):
    from firn_server import Server, with_identities
    servers = []

    def start(*arguments, environment=None):
        directory = tmp_path_factory.mktemp("lake")
        servers.append(Server(directory, with_identities(directory) + list(arguments), environment))
        return servers[-1].start()

    yield start
    for s in servers:
        assert s.stop() == 0, s.log.read_text()[-4000:]


@pytest.fixture
def catalog(lake):
    return open_catalog(lake)


@pytest.fixture
def rest(lake):
    return Rest(lake.catalog_url)


@pytest.fixture
def namespace(catalog):
    name = "n_" + uuid.uuid4().hex[:12]
    catalog.create_namespace(name)
    return name


SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}, {"id": 2, "name": "v", "required": False, "type": "string"}]}


@pytest.fixture
def table(rest, namespace):
    """A new table by REST: (path, LoadTableResult)."""
    rest.ok("POST", f"/namespaces/{namespace}/tables", json={"name": "t", "schema": SCHEMA})
    path = f"/namespaces/{namespace}/tables/t"
    return path, rest.ok("GET", path)
