#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# time-limit: 1800
#
# ci/Containerfile by a real builder, on a Debian that debootstrap makes from the machine's own
# mirror, since a registry may be out of reach; then steps in the image, as its user.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
build()
{
    buildah --root "$work/store" --runroot "$work/run" "$@"
}

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' \
    'Codename: bookworm' 'Component: main' | head -n 1)
debootstrap --variant=minbase --include=ca-certificates bookworm "$work/debian" "$mirror"
cp /etc/apt/sources.list.d/debian.sources "$work/debian/etc/apt/sources.list.d/" &&
    rm -f "$work/debian/etc/apt/sources.list"
tar -C "$work/debian" -cf "$work/debian.tar" .
base=$(build from scratch)
build add -q "$base" "$work/debian.tar" /
build commit -q "$base" docker.io/library/debian:12-slim
build bud --pull-never -t factline -f ci/Containerfile .

image=$(build from factline)
mkdir "$work/xcom"
chown 65534 "$work/xcom"
printf '%s,%s\n' '{"form_id":"f1","domain":"d"' \
    '"xmlns":"x","received_on":"2024-03-01T00:00:00Z"}' >"$work/forms.ndjson"
step()
{
    build run --volume "$PGHOST/.s.PGSQL.$PGPORT:/run/server/.s.PGSQL.5432" \
        --volume "$work/xcom:/airflow/xcom" --volume "$work/forms.ndjson:/forms.ndjson:ro" \
        --env PGHOST=/run/server --env PGUSER=postgres --env PGDATABASE="$PGDATABASE" \
        "$image" -- "$@"
}
step id -u | grep -qx 65534
step migrate-warehouse >/dev/null
step load-staging form --source /forms.ndjson --run-key pod/1 \
    --result-file /airflow/xcom/return.json >"$work/line"
cmp "$work/line" "$work/xcom/return.json"
step transform-fact form --run-key pod/1 | grep -q '"rows_inserted":1,'
for task in tasks/*/main.c; do
    task=$(basename "$(dirname "$task")")
    step "$task" --version | grep -q "^$task (factline) "
done
status=0
step load-staging form --source /gone.ndjson --run-key pod/2 || status=$?
[ "$status" = 74 ] || { echo "a missing file: status $status, not 74" && exit 1; }
echo "ok 1 the image of ci/Containerfile is built and runs steps as its user"
