#!/bin/sh
# No command replaces a file that is not its own. Data sets, labels, recipes, logs, classifiers,
# checkpoints, tables and pictures of others stay byte for byte, for every option and every kind of
# link that leads to them, and the exit status is 2. A command may replace files that it has written
# itself.

golden=$PWD/tests/golden
. tests/script.sh

# -- What a user has: a run with all that commands write, data in files of any name, and things of other programs

# idx COUNT FILE: images of 8 x 8.
idx() {
    # shellcheck disable=SC2059 # octal digits
    printf "\\000\\000\\010\\003\\000\\000\\000\\$(printf %03o "$1")\\000\\000\\000\\010\\000\\000\\000\\010" >"$2"
    i=0
    while [ $i -lt "$1" ]; do
        printf 'abcd%060d' "$i"
        i=$((i + 1))
    done >>"$2"
}
idx 40 train.h5
idx 30 test.csv
tiny_recipe
sed 's/format: mixture/format: idx, train: train.h5, test: test.csv/' tiny.yaml >tiny2.yaml
mv tiny2.yaml tiny.yaml
cp tiny.yaml recipe.csv
cp "$golden/gmm.h5" foreign.h5
printf '\211PNG\r\n\032\nwhatever' >photo.png
printf 'PK\003\004whatever' >archive.npz
echo "name,price" >prices.csv
mkdir album
echo precious >album/000000.png
run=checkpoints/tiny
tiny_run $run npr,sn
works infer nll --run $run --steps 2 --images 4 --trajectory linear,dp --dp-images 4 --quiet
quality="infer quality --run $run --steps 2 --samples 12 --images 12 --metrics sliced --resamples 2 --quiet"
# shellcheck disable=SC2086
works $quality
works infer sample --run $run --steps 2 --count 2 --out own.png
works infer sample --run $run --steps 2 --count 2 --out own.h5
works infer sample --run $run --steps 2 --count 2 --out own.npz
works infer compare --run $run --steps 2 --images 4 --samples 0 --quiet
cat >mixture.yaml <<'TEXT'
name: mixture
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 4, batch: 4}
TEXT
trained mixture.yaml checkpoints/mixture ""
truth="infer truth --run checkpoints/mixture --timesteps 2 --images 2"
# shellcheck disable=SC2086
works $truth --out truth.csv
works infer quality --run checkpoints/mixture --steps 2 --samples 12 --images 12 --resamples 2 --classifier-steps 2 --quiet
mv checkpoints/mixture/classifier.h5 classifier.h5

# all: everything that is there, by its contents.
all() {
    find . -type f ! -name errors ! -name printed ! -name before ! -name after -exec cksum {} + | sort -k 3
}

# refused TEXT COMMAND...: with exit status 2 and TEXT in its one line, and all is as it was.
refused() {
    all >before
    fails_with 2 "$@"
    all >after
    cmp -s before after || problem "$*: changed $(diff before after)"
}

# -- The inputs of the run, in their names' words
refused "train.h5: is data.train of this run" infer sample --run $run --steps 2 --count 2 --out train.h5
refused "test.csv: is data.test of this run" infer nll --run $run --steps 2 --images 2 --out test.csv
refused "test.csv: is data.test of this run" infer truth --run $run --out test.csv
ln -s train.h5 soft.h5
ln train.h5 hard.h5
for name in soft.h5 hard.h5 ./train.h5 checkpoints/../train.h5 "$PWD/train.h5"; do
    refused "is data.train of this run" infer sample --run $run --steps 2 --count 2 --out "$name"
done
cp recipe.csv soft.csv
rm soft.csv
ln -s recipe.csv soft.csv
refused "soft.csv: is a text that begins with" infer nll --run $run --steps 2 --images 2 --out soft.csv

# -- Names without the suffix of the format
for name in mine.yaml picture.png table data.h5; do
    for command in nll quality truth; do
        refused "--out: expected a name that ends in .csv" infer $command --run $run --out $name
    done
done
for name in predictions p.csv p.png; do
    refused "--output: expected a name that ends in .h5 or .hdf5" \
        infer predict --run $run --input foreign.h5 --output $name
done
refused "--classifier: expected a name that ends in .h5 or .hdf5" \
    infer quality --run checkpoints/mixture --steps 2 --samples 12 --images 12 --classifier new.csv --out new2.csv

