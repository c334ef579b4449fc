#!/usr/bin/env bash
# The one list of distribution packages that building, testing and the full tests need. Installs what is
# missing with apt, as root or through sudo.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: packaging/dependencies.sh [--list] [GROUP...]

Installs the missing packages of the groups (default: build) with apt, after saying which and why.

  build   what building the four programs needs
  test    what building and running the tests needs, on top of build
  bench   what the benchmarks compare with, on top of test
  fuzz    the compiler of the fuzz targets, on top of test
  peers   real programs that the full tests run against (Prometheus, Caddy, Docker, ...), on top of bench;
          none of their services is left enabled or running

  --list  only say what is missing; exit 1 when something is

Written for Debian 12, Debian 13 and Ubuntu 24.04. Where names differ, the first that the distribution has
is taken.
EOF
}

# group | package, or alternatives separated by commas | why
packages() {
  cat <<'EOF'
build|g++|compiler
build|cmake|build system
build|ninja-build|build system
build|ccache|makes later builds fast
build|pkgconf,pkg-config|finds the libraries
build|libuv1-dev|event loop
build|protobuf-compiler|wire schema
build|libprotobuf-dev|wire schema
build|libzstd-dev|compression
build|zlib1g-dev|compression of HTTP messages
build|libc-ares-dev|host names without blocking
build|libmbedtls-dev|TLS
build|dpkg-dev|unpacks the sources of the agent's trimmed libraries
build|libxxhash-dev|checksums
build|libhttp-parser-dev,libllhttp-dev|HTTP parsing
build|prometheus-cpp-dev|metrics of the collector and the controller
build|libre2-dev|regular expressions of LogQL
build|libsimdjson-dev|JSON
build|libsqlite3-dev|state of the controller
build|libcurl4-openssl-dev|HTTP client of the controller and the command line
build|libtomlplusplus-dev|configuration files
build|libcli11-dev|command lines
build|catch2|unit tests: CMake configures them along with the programs
build|python3|integration tests, likewise
build|curl|quickstart's requests
test|zstd|baseline of the benchmarks, corpus files
fuzz|clang-16,clang-19,clang-18,clang-17|fuzz targets
fuzz|libclang-rt-16-dev,libclang-rt-19-dev,libclang-rt-18-dev,libclang-rt-17-dev|their runtime
peers|prometheus|scrapes all programs; promtool checks their metrics
peers|caddy|edge of zero-downtime deploys
peers|docker.io|containers
bench|ripgrep|baseline of the search benchmarks
bench|hyperfine|times the benchmarks
bench|tini|baseline of process supervision
EOF
}

say() { printf 'dependencies: %s\n' "$*"; }
fail() {
  printf 'dependencies: %s\n' "$*" >&2
  exit 1
}

# One name per line: asking dpkg once is much quicker than asking for each.
installed_packages() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u
}

present=""
installed() { [[ $present == *$'\n'"$1"$'\n'* ]]; }

available() {
  local policy
  policy=$(LC_ALL=C apt-cache policy "$1" 2>/dev/null)
  [[ $policy =~ Candidate:\ [^\(] ]]
}

# The first alternative that is installed, else the first that can be.
choose() {
  local name
  for name in ${1//,/ }; do
    if installed "$name"; then
      echo "$name"
      return
    fi
  done
  for name in ${1//,/ }; do
    if available "$name"; then
      echo "$name"
      return
    fi
  done
  echo "${1%%,*}"
}

# Sets missing (names) and reasons (lines for people) for the groups wanted.
find_missing() {
  missing=()
  reasons=""
  present=$'\n'$(installed_packages)$'\n'
  local group names why name
  while IFS='|' read -r group names why; do
    case " $wanted " in
      *" $group "*) ;;
      *) continue ;;
    esac
    name=$(choose "$names")
    installed "$name" && continue
    missing+=("$name")
    reasons+=$(printf '  %-24s %s' "$name" "$why")$'\n'
  done < <(packages)
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo "$@"
  fi
}

# While packages with services are installed, tells invoke-rc.d to start nothing (exit 101: action
# forbidden by policy). A policy that is already there is kept.
guard=/usr/sbin/policy-rc.d
guard_is_ours=0
set_guard() {
  [ ! -e $guard ] || return 0
  as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$guard && chmod 755 $guard"
  guard_is_ours=1
}
remove_guard() {
  [ $guard_is_ours = 1 ] || return 0
  as_root rm -f $guard
  guard_is_ours=0
}

# Packages enable their services as they are installed; undo that for the new ones.
disable_services() {
  local package path name
  while read -r package; do
    while read -r path; do
      name=${path##*/}
      case $path in
        */systemd/system/*@.*) ;;
        */systemd/system/*.service | */systemd/system/*.socket | */systemd/system/*.timer)
          if command -v systemctl >/dev/null; then
            as_root systemctl --quiet disable "$name" >/dev/null 2>&1 || true
          else
            # No systemd here yet; if it comes later, it must not find them enabled.
            as_root find /etc/systemd/system -type l -lname "*/$name" -delete
          fi
          ;;
        /etc/init.d/*)
          as_root update-rc.d "$name" disable >/dev/null 2>&1 || true
          ;;
      esac
    done < <(dpkg-query -L "$package" 2>/dev/null)
  done
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@"
}

list_only=0
wanted=""
for argument in "$@"; do
  case $argument in
    --list) list_only=1 ;;
    build) wanted+=" build" ;;
    test) wanted+=" build test" ;;
    bench) wanted+=" build test bench" ;;
    fuzz) wanted+=" build test fuzz" ;;
    peers) wanted+=" build test bench peers" ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      printf 'dependencies: unknown argument %s\n\n' "$argument" >&2
      usage >&2
      exit 2
      ;;
  esac
done
[ -n "$wanted" ] || wanted="build"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  fail "this needs a distribution with apt (Debian, Ubuntu); elsewhere install the equivalents of: $(
    packages | cut -d'|' -f2 | tr '\n' ' ')"
fi

find_missing
if [ ${#missing[@]} = 0 ]; then
  say "nothing is missing"
  exit 0
fi
say "missing:"
printf '%s' "$reasons"
[ $list_only = 0 ] || exit 1

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || fail "run this as root, or install sudo: apt-get needs it to install the packages above"
  say "installing them with apt-get through sudo"
else
  say "installing them with apt-get"
fi
apt_get update || fail "apt-get update failed: is the network there?"
# Names are chosen again: the package lists may have been empty before.
find_missing
for name in "${missing[@]}"; do
  available "$name" || fail "the distribution has no package $name"
done

with_services=0
case $wanted in *peers*) with_services=1 ;; esac
if [ $with_services = 1 ]; then
  trap remove_guard EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  set_guard
  before=$(installed_packages)
fi
apt_get install --no-install-recommends "${missing[@]}" || fail "apt-get could not install: ${missing[*]}"
if [ $with_services = 1 ]; then
  comm -13 <(echo "$before") <(installed_packages) | disable_services
fi
say "installed ${#missing[@]} packages"
