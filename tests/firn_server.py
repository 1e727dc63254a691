"""firn_server.py - a Firn server for tests: started on free ports in a directory of its own, stopped by SIGTERM.

With FIRN_TEST_STORE=postgresql in the environment every server keeps its rows in PostgreSQL (postgresql.py), each in a schema of its own; with postgresql-shared, as one that would share
it with others, without volumes: for the tests of the catalog."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.parse
import uuid

import boto3
import botocore.config

TESTS = pathlib.Path(__file__).parent
sys.path.insert(0, str(TESTS))
import postgresql  # noqa: E402
from rawclient import Raw  # noqa: E402

BINARY = os.environ.get("FIRN_BINARY", str(TESTS.parent / "build" / "firn"))
ROOT = ("test-root", "test-root-secret")
ALICE = ("alice-key", "alice-secret")
BOB = ("bob-key", "bob-secret")
IDENTITIES = {"identities": [
    {"name": "alice", "credentials": [{"accessKey": ALICE[0], "secretKey": ALICE[1]}],
     "actions": ["Read:bucket-a", "Write:bucket-a", "List:bucket-a", "Tagging:bucket-a"]},
    {"name": "bob", "credentials": [{"accessKey": BOB[0], "secretKey": BOB[1]}], "actions": ["Read:bucket-b", "List:bucket-b"]},
]}


def wait_for(condition, seconds=30, what="a condition"):
    """Its first true value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


class Server:
    def __init__(self, directory, arguments=(), environment=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.arguments, self.environment = list(arguments), dict(environment or {})
        self.process = None
        self.schema = "s" + uuid.uuid4().hex

    def start(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("FIRN_", "MINIO_", "AWS_", "POLARIS_", "QUARKUS_"))}
        engine = os.environ.get("FIRN_TEST_STORE", "")
        if engine == "postgresql-shared":
            environment["FIRN_STORE_SHARED"] = "on"
        if engine.startswith("postgresql"):
            environment.update({"FIRN_STORE": postgresql.shared().uri, "FIRN_STORE_SCHEMA": self.schema})
        environment.update({"FIRN_ROOT_USER": ROOT[0], "FIRN_ROOT_PASSWORD": ROOT[1]})
        environment.update(self.environment)
        environment = {k: v for k, v in environment.items() if v is not None}  # None: as if it were not set
        command = [BINARY, "serve", "--data", str(self.data), "--s3-address", "127.0.0.1:0", "--catalog-address", "127.0.0.1:0"]
        (self.data / "endpoints.json").unlink(missing_ok=True)  # of a server that was killed
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command + self.arguments, env=environment, stderr=log, stdout=log)
        self.endpoints = wait_for(self.ready, what="the server")
        self.url = self.endpoints["s3"][0]
        self.catalog_url = self.endpoints["catalog"][0]
        self.host, self.port = "127.0.0.1", urllib.parse.urlsplit(self.url).port
        return self

    def ready(self):
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"
        try:
            return json.loads((self.data / "endpoints.json").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        self.process.send_signal(how)
        status = self.process.wait(timeout=60)
        self.process = None
        return status

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        return self.start()

    def raw(self, keys=ROOT, **options):
        return Raw(self.host, self.port, keys[0], keys[1], **options)

    def boto(self, keys=ROOT, **options):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **options)
        return boto3.client("s3", endpoint_url=self.url, aws_access_key_id=keys[0], aws_secret_access_key=keys[1],
                            region_name="us-east-1", config=config)


def with_identities(directory):
    path = pathlib.Path(directory) / "s3.json"
    path.write_text(json.dumps(IDENTITIES))
    return ["--identities", str(path)]
