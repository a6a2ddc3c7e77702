#!/bin/sh
# Heads that are solved for, as a user types it: fitting, inspecting, continuing and refining them,
# and the errors.

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
stage2: {batch: 16, images: 500, time_bins: 4}
END
second="train --stage 2 --config tiny.yaml --loss npr,sn"

tiny_run r ""

# The default for a simple head, and what it says in the end.
# shellcheck disable=SC2086
works $second --run r
says "npr training   held out"
says "      512" # images: 500, in whole rounds
says "held out on 1024 images"
works infer info r/stage2-npr+sn.h5
says "a last layer for each of 4 bins of timesteps"
says "npr: solved for on 512 images, held-out loss"
says "possible: the sums of least squares are stored"
works infer nll --run r --variance npr,sn --steps 5,10 --images 4 --quiet
[ "$(wc -l <r/nll.csv)" -eq 5 ] || problem "nll.csv: $(cat r/nll.csv)"
works infer sample --run r --variance sn --steps 5 --count 4 --out r/s.png --quiet

# precision: auto is float32, in which infer reads heads: asked for by name, it is the same run.
# shellcheck disable=SC2086
works $second --run r --precision f32
says "is complete"

# Complete; more images continue it; --quiet is quiet.
# shellcheck disable=SC2086
works $second --run r
says "a larger stage2.images continues it"
# shellcheck disable=SC2086
works $second --run r --set stage2.images=1000 --quiet
[ -z "$(cat printed errors)" ] || problem "--quiet, but: $(cat printed errors)"
works infer info r/stage2-npr+sn.h5
says "npr: solved for on 1,024 images"

# The sums of a wide trunk: told of before they fill the memory and the checkpoint, refused where they hardly fit.
sed 's/channels: 16,/channels: 128,/' tiny.yaml >wide.yaml
trained wide.yaml wide "" --set stage1.steps=1 --set stage1.batch=1
wide="train --stage 2 --config wide.yaml --loss sn --run wide --set stage2.batch=16 --set stage2.images=1 --threads 1"
# shellcheck disable=SC2086
works $wide --set stage2.time_bins=8
says "the sums of least squares take 0.085 GB, in memory and in the checkpoint (128 channels, 8 bins)"
if prlimit --as=1228800000 train --version >printed 2>errors; then
    # shellcheck disable=SC2086
    fails_with 2 "stage2.solver: exact would take 0.7 GB for its sums, more than half of the 1.2 GB" \
        prlimit --as=1228800000 $wide --set stage2.time_bins=64 --fresh
else
    skips "a limit on memory, which sanitizers take terabytes of"
fi
rm -r wide

# One bin, a ridge that is given, a single head, and images of a batch that does not divide them.
works train --stage 2 --config tiny.yaml --loss sn --run one --init r/stage1.h5 \
    --set stage2.time_bins=1 --set stage2.ridge=0.01 --set stage2.images=1
works infer info one/stage2-sn.h5
says "sn: solved for on 16 images"
! grep -q "bins of timesteps" printed || problem "one bin: $(cat printed)"

# Refined by Adam, from the heads and with the network of that file.
adam="--config tiny.yaml --set stage2.solver=adam --set stage2.steps=3 --set stage2.lr=1e-4"
# shellcheck disable=SC2086
works train --stage 2 --loss npr,sn $adam --run fine --heads r/stage2-npr+sn.h5 \
    --set stage2.time_bins=4 --quiet
works infer info fine/stage2-npr+sn.h5
says "trained by Adam"
says "a last layer for each of 4 bins of timesteps"
# It begins where the solution is: held out, the two losses agree to sampling error (16 images).
first=$(sed -n 's/^stage2-npr+sn,sn,1,\([0-9]*\).*/\1/p' fine/metrics.csv)
solved=$(sed -n 's/^stage2-npr+sn,sn,[0-9]*,\([0-9]*\).*/\1/p' r/metrics.csv | tail -1)
[ "$first" -lt $((2 * solved)) ] || problem "Adam begins at a loss of $first, not near $solved"

# Refused, with what is there left as it is.
state=$(cksum r/* one/* fine/*)
# shellcheck disable=SC2086
{
    fails_with 2 "--heads goes with --stage 2" train --stage 1 --heads r/stage2-npr+sn.h5 --run x
    fails_with 2 "--heads goes with --set stage2.solver=adam" train --stage 2 --loss sn --config tiny.yaml \
        --heads r/stage2-npr+sn.h5 --run x
    fails_with 2 "stage2.time_bins = 1 bins, found 4" train --stage 2 --loss sn $adam --run x \
        --heads r/stage2-npr+sn.h5 --set stage2.time_bins=1
    fails_with 2 "heads_ema/npr" train --stage 2 --loss npr $adam --run x --heads one/stage2-sn.h5 \
        --set stage2.time_bins=1
    fails_with 2 "nowhere.h5" train --stage 2 --loss npr $adam --heads nowhere.h5 --run x
    fails_with 2 "stage2.solver=exact: expected adam, since head.type is complex" train --stage 2 --loss sn \
        --config tiny.yaml --run r --set head.type=complex --set stage2.solver=exact
    fails_with 2 "stage2.time_bins=65: expected an integer from 0 to 64" train --stage 2 --loss sn \
        --config tiny.yaml --run r --set stage2.time_bins=65
    fails_with 2 "stage2.time_bins=31: expected at most 30, one for each timestep" train --stage 2 --loss sn \
        --config tiny.yaml --run r --set stage2.time_bins=31 --set diffusion.timesteps=30
    fails_with 2 "these keys differ: stage2.time_bins" train --stage 2 --loss npr,sn --config tiny.yaml \
        --run r --set stage2.time_bins=2
    fails_with 2 "these keys differ: stage2.solver" train --stage 2 --loss npr,sn $adam --run r \
        --set stage2.time_bins=4
}
[ "$(cksum r/* one/* fine/*)" = "$state" ] || problem "a refused command changed a run"
[ ! -e x ] || problem "a refused command wrote $(ls x)"

# A complex head is trained by Adam without being asked.
works train --stage 2 --config tiny.yaml --loss sn --run complex --init r/stage1.h5 --quiet \
    --set head.type=complex --set stage2.steps=2 --set stage2.time_bins=0
works infer info complex/stage2-sn.h5
says "trained by Adam"

exit $result
