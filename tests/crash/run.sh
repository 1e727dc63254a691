#!/bin/sh
# run.sh [NAME=ROUNDS...]: kill -9 under load, and nothing acknowledged may be lost. Without arguments all of them, as often as CI does. Ends with "N passed, N failed".
#   mixed, multipart   puts, overwrites, deletes, copies and uploads in parts (a harness of its own: objects.py --help); ROUNDS kills
#   tables             table commits by several writers; the metadata chain must be whole; ROUNDS kills
#   tables-postgresql  the same with rows in PostgreSQL, which is killed too
#   tables-shared      the same with two servers on one PostgreSQL
#   tables-external    the same with two servers whose tables lie at another S3 endpoint
#   commits            tables, until ROUNDS commits of eight writers are acknowledged
#   register           ROUNDS operations of eight clients on five keys, with kills: each key is linearisable (linear.py)
#   races              ROUNDS rounds of 16 writers with If-None-Match, and as many increments through If-Match by each of 8
#   siege              ROUNDS slow clients of each kind, resets, no descriptors, a clock that jumps: others go on being served (siege.py)
#   backup             backups of a server under load, some cut off by a kill; each of ROUNDS is restored and compared
#   maintenance        ROUNDS random tables whose snapshots expire: the files that are left are those that are needed
#   maintenance-external  the same at another S3 endpoint
#   power              the power goes at any point: ROUNDS images of what a disk may hold then, built from a record of all that was written
#   powercut           the same live, on file systems that are shut down, ROUNDS on each; where the machine does not let us it counts as nothing
# Checkpoints and reclaiming are forced to run often, so that kills land inside them.
set -u
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- mixed=50 multipart=11 tables=30 tables-postgresql=25 tables-shared=10 tables-external=8 register=10000 races=60 siege=300 backup=9 maintenance=40 maintenance-external=10 power=1000 powercut=4
python=build/venv/bin/python
[ -x "$python" ] || python=python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
objects() { # CYCLES [harness options]
    cycles=$1
    shift
    mkdir -p "$work/$name"
    python3 tests/crash/objects.py --data "$work/$name/data" --port "$(free_port)" --cycles "$cycles" --ak crash --sk crashcrash \
        --env FIRN_ROOT_USER=crash --env FIRN_ROOT_PASSWORD=crashcrash --server-log "$work/$name.log" --max-run 1.5 "$@" -- \
        build/firn serve --data '{data}' --s3-address '127.0.0.1:{port}' --catalog-address 127.0.0.1:0 \
        --segment-size 4MiB --volume-size 64MiB --checkpoint-rows 256KiB --checkpoint-log 8MiB
}
run() { # NAME ROUNDS
    case $1 in
    mixed) objects "$2" ;;
    multipart) objects "$2" --mpu-share .75 --writers 6 ;;
    tables) "$python" tests/crash/tables.py --cycles "$2" ;;
    tables-postgresql) "$python" tests/crash/tables.py --cycles "$2" --postgresql ;;
    tables-shared) "$python" tests/crash/tables.py --cycles "$2" --servers 2 --writers 8 ;;
    tables-external) "$python" tests/crash/tables.py --cycles "$2" --servers 2 --writers 8 --external ;;
    commits) "$python" tests/crash/tables.py --commits "$2" --writers 8 --tables 8 --max-run 4 ;;
    register) "$python" tests/crash/register.py --operations "$2" ;;
    races) "$python" tests/crash/races.py --rounds "$2" ;;
    siege) "$python" tests/crash/siege.py --clients "$2" ;;
    backup) "$python" -W ignore tests/crash/backup.py --rounds "$2" ;;
    maintenance) "$python" -W ignore tests/crash/maintenance.py --tables "$2" ;;
    maintenance-external) "$python" -W ignore tests/crash/maintenance.py --external --tables "$2" ;;
    power) sh tests/crash/power/run.sh "$2" ;;
    powercut) sh tests/crash/powercut.sh "$2" ;;
    *) echo "no '$1'; the head of this file has what there is" >&2; false ;;
    esac
}

for argument; do
    name=${argument%%=*}
    run "$name" "${argument#*=}"
    case $? in 0) passed=$((passed + 1)) ;; 77) echo "$name: not possible on this machine" ;; *) failed=$((failed + 1)); echo "FAILED: $name" ;; esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
