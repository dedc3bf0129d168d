#!/bin/sh
# Everything a fresh clone needs, once: Python 3.11, a JDK, Maven; the virtual environment from the lock file; the
# connector jar and the S3 plugin; the compiled forest; Flink's classes. Safe to interrupt and to repeat; a second run
# does nothing.
set -eu
cd "$(dirname "$0")/.."

inputs="requirements.lock pyproject.toml flink-conf/pom.xml infra/setup.sh"
stamp=build/ready
state=$(cat $inputs | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] && [ -x .venv/bin/kda ]; then
  exit 0
fi

say() { printf '%s\n' "setup: $*"; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

# need WHAT COMMAND-THAT-SUCCEEDS-WHEN-THERE PACKAGES…: install as root on Debian, otherwise say how.
need() {
  what=$1 there=$2; shift 2
  if $there; then return 0; fi
  can_install || fail "$what is missing: sudo apt-get install -y $*"
  say "$what is missing: apt-get install $*"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >>"$log" 2>&1 ||
    fail "apt-get could not install $*: see $log"
  $there || fail "$what is still missing after apt-get install $*; install it by hand"
}

# step LABEL COMMAND…: run it with its output in the log, a dot a second meanwhile.
step() {
  label=$1; shift
  printf '%s' "setup: $label "
  "$@" >>"$log" 2>&1 &
  pid=$!
  trap 'kill $pid 2>/dev/null; exit 130' INT TERM
  while kill -0 $pid 2>/dev/null; do printf .; sleep 1; done
  trap - INT TERM
  if wait $pid; then echo " done"; else echo " failed"; tail -n 15 "$log" >&2; fail "$label failed: the whole output is in $log"; fi
}

find_python() {
  for candidate in python3.11 python3 /usr/bin/python3.11; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      python=$(command -v "$candidate"); return 0
    fi
  done
  return 1
}

java_is_right() { "$1/bin/javac" -version 2>&1 | grep -qE '^javac (11|17)\.'; }

find_java() {
  for home in "${JAVA_HOME:-}" "$(readlink -f "$(command -v javac || true)" 2>/dev/null | sed 's|/bin/javac$||')" /usr/lib/jvm/*; do
    if [ -n "$home" ] && java_is_right "$home"; then JAVA_HOME=$home; export JAVA_HOME; return 0; fi
  done
  return 1
}

find_maven() { command -v mvn >/dev/null 2>&1; }

venv_works() { .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

case $PWD in *[[:space:]]*) fail "Flink's Python workers can't start from a path with a space, and this is $PWD: move the clone" ;; esac
mkdir -p build
log=build/setup.log
: >"$log"

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || say "made and tested on Linux x86_64; this is $(uname -s)-$(uname -m)"
need "Python 3.11" find_python python3.11 python3.11-venv
need "a JDK of version 11 or 17" find_java openjdk-17-jdk-headless
need "Maven" find_maven maven

rm -f "$stamp"
venv_works || step "making .venv" "$python" -m venv --clear .venv
step "installing the locked Python packages (1.4 GB; minutes on a slow line)" \
  .venv/bin/python -m pip install --require-hashes -r requirements.lock
step "installing the kda command" .venv/bin/python -m pip install --no-deps --no-build-isolation -e .
step "building the connector jar" mvn -B -f flink-conf/pom.xml package
step "compiling forest, detector and decoder" .venv/bin/python -c 'from udfs.warm_up import warm_up; warm_up()'
step "archiving Flink's classes, which makes it start sooner" .venv/bin/python -m infra.class_archive
printf '%s' "$state" >"$stamp"
say "ready"
