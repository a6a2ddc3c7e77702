#!/bin/sh
# How far simple heads are from the exact Cov[x_0 | x_t] of the built-in mixture, against the number of images
# that they were fitted to: by least squares, with one bin of timesteps and with twelve, and by Adam.
#
#     sh scripts/study_mixture_heads.sh DIR [OUT.svg]
#
# Runs go to DIR (those that are there are not repeated), the table to stdout and the picture to OUT.svg, which
# needs gnuplot (Debian: gnuplot-nox). Some minutes on two cores. docs/stage2.md shows both.
set -eu

if [ $# -lt 1 ]; then
    sed -n 's/^# \{0,1\}//; 2,8p' "$0" >&2
    exit 2
fi
dir=$1
mkdir -p "$dir"
mixture="--config configs/mixture.yaml --set head.type=simple --threads 1 --quiet"

# fit NAME ARGUMENT...: a run of stage 2, and how far it is from the truth at 50 timesteps.
fit() {
    run=$dir/$1
    shift
    [ ! -e "$run.csv" ] || return 0
    # shellcheck disable=SC2086 # a list of options
    train --stage 2 --loss npr,sn $mixture --init "$dir/trunk/stage1.h5" --run "$run" "$@"
    infer truth --run "$run" --variance npr,sn --timesteps 50 --out "$run.csv" --threads 1 --quiet
}

# error NAME VARIANCE: the geometric mean over timesteps above 10 of the root mean square error, in
# parts of the mean of the exact diagonal.
error() {
    awk -F, -v v="$2" '$1 == v && $2 > 10 { n++; sum += log($5) } END { printf "%.2f", exp(sum / n) }' \
        "$dir/$1.csv"
}

[ -e "$dir/trunk/stage1.h5" ] ||
    train --stage 1 --config configs/mixture.yaml --run "$dir/trunk" --threads 1 --quiet
echo "images,exact_1_npr,exact_1_sn,exact_12_npr,exact_12_sn,adam_npr,adam_sn" | tee "$dir/table.csv"
for images in 400 1600 6400 25600 102400 256000; do
    row=$images
    for bins in 1 12; do
        if [ "$images" -le 25600 ]; then
            fit "e$bins-$images" --set stage2.solver=exact --set stage2.time_bins=$bins \
                --set stage2.images="$images"
            row=$row,$(error "e$bins-$images" npr),$(error "e$bins-$images" sn)
        else
            row=$row,,
        fi
    done
    fit "a1-$images" --set stage2.solver=adam --set stage2.steps=$((images / 64))
    echo "$row,$(error "a1-$images" npr),$(error "a1-$images" sn)" | tee -a "$dir/table.csv"
done

[ $# -ge 2 ] || exit 0
gnuplot -e "
    set terminal svg size 720,400 background 'white';
    set output '$2';
    set datafile separator ',';
    set logscale xy; set grid; set key outside right;
    set xlabel 'images'; set ylabel 'error of Cov, relative';
    set yrange [1:12];
    plot '$dir/table.csv' using 1:6 every ::1 with linespoints pt 7 title 'NPR, Adam', \
         '' using 1:2 every ::1 with linespoints pt 7 title 'NPR, exact', \
         '' using 1:4 every ::1 with linespoints pt 7 title 'NPR, exact, 12 bins', \
         '' using 1:7 every ::1 with linespoints pt 6 title 'SN, Adam', \
         '' using 1:3 every ::1 with linespoints pt 6 title 'SN, exact', \
         '' using 1:5 every ::1 with linespoints pt 6 title 'SN, exact, 12 bins'"
