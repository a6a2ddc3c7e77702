#!/bin/sh
# The head nll as a user types it: the sample while the run goes on and after it, a kill in the middle of the pass, and
# the losses that are shown.

. tests/script.sh

# says TEXT: the last command has printed it.
says() {
    grep -q -F -e "$1" printed errors || problem "expected \"$1\" in: $(cat printed errors)"
}

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 30, batch: 16, lr: 1.0e-3, warmup: 4}
stage2: {batch: 16, images: 700, time_bins: 3}
checkpoint: {every: 10}
END
trained tiny.yaml trunk ""
second="train --stage 2 --config tiny.yaml --loss npr,nll --init trunk/stage1.h5"

# state RUN: prints its steps, and what infer info says of continuing it.
state() {
    infer info "$1/stage2-nll+npr.h5" | sed -n 's/^  stage .*, batch \([0-9]*\)$/\1/p; s/^  resume  *//p'
}

# A complete run has dropped its sample. More images are refused, and nothing changes.
# shellcheck disable=SC2086
works $second --run whole
says "nll training   held out"
[ "$(awk '$1 == 720 && NF == 5' printed | wc -l)" -eq 1 ] || problem "no losses at 720 images: $(cat printed)"
[ "$(awk '$1 == 48 && NF == 3' printed | wc -l)" -eq 1 ] || problem "nll was solved for on the way: $(cat printed)"
state whole | grep -q "not possible: the run is complete" || problem "complete, but: $(state whole)"
works infer info whole/stage2-nll+npr.h5
says "nll: solved for on 720 images, held-out loss"
large=2000000 # bytes: the sample has more, all the rest has less
[ "$(wc -c <whole/stage2-nll+npr.h5)" -lt $large ] || problem "a complete run has a sample"
# shellcheck disable=SC2086
works $second --run whole
says "is complete (step 111 of 111); --fresh starts again"
before=$(cksum whole/*)
# shellcheck disable=SC2086
fails_with 2 "no longer has the sample that a regression is solved from (--fresh fits again" \
    $second --run whole --set stage2.images=2000
[ "$(cksum whole/*)" = "$before" ] || problem "a refused command changed the run"
# shellcheck disable=SC2086
works $second --run whole --set stage2.images=1400 --fresh --quiet

# Killed while it collects the sample, and again later, a run ends in the file of an uninterrupted one.
# shellcheck disable=SC2086
works $second --run long --set stage2.images=700 --quiet
for enough in 20 80; do
    step=0
    # shellcheck disable=SC2086
    $second --run cut --set stage2.images=700 --quiet &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$step" -lt $enough ]; do
        [ ! -e cut/stage2-nll+npr.h5 ] || step=$(state cut 2>/dev/null | head -n 1) # none while it is replaced
        step=${step:-0}
    done
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    step=$(state cut | head -n 1)
    [ "$step" -lt 111 ] || skips "a kill in the pass, which had ended already"
done
[ "$step" -eq 111 ] || [ "$(wc -c <cut/stage2-nll+npr.h5)" -gt $large ] || problem "a run that goes on has no sample"
# shellcheck disable=SC2086
works $second --run cut --set stage2.images=700 --quiet
cmp -s long/stage2-nll+npr.h5 cut/stage2-nll+npr.h5 || problem "a killed and continued run has another checkpoint"

# A run in the middle of its pass is complete for fewer images than it has had.
# shellcheck disable=SC2086
works $second --run kept --set stage2.images=700 --set checkpoint.keep=9 --quiet
cp kept/stage2-nll+npr-00000080.h5 kept/stage2-nll+npr.h5
# shellcheck disable=SC2086
works $second --run kept --set stage2.images=16
grep -q -F "kept/stage2-nll+npr.h5 is complete (step 80 of 69)" errors || problem "fewer images: $(cat errors)"

exit $result
