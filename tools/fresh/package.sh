#!/usr/bin/env bash
# Installs the Debian packages of a build in a Debian 12 that has nothing yet, and
# there builds and runs a program of somebody else against them, with CMake and
# with make.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/fresh/root.sh

usage() {
  cat <<'TXT'
usage: tools/fresh/package.sh [--build DIR] [--mirror URL] [--keep]

  --build DIR   what is packed (default: build/release, as ./dev build leaves it)
  --mirror URL  where Debian's packages come from (default: as apt here)
  --keep        leave the root where it is, and say where
TXT
}

build=build/release mirror="" keep=""
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=${2:?--build needs a folder}; shift 2 ;;
    --mirror) mirror=${2:?--mirror needs a URL}; shift 2 ;;
    --keep) keep=1; shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done

make_root "$mirror" "$keep"
mkdir "$root/root/packages"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$root/root/packages" >&2
rm -rf "$root/root/packages/_CPack_Packages"
cp -r tests/install/host "$root/root/host"

install="apt-get install -y -qq --no-install-recommends"
in_root /root "apt-get update -qq && $install ./packages/troupe_*.deb >/dev/null"
in_root / 'troupe run --quiet --temperature 0 --chat "What is 347 + 285?"' |
  grep 632 || die "the program does not answer"
in_root /root "$install ./packages/libtroupe*.deb cmake g++ make pkg-config \
  >/dev/null"
in_root /root "cmake -S host -B built && cmake --build built"
in_root /root "mkdir made && make -C host OUT=/root/made"
model=/usr/share/troupe/models/troupe-demo.gguf
for program in built/from_cpp built/from_cpp_static built/from_c \
  built/with_actors made/cpp_by_pkgconfig made/c_by_pkgconfig; do
  in_root /root "./$program $model" | grep -x "8 tokens" ||
    die "$program does not say 8 tokens"
done
in_root / "apt-get remove -y -qq troupe libtroupe0 >/dev/null && ! ls /usr/lib/*/libtroupe*"
echo "package.sh: all is well" >&2
