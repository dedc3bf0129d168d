#!/bin/sh
# Flink 2 beside the project's own Flink: a virtual environment under build/flink-2, for `make test-flink2`. Needs Python
# 3.12, Java 17 and Maven. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."

folder=build/flink-2
lock=flink-conf/flink-2.lock
log=build/flink-2.log
s3=org.apache.flink:flink-s3-fs-hadoop:2.3.0
state=$(cat "$lock" infra/flink_2.sh | cksum)
if [ -f "$folder/ready" ] && [ "$(cat "$folder/ready")" = "$state" ]; then exit 0; fi

fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

find_python() {
  for candidate in python3.12 "$HOME"/.pyenv/versions/3.12.*/bin/python "$HOME"/.local/share/uv/python/cpython-3.12*/bin/python; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
      python=$candidate; return 0
    fi
  done
  return 1
}

find_python || fail "Python 3.12 is missing, which Flink 2 is tested with: pyenv install 3.12, or uv python install 3.12"
echo "setup: installing Flink 2 and the locked Python packages into $folder (1.5 GB) …"
rm -rf "$folder"
"$python" -m venv "$folder" >"$log" 2>&1 || fail "no virtual environment could be made: see $log"
"$folder/bin/python" -m pip install --require-hashes -r "$lock" >>"$log" 2>&1 || fail "pip failed: see $log"
mvn -q -B -f flink-conf/pom.xml dependency:copy -Dartifact=$s3 -DoutputDirectory="$PWD/$folder/plugins/s3" >>"$log" 2>&1 ||
  fail "no S3 file system could be had: see $log"
printf '%s' "$state" >"$folder/ready"
