#!/bin/sh
# target.sh TARGET SECONDS OUT: build one fuzz target on OUT/product.a and run it; run.sh calls it, with $flags and $libs. Its executions go to OUT/TARGET.n, what it printed to OUT/TARGET.log.
set -u
target=$1 seconds=$2 out=$3
corpus=tests/fuzz/corpus/$target
mkdir -p "$out/corpus/$target"
rm -f "$out/$target.n"
[ -d "$corpus" ] || corpus=
# shellcheck disable=SC2086,SC2154
if clang $flags -fsanitize=fuzzer -o "$out/$target" "tests/fuzz/$target.c" "$out/product.a" $libs > "$out/$target.log" 2>&1 &&
    "$out/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$out/$target-" "$out/corpus/$target" $corpus > "$out/$target.log" 2>&1; then
    sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log" > "$out/$target.n"
    echo "$target: $(cat "$out/$target.n") executions"
else
    echo "FAILED: $target"
fi
