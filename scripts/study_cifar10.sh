#!/bin/sh
# The questions that Extended-Analytic-DPM leaves open, on its own data set, part by part:
#
#     make cifar10
#     sh scripts/study_cifar10.sh DIR PART...
#
#     networks     the network of configs/cifar10-small.yaml with the linear and the cosine schedule, heads for every
#                  loss, and the constants of analytic
#     likelihood   squared errors or the likelihood: bounds and calibration of every variance of both networks
#     samples      SN against NPR and the others: Frechet distances, precision and recall, and the same with SN's and
#                  NPR's estimates scaled to one mean
#     seen         is NPR biased since the mean was fitted to the same images? A network trained on 20,000 images, with
#                  heads fitted to these and to 20,000 others: errors of the mean by timestep, bounds, samples
#     together     does the mean suffer if the variance is learned with it? Networks with a second output, for weights
#                  of 0.001 to 1 and three seeds, beside networks for the mean alone, all with fewer steps
#     diagonal     diagonal, blocks of 2x2 and 4x4 pixels, and the whole covariance
#     ocm          OCM beside NPR and nll
#     mean         what corrections of the mean add to each variance
#     timesteps    where the best timesteps lie for each variance
#
# train and infer are those on PATH. Runs and tables go to DIR, and what is there is not repeated; a training that was
# stopped goes on. STEPS (30000) says how long both networks are trained, SHORT (6000) those of `seen` and `together`,
# SEEDS ("1 2 3") with which seeds; IMAGES (100) and SAMPLES (1000) how many are measured. DATA (data/cifar10) is the
# data set. OPTIONS go to every training: OPTIONS="--set model.channels=32".
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dir=$1
shift
data=${DATA:-data/cifar10} steps=${STEPS:-30000} short=${SHORT:-6000} seeds=${SEEDS:-1 2 3}
images=${IMAGES:-100} samples=${SAMPLES:-1000}
mkdir -p "$dir"
classifier=$dir/classifier.h5

# -- Runs

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

# bounds RUN TABLE OPTION...
bounds() {
    run=$dir/$1 table=$dir/$1/$2.csv
    shift 2
    [ -e "$table" ] || infer nll --run "$run" --images "$images" --seed 1 --out "$table" --quiet "$@"
}

# distances RUN TABLE OPTION...
distances() {
    run=$dir/$1 table=$dir/$1/$2.csv
    shift 2
    [ -e "$table" ] || infer quality --run "$run" --samples "$samples" --seed 1 --classifier "$classifier" \
        --out "$table" --quiet "$@"
}

# show TITLE FILE: a table that a command has written.
show() {
    echo "== $1: $2"
    cat "$2"
}

# -- Parts

schedules="linear cosine"

networks() {
    for schedule in $schedules; do
        stage1 "$schedule" "$steps" --set diffusion.schedule="$schedule"
        stage2 "$schedule" npr,sn,nll,ocm --set diffusion.schedule="$schedule"
        [ -e "$dir/$schedule/constants" ] || infer analytic --run "$dir/$schedule" --images $((10 * images)) --quiet
        : >"$dir/$schedule/constants"
    done
}

likelihood() {
    for schedule in $schedules; do
        bounds "$schedule" nll --variance beta,beta_tilde,analytic,sn,npr,nll,nll_block --steps 10,25,50,100,1000
        bounds "$schedule" floor --variance sn,npr --cov-floor 0.03 --steps 10,25,50,100,1000
        show "bounds, $schedule" "$dir/$schedule/nll.csv"
        show "with a floor, $schedule" "$dir/$schedule/floor.csv"
        echo "== calibration by timestep, $schedule: $dir/$schedule/nll-calibration.csv"
    done
}

# Cov[x_0 | x_t] of a variance is scaled by each of these factors: where two variances have the same mean, their
# samples differ by the pattern alone.
samples() {
    for schedule in $schedules; do
        distances "$schedule" quality --variance beta,beta_tilde,analytic,sn,npr,nll,nll_block --steps 10,25,50
        show "samples, $schedule" "$dir/$schedule/quality.csv"
        for scale in 0.5 2 4; do
            distances "$schedule" "quality-x$scale" --variance analytic,sn,npr,nll --steps 10,25 --cov-scale "$scale"
            show "samples, $schedule, Cov times $scale" "$dir/$schedule/quality-x$scale.csv"
        done
        distances "$schedule" quality-average --variance sn,npr,nll --steps 10,25 --average-cov
        show "samples, $schedule, mean of Cov over the image" "$dir/$schedule/quality-average.csv"
    done
}

