#!/bin/sh
# kill -9 of one of four processes of mpirun at instants that are nobody's choice, again and again, while a run trains
# and saves. Each time the run must end with one line at most, and the same command must continue it. At its end it must
# hold, byte for byte, what a run of four processes holds that nobody touched.
#
#     sh tests/reliability/torture_mpi.sh [KILLS]        20 kills unless told
#
# A checkpoint is saved after every second step, and a run has so many steps that half of its time is training, and not
# the beginning of processes. A run begins anew once it has come to its end, until there were as many kills as were asked
# for. The killed process is each of the four in turn.
cd "$(dirname "$0")/../.." || exit 1
. tests/script.sh

kills=${1:-20}
seed=${SEED:-1}
needs_mpirun train

cat >mixture.yaml <<'END'
name: mixture
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.1, norm_groups: 4}
precision: f32
stage1: {batch: 4, lr: 1.0e-3, warmup: 4, steps: 120}
checkpoint: {every: 2, keep: 3}
seed: 5
END

# The `draw`th instant of `seed`: seconds from 0 to $1.
draw=0
instant() {
    awk -v seed="$((1000003 * seed + 7919 * draw))" -v most="$1" 'BEGIN { srand(seed); rand(); printf "%.3f", most * rand() }'
}

# content RUN: without what may differ, the speeds and times of metrics.csv.
content() {
    (cd "$1" && for file in *; do
        case $file in
        metrics.csv) echo "metrics $(cut -d, -f1-6 "$file" | cksum)" ;;
        *) echo "$file $(cksum <"$file")" ;;
        esac
    done)
}

# begin RUN: four processes, whose mpirun is then process `child`; the number of each is in pid-0 to pid-3.
begin() {
    rm -f pid-*
    processes 4 with_number train --config mixture.yaml --threads 1 --quiet --run "$1" --stage 1 >printed 2>errors &
    child=$!
}

# running PROCESS: it has a child that has not ended. Of a system that does not tell children it is assumed.
running() {
    children=$(cat "/proc/$1"/task/*/children 2>/dev/null) || return 0
    for one in $children; do
        case $(sed 's/.*) //' "/proc/$one/stat" 2>/dev/null) in '' | Z*) ;; *) return 0 ;; esac
    done
    return 1
}

# ended: waits for the processes. mpirun of Open MPI 4 may wait for itself for ever when its processes have died
# (PMIx_server_finalize), so it is killed where none runs; its status is that of the killed process then.
ended() {
    (
        sleep 20
        while kill -0 $child 2>/dev/null; do
            running $child || kill -9 $child
            sleep 5
        done
    ) >watched 2>&1 &
    watchdog=$!
    wait $child
    status=$?
    kill $watchdog 2>/dev/null
    return $status
}

now() {
    date +%s.%N
}

before=$(now)
works processes 4 train --config mixture.yaml --threads 1 --quiet --run whole --stage 1
length=$(echo "$(now) $before" | awk '{ print 0.9 * ($1 - $2) }')
content whole >whole.content

# hit: kills one of the processes of `child` at some instant.
hit() {
    draw=$((draw + 1)) tries=0
    until [ -s "pid-$((draw % 4))" ] || [ $tries -eq 1000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    sleep "$(instant "$length")"
    kill -9 "$(cat "pid-$((draw % 4))")" 2>/dev/null
}

killed=0 rounds=0 spoke=0 resumed=0
while [ $result -eq 0 ]; do
    begin hurt
    [ "$killed" -eq "$kills" ] || hit
    ended
    status=$?
    if [ $status -eq 0 ]; then # at its end
        rounds=$((rounds + 1))
        content hurt >hurt.content
        cmp -s hurt.content whole.content || problem "another run: $(diff whole.content hurt.content)"
        [ "$killed" -lt "$kills" ] || break
        rm -rf hurt
        continue
    fi
    killed=$((killed + 1))
    # MPICH's mpirun ends with the number of the signal alone.
    [ $status -eq 137 ] || [ $status -eq 9 ] || problem "exit status $status, expected 137 or 9: $(cat errors)"
    # Open MPI says itself that it can't read the memory of a process that is dead, nor wait for its output, nor reach it.
    theirs='^\[.*\] Read -1, expected |^\[warn\] Epoll |^\[.*\] PMIX ERROR: '
    [ "$(own_lines | grep -vcE "$theirs")" -le 1 ] || problem "expected one line: $(cat errors)"
    spoke=$((spoke + $(grep -c "goes on from what was saved last" errors)))
    [ ! -e hurt/stage1.h5 ] || resumed=$((resumed + 1))
done
echo "$killed kills, $resumed of them after a checkpoint, $spoke with a line about it, in $rounds runs"
exit $result
