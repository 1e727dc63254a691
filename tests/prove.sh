#!/bin/sh
# prove.sh [HOURS]: the long forms of what CI runs short: kills under load, backups and clean-up with kills, and every fuzz target. About HOURS (1 by default) in
# all, on two cores; with 8 the kills are 1,000 cycles. Ends with "N passed, N failed"; logs are in build/log/.
set -u
cd "$(dirname "$0")/.."
hours=${1:-1}
case $hours in '' | *[!0-9]*) echo "prove.sh [HOURS]: '$hours' is not a number of hours" >&2; exit 2 ;; esac
log=build/log
passed=0 failed=0
mkdir -p "$log"

proof() { # NAME COMMAND...
    name=$1
    shift
    echo "$name: $log/prove-$name.txt"
    "$@" > "$log/prove-$name.txt" 2>&1
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log/prove-$name.txt" | tail -n 1)
    p=${counts%% *} f=${counts#*, } f=${f%% *}
    [ -n "$counts" ] || p=0 f=1
    passed=$((passed + p)) failed=$((failed + f))
    echo "$name: $p passed, $f failed"
}

sh deploy/install.sh test && make -j"$(nproc)" || { echo "0 passed, 1 failed"; exit 1; }
targets=$(ls tests/fuzz/fuzz_*.c | wc -l)
# 100,000 images and 200 live power cuts with 8 hours.
proof crash env FIRN_TEST_IMAGES=$((12500 * hours)) FIRN_TEST_POWERCUTS=$((13 * hours)) FIRN_TEST_TABLES=$((25 * hours)) FIRN_TEST_BACKUPS=$((7 * hours)) sh tests/crash/run.sh $((125 * hours))
proof fuzz sh tests/fuzz/run.sh $((1500 * hours / targets))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
