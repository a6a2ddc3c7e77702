#!/bin/sh
# The same pictures in every place that a shell can make, from samples of a small network: the same training, bit for
# bit, images that are held out, and `infer data`.
. tests/script.sh

tiny_run r ""
works infer sample --run r --steps 3 --count 24 --variance beta --out png/ --quiet
works infer sample --run r --steps 3 --count 24 --variance beta --out images.npz --quiet
tar -cf png.tar png
tar -czf png.tar.gz -C png .

# losses_of PATH [OPTION...]: what the first steps of a training on it compute, without the times.
losses_of() {
    path=$1
    shift
    rm -rf new
    works train --config tiny.yaml --run new --stage 1 --quiet --set data.format=auto --set "data.train=$path" \
        --set data.channels=3 "$@"
    cut -d, -f1-4 new/metrics.csv
}

losses_of images.npz --set data.test= >expected
for place in png png/ png.tar png.tar.gz; do
    losses_of "$place" --set data.test= >found
    cmp -s expected found || problem "$place: other losses than images.npz: $(cat found)"
done
[ "$(wc -l <expected)" -ge 5 ] || problem "few losses: $(cat expected)"

# Held out: other images to train on, the same ones from every place.
losses_of images.npz --set data.test=auto >held
losses_of png.tar --set data.test=auto >found
cmp -s held found || problem "other images are held out of png.tar"
cmp -s expected held && problem "nothing is held out"
works infer nll --run new --steps 3 --images 1 --variance beta --quiet

# A run goes on with its pictures in another place.
works train --config tiny.yaml --run new --stage 1 --quiet --set data.format=auto --set data.train=png \
    --set data.channels=3 --set data.test=auto --set stage1.steps=6
# A list is one data set: the pictures twice. A file of the list is not overwritten.
losses_of "[png.tar, images.npz]" --set data.test= >twice
cmp -s expected twice && problem "the list is as its first part"
infer info new/stage1.h5 >printed
grep -q "png.tar, images.npz" printed || problem "infer info: $(cat printed)"
fails_with 2 "images.npz: is data.train of this run" infer sample --run new --steps 2 --count 2 --out images.npz
losses_of "[png, images.npz]" --set data.test= >found
cmp -s twice found || problem "other losses of the same list"

# -- infer data
works infer data --help
awk 'length > 80 { exit 1 }' printed || problem "infer data --help: wider than 80"
works infer data images.npz --set data.channels=3
grep fingerprint printed >expected
shows "^images      24 of 8 x 8, 3 channels"
for place in png png.tar png.tar.gz; do
    works infer data "$place" --set data.channels=3 --grid grid.png
    grep fingerprint printed | cmp -s expected - || problem "infer data $place: $(cat printed)"
done
infer info grid.png >printed 2>&1 && problem "the grid is no picture"
grep -q "PNG picture" printed || problem "the grid: $(cat printed)"
works infer data png --part test
shows "^data        png, held out"

# Labels that are broken are no labels that are not there.
printf '\0\0\10\3\0\0\0\2\0\0\0\4\0\0\0\4%32s' '' >train-images-idx3-ubyte
works infer data train-images-idx3-ubyte
shows "^labels      not known"
printf '\0\0\10\1\0\0\0\2a' >train-labels-idx1-ubyte
fails_with 2 "train-labels-idx1-ubyte: is truncated" infer data train-images-idx3-ubyte
gzip -n <train-images-idx3-ubyte >wrong.gz
printf x | dd of=wrong.gz bs=1 seek=$(($(wc -c <wrong.gz) - 8)) conv=notrunc 2>/dev/null
fails_with 2 "wrong.gz: has damaged gzip data" infer data wrong.gz # its checksum

