#!/bin/sh
# Correlations of neighbouring pixels, as a user types it: fitting them beside the head nll, using them, and the errors.

. tests/script.sh

# says TEXT: the last command has printed it.
says() {
    grep -q -F -e "$1" printed errors || problem "expected \"$1\" in: $(cat printed errors)"
}

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 10}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 60, batch: 16, lr: 1.0e-3, warmup: 4}
stage2: {batch: 16, images: 300, time_bins: 4}
END
trained tiny.yaml trunk ""

# fits RUN [OPTION...]: stage 2 of the same network in RUN.
fits() {
    to=$1
    shift
    works train --stage 2 --config tiny.yaml --run "$to" --init trunk/stage1.h5 "$@"
}

# The default looks for the best blocks, on images whose side is no multiple of a block's.
fits r --loss nll,npr
says "Correlations within blocks of "
works infer info r/stage2-nll+npr.h5
says "nll: correlations within blocks of "
works infer nll --run r --variance nll,nll_block --steps 5 --images 30 --quiet
[ "$(cut -d, -f1 r/nll.csv | xargs)" = "variance nll nll_block" ] || problem "nll.csv: $(cat r/nll.csv)"
awk -F, '$1 == "nll" {one = $4} $1 == "nll_block" {exit !($4 < one)}' r/nll.csv ||
    problem "correlations do not lower the bound: $(cat r/nll.csv)"

# Every command that knows variances knows this one.
works infer sample --run r --variance nll,nll_block --steps 3 --count 4 --out ddpm.png --quiet
works infer sample --run r --variance nll_block --sampler ddim --steps 3 --count 4 --out ddim.png --quiet
works infer nll --run r --variance nll_block --trajectory dp --steps 3 --images 5 --dp-images 5 --out dp.csv --quiet
[ -s r/dp-nll_block.h5 ] || problem "no r/dp-nll_block.h5"
# On the images of the tables, the best timesteps are not worse than others.
works infer nll --run r --variance nll,nll_block --trajectory linear,dp --steps 3,8 --images 5 --dp-images 5 \
    --split train --out dp.csv --quiet
awk -F, '{ bits[$1, $2, $3] = $4 } END { for (k = 3; k <= 8; k += 5) for (v = 0; v < 2; v++) {
    name = v ? "nll_block" : "nll"
    if (!(bits[name, "dp", k] > 0 && bits[name, "dp", k] < bits[name, "linear", k] + 1e-6)) exit 1 } }' dp.csv ||
    problem "dp.csv: $(cat dp.csv)"
works infer quality --run r --variance nll_block --steps 2 --samples 20 --metrics sliced --quiet
works infer truth --run r --variance nll,nll_block --timesteps 3 --images 5 --out t.csv --quiet
works infer compare --run r --variance nll,nll_block --steps 3 --samples 0 --images 5 --quiet
[ -s r/compare/figure-correlation.png ] || problem "no figure-correlation.png"
grep -q "mean correlation of neighbours" r/compare/compare.html || problem "the page has no correlations"
grep -q "<p>nll_block has the σ of nll, which the maps show.</p>" r/compare/compare.html || problem "the page has no diagonal"

# A fixed size, and none.
fits two --loss nll --set stage2.correlation=block2
says "Correlations within blocks of 2x2 pixels"
fits large --loss nll --set stage2.correlation=block8
says "Correlations within blocks of 8x8 pixels"
works infer nll --run large --variance nll,nll_block --steps 3 --images 3 --out large.csv --quiet
works infer sample --run large --variance nll_block --steps 3 --count 4 --out large.png --quiet
works infer compare --run large --variance nll,nll_block --steps 3 --samples 0 --images 3 --quiet
[ -s large/compare/figure-correlation.png ] || problem "no figure-correlation.png of blocks of 8x8"
fits none --loss nll --set stage2.correlation=none
! grep -q -i "correlation" printed || problem "none, but: $(cat printed)"
fails_with 2 "the variance nll_block needs correlations beside the nll head, and none has none" \
    infer nll --run none --variance nll_block --steps 2 --images 2
works infer compare --run none --variance nll --steps 2 --samples 0 --images 2 --quiet
[ ! -e none/compare/figure-correlation.png ] || problem "a picture of no correlations"
fails_with 2 '--set stage2.correlation=block3: expected none, block2, block4, block8 or auto, got "block3"' \
    train --stage 2 --config tiny.yaml --run x --init trunk/stage1.h5 --loss nll --set stage2.correlation=block3

# Adam's heads have correlations too. (train_nll.sh continues runs.)
fits adam --loss nll --set stage2.solver=adam --set stage2.steps=20 --set stage2.correlation=block4
says "Correlations within blocks of 4x4 pixels"
works infer nll --run adam --variance nll_block --steps 3 --images 3 --quiet

exit $result
