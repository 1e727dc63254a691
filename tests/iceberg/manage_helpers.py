"""Principals, roles and grants made through the management API, in Polaris' shape."""
import uuid

from iceberg_helpers import Rest

MANAGEMENT = "/api/management/v1"


class Admin:
    """The management API by hand, as one principal (root unless told)."""

    def __init__(self, rest):
        self.rest = rest

    def call(self, method, path, **options):
        return self.rest.raw(method, MANAGEMENT + path, **options)

    def ok(self, method, path, **options):
        answer = self.call(method, path, **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fails(self, status, method, path, text="", **options):
        answer = self.call(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        error = answer.json()["error"]
        assert error["code"] == status and text in error["message"], error
        return error

    def person(self, name, catalog="lakehouse"):
        """A principal, its principal role and its catalog role, all of one name. Its credential."""
        made = self.ok("POST", "/principals", json={"principal": {"name": name}})
        self.ok("POST", "/principal-roles", json={"principalRole": {"name": name}})
        self.ok("POST", f"/catalogs/{catalog}/catalog-roles", json={"catalogRole": {"name": name}})
        self.ok("PUT", f"/principals/{name}/principal-roles", json={"principalRole": {"name": name}})
        self.ok("PUT", f"/principal-roles/{name}/catalog-roles/{catalog}", json={"catalogRole": {"name": name}})
        credentials = made["credentials"]
        return credentials["clientId"], credentials["clientSecret"]

    def grant(self, role, privilege, namespace=None, table=None, view=None, catalog="lakehouse", method="PUT"):
        kind = "table" if table else "view" if view else "namespace" if namespace else "catalog"
        grant = {"type": kind, "privilege": privilege}
        if namespace:
            grant["namespace"] = namespace if isinstance(namespace, list) else [namespace]
        if table:
            grant["tableName"] = table
        if view:
            grant["viewName"] = view
        return self.ok(method, f"/catalogs/{catalog}/catalog-roles/{role}/grants", json={"grant": grant})

    def revoke(self, role, privilege, **on):
        return self.grant(role, privilege, method="POST", **on)


def somebody(lake, *grants, **on):
    """Somebody new with these privileges (on the catalog, or what `on` says): their credential, the API as they see it, and their name."""
    admin, name = Admin(Rest(lake.catalog_url)), "p_" + uuid.uuid4().hex[:12]
    credential = admin.person(name)
    for privilege in grants:
        admin.grant(name, privilege, **on)
    return credential, Rest(lake.catalog_url, credential), name
