"""Reads a Dockerfile into its stages, as far as ours goes: what it does not know is an error, so that no step is passed over.

parse(text) gives [Stage]; a step is ("RUN", command), ("COPY", stage or None, [source...], target), ("WORKDIR", path), ("ENV", {name: value}).
"""
import dataclasses
import fnmatch
import json
import pathlib
import re
import shlex

SAYINGS = {"USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


@dataclasses.dataclass
class Stage:
    base: str
    name: str
    steps: list
    says: dict  # instruction -> its words, of those that do nothing while the image is built


def parse(text):
    stages = []
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        if not line.strip():
            continue
        word, rest = line.strip().split(None, 1)
        if word == "FROM":
            match = re.fullmatch(r"(\S+)(?: AS (\S+))?", rest)
            assert match, line
            stages.append(Stage(match[1], match[2] or "", [], {}))
        elif word == "RUN":
            stages[-1].steps.append(("RUN", rest))
        elif word == "COPY":
            words = rest.split()
            source = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
            assert len(words) >= 2 and not any(w.startswith("-") for w in words), line
            stages[-1].steps.append(("COPY", source, words[:-1], words[-1]))
        elif word == "WORKDIR":
            stages[-1].steps.append(("WORKDIR", rest))
        elif word == "ENV":
            stages[-1].steps.append(("ENV", dict(pair.split("=", 1) for pair in shlex.split(rest))))
        else:
            assert word in SAYINGS, f"not known: {line}"
            stages[-1].says[word] = rest
    return stages


def words_of(said):
    """CMD ["a", "b"] as a list."""
    return json.loads(said)


def context_files(top, ignore_text):
    """The files that COPY may see: all below top but those that the ignore file names; the last rule that fits wins."""
    rules = [line.strip() for line in ignore_text.splitlines() if line.strip() and not line.startswith("#")]

    def is_ignored(path):
        ignored = False
        for rule in rules:
            pattern = rule.removeprefix("!").rstrip("/")
            parts = str(path).split("/")
            if any(fnmatch.fnmatchcase("/".join(parts[:n]), pattern) for n in range(1, len(parts) + 1)):
                ignored = not rule.startswith("!")
        return ignored

    top = pathlib.Path(top)
    return [path for path in (p.relative_to(top) for p in sorted(top.rglob("*")) if not p.is_dir()) if not is_ignored(path)]
