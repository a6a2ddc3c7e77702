#!/bin/sh
# What docs/stage2.md and docs/study-fashion-mnist.md measure on Fashion-MNIST, part by part:
#
#     sh scripts/study_fashion.sh DIR PART...
#
#     heads     bounds of heads that are solved for, with 1, 12 and 40 bins, and of Adam's, three seeds each on
#               one network; and of solved ones that Adam refines
#     quality   samples: variances at 10 to 1000 steps; DDIM at 10 to 100; ten steps of the quadratic trajectory;
#               at 10 and 25 heads of the other kinds, and at 10 solved ones of two other seeds
#     networks  bounds, and samples at 10, 25 and 50 steps, of two more networks with heads of their own; DDIM's
#               at 10 and 50
#     scale     bounds and samples with multiples of Cov[x_0 | x_t], and with its mean over the image; what
#               variance does to pixels; the multiples that bounds of training images choose
#     floor     the same with no pixel of Cov below a part of its mean over the image, and that together with multiples
#     mean      bounds and samples where stage 1 was stopped early, of another seed's network
#     dropout   bounds and samples of the small network trained with dropout, which is left on or off under the
#               heads while they are solved for
#     mixture   the same two questions where the truth is known: errors of Cov and samples, stopped and scaled
#
# train and infer are those on PATH. Runs and tables go to DIR; what is there is not repeated. A network takes
# half an hour on two cores, its constants for analytic ten minutes, all parts together about eight hours.
set -eu

if [ $# -lt 2 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dir=$1
shift
mkdir -p "$dir"
classifier=$dir/classifier.h5
seeds="1234 1 2"

# -- Runs

# network SEED: stage 1, with what it was every 500 steps.
network() {
    [ -e "$dir/network-$1/stage1.h5" ] && return
    train --stage 1 --seed "$1" --run "$dir/network-$1" --set checkpoint.keep=10 --quiet
}

# constants SEED IMAGES: those of the variance analytic, measured.
constants() {
    network "$1"
    infer info --checkpoint "$dir/network-$1/stage1.h5" | grep -q "is stored from" && return
    infer analytic --run "$dir/network-$1" --images "$2" --quiet
}

# mixture_heads STEPS: a network of the mixture, stage 1 stopped after so many steps, and its heads.
mixture_heads() {
    set -- "$1" "$dir/mixture-$1"
    [ -e "$2/stage1.h5" ] || train --stage 1 --config configs/mixture.yaml --run "$2" \
        --set stage1.steps="$1" --quiet
    [ -e "$2/stage2-npr+sn.h5" ] || train --stage 2 --loss npr,sn --config configs/mixture.yaml \
        --run "$2" --set stage1.steps="$1" --quiet
}

# fit NAME STAGE1 ARGUMENT...: heads, in a run of their own that has the network too.
fit() {
    name=$1 stage1=$2
    shift 2
    [ -e "$dir/$name/stage2-npr+sn.h5" ] && return
    mkdir -p "$dir/$name"
    ln -f "$stage1" "$dir/$name/stage1.h5"
    train --stage 2 --loss npr,sn --run "$dir/$name" --quiet "$@"
}

# fit_all SEED: heads of every kind on the first network.
fit_all() {
    stage1=$dir/network-1234/stage1.h5
    for bins in 1 12 40; do
        fit "exact$bins-$1" "$stage1" --seed "$1" --set stage2.time_bins=$bins
    done
    fit "adam-$1" "$stage1" --seed "$1" --set stage2.solver=adam
}

# refine SEED: the solved ones with twelve bins, by 500 steps of Adam.
refine() {
    fit "refined-$1" "$dir/network-1234/stage1.h5" --seed "$1" --set stage2.solver=adam \
        --set stage2.time_bins=12 --set stage2.steps=500 --set stage2.lr=1e-4 \
        --heads "$dir/exact12-$1/stage2-npr+sn.h5"
}

# show_bounds KIND SEED: rows of a table.
show_bounds() {
    bounds "$1-$2" nll --variance npr,sn --steps 10,25,50,100
    for variance in npr sn; do
        echo "$1,$2,$variance,$(bound "$dir/$1-$2/nll.csv" $variance)"
    done
}

# bounds NAME TABLE ARGUMENT...: of 100 test images.
bounds() {
    run=$dir/$1 table=$dir/$1/$2.csv
    shift 2
    [ -e "$table" ] || infer nll --run "$run" --out "$table" --quiet "$@"
}

# samples NAME TABLE ARGUMENT...: 1000 of each kind.
samples() {
    run=$dir/$1 table=$dir/$1/$2.csv
    shift 2
    [ -e "$table" ] ||
        infer quality --run "$run" --classifier "$classifier" --out "$table" --quiet "$@"
}

# -- Tables

# bound FILE VARIANCE: its bounds, for every number of steps.
bound() {
    awk -F, -v v="$2" '$1 == v { printf "%s%.3f", sep, $4; sep = "," }' "$1"
}

# distance FILE VARIANCE: its Frechet distances and their standard errors.
distance() {
    awk -F, -v v="$2" '$1 == v && $5 == "frechet" { printf "%s%.2f +- %.2f", sep, $6, $7; sep = "," }' "$1"
}

# show_distances NAME TABLE: of everything in it, a row per variance.
show_distances() {
    awk -F, -v table="$1,$2" '$5 == "frechet" {
            if (!($1 in row)) variance[++n] = $1
            row[$1] = row[$1] sprintf(",%.2f +- %.2f", $6, $7) }
        END { for (i = 1; i <= n; i++) print table "," variance[i] row[variance[i]] }' "$dir/$1/$2.csv"
}

