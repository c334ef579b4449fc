#!/usr/bin/env bash
# Fetches the distribution's own source packages of the libraries that the static agent is built from.
set -euo pipefail

usage() {
  cat <<'EOT'
usage: packaging/fetch_sources.sh FOLDER PACKAGE...

Leaves the unpacked source of each installed development package (libuv1-dev, ...) in FOLDER/PACKAGE, patched as
the distribution patches it, in the very version that is installed. What is there already is kept, so a second
run does nothing and needs no network; FOLDER/PACKAGE.version says which version it is.

The places to ask are the machine's own: its package sources are read, never changed, and their source
counterparts go into a configuration inside FOLDER. apt checks signatures and checksums as always. Needs
neither root nor sudo.

What cannot be had is named, and the rest is fetched all the same.

Exit status: 0 done, 1 something cannot be had (the last line says what), 2 usage.
EOT
}

say() { printf 'sources: %s\n' "$*"; }
fail() {
  printf 'sources: %s\n' "$*" >&2
  exit 1
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
esac
if [ $# -lt 2 ]; then
  usage >&2
  exit 2
fi
export LC_ALL=C
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift

for tool in apt-get apt-config dpkg-query dpkg-source; do
  command -v $tool >/dev/null || fail "$tool is missing (packaging/dependencies.sh installs what is needed)"
done

# One at a time: configuring two build folders at once must not unpack into the same place.
exec 9>"$folder/lock"
flock 9

# Per development package its source package and version; wanted are those not unpacked yet.
declare -A source_of version_of
wanted=()
for package in "$@"; do
  read -r source version < <(dpkg-query -W -f '${source:Package} ${source:Version}\n' "$package" 2>/dev/null) ||
    fail "$package is not installed (packaging/dependencies.sh installs what is needed)"
  source_of[$package]=$source
  version_of[$package]=$version
  [ "$(cat "$folder/$package.version" 2>/dev/null)" != "$version" ] || continue
  rm -rf "$folder/$package.version" "${folder:?}/$package"
  wanted+=("$package")
done
[ ${#wanted[@]} -gt 0 ] || exit 0

eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
private=$folder/apt
rm -rf "$private"
mkdir -p "$private/sources.list.d" "$private/lists/partial" "$private/cache/archives/partial" "$private/download"

# Where the installed packages came from, as far as apt remembers; asking no others keeps third-party
# repositories out.
origins=$(apt-cache policy "$@" 2>/dev/null | sed -nE 's|^ +-?[0-9]+ ([a-z+]+:[^ ]+) .*|\1|p' | sed 's|/*$||' | sort -u)

# Reads package sources of one file as sources of source packages: one line each, or stanzas.
one_line_sources() {
  awk -v origins="$origins" '
    BEGIN { n = split(origins, list, "\n"); for (i = 1; i <= n; i++) known[list[i]] = 1 }
    $1 == "deb" {
      line = $0; uri = line
      sub(/^[ \t]*deb[ \t]+/, "", uri); sub(/^\[[^]]*\][ \t]*/, "", uri); sub(/[ \t].*/, "", uri); sub(/\/+$/, "", uri)
      if (uri ~ /^cdrom:/ || (n > 0 && !(uri in known))) next
      sub(/^[ \t]*deb[ \t]/, "deb-src ", line); print line
    }' "$1"
}
stanza_sources() {
  awk -v origins="$origins" '
    BEGIN { RS = ""; n = split(origins, list, "\n"); for (i = 1; i <= n; i++) known[list[i]] = 1 }
    {
      count = split($0, lines, "\n"); out = ""; wanted = (n == 0); binary = 0; field = ""
      for (i = 1; i <= count; i++) {
        line = lines[i]
        if (line ~ /^#/) continue
        if (line !~ /^[ \t]/) { field = tolower(line); sub(/:.*/, "", field) }
        if (field == "types") { if (line ~ /(^|[ \t:])deb([ \t]|$)/) binary = 1; continue }
        if (field == "uris") {
          rest = line; sub(/^[^:]*:[ \t]/, "", rest); words = split(rest, uri, /[ \t]+/)
          for (w = 1; w <= words; w++) { sub(/\/+$/, "", uri[w]); if (uri[w] in known) wanted = 1 }
        }
        out = out line "\n"
      }
      if (binary && wanted) printf "Types: deb-src\n%s\n", out
    }' "$1"
}

collect() {
  local file name
  for file in "$list" "$parts"/*.list "$parts"/*.sources; do
    [ -s "$file" ] || continue
    name=${file##*/}
    case $name in
      *.sources) stanza_sources "$file" >"$private/sources.list.d/$name" ;;
      *) one_line_sources "$file" >"$private/sources.list.d/${name%.list}.list" ;;
    esac
  done
  find "$private/sources.list.d" -type f -empty -delete
  [ -n "$(ls "$private/sources.list.d")" ]
}
# Without package lists, or with a mirror that hides behind another address, every source is asked.
collect || { origins="" && collect; } || fail "the machine has no package sources"

# The system's hooks after an update concern the system's state.
cat >"$private/apt.conf" <<EOT
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$private/sources.list.d";
Dir::State::lists "$private/lists";
Dir::Cache "$private/cache";
Dir::Cache::archives "archives";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::Languages "none";
EOT
quiet_apt() { apt-get -c "$private/apt.conf" -q -q "$@"; }

say "fetching the source packages of ${wanted[*]}"
# An unreachable third-party repository is no reason to stop: what matters is whether the packages come.
quiet_apt update >"$private/log" 2>&1 || true

# Prints why when it fails.
fetch() {
  local name=$1 version=$2 package=$3
  (cd "$private/download" && quiet_apt source --only-source --download-only "$name=$version") >"$private/log.$package" 2>&1 ||
    { sed -n 's/^E: //p' "$private/log.$package" | head -n 1; return 1; }
  dpkg-source --no-copy -x "$private/download/${name}_${version#*:}.dsc" "$folder/$package" >"$private/log.$package" 2>&1 ||
    { tail -n 1 "$private/log.$package"; return 1; }
  echo "$version" >"$folder/$package.version"
}

missing=""
for package in "${wanted[@]}"; do
  name=${source_of[$package]}
  version=${version_of[$package]}
  if cause=$(fetch "$name" "$version" "$package"); then
    say "$name $version"
  else
    say "$name $version: ${cause:-apt-get says nothing}"
    missing+=" $package"
  fi
done
rm -rf "$private"
[ -z "$missing" ] || fail "no source of$missing: is the network there, are the packages up to date?"
