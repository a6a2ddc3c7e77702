#!/bin/sh
# Runs that are started again: some continue, some are left alone, some are refused, and a refusal
# changes nothing. (That a continued run ends in the same numbers: tests/test_train.c.)

. tests/script.sh

# The description of every file of a run, and of its content.
state() {
    for file in r/*; do
        stat -c '%n %i %y' "$file"
        cksum "$file"
    done
}

# ends STATUS TEXT ARGUMENT...: `train ARGUMENT...` ends so, with TEXT on stderr.
ends() {
    expected=$1 text=$2
    shift 2
    train --config tiny.yaml --run r --threads 1 "$@" >printed 2>errors
    status=$?
    [ $status -eq "$expected" ] ||
        problem "train $*: exit status $status, expected $expected: $(cat errors)"
    grep -q -F -e "$text" errors || problem "train $*: expected \"$text\" in: $(cat errors)"
    [ ! -s printed ] || problem "train $*: printed $(cat printed)"
}

# refused TEXT ARGUMENT...: a wrong input, in one line, and the run is untouched.
refused() {
    before=$(state)
    ends 2 "$@"
    [ "$(wc -l <errors)" -eq 1 ] || problem "train: expected one line: $(cat errors)"
    [ "$(state)" = "$before" ] || problem "train: \"$1\", but the run was changed"
}

# left_alone TEXT ARGUMENT...: nothing to do.
left_alone() {
    before=$(state)
    ends 0 "$@"
    [ "$(state)" = "$before" ] || problem "train: \"$1\", but the run was changed"
}

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], norm_groups: 4}
stage1: {steps: 4, batch: 4, warmup: 2}
stage2: {solver: adam, steps: 4, batch: 4}
END

# -- Stage 1
ends 2 "r/stage1.h5: there is no such checkpoint to --resume" --stage 1 --resume
ends 0 "saved r/stage1.h5 (step 4 of 4)" --stage 1
left_alone "r/stage1.h5 is complete (step 4 of 4); a larger stage1.steps continues it" --stage 1
left_alone "is complete" --stage 1 --resume
left_alone "is complete (step 4 of 3)" --stage 1 --set stage1.steps=3

# What may differ: the length of the run, and what stage 1 has no use for.
ends 0 "continuing r/stage1.h5 at step 4" --stage 1 --set stage1.steps=6
grep -q -F "saved r/stage1.h5 (step 6 of 6)" errors || problem "not saved at 6: $(cat errors)"
ends 0 "continuing r/stage1.h5 at step 6" --stage 1 --resume --set stage1.steps=7 \
    --set name=other --set stage1.variance=beta --set stage2.lr=0.5 --set head.type=complex \
    --set checkpoint.every=1 --set data.test=elsewhere
left_alone "is complete (step 7 of 7)" --stage 1 --set stage1.steps=7

# What may not: every key that bears on the numbers. All that differ are named, in order.
for change in seed=5 model.dropout=0.3 model.channel_mult=[1,3] model.res_blocks=2 \
    model.attention=[] model.norm_groups=2 model.channels=16 data.resolution=16 data.channels=2 \
    data.flip=false diffusion.timesteps=500 diffusion.schedule=cosine stage1.batch=5 \
    stage1.lr=1e-3 stage1.warmup=3 stage1.grad_clip=2 stage1.ema=0.99; do
    more=
    [ "$change" = data.resolution=16 ] && more="--set model.attention=[8]"
    # shellcheck disable=SC2086 # two words or none
    refused "these keys differ: $([ -z "$more" ] || echo data.resolution, model.attention)" \
        --stage 1 --set stage1.steps=9 --set "$change" $more
    grep -q -F -e "${change%%=*}" errors || problem "$change is not named: $(cat errors)"
done
refused "r/stage1.h5: was trained with another configuration; these keys differ: model.dropout, \
stage1.lr, seed (--fresh starts again and replaces it)" \
    --stage 1 --set stage1.steps=9 --set stage1.lr=1e-3 --seed 3 --set model.dropout=0
refused "these keys differ: seed" --stage 1 --seed 3 # complete or not
refused "--resume and --fresh exclude each other" --stage 1 --resume --fresh

# -- Stage 2
ends 2 "r/stage2-sn.h5: there is no such checkpoint to --resume" --stage 2 --loss sn --resume
ends 0 "saved r/stage2-sn.h5 (step 4 of 4)" --stage 2 --loss sn
ends 0 "saved r/stage2-npr+sn.h5 (step 4 of 4)" --stage 2 --loss npr,sn
left_alone "r/stage2-npr+sn.h5 is complete (step 4 of 4)" --stage 2 --loss sn,npr
left_alone "a larger stage2.steps continues it" --stage 2 --loss sn --resume
ends 0 "continuing r/stage2-sn.h5 at step 4" --stage 2 --loss sn --set stage2.steps=6 \
    --set stage1.lr=1e-3 --set stage1.steps=1 --set checkpoint.every=1
for change in seed=5 stage2.batch=5 stage2.lr=1e-3 stage2.ema=0.5 stage2.trunk_dropout=true \
    head.type=complex data.flip=false; do
    refused "r/stage2-sn.h5: was trained with another configuration; these keys differ: \
${change%%=*} (" --stage 2 --loss sn --set stage2.steps=9 --set "$change"
done
refused "r/stage1.h5: its network has another configuration; these keys differ: data.channels, \
model.res_blocks" --stage 2 --loss sn --set data.channels=2 --set model.res_blocks=2

# The trunk that a head was begun on is no more: complete or not, it is said.
cp r/stage1.h5 old.h5
ends 0 "saved r/stage1.h5 (step 8 of 8)" --stage 1 --set stage1.steps=8
for steps in 4 9; do
    refused "r/stage2-sn.h5: its head was fitted on another trunk than r/stage1.h5 now holds \
(--fresh starts again and replaces it)" --stage 2 --loss sn --set stage2.steps=$steps
done
ends 0 "saved r/stage2-sn.h5 (step 9 of 9)" --stage 2 --loss sn --set stage2.steps=9 --init old.h5
refused "another trunk than r/stage1.h5" --stage 2 --loss sn --set stage2.steps=9
ends 0 "saved r/stage2-sn.h5 (step 4 of 4)" --stage 2 --loss sn --fresh
left_alone "is complete (step 4 of 4)" --stage 2 --loss sn
refused "missing.h5: no such file" --stage 2 --loss npr --init missing.h5

# A trunk from elsewhere needs no stage 1 in the run directory.
mkdir trunks
mv r/stage1.h5 trunks/trunk.h5
rm -r r
ends 0 "saved r/stage2-npr.h5 (step 4 of 4)" --stage 2 --loss npr --init trunks/trunk.h5
[ "$(cd r && echo *)" = "metrics.csv stage2-npr.h5" ] || problem "there are: $(cd r && echo *)"

# -- From the beginning
rm -r r
ends 0 "saved r/stage1.h5 (step 4 of 4)" --stage 1
ends 0 "saved r/stage1.h5 (step 3 of 3)" --stage 1 --fresh --seed 3 --set stage1.steps=3
grep -q continuing errors && problem "--fresh continued: $(cat errors)"
refused "these keys differ: seed" --stage 1
left_alone "is complete (step 3 of 3)" --stage 1 --seed 3 --set stage1.steps=3
[ "$(cut -d , -f 1-3 r/metrics.csv | tr '\n' ' ')" = \
    "run,target,step stage1,eps,1 stage1,eps,2 stage1,eps,3 " ] ||
    problem "metrics.csv: $(cat r/metrics.csv)"

# precision: auto is what it amounts to on the processor: here float32, as was asked for by name.
isa=${ONEDNN_MAX_CPU_ISA-ALL}
export ONEDNN_MAX_CPU_ISA=AVX2
ends 0 "saved r/stage1.h5 (step 3 of 3)" --stage 1 --fresh --seed 3 --set stage1.steps=3 \
    --precision f32
left_alone "is complete (step 3 of 3)" --stage 1 --seed 3 --set stage1.steps=3
export ONEDNN_MAX_CPU_ISA="$isa"

# A run goes on in the precision that it began with, on a processor whose choice is another one too.
works train --config tiny.yaml --threads 1 --run computes --fresh --stage 1 --set stage1.steps=2
begun=$(sed -n '1s/.* computes in \([a-z0-9]*\) .*/\1/p' errors)
ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 works train --config tiny.yaml --threads 1 --run computes --stage 1
case $(head -n 1 errors) in
"stage1 computes in $begun (auto: the run began in it), 1 thread") ;;
*) problem "a run that began in $begun goes on: $(cat errors)" ;;
esac
left_alone "is complete (step 3 of 3)" --stage 1 --seed 3 --set stage1.steps=3 --precision f32

