#!/bin/sh
# `infer quality`, and `infer sample` for other programs, as a user types them: the errors that are
# found before any work, the files that appear and their content, the results that a second run
# takes from the first, and the state after a stop. (The numbers: tests/test_quality_metrics.c. The
# files' bytes: tests/test_export.c.)

golden=$PWD/tests/golden/golden_a.h5
. tests/script.sh

# fails TEXT ARGUMENT...: `infer ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer "$@"
}

# says TEXT: the last command printed it.
says() {
    grep -q -e "$1" printed || problem "expected \"$1\" in: $(cat printed)"
}

# rows COUNT FILE [PATTERN]: so many of its lines, without the first, begin so.
rows() {
    found=$(tail -n +2 "$2" | grep -c "^${3-}")
    [ "$found" -eq "$1" ] || problem "$2: $found rows of \"${3-}\", expected $1"
}

# files DIRECTORY EXPECTED: what it holds.
files() {
    [ "$(cd "$1" && echo *)" = "$2" ] || problem "$1: holds $(cd "$1" && echo *), expected $2"
}

tiny_run r npr,sn
quality() {
    works infer quality --run r --samples 40 --resamples 20 --classifier-steps 30 --threads 1 "$@"
}
refuses() {
    text=$1
    shift
    fails "$text" quality --run r --samples 40 "$@"
}
trained="metrics.csv stage1.h5 stage2-npr+sn.h5"

# -- Refused before any work
refuses '--metrics: expected frechet, kid, precision, recall or sliced, got "fid"' --metrics kid,fid
refuses '--sampler: expected ddpm or ddim, got "dpm"' --sampler ddpm,dpm
refuses "--sampler: ddim is given twice" --sampler ddim,ddim
refuses "the variance beta is DDPM's" --sampler ddim --variance beta
refuses "--eta is for --sampler ddim" --eta 0.5
refuses "infer analytic --run r makes it" --variance analytic
refuses "--steps: a trajectory has from 1 to 100 steps, not 101" --steps 10,101
refuses "--trajectory" --trajectory dp
refuses "in two halves at most 5000 each; expected at least 5001" --images 5001
refuses "--images: expected an integer from 10" --images 9
refuses "--out: expected a name that ends in .csv" --out r/stage1.h5
refuses "r/stage1.h5: is no classifier" --classifier r/stage1.h5
refuses "r: is a directory" --classifier r
refuses '--features: expected classifier or inception=FILE, got "vgg"' --features vgg
refuses '--features: expected classifier or inception=FILE, got "inception"; FILE has the weights' --features inception
refuses "--classifier: has no use with --features inception" --features inception=no.pth --classifier c.h5
refuses "--features inception: the images of the mixture are no pictures" --features inception=no.pth
fails "--classifier: expected the name of a file" quality --checkpoint r/stage1.h5
fails "names no test images (data.test)" quality --checkpoint "$golden" --classifier c.h5
files r "$trained"

# -- In pixels alone: no classifier
quality --metrics sliced --variance beta_tilde --steps 2
says "^beta_tilde  *[0-9.]* +- *[0-9.]*$"
says "^real  *[0-9.]* +- *[0-9.]*$"
files r "metrics.csv quality.csv quality.h5 stage1.h5 stage2-npr+sn.h5"
rows 2 r/quality.csv
rows 1 r/quality.csv "real,,,,sliced,[0-9.e-]*,[0-9.e-]*,40,40,,$"
rows 1 r/quality.csv "beta_tilde,ddpm,linear,2,sliced,"

# -- Everything: the classifier is trained, and said by name wherever its distances stand
quality --variance beta,beta_tilde,sn --steps 2,3 --sampler ddpm,ddim
grep -q "^classifier: 100 %" errors || problem "expected a training in: $(cat errors)"
grep -q "leaves out beta with ddim" errors || problem "expected a note in: $(cat errors)"
name=$(sed -n 's/^Features are those of the classifier \(cnn64-[0-9a-f]*\),.*/\1/p' printed)
[ -n "$name" ] || problem "expected the classifier's name in: $(cat printed)"
[ "$(grep -c "in features of $name, accuracy [01]\.[0-9]*$" printed)" -eq 8 ] ||
    problem "expected the name over 8 tables in: $(cat printed)"
says "^ddim (eta 0), linear trajectory$"
[ "$(head -n 1 r/quality.csv)" = "variance,sampler,trajectory,steps,metric,value,stderr,images,reference,classifier,accuracy" ] ||
    problem "quality.csv begins with $(head -n 1 r/quality.csv)"
rows 55 r/quality.csv # 5 metrics of the floor, 6 cells of ddpm and 4 of ddim
rows 5 r/quality.csv "real,,,,"
rows 10 r/quality.csv "beta,ddpm,"
rows 10 r/quality.csv "sn,ddim,"
rows 44 r/quality.csv ".*,$name,[01]"
files r "classifier.h5 metrics.csv quality.csv quality.h5 stage1.h5 stage2-npr+sn.h5"

