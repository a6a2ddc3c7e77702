#!/bin/sh
# `bench` as a user types it: a table of the measurements asked for, the same as CSV, and a profile.
# The times themselves are not tested.
set -eu

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

tiny="--networks quick --precision f32 --batch 1 --steps 1 --set model.channels=8
    --set model.norm_groups=4 --set model.channel_mult=[1] --set model.attention=[]"

# shellcheck disable=SC2086 # a list of words
output=$(bench $tiny --csv "$directory/table.csv")
for work in "stage 1" "stage 2, one head" "stage 2, both" sampling bounds "costs for dp" "draws in blocks" "solution of nll" "stage 2, ocm" \
    "draws of gms" "draws of full"; do
    echo "$output" | grep -q "^quick  *f32  *$work  *[13]" || fail "no line for $work in: $output"
    grep -q "^quick,f32,\"$work\",[13]" "$directory/table.csv" || fail "no $work in the CSV"
done
# To awk "nan" is a text, which is more than any number.
awk -F, 'NR > 1 { for (i = NF - 4; i <= NF; i++) if (!($i ~ /^[0-9]/ && ($i > 0 || ($3 ~ /solution/ && i == NF - 1)))) exit 1 }' "$directory/table.csv" ||
    fail "a number is missing: $(cat "$directory/table.csv")"

# The profile names what takes the time: little of a step is left over. Other work on the machine can fall
# into any one step, but not into each of ten.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    # shellcheck disable=SC2086
    output=$(bench $tiny --work stage1 --profile)
    for row in convolution "group normalisation" optimiser "packing of weights" "data and noise"; do
        echo "$output" | grep -q "^  $row " || fail "no $row in: $output"
    done
    rest=$(echo "$output" | awk '/not listed/ { print ($(NF - 1) > -1 && $(NF - 1) < 25) }')
    [ "$rest" != 1 ] || break
done
[ "$rest" = 1 ] || fail "too much of a step is not accounted for: $output"

# Each row of an operation stands beside its bound, and the machine's speeds are said.
echo "$output" | grep -q "^  this machine: [1-9][0-9.]* GFLOP/s in float32,.* [0-9.]* GB/s of memory" ||
    fail "no speeds in: $output"
echo "$output" | awk '
    / bound +times$/ { bounds = 1 }
    /^  (convolution|group normalisation|optimiser|packing of weights) / { rows += $NF > 0 && $(NF - 1) > 0 }
    END { exit !(bounds && rows == 4) }' || fail "a bound is missing in: $output"

# Where bfloat16 is impossible, the rest is measured.
# shellcheck disable=SC2086
output=$(ONEDNN_MAX_CPU_ISA=AVX2 bench ${tiny%%--precision*} ${tiny#*f32} --work stage1)
[ "$(echo "$output" | wc -l)" -eq 2 ] || fail "expected one measurement: $output"

# Pictures: a row for each work and number of threads, each with its ceiling; no file is left.
mkdir "$directory/tmp"
output=$(TMPDIR=$directory/tmp bench --work data --batch 20 --steps 1 --threads 2)
echo "$output" | grep -q "^20 pictures of 256x256, libjpeg.* and libpng 1[.]" || fail "no libraries in: $output"
for row in "JPEG, decoded" "JPEG, into a cache" "PNG, decoded" "PNG, into a cache"; do
    for threads in 1 2; do
        echo "$output" | grep -q "^$row  *$threads  *[1-9]" || fail "no $row with $threads threads in: $output"
    done
done
echo "$output" | awk '
    NR > 2 { for (i = NF - 5; i <= NF; i++) if (!($i ~ /^[0-9.]+$/ && $i > 0)) exit 1 }
    END { exit NR != 11 }' || fail "a number is missing: $output"
[ -z "$(ls -A "$directory/tmp")" ] || fail "a file is left: $(ls "$directory/tmp")"
status=0
output=$(TMPDIR=$directory/none bench --work data --batch 1 2>&1 >/dev/null) || status=$?
[ $status -eq 1 ] || fail "bench without a temporary directory: exit status $status"
case $output in
"bench: $directory/none/varhead-bench-"*": cannot be written: No such file or directory") ;;
*) fail "expected the temporary directory in: $output" ;;
esac

# complains TEXT ARGUMENTS: exit status 2, and one line that has TEXT.
complains() {
    text=$1
    shift
    status=0
    output=$(bench "$@" 2>&1 >/dev/null) || status=$?
    [ $status -eq 2 ] || fail "bench $*: exit status $status"
    case $output in
    "bench: "*"$text"*) ;;
    *) fail "bench $*: expected \"$text\" in: $output" ;;
    esac
}
complains "nothing: there is no such file, and no recipe of that name" --networks nothing
complains "--csv: not with --work data" --work data --csv "$directory/pictures.csv"
complains "--steps" --steps 0
complains "cannot be written" --csv "$directory/no/table.csv"
bench --help | grep -q "^usage: bench" || fail "bench --help"
