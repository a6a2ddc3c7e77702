#!/bin/sh
# The questions that Extended-Analytic-DPM leaves open, on its own data set, part by part:
#
#     make cifar10
#     sh scripts/study_cifar10.sh DIR PART...
#
#     networks     the network of configs/cifar10-small.yaml with the linear and the cosine schedule, heads for every
#                  loss, and the constants of analytic
#     likelihood   squared errors or the likelihood: bounds and calibration of every variance of both networks, OCM
#                  among them
#     samples      SN against NPR and the others: Frechet distances, precision and recall, and the same with SN's and
#                  NPR's estimates scaled to one mean
#     seen         is NPR biased since the mean was fitted to the same images? Small networks trained on SIZES images,
#                  with heads fitted to these and to as many others: errors of the mean by timestep, bounds, samples
#     together     does the mean suffer if the variance is learned with it? Small networks with a second output, for
#                  WEIGHTS of its loss, beside small networks for the mean alone
#     diagonal     diagonal, and blocks of 2x2, 4x4 and 8x8 pixels
#     full         the whole covariance, of both networks
#     mean         what corrections of the mean add to each variance: as published, and the best ones
#     timesteps    where the best timesteps lie for each variance
#
# train and infer are those on PATH. Runs and tables go to DIR, and what is there is not repeated; a training that was
# stopped goes on. SCHEDULES ("linear cosine") are those of the large networks, and STEPS (30000) says how long these are
# trained. The small ones of `seen` and `together` have half the channels and SHORT (6000) steps, and are trained with
# each of SEEDS ("1 2 3"). SIZES are "1000 20000", WEIGHTS "0.001 0.01 0.1 1". IMAGES (100) and SAMPLES (1000) say how
# many are measured. DATA (data/cifar10) is the data set. OPTIONS go to every training, DRAWING to every drawing of
# samples: DRAWING="--precision bf16" is many times faster on a processor with AMX.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dir=$1
shift
data=${DATA:-data/cifar10} schedules=${SCHEDULES:-linear cosine} steps=${STEPS:-30000}
short=${SHORT:-6000} seeds=${SEEDS:-1 2 3} sizes=${SIZES:-1000 20000} weights=${WEIGHTS:-0.001 0.01 0.1 1}
images=${IMAGES:-100} samples=${SAMPLES:-1000} drawing=${DRAWING:-}
small="--set model.channels=16 --set model.norm_groups=8 --set stage1.warmup=200 --set stage1.ema=0.998"
mkdir -p "$dir"
classifier=$dir/classifier.h5

# -- Runs

# link FILE NAME: one more name of a file, unless it is there.
link() {
    [ -e "$2" ] || ln "$1" "$2"
}

# stage1 RUN STEPS OPTION...: trains the run's network.
stage1() {
    run=$dir/$1 count=$2
    shift 2
    # shellcheck disable=SC2086 # several words
    train --stage 1 --config cifar10-small --run "$run" --set data.train="$data" --set stage1.steps="$count" \
        --quiet ${OPTIONS:-} "$@"
}

# stage2 RUN LOSSES OPTION...: fits heads to the run's network.
stage2() {
    run=$dir/$1 losses=$2
    shift 2
    # shellcheck disable=SC2086
    train --stage 2 --loss "$losses" --config cifar10-small --run "$run" --set data.train="$data" --quiet \
        ${OPTIONS:-} "$@"
}

# bounds_of IMAGES RUN TABLE OPTION...
bounds_of() {
    count=$1 run=$dir/$2 table=$dir/$2/$3.csv
    shift 3
    [ -e "$table" ] || infer nll --run "$run" --images "$count" --seed 1 --out "$table" --quiet "$@"
}

# bounds RUN TABLE OPTION...
bounds() {
    bounds_of "$images" "$@"
}

# distances_of SAMPLES RUN TABLE OPTION...
distances_of() {
    count=$1 run=$dir/$2 table=$dir/$2/$3.csv
    shift 3
    # shellcheck disable=SC2086
    [ -e "$table" ] || infer quality --run "$run" --samples "$count" --seed 1 --classifier "$classifier" \
        --out "$table" --quiet $drawing "$@"
}

