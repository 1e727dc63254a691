#!/bin/sh
# run.sh [CYCLES]: kill -9 under load, and nothing acknowledged may be lost. Ends with "N passed, N failed".
#   objects.py   puts, overwrites, deletes, copies and uploads in parts (a harness of its own: objects.py --help)
#   tables.py    table commits by several writers; the metadata chain must be whole. Once more with PostgreSQL, which is killed too, and with two servers on it
#   backup.py    backups of a server under load, some cut off by a kill; each is restored and compared (FIRN_TEST_BACKUPS rounds)
#   maintenance.py  random tables whose snapshots expire: the files that are left are those that are needed (FIRN_TEST_TABLES of them)
#   power/run.sh the power goes at any point: images of what a disk may hold then, built from a record of all that was written (FIRN_TEST_IMAGES of them)
#   powercut.sh  the same live, on file systems that are shut down, where the machine lets us (FIRN_TEST_POWERCUTS on each)
# Checkpoints and reclaiming are forced to run often, so that kills land inside them.
set -u
cd "$(dirname "$0")/../.."
cycles=${1:-50}
python=build/venv/bin/python
[ -x "$python" ] || python=python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
count() { # NAME STATUS
    if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $1"; fi
}
objects() { # NAME CYCLES [harness options]
    name=$1 n=$2
    shift 2
    python3 tests/crash/objects.py --data "$work/$name/data" --port "$(free_port)" --cycles "$n" --ak crash --sk crashcrash \
        --env FIRN_ROOT_USER=crash --env FIRN_ROOT_PASSWORD=crashcrash --server-log "$work/$name.log" --max-run 1.5 "$@" -- \
        build/firn serve --data '{data}' --s3-address '127.0.0.1:{port}' --catalog-address 127.0.0.1:0 \
        --segment-size 4MiB --volume-size 64MiB --checkpoint-rows 256KiB --checkpoint-log 8MiB
    count "$name" $?
}

mkdir -p "$work/mixed" "$work/multipart"
objects mixed "$cycles"
objects multipart $((cycles / 5 + 1)) --mpu-share .75 --writers 6
if [ -f tests/crash/tables.py ]; then
    "$python" tests/crash/tables.py --cycles $((cycles * 3 / 5))
    count tables $?
    "$python" tests/crash/tables.py --cycles $((cycles / 2)) --postgresql
    count tables-postgresql $?
    "$python" tests/crash/tables.py --cycles $((cycles / 5)) --servers 2 --writers 8
    count tables-shared $?
fi
sh tests/crash/power/run.sh "${FIRN_TEST_IMAGES:-1000}"
count power $?
sh tests/crash/powercut.sh "${FIRN_TEST_POWERCUTS:-4}" | tee "$work/powercut.txt"
tail -n 1 "$work/powercut.txt" | grep -q '^0 passed, 0 failed$' || count powercut "$(tail -n 1 "$work/powercut.txt" | grep -q ', 0 failed$'; echo $?)"
"$python" -W ignore tests/crash/backup.py --rounds "${FIRN_TEST_BACKUPS:-9}"
count backup $?
"$python" -W ignore tests/crash/maintenance.py --tables "${FIRN_TEST_TABLES:-40}"
count maintenance $?
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
