"""layers.py - every #include "..." against layers.txt: a folder may include itself and the folders its row names."""
import os
import re

import source

TABLE = "tests/lint/layers.txt"


def read_table(complaints):
    allowed = {}
    for number, words in source.rows(TABLE):
        folder, names = words[0].rstrip(":"), words[1:]
        for name in names:
            if name not in allowed:
                complaints.append(f"{TABLE}:{number}: {folder} names {name}, which is no row above it")
        allowed[folder] = set(names) | {folder}
    return allowed


def check(path, allowed, complaints):
    folder = os.path.dirname(path)
    is_test = path.endswith(("_test.c", "_test.h"))
    if folder not in allowed:
        complaints.append(f"{path}:1: its folder has no row in {TABLE}")
        return
    for number, line in enumerate(source.read(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not match:
            continue
        target = os.path.dirname(match.group(1))
        if "/" not in match.group(1):
            complaints.append(f"{path}:{number}: name the header from the root, not \"{match.group(1)}\"")
        elif is_test and target == "tests/unit":
            continue
        elif target not in allowed[folder]:
            complaints.append(f"{path}:{number}: {folder} may not include {target} ({TABLE})")


def main():
    complaints = []
    allowed = read_table(complaints)
    for path in source.files(".c", ".h", ".def"):
        if not path.startswith("tests/"):
            check(path, allowed, complaints)
    source.report(complaints)


main()