# OpenMP may give fewer threads than there are: nobody waits for the others.
OMP_NUM_THREADS=2 OMP_THREAD_LIMIT=1 OMP_DYNAMIC=true timeout -s KILL 120 \
    train --config tiny.yaml --run r --stage 1 --fresh --seed 3 --set stage1.steps=3 \
    --precision f32 --quiet || problem "with a limit on threads: exit status $?"

# The loss that is shown goes on where it was: at the end of a run in parts it is what it is in one piece.
# shown RUN: the last "loss 12.34", or with two heads "npr 1.23  sn 4.56", that was said.
shown() {
    sed -n 's/.* images\/s  \(.*[0-9]\.[0-9][0-9]\)  .*/\1/p' errors | tail -n 1
}
for stage in "1" "2 --loss npr,sn --init r/stage1.h5"; do
    for steps in 3 9 12; do
        # shellcheck disable=SC2086 # several words
        works train --config tiny.yaml --threads 1 --run parts --stage $stage --set stage1.steps=$steps \
            --set stage2.steps=$steps
    done
    parts=$(shown)
    # shellcheck disable=SC2086 # several words
    works train --config tiny.yaml --threads 1 --run whole --stage $stage --set stage1.steps=12 --set stage2.steps=12
    whole=$(shown)
    if [ -z "$whole" ] || [ "$parts" != "$whole" ]; then
        problem "stage $stage: in parts the loss shown is \"$parts\", in one piece \"$whole\""
    fi