# -- Parts

heads() {
    constants 1234 200 # before the first link to the network
    echo "heads,seed,variance,K=10,K=25,K=50,K=100"
    for seed in $seeds; do
        fit_all "$seed"
        for kind in adam exact1 exact12 exact40; do
            show_bounds $kind "$seed"
        done
    done
    bounds exact12-1234 nll1000 --variance npr,sn --steps 1000
    for variance in npr sn; do
        echo "exact12,1234,$variance,K=1000,$(bound "$dir/exact12-1234/nll1000.csv" $variance)"
    done
    refine 1234
    show_bounds refined 1234
}

quality() {
    constants 1234 200
    fit_all 1234
    solved=exact12-1234
    kinds=beta,beta_tilde,analytic,npr,sn
    for steps in 10 25 50; do
        samples $solved k$steps --variance $kinds --steps $steps
    done
    samples $solved k100 --variance $kinds --steps 100 --precision bf16
    samples $solved k1000 --variance beta,beta_tilde,npr,sn --steps 1000 --precision bf16 --samples 250
    samples $solved k10-bf16 --variance $kinds --steps 10 --precision bf16 # what that changes
    samples $solved ddim10-bf16 --variance beta_tilde,analytic,npr,sn --steps 10 --sampler ddim --precision bf16
    kinds=beta_tilde,analytic,npr,sn
    for steps in 10 25 50; do
        samples $solved ddim$steps --variance $kinds --steps $steps --sampler ddim
    done
    samples $solved ddim100 --variance $kinds --steps 100 --sampler ddim --precision bf16
    samples $solved quad10 --variance $kinds --steps 10 --trajectory quad --sampler ddpm,ddim
    for table in k10 k25 k50 k100 k1000 k10-bf16 ddim10 ddim10-bf16 ddim25 ddim50 ddim100 quad10; do
        show_distances $solved $table
    done
    # Other heads of the same network.
    for steps in 10 25; do
        for heads in adam exact1 exact40; do
            samples $heads-1234 k$steps --variance npr,sn --steps $steps
            show_distances $heads-1234 k$steps
        done
    done
    for seed in 1 2; do
        fit_all $seed
        samples exact12-$seed k10 --variance npr,sn --steps 10
        show_distances exact12-$seed k10
    done
}

