#!/bin/sh
# powercut.sh [CYCLES]: the power goes under a server at work: its file system (ext4, then xfs, on loop devices) is shut down with all that is not on the device, mounted again, and everything acknowledged must be
# there (objects.py). So many cycles on each. Ends with "N passed, N failed".
# It wants root, loop devices and mkfs. Where there are none it says so, and ends with "0 passed, 0 failed" and status 77: nothing was shown.
set -u
cd "$(dirname "$0")/../.."
cycles=${1:-4}
work=$(mktemp -d)
mounted=
clean_up() {
    for mount in $mounted; do umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null; done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
passed=0 failed=0

impossible() {
    echo "no live power cuts on this machine: $1"
    echo "0 passed, 0 failed"
    exit 77
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

cut_off() { # FILE-SYSTEM
    image=$work/$1.img mount=$work/$1
    mkdir "$mount"
    mounted="$mounted $mount"
    mount -o loop "$image" "$mount" || return 1
    python3 tests/crash/objects.py --data "$mount/data" --port "$(free_port)" --cycles "$cycles" --ak crash --sk crashcrash \
        --env FIRN_ROOT_USER=crash --env FIRN_ROOT_PASSWORD=crashcrash --journal "$work/$1.jsonl" --server-log "$work/$1.log" \
        --max-run 1.5 --max-size 1000000 --mpu-share .2 --crash-cmd "$work/fsdown $mount" \
        --between "umount $mount && mount -o loop $image $mount" -- \
        build/firn serve --data '{data}/store' --s3-address '127.0.0.1:{port}' --catalog-address 127.0.0.1:0 \
        --segment-size 1MiB --volume-size 16MiB --checkpoint-rows 128KiB --checkpoint-log 2MiB --disk-floor 16MiB
}

[ "$(id -u)" = 0 ] || impossible "not root"
gcc -O2 -Wall -Wextra -Werror -o "$work/fsdown" tests/crash/fsdown.c || { echo "0 passed, 1 failed"; exit 1; }
for fs in ext4 xfs; do
    command -v mkfs.$fs > /dev/null || impossible "no mkfs.$fs"
    truncate -s 1G "$work/$fs.img"
    mkfs.$fs -q "$work/$fs.img" || impossible "mkfs.$fs failed"
    mkdir "$work/try.$fs"
    mount -o loop "$work/$fs.img" "$work/try.$fs" 2> "$work/mount.txt" || impossible "$(cat "$work/mount.txt")"
    umount "$work/try.$fs"
done
for fs in ext4 xfs; do
    if cut_off $fs; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $fs"; tail -n 20 "$work/$fs.log"; fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