# -- Every command against everything of others. Of a command's own kind is what it has written itself.
# tables COMMAND...: its --out takes none of these but what `own` names.
tables() {
    for victim in recipe.csv prices.csv truth.csv $run/metrics.csv $run/nll.csv $run/nll-calibration.csv $run/quality.csv \
        $run/compare/costs.csv $run/compare/figure-nll.csv $run/compare/figure-sigma.csv; do
        case $victim in
        "$own") ;;
        *) refused "$victim: is " "$@" --out "$victim" ;;
        esac
    done
}
own=$run/nll.csv
tables infer nll --run $run --steps 2 --images 2
own=$run/quality.csv
# shellcheck disable=SC2086
tables $quality
own=truth.csv
# shellcheck disable=SC2086
tables $truth

for victim in foreign.h5 classifier.h5 $run/stage1.h5 $run/stage2-npr+sn.h5 $run/nll.h5 $run/quality.h5 $run/dp-npr.h5; do
    refused "$victim: is " infer sample --run $run --steps 2 --count 2 --out "$victim"
done
for victim in photo.png archive.npz album/; do
    refused "$victim: is " infer sample --run $run --steps 2 --count 2 --out $victim
done
cp own.h5 own.png
refused "own.png: is a file of samples" infer sample --run $run --steps 2 --count 2 --out own.png
rm own.png
works infer sample --run $run --steps 2 --count 2 --out own.png
works infer sample --run $run --steps 3 --count 2 --out own.png
works infer sample --run $run --steps 3 --count 2 --out own.h5
works infer sample --run $run --steps 3 --count 2 --out own.npz
: >empty.png # as of mktemp
works infer sample --run $run --steps 2 --count 2 --out empty.png
[ -s empty.png ] || problem "an empty file was not replaced"

# What the user named is free, and what lies beside it is not.
for beside in X.h5 X.unfinished.h5 X-calibration.csv; do
    cp prices.csv "$beside"
    refused "$beside: is a text" infer nll --run $run --steps 2 --images 2 --out X.csv
    rm "$beside"
done
for beside in X.h5 X.unfinished.h5; do
    cp foreign.h5 "$beside"
    # shellcheck disable=SC2086
    refused "$beside: is an HDF5 file that varhead has not written" $quality --out X.csv
    rm "$beside"
done
cp foreign.h5 $run/dp.unfinished.h5
refused "dp.unfinished.h5: is an HDF5 file" infer nll --run $run --steps 2 --images 2 --trajectory dp --dp-images 3
rm $run/dp.unfinished.h5

# -- Predictions
cp foreign.h5 points.h5
refused "points.h5: is the file of --input" infer predict --run $run --input points.h5 --output points.h5
for victim in foreign.h5 own.h5 train.h5 $run/stage1.h5 $run/nll.h5; do
    refused "$victim: is " infer predict --run $run --input points.h5 --output "$victim"
done

# -- A directory of comparisons
for name in compare.html samples.png samples.txt figure-nll.svg figure-nll.png figure-nll.csv figure-sigma.csv costs.csv nll.csv \
    quality.csv quality.h5; do
    rm -rf page
    mkdir page
    echo "mine, all mine" >page/$name
    refused "page/$name: is a text that begins with" infer compare --run $run --steps 2 --images 4 --samples 0 --out page
done
refused "is a run directory" infer compare --run $run --steps 2 --images 4 --samples 0 --out $run
refused "is a run directory" infer compare --run $run --steps 2 --images 4 --samples 0 --out checkpoints/mixture
rm -rf page
works infer compare --run $run --steps 2 --images 4 --samples 0 --quiet --fresh

# -- A training keeps a metrics.csv, a lock and a checkpoint that are not its own
more="train --stage 1 --config tiny.yaml --set stage1.steps=6"
cp $run/metrics.csv log
for table in prices.csv $run/quality.csv; do
    cp "$table" $run/metrics.csv
    # shellcheck disable=SC2086
    refused "$run/metrics.csv: is " $more
