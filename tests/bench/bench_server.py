"""bench_server.py - the servers that are measured: ours, started and watched; others, by their address."""
import datetime
import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse

BUCKET = "bench"
QUOTE_SAFE = "-_.~"


class Server:
    """One server: where it is, how requests to it are signed, and, on this machine, its process."""

    def __init__(self, name, url, access, secret, catalog=None, warehouse=None):
        self.name, self.url, self.access, self.secret = name, url.rstrip("/"), access, secret
        self.catalog, self.warehouse = (catalog or "").rstrip("/"), warehouse
        self.token = self.prefix = None

    def presign(self, method, path, query=()):
        """A presigned (SigV4) target: so that the load generator signs nothing while it measures."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        pairs = [("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", f"{self.access}/{scope}"), ("X-Amz-Date", now),
                 ("X-Amz-Expires", "86400"), ("X-Amz-SignedHeaders", "host"), *query]
        quoted = sorted((urllib.parse.quote(a, safe=QUOTE_SAFE), urllib.parse.quote(b, safe=QUOTE_SAFE)) for a, b in pairs)
        query_text = "&".join(f"{a}={b}" for a, b in quoted)
        host = urllib.parse.urlsplit(self.url).netloc
        canonical = f"{method}\n{path}\n{query_text}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.signing_key(now[:8]), text.encode(), hashlib.sha256).hexdigest()
        return f"{path}?{query_text}&X-Amz-Signature={signature}"

    def signing_key(self, day):
        if getattr(self, "key_day", None) != day:
            key = ("AWS4" + self.secret).encode()
            for part in (day, "us-east-1", "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self.key_day, self.key = day, key
        return self.key

    def s3(self, method, path, body=None):
        return self.ask(self.url, method, self.presign(method, path), body)

    def ask(self, url, method, target, body=None, headers=None):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
        try:
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def make_bucket(self):
        status, text = self.s3("PUT", f"/{BUCKET}")
        assert status in (200, 409), f"{self.name}: no bucket: {status} {text[:300]}"

    # ---- the catalog ----

    def rest(self, method, path, value=None):
        base = urllib.parse.urlsplit(self.catalog).path
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return self.ask(self.catalog, method, base + path, json.dumps(value) if value is not None else None, headers)

    def open_catalog(self):
        """Token and prefix; a server that has no token endpoint is asked without a token."""
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": self.access, "client_secret": self.secret,
                                       "scope": "PRINCIPAL_ROLE:ALL"})
        base = urllib.parse.urlsplit(self.catalog).path
        status, text = self.ask(self.catalog, "POST", base + "/v1/oauth/tokens", form,
                                {"Content-Type": "application/x-www-form-urlencoded"})
        if status == 200:
            self.token = json.loads(text)["access_token"]
        query = f"?warehouse={urllib.parse.quote(self.warehouse)}" if self.warehouse else ""
        status, text = self.rest("GET", "/v1/config" + query)
        assert status == 200, f"{self.name}: no catalog: {status} {text[:300]}"
        config = json.loads(text)
        prefix = config.get("overrides", {}).get("prefix", config.get("defaults", {}).get("prefix", ""))
        self.prefix = "/v1/" + (urllib.parse.quote(urllib.parse.unquote(prefix), safe="") + "/" if prefix else "")

    def make_tables(self, count):
        """A namespace with so many tables; their paths."""
        namespace = f"bench{os.urandom(4).hex()}"
        fields = [{"id": i + 1, "name": name, "required": False, "type": kind} for i, (name, kind) in enumerate(
            [("id", "long"), ("ts", "timestamptz"), ("name", "string"), ("value", "double"), ("day", "date")])]
        status, text = self.rest("POST", self.prefix + "namespaces", {"namespace": [namespace], "properties": {}})
        assert status == 200, f"{self.name}: no namespace: {status} {text[:300]}"
        tables = f"{self.prefix}namespaces/{namespace}/tables"
        for i in range(count):
            schema = {"type": "struct", "schema-id": 0, "identifier-field-ids": [], "fields": fields}
            status, text = self.rest("POST", tables, {"name": f"t{i}", "schema": schema, "properties": {}, "stage-create": False})
            assert status == 200, f"{self.name}: no table: {status} {text[:300]}"
        base = urllib.parse.urlsplit(self.catalog).path
        return [f"{base}{tables}/t{i}" for i in range(count)]

    # ---- the process ----

    def flushes(self):
        """Made so far for what was written; None where that is not told."""
        return None

    def pids(self):
        """Of those who listen on the S3 port of this machine, or the catalog's where there is no S3; none: it is elsewhere, or not ours to see."""
        address = urllib.parse.urlsplit(self.url or self.catalog)
        if address.hostname not in ("127.0.0.1", "localhost", "::1"):
            return []
        inodes = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table) as lines:
                for words in (line.split() for line in list(lines)[1:]):
                    if words[3] == "0A" and int(words[1].split(":")[1], 16) == address.port:
                        inodes.add(f"socket:[{words[9]}]")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if any(os.readlink(f"/proc/{pid}/fd/{fd}") in inodes for fd in os.listdir(f"/proc/{pid}/fd")):
                    found.append(int(pid))
            except OSError:
                continue
        return found


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        total += int(words[11]) + int(words[12])
    return total / os.sysconf("SC_CLK_TCK")


def anonymous_mib(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("RssAnon:"))
    return total / 1024


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Firn(Server):
    """Ours: started in a directory, with default settings but for free ports and the metrics that are counted here."""

    def __init__(self, binary, directory, store=None):
        self.binary, self.directory, self.store = os.path.abspath(binary), directory, store
        self.ports = free_port(), free_port()
        super().__init__("firn", f"http://127.0.0.1:{self.ports[0]}", "bench", "bench-secret-key",
                         f"http://127.0.0.1:{self.ports[1]}/api/catalog", "lakehouse")
        self.process = None

    def start(self):
        """Seconds until it is ready to serve."""
        environment = {"PATH": os.environ["PATH"], "FIRN_ROOT_USER": self.access, "FIRN_ROOT_PASSWORD": self.secret}
        if self.store:
            environment["FIRN_STORE"] = self.store
        command = [self.binary, "serve", "--data", os.path.join(self.directory, "data"), "--catalogs", "lakehouse", "--metrics", "on",
                   "--s3-address", f"127.0.0.1:{self.ports[0]}", "--catalog-address", f"127.0.0.1:{self.ports[1]}"]
        begin = time.monotonic()
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while not self.is_ready():
            assert self.process.poll() is None, f"firn ended: {open(os.path.join(self.directory, 'log')).read()[-2000:]}"
            assert time.monotonic() - begin < 120, "firn is not ready after two minutes"
            time.sleep(0.001)
        return time.monotonic() - begin

    def is_ready(self):
        try:
            return self.ask(self.url, "GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def stop(self, how=signal.SIGTERM):
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def pids(self):
        return [self.process.pid]

    def counters(self):
        """firn_NAME_total and firn_NAME as {NAME: value}; a histogram's sums are fractions of seconds."""
        text = self.ask(self.url, "GET", "/metrics")[1].decode()
        lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
        return {name.removeprefix("firn_").removesuffix("_total"): float(value) for name, value in lines}

    def flushes(self):
        """With rows in PostgreSQL most are made there, and are not counted here."""
        if self.store:
            return None
        counters = self.counters()
        return counters["journal_syncs"] + counters["volume_syncs"]
