#!/bin/sh
# Makes the environment that the image has: build.sh FOLDER, from the checkout, with the Python that is first on PATH.
# The Dockerfile runs it, and so does a test, outside of any container.
set -eu
target=$1
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip="python3 -m pip --disable-pip-version-check --no-cache-dir --quiet"

# Hatchling, which makes the wheel, is as fixed as what runs later.
PIP_CONSTRAINT=deploy/container/build-constraints.txt \
  $pip wheel --no-deps --wheel-dir "$work" .

python3 -m venv --without-pip "$target"
wheel=$(echo "$work"/penstock-*.whl)
# Everything of the extra `server` but its built-in Redis; and what talks to PostgreSQL, Kafka and other people's HTTP.
$pip --python "$target/bin/python" install --no-compile --constraint constraints.txt \
  "penstock[http,telemetry,postgresql,kafka,outgoing] @ file://$wheel" click rich

# Where it came from is of no use later, and different each time.
rm -f "$target"/lib/python*/site-packages/penstock-*.dist-info/direct_url.json
# Bytecode now, since later nobody may write. By hash instead of by time, so that it is the same each time.
python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$target"/lib/python*/site-packages
