#!/usr/bin/env bash
# Builds dunlin, starts it on loopback, deploys a demo service and shows its logs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

usage() {
  cat <<'EOF'
usage: packaging/quickstart.sh [--once] [--data DIR]

Installs missing packages (apt, as root or through sudo), builds the programs in build/release, starts a
collector and a controller on 127.0.0.1, deploys a small service named demo through PUT /deploys/demo, waits
until it is HEALTHY, searches its logs over HTTP, and follows them. Ctrl-C stops everything it started and
nothing else.

  --once      stop after the search instead of following; exits 0 when every step worked
  --data DIR  keep data and logs there (default: a temporary folder, removed at the end)

Default ports are 18880 (controller), 3100 and 18889 (collector); where one is taken, a free one is used.
EOF
}

once=0
data=
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=1 ;;
    --data)
      data=${2:-}
      if [ -z "$data" ]; then
        echo "quickstart: --data needs a folder" >&2
        exit 2
      fi
      shift
      ;;
    --data=*) data=${1#--data=} ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      printf 'quickstart: unknown argument %s\n\n' "$1" >&2
      usage >&2
      exit 2
      ;;
  esac
  shift
done

# Variables meant for other programs of this machine would configure these, too.
for variable in "${!DUNLIN_@}"; do unset "$variable"; done

bin=$PWD/build/release/bin
step_name="start"
step_log=""
step() {
  step_name=$1
  step_log=${2:-}
  printf '== %s\n' "$step_name"
}

collector_pid=""
controller_pid=""
follow_pid=""
controller_url=""
collector_url=""
temporary=0
deployed=0
failed=0

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Ends one of our children by its id and waits for it: orderly first, by force after ten seconds.
end_child() {
  local pid=$1 name=$2 i
  alive "$pid" || return 0
  kill -TERM "$pid" 2>/dev/null
  for ((i = 0; i < 200; i++)); do
    alive "$pid" || break
    sleep 0.05
  done
  if alive "$pid"; then
    echo "quickstart: $name (process $pid) does not stop, killing it" >&2
    kill -KILL "$pid" 2>/dev/null
  fi
  wait "$pid" 2>/dev/null
}

http() { curl -sS --noproxy '*' --max-time "${http_timeout:-10}" "$@"; }

# Agents run detached from the controller, so that its restarts leave them alone. Each says in its
# container's folder who it is: process id and start time, which together name one process for good.
agents() {
  local file pid ticks fields
  for file in "$data"/controller/containers/*/agent; do
    [ -f "$file" ] || continue
    read -r pid ticks _ <"$file" || continue
    read -r fields 2>/dev/null <"/proc/$pid/stat" || continue
    fields=${fields##*) } # past the name, which may hold anything; field 3 comes first now
    # shellcheck disable=SC2086 # words are wanted
    set -- $fields
    if [ "$1" != Z ] && [ "${20:-}" = "$ticks" ]; then echo "$pid"; fi
  done
}

# Asks the controller to stop the demo, and whatever else was deployed through it meanwhile, and waits
# until their agents are gone.
stop_services() {
  local name names i
  names=$(http -f "$controller_url/services" 2>/dev/null | grep -oE '"name":"[a-z0-9-]+"' | cut -d'"' -f4)
  for name in $names; do
    http -f -o /dev/null -X POST "$controller_url/services/$name/stop" 2>/dev/null
  done
  for ((i = 0; i < 50; i++)); do
    [ -n "$(agents)" ] || break
    sleep 0.1
  done
}

# For what the controller would not or could not stop, as in the middle of a deploy. Called once it has
# ended, when nothing new is started any more.
end_agents() {
  local i pid
  for pid in $(agents); do kill -TERM "$pid" 2>/dev/null; done
  for ((i = 0; i < 120; i++)); do
    [ -n "$(agents)" ] || return 0
    sleep 0.1
  done
  for pid in $(agents); do
    echo "quickstart: an agent (process $pid) does not stop, killing it" >&2
    kill -KILL "$pid" 2>/dev/null
  done
}

stopped=0
stop_all() {
  [ $stopped = 0 ] || return 0
  stopped=1
  trap '' INT TERM HUP # stopping takes a moment and is not left half done
  if [ -n "$collector_pid$controller_pid" ]; then echo "== stopping"; fi
  end_child "$follow_pid" "dunlin logs"
  if [ $deployed = 1 ] && alive "$controller_pid"; then stop_services; fi
  end_child "$controller_pid" "dunlin-controller"
  if [ $deployed = 1 ]; then end_agents; fi
  end_child "$collector_pid" "dunlin-collector"
  if [ -n "$data" ] && [ $temporary = 1 ] && [ $failed = 0 ]; then
    rm -rf "$data"
  elif [ -n "$data" ] && [ -d "$data" ]; then
    echo "data and logs are in $data"
  fi
}

fail() {
  failed=1
  printf '\nquickstart: failed at "%s": %s\n' "$step_name" "$*" >&2
  if [ -n "$step_log" ] && [ -s "$step_log" ]; then
    printf 'quickstart: the last lines of %s:\n' "$step_log" >&2
    tail -n 15 "$step_log" | sed 's/^/  /' >&2
  fi
  stop_all
  exit 1
}

following=0
# shellcheck disable=SC2317 # called by the traps below
on_signal() {
  printf '\n'
  stop_all
  # Ctrl-C is how the following is meant to end.
  if [ "$following" = 1 ] && [ "$1" = INT ]; then exit 0; fi
  case $1 in
    INT) exit 130 ;;
    HUP) exit 129 ;;
    TERM) exit 143 ;;
  esac
}
trap 'on_signal INT' INT
trap 'on_signal TERM' TERM
trap 'on_signal HUP' HUP
trap stop_all EXIT

# The first port from $1 on that nobody listens on and that is not among the others given.
free_port() {
  local port=$1
  shift
  while :; do
    case " $* " in
      *" $port "*) ;;
      *) (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break ;;
    esac
    port=$((port + 1))
  done
  echo "$port"
}

choose_port() {
  local wanted=$1 what=$2
  shift 2
  port=$(free_port "$wanted" "$@")
  if [ "$port" != "$wanted" ]; then
    echo "port $wanted is taken: $what listens on $port instead"
  fi
}

# Waits until $1 (process $2) answers ready at $3.
await_ready() {
  local name=$1 pid=$2 url=$3 i
  for ((i = 0; i < 300; i++)); do
    if ! alive "$pid"; then
      wait "$pid"
      fail "$name ended with status $?; its log is $step_log"
    fi
    if http_timeout=2 http -f -o /dev/null "$url/readyz" 2>/dev/null; then return; fi
    sleep 0.1
  done
  fail "$name is not ready after 30 s; its log is $step_log"
}

# Shows a build's progress: in place on a terminal, every tenth part elsewhere. Everything goes to
# the log.
show_progress() {
  local line percent last=-1 columns
  columns=$(tput cols 2>/dev/null || echo 80)
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    if [ -t 1 ]; then
      printf '\r\033[K%s' "${line:0:columns-1}"
    else
      percent=$((BASH_REMATCH[1] * 10 / BASH_REMATCH[2]))
      [ $percent = $last ] || printf '   %s\n' "$line"
      last=$percent
    fi
  done 3>"$1"
  [ ! -t 1 ] || printf '\r\033[K'
}

step "data folder"
if [ -z "$data" ]; then
  data=$(mktemp -d "${TMPDIR:-/tmp}/dunlin-quickstart.XXXXXX") || fail "cannot make a temporary folder"
  temporary=1
else
  mkdir -p "$data" || fail "cannot make $data"
  data=$(cd "$data" && pwd) || fail "cannot use $data"
fi
logs=$data/logs
mkdir -p "$logs" || fail "cannot make $logs"
echo "$data"

step "packages"
packaging/dependencies.sh build || fail "cannot install the packages; see above"

step "build" "$logs/build.log"
began=$SECONDS
if [ ! -f build/release/build.ninja ]; then
  cmake --preset release >"$step_log" 2>&1 || fail "cannot configure; the log is $step_log"
fi
step_log=$logs/build.log
cmake --build --preset release --target programs 2>&1 | show_progress "$step_log" ||
  fail "cannot build; the log is $step_log"
echo "built in $((SECONDS - began)) s: $(cd "$bin" && echo dunlin*)"

step "collector" "$logs/collector.log"
choose_port 3100 "the collector's HTTP"
http_port=$port
choose_port 18889 "the collector's ingest" "$http_port"
ingest_port=$port
choose_port 18880 "the controller" "$http_port" "$ingest_port"
controller_port=$port
collector_url=http://127.0.0.1:$http_port
controller_url=http://127.0.0.1:$controller_port
# Sessions of their own: a Ctrl-C in the terminal reaches this script only, which stops them in order.
setsid "$bin/dunlin-collector" --data "$data/collector" --http "127.0.0.1:$http_port" \
  --ingest "127.0.0.1:$ingest_port" >"$step_log" 2>&1 </dev/null &
collector_pid=$!
await_ready dunlin-collector "$collector_pid" "$collector_url"
echo "ready on $collector_url (ingest on 127.0.0.1:$ingest_port)"

step "controller" "$logs/controller.log"
setsid "$bin/dunlin-controller" --data "$data/controller" --http "127.0.0.1:$controller_port" \
  --collector "127.0.0.1:$ingest_port" --collector-url "$collector_url" >"$step_log" 2>&1 </dev/null &
controller_pid=$!
await_ready dunlin-controller "$controller_pid" "$controller_url"
echo "ready on $controller_url"

step "deploy: PUT /deploys/demo" "$logs/controller.log"
export DUNLIN_CONTROLLER=$controller_url DUNLIN_COLLECTOR_URL=$collector_url
# shellcheck disable=SC2016 # for the demo's own shell
demo='
n=0
echo "demo started as process $$"
while :; do
  n=$((n + 1))
  case $((n % 7)) in
    0) echo "level=error msg=\"payment refused\" order=$n" >&2 ;;
    3) echo "level=warn msg=\"slow answer\" order=$n ms=$((n * 37 % 900))" ;;
    *) echo "level=info msg=\"order stored\" order=$n ms=$((n * 13 % 90))" ;;
  esac
  sleep 0.4
done'
deployed=1
"$bin/dunlin" deploy demo --min-healthy 500ms --timeout 60s --message quickstart -- /bin/sh -c "$demo" ||
  fail "the demo service is not HEALTHY (status $?); logs are in $logs"

step "search: the demo's lines over HTTP" "$logs/collector.log"
search() {
  http -G -f "$collector_url/loki/api/v1/query_range" --data-urlencode 'query={service="demo"}' \
    --data-urlencode limit=5 --data-urlencode direction=backward
}
echo "curl -G $collector_url/loki/api/v1/query_range --data-urlencode 'query={service=\"demo\"}' -d limit=5"
found=""
for ((i = 0; i < 100; i++)); do
  answer=$(search 2>&1) || fail "the search failed: $answer"
  # Each entry is ["nanoseconds","line"]; the demo's lines hold no bracket.
  found=$(grep -oE '\["[0-9]+","[^]]*' <<<"$answer" | sed -E 's/^\["([0-9]+)","/  \1  /; s/"$//; s/\\"/"/g' | sort)
  [ -z "$found" ] || break
  sleep 0.1
done
[ -n "$found" ] || fail "no line of the demo was found within 10 s; the collector's log is $step_log"
echo "$found"

step "metrics" "$logs/collector.log"
metric=$(http -f "$collector_url/metrics" | grep '^dunlin_ingest_lines_total.*agent') ||
  fail "the collector does not count ingested lines in $collector_url/metrics"
echo "$metric"

cat <<EOF

dunlin runs:
  controller    $controller_url      services: $controller_url/services
  targets       $controller_url/sd/prometheus
  collector     $collector_url       metrics: $collector_url/metrics
  log search    $collector_url/loki/api/v1/query_range (add it to Grafana as a Loki data source)
  data, logs    $data

Try, in another terminal:
  export DUNLIN_CONTROLLER=$controller_url DUNLIN_COLLECTOR_URL=$collector_url
  build/release/bin/dunlin status
  build/release/bin/dunlin query '{service="demo"} |= "refused"'
  build/release/bin/dunlin query 'sum by (detected_level) (count_over_time({service="demo"}[5m]))'
EOF

if [ $once = 1 ]; then
  stop_all
  echo "every step worked"
  exit 0
fi

printf '\n== following the demo (Ctrl-C stops everything)\n'
step_name="following"
following=1
"$bin/dunlin" logs -f --limit 5 demo &
follow_pid=$!
# In the background, so that a signal is acted on at once.
wait -n "$follow_pid" "$collector_pid" "$controller_pid"
status=$?
for program in collector controller; do
  pid=${program}_pid
  if ! alive "${!pid}"; then
    step_log=$logs/$program.log
    fail "dunlin-$program ended by itself; its log is $step_log"
  fi
done
fail "dunlin logs ended by itself with status $status"
