"""What the catalog's tests share beside fixtures: it is imported by worker processes too."""
import requests
from pyiceberg.catalog.rest import RestCatalog

ROOT = ("test-root", "test-root-secret")


class Rest:
    """The REST API by hand, for what clients do not show."""

    def __init__(self, url, credential=ROOT, base="/api/catalog", prefix="lakehouse"):
        self.url, self.base, self.prefix = url, url + base, prefix
        self.session = requests.Session()
        self.credential = credential
        if credential:
            self.session.headers["Authorization"] = "Bearer " + self.token()["access_token"]

    def token(self, **form):
        form = {"grant_type": "client_credentials", "client_id": self.credential[0], "client_secret": self.credential[1], "scope": "PRINCIPAL_ROLE:ALL", **form}
        answer = requests.post(self.base + "/v1/oauth/tokens", data=form, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def call(self, method, path, **options):
        return self.session.request(method, f"{self.base}/v1/{self.prefix}{path}", timeout=60, **options)

    def raw(self, method, path, **options):
        return self.session.request(method, self.url + path, timeout=60, **options)

    def ok(self, method, path, **options):
        answer = self.call(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def open_catalog(server, credential=ROOT, **options):
    return RestCatalog("firn", uri=server.catalog_url + "/api/catalog", warehouse="lakehouse", credential=":".join(credential), **options)
