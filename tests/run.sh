#!/bin/sh
# run.sh: installs what the tests need, builds Firn, and runs all tests. The last line is "N passed, N failed".
#
#   sh tests/run.sh                 everything (CI)
#   sh tests/run.sh STEP [STEP...]  some steps: see the list at the end of this file
#
# Each step is a command whose output holds lines "N passed, N failed"; they are summed. A step that ends with an error without counting one
# counts as one failure. Logs are in build/log/STEP.txt.
set -u
cd "$(dirname "$0")/.."
export WERROR=1
jobs=$(nproc)
venv=build/venv
log=build/log
mkdir -p "$log"
passed=0 failed=0 failures=

prepare_python() {
    wanted=$(cat tests/requirements.txt)
    [ -x "$venv/bin/pytest" ] && [ "$(cat "$venv/installed.txt" 2>/dev/null)" = "$wanted" ] && return 0
    rm -rf "$venv"
    python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r tests/requirements.txt &&
        cp tests/requirements.txt "$venv/installed.txt"
}

# pytest's last line, as ours; without one, something failed before it.
pytest_counts() {
    awk '/^=+ .*(passed|failed|error).* =+$/ { p = f = 0
             if (match($0, /[0-9]+ passed/)) p = substr($0, RSTART) + 0
             if (match($0, /[0-9]+ failed/)) f = substr($0, RSTART) + 0
             if (match($0, /[0-9]+ error/)) f += substr($0, RSTART) + 0
             if (match($0, /[0-9]+ skipped/)) f += substr($0, RSTART) + 0   # a skipped test is one that was not run
             line = p " passed, " f " failed" }
         END { print line ? line : "0 passed, 1 failed" }'
}

# Files of tests run beside each other, each against servers of its own.
python_tests() { # DIRECTORIES
    prepare_python || { echo "0 passed, 1 failed"; return 1; }
    # shellcheck disable=SC2086
    "$venv/bin/pytest" -q -p no:cacheprovider -n "$jobs" --dist loadfile $1 > "$log/pytest.$$" 2>&1
    status=$?
    cat "$log/pytest.$$"
    sed 's/^\([0-9]* [a-z]*\)\(.*\) in [0-9.]*s.*$/= \1\2 =/' "$log/pytest.$$" | pytest_counts
    rm -f "$log/pytest.$$"
    return $status
}

step_build() { make -j"$jobs" && build/firn version && echo "1 passed, 0 failed"; }
step_check() { sh tests/lint/check.sh --all && echo "1 passed, 0 failed"; }
step_unit() { make -j"$jobs" unit; }
step_asan() { make -j"$jobs" asan; }
step_tsan() { make -j"$jobs" tsan; }
step_fuzz() { sh tests/fuzz/run.sh "${FUZZ_SECONDS:-20}"; }
step_s3() { python_tests tests/s3; }
step_iceberg() { python_tests tests/iceberg; }
step_clients() { python_tests tests/clients; }
# The whole of the edges once more, under address and undefined behaviour sanitizers; a report ends the server, and with it the tests.
step_e2e_asan() {
    make -j"$jobs" SAN=asan && FIRN_BINARY="$PWD/build/asan/firn" ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 python_tests "tests/s3 tests/iceberg"
}
# And under the thread sanitizer: a race ends the server.
step_e2e_tsan() {
    make -j"$jobs" SAN=tsan && FIRN_BINARY="$PWD/build/tsan/firn" TSAN_OPTIONS=halt_on_error=1:exitcode=66 python_tests "tests/s3 tests/iceberg"
}
part() { # COMMAND of step_postgresql, which sums them
    parts=$((parts + 1))
    "$@" > "$log/postgresql.$parts" 2>&1 || echo "$* ended with status $?" >> "$log/postgresql.bad"
    cat "$log/postgresql.$parts"
    grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log/postgresql.$parts" | tail -n 1 >> "$log/postgresql.sums"
}
# All that stands on rows once more, with rows in PostgreSQL: unit tests of the folders above them, then the edges but for the table of privileges, which does not
# touch the engine in other ways than the rest, and backups, which are of the embedded engine (tests/store has what is said of them). Summed here, since a step's last line counts.
step_postgresql() {
    parts=0
    : > "$log/postgresql.bad"
    : > "$log/postgresql.sums"
    export FIRN_TEST_STORE=postgresql
    part make -j"$jobs" unit DIR="storage/volume storage/object catalog/commit"
    part python_tests "tests/store tests/s3 tests/iceberg --ignore=tests/iceberg/test_truth_table.py --ignore=tests/iceberg/test_backup.py"
    export FIRN_TEST_STORE=postgresql-shared # the catalog again, by a server that has no volumes
    part python_tests "tests/iceberg/test_rest.py tests/iceberg/test_commit.py tests/iceberg/test_management.py"
    unset FIRN_TEST_STORE
    cat "$log/postgresql.bad"
    awk '{ p += $1; f += $3 } END { print p + 0 " passed, " f + 0 " failed" }' "$log/postgresql.sums"
    [ ! -s "$log/postgresql.bad" ]
}
step_deploy() { python_tests tests/deploy; }
step_crash() { prepare_python && sh tests/crash/run.sh; }
# What tests/prove.sh needs of this file.
step_python() { prepare_python && echo "1 passed, 0 failed"; }
step_docs() { make docs && git diff --exit-code --stat docs deploy/firn.conf && echo "1 passed, 0 failed"; }

run_step() {
    start=$(date +%s)
    "step_$1" > "$log/$1.txt" 2>&1
    status=$?
    # A runner may print its sum after lines for its parts: the last line counts.
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log/$1.txt" | tail -n 1)
    p=${counts%% *} f=${counts#*, } f=${f%% *}
    [ -n "$counts" ] || p=0 f=0
    [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1
    [ "$status" -ne 0 ] || [ $((p + f)) -gt 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f))
    echo "$1: $p passed, $f failed ($(($(date +%s) - start)) s)"
    [ "$f" -eq 0 ] || { failures="$failures $1"; tail -n 60 "$log/$1.txt"; }
}

sh deploy/install.sh test || { echo "0 passed, 1 failed"; exit 1; }
all="build check unit asan tsan fuzz s3 iceberg clients deploy e2e_asan e2e_tsan postgresql crash docs"
for step in ${*:-$all}; do
    case " $all python " in
    *" $step "*) run_step "$step" ;;
    *) echo "no step '$step'; there are: $all" >&2; exit 2 ;;
    esac
done
[ -z "$failures" ] || echo "failed steps:$failures (build/log/)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
