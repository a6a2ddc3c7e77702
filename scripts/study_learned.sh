#!/bin/sh
# Does the mean suffer if a network learns its variance too? Networks with a second output (`learned`, iDDPM) beside
# networks that are trained for the mean alone and get heads in a second stage, at equal steps of stage 1, three seeds:
#
#     sh scripts/study_learned.sh DIR [OPTION...]
#
# OPTIONs go to every training: `--config quick`, `--set stage1.steps=2000`. SEEDS, STEPS, IMAGES and SAMPLES in the
# environment say how much is done (default: "1234 1 2", 10,25,50, 100 and 1000), DRAWING how samples are drawn
# ("--precision bf16"). Runs and tables go to DIR; what is there is not repeated. The last lines are means over the seeds,
# +- their standard error: bits/dim and Frechet distance of each row, and the square of the mean's error of the one
# network over that of the other, on the same images and noise.
set -eu

if [ $# -lt 1 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
dir=$1
shift
steps=${STEPS:-10,25,50} images=${IMAGES:-100} samples=${SAMPLES:-1000}
mkdir -p "$dir"

# network KIND SEED OPTION...: both stages of a run.
network() {
    run=$dir/$1-$2
    seed=$2
    shift 2
    [ -e "$run/stage1.h5" ] || train --stage 1 --run "$run" --seed "$seed" --quiet "$@"
    [ -e "$run/stage2-nll+npr+sn.h5" ] || train --stage 2 --loss npr,nll,sn --run "$run" --seed "$seed" --quiet "$@"
}

# measure KIND SEED VARIANCES: bounds and distances. All networks see the same images and noise.
measure() {
    run=$dir/$1-$2
    [ -e "$run/nll.csv" ] || infer nll --run "$run" --variance "beta,$3" --steps "$steps" --images "$images" --seed 1 --quiet
    # shellcheck disable=SC2086 # several words
    [ -e "$run/quality.csv" ] || infer quality --run "$run" --variance "$3" --steps "$steps" --samples "$samples" \
        --metrics frechet --classifier "$dir/classifier.h5" --seed 1 --quiet ${DRAWING:-}
}

# rows KIND SEED: "two stages,nll,25,bits/dim,VALUE" and the like.
rows() {
    run=$dir/$1-$2
    awk -F, -v kind="$1" 'FNR > 1 && $1 != "beta" { print kind "," $1 "," $3 ",bits/dim," $4 }' "$run/nll.csv"
    awk -F, -v kind="$1" 'FNR > 1 && $1 != "real" { print kind "," $1 "," $4 "," $5 "," $6 }' "$run/quality.csv"
}

# mean_error SEED: the mean over timesteps of log(r^2 of hybrid / r^2 of plain). beta's calibration on the whole is
# the sum of r^2 over a constant of the timestep.
mean_error() {
    awk -F, 'FNR == 1 { file++; for (i = 1; i <= NF; i++) if ($i == "ratio") column = i; next }
        $1 != "beta" { next }
        file == 1 { plain[$2] = $column; next }
        { n++; sum += log($column / plain[$2]) }
        END { print "hybrid over plain,mean,all,square of the error," exp(sum / n) }' \
        "$dir/plain-$1/nll-calibration.csv" "$dir/hybrid-$1/nll-calibration.csv"
}

: >"$dir/rows.csv"
for seed in ${SEEDS:-1234 1 2}; do
    network plain "$seed" "$@"
    network hybrid "$seed" --set stage1.objective=hybrid "$@"
    measure plain "$seed" npr,nll,sn
    measure hybrid "$seed" learned,npr,nll,sn
    { rows plain "$seed" && rows hybrid "$seed" && mean_error "$seed"; } >>"$dir/rows.csv"
done
awk -F, '{ key = $1 "," $2 "," $3 "," $4 }
    !(key in n) { order[++keys] = key }
    { n[key]++; sum[key] += $5; squares[key] += $5 * $5 }
    END {
        print "network,variance,steps,figure,mean,stderr,seeds"
        for (i = 1; i <= keys; i++) {
            k = order[i]
            m = sum[k] / n[k]
            spread = squares[k] / n[k] - m * m
            error = n[k] > 1 ? sprintf("%.2g", sqrt((spread > 0 ? spread : 0) / (n[k] - 1))) : ""
            printf("%s,%.5g,%s,%d\n", k, m, error, n[k])
        }
    }' "$dir/rows.csv" | tee "$dir/table.csv"
