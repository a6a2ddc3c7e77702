#!/bin/sh
# train on 1 to 4 processes of mpirun: the losses of one process, a run that goes on with another number of processes,
# signals, errors, files of the first process alone.
. tests/script.sh

needs_mpirun train

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 40}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [8], dropout: 0.2, norm_groups: 4}
precision: f32
stage1: {steps: 6, batch: 10, grad_clip: 1}
stage2: {steps: 4, batch: 10, images: 200}
checkpoint: {every: 3}
END

# loss_of RUN NAME TARGET: step and loss of each row.
loss_of() {
    awk -F, -v run="$2" -v target="$3" '$1 == run && $2 == target { print $3, $4 }' "$1/metrics.csv"
}

# agree RUN OTHER NAME TARGET TOLERANCE: the same losses but for rounding.
agree() {
    loss_of "$1" "$3" "$4" >one
    loss_of "$2" "$3" "$4" >other
    [ -s one ] || problem "$1: no losses of $3"
    paste -d' ' one other | awk -v most="$5" 'function size(x) { return x < 0 ? -x : x }
        { if ($1 != $3 || !(size($4 - $2) <= most * size($2))) { print; wrong = 1 } } END { exit wrong }' ||
        problem "$1 and $2: the losses $4 of $3 differ by more than $5"
}

# train_all PROCESSES RUN: both stages, by both solvers.
train_all() {
    works processes "$1" train --config tiny.yaml --run "$2" --quiet --stage 1
    works processes "$1" train --config tiny.yaml --run "$2" --quiet --stage 2 --loss npr,sn
    works processes "$1" train --config tiny.yaml --run "$2" --quiet --stage 2 --loss nll
    works processes "$1" train --config tiny.yaml --run "$2" --quiet --stage 2 --loss sn --set stage2.solver=adam
}

# -- The losses of one process; 3 and 4 divide no batch of 10 -------------------------------------

train_all 1 r1
tiny='--config tiny.yaml --run alone --quiet'
# shellcheck disable=SC2086 # a list of words
works train $tiny --stage 1
cmp -s alone/stage1.h5 r1/stage1.h5 || problem "mpirun -n 1 gives another checkpoint than train alone"
for n in 2 3 4; do
    train_all $n r$n
    agree r1 r$n stage1 eps 1e-6
    agree r1 r$n stage2-sn sn 1e-5
    agree r1 r$n stage2-npr+sn npr 1e-5
    agree r1 r$n stage2-npr+sn sn 1e-5
    agree r1 r$n stage2-nll nll 1e-3 # its search reads a part of the sample, whose order is another
    [ "$(awk -F, '{ print NF }' r$n/metrics.csv | sort -u)" = 11 ] || problem "r$n/metrics.csv: expected 11 columns"
    awk -F, 'NR > 1 && !(0 < $8 && $8 <= $9 && 0 < $10 && $10 <= $11)' r$n/metrics.csv >phases
    [ ! -s phases ] || problem "r$n/metrics.csv: seconds that can't be: $(cat phases)"
    [ ! -e r$n/lock ] || problem "r$n/lock stayed"
done
[ "$(awk -F, '{ print NF }' r1/metrics.csv | sort -u)" = 7 ] || problem "one process has columns of several"
[ "$(ls r1)" = "$(ls r3)" ] || problem "three processes write other files: $(ls r3)"

# -- Another number of processes --------------------------------------------------------------------

works processes 4 train --config tiny.yaml --run moved --quiet --stage 1 --set stage1.steps=2
works processes 3 train --config tiny.yaml --run moved --quiet --stage 1 --set stage1.steps=4
works train --config tiny.yaml --run moved --quiet --stage 1
agree r1 moved stage1 eps 1e-6
[ "$(awk -F, '{ print NF }' moved/metrics.csv | sort -u)" = 11 ] || problem "moved/metrics.csv: expected 11 columns"
works processes 3 train --config tiny.yaml --run moved --quiet --stage 2 --loss npr,sn --set stage2.images=60
works processes 2 train --config tiny.yaml --run moved --quiet --stage 2 --loss npr,sn
works train --config tiny.yaml --run moved --quiet --stage 2 --loss npr,sn --set stage2.images=400
works train --config tiny.yaml --run r1 --quiet --stage 2 --loss npr,sn --set stage2.images=400
agree r1 moved stage2-npr+sn npr 1e-5
agree r1 moved stage2-npr+sn sn 1e-5

