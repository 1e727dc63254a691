#!/bin/sh
# run.sh [SECONDS] [TARGET...]: every fuzz target (fuzz_*.c) for a while, under address and undefined behaviour sanitizers, from
# the corpus kept in tests/fuzz/corpus/TARGET. Ends with "N passed, N failed". What is found is left in build/fuzz/TARGET-*.
set -u
cd "$(dirname "$0")/../.."
seconds=${1:-20}
[ $# -gt 0 ] && shift
out=build/fuzz
flags="-std=gnu17 -O1 -g -I. -D_GNU_SOURCE -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined $(pkg-config --cflags libxml-2.0 libpq)"
libs="-lmicrohttpd -llmdb -ljansson -luuid -lxml2 -lcrypto -lcurl -lpthread -lz -lbz2 -llzma -lzstd -lsnappy -lpq"
passed=0 failed=0 executions=0
mkdir -p "$out"

# All product code once, instrumented, as one archive.
sources=$(git ls-files --cached --others --exclude-standard 'storage/*.c' 'catalog/*.c' 'admin/*.c' 'server/*.c' | grep -v -e '_test\.c$' -e '^server/main\.c$')
export flags out
# shellcheck disable=SC2086
printf '%s\n' $sources | xargs -P "$(nproc)" -I{} sh -c '
    object=$out/$(echo {} | tr / _).o
    [ "$object" -nt {} ] || clang $flags -fsanitize=fuzzer-no-link -c -o "$object" {}' || { echo "0 passed, 1 failed"; exit 1; }
rm -f "$out/product.a"
# shellcheck disable=SC2046,SC2086
ar rcs "$out/product.a" $(printf '%s\n' $sources | tr / _ | sed "s|^|$out/|; s|\$|.o|")

for file in ${*:-tests/fuzz/fuzz_*.c}; do
    target=$(basename "$file" .c)
    corpus=tests/fuzz/corpus/$target
    mkdir -p "$out/corpus/$target"
    [ -d "$corpus" ] || corpus=
    # shellcheck disable=SC2086
    if clang $flags -fsanitize=fuzzer -o "$out/$target" "tests/fuzz/$target.c" "$out/product.a" $libs &&
        "$out/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
            -artifact_prefix="$out/$target-" "$out/corpus/$target" $corpus > "$out/$target.log" 2>&1; then
        passed=$((passed + 1))
        n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log")
        executions=$((executions + n))
        echo "$target: $n executions"
    else
        failed=$((failed + 1))
        echo "FAILED: $target"
        tail -n 40 "$out/$target.log"
    fi
done
echo "$executions executions in all"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
