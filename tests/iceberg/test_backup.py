"""firn store check, backup and restore, and backups of a running server: what is refused, and that a restored store serves what was backed up. Under load and kills: tests/crash/backup.py."""
import json
import shutil
import subprocess

import pytest
import requests
from firn_server import BINARY, ROOT, Server, wait_for
from iceberg_helpers import READER, Rest


def store(*words):
    return subprocess.run([BINARY, "store", *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def server(server_factory):
    return server_factory("--buckets", "kept")


def ask(server, body, credential=ROOT):
    return Rest(server.catalog_url, credential).raw("POST", "/api/firn/v1/backup", data=body)


def ended(server):
    status = Rest(server.catalog_url).raw("GET", "/api/firn/v1/backup").json()
    return status if status["state"] != "running" else None


def test_a_running_server_is_backed_up_restored_and_checked(server, tmp_path):
    to, data = tmp_path / "backup", tmp_path / "restored" / "data"
    bodies = {f"k{i}": bytes([i]) * (i * 20000) for i in range(8)}
    for key, body in bodies.items():
        server.boto(ROOT).put_object(Bucket="kept", Key=key, Body=body)
    for number in (1, 2):
        assert ask(server, json.dumps({"directory": str(to)})).status_code == 202
        status = wait_for(lambda: ended(server), what="the backup")
        assert (status["state"], status["number"], status["why"]) == ("done", number, "")
    server.boto(ROOT).put_object(Bucket="kept", Key="later", Body=b"x")
    data.parent.mkdir()
    done = store("restore", "--from", to, "--data", data)
    assert done.returncode == 0 and "0 findings" in done.stdout, done.stdout + done.stderr
    shutil.copy(f"{server.data}.key", f"{data}.key")
    restored = Server(data.parent).start()
    s3 = restored.boto(ROOT)
    assert {o["Key"]: s3.get_object(Bucket="kept", Key=o["Key"])["Body"].read() for o in s3.list_objects_v2(Bucket="kept")["Contents"]} == bodies
    assert restored.stop() == 0
    again = store("restore", "--from", to, "--data", data)
    assert again.returncode == 1 and "not empty" in again.stderr


def test_the_command_line_asks_the_server_and_waits(server, tmp_path):
    environment = {"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1], "PATH": "/usr/bin:/bin"}

    def backup(directory):
        return subprocess.run([BINARY, "backup", "--data", str(server.data), str(directory)], capture_output=True, text=True, timeout=120, env=environment)

    made = backup(tmp_path / "b")
    assert made.returncode == 0 and "NOT in it" in made.stdout and (tmp_path / "b" / "MANIFEST").exists(), made.stdout + made.stderr
    refused = backup(server.data / "b")
    assert refused.returncode == 1 and "in the data directory" in refused.stderr
    assert backup("relative").returncode != 0


def test_only_root_may_ask_and_only_for_a_sensible_place(server, tmp_path):
    path = server.catalog_url + "/api/firn/v1/backup"
    assert requests.post(path, json={"directory": str(tmp_path)}, timeout=30).status_code == 401
    assert ask(server, json.dumps({"directory": str(tmp_path / "b")}), READER).status_code == 403
    for body in ("", "[]", "{}", '{"directory": 1}', '{"directory": "relative"}', '{"directory": ""}', '{"directory": "/x", "other": 1}'):
        assert ask(server, body).status_code == 400, body
    assert ask(server, json.dumps({"directory": str(server.data / "backup")})).status_code == 202
    status = wait_for(lambda: ended(server), what="the backup")
    assert status["state"] == "failed" and "in the data directory" in status["why"]


def test_a_store_that_is_open_is_neither_checked_nor_copied_by_another_process(server, tmp_path):
    for words in (("check", "--data", server.data), ("backup", "--data", server.data, "--to", tmp_path / "b")):
        refused = store(*words)
        assert refused.returncode == 1 and "in use" in refused.stderr


@pytest.mark.parametrize("words, said", [
    (("check",), "needs --data"), (("check", "--data"), "needs a value"), (("check", "--data", "x", "--to", "y"), "not a flag"), (("chekc",), "not a verb"),
    (("backup", "--data", "x"), "needs --to"), (("restore", "--data", "x"), "needs --from"),
])
def test_wrong_words_are_named(words, said):
    refused = store(*words)
    assert refused.returncode == 2 and said in refused.stderr


def test_a_restore_that_was_cut_off_is_not_served(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "RESTORE-INCOMPLETE").write_text("")
    refused = subprocess.run([BINARY, "serve", "--data", str(data), "--s3-address", "127.0.0.1:0", "--catalog-address", "127.0.0.1:0"],
                             capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    assert refused.returncode != 0 and "restore that was cut off" in refused.stderr
