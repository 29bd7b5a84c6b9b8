#!/bin/sh
# A server under load for two seconds: TROUPE TROUPE_LOAD MODEL TRACES
set -eu
log=$(mktemp)
"$1" serve --model "$3" --port 0 --threads 1 2>"$log" &
server=$!
trap 'kill $server; wait $server || true; rm -f "$log"' EXIT
until grep -q 'http://' "$log"; do
  kill -0 $server || { cat "$log" >&2; exit 1; }
  sleep 0.1
done
at=$(sed -n 's|.*http://\([0-9.:]*\).*|\1|p' "$log" | head -n 1)
"$2" --at "$at" --pid $server --clients 8 --seconds 2 \
  --trace "$4/conversations.csv" --trace "$4/shared.jsonl"
# What is no trace is refused, and so is what is no server.
if "$2" --at "$at" --trace "$3"; then exit 1; fi
if "$2" --at 127.0.0.1:1 --seconds 1 --trace "$4/shared.jsonl"; then exit 1; fi
