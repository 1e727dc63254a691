"""source.py - what the lint scripts share: which files there are, and C without its comments and strings."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("storage/", "catalog/", "admin/", "server/", "tests/unit/")


def files(*endings):
    """The C files of the tree (tracked, or new and not ignored) that end so, from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    wanted = {f for f in listed if f.endswith(endings) and f.startswith(FOLDERS)}
    return sorted(f for f in wanted if os.path.exists(os.path.join(ROOT, f)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def bare(text):
    """The text with comments and the insides of literals blanked; every line stays where it is."""
    def blank(match):
        found = match.group()
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return TOKEN.sub(blank, text)


def rows(path):
    """The lines of one of our tables, split in words, without comments: (line number, words)."""
    for number, line in enumerate(read(path).splitlines(), 1):
        words = line.split("#")[0].split()
        if words:
            yield number, words


def report(complaints):
    """Print them and leave, with 1 if there are any."""
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)
