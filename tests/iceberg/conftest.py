"""Catalog fixtures: a server with the catalog `lakehouse`, PyIceberg and plain REST on it."""
import pathlib
import sys
import uuid

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parent.parent)]
from firn_server import Server  # noqa: E402
from iceberg_helpers import READER, Rest, identities_file, open_catalog  # noqa: E402


@pytest.fixture(scope="session")
def lake(server_factory):
    return server_factory(environment={"FIRN_CATALOGS": "lakehouse,second"})


@pytest.fixture(scope="session")
def server_factory(tmp_path_factory):
    servers = []

    def start(*arguments, environment=None):
        directory = tmp_path_factory.mktemp("lake")
        servers.append(Server(directory, identities_file(directory) + list(arguments), environment))
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
def reader(lake):
    return Rest(lake.catalog_url, READER)


@pytest.fixture
def namespace(rest):
    name = "n_" + uuid.uuid4().hex[:12]
    rest.ok("POST", "/namespaces", json={"namespace": [name]})
    return name


@pytest.fixture
def table(rest, namespace):
    """The path of a new table."""
    rest.create(namespace, "t")
    return f"/namespaces/{namespace}/tables/t"
