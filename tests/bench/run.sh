#!/usr/bin/env bash
# Benchmarks of the release build, each figure beside a baseline measured in the same run.
set -euo pipefail
cd "$(dirname "$0")/../.."
usage() {
  cat <<'EOF'
usage: tests/bench/run.sh [--agent] [--shipping] [--segments] [--bytes N] [--keep DIR]

Measures the agent alone, then agents and collector together (CPU of both, time from a write to its durable
acknowledgement, a thousand idle agents, five thousand connections at once), then stores a corpus of real-looking logs (600 MB unless --bytes says
otherwise), searches it over HTTP, and prints one table. CPU seconds and ratios; the baselines are tini-static, cat,
zstd and ripgrep in the same run. Takes about six minutes on two cores, and about three times the corpus of disk
space under ${TMPDIR:-/tmp}. Exits with 1 when a mark is missed.

  --agent      measure the agent alone
  --shipping   measure agents and collector together alone
  --segments   measure the store alone: merged segments, and searches of them
  --bytes N    size of the corpus (default 600000000)
  --keep DIR   keep the corpus in DIR and use it again
EOF
}
for argument in "$@"; do
  if [ "$argument" = --help ] || [ "$argument" = -h ]; then
    usage
    exit 0
  fi
done
packaging/dependencies.sh bench
cmake --preset release >/dev/null
cmake --build --preset release --target dunlin-agent dunlin-collector dunlin_line_writer dunlin_acking_collector \
  dunlin_ack_clock dunlin_many_agents receiving_bench store_bench open_bench dunlin_confine
exec python3 tests/bench/bench.py "$@"
