#!/bin/sh
# infer on several processes of mpirun: the files of one process, bit for bit where sums are made image by image.
. tests/script.sh

needs_mpirun infer

# all_commands: in this directory's run, by `on`, a launcher of several words or nothing.
all_commands() {
    # shellcheck disable=SC2086 # a list of words
    {
        works $on infer analytic --run . --quiet --images 7
        works $on infer nll --run . --quiet --images 5 --steps 3,10 --out nll.csv
        works $on infer nll --run . --quiet --images 4 --steps 3 --trajectory dp --variance npr,beta --dp-images 4 --out dp.csv
        works $on infer sample --run . --quiet --variance beta,analytic,npr --steps 2,5 --count 4 --out table.png
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 7 --out samples.h5
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 7 --out samples.npz
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 2 --out pictures/
        works $on infer truth --run . --quiet --images 4 --out truth.csv
        works $on infer quality --run . --quiet --variance beta --steps 2 --samples 40 --resamples 10 --classifier-steps 5 \
            --metrics sliced --out quality.csv
        works $on infer compare --run . --quiet --variance beta,npr --steps 2 --images 4 --samples 20
        works $on infer info --quiet stage1.h5
        cp printed info.txt
    }
}

tiny_run one npr
cp -r one three

for name in one three; do
    on=''
    [ $name = one ] || on="mpirun -n 3 --oversubscribe"
    cd $name || exit 1
    all_commands
    rm -f printed errors
    cd .. || exit 1
done
(cd one && find . -type f | sort) >names
(cd three && find . -type f | sort) | cmp -s names - || problem "three processes write other files: $(ls three)"
while read -r file; do
    case $file in
    # Times, the batch that settings hold, and metrics in features, which move by rounding with the batch.
    *costs.csv | *.html | *quality.h5 | */compare/*) continue ;;
    esac
    cmp -s "one/$file" "three/$file" || problem "three/$file differs from that of one process"
done <names

# One line for an error of all processes.
fails_with 2 "unknown command" mpirun -n 2 --oversubscribe infer nothing
fails_with 2 "no-such-run" mpirun -n 2 --oversubscribe infer nll --run no-such-run
exit $result