# -- Timesteps by their losses, once each has ten of them; a recipe from a pipe ----------------------

for n in 1 3; do
    processes $n train --config /dev/stdin --run aware$n --quiet --stage 1 --set stage1.time_sampling=loss_aware \
        --set stage1.steps=60 <tiny.yaml >printed 2>errors || problem "a recipe from a pipe: $(cat errors)"
done
agree aware1 aware3 stage1 eps 1e-6
works train --config tiny.yaml --run uniform --quiet --stage 1 --set stage1.steps=60
cmp -s aware1/metrics.csv uniform/metrics.csv && problem "loss_aware draws uniform timesteps"

# -- A machine with other images --------------------------------------------------------------------

for directory in . elsewhere; do
    mkdir -p $directory
    works infer sample --run r1 --steps 2 --count 20 --seed $((${#directory})) --variance beta --out $directory/images.npz --quiet
done
cp tiny.yaml elsewhere
fails_with 2 "images.npz: not all processes find the same there" processes 2 apart train --config tiny.yaml \
    --run "$PWD/apart-run" --quiet --stage 1 --set data.train=images.npz --set data.test=

# -- A machine with another network, and with another checkpoint of the same step -------------------

cp -r r1 elsewhere/r1
works train --config tiny.yaml --run elsewhere/r1 --quiet --stage 1 --fresh --set stage1.lr=1e-2
for stage in '1 --resume --set stage1.steps=1000' '2 --loss npr'; do
    # shellcheck disable=SC2086 # a list of words
    fails_with 2 "r1/stage1.h5: not all processes find the same there" processes 2 apart train --config tiny.yaml \
        --run r1 --quiet --stage $stage
done

# -- A process that is stopped again and again ------------------------------------------------------

# The others are done with their passes while it still has pieces of the gradients to begin.
wide='--config tiny.yaml --threads 1 --quiet --stage 1 --set stage1.steps=40 --set model.channels=32'
# shellcheck disable=SC2086 # a list of words
works processes 4 train $wide --run even
rm -f pid-*
# shellcheck disable=SC2086
timeout 300 processes 4 with_number train $wide --run held >printed 2>errors &
child=$!
until [ -s pid-0 ] || ! kill -0 $child 2>/dev/null; do
    sleep 0.1
done
stops=0
while [ $stops -lt 20 ] && kill -STOP "$(cat pid-0)" 2>/dev/null; do
    sleep 0.15
    kill -CONT "$(cat pid-0)" 2>/dev/null
    sleep 0.03
    stops=$((stops + 1))
done
wait $child || problem "a process was stopped and went on: exit status $?: $(cat errors)"
cmp -s even/stage1.h5 held/stage1.h5 || problem "a process that was stopped changes the checkpoint"

# -- What is printed, and errors --------------------------------------------------------------------

works processes 3 train --config tiny.yaml --run said --stage 1
[ "$(grep -c "3 processes of 1 thread" errors)" -eq 1 ] || problem "expected one line about processes: $(cat errors)"
[ "$(grep -c "^saved" errors)" -eq 1 ] || problem "expected one line about the checkpoint: $(cat errors)"
works processes 3 train --help
[ "$(grep -c "^usage: train" printed)" -eq 1 ] || problem "every process prints its help"
fails_with 2 "stage1.batch: expected 3 images or more" \
    processes 3 train --config tiny.yaml --run few --quiet --stage 1 --set stage1.batch=2
fails_with 2 "there is no such checkpoint to --resume" \
    processes 3 train --config tiny.yaml --run none --quiet --stage 1 --resume
fails_with 2 "stage1.lr" processes 2 train --config tiny.yaml --run none --quiet --stage 1 --set stage1.lr=-1
exit $result