done
mv parts/metrics.csv kept # without it, or with rows that are none, it starts anew
works train --config tiny.yaml --threads 1 --run parts --stage 1 --set stage1.steps=13
head -n 1 kept >parts/metrics.csv
printf 'stage1\nstage1,\nstage1,eps\nstage1,eps,1\nstage1,eps,2,much\n\0\nstage1,eps,3,nan,,,\n' >>parts/metrics.csv
works train --config tiny.yaml --threads 1 --run parts --stage 1 --set stage1.steps=14

# The first line says what the run computes in, and why.
# computes TEXT ARGUMENT...: so `train ARGUMENT...` does.
computes() {
    text=$1
    shift
    works train --config tiny.yaml --threads 1 --run computes --fresh "$@"
    case $(head -n 1 errors) in
    "$text"*", 1 thread") ;;
    *) problem "train $*: expected first \"$text\" in: $(cat errors)" ;;
    esac
}
computes "stage1 computes in f32 (as asked)" --stage 1 --precision f32
case $(ONEDNN_VERBOSE=1 train --config tiny.yaml --run v --stage 1 --precision f32 --quiet | grep "isa:") in
*AMX*) computes "stage1 computes in bf16 (auto: the processor has matrix instructions for bfloat16)" --stage 1 ;;
*) computes "stage1 computes in f32 (auto: " --stage 1 ;;
esac
computes "stage2-sn computes in f32 (auto: heads are solved for in the type that infer reads them in)" \
    --stage 2 --loss sn --init r/stage1.h5 --set stage2.solver=exact
export ONEDNN_MAX_CPU_ISA=AVX2
computes "stage1 computes in f32 (auto: oneDNN finds no matrix instructions for bfloat16 within ONEDNN_MAX_CPU_ISA)" --stage 1
works infer info computes/stage1.h5
grep -A 1 "^  precision  trained in f32$" printed | grep -q \
    "^             auto would be f32 here: oneDNN finds no matrix instructions for bfloat16 within ONEDNN_MAX_CPU_ISA$" ||
    problem "infer info: $(cat printed)"
export ONEDNN_MAX_CPU_ISA="$isa"

# A run goes on in the precision that it began with, on a processor whose choice is another one too.
works train --config tiny.yaml --threads 1 --run computes --fresh --stage 1 --set stage1.steps=2
begun=$(sed -n '1s/.* computes in \([a-z0-9]*\) .*/\1/p' errors)
ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 works train --config tiny.yaml --threads 1 --run computes --stage 1
case $(head -n 1 errors) in
"stage1 computes in $begun (auto: the run began in it), 1 thread") ;;
*) problem "a run that began in $begun goes on: $(cat errors)" ;;
esac
if [ "$begun" = bf16 ]; then
    ONEDNN_MAX_CPU_ISA=AVX2 fails_with 2 "the run began in bf16, and goes on in it: precision: bf16 needs" \
        train --config tiny.yaml --run computes --stage 1 --set stage1.steps=9
fi
ONEDNN_MAX_CPU_ISA=AVX2 works train --config tiny.yaml --threads 1 --run begun --init computes/stage1.h5 \
    --stage 2 --loss sn --set stage2.steps=2
works train --config tiny.yaml --threads 1 --run begun --init computes/stage1.h5 --stage 2 --loss sn \
    --set stage2.steps=3
works train --config tiny.yaml --threads 1 --run computes --stage 1 --fresh --quiet
[ -z "$(cat errors)" ] || problem "--quiet, but: $(cat errors)"

# A run that is named knows its recipe, in both stages; --fresh begins with the default one.
without() {
    works train --threads 1 --run computes "$@"
    grep -q -F "takes the recipe from computes/stage1.h5" errors || problem "train $*: $(cat errors)"
}
without --stage 1 --set stage1.steps=5
grep -q -F "saved computes/stage1.h5 (step 5 of 5)" errors || problem "a run that goes on: $(cat errors)"
without --stage 2 --loss npr --set stage2.steps=2
works infer info --yaml computes/stage2-npr.h5
grep -q "solver: adam" printed || problem "the recipe of stage 2: $(cat printed)"
fails_with 2 "train-images" train --stage 1 --run computes --fresh --set data.train=nowhere/train-images

# The rows of other runs stay; a last row that a crash cut off goes.
printf 'other,eps,9,1,1,1,1\nstage10,eps,9,1,1,1,1\nstage1,eps,7,1,1,1,1\nother,eps,10,1' \
    >>r/metrics.csv
ends 0 "saved r/stage1.h5 (step 4 of 4)" --stage 1 --seed 3 --precision f32
[ "$(cut -d , -f 1-3 r/metrics.csv | tr '\n' ' ')" = "run,target,step stage1,eps,1 stage1,eps,2 \
stage1,eps,3 other,eps,9 stage10,eps,9 stage1,eps,4 " ] || problem "metrics.csv: $(cat r/metrics.csv)"

exit $result
