# shellcheck shell=bash
# A Debian 12 that has nothing yet: sourced by the checks beside it. Needs root,
# debootstrap and a mirror, by default this machine's own.

die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# make_root MIRROR KEEP: makes it in $root; it goes with the shell, but with KEEP.
make_root() {
  local mirror=$1
  keep=$2
  [ "$(id -u)" = 0 ] || die "needs root, for chroot and mounts"
  command -v debootstrap >/dev/null || die "apt-get install debootstrap"
  if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' \
      'Codename: bookworm' 2>/dev/null | head -n 1)
    [ -n "$mirror" ] || die "no mirror of bookworm is known here: --mirror URL"
  fi
  root=$(mktemp -d /var/tmp/troupe-fresh-XXXXXX)
  trap remove_root EXIT
  echo "$(basename "$0"): a new Debian 12 in $root" >&2
  debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    die "debootstrap failed, see $root.log"
  rm -f "$root.log"
  # The same packages as here, updates included.
  cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$root/etc/apt/"
  cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
  mount -t proc proc "$root/proc"
  mount --rbind --make-rslave /dev "$root/dev"
}

remove_root() {
  umount -l "$root/proc" "$root/dev" "$root/root/.cache/ccache" 2>/dev/null ||
    true
  if [ -n "$keep" ]; then
    echo "$(basename "$0"): left in $root" >&2
  else
    rm -rf --one-file-system "$root"
  fi
}

# in_root FOLDER COMMAND [VARIABLE=VALUE...]: there, and with nothing of ours
# but those variables.
in_root() {
  local folder=$1 command=$2 began=$SECONDS
  shift 2
  echo "$(basename "$0"): $command" >&2
  chroot "$root" env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" \
    bash -c "cd $folder && $command" ||
    die "failed in a new Debian 12: $command"
  echo "$(basename "$0"): $command took $((SECONDS - began)) s" >&2
}
