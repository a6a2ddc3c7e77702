#!/bin/sh
# The demo, cut short: it ends well, leaves every file that it names, and can be run again. It uses
# the built-in mixture, so that it needs no data set, and takes a few steps.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

for round in first again; do
    sh scripts/demo.sh "$directory/run" --set data.format=mixture --set data.resolution=8 \
        --set model.channel_mult='[1, 2]' --set model.attention='[]' --set stage1.steps=2 \
        --set stage2.steps=2 --threads 1 >"$directory/log" 2>&1 ||
        { echo "the $round run failed:"; cat "$directory/log"; exit 1; }
    sed -n "s|^  \($directory/run/[^ ]*\) .*|\1|p" "$directory/log" >"$directory/files"
    [ "$(wc -l <"$directory/files")" -eq 5 ] || { echo "expected five files"; exit 1; }
    while read -r file; do
        [ -s "$file" ] || { echo "$file is named and not there"; exit 1; }
    done <"$directory/files"
done