# distances RUN TABLE OPTION...
distances() {
    distances_of "$samples" "$@"
}

# show TITLE FILE: a table that a command has written.
show() {
    echo "== $1: $2"
    cat "$2"
}

# -- Parts

networks() {
    for schedule in $schedules; do
        stage1 "$schedule" "$steps" --set diffusion.schedule="$schedule"
        stage2 "$schedule" npr,sn,nll,ocm --set diffusion.schedule="$schedule"
        # shellcheck disable=SC2086
        [ -e "$dir/$schedule/constants" ] || infer analytic --run "$dir/$schedule" --images "$images" --quiet $drawing
        : >"$dir/$schedule/constants"
    done
}

likelihood() {
    for schedule in $schedules; do
        bounds "$schedule" nll --variance beta,beta_tilde,analytic,sn,npr,nll,nll_block,ocm --steps 10,25,50,100,1000
        bounds "$schedule" floor --variance sn,npr --cov-floor 0.03 --steps 10,25,50,100
        show "bounds, $schedule" "$dir/$schedule/nll.csv"
        show "with a floor, $schedule" "$dir/$schedule/floor.csv"
        echo "== calibration by timestep, $schedule: $dir/$schedule/nll-calibration.csv"
    done
}

# Cov[x_0 | x_t] of a variance is scaled by each of these factors: where two variances have the same mean, their
# samples differ by the pattern alone.
samples() {
    for schedule in $schedules; do
        distances "$schedule" quality --variance beta,beta_tilde,analytic,sn,npr,nll,nll_block,ocm --steps 10,25,50
        show "samples, $schedule" "$dir/$schedule/quality.csv"
        distances "$schedule" quality-ddim --sampler ddim --variance npr,nll_block --steps 10,25
        show "samples of DDIM, $schedule" "$dir/$schedule/quality-ddim.csv"
        for scale in 0.5 2 4; do
            distances "$schedule" "quality-x$scale" --variance analytic,sn,npr,nll --steps 10 --cov-scale "$scale"
            show "samples, $schedule, Cov times $scale" "$dir/$schedule/quality-x$scale.csv"
        done
        distances "$schedule" quality-average --variance sn,npr,nll --steps 10 --average-cov
        show "samples, $schedule, mean of Cov over the image" "$dir/$schedule/quality-average.csv"
    done
}

# some COUNT NAME BATCH BATCH: the first images of two batches as a NumPy array, without their labels.
some() {
    [ -e "$dir/$2-$1.npy" ] && return
    {
        printf "\223NUMPY\001\000\166\000"
        printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': ($1, 3, 32, 32), }"
        cat "$data/$3" "$data/$4" | COUNT=$1 perl -e '$/ = \3073;
            while (<>) { print substr($_, 1); last if $. == $ENV{COUNT} }'
    } >"$dir/$2-$1.npy.part"
    mv "$dir/$2-$1.npy.part" "$dir/$2-$1.npy"
}

# The column ratio of the calibration of beta is the squared error of the mean over a constant of the timestep.
seen_one() {
    size=$1 network=seen-$1-$2
    # shellcheck disable=SC2086
    stage1 "$network" "$short" --seed "$2" --set data.train="$dir/first-$size.npy" --set data.test="$data" $small
    for part in first second; do
        set -- "$1" "$2" "$network-$part"
        mkdir -p "$dir/$3"
        link "$dir/$network/stage1.h5" "$dir/$3/stage1.h5"
        # shellcheck disable=SC2086
        stage2 "$3" npr,sn,nll --seed "$2" --set data.train="$dir/$part-$size.npy" --set data.test="$data" $small
        bounds "$3" errors --variance beta --steps 100 --split train
        bounds "$3" nll --variance sn,npr,nll --steps 10,25,50,100
        distances "$3" quality --variance sn,npr,nll --steps 10,25
        echo "== errors of the mean by timestep, $size images, $part, seed $2: $dir/$3/errors-calibration.csv"
        show "bounds, heads' images: $part $size, seed $2" "$dir/$3/nll.csv"
        show "samples, heads' images: $part $size, seed $2" "$dir/$3/quality.csv"
    done
}

