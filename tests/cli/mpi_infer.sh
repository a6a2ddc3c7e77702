#!/bin/sh
# infer on several processes of mpirun: the files of one process, bit for bit where sums are made image by image.
# PROCESSES="1 2 3 4" in the environment: on each of these numbers of processes.
. tests/script.sh

needs_mpirun infer

# all_commands: in this directory's run, by `on`, a launcher of several words or nothing.
all_commands() {
    # shellcheck disable=SC2086 # a list of words
    {
        works $on infer analytic --run . --quiet --images 7
        works $on infer nll --run . --quiet --images 5 --steps 3,10 --out nll.csv
        works $on infer nll --run . --quiet --images 1 --steps 3,7 --out one.csv
        works $on infer nll --run . --quiet --images 3 --steps 3 --variance full --krylov 4 --probes 2 --out full.csv
        works $on infer nll --run . --quiet --images 1 --steps 2 --variance full --dense --out dense.csv
        works $on infer nll --run . --quiet --images 4 --steps 3 --trajectory dp --variance npr,beta --dp-images 4 --out dp.csv
        works $on infer sample --run . --quiet --variance beta,analytic,npr --steps 2,5 --count 4 --out table.png
        works $on infer sample --run . --quiet --variance full --krylov 4 --steps 3 --count 5 --out full-samples.h5
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 7 --out samples.h5
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 7 --out samples.npz
        works $on infer sample --run . --quiet --variance npr --steps 5 --count 2 --out pictures/
        works $on infer truth --run . --quiet --images 4 --out truth.csv
        works $on infer quality --run . --quiet --variance beta --steps 2 --samples 40 --resamples 10 --classifier-steps 5 \
            --metrics sliced --out quality.csv
        works $on infer compare --run . --quiet --variance beta,npr --steps 2 --images 4 --samples 20
        works $on infer predict --run ../imported --quiet --batch 1 --input "$golden/ea_ddpm_sn_expected.h5" --output predictions.h5
        works $on infer info --quiet stage1.h5
        cp printed info.txt
    }
}

# run_in DIRECTORY LAUNCHER: all commands there.
run_in() {
    on=$2
    cd "$1" || exit 1
    all_commands
    rm -f printed errors
    cd .. || exit 1
}

# compare_with_one DIRECTORY: its files are those of one process.
compare_with_one() {
    (cd "$1" && find . -type f | sort) | cmp -s names - || problem "$1 processes write other files: $(ls "$1")"
    while read -r file; do
        case $file in
        # They hold times, and numbers that the library of drawings counts up.
        *costs.csv | *-seconds.* | *.html | *.svg) continue ;;
        esac
        cmp -s "one/$file" "$1/$file" || problem "$1/$file differs from that of one process"
    done <names
}

golden=$tests/golden/import
works infer import "$golden/ea_ddpm_sn.ckpt" --resolution 8 --head sn --run imported --quiet
tiny_run one npr,sn,ocm,nll --set stage1.objective=hybrid --set stage2.solver=exact --set stage2.images=400
for n in ${PROCESSES:=3}; do
    cp -r one "$n"
done
run_in one ''
(cd one && find . -type f | sort) >names
for n in $PROCESSES; do
    run_in "$n" "processes $n"
    compare_with_one "$n"
done

# begun UNTIL SECONDS COMMAND...: the command is stopped after so many seconds, again and again until UNTIL is true: on
# a slow machine it takes several attempts until a part is done.
begun() {
    until_true=$1 seconds=$2 attempts=0
    shift 2
    until $until_true || [ $attempts -eq 10 ]; do
        begins 'evaluations/s' "$@"
        kill -CONT "$child"
        sleep "$seconds"
        kill -TERM "$child"
        wait "$child"
        attempts=$((attempts + 1))
    done
}

# Processes that differ: in their threads, and in what they find. Neither waits for the other for ever.
cat >uneven <<'END'
#!/bin/sh
export OMP_NUM_THREADS=$((${OMPI_COMM_WORLD_RANK:-$PMI_RANK} % 2 + 1))
exec timeout 100 "$@"
END
chmod +x uneven
page="infer compare --run one --quiet --variance beta,npr --steps 2 --images 4 --samples 20 --out page"
# shellcheck disable=SC2086 # words
{
    works env OMP_NUM_THREADS=1 $page
    works processes 2 ./uneven $page
}
mkdir elsewhere
cp -r one elsewhere/one
rm elsewhere/one/dp-npr.h5
fails_with 2 "one: not all processes find the same there; expected files and directories that they share" \
    processes 2 apart infer nll --run one --trajectory dp --variance npr --images 4 --steps 3 --dp-images 4 --out o.csv

# Each finds other heads, an unfinished table, a page: none of that is a reason to wait for ever.
cp -r one heads
cp -r one elsewhere/heads
rm elsewhere/heads/stage2-*
fails_with 2 "heads: not all processes find the same there" \
    processes 2 apart infer nll --run heads --quiet --images 3 --steps 3 --out o.csv
table="infer quality --run one --variance beta,npr,sn --steps 1,100 --samples 500 --metrics sliced --resamples 5"
# shellcheck disable=SC2086 # words
begun 'test -e table.unfinished.h5' 1 $table --out table.csv
cp -r one elsewhere/
# shellcheck disable=SC2086
fails_with 2 "table.unfinished.h5: not all processes find the same there" \
    processes 2 apart $table --quiet --out table.csv
rm -r elsewhere/one/compare
fails_with 2 "one/compare: not all processes find the same there" \
    processes 2 apart infer compare --run one --quiet --variance beta,npr --steps 2 --images 4 --samples 20

# An error of one process alone, which the others find out when they wait for it.
cp "$golden/ea_ddpm_sn_expected.h5" points.h5
cp -r imported elsewhere/
fails_with 2 "infer: on another process: points.h5" \
    processes 4 apart infer predict --run imported --quiet --input points.h5 --output predictions.h5

# A bound goes on with another number of processes.
sweep="infer nll --run one --variance beta,sn --steps 100 --images 400"
# shellcheck disable=SC2086 # words
{
    works $sweep --out whole.csv
    begun 'grep -q goes.on.from.t.=.[0-9]\{1,2\}.( errors' 0.5 $sweep --out parts.csv
    works processes 3 $sweep --out parts.csv
}
grep -q "goes on from t = " errors || problem "three processes begin a bound anew: $(cat errors)"
cmp -s whole.csv parts.csv || problem "a bound that three processes have ended differs"

# A recipe from a pipe.
sed 's/name: tiny/name: piped/' tiny.yaml >piped.yaml
mkdir checkpoints
cp -r one checkpoints/piped
works processes 3 infer nll --config /dev/stdin --quiet --variance beta --steps 3 --images 4 --out piped.csv <piped.yaml

# One line for an error of all processes.
fails_with 2 "unknown command" processes 2 infer nothing
fails_with 2 "no-such-run" processes 2 infer nll --run no-such-run
exit $result
