#!/bin/sh
# `train` and `infer` under limits on memory (ulimit -v): a lack of memory is reported in one line,
# before the libraries hang (OpenBLAS) or crash (oneDNN).
# shellcheck disable=SC3045 # dash has ulimit -v

. tests/script.sh

works infer --version

# A program under a sanitizer takes terabytes of address space.
if ! (ulimit -v 8000000 && infer --version >/dev/null 2>&1); then
    echo "not tried: this build can't run under a limit on memory"
    exit 0
fi

tiny_run r ""

# within MIB COMMAND...: it works, or ends with status 1 and one line that names the limit.
within() {
    limit=$1
    shift
    (ulimit -v $((limit * 1024)) && exec timeout -s KILL 60 "$@") >printed 2>errors
    status=$?
    if [ $status -eq 127 ] && grep -q "error while loading shared libraries" errors; then
        return # the loader's own words: no code of ours has run
    fi
    [ $status -le 1 ] || problem "ulimit -v $limit MiB: $*: exit status $status: $(cat errors)"
    if [ $status -eq 1 ]; then
        grep -q -e "the limit on memory is $limit MiB (ulimit -v), expected at least [0-9]* " \
            -e "not enough memory for .* within the limit (ulimit -v)" errors ||
            problem "ulimit -v $limit MiB: $*: said $(cat errors)"
        [ "$(wc -l <errors)" -eq 1 ] || problem "ulimit -v $limit MiB: $*: said $(cat errors)"
    fi
}

for limit in 90 150 300 360 400 450 500 560 600 640 700; do
    rm -rf s
    within "$limit" infer --version
    within "$limit" infer info r/stage1.h5
    within "$limit" infer sample --run r --steps 2 --count 2 --quiet --out x.h5
    within "$limit" train --stage 1 --config tiny.yaml --run s --quiet
    within "$limit" train --stage 2 --loss sn --config tiny.yaml --init r/stage1.h5 --run s --quiet \
        --set stage2.solver=exact --set stage2.images=64
done

# Where there is enough, nothing is refused; where there is not for one array, it is named.
for command in "infer sample --run r --steps 2 --count 2 --quiet --out x.h5" \
    "train --stage 2 --loss sn --config tiny.yaml --init r/stage1.h5 --run t --quiet --set stage2.solver=exact --set stage2.images=64"; do
    # shellcheck disable=SC2086 # words
    OPENBLAS_NUM_THREADS=2 within 1500 $command
    [ $status -eq 0 ] || problem "ulimit -v 1500 MiB: $command: $(cat errors)"
done
within 700 train --stage 1 --config tiny.yaml --run u --quiet --set data.resolution=256 --set stage1.batch=64
[ $status -eq 1 ] || problem "a network of gigabytes: exit status $status"

exit $result
