"""The files of deploy/ that other programs read: they are taken by those programs, or hold what those demand; and the stacks that they replace find what they had."""
import os
import pathlib
import re
import subprocess

import dockerfile
import pytest
import yaml
from firn_server import BINARY

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))


def compose(path, *words, **environment):
    """The file as docker-compose understands it, variables filled in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FIRN_", "MINIO_", "POSTGRES_", "COMPOSE_"))}
    answer = subprocess.run(["docker-compose", "-f", path, *words, "config"], env={**clean, **environment}, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return yaml.safe_load(answer.stdout)


def settings_of(service):
    return {name: str(value) for name, value in service["environment"].items() if value is not None}


def container_port(text):
    return re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)(?:/tcp)?", str(text)).groups()


def exposed(service):
    return {container_port(port) for port in service["ports"]}


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_settings_of_a_stack_are_taken_by_the_server(path, tmp_path):
    for service in compose(path)["services"].values():
        if "firn" not in service["image"]:
            continue
        settings = settings_of(service)
        answer = subprocess.run([BINARY, "config", "check", "--data", tmp_path], env=settings, capture_output=True, text=True, timeout=60)
        assert answer.returncode == 0, answer.stderr
        listens = {"8333", "8181"} if "FIRN_S3_ADDRESS" not in settings else {settings["FIRN_S3_ADDRESS"].rsplit(":", 1)[1], "8181"}
        listens |= {settings[name].rsplit(":", 1)[1] for name in ("FIRN_STATUS_ADDRESS",) if name in settings}
        assert {inside for _, inside in exposed(service)} == listens
        assert service["cap_drop"] == ["ALL"] and service["read_only"] is True and "no-new-privileges:true" in service["security_opt"]


def test_003_one_service_has_the_names_ports_and_healthchecks_of_what_it_replaces():
    stack = compose(DEPLOY / "compose.yaml", "--profile", "postgres")
    polaris, postgres = stack["services"]["polaris"], stack["services"]["postgres"]
    assert set(stack["services"]) == {"polaris", "postgres"} and stack["networks"]["default"]["name"] == "lakehouse-network"
    assert polaris["container_name"] == "lakehouse-polaris"
    assert exposed(polaris) == {("8333", "8333"), ("8181", "8181"), ("9333", "9333")}
    names = {"seaweedfs-master", "seaweedfs-volume", "seaweedfs-filer", "seaweedfs-s3"} | {f"lakehouse-weed-{part}" for part in ("master", "volume", "filer", "s3")}
    assert names <= set(polaris["networks"]["default"]["aliases"])
    assert "http://localhost:9333/cluster/status" in polaris["healthcheck"]["test"][1] and "http://localhost:8181/api/management/v1/health" in polaris["healthcheck"]["test"][1]
    assert polaris["healthcheck"]["retries"] == 20
    assert any("/etc/seaweedfs/s3.json" in str(volume) for volume in polaris["volumes"])
    assert postgres["image"] == "postgres:15" and postgres["container_name"] == "lakehouse-postgres" and exposed(postgres) == {("5432", "5432")}
    assert postgres["environment"] == {"POSTGRES_DB": "polaris", "POSTGRES_USER": "polaris", "POSTGRES_PASSWORD": "polaris_secret"}
    assert postgres["healthcheck"] == {"test": ["CMD-SHELL", "pg_isready -U polaris"], "interval": "5s", "timeout": "5s", "retries": 10}


def test_003_without_the_profile_there_is_no_postgresql_and_the_store_is_passed_on_only_if_set():
    written = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert [name for name, service in written.items() if "profiles" not in service] == ["polaris"] and written["postgres"]["profiles"] == ["postgres"]
    assert "FIRN_STORE" not in settings_of(compose(DEPLOY / "compose.yaml")["services"]["polaris"])
    there = compose(DEPLOY / "compose.yaml", FIRN_STORE="postgresql://p@postgres/polaris")["services"]["polaris"]
    assert settings_of(there)["FIRN_STORE"] == "postgresql://p@postgres/polaris"


def test_004_one_service_has_the_ports_buckets_and_credentials_of_what_it_replaces():
    minio = compose(DEPLOY / "compose.minio.yaml")["services"]["minio"]
    assert {("9000", "9000"), ("9001", "9001")} <= exposed(minio)
    settings = settings_of(minio)
    assert settings["MINIO_ROOT_USER"] == settings["MINIO_ROOT_PASSWORD"] == "lingokidsadmin"
    assert settings["FIRN_BUCKETS"] == "raw-events,raw-users,raw-activities"
    assert any(str(volume).endswith(f":{settings['FIRN_INIT_DIR']}:ro") for volume in minio["volumes"])
    assert minio["healthcheck"]["test"] == ["CMD", "curl", "-f", "http://localhost:9000/minio/health/live"]
    changed = compose(DEPLOY / "compose.minio.yaml", MINIO_ROOT_USER="other")["services"]["minio"]
    assert settings_of(changed)["MINIO_ROOT_USER"] == "other"


def test_minios_health_routes_answer_without_credentials(server):
    import requests
    for route in ("live", "ready", "cluster"):
        assert requests.get(f"{server.url}/minio/health/{route}", timeout=30).status_code == 200
    assert requests.get(f"{server.url}/minio/health/other", timeout=30).status_code == 400  # no bucket's name


# --- the image ---


def test_the_image_is_built_in_stages_and_runs_as_a_user_without_rights():
    build, last = dockerfile.parse((DEPLOY / "Dockerfile").read_text())
    assert build.name == "build" and last.base == build.base
    assert [step for step in last.steps if step[0] == "COPY"][0][1] == "build"
    assert last.says["USER"] == "firn" and last.says["STOPSIGNAL"] == "SIGTERM"
    assert dockerfile.words_of(last.says["ENTRYPOINT"]) == ["firn"] and dockerfile.words_of(last.says["CMD"]) == ["serve"]
    environment = {name: value for step in last.steps if step[0] == "ENV" for name, value in step[1].items()}
    answer = subprocess.run([BINARY, "config", "check"], env=environment, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    ports = {environment[name].rsplit(":", 1)[1] for name in ("FIRN_S3_ADDRESS", "FIRN_CATALOG_ADDRESS")}
    assert set(last.says["EXPOSE"].split()) == ports and last.says["VOLUME"] == "/var/lib/firn"


def test_every_library_that_the_server_needs_is_in_the_image():
    """The packages that own the libraries which this build is linked with are installed, or come with every Debian."""
    libraries = re.findall(r"^\s*(\S+) => (/\S+)", subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout, re.MULTILINE)
    needed = re.findall(r"NEEDED.*\[(.+)\]", subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout)
    assert needed
    packages = set()
    for name, path in libraries:
        if name in needed:
            real = os.path.realpath(path)  # a package may still know it by its place before /lib became /usr/lib
            owner = subprocess.run(["dpkg", "-S", real, real.removeprefix("/usr")], capture_output=True, text=True).stdout
            packages.add(owner.split(":")[0])
    last = dockerfile.parse((DEPLOY / "Dockerfile").read_text())[-1]
    installed = set(" ".join(step[1] for step in last.steps if step[0] == "RUN").split())
    assert packages - {"libc6"} <= installed, packages - installed


def test_the_context_has_what_the_build_needs_and_no_more():
    files = {str(path) for path in dockerfile.context_files(DEPLOY.parent, (DEPLOY / "Dockerfile.dockerignore").read_text())}
    assert {"Makefile", "LICENSE", "server/main.c", "tests/lint/layers.txt", "deploy/install.sh"} <= files
    assert not [path for path in files if path.startswith(("build/", "docs/", "tests/s3", ".git/"))]


# --- Kubernetes ---


def test_kubernetes_one_pod_with_probes_a_claim_and_no_rights():
    service, stateful = yaml.safe_load_all((DEPLOY / "kubernetes/firn.yaml").read_text())
    assert (service["kind"], stateful["kind"], stateful["apiVersion"]) == ("Service", "StatefulSet", "apps/v1")
    spec, pod = stateful["spec"], stateful["spec"]["template"]["spec"]
    assert spec["replicas"] == 1 and spec["serviceName"] == service["metadata"]["name"]
    assert spec["selector"]["matchLabels"] == service["spec"]["selector"] == spec["template"]["metadata"]["labels"]
    container, = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} == set(ports)
    for probe, path in (("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/health/ready")):
        assert container[probe]["httpGet"]["path"] == path and container[probe]["httpGet"]["port"] in ports
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True and rights["allowPrivilegeEscalation"] is False and rights["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts["data"] == "/var/lib/firn" and set(mounts) == claims | {volume["name"] for volume in pod["volumes"]}
    settings = {entry["name"]: entry.get("value", "from-a-secret") for entry in container["env"]}
    answer = subprocess.run([BINARY, "config", "check", "--data", "/var/lib/firn/data"], env=settings, capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert pod["terminationGracePeriodSeconds"] > 8  # the setting `drain`


# --- systemd ---


def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path):
    unit = (DEPLOY / "firn.service").read_text().replace("/usr/local/bin/firn", str(pathlib.Path(BINARY).resolve()))
    (tmp_path / "firn.service").write_text(unit)
    answer = subprocess.run(["systemd-analyze", "verify", tmp_path / "firn.service"], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0 and "firn.service" not in answer.stderr, answer.stderr
    answer = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", tmp_path / "firn.service"], capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout[-300:]
