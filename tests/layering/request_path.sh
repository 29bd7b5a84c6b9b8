#!/bin/sh
# request_path.sh PROGRAM LIST: most of the functions that the list puts side by
# side are in the program; else it is out of date.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nm --defined-only "$1" | awk '{ print $NF }' | sort -u > "$work/has"
sed -n 's/^ *\*(\.text\.\([^ ]*\) .*/\1/p' "$2" | sort -u > "$work/listed"
listed=$(wc -l < "$work/listed")
found=$(comm -12 "$work/has" "$work/listed" | wc -l)
echo "$found of $listed functions"
if [ "$listed" -lt 300 ] || [ $((found * 100)) -lt $((listed * 80)) ]; then
  echo "out of date: python3 tools/layout/order.py writes the list anew" >&2
  exit 1
fi
