#!/bin/sh
# run.sh [NAME=S3-URL,ACCESS,SECRET[,CATALOG-URL[,WAREHOUSE]]]...   (make bench PEERS="...")
#
# Measures build/firn, with its default settings, side by side with the servers that are named, and with what the machine can do at all: dd with a
# final flush, a loop of fdatasync, nginx if it is installed. Each phase goes over all servers before the next begins, so that they meet the same
# machine. Prints a table in markdown, with ratios; judge those, and only of one run: other work on the machine makes all figures noise.
#
#   FIRN      the binary                                  [build/firn]
#   SECONDS_EACH  of a phase on one server                [3]
#   REPEAT    rounds over all phases; medians are printed [1]
#   LISTED    keys in the bucket that is listed far into  [20000; the goal is stated for 1000000]
#   OBJECTS   in the store that is killed and started     [100000; the goal is stated for 10000000: half an hour more]
#   OVERWRITE seconds for which up to 1000000 of these are overwritten in any order [0; the goal is stated for 600]
#   STORE     postgresql://... for our rows: a database without any yet
#   PAGE      write what was measured there, as docs/BENCHMARKS.md, with machine, versions and commands. Name the peers with their versions
#   WORK      a directory on the disk that is meant       [a new one under build/]
#
# Without an S3-URL ("NAME=,ID,SECRET,CATALOG-URL,WAREHOUSE") a server is measured as a catalog only.
# A bucket "bench" and namespaces "bench..." are made on every server and left there. Needs wrk and python3.
set -eu
cd "$(dirname "$0")/../.."
command -v wrk >/dev/null || { echo "bench: wrk is missing (apt-get install wrk)" >&2; exit 1; }
[ -x "${FIRN:-build/firn}" ] || { echo "bench: ${FIRN:-build/firn} is missing (make)" >&2; exit 1; }
exec python3 tests/bench/bench.py "$@"
