#!/bin/sh
# kill -9 at instants that are nobody's choice, again and again, while a run trains and saves; continued to its
# end it must hold, byte for byte, what a run holds that nobody touched.
#
#     sh tests/reliability/torture.sh [KILLS]        kills per kind of training; 20 unless told
#
# `make torture KILLS=200` calls it. A checkpoint is saved after every step, so that half of the time goes into
# saving. Every run starts anew once it has come to its end, until there were as many kills as were asked for.
# Temporaries, the lock and metrics.csv (but for the speed) are compared too.
set -u

kills=${1:-20}
seed=${SEED:-1}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1

cat >mixture.yaml <<END
name: mixture
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.1, norm_groups: 4}
stage1: {batch: 4, lr: 1.0e-3, warmup: 4, steps: 40}
stage2: {batch: 4, lr: 1.0e-3, steps: 40, images: 300, time_bins: 3}
checkpoint: {every: 1, keep: 3}
seed: 5
END

# The `draw`th instant of `seed`: seconds from 0 to $1.
draw=0
instant() {
    awk -v seed="$((1000003 * seed + 7919 * draw))" -v most="$1" \
        'BEGIN { srand(seed); rand(); printf "%.3f", 0.001 + most * rand() }'
}

# What a run directory holds, without what may differ: the speed, the last column of metrics.csv.
content() {
    (cd "$1" && for file in *; do
        case $file in
        metrics.csv) echo "metrics $(sed 's/,[^,]*$//' "$file" | cksum)" ;;
        *) echo "$file $(cksum <"$file")" ;;
        esac
    done)
}

now() {
    date +%s.%N
}

result=0
# torture NAME ARGUMENT...: `train ARGUMENT...`, hit and continued.
torture() {
    name=$1
    shift
    before=$(now)
    train --config mixture.yaml --threads 1 --quiet --run whole "$@" || exit 1
    length=$(echo "$(now) $before" | awk '{ print 0.7 * ($1 - $2) }')
    content whole >whole.content
    done=0 rounds=0 unlike=0 resumed=0
    while [ "$done" -lt "$kills" ]; do
        rm -rf hurt
        while :; do
            draw=$((draw + 1))
            train --config mixture.yaml --threads 1 --quiet --run hurt "$@" >errors 2>&1 &
            sleep "$(instant "$length")"
            kill -9 $! 2>/dev/null
            wait $! 2>/dev/null # until it is really gone: it may have to end a write first
            status=$?
            [ "$status" -eq 137 ] || break
            done=$((done + 1))
            [ ! -e hurt/stage1.h5 ] && [ -z "$(ls hurt/stage2-*.h5 2>/dev/null)" ] || resumed=$((resumed + 1))
        done
        if [ "$status" -ne 0 ]; then
            echo "$name: exit status $status: $(cat errors)"
            result=1
            return
        fi
        rounds=$((rounds + 1))
        content hurt >hurt.content
        if ! cmp -s hurt.content whole.content; then
            unlike=$((unlike + 1))
            diff whole.content hurt.content
        fi
    done
    echo "$name: $done kills, $resumed of them after a checkpoint, in $rounds runs; $unlike runs differ"
    [ "$unlike" -eq 0 ] || result=1
    rm -rf whole hurt
}

torture "stage 1" --stage 1
train --config mixture.yaml --threads 1 --quiet --run trunk --stage 1 || exit 1
torture "stage 2, Adam" --stage 2 --loss npr,sn --init trunk/stage1.h5 --set stage2.solver=adam
torture "stage 2, exact" --stage 2 --loss npr,sn --init trunk/stage1.h5 --set stage2.solver=exact
exit $result
