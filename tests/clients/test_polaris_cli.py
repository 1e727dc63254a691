"""test_polaris_cli.py - Apache Polaris' own command line, unmodified, against the management API: every noun and verb that changes or shows who may do what."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from firn_server import ROOT
from iceberg_helpers import Rest

POLARIS = str(pathlib.Path(sys.executable).parent / "polaris")


class Polaris:
    def __init__(self, server, home, credential=ROOT):
        self.server, self.home, self.credential = server, home, credential

    def run(self, *words):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CLIENT_", "POLARIS_"))}
        command = [POLARIS, "--base-url", self.server.catalog_url, "--client-id", self.credential[0], "--client-secret", self.credential[1], *words]
        return subprocess.run(command, env={**environment, "HOME": str(self.home)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def __call__(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done)
        return done.stdout

    def json(self, *words):
        """What it prints: a document, or one a line."""
        text = self(*words).strip()
        documents, at, decoder = [], 0, json.JSONDecoder()
        while at < len(text):
            document, end = decoder.raw_decode(text, at)
            documents.append(document)
            at = end + len(text[end:]) - len(text[end:].lstrip())
        return documents

    def one(self, *words):
        [document] = self.json(*words)
        return document

    def fails(self, text, *words):
        done = self.run(*words)
        assert done.returncode != 0 and text in done.stdout + done.stderr, (words, done)


@pytest.fixture
def server(start_server):
    s = start_server("--catalogs", "lakehouse")
    s.boto().create_bucket(Bucket="warehouse")
    return s


@pytest.fixture
def polaris(server, tmp_path):
    return Polaris(server, tmp_path)


def create_catalog(polaris, name="lake", *more):
    polaris("catalogs", "create", name, "--storage-type", "s3", "--default-base-location", f"s3://warehouse/{name}", "--role-arn", "arn:aws:iam::1:role/r", *more)


def fill(polaris):
    """lake with a table and a view in ns; p has pr, which has cr."""
    create_catalog(polaris)
    rest = Rest(polaris.server.catalog_url, prefix="lake")
    polaris("namespaces", "create", "ns", "--catalog", "lake")
    rest.create("ns", "t")
    rest.ok("POST", "/namespaces/ns/views", json={"name": "v", "schema": {"type": "struct", "fields": []}, "properties": {}, "view-version": {
        "version-id": 1, "timestamp-ms": 1, "schema-id": 0, "summary": {}, "default-namespace": ["ns"], "representations": [{"type": "sql", "sql": "select 1", "dialect": "d"}]}})
    credentials = polaris.one("principals", "create", "p")
    polaris("principal-roles", "create", "pr")
    polaris("catalog-roles", "create", "cr", "--catalog", "lake")
    polaris("principal-roles", "grant", "pr", "--principal", "p")
    polaris("catalog-roles", "grant", "cr", "--catalog", "lake", "--principal-role", "pr")
    return credentials["clientId"], credentials["clientSecret"]


def names(documents):
    return [d["name"] for d in documents]


def test_catalogs(polaris):
    create_catalog(polaris, "lake", "--allowed-location", "s3://warehouse/more", "--property", "owner=ops", "--region", "eu-1", "--endpoint", "http://s3:9000", "--path-style-access", "--no-sts")
    made = polaris.one("catalogs", "get", "lake")
    assert made["properties"] == {"default-base-location": "s3://warehouse/lake", "owner": "ops"} and made["entityVersion"] == 1
    storage = made["storageConfigInfo"]
    assert sorted(storage["allowedLocations"]) == ["s3://warehouse/lake", "s3://warehouse/more"]
    assert (storage["storageType"], storage["roleArn"], storage["region"], storage["endpoint"], storage["pathStyleAccess"], storage["stsUnavailable"]) == (
        "S3", "arn:aws:iam::1:role/r", "eu-1", "http://s3:9000", True, True)
    assert names(polaris.json("catalogs", "list")) == ["lake", "lakehouse"]
    polaris("catalogs", "update", "lake", "--set-property", "owner=me", "--set-property", "a=b")
    polaris("catalogs", "update", "lake", "--remove-property", "a", "--region", "us-2")
    changed = polaris.one("catalogs", "get", "lake")
    assert changed["entityVersion"] == 3 and changed["properties"] == {"default-base-location": "s3://warehouse/lake", "owner": "me"}
    assert changed["storageConfigInfo"]["region"] == "us-2" and changed["storageConfigInfo"]["roleArn"] == "arn:aws:iam::1:role/r"
    polaris("catalogs", "delete", "lake")
    polaris.fails("Catalog not found: lake", "catalogs", "get", "lake")
    polaris.fails("Unsupported storage type: GCS", "catalogs", "create", "g", "--storage-type", "gcs", "--default-base-location", "gs://b/x")
    polaris.fails("the bucket 'nowhere' of default-base-location does not exist", "catalogs", "create", "n", "--storage-type", "s3", "--default-base-location", "s3://nowhere/x",
                  "--role-arn", "arn:aws:iam::1:role/r")


def test_principals_and_their_credentials(polaris):
    made = polaris.one("principals", "create", "p", "--property", "team=x")
    server, home = polaris.server, polaris.home
    assert names(polaris.json("principals", "list")) == ["alice", "bob", "p", "root"]
    polaris("principals", "update", "p", "--set-property", "team=y", "--set-property", "b=c")
    shown = polaris.one("principals", "get", "p")
    assert shown["clientId"] == made["clientId"] and shown["properties"] == {"team": "y", "b": "c"} and shown["entityVersion"] == 2
    mine = Polaris(server, home, (made["clientId"], made["clientSecret"]))
    rotated = mine.one("principals", "rotate-credentials", "p")
    assert rotated["clientId"] == made["clientId"] and rotated["clientSecret"] != made["clientSecret"]
    mine.credential = rotated["clientId"], rotated["clientSecret"]
    assert mine.json("catalogs", "list") == []
    mine.fails("not authorized", "principals", "list")
    assert "p" in polaris("principals", "access", "p")
    reset = polaris.one("principals", "reset", "p", "--new-client-id", "my-own-id", "--new-client-secret", "my-own-secret-of-32-characters-00")
    assert (reset["clientId"], reset["clientSecret"]) == ("my-own-id", "my-own-secret-of-32-characters-00")
    mine.credential = reset["clientId"], reset["clientSecret"]
    assert mine.json("catalogs", "list") == []
    assert "p" in polaris("principals", "summarize", "p")
    polaris("principals", "delete", "p")
    polaris.fails("p", "principals", "get", "p")
    assert mine.run("catalogs", "list").returncode != 0


def test_summaries_of_what_a_catalog_holds(polaris):
    fill(polaris)
    polaris("namespaces", "create", "ns.below", "--catalog", "lake")
    catalog = polaris("catalogs", "summarize", "lake")
    assert re.search(r"Namespaces: +2\b", catalog) and re.search(r"Tables: +1\b", catalog) and re.search(r"Views: +1\b", catalog) and "No applicable policies" in catalog
    assert "No policies apply to this namespace" in polaris("namespaces", "summarize", "ns", "--catalog", "lake")
    assert "No policies apply to this namespace" in polaris("namespaces", "summarize", "ns.below", "--catalog", "lake")
    assert "No policies apply to this table" in polaris("tables", "summarize", "t", "--catalog", "lake", "--namespace", "ns")
    assert "v" in polaris("views", "summarize", "v", "--catalog", "lake", "--namespace", "ns")


def test_roles_and_who_has_them(polaris):
    fill(polaris)
    assert names(polaris.json("principal-roles", "list")) == ["pr", "service_admin"]
    assert names(polaris.json("principal-roles", "list", "--principal", "p")) == ["pr"]
    assert names(polaris.json("catalog-roles", "list", "lake")) == ["catalog_admin", "cr"]
    assert names(polaris.json("catalog-roles", "list", "lake", "--principal-role", "pr")) == ["cr"]
    polaris("principal-roles", "update", "pr", "--set-property", "a=b")
    polaris("catalog-roles", "update", "cr", "--catalog", "lake", "--set-property", "c=d")
    assert polaris.one("principal-roles", "get", "pr")["properties"] == {"a": "b"}
    assert polaris.one("catalog-roles", "get", "cr", "--catalog", "lake")["properties"] == {"c": "d"}
    assert "pr" in polaris("principal-roles", "summarize", "pr") and "cr" in polaris("catalog-roles", "summarize", "cr", "--catalog", "lake")
    polaris("catalog-roles", "revoke", "cr", "--catalog", "lake", "--principal-role", "pr")
    polaris("principal-roles", "revoke", "pr", "--principal", "p")
    assert polaris.json("principal-roles", "list", "--principal", "p") == []
    polaris("catalog-roles", "delete", "cr", "--catalog", "lake")
    polaris("principal-roles", "delete", "pr")
    assert names(polaris.json("principal-roles", "list")) == ["service_admin"]
    assert names(polaris.json("catalog-roles", "list", "lake")) == ["catalog_admin"]


ON = {"catalog": ("CATALOG_MANAGE_CONTENT", []), "namespace": ("TABLE_CREATE", ["--namespace", "ns"]),
      "table": ("TABLE_READ_DATA", ["--namespace", "ns", "--table", "t"]), "view": ("VIEW_LIST", ["--namespace", "ns", "--view", "v"])}


def test_privileges_on_catalog_namespace_table_and_view(polaris):
    credential = fill(polaris)
    rest = Rest(polaris.server.catalog_url, credential, prefix="lake")
    rest.fails(404, "NoSuchWarehouseException", "GET", "/namespaces/ns/tables/t")
    where = ["--catalog", "lake", "--catalog-role", "cr"]
    for on, (privilege, words) in ON.items():
        polaris("privileges", on, "grant", privilege, *where, *words)
    assert {(g["type"], g["privilege"]) for g in polaris.json("privileges", "list", *where)} == {(on, privilege) for on, (privilege, _) in ON.items()}
    assert rest.ok("GET", "/namespaces/ns/tables/t")
    polaris.fails("Invalid table privilege", "privileges", "table", "grant", "NAMESPACE_CREATE", *where, "--namespace", "ns", "--table", "t")
    for on, (privilege, words) in ON.items():
        polaris("privileges", on, "revoke", privilege, *where, *words)
    assert polaris.json("privileges", "list", *where) == []
    rest.fails(404, "NoSuchWarehouseException", "GET", "/namespaces/ns/tables/t")


def test_an_export_makes_another_server_alike(polaris, start_server, tmp_path):
    """`setup export` of one server and `setup apply` to another: the way from Polaris to here, and back."""
    fill(polaris)
    polaris("privileges", "catalog", "grant", "CATALOG_MANAGE_CONTENT", "--catalog", "lake", "--catalog-role", "cr")
    polaris("privileges", "namespace", "grant", "TABLE_CREATE", "--catalog", "lake", "--catalog-role", "cr", "--namespace", "ns")
    exported = tmp_path / "setup.yaml"
    exported.write_text(polaris("setup", "export"))
    other = start_server("--catalogs", "lakehouse")
    other.boto().create_bucket(Bucket="warehouse")
    copy = Polaris(other, polaris.home)
    copy("setup", "apply", str(exported))
    for words in (["catalogs", "list"], ["principal-roles", "list"], ["principal-roles", "list", "--principal", "p"], ["catalog-roles", "list", "lake"],
                  ["catalog-roles", "list", "lake", "--principal-role", "pr"], ["principals", "list"]):
        assert names(copy.json(*words)) == names(polaris.json(*words)), words
    where = ["--catalog", "lake", "--catalog-role", "cr"]
    key = lambda g: json.dumps(g, sort_keys=True)  # noqa: E731
    assert sorted(copy.json("privileges", "list", *where), key=key) == sorted(polaris.json("privileges", "list", *where), key=key)
