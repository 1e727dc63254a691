"""Document 004's start: files of a directory are in three buckets when the server answers, and DuckDB reads the thousands of them as one table."""
import json

from ducks import duck_open
from firn_server import Server

USER = ("lingokidsadmin", "lingokidsadmin")


def test_duckdb_reads_thousands_of_json_files_that_were_loaded_at_the_start(extension_directory, tmp_path):
    init = tmp_path / "init"
    for bucket, count in (("raw-events", 4000), ("raw-users", 97), ("raw-activities", 13)):
        (init / bucket).mkdir(parents=True)
        for i in range(count):
            (init / bucket / f"{i:05}.json").write_text(json.dumps({"id": i, "user_id": i % 97, "activity_id": i % 13}))
    server = Server(tmp_path, ["--init-dir", str(init)], environment={
        "FIRN_ROOT_USER": None, "FIRN_ROOT_PASSWORD": None, "MINIO_ROOT_USER": USER[0], "MINIO_ROOT_PASSWORD": USER[1]}).start()
    try:
        duck = duck_open(server, extension_directory, keys=USER)
        duck.execute("SET threads = 8")
        assert duck.execute("SELECT count(*), count(DISTINCT id), sum(user_id) FROM read_json('s3://raw-events/*.json')").fetchone() == (
            4000, 4000, sum(i % 97 for i in range(4000)))
        joined = duck.execute("SELECT a.id, count(*) FROM read_json('s3://raw-events/*.json') e JOIN read_json('s3://raw-activities/*.json') a ON e.activity_id = a.id GROUP BY 1")
        assert dict(joined.fetchall()) == {a: len(range(a, 4000, 13)) for a in range(13)}
        duck.close()
    finally:
        assert server.stop() == 0