# -- Scaled: nothing of an estimate is beta_tilde, to the last digit; and averaged
refuses "--cov-scale: expected a number from 0 to 1000, got \"-1\"" --cov-scale 1,-1
refuses "--cov-scale: 0.5 is given twice" --cov-scale 0.5,1,0.5
refuses "--cov-scale: -0 is given twice" --cov-scale 0,1,-0
mv r/quality.csv first.csv
mv r/quality.h5 first.h5
quality --variance beta_tilde,sn --steps 3 --cov-scale 0,0.5,1 --metrics sliced
says "^sn-x0.5  *[0-9.]* +- "
rows 5 r/quality.csv
[ "$(sed -n 's/^sn-x0,//p' r/quality.csv)" = "$(sed -n 's/^beta_tilde,//p' r/quality.csv)" ] ||
    problem "sn-x0 is not beta_tilde: $(cat r/quality.csv)"
[ "$(sed -n 's/^sn,//p' r/quality.csv)" != "$(sed -n 's/^beta_tilde,//p' r/quality.csv)" ] ||
    problem "sn is beta_tilde: $(cat r/quality.csv)"
[ "$(sed -n 's/^sn,//p' r/quality.csv)" = "$(sed -n 's/^sn,\(ddpm,linear,3,sliced\)/\1/p' first.csv)" ] ||
    problem "sn is not what it was: $(cat r/quality.csv first.csv)"
quality --variance sn,npr --steps 3 --average-cov --metrics sliced
says "^npr-average  *[0-9.]* +- "
rows 1 r/quality.csv "sn-average,ddpm,linear,3,sliced,"
mv first.csv r/quality.csv
mv first.h5 r/quality.h5

# -- The same again: the classifier that is there serves, and all comes out alike
mv r/quality.csv first.csv
mv r/quality.h5 first.h5
state=$(cksum <r/classifier.h5)
quality --variance beta,beta_tilde,sn --steps 2,3 --sampler ddpm,ddim --quiet
[ -z "$(cat printed errors)" ] || problem "--quiet, but: $(cat printed errors)"
cmp r/quality.csv first.csv || problem "two equal runs differ"
cmp r/quality.h5 first.h5 || problem "two equal runs differ"
[ "$(cksum <r/classifier.h5)" = "$state" ] || problem "the classifier has changed"
works infer quality --checkpoint r/stage1.h5 --classifier r/classifier.h5 --steps 2 --samples 20
says "^beta_tilde  *[0-9.]* +- "
! grep -q written printed || problem "files of no run: $(cat printed)"

# -- What is in the way stays
cp r/classifier.h5 r/other.h5
refuses "r/other.h5: is a classifier of infer quality, which would be lost" --out r/other.csv
refuses "--out: expected a name that ends in .csv" --classifier r/classifier.h5 --out r/classifier.h5
[ "$(cksum <r/other.h5)" = "$state" ] || problem "what was in the way has changed"
rm r/other.h5
sed 's/resolution: 8/resolution: 4/; s/tiny/small/' tiny.yaml >small.yaml
trained small.yaml small ""
fails "r/classifier.h5: classifies images of 8 x 8 pixels and 1 channels, expected 4 x 4 and 1" \
    quality --run small --classifier r/classifier.h5 --samples 10
infer quality --quiet --run small --samples 10 --classifier-steps 2 --out small/classifier.csv 2>errors
[ $? -eq 2 ] || problem "over the classifier: $(cat errors)"
grep -q "small/classifier.h5: is a classifier of infer quality, which would be lost" errors ||
    problem "over the classifier: $(cat errors)"
files small "classifier.h5 metrics.csv stage1.h5"
cp r/classifier.h5 damaged.h5
dd if=/dev/zero of=damaged.h5 bs=1 seek=60000 count=1000 conv=notrunc 2>dd.log
fails "its checksum is wrong: the file was damaged" quality --run r --classifier damaged.h5 --samples 10

# -- Images of three channels have a larger classifier, which learns their components, and whose file is read again
sed 's/channels: 1/channels: 3/; s/tiny/colour/' tiny.yaml >colour.yaml
trained colour.yaml colour ""
works infer quality --run colour --samples 20 --resamples 4 --steps 2 --variance beta --classifier-steps 60 --threads 1
accuracy=$(sed -n 's/.*which is right about \([0-9.]*\) %.*/\1/p' printed)
awk -v a="$accuracy" 'BEGIN { exit !(a > 60) }' || problem "the classifier of colours is right about $accuracy %, of 5 kinds"
grep -q -a width colour/classifier.h5 || problem "the classifier of colours has no width"
works infer quality --run colour --samples 20 --resamples 4 --steps 3 --variance beta --threads 1
grep -q "^classifier: " errors && problem "the classifier of colours was trained again: $(cat errors)"

