#!/bin/sh
# run.sh [-w WORD] UNIT...: runs binaries of unit tests, as many at once as there are processors, also after one has failed, and sums their last lines ("N passed, N failed"), which is the last line here.
# WORD: only tests with it in their names. What a binary prints stands in UNIT.out; here it is seen as it comes if there is one alone, else only what failed, at the end.
set -u
word=
[ "${1:-}" != -w ] || { word=$2; shift 2; }
export word
passed=0 failed=0

for unit; do rm -f "$unit.out" "$unit.status"; done # of an earlier run
if [ $# -eq 1 ]; then
    # shellcheck disable=SC2086
    { "$1" $word; echo $? > "$1.status"; } 2>&1 | tee "$1.out"
else
    printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh -c '{} $word > {}.out 2>&1; echo $? > {}.status; echo "{}: $(tail -n 1 {}.out)"'
fi
several=$(($# > 1))
for unit; do
    # shellcheck disable=SC2046
    set -- $(tail -n 1 "$unit.out" 2>&1 | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p')
    [ $# -eq 2 ] || { echo "$unit ended without its last line"; set -- 0 1; }
    [ "$(cat "$unit.status" 2>&1)" = 0 ] || [ "$2" -gt 0 ] || { echo "$unit ended badly"; set -- "$1" 1; }
    [ "$2" -eq 0 ] || [ "$several" -eq 0 ] || cat "$unit.out"
    passed=$((passed + $1)) failed=$((failed + $2))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
