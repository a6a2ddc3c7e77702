#!/bin/sh
# `infer doctor`, and the behaviour of the programs with a oneDNN that computes wrong numbers
# (tests/preload/onednn_fault.c).
. tests/script.sh

fault=$tests/../build/tests/onednn_fault.so
[ -r "$fault" ] || fault=$FAULT_LIBRARY
tiny_recipe

# -- A sound machine
works infer doctor --config tiny.yaml
for text in "processor" "oneDNN " "HDF5 " "libarchive " "libjpeg" "training computes in" "compared with plain loops" "GFLOP/s" \
    "the mixture: 60000 images of 8 x 8 x 1" "Everything is right."; do
    grep -q -F -e "$text" printed || problem "infer doctor: expected \"$text\" in: $(cat printed)"
done
grep -q "0 without any that is right" printed || problem "infer doctor: $(cat printed)"
kinds=$(grep -c '^ *[0-9][0-9]* convolution' printed)
works infer doctor --config tiny.yaml --all
all=$(grep -c '^  convolution' printed)
{ [ "$all" -ge "$kinds" ] && [ "$kinds" -ge 3 ]; } || problem "infer doctor: $kinds kinds of convolutions, $all in all"
works infer doctor --config tiny.yaml --precision f32
grep -q "training computes in f32: the recipe or --precision says so" printed || problem "$(cat printed)"

# -- Things that are wrong
infer doctor --config tiny.yaml --set data.format=idx --set data.train=nowhere --set data.test= >printed 2>errors
[ $? -eq 1 ] || problem "missing data: $(cat printed errors)"
grep -q '^WRONG .*nowhere' printed || problem "missing data: $(cat printed)"
[ "$(cat errors)" = "infer: doctor: 1 thing is wrong (the lines that begin with WRONG)" ] || problem "$(cat errors)"
fails_with 2 "model.channels" infer doctor --config tiny.yaml --set model.channels=many

# -- One implementation of oneDNN errs: it is left out, with one note, and the numbers are right
preferred=$(infer doctor --config tiny.yaml --precision f32 --all |
    sed -n 's/^  convolution forward .*: \(.*\), [0-9.]*$/\1/p' | head -n 1)
tiny_run sound "" --precision f32
LD_PRELOAD=$fault ONEDNN_FAULT=$preferred train --stage 1 --config tiny.yaml --precision f32 --run faulty \
    >printed 2>errors || problem "$(cat errors)"
[ "$(grep -c "note: oneDNN .* computes wrong numbers, and is not used for them: $preferred" errors)" -eq 1 ] ||
    problem "expected one note about $preferred in: $(cat errors)"
last_loss() { tail -n 1 "$1/metrics.csv" | cut -d , -f 3; }
[ -n "$(last_loss sound)" ] || problem "no loss in sound/metrics.csv"
awk -v a="$(last_loss sound)" -v b="$(last_loss faulty)" 'BEGIN { exit !(a > 0 && (a - b) / a < 1e-4 && (b - a) / a < 1e-4) }' ||
    problem "losses differ: $(last_loss sound), $(last_loss faulty)"
LD_PRELOAD=$fault ONEDNN_FAULT=$preferred infer doctor --config tiny.yaml --precision f32 >printed 2>errors ||
    problem "doctor with one implementation left out: $(cat errors)"
grep -q -F "left out: $preferred" printed || problem "$(cat printed)"

# -- All of them err: nothing is computed
for command in "train --stage 1 --config tiny.yaml --run none" "infer sample --run sound --variance beta --steps 2 --out s.png"; do
    # shellcheck disable=SC2086 # a command and its words
    LD_PRELOAD=$fault ONEDNN_FAULT='' $command >printed 2>errors
    [ $? -eq 1 ] || problem "$command: expected exit status 1: $(cat errors)"
    grep -v 'note:' errors >lines
    [ "$(wc -l <lines)" -eq 1 ] || problem "$command: expected one line: $(cat errors)"
    grep -q "oneDNN .* computes wrong numbers and has no other way: .*\[.*expected .* got -*nan" lines ||
        problem "$command: $(cat errors)"
done
[ ! -e s.png ] || problem "a picture was drawn"
LD_PRELOAD=$fault ONEDNN_FAULT='' infer doctor --config tiny.yaml >printed 2>errors
[ $? -eq 1 ] || problem "doctor without any that is right: $(cat errors)"
grep -q '^WRONG .*computes wrong numbers' printed || problem "$(cat printed)"

exit "$result"
