#!/bin/sh
# How fast training is on a calm and on a busy machine, by what a waiting thread does: the table in
# docs/performance.md.
#
#     sh scripts/busy_machine.sh [SECONDS [OPTION OF TRAIN...]]      60 seconds; --config quick --precision f32
#
# One training runs for each way of waiting. They have the processor in turns of three seconds, so that they meet the
# same machine; the others are stopped meanwhile. First nothing else runs, then an endless loop on each core. Prints the
# median speed of a step, and how long a busy step takes beside a calm one. A step has to be short beside a turn, or
# the turns of the others count as a part of it: larger networks need a smaller batch (--set stage1.batch=16).
set -eu
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- --config quick --precision f32

directory=$(mktemp -d)
trainings="" loops=""
finish() {
    # shellcheck disable=SC2086 # several processes
    kill -KILL $trainings $loops 2>/dev/null || true
    rm -rf "$directory"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# begin NAME VARIABLE... -- OPTION...: a training, stopped again when it is under way.
begin() {
    name=$1
    shift
    variables=
    while [ "$1" != -- ]; do
        variables="$variables $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # several variables or none
    env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT -u KMP_BLOCKTIME $variables train --stage 1 "$@" --fresh --quiet \
        --run "$directory/$name" --set data.format=mixture --set stage1.steps=1000000 \
        --set checkpoint.every=1000000 &
    trainings="$trainings $!"
    sleep 3
    kill -STOP $!
}

# measure MACHINE OPTION...
measure() {
    machine=$1
    shift
    trainings=
    begin "spin-$machine" GOMP_SPINCOUNT=300000 -- "$@" # what gcc's library does by itself
    begin "sleep-$machine" OMP_WAIT_POLICY=passive -- "$@"
    begin "varhead-$machine" -- "$@"
    if [ "$machine" = busy ]; then
        for core in $(seq 0 $(($(nproc) - 1))); do
            taskset -c "$core" sh -c 'while :; do :; done' &
            loops="$loops $!"
        done
    fi
    end=$(($(date +%s) + seconds))
    while [ "$(date +%s)" -lt $end ]; do
        for training in $trainings; do
            kill -CONT "$training"
            sleep 3
            kill -STOP "$training"
        done
    done
    for process in $loops; do
        kill -KILL "$process"
    done
    loops=
    for training in $trainings; do # it saves, and its speeds are in metrics.csv
        kill -INT "$training"
        kill -CONT "$training"
        wait "$training" || true
    done
    trainings=
}

# median NAME: images per second, without the first two steps.
median() {
    tail -n +4 "$directory/$1/metrics.csv" | cut -d , -f 7 | sort -n |
        awk '{ speed[NR] = $1 } END { print speed[int((NR + 1) / 2)] }'
}

measure calm "$@"
measure busy "$@"
echo "| a waiting thread | calm, images/s | busy, images/s | a step takes |"
echo "| --- | --- | --- | --- |"
for way in spin sleep varhead; do
    echo "$(median "$way-calm") $(median "$way-busy")" |
        awk -v way="$way" '{ printf "| %s | %.0f | %.0f | %.1f times as long |\n", way, $1, $2, $1 / $2 }'
done
