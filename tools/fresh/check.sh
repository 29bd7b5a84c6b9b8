#!/usr/bin/env bash
# Runs the two commands of the README in a Debian 12 that has nothing yet: a root
# made by debootstrap, with this checkout's last commit. Needs root, debootstrap
# and a mirror, by default this machine's own.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TXT'
usage: tools/fresh/check.sh [--mirror URL] [--ccache DIR] [--keep] [COMMAND...]

  --mirror URL  where packages come from (default: as apt here)
  --ccache DIR  let the build use this cache, which saves most of the time
  --keep        leave the root where it is, and say where
  COMMAND...    run these, one line each, in place of ./dev demo and ./dev test
TXT
}

die() { printf 'check.sh: %s\n' "$*" >&2; exit 1; }

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

[ "$(id -u)" = 0 ] || die "needs root, for chroot and mounts"
command -v debootstrap >/dev/null || die "apt-get install debootstrap"
if [ -z "$mirror" ]; then
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
    'Codename: bookworm' 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || die "no mirror of bookworm is known here: --mirror URL"
fi

root=$(mktemp -d /var/tmp/troupe-fresh-XXXXXX)
clean_up() {
  umount -l "$root/proc" "$root/dev" "$root/root/.cache/ccache" 2>/dev/null ||
    true
  if [ -n "$keep" ]; then
    echo "check.sh: left in $root" >&2
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean_up EXIT

echo "check.sh: a new Debian 12 in $root" >&2
debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
  die "debootstrap failed, see $root.log"
rm -f "$root.log"
# The same packages as here, updates included.
cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/"
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
mount -t proc proc "$root/proc"
mount --rbind --make-rslave /dev "$root/dev"

mkdir -p "$root/root/troupe"
git archive HEAD | tar -x -C "$root/root/troupe"
settings=(HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb)
if [ -n "$cache" ]; then
  mkdir -p "$root/root/.cache/ccache"
  mount --bind "$cache" "$root/root/.cache/ccache"
  settings+=(CCACHE_BASEDIR=/root CCACHE_NOHASHDIR=1)
fi
for command in "$@"; do
  echo "check.sh: $command" >&2
  began=$SECONDS
  chroot "$root" env -i "${settings[@]}" \
    bash -c "cd /root/troupe && $command" ||
    die "failed in a new Debian 12: $command"
  echo "check.sh: $command took $((SECONDS - began)) s" >&2
done
