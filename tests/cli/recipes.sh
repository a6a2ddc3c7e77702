#!/bin/sh
# --config by name: the file that a name stands for, in `train`, `infer` and `bench`, installed and
# not, and the error for a name that stands for none.

. tests/script.sh

# Programs and recipes as `make install` leaves them, and as a source tree has them.
mkdir -p installed/bin installed/share/varhead/configs tree/bin tree/configs away/configs
for program in train infer bench; do
    cp "$(command -v $program)" installed/bin
    cp "$(command -v $program)" tree/bin
done

# recipe NAME FILE: a recipe of that name, whose run would be checkpoints/NAME.
recipe() {
    tiny_recipe
    sed "s/tiny/$1/" tiny.yaml >"$2"
}
recipe installed-a installed/share/varhead/configs/a.yaml
recipe installed-b installed/share/varhead/configs/b.yaml
recipe tree-a tree/configs/a.yaml
recipe here-b away/configs/b.yaml
recipe file-c away/c
recipe default tree/configs/fashion-mnist.yaml
touch installed/share/varhead/configs/README tree/configs/.yaml
mkdir away/a # no recipe, although it has the name of one
cd away || exit 1

# takes RUN PROGRAMS ARGUMENT...: the recipe whose run is checkpoints/RUN.
takes() {
    run=$1 bin=../$2/bin
    shift 2
    rm -rf checkpoints
    works "$bin/train" "$@" --stage 1 --quiet
    [ -s "checkpoints/$run/stage1.h5" ] || problem "$bin/train $*: trained $(echo checkpoints/*)"
    works "$bin/infer" info "$@"
    grep -q "^checkpoints/$run/stage1.h5 " printed || problem "$bin/infer $*: $(cat printed)"
}

takes installed-a installed --config a
takes installed-a installed --config a.yaml
takes here-b installed --config b
takes tree-a tree --config a
takes file-c tree --config c
takes default tree
takes installed-b installed --config ../installed/share/varhead/configs/b.yaml
works ../installed/bin/bench --networks a --work sample --precision f32 --steps 1 --threads 1

# -- There is no such recipe: one line names those that there are
there="there is no such file, and no recipe of that name; there are a, b"
for program in "train --stage 1" "infer sample --out x.png" "infer info" "infer nll"; do
    # shellcheck disable=SC2086 # a program and its arguments
    fails_with 2 "d: $there" ../installed/bin/$program --config d
done
fails_with 2 "configs/a.yaml: $there" ../installed/bin/train --stage 1 --config configs/a.yaml
fails_with 2 "d: $there, fashion-mnist" ../tree/bin/train --stage 1 --config d
fails_with 2 "fashion-mnist (the default): $there" ../installed/bin/train --stage 1
../installed/bin/bench --networks d >printed 2>errors && problem "bench --networks d"
grep -q "^bench: d: $there$" errors || problem "bench --networks d: $(cat errors)"
rm -r ../installed/share configs
fails_with 2 "there are none in configs, nor beside the program" ../installed/bin/train --stage 1 --config d

# -- What is there and can't be read is another matter
mkdir configs
fails_with 2 "configs: expected a configuration, got: Is a directory" ../tree/bin/train --stage 1 --config configs
exit $result
