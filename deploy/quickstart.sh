#!/bin/sh
# quickstart.sh: from a checkout on Debian 12 to a running lakehouse with a sample table in it. Ctrl-C stops it; started again it goes on.
#
#   sh deploy/quickstart.sh          needs root or sudo only to install packages that are missing
#
# The data is in ./firn-data, or where FIRN_DATA says. Every other setting is the server's own (firn serve --help), given as FIRN_NAME.
set -eu

bucket=lakehouse
here=$PWD
cd "$(dirname "$0")/.."
case ${FIRN_DATA:=firn-data} in
/*) data=$FIRN_DATA ;;
*) data=$here/$FIRN_DATA ;;
esac
export FIRN_DATA="$data" FIRN_BUCKETS="${FIRN_BUCKETS:-$bucket}" FIRN_CATALOGS="${FIRN_CATALOGS:-$bucket}"
unset FIRN_ENDPOINT FIRN_CATALOG_ENDPOINT FIRN_CATALOG # of some other server
firn=build/firn

build() {
    sh deploy/install.sh build
    make -s -j"$(nproc)"
}

# However this script ends, the server ends with it. Ctrl-C reaches it too, but not where a shell starts it with SIGINT ignored: it is told by TERM.
stop() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    kill -TERM "$server" 2>/dev/null || exit "$status"
    wait "$server" || status=$?
    exit "$status"
}

start() {
    if [ -e "$data/endpoints.json" ]; then
        if $firn health --data "$data" >/dev/null 2>&1; then
            echo "quickstart.sh: a server runs on $data already" >&2
            exit 1
        fi
        rm -f "$data/endpoints.json" # of a server that was killed
    fi
    mkdir -p "$(dirname "$data")"
    FIRN_LOG_LEVEL="${FIRN_LOG_LEVEL:-warn}" $firn serve &
    server=$!
    trap stop EXIT
    trap 'exit 0' INT TERM HUP
    until $firn health --data "$data" >/dev/null 2>&1; do
        kill -0 "$server" 2>/dev/null || { wait "$server"; exit 1; }
        sleep 0.1
    done
}

# The table's files name each other as s3://lakehouse/sample/orders/..., so that is where they go.
sample() {
    $firn table show sample.orders --catalog "$bucket" --data "$data" >/dev/null 2>&1 && return 0
    (cd deploy/sample && find orders -type f) | while read -r file; do
        $firn object put "deploy/sample/$file" "$bucket/sample/$file" --data "$data" >/dev/null
    done
    $firn namespace create sample --catalog "$bucket" --data "$data" >/dev/null 2>&1 || true # it may be there
    metadata=$(cd deploy/sample && ls orders/metadata/00001-*.metadata.json)
    $firn table register sample.orders "s3://$bucket/sample/$metadata" --catalog "$bucket" --data "$data"
}

first_of() { # API: its first address in endpoints.json
    sed -n "s/.*\"$1\": \[\"\([^\"]*\)\".*/\1/p" "$data/endpoints.json"
}

credential() { # NAME: from the environment, else from the file that the first start wrote
    eval "value=\${$1:-}"
    [ -n "$value" ] || value=$(sed -n "s/^$1=//p" "$data.root")
    echo "$value"
}

show() {
    s3=$(first_of s3)
    catalog=$(first_of catalog)
    user=$(credential FIRN_ROOT_USER)
    password=$(credential FIRN_ROOT_PASSWORD)
    cat <<END

Firn is running. Data: $data (and $data.key, $data.root beside it)

  S3 API            $s3
  Iceberg catalog   $catalog/api/catalog   (warehouse: $bucket)
  root              $user
  password          $password

aws-cli:
  export AWS_ACCESS_KEY_ID='$user' AWS_SECRET_ACCESS_KEY='$password' AWS_DEFAULT_REGION=us-east-1
  aws --endpoint-url $s3 s3 ls --recursive s3://$bucket/

PyIceberg (pip install "pyiceberg[pyarrow]"):
  from pyiceberg.catalog import load_catalog
  catalog = load_catalog("firn", type="rest", uri="$catalog/api/catalog", warehouse="$bucket", credential="$user:$password")
  print(catalog.load_table("sample.orders").scan().to_arrow())

DuckDB:
  INSTALL iceberg; LOAD iceberg; INSTALL httpfs; LOAD httpfs;
  CREATE SECRET firn (TYPE iceberg, CLIENT_ID '$user', CLIENT_SECRET '$password', OAUTH2_SERVER_URI '$catalog/api/catalog/v1/oauth/tokens');
  ATTACH '$bucket' AS $bucket (TYPE iceberg, ENDPOINT '$catalog/api/catalog', SECRET firn);
  SELECT region, sum(amount) FROM $bucket.sample.orders GROUP BY region ORDER BY region;

The command line:
  $PWD/$firn table show sample.orders --data $data

Ctrl-C stops it.
END
}

build
start
sample
show
wait "$server"
