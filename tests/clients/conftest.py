"""A server with the catalog `lakehouse` for the clients, and DuckDB with its extensions from the package index (no download at run time)."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "iceberg"))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    from firn_server import Server, with_identities
    directory = tmp_path_factory.mktemp("clients")
    server = Server(directory, with_identities(directory), {"FIRN_CATALOGS": "lakehouse"}).start()
    yield server
    assert server.stop() == 0, server.log.read_text()[-4000:]


@pytest.fixture(scope="session")
def extension_directory(tmp_path_factory):
    return str(tmp_path_factory.mktemp("extensions"))


@pytest.fixture
def duck(lake, extension_directory):
    """A DuckDB connection that knows the store (secret) and has the catalog attached as `lake`."""
    from ducks import duck_connect
    connection = duck_connect(lake, extension_directory)
    yield connection
    connection.close()
