#!/bin/sh
# Draws training curves beside one another, as SVG:
#
#     sh scripts/plot_losses.sh OUT.svg TARGET LABEL METRICS.csv [LABEL METRICS.csv]...
#
# TARGET is eps, sn or npr, a value of the second column of a run's metrics.csv. Each curve is the
# mean over windows of 25 steps. Needs gnuplot (Debian: gnuplot-nox).
set -eu

if [ $# -lt 4 ]; then
    sed -n 's/^# \{0,1\}//; 2,7p' "$0" >&2
    exit 2
fi
out=$1 target=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

plot='' number=0
while [ $# -ge 2 ]; do
    number=$((number + 1))
    awk -F, -v target="$target" '
        $2 == target { sum += $4; count++; step = $3 }
        count == 25 { print step, sum / count; sum = count = 0 }' "$2" >"$work/$number"
    plot="$plot${plot:+, }'$work/$number' with lines linewidth 1.5 title '$1'"
    shift 2
done
gnuplot -e "
    set terminal svg size 720,400 background 'white';
    set output '$out';
    set logscale y; set grid; set xlabel 'step'; set ylabel 'loss ($target)';
    plot $plot"
