#!/usr/bin/env bash
# Fails when a test file is named in no CMakeLists.txt or a case cannot be run by its name: neither would ever run.
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
if grep -rnE 'TEST_CASE\("-' --include='*.cc' .; then
  echo "a name that begins with a dash would be read as an option: CTest could not run it"
  missing=1
fi
exit "$missing"
