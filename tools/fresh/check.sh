#!/usr/bin/env bash
# Runs the two commands of the README in a Debian 12 that has nothing yet, with
# this checkout's last commit.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/fresh/root.sh

usage() {
  cat <<'TXT'
usage: tools/fresh/check.sh [--mirror URL] [--ccache DIR] [--keep] [COMMAND...]

  --mirror URL  where packages come from (default: as apt here)
  --ccache DIR  let the build use this cache, which saves most of the time
  --keep        leave the root where it is, and say where
  COMMAND...    run these, one line each, in place of ./dev demo and ./dev test
TXT
}

mirror="" cache="" keep=""
while [ $# -gt 0 ]; do
  case $1 in
    --mirror) mirror=${2:?--mirror needs a URL}; shift 2 ;;
    --ccache) cache=${2:?--ccache needs a folder}; shift 2 ;;
    --keep) keep=1; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- "./dev demo" "./dev test"

make_root "$mirror" "$keep"
mkdir -p "$root/root/troupe"
git archive HEAD | tar -x -C "$root/root/troupe"
settings=()
if [ -n "$cache" ]; then
  mkdir -p "$root/root/.cache/ccache"
  mount --bind "$cache" "$root/root/.cache/ccache"
  settings+=(CCACHE_BASEDIR=/root CCACHE_NOHASHDIR=1)
fi
for command in "$@"; do
  in_root /root/troupe "$command" "${settings[@]}"
done