# Classes, an image that occurs twice, and a path with a space and quotation marks in it.
mkdir -p "a \"b\"/x" "a \"b\"/y"
cp png/000000.png png/000001.png "a \"b\"/x"
cp png/000000.png "a \"b\"/y"
works infer data "a \"b\""
shows "^labels      2 classes"
shows "^ *0: 2  x$"
shows "^duplicates  1 images are equal to an earlier one (2 to 0, ...)"
head -c 100 png/000003.png >"a \"b\"/x/2.png"
fails_with 2 'a "b": x/2.png is truncated' infer data "a \"b\""
works infer data "a \"b\"" --set data.on_broken=skip
grep -q "x/2.png is truncated, and is left out" errors || problem "infer data: $(cat errors)"
works infer data "a \"b\"" --set data.on_broken=skip --quiet
[ ! -s printed ] || problem "infer data --quiet: $(cat printed)"

# Sizes that differ are shown; the grid of the images above is larger than they are.
mkdir sizes
cp png/000000.png grid.png sizes
works infer data sizes
shows "^sizes       8 to [1-9][0-9]* pixels wide, 8 to [1-9][0-9]* high"
shows "^images      2 of 8 x 8, 3 channels"
fails_with 2 "but data.resolution is 8" infer data sizes --set data.resize=none
fails_with 2 "expected the path of one data set, got 2" infer data png png.tar
fails_with 2 "nothing: no such file" infer data nothing

# -- The cache of decoded pictures
losses_of png --set data.test= >expected
losses_of png --set data.test= --set data.cache=always >found
cmp -s expected found || problem "a cache changes the losses: $(cat found)"
echo new/data-*.cache >first
[ -f "$(cat first)" ] || problem "no cache: $(ls new)"
works train --config tiny.yaml --run new --stage 2 --loss sn --set data.format=auto --set data.train=png \
    --set data.channels=3 --set data.test=auto --set data.cache=always
! grep -q "in a cache" errors || problem "stage 2 makes the cache again: $(cat errors)"
works infer analytic --run new --images 10
works infer data png --cache new --verify --set data.channels=3 --set data.cache=always
! grep -q "in a cache" errors || problem "infer data makes the cache again: $(cat errors)"
echo new/data-*.cache | cmp -s first - || problem "another cache: $(ls new)"
works train --config tiny.yaml --run new --stage 1 --profile --set stage1.steps=8 --set data.format=auto \
    --set data.train=png --set data.channels=3 --set data.test= --set data.cache=always
grep -q "waiting for images" printed || problem "train --profile: $(cat printed)"

# A recipe that was written for other images: grey ones of 4 x 4 with test images of their own.
sed 's/format: mixture, channels: 1, resolution: 8/train: grey.gz, test: other.gz, channels: 1, resolution: 4/
    s/channel_mult: \[1\]/channel_mult: [1, 1]/; s/attention: \[\]/attention: [4]/' tiny.yaml >grey.yaml
works infer sample --run new --steps 2 --count 24 --variance beta --out colour/ --quiet
own() {
    works train --config grey.yaml --run own --stage 1 --set data.train=colour --set data.resolution=8 "$@"
}
own
grep -q "note: data.test is auto, since data.train is not that of the recipe" errors || problem "data.test: $(cat errors)"
grep -q "note: data.channels is 3, as in colour" errors || problem "data.channels: $(cat errors)"
[ "$(grep -c "note:" errors)" -eq 3 ] || problem "other notes: $(cat errors)"
infer info own/stage1.h5 >printed
grep -q "test images: those that it brings, else a tenth" printed || problem "infer info: $(cat printed)"
works infer sample --run own --steps 2 --count 2 --variance beta --out own.npz --quiet
works infer data own.npz
grep -q "of 8 x 8, 3 channels" printed || problem "samples: $(cat printed)"
# The recipe is read once, so that it may be a pipe.
works train --config /dev/stdin --run piped --stage 1 --set data.train=colour --set data.resolution=8 <grey.yaml
grep -q "note: data.channels is 3, as in colour" errors || problem "a recipe from a pipe: $(cat errors)"
own --set stage1.steps=6 --quiet
[ ! -s errors ] || problem "the run does not go on quietly: $(cat errors)"
own --set data.train=png --fresh
grep -q "data.channels" errors && problem "grey pictures have a note: $(cat errors)"
own --fresh --quiet
mv colour elsewhere
works train --config grey.yaml --run own --stage 1 --set data.train=elsewhere --set data.resolution=8 --set stage1.steps=8
mv elsewhere colour
works train --config grey.yaml --run own --stage 1 --fresh --set data.train=colour --set data.test=png.tar \
    --set data.resolution=8