seen() {
    for size in $sizes; do
        some "$size" first data_batch_1.bin data_batch_2.bin
        some "$size" second data_batch_3.bin data_batch_4.bin
        for seed in $seeds; do
            seen_one "$size" "$seed"
        done
    done
}

# The networks for the mean alone are trained once, with the first weight.
together() {
    alone=
    for weight in $weights; do
        here=$dir/together-$weight
        mkdir -p "$here"
        for seed in $seeds; do
            [ -z "$alone" ] || ln -sfn "../$alone/plain-$seed" "$here/plain-$seed"
        done
        [ ! -e "$classifier" ] || link "$classifier" "$here/classifier.h5"
        # shellcheck disable=SC2086
        SEEDS=$seeds STEPS=10,25 IMAGES=$images SAMPLES=$samples DRAWING=$drawing sh scripts/study_learned.sh "$here" --config cifar10-small \
            --set data.train="$data" --set stage1.steps="$short" --set stage1.vlb_weight="$weight" $small ${OPTIONS:-}
        alone=${alone:-together-$weight}
    done
}

diagonal() {
    for size in block2 block4 block8; do
        mkdir -p "$dir/linear-$size"
        link "$dir/linear/stage1.h5" "$dir/linear-$size/stage1.h5"
        stage2 "linear-$size" nll --set stage2.correlation="$size"
        bounds "linear-$size" nll --variance nll,nll_block --steps 5,10,25,50
        distances "linear-$size" quality --variance nll,nll_block --steps 5,10,25,50
        show "bounds, $size" "$dir/linear-$size/nll.csv"
        show "samples, $size" "$dir/linear-$size/quality.csv"
    done
}

# In float32 whatever DRAWING says: bfloat16 rounds the differences away that full takes.
full() {
    for schedule in $schedules; do
        bounds_of 10 "$schedule" nll-full --variance nll,nll_block,full --steps 5,10,25,50
        bounds_of 10 "$schedule" nll-full30 --variance full --krylov 30 --steps 5,10
        (drawing= && distances_of $((samples / 4)) "$schedule" quality-full --variance nll,nll_block,full \
            --steps 5,10,25,50)
        show "bounds, the whole covariance, 10 images, $schedule" "$dir/$schedule/nll-full.csv"
        show "bounds, the whole covariance, 30 dimensions of Krylov's, 10 images, $schedule" \
            "$dir/$schedule/nll-full30.csv"
        show "samples, the whole covariance, $schedule" "$dir/$schedule/quality-full.csv"
    done
}

mean() {
    distances linear quality-mean --variance sn,npr,nll,nll_block --steps 10 --eps-scale 1,1.01,1.02 --dcw 0,0 --dcw 0.05,0.01
    show "samples with corrections of the mean" "$dir/linear/quality-mean.csv"
    for correction in eps-scale dcw; do
        distances_of $((samples / 2)) linear "quality-$correction" --variance npr,nll_block --steps 10 \
            --metrics frechet --tune "$correction"
        show "samples with the best $correction" "$dir/linear/quality-$correction.csv"
    done
}

timesteps() {
    for schedule in $schedules; do
        bounds "$schedule" nll-dp --variance beta,sn,npr,nll,nll_block --trajectory linear,dp --steps 5,10,25,50 \
            --dp-images $((images / 2))
        show "bounds on the best timesteps, $schedule" "$dir/$schedule/nll-dp.csv"
    done
}

for part in "$@"; do
    case $part in
    networks | likelihood | samples | seen | together | diagonal | full | mean | timesteps) ;;
    *)
        echo "scripts/study_cifar10.sh: $part: expected networks, likelihood, samples, seen, together, diagonal," \
            "full, mean or timesteps" >&2
        exit 2
        ;;
    esac
done
for part in "$@"; do
    $part
done
