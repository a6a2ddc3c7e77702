#!/bin/sh
# The programs ask OpenMP's library to let a waiting thread sleep soon. For that each program
# executes itself once, which must have no other visible effect. (The speed on a busy machine:
# docs/performance.md.)

. tests/script.sh
unset OMP_WAIT_POLICY GOMP_SPINCOUNT KMP_BLOCKTIME KMP_LIBRARY

variables='OMP_WAIT_POLICY|GOMP_SPINCOUNT|KMP_BLOCKTIME|KMP_LIBRARY'
ours="GOMP_SPINCOUNT=10000 OMP_WAIT_POLICY=passive"

# runs_with VARIABLES COMMAND...: a program that trains has these variables, sorted, and no other of theirs.
runs_with() {
    wanted=$1
    shift
    rm -rf r
    begins "^stage1 computes in " "$@"
    found=$(tr '\0' '\n' <"/proc/$child/environ" | grep -E "^($variables)=" | sort | xargs)
    [ "$found" = "$wanted" ] || problem "$*: runs with \"$found\", expected \"$wanted\""
    name=$(cat "/proc/$child/comm")
    words=$(tr '\0' ' ' <"/proc/$child/cmdline")
    blocked=$(sed -n 's/^SigBlk:[[:space:]]*//p' "/proc/$child/status")
    kill -INT "$child"
    goes_on
    [ $status -eq 130 ] || problem "$*: exit status $status after SIGINT: $(cat errors)"
}

tiny_recipe
set -- train --stage 1 --config tiny.yaml --run r --threads 1 --set stage1.steps=100000000

# -- The programs see to it, unless the user has
runs_with "$ours" "$@"
[ "$name" = train ] || problem "the process is called $name"
[ "$words" = "$* " ] || problem "its command line is $words"
for own in OMP_WAIT_POLICY=active OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=7 GOMP_SPINCOUNT= \
    KMP_BLOCKTIME=3 KMP_LIBRARY=turnaround; do
    runs_with "$own" env "$own" "$@"
done

# gcc's library has read it. (clang's reads its variables later, and prints other lines.)
for program in train infer bench; do
    OMP_DISPLAY_ENV=verbose $program --version 2>errors >printed || problem "$program --version: $(cat errors)"
    grep -q GOMP_ errors || continue
    grep GOMP_SPINCOUNT errors | tail -n 1 | grep -q "= '10000'" || # after the one that is there at first
        problem "$program: libgomp says: $(grep GOMP_SPINCOUNT errors)"
    OMP_DISPLAY_ENV=verbose GOMP_SPINCOUNT=7 $program --version 2>errors >printed
    [ "$(grep -c "GOMP_SPINCOUNT = '7'" errors)" -eq 1 ] ||
        problem "$program with GOMP_SPINCOUNT=7: libgomp says: $(grep GOMP_SPINCOUNT errors)"
done

# -- Nothing else changes: blocked signals, closed streams, exit codes, arguments
runs_with "$ours" env --block-signal=USR1 "$@"
[ "$blocked" = 0000000000000200 ] || problem "blocked signals: $blocked"
fails_with 1 "standard output cannot be written" sh -c "exec infer --help >/dev/full"
works sh -c "exec infer --version <&- >&-"
fails_with 2 "unknown option --no such option" train "--no such option"
fails_with 2 "" env -i "$(command -v train)" "" # no environment at all, and an empty argument

# Started by the dynamic linker, whose own command line could not be given again, it just goes on.
for linker in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    [ ! -x $linker ] || works $linker "$(command -v train)" --version
done
exit $result