grep -q "data.test" errors && problem "data.test of the command line: $(cat errors)"

# A recipe that says the format of its own images, and one that has no files.
for own in "format: hdf5, train: none.h5" "format: mixture"; do
    sed "s/format: mixture/$own/" tiny.yaml >other.yaml
    works train --config other.yaml --run other --stage 1 --fresh --set data.train=png
    grep -q "note: data.format is auto, since png is of another format" errors || problem "$own: $(cat errors)"
    grep -q "note: data.test is auto" errors || [ "$own" != "format: mixture" ] || problem "$own: $(cat errors)"
    infer info other/stage1.h5 | grep -q "png" || problem "$own: trained on something else"
done

# What the system did not let read may be read the next time: no cache remembers it.
cp -r png once
ln -s loop.png once/loop.png # a link to itself
works train --config tiny.yaml --run once-run --stage 1 --set data.format=auto --set data.train=once --set data.test= \
    --set data.channels=3 --set data.cache=always --set data.on_broken=skip
grep -q "no cache can be kept: the system did not let all pictures be read" errors || problem "$(cat errors)"
[ -z "$(find once-run -name '*.cache')" ] || problem "a cache remembers what was not read"

# Test images that are not there are no error in training, and are said.
works train --config tiny.yaml --run typo --stage 1 --set data.format=auto --set data.train=png --set data.test=pgn \
    --set data.channels=3
grep -q "note: data.test: pgn: no such file; infer nll" errors || problem "a wrong data.test: $(cat errors)"
fails_with 2 "pgn: no such file" infer nll --run typo --steps 2 --images 1 --variance beta

# Directories are the classes of `infer quality`, those of the test images by their names.
cp -r png images
mkdir -p seen/cats seen/dogs seen/emus known/cats known/emus unknown/cats unknown/fish
i=0
for file in png/*.png images/*.png; do
    i=$((i + 1))
    case $((i % 3)) in
    0) cp "$file" seen/cats/$i.png && cp "$file" known/cats/$i.png && cp "$file" unknown/cats/$i.png ;;
    1) cp "$file" seen/dogs/$i.png && cp "$file" unknown/fish/$i.png ;;
    *) cp "$file" seen/emus/$i.png && cp "$file" known/emus/$i.png ;;
    esac
done
for test in known unknown; do
    works train --config tiny.yaml --run $test-run --stage 1 --quiet --set data.format=auto --set data.train=seen \
        --set data.test=$test --set data.channels=3
done
works infer quality --run known-run --samples 10 --images 10 --steps 2 --variance beta --metrics frechet \
    --classifier-steps 2 --resamples 2 --quiet
fails_with 2 "unknown: has the class fish, which the training images do not have" infer quality --run unknown-run \
    --samples 10 --images 10 --steps 2 --variance beta --metrics frechet --classifier-steps 2 --resamples 2

# A byte that changed under the same size and time.
touch -r png/000005.png stamp
head -c 100 png/000005.png >changed
tail -c +101 png/000005.png | tr '\000' '\001' >>changed
cp png/000005.png kept.png
cat changed >png/000005.png
touch -r stamp png/000005.png
fails_with 2 "png: 000005.png is not as it was when its cache was made" \
    infer data png --cache new --verify --quiet --set data.channels=3 --set data.cache=always
cp kept.png png/000005.png

# -- CIFAR-10 without its test images, which the training does not need
mkdir cifar
for batch in 1 2 3 4 5; do
    head -c 3073 /dev/zero >cifar/data_batch_$batch.bin
done
tiny_recipe
works train --stage 1 --config tiny.yaml --run c --set data.format=auto --set data.train=cifar --set data.test=auto \
    --set data.resolution=32 --set data.channels=3 --set stage1.steps=1 --threads 1
grep -q "test_batch.bin of CIFAR-10 is missing; infer nll, quality and compare will need it" errors ||
    problem "no word about missing test images: $(cat errors)"

exit $result
