"""sizes.py - files of at most 600 lines, functions of at most 70.

An exception is a line of sizes.txt with the present size: "path lines" or "path:function lines". It may shrink, not grow; when it
has shrunk, its line has to follow, so that what was won is not lost again.
"""
import re

import source

TABLE = "tests/lint/sizes.txt"
FILE_MAX = 600
FUNCTION_MAX = 70


def functions(text):
    """(name, line, lines) of every function: its brace stands alone in the first column, and so does the one that ends it."""
    lines = source.bare(text).splitlines()
    begin = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            begin = number - 1
            while begin > 1 and lines[begin - 2].strip() and not re.search(r"[;}]\s*$|^#|\*/", lines[begin - 2]):
                begin -= 1
            head = " ".join(lines[begin - 1:number - 1])
            head = re.sub(r"__attribute__\s*\(\(.*?\)\)\s*\)?", " ", head)
            # A test is named by what stands in the brackets of TEST.
            name = re.search(r"\bTEST\((\w+)\)", head) or re.search(r"(\w+)\s*\(", head)
        elif line.startswith("}") and begin:
            yield (name.group(1) if name else "?"), begin, number - begin + 1
            begin = None


def main():
    allowed = {words[0]: (number, int(words[1])) for number, words in source.rows(TABLE)}
    complaints, sizes = [], {}
    for path in source.files(".c", ".h"):
        text = source.read(path)
        sizes[path] = (1, text.count("\n"), FILE_MAX)
        for name, begin, lines in functions(text):
            sizes[f"{path}:{name}"] = (begin, lines, FUNCTION_MAX)
    for key, (line, lines, limit) in sizes.items():
        most = max(limit, allowed.get(key, (0, 0))[1])
        if lines > most:
            path, _, name = key.partition(":")
            what = f"{name} has" if name else "the file has"
            complaints.append(f"{path}:{line}: {what} {lines} lines, {most} are allowed")
    for key, (number, size) in allowed.items():
        _, lines, limit = sizes.get(key, (0, 0, 0))
        if lines < size:
            want = f"has shrunk to {lines}: lower its number" if lines > limit else "needs no exception any more"
            complaints.append(f"{TABLE}:{number}: {key} {want}")
    source.report(complaints)


main()
