#!/bin/sh
# The same pictures in every place that a shell can make, from samples of a small network: the same training, bit for
# bit, and images that are held out.
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
exit $result
