"""vendors.py - foreign headers are included by their owners only (vendors.txt)."""
import re

import source

TABLE = "tests/lint/vendors.txt"


def main():
    owners = [(words[0], tuple(words[1:])) for _, words in source.rows(TABLE)]
    complaints = []
    for path in source.files(".c", ".h"):
        for number, line in enumerate(source.read(path).splitlines(), 1):
            match = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
            if not match:
                continue
            for header, allowed in owners:
                is_vendors = match.group(1).startswith(header) if header.endswith("/") else match.group(1) == header
                # A name that ends in / is a folder; a test may use what its module uses.
                tested = path.replace("_test.c", ".c")
                if is_vendors and not any(tested.startswith(a) if a.endswith("/") else tested == a for a in allowed):
                    complaints.append(f"{path}:{number}: <{match.group(1)}> belongs to {', '.join(allowed)} ({TABLE})")
    source.report(complaints)


main()
