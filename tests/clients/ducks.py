"""DuckDB connections with the extensions of the package index: nothing is downloaded at run time."""
import duckdb
import duckdb_extensions
from firn_server import ROOT


def duck_open(server, extension_directory, keys=ROOT, database=":memory:", extensions=("httpfs",)):
    """A connection that reads and writes s3:// at the server."""
    connection = duckdb.connect(database, config={"autoinstall_known_extensions": False, "autoload_known_extensions": False,
                                                  "extension_directory": extension_directory})
    for name in extensions:
        duckdb_extensions.import_extension(name, con=connection)
        connection.load_extension(name)
    endpoint = server.url.removeprefix("http://")
    connection.execute(f"CREATE SECRET store (TYPE s3, KEY_ID '{keys[0]}', SECRET '{keys[1]}', ENDPOINT '{endpoint}', URL_STYLE 'path', "
                       "USE_SSL false, REGION 'us-east-1')")
    return connection


def duck_connect(server, extension_directory):
    """One that has the catalog attached as `lake` besides."""
    connection = duck_open(server, extension_directory, extensions=("httpfs", "avro", "iceberg"))
    connection.execute(f"CREATE SECRET catalog (TYPE iceberg, CLIENT_ID '{ROOT[0]}', CLIENT_SECRET '{ROOT[1]}', "
                       f"OAUTH2_SERVER_URI '{server.catalog_url}/api/catalog/v1/oauth/tokens')")
    connection.execute(f"ATTACH 'lakehouse' AS lake (TYPE iceberg, SECRET catalog, ENDPOINT '{server.catalog_url}/api/catalog')")
    return connection