# half NAME BATCH BATCH: the images of two batches as a NumPy array, without their labels.
half() {
    [ -e "$dir/$1.npy" ] && return
    {
        printf "\223NUMPY\001\000\166\000"
        printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (20000, 3, 32, 32), }"
        cat "$data/$2" "$data/$3" | perl -e '$/ = \3073; print substr($_, 1) while <>'
    } >"$dir/$1.npy.part"
    mv "$dir/$1.npy.part" "$dir/$1.npy"
}

seen() {
    half first data_batch_1.bin data_batch_2.bin
    half second data_batch_3.bin data_batch_4.bin
    for seed in $seeds; do
        network=seen-$seed
        stage1 "$network" "$short" --seed "$seed" --set data.train="$dir/first.npy" --set data.test="$data"
        for part in first second; do
            mkdir -p "$dir/$network-$part"
            ln -f "$dir/$network/stage1.h5" "$dir/$network-$part/stage1.h5"
            stage2 "$network-$part" npr,sn,nll --seed "$seed" --set data.train="$dir/$part.npy" --set data.test="$data"
            # The column ratio is the squared error of the mean over a constant of the timestep.
            bounds "$network-$part" errors --variance beta --steps 1000 --split train
            bounds "$network-$part" nll --variance sn,npr,nll --steps 10,25,50,100
            distances "$network-$part" quality --variance sn,npr,nll --steps 10,25
            echo "== errors of the mean by timestep, on $part, seed $seed: $dir/$network-$part/errors-calibration.csv"
            show "bounds, heads' images: $part, seed $seed" "$dir/$network-$part/nll.csv"
            show "samples, heads' images: $part, seed $seed" "$dir/$network-$part/quality.csv"
        done
    done
}

together() {
    for weight in 0.001 0.01 0.1 1; do
        # shellcheck disable=SC2086
        SEEDS=$seeds IMAGES=$images SAMPLES=$samples sh scripts/study_learned.sh "$dir/together-$weight" \
            --config cifar10-small --set data.train="$data" --set stage1.steps="$short" \
            --set stage1.vlb_weight="$weight" ${OPTIONS:-}
    done
}

diagonal() {
    for size in block2 block4; do
        mkdir -p "$dir/linear-$size"
        ln -f "$dir/linear/stage1.h5" "$dir/linear-$size/stage1.h5"
        stage2 "linear-$size" nll --set stage2.correlation="$size"
        bounds "linear-$size" nll --variance nll,nll_block --steps 5,10,25,50
        distances "linear-$size" quality --variance nll,nll_block --steps 5,10,25,50
        show "bounds, $size" "$dir/linear-$size/nll.csv"
        show "samples, $size" "$dir/linear-$size/quality.csv"
    done
    (images=10 && bounds linear nll-full --variance nll,nll_block,full --steps 5,10,25,50)
    distances linear quality-full --variance nll,nll_block,full --steps 5,10
    show "bounds, the whole covariance, 10 images" "$dir/linear/nll-full.csv"
    show "samples, the whole covariance" "$dir/linear/quality-full.csv"
}

ocm() {
    for schedule in $schedules; do
        bounds "$schedule" nll-ocm --variance ocm,npr,nll --steps 10,25,50,100
        distances "$schedule" quality-ocm --variance ocm,npr,nll --steps 10,25,50
        show "bounds, $schedule" "$dir/$schedule/nll-ocm.csv"
        show "samples, $schedule" "$dir/$schedule/quality-ocm.csv"
    done
}

mean() {
    distances linear quality-mean --variance beta_tilde,sn,npr,nll --steps 10,25 --eps-scale 1,1.005,1.01,1.02 \
        --dcw 0,0 --dcw 0.05,0.01
    show "samples with corrections of the mean" "$dir/linear/quality-mean.csv"
}

timesteps() {
    for schedule in $schedules; do
        bounds "$schedule" nll-dp --variance beta,sn,npr,nll,nll_block --trajectory linear,dp --steps 5,10,25,50
        show "bounds on the best timesteps, $schedule" "$dir/$schedule/nll-dp.csv"
    done
}

for part in "$@"; do
    case $part in
    networks | likelihood | samples | seen | together | diagonal | ocm | mean | timesteps) ;;
    *)
        echo "scripts/study_cifar10.sh: $part: expected networks, likelihood, samples, seen, together, diagonal," \
            "ocm, mean or timesteps" >&2
        exit 2
        ;;
    esac
done
for part in "$@"; do
    $part
done
