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
    connection = duck_connect(lake, extension_directory)
    yield connection
    connection.close()


def duck_connect(lake, extension_directory, database=":memory:"):
    import duckdb
    import duckdb_extensions
    from firn_server import ROOT
    connection = duckdb.connect(database, config={"autoinstall_known_extensions": False, "autoload_known_extensions": False, "extension_directory": extension_directory})
    for name in ("httpfs", "avro", "iceberg"):
        duckdb_extensions.import_extension(name, con=connection)
        connection.load_extension(name)
    endpoint = lake.url.removeprefix("http://")
    connection.execute(f"CREATE SECRET store (TYPE s3, KEY_ID '{ROOT[0]}', SECRET '{ROOT[1]}', ENDPOINT '{endpoint}', URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')")
    connection.execute(f"CREATE SECRET catalog (TYPE iceberg, CLIENT_ID '{ROOT[0]}', CLIENT_SECRET '{ROOT[1]}', OAUTH2_SERVER_URI '{lake.catalog_url}/api/catalog/v1/oauth/tokens')")
    connection.execute(f"ATTACH 'lakehouse' AS lake (TYPE iceberg, SECRET catalog, ENDPOINT '{lake.catalog_url}/api/catalog')")
    return connection
