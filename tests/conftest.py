"""conftest.py - fixtures that all tests share.

    server        a server (firn_server.py) for the whole session; tests keep apart by making buckets of their own
    start_server  a function that starts more, with settings as a test wants them; they are stopped when the test ends
    s3, raw       a boto3 client and a hand-made one (rawclient.py) of root on the session's server; bucket: a new bucket there
    alice, bob, nobody   other callers there: alice may do all in bucket-a, bob read in bucket-b, nobody has no keys
"""
import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from firn_server import ALICE, BOB, ROOT, Server, wait_for, with_identities  # noqa: E402,F401


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("firn")
    s = Server(directory, with_identities(directory)).start()
    yield s
    assert s.stop() == 0, s.log.read_text()[-4000:]


@pytest.fixture
def start_server(tmp_path):
    servers = []

    def start(*arguments, environment=None):
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        servers.append(Server(directory, with_identities(directory) + list(arguments), environment))
        return servers[-1].start()

    yield start
    for s in servers:
        assert s.stop() in (0, None), s.log.read_text()[-4000:]


@pytest.fixture(scope="session")
def s3(server):
    return server.boto()


@pytest.fixture
def raw(server):
    client = server.raw()
    yield client
    client.close()


@pytest.fixture
def bucket(s3):
    name = f"test-{uuid.uuid4().hex[:20]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def two_buckets(server, s3):
    """bucket-a is alice's, bucket-b may be read by bob."""
    for name in ("bucket-a", "bucket-b", "bucket-ax"):
        s3.create_bucket(Bucket=name)
    s3.put_object(Bucket="bucket-b", Key="secret", Body=b"the secret of b")
    s3.put_object(Bucket="bucket-a", Key="public/x", Body=b"in a")


@pytest.fixture
def alice(server, two_buckets):
    return server.raw(ALICE)


@pytest.fixture
def bob(server, two_buckets):
    return server.raw(BOB)


@pytest.fixture
def nobody(server):
    return server.raw((None, None))
