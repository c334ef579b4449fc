#!/usr/bin/env bash
# Builds the fuzz targets and runs each for some seconds, from the committed seeds and what earlier runs found.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'EOT'
usage: tests/fuzz/run.sh [--seconds N] [--jobs N] [TARGET...]

  --seconds N  of each target (default: 5)
  --jobs N     at a time (default: one per core)
  TARGET       such as batch_fuzz (default: all)

What a target finds is left in build/fuzz/findings, with the command that shows it again. Exit status 77: there
is no compiler for them here.
EOT
}

seconds=5
jobs=$(nproc)
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds | --jobs)
      [ $# -gt 1 ] || { usage >&2; exit 2; }
      if [ "$1" = --seconds ]; then seconds=$2; else jobs=$2; fi
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      printf 'tests/fuzz/run.sh: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2
      ;;
    *) targets+=("$1") ;;
  esac
  shift
done

# The version of a clang that is recent enough and has libFuzzer.
find_clang() {
  local version program
  program=$(mktemp)
  for version in 16 19 18 17; do
    if echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
      "clang++-$version" -fsanitize=fuzzer -x c++ - -o "$program" 2>/dev/null; then
      echo "$version"
      break
    fi
  done
  rm -f "$program"
}

clang=$(find_clang)
if [ -z "$clang" ]; then
  echo "skipped: fuzz targets: no clang 16 or later with libFuzzer (packaging/dependencies.sh fuzz)"
  exit 77
fi
build=build/fuzz
if [ ! -e $build/build.ninja ]; then
  cmake --preset fuzz -DCMAKE_C_COMPILER="clang-$clang" -DCMAKE_CXX_COMPILER="clang++-$clang" >/dev/null
fi
cmake --build $build -j "$jobs" --target fuzz
if [ ${#targets[@]} = 0 ]; then
  for binary in $build/fuzz/*_fuzz; do targets+=("${binary##*/}"); done
fi

mkdir -p $build/findings $build/log

run_target() {
  local target=$1 seeds=tests/fuzz/corpus/${1%_fuzz} found=$build/corpus/${1%_fuzz}
  mkdir -p "$found"
  if $build/fuzz/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" "$found" "$seeds" >"$build/log/$target" 2>&1; then
    sed -n "s/^stat::number_of_executed_units: */$target: runs: /p" "$build/log/$target"
    return 0
  fi
  echo "$target: FAILED"
  grep -v '^#[0-9]' "$build/log/$target" | tail -40
  echo "again: $build/fuzz/$target $(ls -t "$build/findings/$target-"* 2>/dev/null | head -1)"
  return 1
}

# xargs starts this script's function in shells of its own, and answers whether all went well.
export -f run_target
export build seconds
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'run_target {}'
