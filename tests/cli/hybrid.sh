#!/bin/sh
# A learned variance, as a user types it: training it, continuing, using it, and the errors.

. tests/script.sh

# says TEXT: the last command has printed it.
says() {
    grep -q -F -e "$1" printed errors || problem "expected \"$1\" in: $(cat printed errors)"
}

tiny_recipe
hybrid="--set stage1.objective=hybrid --set diffusion.timesteps=24 --set stage1.batch=8"
aware="$hybrid --set stage1.time_sampling=loss_aware"

# trains RUN STEPS OPTION...: stage 1 alone.
trains() {
    to=$1 steps=$2
    shift 2
    works train --stage 1 --config tiny.yaml --run "$to" --quiet --set stage1.steps="$steps" --set precision=f32 "$@"
}

# The variance is in stage1.h5, and a row of every table.
# shellcheck disable=SC2086 # options
trains r 60 $hybrid
works infer info r/stage1.h5
says "a second output: it learns its variance"
works infer nll --run r --variance beta,learned --steps 5 --images 5 --quiet
[ "$(cut -d, -f1 r/nll.csv | xargs)" = "variance beta learned" ] || problem "nll.csv: $(cat r/nll.csv)"
works infer nll --run r --steps 5 --images 5 --out all.csv --quiet
grep -q '^learned,' all.csv || problem "all that the network has: $(cat all.csv)"
works infer sample --run r --variance learned --steps 3 --count 4 --out x.png --quiet
works infer quality --run r --variance learned --steps 2 --samples 20 --metrics sliced --quiet
works infer compare --run r --steps 3 --samples 0 --images 5 --quiet
grep -q 'learned' r/compare/compare.html || problem "the page has no row learned"
works infer nll --run r --trajectory dp --steps 3 --images 5 --dp-images 5 --out dp.csv --quiet
! grep -q '^learned' dp.csv || problem "dp has a row learned: $(cat dp.csv)"
works train --stage 2 --config tiny.yaml --run r --loss npr --set diffusion.timesteps=24 --set model.learned=range --quiet
works infer nll --run r --variance npr,learned --steps 5 --images 5 --quiet

# A continued run is the uninterrupted one, bit for bit, when losses choose timesteps too: after 8 x 60 images each of
# 24 timesteps has ten losses.
# shellcheck disable=SC2086 # options
for kind in uniform aware; do
    [ $kind = aware ] && options=$aware || options=$hybrid
    trains whole-$kind 90 $options
    trains parts-$kind 70 $options
    trains parts-$kind 90 $options
    cut -d, -f1-6 whole-$kind/metrics.csv >whole
    cut -d, -f1-6 parts-$kind/metrics.csv >parts
    cmp -s whole parts || problem "$kind: the losses of a continued run differ"
    works infer predict --help
    for run in whole parts; do
        works infer sample --run $run-$kind --variance learned --steps 3 --count 4 --out $run.h5 --quiet
    done
    cmp -s whole.h5 parts.h5 || problem "$kind: the samples of a continued run differ"
done
cmp -s whole-uniform/metrics.csv whole-aware/metrics.csv && problem "loss_aware draws uniform timesteps"

# A bound of a large weight is a large loss, and no explosion.
# shellcheck disable=SC2086 # options
trains heavy 2 $hybrid --set diffusion.timesteps=1000 --set stage1.vlb_weight=100

# What can't be, in one line.
fails_with 2 "and dp has no tables of such a variance" \
    infer nll --run r --variance learned --trajectory dp --steps 3 --images 5
fails_with 2 "the variance learned is DDPM's" \
    infer sample --run r --variance learned --sampler ddim --steps 3 --out y.png
tiny_run plain ""
fails_with 2 "stage1.objective=hybrid makes one" infer nll --run plain --variance learned --steps 3 --images 5
fails_with 2 "eps does not train the second output" \
    train --stage 1 --config tiny.yaml --run y --set model.learned=range
fails_with 2 "model.learned=none: expected range, since stage1.objective is hybrid" \
    train --stage 1 --config tiny.yaml --run y --set stage1.objective=hybrid --set model.learned=none
# shellcheck disable=SC2086 # options
fails_with 2 "these keys differ: stage1.time_sampling" \
    train --stage 1 --config tiny.yaml --run r --set stage1.steps=60 $aware --set precision=f32
fails_with 2 "these keys differ: model.learned" \
    train --stage 2 --config tiny.yaml --run r --loss sn --set diffusion.timesteps=24

exit $result
