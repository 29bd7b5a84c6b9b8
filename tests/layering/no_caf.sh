#!/bin/sh
# Public headers for programs without CAF include none of it.
# no_caf.sh COMPILER FOLDER
set -u
closure() {
  echo "#include <troupe/$1>" |
    "$2" -std=c++20 -I "$3" -M -x c++ - || exit 1
}
for header in runtime.hpp embedding.hpp audit.hpp replay.hpp troupe.h; do
  all=$(closure "$header" "$1" "$2") || exit 1
  if echo "$all" | grep '/caf/'; then
    echo "$header includes CAF"
    exit 1
  fi
done
# If this finds nothing, it would find nothing there either.
closure actors.hpp "$1" "$2" | grep -q '/caf/' || {
  echo "no CAF in actors.hpp: this test does not see it"
  exit 1
}
