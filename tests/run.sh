#!/bin/bash
# Runs test programs and test scripts (*.sh) side by side, as many at once as there are cores, and prints one line for
# each when it ends. All of them run, whatever fails. The output of a test that fails is shown whole, and the failures
# are listed at the end. Run from the root of the repository: `make test`.
#
#     bash tests/run.sh build/tests/test_schedule tests/cli/sample.sh ...
#     JOBS=1 bash tests/run.sh ...        one after another
#
# Each test is a process group of its own, in a scratch directory (TMPDIR) of its own. So no test meets the files of
# another, and a signal to this script ends the tests and all that they have started.
#
# EMULATOR=qemu-aarch64-static runs test programs of another processor.
#
# A line `skip: NEED` on the output of a test says that a check could not run here for want of NEED. Such lines are
# counted and shown.
set -u

# nproc would answer OMP_NUM_THREADS where that is set.
jobs=${JOBS:-$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)}
case $jobs in
'' | *[!0-9]* | 0*)
    echo "tests/run.sh: JOBS: expected a number of tests to run at once, got \"$jobs\"" >&2
    exit 2
    ;;
esac

# Tests share the cores among themselves: two threads each, so that there are threads at all. What is about their number
# sets it by itself.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
# Waiting threads sleep instead of spinning: on a busy machine that is several times faster.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

# The longest, longest first: begun last, one of them would run alone in the end.
longest="test_mixture_training demo.sh infer_nll.sh infer_compare.sh infer_matrix.sh test_train test_faults infer_quality.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/varhead-tests-XXXXXX") || exit 1
chmod 755 "$scratch" # some tests give up the rights of root

declare -A running=() # the number of the test, by process
failed=() started=0 skipped=0

# signal_all SIGNAL: to every test and all that it has started. Whether there was anything to signal.
signal_all() {
    local process alive=1
    for process in "${!running[@]}" ${!:-}; do # the last may not have its place in the list yet
        kill "-$1" -- "-$process" 2>/dev/null && alive=0
    done
    return $alive
}

# end_all STATUS: ends every test, and this script. Some may be stopped, or slow to go.
end_all() {
    trap '' HUP INT TERM
    local tries=0
    signal_all TERM
    signal_all CONT
    while [ $tries -lt 20 ] && signal_all 0; do
        sleep 0.1
        tries=$((tries + 1))
    done
    signal_all KILL
    rm -rf "$scratch"
    exit "$1"
}

trap 'end_all 129' HUP
trap 'end_all 130' INT
trap 'end_all 143' TERM

# start NUMBER: that test, in the background. `set -m` gives it its process group, and leaves SIGINT to it. SIGHUP may
# be ignored here (nohup): a test that sends it expects it not to be.
start() {
    local test=${tests[$1]} place=$scratch/$1
    mkdir -m 755 "$place" "$place/tmp"
    set -m
    {
        export TMPDIR=$place/tmp
        SECONDS=0
        case $test in
        *.sh) env --default-signal=HUP sh "$test" ;;
        *) env --default-signal=HUP ${EMULATOR:+"$EMULATOR"} "$test" ;;
        esac
        echo "$? $SECONDS" >"$place/status"
    } >"$place/output" 2>&1 </dev/null &
    running[$!]=$1
    set +m
}

# await: until a test ends; reports all that have ended.
await() {
    local process
    wait -n
    for process in "${!running[@]}"; do
        if [ -s "$scratch/${running[$process]}/status" ] || ! kill -0 "$process" 2>/dev/null; then
            report "${running[$process]}"
            unset "running[$process]"
        fi
    done
}

# report NUMBER: the lines of that test. The scratch files of one that failed are kept.
report() {
    local test=${tests[$1]} place=$scratch/$1 name status seconds summary
    read -r status seconds <"$place/status" || status=lost seconds=
    # A test program ends with its own summary; a script says nothing that is needed here.
    case $test in
    *.sh) name=cli/${test##*/} summary=$(printf '%-22s %s s' "$name" "$seconds") ;;
    *) name=${test##*/test_} summary=$(tail -n 1 "$place/output") ;;
    esac
    if [ "$status" = 0 ]; then
        printf 'ok    %s\n' "$summary"
        report_skipped "$name" "$place/output"
        rm -rf "$place"
    else
        printf 'FAIL  %s (exit status %s)\n' "$test" "$status"
        sed 's/^/      | /' "$place/output"
        rmdir "$place/tmp" 2>/dev/null || echo "      its files: $place/tmp"
        failed+=("$test")
    fi
}

# report_skipped NAME OUTPUT
report_skipped() {
    local count need
    while read -r count need; do
        if [ "$count" -eq 1 ]; then
            echo "skip  $1: 1 check needs $need"
        else
            echo "skip  $1: $count checks need $need"
        fi
        skipped=$((skipped + count))
    done < <(sed -n 's/^skip: //p' "$2" | sort | uniq -c)
}

# in_order TEST...: the longest first, the others as they were given.
in_order() {
    local test name
    for name in $longest; do
        for test in "$@"; do
            [ "${test##*/}" != "$name" ] || echo "$test"
        done
    done
    for test in "$@"; do
        [[ " $longest " == *" ${test##*/} "* ]] || echo "$test"
    done
}

mapfile -t tests < <(in_order "$@")
while [ $started -lt ${#tests[@]} ]; do
    while [ ${#running[@]} -ge "$jobs" ]; do
        await
    done
    start $started
    started=$((started + 1))
done
while [ ${#running[@]} -gt 0 ]; do
    await
done

[ $skipped -eq 0 ] || echo "skipped: $skipped check$([ $skipped -eq 1 ] || echo s)"
if [ ${#failed[@]} -gt 0 ]; then
    echo
    echo "failed:"
    printf '  %s\n' "${failed[@]}"
    rmdir "$scratch" 2>/dev/null
    exit 1
fi
rm -rf "$scratch"
echo "all passed: $started"
