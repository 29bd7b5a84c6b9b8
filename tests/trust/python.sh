#!/bin/sh
# A log that Troupe wrote, also where its writers were killed, is verified by a
# program that was written from the description of the format alone.
#
# usage: python.sh TROUPE AUDIT_CRASH AUDIT_VERIFY_PY
set -eu
troupe=$1 crash=$2 script=$3
command -v python3 >/dev/null &&
  python3 -c 'import cryptography' 2>/dev/null || {
  echo "skipped: there is no python3, or it has no package cryptography"
  exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
  echo "$1" >&2
  exit 1
}

"$troupe" audit keygen "$dir/a" >/dev/null
"$troupe" audit keygen "$dir/b" >/dev/null
"$troupe" audit keygen "$dir/c" >/dev/null
log=$dir/audit.log
"$crash" --kills 12 --seed 5 --dir "$dir" --keep --key "$dir/a.key"
"$troupe" audit rekey "$log" --key "$dir/a.key" --next "$dir/b.key"
"$crash" --kills 3 --seed 6 --dir "$dir" --keep --key "$dir/b.key"

list() { # the log's files in their order
  files=$log
  n=1
  while [ -e "$log.$n" ]; do
    files="$files $log.$n"
    n=$((n + 1))
  done
}
list
[ "$n" -gt 2 ] || fail "the log has one file only"

same() { # that both say the same of the log
  ours=$("$troupe" audit verify "$log" --key "$dir/a.pub" --json)
  # shellcheck disable=SC2086
  theirs=$(python3 "$script" $files) || fail "python: $theirs"
  python3 - "$ours" "$theirs" <<'PY'
import json, sys
ours, theirs = json.loads(sys.argv[1]), sys.argv[2].split()
torn = ours["torn"]["bytes"] if ours["torn"] else 0
said = [str(ours["records"]), str(ours["sealed"]), ours["root"], str(torn)]
assert ours["good"] and said == theirs, (said, theirs)
print("both say:", *theirs)
PY
}
same # whatever the last kill left
"$troupe" audit rekey "$log" --key "$dir/b.key" --next "$dir/c.key"
list
same

last=${files##* }
[ -s "$last" ] || rm "$last" # was begun when its writer was killed
list

# What is not the log as it was is found by both.
for at in 1000 3001 90000; do
  cp "$log" "$dir/kept"
  was=$(od -A n -t u1 -j $at -N 1 "$log")
  # shellcheck disable=SC2059
  printf "\\$(printf %03o $((was ^ 255)))" |
    dd of="$log" bs=1 seek=$at conv=notrunc 2>/dev/null
  cmp -s "$log" "$dir/kept" && fail "byte $at is what it was"
  "$troupe" audit verify "$log" >/dev/null 2>&1 && fail "troupe: byte $at"
  # shellcheck disable=SC2086
  python3 "$script" $files >/dev/null && fail "python: byte $at"
  cp "$dir/kept" "$log"
done

# An end that is torn is none of the others' business.
last=${files##* }
head -c -5 "$last" >"$dir/kept"
cp "$dir/kept" "$last"
same

# So is a file behind it that was begun, and has no whole header.
list
begun=$log.$n
: >"$begun"
list
same
for bytes in 7 39 150; do
  head -c $bytes "$log" >"$begun"
  same
done
head -c 150 /dev/zero >"$begun"
same
echo "no header at all" >"$begun"
"$troupe" audit verify "$log" >/dev/null 2>&1 && fail "troupe: another file"
# shellcheck disable=SC2086
python3 "$script" $files >/dev/null && fail "python: another file"
exit 0
