#!/bin/sh
# tests/run.sh itself, on scripts that stand for tests. They run side by side and get one line each.
# The output of a failure is shown whole. Skipped checks are counted. A stop leaves no process and
# no file behind.

root=$PWD
. tests/script.sh
mkdir tmp
TMPDIR=$directory/tmp
export TMPDIR

# stands_for NAME: a test of that name, read from stdin.
stands_for() {
    cat >"$1.sh"
}

# runs STATUS TEST...: the runner ends so; what it says is in `printed`.
runs() {
    expected=$1
    shift
    bash "$root/tests/run.sh" "$@" >printed 2>&1
    status=$?
    [ $status -eq "$expected" ] || problem "$*: exit status $status, expected $expected: $(cat printed)"
}

says() {
    grep -q -e "$1" printed || problem "expected \"$1\" in: $(cat printed)"
}

nothing_left() {
    [ -z "$(ls tmp)" ] || problem "left in TMPDIR: $(ls tmp)"
}

# Each of these two waits for the other, which two that run one after another can't.
for pair in "one two" "two one"; do
    stands_for "${pair% *}" <<END
touch "$directory/${pair% *}"
tries=0
until [ -e "$directory/${pair#* }" ]; do
    sleep 0.05
    tries=\$((tries + 1))
    [ \$tries -lt 600 ] || exit 1
done
END
done
export JOBS=2
runs 0 one.sh two.sh
says "^ok    cli/one.sh  *[0-9]* s$"
says "^ok    cli/two.sh "
says "^all passed: 2$"
nothing_left

# As many as JOBS says, never more.
stands_for alone <<END
mkdir "$directory/lock" || exit 1
sleep 0.1
rmdir "$directory/lock"
END
cp alone.sh alone2.sh
JOBS=1
runs 0 alone.sh alone2.sh
JOBS=0
runs 2 alone.sh
says "JOBS: expected a number"
JOBS=2

# A program that this machine can't run is given to what can.
echo "a program of another processor" >program
runs 1 program
export EMULATOR="cat"
runs 0 program
unset EMULATOR
says "^ok    a program of another processor$"
rm -rf tmp/*

# A failure is shown whole, with its files; the others run all the same.
stands_for fails <<'END'
echo "the first line"
echo "the last line" >&2
echo x >"$TMPDIR/kept"
kill -SEGV $$
END
stands_for skips <<'END'
echo "skip: wings"
echo "skip: a tail"
echo "skip: wings"
END
runs 1 fails.sh one.sh skips.sh
says "^FAIL  fails.sh (exit status 139)$"
says "^      | the first line$"
says "^      | the last line$"
says "^ok    cli/one.sh"
says "^skip  cli/skips.sh: 1 check needs a tail$"
says "^skip  cli/skips.sh: 2 checks need wings$"
says "^skipped: 3 checks$"
says "^  fails.sh$"
kept=$(sed -n 's/^      its files: //p' printed)
[ "$(cat "$kept/kept")" = x ] || problem "the files of the failure are not in \"$kept\": $(cat printed)"
rm -r tmp/*

# Stopped: all that tests have started ends, asleep, stopped or deaf.
stands_for asleep <<END
sleep 1000 &
kill -STOP \$!
echo \$! >>"$directory/pids"
wait
END
stands_for deaf <<END
trap '' HUP INT TERM
sleep 1000 &
echo \$\$ \$! >>"$directory/pids"
wait
END
for signal in TERM:143 HUP:129; do
    : >pids
    bash "$root/tests/run.sh" deaf.sh asleep.sh one.sh >printed 2>&1 &
    child=$!
    tries=0
    until [ "$(wc -w <pids)" -eq 3 ] || [ $tries -eq 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -s "${signal%:*}" $child
    wait $child
    status=$?
    [ $status -eq "${signal#*:}" ] || problem "$signal: exit status $status: $(cat printed)"
    for process in $(xargs <pids); do
        # A zombie only waits to be asked how it ended.
        state=$(sed -n 's/^State:[^A-Z]*\([A-Z]\).*/\1/p' "/proc/$process/status" 2>/dev/null)
        case $state in
        '' | Z | X) ;;
        *) problem "$signal: process $process is alive: $(ps -o stat=,args= -p "$process")" ;;
        esac
    done
    nothing_left
done
exit $result
