#!/bin/sh
# `infer` as a user types it, in a directory with runs in it: defaults, pages of help, printed text
# and written files.
set -eu

golden=$PWD/tests/golden
recipe=$PWD/configs/fashion-mnist.yaml
version=$(sed -n 's/.*VARHEAD_VERSION "\(.*\)"/\1/p' lib/base/version.h)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"

fail() {
    echo "$*" >&2
    exit 1
}

# says TEXT: the last output has it.
says() {
    case $output in
    *"$1"*) ;;
    *) fail "expected \"$1\" in: $output" ;;
    esac
}

# -- Help
[ "$(infer --version)" = "infer (varhead) $version" ] || fail "infer --version"
output=$(infer --help)
for command in sample nll quality compare predict analytic info data; do
    says "  $command "
done
for command in sample nll quality compare predict analytic info; do
    output=$(infer $command --help)
    says "usage: infer $command"
    says "--checkpoint FILE"
    says "examples:"
    [ "$(infer $command -h)" = "$output" ] || fail "$command -h"
    [ "$(infer $command --version)" = "infer (varhead) $version" ] || fail "$command --version"
    echo "$output" | awk 'length > 80 { exit 1 }' || fail "$command --help: wider than 80"
done

# -- The default run
mkdir -p checkpoints/fashion-mnist checkpoints/other configs
cp "$recipe" configs
cp "$golden/golden_a.h5" checkpoints/fashion-mnist/stage2-npr+sn.h5
cp "$golden/golden_b.h5" checkpoints/other/stage2-npr+sn.h5

output=$(infer info)
says "checkpoints/fashion-mnist/stage2-npr+sn.h5  (1.6 MB)"
says "177,427 parameters"
says "npr, sn (simple, 467 parameters each)"
says "no E||eps_hat||^2/d"
says "precision  not stored"
[ -z "$(infer info --quiet)" ] || fail "infer info --quiet is not silent"

output=$(infer sample --variance sn --steps 3 --count 4 --out samples.png 2>/dev/null)
says "samples.png: 4 samples, ddpm sn, 3 steps"
[ -s samples.png ] || fail "no samples.png"
output=$(infer sample --quiet --variance beta_tilde,npr,sn --steps 2,3 --count 2 --out table.png 2>&1)
[ -z "$output" ] || fail "--quiet, but: $output"
[ -s table.png ] || fail "no table.png"

# The same again makes the same bytes; a picture of another seed is another.
infer sample --quiet --threads 1 --steps 3 --count 4 --out one.h5
infer sample --quiet --threads 1 --steps 3 --count 4 --out two.h5
cmp one.h5 two.h5 || fail "two equal runs differ"
infer sample --quiet --threads 1 --steps 3 --count 4 --seed 1 --out two.h5
cmp -s one.h5 two.h5 && fail "two seeds are alike"

# -- Other runs
echo "name: other" >other.yaml
for choice in "--config other.yaml" "--set name=other" "--run checkpoints/other" \
    "--checkpoint checkpoints/other/stage2-npr+sn.h5"; do
    # shellcheck disable=SC2086 # an option and its value
    output=$(infer info $choice)
    says "checkpoints/other/stage2-npr+sn.h5  (4.0 MB)"
    says "cosine schedule, 200 timesteps"
    says "complex, 23,105 parameters each"
    says "--variance analytic works"
done

# -- The configuration, printed, is one
infer info --yaml checkpoints/other/stage2-npr+sn.h5 >again.yaml
output=$(cat again.yaml)
says "name: golden-b"
infer info --config again.yaml --set name=other >/dev/null

# -- Nothing else was written
expected="again.yaml checkpoints configs one.h5 other.yaml samples.png table.png two.h5"
[ "$(echo *)" = "$expected" ] || fail "files: $(echo *), expected $expected"
