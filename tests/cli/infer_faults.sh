#!/bin/sh
# Checkpoints that are removed or cut off while `infer` runs. It does not read again what it has
# read. If it needs a file later and the file is gone, it says so in one line. (While `train` runs:
# tests/test_faults.c. Files whose network has changed: tests/cli/infer_analytic.sh.)

. tests/script.sh

tiny_run good sn

# Each fault befalls a fresh run.
fresh() {
    rm -rf r
    cp -p -r good r
}

# hit FAULT FILE...
hit() {
    fault=$1
    shift
    case $fault in
    removed) rm "$@" ;;
    truncated) truncate -s 1000 "$@" ;;
    esac
}

# said TEXT: the command in the background ended in one line of error with it.
said() {
    tr '\r' '\n' <errors | grep '^infer: ' >line
    [ "$(wc -l <line)" -eq 1 ] || problem "$fault: expected one line: $(cat errors)"
    grep -q -F -e "$1" line || problem "$fault: expected \"$1\" in: $(cat line)"
}

# -- Read once: nothing comes of it
sample="infer sample --run r --variance sn --steps 50 --count 200"
nll="infer nll --run r --variance sn,beta --steps 5,10 --images 64"
fresh
# shellcheck disable=SC2086
{
    works $sample --out whole.h5
    works $nll --out nll-whole.csv
}
for fault in removed truncated; do
    fresh
    # shellcheck disable=SC2086
    begins sampling $sample --out hit.h5
    hit "$fault" r/*.h5
    goes_on
    [ $status -eq 0 ] || problem "sample, $fault: exit status $status: $(cat errors)"
    cmp whole.h5 hit.h5 || problem "sample, $fault: other samples"

    fresh
    # shellcheck disable=SC2086
    begins evaluations/s $nll --out nll-hit.csv
    hit "$fault" r/*.h5
    goes_on
    [ $status -eq 0 ] || problem "nll, $fault: exit status $status: $(cat errors)"
    cmp nll-whole.csv nll-hit.csv || problem "nll, $fault: another table"
done

# -- Read again to be written: what is there stays, and the other file gets what was measured
analytic="infer analytic --run r --images 200"
for fault in removed truncated; do
    fresh
    # shellcheck disable=SC2086
    begins measuring $analytic
    hit "$fault" r/stage1.h5
    before=$(cksum r/stage1.h5 2>&1)
    goes_on
    [ $status -eq 2 ] || problem "analytic, $fault: exit status $status: $(cat errors)"
    case $fault in
    removed) said "r/stage1.h5: no such file" ;;
    truncated) said "r/stage1.h5: is a damaged or truncated HDF5 file" ;;
    esac
    said "; 1 of 2 files have got the constants"
    [ "$(cksum r/stage1.h5 2>&1)" = "$before" ] || problem "$fault: it has changed"
    works infer info r/stage2-sn.h5
    grep -q "stored from 200 images" printed || problem "$fault: $(cat printed)"
    [ -z "$(find r -name '*tmp*')" ] || problem "$fault: left behind: $(ls r)"
done

# -- A comparison opens the network once: its page is whole, and its results serve when the files are back
compare="infer compare --run r --variance sn,beta --steps 5 --images 64 --samples 0 --threads 1"
fresh
# shellcheck disable=SC2086
works $compare --out compared-whole
for fault in removed truncated; do
    fresh
    # shellcheck disable=SC2086
    begins evaluations/s $compare
    hit "$fault" r/stage1.h5 r/stage2-sn.h5
    goes_on
    [ $status -eq 0 ] || problem "compare, $fault: exit status $status: $(cat errors)"
    [ -s r/compare/compare.html ] || problem "compare, $fault: no page"
    for name in nll.csv samples.png samples.txt; do
        cmp compared-whole/$name r/compare/$name || problem "compare, $fault: another $name"
    done
    [ -z "$(find r -name '*tmp*')" ] || problem "compare, $fault: left behind: $(ls r)"
    cp -p good/*.h5 r
    # shellcheck disable=SC2086
    works $compare
    grep -q "reuses r/compare/nll.csv" errors || problem "compare, $fault: measured again: $(cat errors)"
    grep -q "reuses r/compare/samples.png" errors || problem "compare, $fault: drawn again: $(cat errors)"
done
exit $result