done
rm $run/metrics.csv
mkdir $run/metrics.csv
# shellcheck disable=SC2086
refused "$run/metrics.csv: is a directory" $more
rmdir $run/metrics.csv
mv log $run/metrics.csv
echo "buy a lock" >$run/lock
# shellcheck disable=SC2086
refused "$run/lock: is no lock of a training" $more
rm $run/lock
mkdir fresh
cp foreign.h5 fresh/stage1.h5
refused "fresh/stage1.h5: is an HDF5 file that varhead has not written" \
    train --stage 1 --config tiny.yaml --run fresh --fresh
echo text >fresh/stage1.h5
refused "fresh/stage1.h5: is a text" train --stage 1 --config tiny.yaml --run fresh --fresh
head -c 1000 $run/stage1.h5 >fresh/stage1.h5
works train --stage 1 --config tiny.yaml --run fresh --fresh --quiet # one that is damaged, to be replaced
cp foreign.h5 $run/stage1-00000006.h5
# shellcheck disable=SC2086
$more --set checkpoint.every=6 --set checkpoint.keep=1 --quiet 2>errors && problem "a snapshot over another's file"
cmp foreign.h5 $run/stage1-00000006.h5 || problem "a snapshot replaced another's file"
mkdir snapshots
cp foreign.h5 snapshots/stage1-00000002.h5
works train --stage 1 --config tiny.yaml --run snapshots --set stage1.steps=8 --set checkpoint.every=4 \
    --set checkpoint.keep=1 --quiet
cmp foreign.h5 snapshots/stage1-00000002.h5 || problem "another's file was removed like an old snapshot"
[ "$(grep -c ^run, $run/metrics.csv)" -eq 1 ] || problem "metrics.csv has two heads"

# -- Another's log, put there while it trains: it stays, and so does what was trained
begins stage1 train --stage 1 --config tiny.yaml --run meanwhile --set stage1.steps=1000 --set checkpoint.every=1000
cp prices.csv meanwhile/metrics.csv
goes_on
[ $status -eq 2 ] || problem "meanwhile: exit status $status: $(cat errors)"
grep -q -F "meanwhile/metrics.csv: is a text that begins with \"name,price\"" errors || problem "meanwhile: $(cat errors)"
cmp prices.csv meanwhile/metrics.csv || problem "meanwhile/metrics.csv was replaced"
works infer info meanwhile/stage1.h5
grep -q "step 1000" printed || problem "meanwhile/stage1.h5: $(cat printed)"

# -- Again when it is written: what was put there while the command worked stays, and the result is kept beside it
begins sampling infer sample --run $run --steps 50 --count 200 --out late.h5
cp foreign.h5 late.h5
goes_on
[ $status -eq 2 ] || problem "late.h5: exit status $status: $(cat errors)"
cmp foreign.h5 late.h5 || problem "late.h5 was replaced"
grep -q -F "late.h5: is an HDF5 file that varhead has not written" errors || problem "late.h5: $(cat errors)"
kept=$(echo late.h5.kept-*)
works infer sample --run $run --steps 50 --count 200 --out whole.h5
cmp "$kept" whole.h5 || problem "late.h5: what was drawn is lost"

# -- Symbolic links stay, and what they lead to is written
mkdir far
ln -s far/picture.png link.png
works infer sample --run $run --steps 2 --count 2 --out link.png
works infer sample --run $run --steps 3 --count 2 --out link.png
{ [ -L link.png ] && [ -s far/picture.png ]; } || problem "link.png: the link is gone"
mv fresh/stage1.h5 far/first.h5
ln -s ../far/first.h5 fresh/stage1.h5
works train --stage 1 --config tiny.yaml --run fresh --set stage1.steps=8 --set checkpoint.every=6 --set checkpoint.keep=1 --quiet
works infer analytic --run fresh --images 3 --timesteps 2 --quiet
[ -L fresh/stage1.h5 ] || problem "fresh/stage1.h5: the link is gone"
works infer info far/first.h5
grep -q "step 8" printed || problem "far/first.h5: $(cat printed)"
grep -q "eps_hat" printed || problem "far/first.h5 has no constants: $(cat printed)"
[ ! -L fresh/stage1-00000006.h5 ] || problem "a snapshot is a link to what changes"
works infer info fresh/stage1-00000006.h5
grep -q "step 6" printed || problem "fresh/stage1-00000006.h5: $(cat printed)"
[ -z "$(find . -name '*.tmp-*')" ] || problem "temporaries are left: $(find . -name '*.tmp-*')"

exit $result