networks() {
    for seed in 1 2; do
        constants $seed 100
        fit network$seed-heads "$dir/network-$seed/stage1.h5" --seed $seed
        bounds network$seed-heads nll --steps 10,25,50,100
        bounds network$seed-heads floor --variance npr,sn --steps 10,25,50,100 --cov-floor 0.03
        for steps in 10 25 50; do
            samples network$seed-heads k$steps --variance beta,beta_tilde,analytic,npr,sn --steps $steps
            show_distances network$seed-heads k$steps
        done
        samples network$seed-heads ddim10 --variance beta_tilde,analytic,npr,sn --steps 10 --sampler ddim
        samples network$seed-heads ddim50 --variance npr,sn --steps 50 --sampler ddim
        for steps in 10 50; do
            show_distances network$seed-heads ddim$steps
        done
        # The multiples that part scale chose, on the first network's samples.
        samples network$seed-heads npr-x2 --variance npr --steps 10 --cov-scale 2
        samples network$seed-heads analytic-x4 --variance analytic --steps 10 --cov-scale 4
        for scaled in npr-x2 analytic-x4; do
            echo "network$seed-heads,k10,$scaled,$(distance "$dir/network$seed-heads/$scaled.csv" $scaled)"
        done
        for variance in beta beta_tilde analytic npr sn; do
            echo "$seed,$variance,$(bound "$dir/network$seed-heads/nll.csv" $variance)"
        done
        for variance in npr-floor0.03 sn-floor0.03; do
            echo "$seed,$variance,$(bound "$dir/network$seed-heads/floor.csv" $variance)"
        done
    done
}

# factors TABLE: of a scaled variance its factor and the rest of its row, as in "npr,0.5,ddpm,...".
factors() {
    awk -F, -v OFS=, '{ split($1, name, "-x"); $1 = name[1] "," (name[2] == "" ? 1 : name[2]); print }' "$@"
}

scale() {
    constants 1234 200
    fit_all 1234
    solved=exact12-1234
    samples "$solved" scaled --variance analytic,npr,sn --steps 10 --cov-scale 0,0.25,0.5,0.75,1,1.5,2
    samples "$solved" scaled-more --variance analytic,npr,sn --steps 10 --cov-scale 3,4
    samples "$solved" scaled-most --variance analytic --steps 10 --cov-scale 6,8
    samples "$solved" scaled25 --variance analytic,npr --steps 25 --cov-scale 2
    samples "$solved" average --variance npr,sn --steps 10 --average-cov
    samples "$solved" ddim10-scaled --variance analytic,npr,sn --steps 10 --sampler ddim --cov-scale 0.5,2,4
    # What was chosen above, on other noise and other images.
    samples "$solved" other --variance beta_tilde,analytic,npr,sn --steps 10 --cov-scale 1,2,4 --seed 7
    echo "table,variance,factor,Frechet distance,standard error"
    for table in scaled scaled-more scaled-most scaled25 ddim10-scaled average other; do
        factors "$dir/$solved/$table.csv" |
            awk -F, -v OFS=, -v table=$table '$6 == "frechet" { print table, $1, $2, $7, $8 }'
    done | tee "$dir/scale.csv"
    echo "variance,factor,steps,bits/dim"
    for factor in 1 2 4; do
        bounds "$solved" "test-$factor" --variance analytic,npr,sn --steps 10,25,50 --cov-scale $factor
        factors "$dir/$solved/test-$factor.csv" | awk -F, -v OFS=, '$5 + 0 > 0 { print $1, $2, $4, $5 }'
    done
    plot_scale
    show_contrast
    choose_scale
}

# contrast: of images of 28 x 28 numbers, a number a line: their variance over the images, as the mean over pixels,
# and the mean square of the step from a pixel to the next in its row.
contrast() {
    awk '{ i = (NR - 1) % 784; sum[i] += $1; square[i] += $1 ^ 2
            if (i % 28 > 0) steps += ($1 - last) ^ 2
            last = $1 }
        END { n = NR / 784
            for (i = 0; i < 784; i++) variance += (square[i] / n - (sum[i] / n) ^ 2) / 784
            printf "%.3f,%.3f\n", variance, steps / (n * 28 * 27) }'
}

# contrast_of NAME ARGUMENT...: of 500 samples. Needs h5dump (Debian: hdf5-tools).
contrast_of() {
    file=$dir/$solved/contrast-$1.h5
    shift
    [ -e "$file" ] || infer sample --run "$dir/$solved" --count 500 --out "$file" --quiet "$@"
    h5dump -y -w 1 -d /samples -o "$dir/contrast" "$file" >/dev/null
    tr -d ', ' <"$dir/contrast" | grep . | contrast # it begins with an empty line
    rm "$dir/contrast"
}

