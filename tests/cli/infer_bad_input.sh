#!/bin/sh
# `infer` with wrong command lines and files: one line on stderr that names the error, the right
# exit code, and nothing written. (Arrays of wrong shapes and damaged checkpoints:
# tests/test_infer_files.c.)
set -u

a=tests/golden/golden_a.h5
b=tests/golden/golden_b.h5
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
errors=$directory/errors
result=0

problem() {
    echo "$*"
    result=1
}

# fails STATUS TEXT ARGUMENT...: `infer ARGUMENT...` ends so, with TEXT in its one line.
fails() {
    expected=$1 text=$2
    shift 2
    infer "$@" >"$directory/printed" 2>"$errors"
    status=$?
    [ $status -eq "$expected" ] || problem "infer $*: exit status $status, expected $expected"
    grep -q -F -e "$text" "$errors" || problem "infer $*: expected \"$text\" in: $(cat "$errors")"
    [ "$(wc -l <"$errors")" -eq 1 ] || problem "infer $*: expected one line: $(cat "$errors")"
    [ ! -s "$directory/printed" ] || problem "infer $*: printed $(cat "$directory/printed")"
}

out=$directory/out.png
sample() {
    expected=$1 text=$2
    shift 2
    fails "$expected" "$text" sample --checkpoint $a --steps 2 --count 1 --out "$out" "$@"
}

# -- The command line
fails 2 "expected a command"
fails 2 'unknown command "smaple"; did you mean sample?' smaple
fails 2 'unknown command "frobnicate"' frobnicate
fails 2 "expected a command before --variance" --variance sn sample
fails 2 "expected --out FILE" sample --checkpoint $a
fails 2 '--out: expected a name that ends in .png (a picture), .h5 (an array), / (a directory of pictures) or .npz, got "x.jpg"' \
    sample --checkpoint $a --out x.jpg
sample 2 "unknown option --varance; did you mean --variance?" --varance sn
sample 2 'unexpected argument "sn"' sn
variances=$(infer sample --help | sed -n '/^  beta  /,/^$/ s/^  \([a-z_0-9]*\) .*/\1/p' | paste -s -d , |
    sed 's/,/, /g; s/\(.*\), /\1 or /') # "beta, beta_tilde, ... or true"
sample 2 "expected $variances, got \"foo\"" --variance foo
sample 2 'got ""' --variance sn,
sample 2 "--variance: sn is given twice" --variance sn,npr,sn
sample 2 '--steps: expected a number of steps, 1 or more, got "0"' --steps 0
sample 2 'got "1e3"' --steps 1e3
sample 2 "--steps: 5 is given twice" --steps 5,5
sample 2 "--steps: a trajectory has from 1 to 1000 steps, not 1001" --steps 1001
sample 2 '--sampler: expected one of ddpm|ddim, got "ddmp"' --sampler ddmp
sample 2 "--eta: expected a number from 0 to 1" --sampler ddim --eta 1.5
sample 2 "--eta is for --sampler ddim" --eta 0.5
sample 2 "the variance beta is DDPM's" --sampler ddim --variance beta
sample 2 "--trajectory: expected one of linear|quad" --trajectory cubic
sample 2 "--clip-pixel: expected a number" --clip-pixel -1
sample 2 "--clip-x0: expected one of on|off" --clip-x0 yes
sample 2 "--count: expected an integer from 1 to" --count 0
sample 2 "--batch: expected an integer from 1 to" --batch 0
sample 2 "--threads: expected an integer from 1 to" --threads 0
for seed in -3 1e3 0x10 010 " 5" 1.0 18446744073709551616 ""; do
    sample 2 "--seed: expected" --seed="$seed"
done
sample 2 "--seed: expected an integer from 0 to 18446744073709551615, got \"-3\"" --seed -3
isa=${ONEDNN_MAX_CPU_ISA-ALL}
export ONEDNN_MAX_CPU_ISA=AVX2
sample 2 "precision: bf16 needs a processor with AVX-512" --precision bf16
export ONEDNN_MAX_CPU_ISA="$isa"
sample 2 "--checkpoint names files, --run a run directory" --run "$directory"
fails 2 "expected --input FILE and --output FILE" predict --checkpoint $a --input "$directory/x.h5"

