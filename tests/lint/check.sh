#!/bin/sh
# check.sh - hold the house style. Prints what is wrong with file:line, and ends non-zero if anything is.
#
#   sh tests/lint/check.sh          the tables over the whole tree (fast), the slow tools over what changed against HEAD
#   sh tests/lint/check.sh --all    everything over the whole tree
#   sh tests/lint/check.sh --fix    format what changed in place, then check
#   sh tests/lint/check.sh FILE...  the slow tools over these files
#
# clang-format is held for .c files only: headers are manuals, and are set by hand.
set -u
cd "$(dirname "$0")/../.." || exit 2

scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 2' INT TERM
failed=0
fix= named=
compile="-std=gnu17 -I. -D_GNU_SOURCE $(pkg-config --cflags libxml-2.0 libpq)"
jobs=$(nproc)

case "${1:-}" in
--all) shift; changed="git ls-files --cached --others --exclude-standard" ;;
--fix) shift; fix=1; changed= ;;
*) changed= ;;
esac
if [ $# -gt 0 ]; then
    named=1
    changed="printf %s\n $*"
elif [ -z "$changed" ] && ! git rev-parse -q --verify HEAD >/dev/null; then
    changed="git ls-files --cached --others --exclude-standard"
fi

# What the slow tools look at: existing C files of our folders. A header stands for its .c too.
{ if [ -n "$changed" ]; then $changed; else
    git diff --name-only HEAD; git ls-files --others --exclude-standard; fi; } |
    grep -E '^(storage|catalog|admin|server|tests/unit)/.*\.[ch]$' | sort -u | while read -r file; do
        [ -f "$file" ] && echo "$file"
        own="${file%.h}.c"
        [ "$file" != "$own" ] && [ -f "$own" ] && echo "$own"
    done | sort -u >"$scratch/files"
grep '\.c$' "$scratch/files" >"$scratch/c"
grep '\.h$' "$scratch/files" >"$scratch/h"

# step NAME COMMAND...: its output is shown only when it fails.
step()
{
    name=$1; shift
    if "$@" >"$scratch/out" 2>&1; then
        printf 'ok    %s\n' "$name"
    else
        cat "$scratch/out"
        printf 'FAIL  %s\n' "$name"
        failed=1
    fi
}

# Several at once; xargs fails if any does. An empty list is fine.
over() # LIST COMMAND...: run it for each file of the list
{
    list=$1; shift
    xargs -r -P "$jobs" -n 1 "$@" <"$list"
}

header_alone()
{
    over "$scratch/h" gcc $compile -Wall -Wextra -Werror -fsyntax-only -x c
}

format()
{
    [ -z "$fix" ] || xargs -r clang-format -i <"$scratch/c"
    xargs -r clang-format --dry-run --Werror <"$scratch/c" 2>"$scratch/format" && return 0
    sed -n 's/^\([^ :]*:[0-9]*\):[0-9]*: error:.*/\1: not as clang-format has it (check.sh --fix)/p' "$scratch/format" | uniq
    return 1
}

# Tabs, blanks at the end of a line: .c and headers alike.
whitespace()
{
    xargs -r awk '/\t/ { print FILENAME ":" FNR ": a tab"; bad = 1 }
        /[ \r]$/ { print FILENAME ":" FNR ": blanks at the end of the line"; bad = 1 }
        END { exit bad }' <"$scratch/files"
}

# One file a process: the analyzer of clang 14 mistakes every va_list in a second file for uninitialised. What it says of a header is
# shown once; the steps that led to a finding are shown when the file is checked by name.
tidy()
{
    over "$scratch/c" sh -c 'clang-tidy --quiet "$2" -- $1 2>/dev/null' tidy "$compile" >"$scratch/tidy" && return 0
    sed -i "s|^$PWD/\(\./\)*||" "$scratch/tidy"
    if [ -n "$named" ]; then cat "$scratch/tidy"; else grep -E ': (warning|error): ' "$scratch/tidy" | sort -u; fi
    return 1
}

cppcheck_files()
{
    [ -s "$scratch/c" ] || return 0
    cppcheck --quiet --error-exitcode=1 --std=c11 --language=c --enable=warning,performance,portability -j "$jobs" \
        --inline-suppr --suppressions-list=tests/lint/cppcheck.txt --template='{file}:{line}: {message} [{id}]' \
        -D_GNU_SOURCE -D__linux__ -I. --file-list="$scratch/c"
}

step layers   python3 tests/lint/layers.py
step vendors  python3 tests/lint/vendors.py
step sizes    python3 tests/lint/sizes.py
step banned   python3 tests/lint/banned.py
step attacks  python3 tests/lint/attacks.py
step headers  header_alone
step blanks   whitespace
step format   format
step tidy     tidy
step cppcheck cppcheck_files

[ $failed = 0 ] && echo "$(wc -l <"$scratch/files") files looked at closely: nothing is wrong"
exit $failed
