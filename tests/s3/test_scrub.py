"""test_scrub.py - bytes that the disk has changed are found although nobody reads them, named, and off the list when they are written anew."""
import json
import os
import subprocess

import botocore.exceptions
import pytest

from firn_server import BINARY, ROOT, wait_for


def status(server, *flags):
    environment = dict(os.environ, FIRN_ROOT_USER=ROOT[0], FIRN_ROOT_PASSWORD=ROOT[1])
    return subprocess.run([BINARY, "status", "--data", str(server.data), *flags], env=environment, capture_output=True, text=True, check=True, timeout=30).stdout


def scrub_of(server):
    return json.loads(status(server, "--json"))["scrub"]


def flip(server, body):
    """One bit of these bytes, in whatever volume file they lie."""
    for path in (server.data / "volumes").glob("*.vol"):
        at = path.read_bytes().find(body)
        if at >= 0:
            with open(path, "r+b") as volume:
                volume.seek(at + 1000)
                byte = volume.read(1)[0]
                volume.seek(at + 1000)
                volume.write(bytes([byte ^ 1]))
            return
    raise AssertionError("no volume has these bytes")


def test_damage_is_found_named_and_forgotten_when_it_is_written_anew(start_server):
    server = start_server("--scrub-interval", "1", "--metrics", "on")
    s3 = server.boto()
    s3.create_bucket(Bucket="bucket")
    body = os.urandom(200_000)
    for key in ("good", "bad/ü", "small"):
        s3.put_object(Bucket="bucket", Key=key, Body=body[:100] if key == "small" else key.encode() + body)
    wait_for(lambda: scrub_of(server)["pass"] > 1 and scrub_of(server)["objects"] == 3, what="a pass over all objects")
    assert scrub_of(server)["damaged"] == 0

    flip(server, "bad/ü".encode() + body)
    found = wait_for(lambda: scrub_of(server)["damages"], what="the damage")
    assert [(d["kind"], d["bucket"], d["key"]) for d in found] == [("object", "bucket", "bad/ü")]
    assert "bad/ü" in status(server) and "checksum" in status(server)
    metrics = server.raw().request("GET", "/metrics").body.decode()
    assert "firn_scrub_damaged 1" in metrics
    with pytest.raises((botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError)):
        s3.get_object(Bucket="bucket", Key="bad/ü")["Body"].read()

    server.restart()
    assert scrub_of(server)["damaged"] == 1  # a row, not memory
    server.boto().put_object(Bucket="bucket", Key="bad/ü", Body=body)
    assert scrub_of(server)["damaged"] == 0
    before = scrub_of(server)["pass"]
    wait_for(lambda: scrub_of(server)["pass"] > before + 1, what="another pass")
    assert "firn_scrub_damaged 0" in server.raw().request("GET", "/metrics").body.decode()