# -- Without labels
printf '\000\000\010\003\000\000\000\024\000\000\000\010\000\000\000\010' >pictures
dd if=/dev/urandom bs=64 count=20 >>pictures 2>dd.log
sed "s|format: mixture|format: idx, train: $directory/pictures, test: $directory/pictures|; s/tiny/idx/" \
    tiny.yaml >idx.yaml
trained idx.yaml idx ""
fails "pictures: its labels are not known; name their file with --train-labels" \
    quality --run idx --samples 10 --steps 2
fails "tiny.yaml: is no IDX file of labels" \
    quality --run idx --samples 10 --steps 2 --train-labels tiny.yaml
fails "no.pth: no such file; the weights are weights-inception-2015-12-05-6726825d.pth of https://" \
    quality --run idx --samples 10 --steps 2 --features inception=no.pth
fails "idx/stage1.h5: is an HDF5 file, expected weights" \
    quality --run idx --samples 10 --steps 2 --features inception=idx/stage1.h5
works infer quality --run idx --samples 10 --steps 2 --metrics sliced --features inception=no.pth # which is not read
{
    printf '\000\000\010\001\000\000\000\024'
    for _ in 1 2 3 4 5; do printf '\000\001\001\002'; done
} >labels
works infer quality --run idx --samples 10 --steps 2 --train-labels labels --test-labels labels \
    --variance beta,beta_tilde --classifier-steps 2 --resamples 4
rows 15 idx/quality.csv

# -- Stopped: what was measured stays, and the same command goes on
long="--run r --samples 400 --resamples 20 --threads 1 --variance beta_tilde,sn --steps 2,60"
# shellcheck disable=SC2086 # several options
works infer quality $long --fresh
mv r/quality.csv first.csv
rm r/quality.h5
status=0 attempt=0
while [ $status -eq 0 ] && [ $attempt -lt 10 ]; do # on a busy machine the signal may come too late
    attempt=$((attempt + 1))
    rm -f r/quality.csv r/quality.h5
    # shellcheck disable=SC2086
    infer quality $long >printed 2>errors &
    child=$!
    until [ -f r/quality.unfinished.h5 ] || ! kill -0 $child 2>dd.log; do
        sleep 0.02
    done
    kill -TERM $child 2>dd.log
    wait $child
    status=$?
done
[ $status -eq 143 ] || problem "SIGTERM: exit status $status"
tail -n 1 errors | grep -q "^infer: stopped by SIGTERM after [1-3] of 4 cells; the same command goes on (r/quality.unfinished.h5)$" ||
    problem "SIGTERM: said: $(cat errors)"
files r "classifier.h5 metrics.csv quality.unfinished.h5 stage1.h5 stage2-npr+sn.h5"
cp r/quality.unfinished.h5 kept
# shellcheck disable=SC2086
works infer quality $long --cov-floor 0.1
! grep -q "^goes on" errors || problem "another floor: goes on: $(cat errors)"
rm r/quality.csv r/quality.h5
mv kept r/quality.unfinished.h5
# shellcheck disable=SC2086
works infer quality $long
grep -q "goes on after [1-3] of 4 cells" errors || problem "expected it to go on: $(cat errors)"
cmp r/quality.csv first.csv || problem "what was continued differs from what was not stopped"
files r "classifier.h5 metrics.csv quality.csv quality.h5 stage1.h5 stage2-npr+sn.h5"

# -- Samples as files for other programs
fails "an .npz is for one variance and one number of steps, got 2 kinds" \
    sample --run r --steps 2,3 --out a.npz
fails "/: is not empty" sample --run r --steps 2 --out r/
fails "r/stage1.h5: is there and is no directory" sample --run r --steps 2 --out r/stage1.h5/
works infer sample --run r --variance beta_tilde,sn --steps 2,3 --count 3 --out pictures.d/
says "^pictures.d/: 3 samples of each of 4 kinds, ddpm$"
files pictures.d "beta_tilde_2 beta_tilde_3 sn_2 sn_3"
files pictures.d/sn_3 "000000.png 000001.png 000002.png"
works infer sample --run r --variance sn --cov-scale 0.5 --steps 2 --count 1 --out half.png
says "^half.png: 1 sample, ddpm sn-x0.5, 2 steps$"
works infer sample --run r --variance npr,sn --cov-floor 0.1 --steps 2 --count 1 --out named/
files named "npr-floor0.1_2 sn-floor0.1_2"
works infer sample --run r --steps 2 --count 3 --batch 2 --out new/
files new "000000.png 000001.png 000002.png"
works infer sample --run r --steps 2 --count 3 --batch 2 --out a.npz
[ "$(wc -c <a.npz)" -eq $((39 + 128 + 3 * 64 * 3 + 84)) ] || problem "a.npz has $(wc -c <a.npz) bytes"
[ "$(od -A n -t x1 -N 4 a.npz | tr -d ' ')" = "504b0304" ] || problem "a.npz is no ZIP archive"
exit $result
