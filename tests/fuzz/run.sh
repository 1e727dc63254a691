#!/bin/sh
# run.sh [SECONDS] [TARGET...]: every fuzz target (fuzz_*.c) for a while, as many at once as there are processors, under address and undefined behaviour sanitizers, from
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

# Each target keeps one processor busy.
export libs
targets=$(for file in ${*:-tests/fuzz/fuzz_*.c}; do basename "$file" .c; done)
rm -f "$out"/*.n # of an earlier run
printf '%s\n' $targets | xargs -P "$(nproc)" -I{} sh tests/fuzz/target.sh {} "$seconds" "$out"
for target in $targets; do
    if [ -s "$out/$target.n" ]; then
        passed=$((passed + 1)) executions=$((executions + $(cat "$out/$target.n")))
    else
        failed=$((failed + 1))
        echo "$target:"
        tail -n 40 "$out/$target.log"
    fi
done
echo "$executions executions in all"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
