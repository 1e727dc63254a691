"""A strict reader of the Prometheus text format (version 0.0.4): what it accepts, every scraper does.

read(text) gives {metric: Metric}; anything that the format does not allow, or that a scraper would silently drop, is an AssertionError with its line.
"""
import dataclasses
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclasses.dataclass
class Metric:
    help: str
    type: str
    samples: dict  # (name, ((label, value), ...)) -> number


def labels_of(text, line):
    found, end = [], 0
    while end < len(text):
        match = LABEL.match(text, end)
        assert match, f"labels: {line}"
        found.append((match[1], match[2]))
        end = match.end()
    assert len({name for name, _ in found}) == len(found), f"a label twice: {line}"
    return tuple(found)


def check_histogram(name, metric):
    series = {}
    for (sample, labels), value in metric.samples.items():
        rest = tuple(pair for pair in labels if pair[0] != "le")
        bounds = series.setdefault(rest, {"buckets": []})
        if sample == name + "_bucket":
            bounds["buckets"].append((float(dict(labels)["le"]), value))
        else:
            assert rest == labels, f"le on {sample}"
            bounds[sample] = value
    for rest, found in series.items():
        bounds, counts = zip(*found["buckets"])
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, (name, rest, bounds)
        assert list(counts) == sorted(counts) and counts[-1] == found[name + "_count"], (name, rest, counts)
        assert found[name + "_sum"] >= 0


def read(text):
    assert text.endswith("\n")
    metrics, current = {}, None
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            current, explained = line[len("# HELP "):].split(" ", 1)
            assert re.fullmatch(NAME, current) and current not in metrics and explained, f"HELP: {line}"
            metrics[current] = Metric(explained, "", {})
        elif line.startswith("# TYPE "):
            name, kind = line[len("# TYPE "):].split(" ")
            assert name == current and not metrics[name].type and not metrics[name].samples and kind in SUFFIXES, f"TYPE: {line}"
            assert kind != "counter" or name.endswith("_total"), f"a counter's name: {line}"
            metrics[name].type = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            metric = metrics[current]
            assert match[1] in [current + suffix for suffix in SUFFIXES[metric.type]], f"not below its own TYPE: {line}"
            key = (match[1], labels_of(match[2] or "", line))
            assert key not in metric.samples, f"twice: {line}"
            metric.samples[key] = float(match[3])
            assert metric.type == "gauge" or metric.samples[key] >= 0, f"negative: {line}"
    for name, metric in metrics.items():
        assert metric.type, f"{name} has no TYPE"
        if metric.type == "histogram":
            check_histogram(name, metric)
    return metrics