show_contrast() {
    echo "samples,variance over images,mean square step between neighbours"
    for variance in beta beta_tilde analytic npr sn; do
        echo "$variance,$(contrast_of $variance --variance $variance --steps 10)"
    done
    echo "npr x2,$(contrast_of npr-x2 --variance npr --steps 10 --cov-scale 2)"
    echo "analytic x4,$(contrast_of analytic-x4 --variance analytic --steps 10 --cov-scale 4)"
    echo "npr by DDIM,$(contrast_of npr-ddim --variance npr --steps 10 --sampler ddim)"
    echo "npr quad,$(contrast_of npr-quad --variance npr --steps 10 --trajectory quad)"
    echo "npr K=50,$(contrast_of npr-50 --variance npr --steps 50)"
    images=$(sed -n 's/^ *test: *\([^ ]*\).*/\1/p' configs/fashion-mnist.yaml)
    echo "test images,$(gzip -dc "$images" | tail -c +17 | od -An -v -t u1 -w1 | awk '{ print $1 / 127.5 - 1 }' | contrast)"
}

# choose_scale: what bounds of training images say of the multiples whose samples are known, and those of test
# images beside them.
choose_scale() {
    for factor in 0.25 0.5 0.75 1 1.5 2 3 4; do
        for split in train test; do
            bounds "$solved" "$split-$factor-few" --variance analytic,npr,sn --steps 10,25 \
                --cov-scale $factor --split $split
            factors "$dir/$solved/$split-$factor-few.csv" |
                awk -F, -v OFS=, -v images=$split '$5 + 0 > 0 { print images, $1, $2, $4, $5 }'
        done
    done | sort -t, -k1,1r -k2,2 -k4,4n -k3,3n
}

# Needs gnuplot (Debian: gnuplot-nox).
plot_scale() {
    command -v gnuplot >/dev/null || return 0
    for variance in analytic npr sn; do
        awk -F, -v v=$variance '$1 ~ /^scaled(|-more|-most)$/ && $2 == v { print $3, $4 }' \
            "$dir/scale.csv" | sort -g >"$dir/scale-$variance"
    done
    gnuplot -e "
        set terminal svg size 640,360 background 'white';
        set output '$dir/scale.svg';
        set grid; set key top left;
        set xlabel 'factor of Cov'; set ylabel 'Frechet distance, K = 10';
        plot for [v in 'analytic npr sn'] '$dir/scale-'.v with linespoints pt 7 title v"
}

mean() {
    network 2
    echo "steps of stage 1,variance,Frechet K=10,bounds K=10,K=25,K=50"
    for steps in 00000500 00002000 00005000; do
        fit "stopped$steps" "$dir/network-2/stage1-$steps.h5" --set stage2.time_bins=12
        bounds "stopped$steps" nll --variance beta_tilde,npr,sn --steps 10,25,50
        samples "stopped$steps" k10 --variance beta_tilde,npr,sn --steps 10
        for variance in beta_tilde npr sn; do
            echo "$steps,$variance,$(distance "$dir/stopped$steps/k10.csv" $variance),$(bound "$dir/stopped$steps/nll.csv" $variance)"
        done
    done
}

# floor_bounds NAME TABLE ARGUMENT...: every row of a table that is measured so.
floor_bounds() {
    bounds "$@"
    awk -F, -v OFS=, -v name="$1" -v table="$2" 'NR > 1 { print name, table, $1, $3, $4 }' "$dir/$1/$2.csv"
}

