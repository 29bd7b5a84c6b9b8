#!/bin/sh
# What libtroupe.so shows to others: Troupe's own names, of its version.
# exports.sh LIBRARY
set -u
all=$(nm -D --defined-only -C "$1") || exit 1
# Whatever functions take is not theirs.
names=$(echo "$all" | sed 's/(.*@@/@@/')
if echo "$names" |
  grep -vE ' [A-Z] troupe(_[a-z_]+|::.+)@@TROUPE_0\.1$| A TROUPE_0\.1'; then
  echo "these are shown, and not public"
  exit 1
fi
if echo "$names" | grep -E '::impl::|troupe::(collective|http|tracing)::'; then
  echo "these are nobody else's business"
  exit 1
fi
for name in troupe_generate 'troupe::runtime::open(' 'troupe::generate(' \
  'troupe::spawn_runtime(' 'troupe::add_message_types(' \
  'troupe::use_quiet_clock(' 'troupe::tokenizer::encode('; do
  echo "$all" | grep -qF "$name" || {
    echo "not shown: $name"
    exit 1
  }
done
