#!/bin/sh
# run.sh [IMAGES] [SEED]: builds the proof by power cut (power.h) and has it check so many images, on all cores. Ends with "N passed, N failed".
# Images are made in memory (/dev/shm, or FIRN_POWER_DIR): a few megabytes at a time. Records of those that fail stay in build/power/.
set -u
cd "$(dirname "$0")/../../.."
images=${1:-1000}
seed=${2:-$(date +%s)}
parent=${FIRN_POWER_DIR:-/dev/shm}
[ -w "$parent" ] || parent=${TMPDIR:-/tmp}
mkdir -p build/power
rm -f build/power/run.*.txt
flags="-std=gnu17 -O2 -g -pthread -Wall -Wextra -Wshadow -Werror -I. -D_GNU_SOURCE -ffunction-sections -Wl,--gc-sections -Wl,--as-needed"
libs="-llmdb -ljansson -luuid -lxml2 -lcrypto -lcurl -lpthread -lz -lbz2 -llzma -lzstd -lsnappy -lpq"
archives=
for folder in storage/base storage/remote storage/meta storage/volume storage/object catalog/model catalog/commit admin/store; do
    archives="$archives build/$folder/folder.a"
done
# shellcheck disable=SC2086
make -j"$(nproc)" libs > build/power/make.txt 2>&1 &&
    gcc $flags -o build/power/power tests/crash/power/*.c -Wl,--start-group $archives -Wl,--end-group $libs || {
    tail -n 20 build/power/make.txt
    echo "0 passed, 1 failed"
    exit 1
}
dir=$(mktemp -d "$parent/power.XXXXXX")
trap 'rm -rf "$dir"' EXIT
build/power/power lie "$dir/lie" "$seed" > build/power/lie.txt 2>&1 || {
    tail -n 3 build/power/lie.txt
    echo "0 passed, 1 failed"
    exit 1
}
tail -n 1 build/power/lie.txt
jobs=$(nproc)
for job in $(seq "$jobs"); do
    build/power/power run "$dir/$job" $((seed + job - 1)) $(((images + jobs - 1) / jobs)) > "build/power/run.$job.txt" 2>&1 &
done
wait
for job in $(seq "$jobs"); do
    grep -vE '^[0-9]+ passed, [0-9]+ failed$' "build/power/run.$job.txt"
    # One that ended without its sum counts as a failure.
    grep -qE '^[0-9]+ passed, [0-9]+ failed$' "build/power/run.$job.txt" || echo "0 passed, 1 failed" >> "build/power/run.$job.txt"
done
cat build/power/run.[0-9]*.txt | awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 } END { print p + 0 " passed, " f + 0 " failed"; exit f > 0 }'
