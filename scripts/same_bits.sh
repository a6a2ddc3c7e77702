#!/bin/sh
# Whether two builds compute the same: checkpoints, tables and samples of a fixed set of commands, byte by byte.
#
#     scripts/same_bits.sh BIN OTHER_BIN      directories with train and infer; the same one twice is fine
#
# A change of the sources that is to change no number is checked so against a build of the sources before it. Times are
# left out of the comparison (metrics.csv's column `seconds`; costs.csv; the page of infer compare, which shows them).
# Prints one line for each file that differs, and ends with 1 if there was any. Takes half a minute.
set -eu

[ $# -eq 2 ] || {
    echo "usage: scripts/same_bits.sh BIN OTHER_BIN" >&2
    exit 2
}
one=$(cd "$1" && pwd) other=$(cd "$2" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMP_NUM_THREADS=2

# say COMMAND...: what it prints is a result, in printed-NUMBER.
number=0
say() {
    number=$((number + 1))
    "$@" >"printed-$number" 2>errors || {
        cat errors >&2
        echo "scripts/same_bits.sh: failed: $*" >&2
        exit 1
    }
}

recipe() {
    cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 40}
model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.1, norm_groups: 4}
stage1: {steps: 12, batch: 8}
stage2: {steps: 8, batch: 8, images: 200}
END
}

# Both stages by each solver, with bins, with complex heads, and continued; then every command that computes.
compute() {
    recipe
    say train --config tiny.yaml --run r --quiet --stage 1 --set stage1.steps=5
    say train --config tiny.yaml --run r --quiet --stage 1
    say train --config tiny.yaml --run r --quiet --stage 2 --loss npr,sn
    say train --config tiny.yaml --run r --quiet --stage 2 --loss sn --set stage2.time_bins=3
    cp -r r adam
    rm adam/stage2*
    say train --config tiny.yaml --run adam --quiet --stage 2 --loss npr,sn --set stage2.solver=adam
    cp -r r complex
    rm complex/stage2*
    say train --config tiny.yaml --run complex --quiet --stage 2 --loss npr --set head.type=complex
    say infer analytic --run r --quiet --images 20
    say infer nll --run r --quiet --images 4 --steps 3,10 --trajectory linear,quad --out nll.csv
    say infer nll --run r --quiet --images 4 --steps 3 --trajectory dp --variance sn,npr,beta --dp-images 4 --out dp.csv
    say infer nll --run complex --quiet --images 2 --steps 5 --average-cov --out average.csv
    say infer truth --run r --quiet --images 4 --out truth.csv
    say infer sample --run r --quiet --variance beta,beta_tilde,analytic,sn,npr --steps 2,5 --count 4 --out ddpm.png
    say infer sample --run r --quiet --variance sn --steps 5 --count 4 --out ddpm.h5
    say infer sample --run adam --quiet --sampler ddim --variance npr --steps 5 --count 4 --out ddim.npz
    say infer quality --run r --quiet --variance beta,sn --steps 2 --samples 40 --resamples 10 --classifier-steps 20 \
        --out quality.csv
    say infer compare --run r --quiet --variance beta,sn,npr --steps 2,3 --images 4 --samples 40
    say infer info r/stage2-npr+sn.h5
}

# timeless FILE: without the columns that are times.
timeless() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) skip[i] = $i ~ /second|time$/ }
        { line = ""; for (i = 1; i <= NF; i++) if (!skip[i]) line = line "," $i; print line }' "$1"
}

run() {
    mkdir "$scratch/$1"
    cd "$scratch/$1"
    number=0
    PATH="$2:$PATH" compute
    rm -f errors
    cd "$root"
}

run one "$one"
run other "$other"
cd "$scratch"
result=0
(cd one && find . -type f | sort) >names
(cd other && find . -type f | sort) | cmp -s names - || {
    echo "the files have other names"
    (cd other && find . -type f | sort) | diff names - || true
    result=1
}
while read -r name; do
    case $name in
    *costs.csv | *.html) continue ;;
    *metrics.csv)
        timeless "one/$name" >one.csv
        timeless "other/$name" >other.csv
        cmp -s one.csv other.csv && continue
        ;;
    *) cmp -s "one/$name" "other/$name" && continue ;;
    esac
    echo "differs: $name"
    result=1
done <names
[ $result -ne 0 ] || echo "the same bits: $(wc -l <names) files"
exit $result
