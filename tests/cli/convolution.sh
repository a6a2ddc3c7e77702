#!/bin/sh
# --convolution: direct convolutions have other bits than Winograd's; a run keeps to what it began with; infer and bench
# take the option too.

. tests/script.sh

cat >tiny.yaml <<'RECIPE'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 32, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 6, batch: 16, lr: 1.0e-3, warmup: 2}
RECIPE
first="train --stage 1 --config tiny.yaml --precision f32 --quiet"

# shellcheck disable=SC2086
for algorithm in auto direct; do
    works $first --convolution $algorithm --run $algorithm
    works $first --convolution $algorithm --run $algorithm-parts --set stage1.steps=3
    works $first --convolution $algorithm --run $algorithm-parts
    cmp -s $algorithm/stage1.h5 $algorithm-parts/stage1.h5 || problem "$algorithm: a continued run has other bits"
done
cmp -s auto/stage1.h5 direct/stage1.h5 && problem "direct convolutions have the bits of the others"

# shellcheck disable=SC2086
fails_with 2 "these keys differ: convolution" $first --run direct --set stage1.steps=9

# Outputs of one network: other bits, but hardly other numbers; and no result of one is taken for the other's.
for algorithm in auto direct; do
    works infer sample --run auto --convolution $algorithm --steps 3 --count 2 --seed 1 --quiet --out $algorithm.h5
done
cmp -s auto.h5 direct.h5 && problem "infer sample computes the same with direct convolutions"
nll="infer nll --run auto --variance beta --steps 5 --images 4 --quiet"
# shellcheck disable=SC2086
works $nll
cp auto/nll.csv nll.csv
# shellcheck disable=SC2086
works $nll --convolution direct --out nll-direct.csv
paste -d , nll.csv nll-direct.csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "bits_per_dim") at[++n] = i; next }
    { d = $at[1] - $at[2]; if (n != 2 || d > 1e-4 || d < -1e-4) exit 1 }' || problem "the bounds: $(cat nll.csv nll-direct.csv)"

works bench --networks tiny.yaml --work sample --precision f32 --steps 1 --set convolution=direct
grep -q "sampling" printed || problem "bench: $(cat printed)"

exit $result
