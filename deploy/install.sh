#!/bin/sh
# install.sh build|test: installs the Debian packages that are missing, for building Firn or for running its tests too.
# Needs root or sudo only when something is missing.
set -eu

build="gcc make pkg-config libc6-dev libmicrohttpd-dev liblmdb-dev libjansson-dev libxml2-dev libssl-dev uuid-dev
       libcurl4-openssl-dev zlib1g-dev libbz2-dev liblzma-dev libzstd-dev libsnappy-dev libpq-dev ca-certificates"
test="$build python3 python3-venv clang libclang-rt-14-dev clang-format clang-tidy cppcheck curl git postgresql-15 zsh docker-compose systemd
      e2fsprogs xfsprogs"

case ${1:-} in
build) wanted=$build ;;
test) wanted=$test ;;
*) sed -n 2,3p "$0"; exit 2 ;;
esac

missing=
for package in $wanted; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install.sh: run as root (or install sudo): missing$missing" >&2; exit 1; }
    sudo=sudo
fi
echo "installing:$missing"
$sudo apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
