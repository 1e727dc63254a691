"""Metrics are what every scraper reads, every operation is counted, and what dashboard and alert rules ask for is there."""
import json
import pathlib
import re

import exposition
import promql
import pytest
import requests
import yaml
from firn_server import ROOT

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    from firn_server import Server
    server = Server(tmp_path_factory.mktemp("watched"), ["--metrics", "--catalogs", "lakehouse"]).start()
    s3 = server.boto()
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="small", Body=b"x")
    s3.put_object(Bucket="bucket", Key="large", Body=bytes(300_000))
    for _ in range(3):
        assert len(s3.get_object(Bucket="bucket", Key="large")["Body"].read()) == 300_000
    assert requests.get(server.url + "/bucket/none", timeout=30).status_code == 403
    token = requests.post(server.catalog_url + "/api/catalog/v1/oauth/tokens", timeout=30,
                          data={"grant_type": "client_credentials", "client_id": ROOT[0], "client_secret": ROOT[1], "scope": "PRINCIPAL_ROLE:ALL"}).json()["access_token"]
    for path in ("/api/catalog/v1/lakehouse/namespaces", "/api/management/v1/principals", "/api/firn/v1/catalogs/lakehouse/maintenance/status"):
        assert requests.get(server.catalog_url + path, headers={"Authorization": "Bearer " + token}, timeout=30).status_code == 200
    yield server
    assert server.stop() == 0


def scrape(server):
    answer = requests.get(server.url + "/metrics", timeout=30)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return exposition.read(answer.text)


def test_operations_are_counted_with_their_outcome_and_time(watched):
    metrics = scrape(watched)
    counted = {tuple(v for _, v in labels): n for (_, labels), n in metrics["firn_operation_requests_total"].samples.items()}
    assert counted["s3", "PutObject", "2xx"] == 2 and counted["s3", "GetObject", "2xx"] == 3 and counted["s3", "GetObject", "4xx"] == 1
    assert counted["management", "ListPrincipals", "2xx"] == 1 and counted["maintenance", "MaintenanceStatus", "2xx"] == 1
    assert counted["catalog", "ListNamespaces", "2xx"] == 1 and counted["s3", "CreateBucket", "2xx"] == 1
    seconds = metrics["firn_operation_seconds"].samples
    assert seconds["firn_operation_seconds_count", (("api", "s3"), ("operation", "PutObject"))] == 2
    assert seconds["firn_operation_seconds_sum", (("api", "s3"), ("operation", "PutObject"))] > 0


def test_flushes_queues_sizes_and_limits_are_there(watched):
    value = {name: n for metric in scrape(watched).values() for (name, labels), n in metric.samples.items() if not labels}
    assert value["firn_writable"] == 1
    assert 0 <= value["firn_meta_queue"] <= value["firn_meta_queue_max"] and 0 <= value["firn_http_offloads"] <= value["firn_http_offloads_max"]
    for what in ("journal", "volume"):
        assert value[f"firn_{what}_flush_seconds_count"] > 0 and value[f"firn_{what}_syncs_total"] > 0 and value[f"firn_{what}_flush_seconds_sum"] > 0
    assert value["firn_volume_live_bytes"] >= 300_000 and value["firn_journal_segments"] >= 1
    assert value["firn_disk_total_bytes"] > value["firn_disk_free_bytes"] > value["firn_disk_floor_bytes"] == 256 << 20
    assert value["firn_process_resident_bytes"] > 1 << 20
    for limit in ("firn_meta_queue_max", "firn_http_offloads_max", "firn_http_connections_max", "firn_memtable_max_bytes"):
        assert value[limit] > 0
    assert value["firn_signing_key_hits_total"] > 0 and value["firn_signing_key_misses_total"] > 0


def test_every_metric_of_the_documentation_is_there_and_no_other(watched):
    documented = set(re.findall(r"^\| `(firn_\w+)", (DEPLOY.parent / "docs/METRICS.md").read_text(), re.MULTILINE))
    assert documented == set(scrape(watched))


def expressions():
    """(where, PromQL) of the dashboard and the rules; the dashboard's variables as Grafana fills them in."""
    dashboard = json.loads((DEPLOY / "grafana/firn.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield "panel " + panel["title"], target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield "variable " + variable["name"], variable["query"]
    for group in yaml.safe_load((DEPLOY / "prometheus/firn.rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield "alert " + rule["alert"], rule["expr"]


def names_and_labels(metrics):
    found = {}
    for metric in metrics.values():
        for name, labels in metric.samples:
            found.setdefault(name, {"instance", "job"}).update(label for label, _ in labels)  # what the scraper adds
    return found


def test_dashboard_and_rules_ask_for_metrics_that_there_are(watched):
    there = names_and_labels(scrape(watched))
    asked = 0
    for where, expression in expressions():
        for name, labels in promql.metrics_of(expression).items():
            if name in ("up", "instance"):  # the scraper's own; an argument of label_values
                continue
            asked += 1
            assert name in there, f"{where}: no metric {name}"
            assert labels <= there[name], f"{where}: {name} has no label {labels - there[name]}"
    assert asked > 40


def test_panels_do_not_overlap_and_rules_say_what_and_how_bad():
    dashboard = json.loads((DEPLOY / "grafana/firn.json").read_text())
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    operate = (DEPLOY.parent / "docs/OPERATE.md").read_text()
    for group in yaml.safe_load((DEPLOY / "prometheus/firn.rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
            assert f"`{rule['alert']}`" in operate, f"OPERATE.md does not say what to do for {rule['alert']}"


@pytest.mark.parametrize("wrong", ["sum(firn_x", "rate(firn_x)", "firn_x > ", "nosuch(firn_x)", "firn_x{a}", "firn_x + / firn_y", "firn_x]"])
def test_the_check_of_expressions_finds_mistakes(wrong):
    with pytest.raises(AssertionError):
        promql.metrics_of(wrong)


@pytest.mark.parametrize("wrong", ["a 1\n", "# HELP a b\n# TYPE a gauge\na 1\na 2\n", "# HELP a b\n# TYPE a counter\na 1\n", '# HELP a b\n# TYPE a gauge\na{x="\n',
                                   "# HELP a b\n# TYPE a gauge\nb 1\n", '# HELP a b\n# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n'])
def test_the_reader_of_metrics_finds_mistakes(wrong):
    with pytest.raises((AssertionError, KeyError)):
        exposition.read(wrong)
