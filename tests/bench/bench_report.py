"""bench_report.py - the figures of a run, as a table, and the page that is written from them: what stands there was measured, and nothing else."""
import datetime
import os
import platform
import shutil
import statistics
import subprocess

CEILINGS = ("dd", "fdatasync loop", "nginx")

results, notes = {}, []  # row -> column -> figures of the rounds


def record(row, column, value):
    results.setdefault(row, {}).setdefault(column, []).append(value)


def note(row, text):
    notes.append((row, text))


def table(names):
    """Lines of markdown: medians of ours, the named others and the ceilings, and ours divided by each of them."""
    columns = ["firn", *names, *(c for c in CEILINGS if any(c in row for row in results.values()))]
    ratios = columns[1:]
    yield "| | " + " | ".join(columns + [f"firn / {c}" for c in ratios]) + " |"
    yield "|---" * (1 + len(columns) + len(ratios)) + "|"
    for row, found in results.items():
        medians = {c: statistics.median(v) for c, v in found.items()}
        cells = [figure(medians[c]) if c in medians else "" for c in columns]
        cells += [f"{medians['firn'] / medians[c]:.2f}" if "firn" in medians and medians.get(c) else "" for c in ratios]
        yield f"| {row} | " + " | ".join(cells) + " |"
    for row, text in notes:
        yield f"\n{row}: {text}."


def figure(value):
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


# ---- the page ----

def page(conditions, names, binary, variables):
    """docs/BENCHMARKS.md. Of the peers only the names are said, which should have their versions: addresses and keys stay out."""
    peers = "".join(f" {name}=..." for name in names)
    settings = "".join(f"{key}={value} " for key, value in variables.items())
    facts = [("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")), ("machine", machine()),
             ("system", f"{platform.system()} {platform.release()}"), ("firn", output(binary, "--version")), ("commit", commit()),
             ("nginx", output(shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-v")), ("peers", ", ".join(names) or "none"),
             ("command", f"`{settings}sh tests/bench/run.sh{peers}`"), ("conditions", conditions)]
    yield "# Benchmarks\n"
    yield "Written by `make bench PAGE=docs/BENCHMARKS.md` from what one run measured; not edited by hand. Compare within a row only.\n"
    yield "| | |\n|---|---|"
    yield from (f"| {name} | {value} |" for name, value in facts if value)
    yield ""
    yield from table(names)


def machine():
    with open("/proc/cpuinfo") as f:
        models = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    with open("/proc/meminfo") as f:
        gib = int(f.readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores ({models[0] if models else platform.machine()}), {gib:.0f} GiB"


def commit():
    text = output("git", "describe", "--always", "--dirty", "--abbrev=9")
    return text and f"`{text}`"


def output(*command):
    """The first line that a program prints about itself; empty if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, TypeError, subprocess.CalledProcessError):
        return ""
    return (done.stdout or done.stderr).strip().split("\n")[0]
