#!/bin/sh
# prove.sh [HOURS [NAME...]]: the long forms of what CI runs short. HOURS may be a fraction: with 8 the amounts are those of the table below, with other hours their share (at least 1), and
# the time is about as long. NAMEs: only these proofs. Ends with "N passed, N failed"; what each printed is in build/log/prove-NAME.txt.
#
# A proof is a row: its name, how much of it 8 hours are, and a command in which {n} is that amount. A command that prints "N passed, N failed" is counted by the last such line, any other
# as one. Of unit tests the amount is FIRN_TEST_SCALE (tests/unit/test.h): so many times what CI does.
set -u
cd "$(dirname "$0")/.."

proofs() {
    cat <<'END'
kills                  1000  sh tests/crash/run.sh mixed={n}
kills-multipart         200  sh tests/crash/run.sh multipart={n}
kills-commits        100000  sh tests/crash/run.sh commits={n}
kills-postgresql        200  sh tests/crash/run.sh tables-postgresql={n}
kills-shared            200  sh tests/crash/run.sh tables-shared={n}
kills-external          100  sh tests/crash/run.sh tables-external={n}
backups                  50  sh tests/crash/run.sh backup={n}
maintenance             200  sh tests/crash/run.sh maintenance={n}
maintenance-external     50  sh tests/crash/run.sh maintenance-external={n}
register            1000000  sh tests/crash/run.sh register={n}
races                  1000  sh tests/crash/run.sh races={n}
siege                  5000  sh tests/crash/run.sh siege={n}
objects-model            50  env FIRN_TEST_SCALE={n} make unit DIR=storage/object TEST=those_of_a_model
torn-tails               50  env FIRN_TEST_SCALE={n} make unit DIR=storage/object TEST=a_torn_tail
flipped-bits             50  env FIRN_TEST_SCALE={n} make unit DIR=storage/object TEST=a_flipped_bit
rows-serial              50  env FIRN_TEST_SCALE={n} make unit DIR=storage/meta TEST=strictly_serialisable
power                100000  sh tests/crash/power/run.sh {n}
powercut                100  sh tests/crash/powercut.sh {n}
fuzz                    400  sh tests/fuzz/run.sh {n}
END
}

hours=${1:-1}
[ $# -eq 0 ] || shift
printf '%s\n' "$hours" | grep -Eq '^([0-9]+|[0-9]*\.[0-9]+)$' || { echo "prove.sh [HOURS [NAME...]]: '$hours' is not a number of hours" >&2; exit 2; }
for name; do
    proofs | grep -q "^$name " || { echo "no proof '$name'; there are: $(proofs | awk '{ printf "%s ", $1 }')" >&2; exit 2; }
done
log=build/log
mkdir -p "$log"
passed=0 failed=0

prove() { # NAME COMMAND
    start=$(date +%s)
    sh -c "$2" > "$log/prove-$1.txt" 2>&1 < /dev/null
    status=$?
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log/prove-$1.txt" | tail -n 1)
    [ -n "$counts" ] || counts="1 passed, 0 failed"
    p=${counts%% *} f=${counts#*, } f=${f%% *}
    # What failed without a count, and what found nothing to run, has proven nothing.
    [ "$status" -eq 0 ] && [ $((p + f)) -gt 0 ] || [ "$f" -gt 0 ] || p=0 f=1
    passed=$((passed + p)) failed=$((failed + f))
    echo "$1: $p passed, $f failed ($(($(date +%s) - start)) s): $2"
    [ "$f" -eq 0 ] || tail -n 20 "$log/prove-$1.txt"
}

sh deploy/install.sh test && make -j"$(nproc)" > "$log/prove-build.txt" 2>&1 && sh tests/run.sh python > "$log/prove-python.txt" 2>&1 || { echo "0 passed, 1 failed"; exit 1; }
proofs > "$log/prove.rows"
while read -r name amount command; do
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    n=$(awk "BEGIN { n = int($amount * $hours / 8); print (n > 1 ? n : 1) }")
    prove "$name" "$(printf '%s\n' "$command" | sed "s/{n}/$n/g")"
done < "$log/prove.rows"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
