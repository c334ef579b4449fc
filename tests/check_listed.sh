#!/usr/bin/env bash
# Fails when a test file is named in no CMakeLists.txt: a test that is not listed never runs.
set -euo pipefail
cd "$(dirname "$0")"
missing=0
while IFS= read -r file; do
  name=$(basename "$file")
  if ! grep -qrF "${name%.*}" --include=CMakeLists.txt .; then
    echo "$file is named in no CMakeLists.txt"
    missing=1
  fi
done < <(find . -name '*_test.cc' -o -name '*_test.py' -o -name '*_test.sh')
exit "$missing"
