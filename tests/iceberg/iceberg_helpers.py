"""What the catalog's tests share beside fixtures: it is imported by worker processes too."""
import copy
import json
import pathlib

import boto3
import requests
from botocore.config import Config
from pyiceberg.catalog.rest import RestCatalog

ROOT = ("test-root", "test-root-secret")
READER = ("reader-key", "reader-secret")      # may read all of the lakehouse
OUTSIDER = ("outsider-key", "outsider-secret")  # has rights, but none here
IDENTITIES = {"identities": [
    {"name": "reader", "credentials": [{"accessKey": READER[0], "secretKey": READER[1]}], "actions": ["Read:lakehouse", "List:lakehouse"]},
    {"name": "outsider", "credentials": [{"accessKey": OUTSIDER[0], "secretKey": OUTSIDER[1]}],
     "actions": ["Read:elsewhere", "Write:elsewhere", "List:elsewhere", "Tagging:elsewhere"]},
]}
DELEGATE = {"X-Iceberg-Access-Delegation": "vended-credentials"}
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "id", "required": False, "type": "long"}, {"id": 2, "name": "v", "required": False, "type": "string"},
                                       {"id": 3, "name": "day", "required": False, "type": "date"}]}


def identities_file(directory):
    path = pathlib.Path(directory) / "s3.json"
    path.write_text(json.dumps(IDENTITIES))
    return ["--identities", str(path)]


class Rest:
    """The REST API by hand, for what clients do not show."""

    def __init__(self, url, credential=ROOT, base="/api/catalog", prefix="lakehouse"):
        self.url, self.base, self.prefix = url, url + base, prefix
        self.session = requests.Session()
        self.credential = credential
        if credential:
            self.session.headers["Authorization"] = "Bearer " + self.token()["access_token"]

    def ask_token(self, form, **options):
        return requests.post(self.base + "/v1/oauth/tokens", data=form, timeout=30, **options)

    def token(self, **form):
        form = {"grant_type": "client_credentials", "client_id": self.credential[0], "client_secret": self.credential[1], "scope": "PRINCIPAL_ROLE:ALL", **form}
        answer = self.ask_token(form)
        answer.raise_for_status()
        return answer.json()

    def call(self, method, path, **options):
        """Below the catalog's prefix; "polaris:/..." is Polaris' own part of it."""
        own, path = ("/polaris", path.removeprefix("polaris:")) if path.startswith("polaris:") else ("", path)
        return self.session.request(method, f"{self.base}{own}/v1/{self.prefix}{path}", timeout=60, **options)

    def raw(self, method, path, **options):
        return self.session.request(method, self.url + path, timeout=60, **options)

    def ok(self, method, path, **options):
        answer = self.call(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fails(self, status, kind, method, path, text="", **options):
        """The error document, whole: status, type and code agree, and the message holds `text`."""
        answer = self.call(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == (kind, status), error
        assert text in error["message"], error
        return error

    def create(self, namespace, name, **fields):
        return self.ok("POST", f"/namespaces/{namespace}/tables", json={"name": name, "schema": copy.deepcopy(SCHEMA), **fields})

    def commit(self, path, *updates, requirements=()):
        return self.ok("POST", path, json={"requirements": list(requirements), "updates": list(updates)})["metadata"]

    def refused(self, path, *updates, requirements=(), status=400, kind="BadRequestException", text=""):
        return self.fails(status, kind, "POST", path, text, json={"requirements": list(requirements), "updates": list(updates)})


def add_snapshot(number, sequence, parent=None, **more):
    """An add-snapshot and the move of main to it."""
    snapshot = {"snapshot-id": number, "sequence-number": sequence, "timestamp-ms": 1_700_000_000_000 + number, "manifest-list": f"s3://lakehouse/x/{number}.avro",
                "summary": {"operation": "append"}, "schema-id": 0, **more}
    if parent is not None:
        snapshot["parent-snapshot-id"] = parent
    return [{"action": "add-snapshot", "snapshot": snapshot}, set_ref("main", number)]


def set_ref(name, number, kind="branch", **more):
    return {"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": number, **more}


def open_catalog(server, credential=ROOT, warehouse="lakehouse", **options):
    return RestCatalog("firn", uri=server.catalog_url + "/api/catalog", warehouse=warehouse, credential=":".join(credential), **options)


def s3_of(config):
    """A client with the keys of a table's config, and nothing else."""
    return boto3.client("s3", endpoint_url=config["s3.endpoint"], aws_access_key_id=config["s3.access-key-id"], aws_secret_access_key=config["s3.secret-access-key"],
                        aws_session_token=config["s3.session-token"], region_name=config["client.region"],
                        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
