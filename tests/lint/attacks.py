"""attacks.py - each attack case keeps the tests that are named after it.

A test against a case of the threat list has the case's number in its name: TEST(d8_...), test_d8_d11_... attacks.txt has how many there are of each; it may grow, and then its line has to
follow, but not shrink: so a test does not vanish in silence.  `--print` prints the table as it is now.
"""
import collections
import re
import subprocess
import sys

import source

TABLE = "tests/lint/attacks.txt"


def tests():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*_test.c", "tests/**.py"], cwd=source.ROOT, check=True, capture_output=True, text=True).stdout.split()
    for path in listed:
        yield from re.findall(r"^(?:TEST\(|def test_)(\w+)", source.read(path), re.MULTILINE)


def counts():
    found = collections.Counter()
    for name in tests():
        found.update({case.upper() for case in re.findall(r"(?:^|_)([a-g]\d+)(?=_)", name.lower())})
    return found


def main():
    found = counts()
    if "--print" in sys.argv:
        for case in sorted(found, key=lambda c: (c[0], int(c[1:]))):
            print(case, found[case])
        return
    complaints, wanted = [], {words[0]: (number, int(words[1])) for number, words in source.rows(TABLE)}
    for case, (number, least) in wanted.items():
        if found[case] < least:
            complaints.append(f"{TABLE}:{number}: {case} had {least} tests, and now has {found[case]}")
    for case in sorted(found):
        if found[case] > wanted.get(case, (0, 0))[1]:
            complaints.append(f"{TABLE}: {case} has {found[case]} tests: its line follows (attacks.py --print)")
    source.report(complaints)


main()
