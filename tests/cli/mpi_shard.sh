#!/bin/sh
# stage1.shard: processes of mpirun share the optimiser's state, and leave the files that they leave without.
# stage1.transport: gradients that are rounded on their way.
. tests/script.sh

needs_mpirun train

cat >tiny.yaml <<'END_OF_RECIPE'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 40}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.2, norm_groups: 4}
precision: f32
stage1: {steps: 4, batch: 10, grad_clip: 1}
checkpoint: {every: 2}
END_OF_RECIPE

# train1 RUN PROCESSES STEPS SHARD: stage 1, from where the run is.
train1() {
    works processes "$2" train --config tiny.yaml --run "$1" --quiet --stage 1 --set stage1.steps="$3" --set stage1.shard="$4"
}

# same RUN OTHER: the same checkpoint, byte for byte, and the same losses.
same() {
    cmp -s "$1/stage1.h5" "$2/stage1.h5" || problem "$1 and $2: the checkpoints differ"
    cut -d, -f1-6 "$1/metrics.csv" >one
    cut -d, -f1-6 "$2/metrics.csv" | cmp -s one - || problem "$1 and $2: the rows of metrics.csv differ"
}

# -- The bits of the same number of processes that do not share -----------------------------------

works train --config tiny.yaml --run whole1 --quiet --stage 1
train1 shared1 1 4 true
same whole1 shared1
for n in 2 3 4; do
    train1 whole$n $n 4 false
    train1 shared$n $n 4 true
    same whole$n shared$n
done

# -- A run that goes on with other processes, sharing or not ----------------------------------------

for first in whole4 shared4; do
    shard=true
    [ $first = shared4 ] || shard=false
    train1 $first 3 5 $shard
    train1 $first 2 6 false
    train1 $first 3 7 $shard
    works train --config tiny.yaml --run $first --quiet --stage 1 --set stage1.steps=8
done
same whole4 shared4

# -- Gradients in bf16 --------------------------------------------------------------------------------

# train_rounded RUN OPTION...: stage 1 on three processes.
train_rounded() {
    run=$1
    shift
    works processes 3 train --config tiny.yaml --run "$run" --quiet --stage 1 --set stage1.transport=bf16 "$@"
}

# losses RUN: of the first four steps.
losses() {
    awk -F, 'NR > 1 && $3 <= 4 { print $4 }' "$1/metrics.csv"
}

# A save gives every process the weights of the first one. If those of the others were different, the losses would depend on
# when the run saves.
train_rounded often --set checkpoint.every=1
train_rounded seldom --set checkpoint.every=4 --set stage1.shard=true
losses often >one
losses seldom | cmp -s one - || problem "bf16: processes have different weights, or the slices change their bits"
losses shared3 >other
# The warm-up's steps are shorter than 4e-6, and rounding may turn some of them around.
paste one other | awk '{ d = $1 - $2; d = d < 0 ? -d : d; if (!(d <= 1e-5 * $2) || (NR == 1 && d > 1e-6 * $2)) exit 1
    different = different || d > 0 } END { exit NR != 4 || !different }' ||
    problem "bf16: expected the first loss of f32, and then nearly its losses: $(paste one other)"
fails_with 2 "these keys differ: stage1.transport (--resume continues it" \
    train --config tiny.yaml --run often --quiet --stage 1 --set stage1.steps=9

# -- The first process fails to write while the others bring their slices ------------------------

works processes 3 train --config tiny.yaml --run full --quiet --stage 1 --set stage1.steps=2 --set stage1.shard=true
rm -f pid-*
timeout 300 processes 3 with_number train --config tiny.yaml --run full --stage 1 --set stage1.shard=true \
    --set stage1.steps=1000000 >printed 2>errors &
child=$!
until [ "$(wc -l <full/metrics.csv)" -gt 4 ] || ! kill -0 $child 2>/dev/null; do
    sleep 0.05
done
prlimit --fsize=60000 --pid "$(cat pid-0)"
wait $child
status=$?
[ $status -eq 1 ] || problem "a full disk: exit status $status, expected 1"
[ "$(grep -c '^train: .*File too large.*the last good checkpoint is full/stage1.h5' errors)" -eq 1 ] ||
    problem "a full disk: $(cat errors)"
works infer info full/stage1.h5
exit $result
