"""banned.py - functions that product code does not call (banned.txt)."""
import re

import source

TABLE = "tests/lint/banned.txt"


def main():
    banned = {words[0]: (words[1].split(","), " ".join(words[2:])) for _, words in source.rows(TABLE)}
    # A call: the name and a bracket, not a member of something (.open, ->open) and not the tail of another name.
    call = re.compile(r"(?<![\w.>])(" + "|".join(banned) + r")\s*\(")
    complaints = []
    for path in source.files(".c", ".h"):
        if path.startswith("tests/") or path.endswith("_test.c"):
            continue
        for number, line in enumerate(source.bare(source.read(path)).splitlines(), 1):
            for match in call.finditer(line):
                allowed, instead = banned[match.group(1)]
                if not any(path.startswith(a) if a.endswith("/") else path == a for a in allowed):
                    complaints.append(f"{path}:{number}: {match.group(1)} is banned: {instead} ({TABLE})")
    source.report(complaints)


main()
