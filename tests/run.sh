#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests through CTest.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'EOF'
usage: tests/run.sh [--full] [--jobs N]

Builds and runs the tests; installs missing packages with apt first (as root or through sudo).

  (no flag)   unit tests under ASan and UBSan; integration tests, and those of the agent as a process, on the
              release build; a test whose real peer (Prometheus, Docker, ...) is not installed is skipped and
              says why
  --full      installs the peers, too, without leaving any service of theirs running, and adds the threaded
              parts under TSan and some seconds of each fuzz target; nothing that can run is skipped
  --jobs N    parallel build and test jobs (default: one per core)
EOF
}

full=0
jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --full) full=1 ;;
    --jobs)
      jobs=${2:?--jobs needs a number}
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      printf 'tests/run.sh: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done

step() { printf '\n== %s (%d s so far)\n' "$1" "$SECONDS"; }

step "packages"
packaging/dependencies.sh test
[ "$full" = 0 ] || packaging/dependencies.sh peers fuzz

step "build: dev (ASan, UBSan)"
cmake --preset dev >/dev/null
cmake --build --preset dev -j "$jobs"

step "build: release (static agent)"
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs" --target release_tests

if [ "$full" = 1 ]; then
  step "build: tsan (threaded parts)"
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan -j "$jobs" --target threaded_tests
fi

# CTest shows what a failed test printed, not why another was skipped.
skipped() { grep -h '^skipped: ' "build/$1/Testing/Temporary/LastTest.log" || true; }

# last_words FOLDER: the names of the tests that failed, each with the end of what it printed
last_words() {
  [ -s "$1/LastTestsFailed.log" ] || echo '  no test was run'
  local test
  while IFS= read -r test; do
    printf '  %s\n' "${test#*:}"
    awk -v header=" Testing: ${test#*:}" '
      substr($0, length($0) - length(header) + 1) == header { inside = 1 }
      inside && /^Test time = / { inside = 0 }
      inside { print "    " substr($0, 1, 400) }
    ' "$1/LastTest.log" | tail -n 25
  done <"$1/LastTestsFailed.log"
}

failed=()
# run_tests PRESET NAME ARGUMENT...: the tests of a build; what failed, and why, is told once more at the very end
run_tests() {
  local preset=$1 name=$2
  shift 2
  step "tests: $name"
  rm -f "build/$preset/Testing/Temporary/LastTestsFailed.log"
  ctest --preset "$preset" "$@" || failed+=("$name:" "$(last_words "build/$preset/Testing/Temporary")")
}

# Only the built test binaries have labels.
[ "$full" = 0 ] || run_tests tsan "threaded parts under TSan" -j "$jobs" -L . -LE integration
run_tests release "integration, on the release build" -j 1 -L integration
skipped release
run_tests release "the agent as it is shipped" -j "$jobs" -L . -LE integration
skipped release
run_tests dev "everything else, under ASan and UBSan" -j "$jobs" -LE integration
skipped dev
if [ "$full" = 1 ]; then
  step "fuzz targets"
  status=0
  tests/fuzz/run.sh --jobs "$jobs" || status=$?
  [ "$status" = 0 ] || [ "$status" = 77 ] || failed+=("fuzz targets: status $status")
fi

printf '\n'
if [ ${#failed[@]} = 0 ]; then
  echo "every test passed ($SECONDS s)"
  exit 0
fi
printf '%s\n' "${failed[@]}"
echo "some tests failed: see above ($SECONDS s)"
exit 1
