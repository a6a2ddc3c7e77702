#!/bin/sh
# The page of `train --help`: it is complete, no wider than a terminal, and true as far as this can
# be tried.
set -eu

version=$(sed -n 's/.*VARHEAD_VERSION "\(.*\)"/\1/p' lib/base/version.h)
root=$PWD
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"

fail() {
    echo "$*" >&2
    exit 1
}

# says TEXT: the page has it.
says() {
    case $page in
    *"$1"*) ;;
    *) fail "expected \"$1\" in: $page" ;;
    esac
}

[ "$(train --version)" = "train (varhead) $version" ] || fail "train --version"
page=$(train --help)
[ "$(train -h)" = "$page" ] || fail "train -h"
[ "$(train --stage 2 --help --set nonsense)" = "$page" ] || fail "train --stage 2 --help"
echo "$page" | awk 'length > 80 { print; exit 1 }' || fail "wider than 80"

says "usage: train --stage 1 [options]"
for option in stage loss config set run init resume fresh seed threads precision convolution quiet help version; do
    says "
  --$option "
done

# Every key of the default recipe, and no line broken so that a part of it is lost.
keys=$(awk '/^[a-z]/ { section = $1; sub(":.*", "", section) }
            /^[a-z]+: [^ ]/ { print section }
            /^  [a-z]/ { key = $1; sub(":", "", key); print section "." key }' "$root/configs/fashion-mnist.yaml")
[ "$(echo "$keys" | wc -l)" -ge 20 ] || fail "keys of the recipe: $keys"
for key in $keys; do
    says "
  $key "
done
[ "$(echo "$page" | grep -o 'default ' | wc -l)" -ge 20 ] || fail "keys without defaults"
one_line=$(echo "$page" | tr -s ' \n' ' ')
case $one_line in
*"default /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz data.test held-out images"*) ;;
*) fail "a long path is lost" ;;
esac

# The default recipe is the one in the repository.
output=$(cd "$root" && train --stage 1 --set data.train=nowhere --run "$directory/run" 2>&1) &&
    fail "trained on nothing"
[ "$output" = "train: nowhere: no such file, expected images: IDX, HDF5, NumPy or CIFAR's binary files, or PNG and JPEG in a directory, a tar or a zip" ] || fail "$output"

# A run takes the directory that the page says it takes, and says nothing when quiet.
cat >tiny.yaml <<'END'
name: small
data: {format: mixture, channels: 1, resolution: 8}
model: {channels: 8, channel_mult: [1], res_blocks: 1, attention: [], norm_groups: 4}
stage1: {steps: 2, batch: 2}
stage2: {solver: adam, steps: 2, batch: 2}
END
tiny() {
    train --config tiny.yaml --threads 1 "$@" 2>&1
}
output=$(tiny --stage 1)
case $output in
*"saved checkpoints/small/stage1.h5 (step 2 of 2)") ;;
*) fail "stage 1 printed: $output" ;;
esac
output=$(tiny --stage 2 --loss sn --seed 5 --precision f32 --quiet)
[ -z "$output" ] || fail "--quiet, but: $output"
output=$(tiny --stage 2 --loss sn,npr --quiet)
[ -z "$output" ] || fail "--quiet, but: $output"
output=$(cd checkpoints/small && echo *)
[ "$output" = "metrics.csv stage1.h5 stage2-npr+sn.h5 stage2-sn.h5" ] || fail "there are: $output"
rows=$(cut -d , -f 1-3 checkpoints/small/metrics.csv | tr '\n' ' ')
[ "$rows" = "run,target,step stage1,eps,1 stage1,eps,2 stage2-sn,sn,1 stage2-sn,sn,2 \
stage2-npr+sn,npr,1 stage2-npr+sn,sn,1 stage2-npr+sn,npr,2 stage2-npr+sn,sn,2 " ] ||
    fail "metrics.csv: $rows"