floor() {
    constants 1234 200
    fit_all 1234
    solved=exact12-1234
    echo "heads,table,variance,steps,bits/dim"
    for part in 0 0.003 0.01 0.03 0.1 0.3; do
        floor_bounds $solved train-floor$part --variance npr,sn --steps 10,25 --cov-floor $part --split train
    done
    for part in 0.1 0.3 1; do
        for factor in 0.25 0.5; do
            floor_bounds $solved train-floor$part-x$factor --variance sn --steps 10,25 --cov-floor $part \
                --cov-scale $factor --split train
        done
    done
    # The best of them, of test images.
    floor_bounds $solved test-floor1-x0.25 --variance sn --steps 10,25 --cov-floor 1 --cov-scale 0.25
    for part in 0.03 0.3; do
        floor_bounds $solved test-floor$part --variance analytic_diag,npr,sn --steps 10,25,50,100 --cov-floor $part
    done
    for part in 0 0.03; do
        floor_bounds $solved quad-floor$part --variance npr,sn --steps 10,25 --trajectory quad --cov-floor $part
    done
    floor_bounds adam-1234 test-floor0.03 --variance npr,sn --steps 10,25,50,100 --cov-floor 0.03
    mixture_heads 1500
    for part in 0 0.03 0.1 0.3; do
        floor_bounds mixture-1500 floor$part --variance npr,sn,true --steps 5,10,50 --images 300 --cov-floor $part
    done
    for part in 0.03 0.3; do
        samples $solved floor$part --variance npr,sn --steps 10 --cov-floor $part --cov-scale 1,2
        awk -F, -v OFS=, '$5 == "frechet" { print $1, $6, $7 }' "$dir/$solved/floor$part.csv"
    done
}

dropout() {
    quick="--config configs/quick.yaml --set model.dropout=0.1 --set data.flip=true --set stage1.steps=3000"
    # shellcheck disable=SC2086 # a list of options
    [ -e "$dir/dropout/stage1.h5" ] || train --stage 1 $quick --run "$dir/dropout" --quiet
    echo "dropout under the heads,variance,Frechet K=10,bounds K=10,K=25,K=50"
    for state in false true; do
        # shellcheck disable=SC2086
        fit "dropout-$state" "$dir/dropout/stage1.h5" $quick --set stage2.images=10000 --set stage2.time_bins=12 \
            --set stage2.time_bins=12 --set stage2.trunk_dropout=$state
        bounds "dropout-$state" nll --variance beta_tilde,npr,sn --steps 10,25,50
        samples "dropout-$state" k10 --variance beta_tilde,npr,sn --steps 10
        for variance in beta_tilde npr sn; do
            echo "$state,$variance,$(distance "$dir/dropout-$state/k10.csv" $variance),$(bound "$dir/dropout-$state/nll.csv" $variance)"
        done
    done
}

# parts FILE VARIANCE: of its estimates, in parts of the exact Cov, the mean over timesteps from 11 to 700 of the
# bias and the root mean square of the spread; before them the geometric mean of the mean's own square error. (Beyond
# 700 that error drowns the rest.)
parts() {
    awk -F, -v v="$2" '$1 == v && $2 > 10 && $2 <= 700 {
            n++; bias += $6; spread += $5 ^ 2 - $6 ^ 2; off += log($4) }
        END { printf "%.3f,%+.3f,%.3f", exp(off / n), bias / n, sqrt(spread / n) }' "$1"
}

mixture() {
    echo "steps of stage 1,variance,mean off by,bias,spread,Frechet K=5,K=10"
    for steps in 100 300 1500; do
        run=$dir/mixture-$steps
        mixture_heads $steps
        infer info --checkpoint "$run/stage1.h5" | grep -q "is stored from" ||
            infer analytic --run "$run" --images 1000 --quiet
        [ -e "$run/truth.csv" ] || infer truth --run "$run" --timesteps 50 --images 1000 \
            --out "$run/truth.csv" --quiet
        for k in 5 10; do
            samples mixture-$steps k$k --variance beta_tilde,analytic,npr,sn,true --steps $k \
                --cov-scale 0.5,1,1.5,2,3,4 --samples 2000 --classifier "$dir/mixture-classifier.h5"
        done
        for variance in beta_tilde analytic npr sn true; do
            echo "$steps,$variance,$(parts "$run/truth.csv" $variance),$(distance "$run/k5.csv" $variance),$(distance "$run/k10.csv" $variance)"
        done
        factors "$run"/k5.csv "$run"/k10.csv | awk -F, -v OFS=, '$6 == "frechet" {
            print '$steps', $1, "x" $2, "K=" $5, $7, $8 }'
    done
}

for part in "$@"; do
    case $part in
    heads | quality | networks | scale | floor | mean | dropout | mixture) "$part" ;;
    *)
        echo "study_fashion.sh: $part: expected heads, quality, networks, scale, floor, mean, dropout or mixture" >&2
        exit 2
        ;;
    esac
done
