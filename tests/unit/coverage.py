"""coverage.py BUILD [--lines] FOLDER... - which share of each folder's lines and branches the tests ran.

BUILD holds what `make SAN=cov unit` left: objects with their .gcno and .gcda. Tests themselves do not count. A branch is a way out of a condition; those that
gcc makes for exceptions do not exist in C. --lines prints, below each file, the lines that no test ran.
"""
import json
import os
import pathlib
import subprocess
import sys

BATCH = 64  # files of one gcov


class Sum:
    def __init__(self):
        self.lines = self.lines_run = self.branches = self.branches_run = 0

    def add(self, other):
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def row(self, name):
        def share(run, total):
            return f"{100 * run / total:6.1f} %" if total else "     -  "
        return f"{name:42} {share(self.lines_run, self.lines)} of {self.lines:6} lines  {share(self.branches_run, self.branches)} of {self.branches:6} branches"


def gcov(notes):
    """The reports of gcov on these files: a dictionary each."""
    for at in range(0, len(notes), BATCH):
        out = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *map(str, notes[at:at + BATCH])], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def sum_of(file):
    s, missed = Sum(), []
    for line in file["lines"]:
        s.lines += 1
        s.lines_run += line["count"] > 0
        s.branches += len(line["branches"])
        s.branches_run += sum(b["count"] > 0 for b in line["branches"])
        if not line["count"]:
            missed.append(line["line_number"])
    return s, missed


def folder_files(build, folder):
    notes = [n for n in sorted((build / folder).glob("*.gcno")) if not n.stem.endswith("_test")]
    files = {}
    for report in gcov(notes):
        for file in report["files"]:
            name = os.path.relpath(file["file"])
            if os.path.dirname(name) == folder and name.endswith(".c"):
                files[name] = sum_of(file)
    return files


def main():
    words = sys.argv[1:]
    has_lines = "--lines" in words
    build, *folders = [w for w in words if not w.startswith("--")]
    total = Sum()
    for folder in folders:
        files = folder_files(pathlib.Path(build), folder)
        s = Sum()
        for name, (one, missed) in sorted(files.items()):
            s.add(one)
            if has_lines:
                print(one.row("  " + name))
                print("    not run:", " ".join(map(str, missed)) or "none")
        if files:
            print(s.row(folder))
        total.add(s)
    print(total.row("all"))


main()
