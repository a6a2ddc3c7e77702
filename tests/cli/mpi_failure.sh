#!/bin/sh
# When something fails on one of several processes of mpirun: kill -9, SIGTERM, a full disk. And no process forks.
. tests/script.sh

needs_mpirun train

sh "$tests/reliability/torture_mpi.sh" 2 >torture 2>&1 || problem "$(cat torture)"

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 40}
model: {channels: 8, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0, norm_groups: 4}
stage1: {steps: 1000000, batch: 4}
checkpoint: {every: 3}
END

# three RUN: three processes begin an endless run, which has saved a checkpoint. mpirun is process `child` then, and the
# number of each process is in pid-0 to pid-2.
three() {
    rm -f pid-*
    processes 3 with_number train --config tiny.yaml --run "$1" --stage 1 >printed 2>errors &
    child=$! tries=0
    until [ -e "$1/stage1.h5" ] || [ $tries -eq 1000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# -- SIGTERM to any process saves once ------------------------------------------------------------

for k in 0 2; do
    three stopped$k
    kill -TERM "$(cat pid-$k)"
    wait $child
    status=$?
    [ $status -eq 143 ] || problem "SIGTERM to process $k: exit status $status, expected 143: $(cat errors)"
    [ "$(grep -c '^saved' errors)" -eq 1 ] || problem "SIGTERM to process $k: expected one line \"saved\": $(cat errors)"
    last=$(tail -n 1 stopped$k/metrics.csv | cut -d, -f3)
    grep -q "^saved .*(step $last of" errors || problem "the last row is of step $last: $(cat errors)"
    [ ! -e stopped$k/lock ] || problem "stopped$k/lock stayed"
done

# -- A full disk of the first process ends all with one line --------------------------------------

three full
prlimit --fsize=30000 --pid "$(cat pid-0)"
wait $child
status=$?
[ $status -eq 1 ] || problem "a full disk: exit status $status, expected 1"
[ "$(grep -c '^train: ' errors)" -eq 1 ] || problem "a full disk: expected one line of train: $(cat errors)"
grep -q 'File too large.*the last good checkpoint is full/stage1.h5' errors || problem "a full disk: $(cat errors)"
step=$(sed -n 's/.*the last good checkpoint is .*(step \([0-9]*\)).*/\1/p' errors)
works processes 2 train --config tiny.yaml --run full --stage 1 --set stage1.steps=$((step + 2))
grep -q "continuing full/stage1.h5 at step $step" errors || problem "after a full disk: $(cat errors)"

# -- HDF5 files are tried out in a child by a process alone, and by no process of mpirun ----------

cat >no_fork.c <<'END'
#include <unistd.h>
pid_t fork(void)
{
    (void)!write(2, "forked\n", 7);
    _exit(99);
}
END
if ${CC:-cc} -shared -fPIC no_fork.c -o no_fork.so 2>/dev/null; then
    LD_PRELOAD=$PWD/no_fork.so infer info full/stage1.h5 >printed 2>errors
    grep -q '^forked' errors || problem "a process alone no longer forks, so the next check proves nothing"
    works processes 2 env LD_PRELOAD="$PWD/no_fork.so" infer analytic --run full --images 4 --quiet
    works processes 2 env LD_PRELOAD="$PWD/no_fork.so" train --config tiny.yaml --run full --quiet --stage 1 \
        --set stage1.steps=$((step + 3))
else
    skips "a compiler of libraries"
fi
exit $result