# -- What the checkpoint lacks
sample 2 "the variance analytic needs the array /analytic/ms_eps, and $a has none; \
infer analytic --checkpoint $a makes it" --variance analytic
fails 2 "the variance analytic_diag needs the array /analytic/ms_eps_diag, and $b has none" \
    sample --checkpoint $b --variance analytic_diag --steps 2 --out "$out"
fails 2 "$a: its configuration names no training images (data.train); name them with --data FILE" \
    analytic --checkpoint $a

# -- Files
fails 2 "missing.h5: no such file" sample --checkpoint "$directory/missing.h5" --out "$out"
fails 2 "$directory: is a directory" info "$directory"
echo "not HDF5" >"$directory/text.h5"
fails 2 "text.h5: is not an HDF5 file" info "$directory/text.h5"
fails 2 "text.h5: is not an HDF5 file" sample --checkpoint "$directory/text.h5" --out "$out"
: >"$directory/empty.h5"
fails 2 "empty.h5: is empty" info "$directory/empty.h5"
fails 2 "golden_a_expected.h5: is an HDF5 file, but no checkpoint" \
    info tests/golden/golden_a_expected.h5
fails 2 "golden_a_expected.h5:/x_T: is missing" sample --checkpoint $a \
    --noise tests/golden/golden_a_expected.h5 --out "$out"
fails 2 "missing.h5: no such file" sample --checkpoint $a --noise "$directory/missing.h5" --out "$out"
fails 2 "golden_a_expected.h5:/x: is missing" predict --checkpoint $a \
    --input tests/golden/golden_a_expected.h5 --output "$directory/out.h5"
sample 2 "$b: its network is not that of $a, they differ in the configuration: data.channels" \
    --checkpoint $b
fails 2 "--yaml: expected one file, got 2" info --yaml $a $b

# -- Run directories and configurations
fails 2 "$directory/none: there is no such run directory; train --stage 1 makes it" \
    sample --run "$directory/none" --out "$out"
fails 2 "$directory: holds no checkpoint" info --run "$directory"
echo "name: [" >"$directory/bad.yaml"
fails 2 "bad.yaml:" info --config "$directory/bad.yaml"
fails 2 'unknown key "nmae"; did you mean "name"?' info --set nmae=x
fails 2 "checkpoints/no-such-run: there is no such run directory" info --set name=no-such-run

# -- Where it can't be written
sample 1 "cannot be written: No such file or directory" --out "$directory/none/out.png"
sample 1 "cannot be written: No such file or directory" --out "$directory/none/out.h5"
sample 1 "cannot be written: Not a directory" --out "$directory/text.h5/out.png"
mkdir "$directory/here.png"
sample 2 "here.png: is a directory" --out "$directory/here.png"
cp $a "$directory/keep.h5"
sample 2 "keep.h5: is a checkpoint, which would be lost" --out "$directory/keep.h5"
cmp -s $a "$directory/keep.h5" || problem "keep.h5 was changed"

# A full disk: files of at most one block. What has the name stays as it was.
infer sample --checkpoint $a --steps 2 --count 1 --quiet --out "$directory/full.h5"
cp "$directory/full.h5" "$directory/old.h5"
(
    ulimit -f 1
    sample 1 "full.h5: cannot be written" --quiet --count 64 --out "$directory/full.h5"
    exit $result
) || result=1
cmp -s "$directory/full.h5" "$directory/old.h5" || problem "full.h5 was changed"
rm "$directory/old.h5"

infer info $a >/dev/full 2>"$errors"
status=$?
[ $status -eq 1 ] || problem "infer info >/dev/full: exit status $status, expected 1"
grep -q "standard output cannot be written" "$errors" || problem "said: $(cat "$errors")"

# -- What is read must not be overwritten
cp $a "$directory/both.h5"
fails 2 "both.h5: is the file of --noise, which would be lost" sample --checkpoint $a --steps 2 \
    --noise "$directory/both.h5" --out "$directory/both.h5"
cmp -s $a "$directory/both.h5" || problem "both.h5 was changed"
rm "$directory/both.h5"

# -- Nothing is left behind, temporary files included
rm -r "$directory/here.png"
left=$(cd "$directory" && echo *)
expected_left="bad.yaml empty.h5 errors full.h5 keep.h5 printed text.h5"
[ "$left" = "$expected_left" ] || problem "left behind: $left, expected $expected_left"

exit $result
