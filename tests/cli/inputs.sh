#!/bin/sh
# Inputs of `train` and `infer` from outside. Some are no files: pipes that nobody writes to, closed
# standard streams, signals. Others are files of another kind than their names say, given by every
# option that names a file.

. tests/script.sh

golden=$tests/golden/golden_a.h5
tiny_run r "" --threads 1
infer sample --run r --steps 2 --count 2 --out wanted.h5 --quiet || problem "cannot sample"

# -- A recipe from a pipe: read when it comes, and one signal ends the waiting
works infer info --run r --config /dev/stdin --quiet <tiny.yaml
works sh -c 'cat tiny.yaml | infer info --run r --config /dev/stdin --quiet'
mkfifo pipe
# ends_by_one SIGNAL COMMAND...: it waits, until one signal; otherwise it is killed later, and the status is 137.
ends_by_one() {
    timeout --preserve-status -k 5 -s "$1" 0.5 sh -c 'shift; exec "$@"' sh "$@" >printed 2>errors
    status=$?
    [ $status -gt 128 ] || problem "$*: did not wait: $status, $(cat errors)"
    [ $status -ne 137 ] || problem "$*: waits on after SIG$1"
    [ ! -s errors ] || problem "$*: said $(cat errors)"
}
for signal in INT TERM HUP; do
    ends_by_one $signal train --stage 1 --config pipe
    ends_by_one $signal infer info --config pipe
done
for command in "sample --out x.h5" nll quality compare "predict --input r/stage1.h5 --output x.h5" analytic truth; do
    # shellcheck disable=SC2086 # words
    ends_by_one TERM infer $command --config pipe --quiet
done
# Where files of a run are expected, a pipe is refused at once.
mv r/metrics.csv rows
mkfifo r/metrics.csv
fails_with 2 "r/metrics.csv: is no regular file" timeout 60 train --stage 1 --config tiny.yaml --run r --set stage1.steps=5
mv rows r/metrics.csv
fails_with 2 "pipe: is no regular file, expected images" timeout 60 infer data pipe
exec 3<>pipe # a writer who never writes
for command in "train --stage 1" "infer info"; do
    # shellcheck disable=SC2086 # two words
    ends_by_one TERM $command --config /dev/stdin <&3
done
exec 3>&-

# -- Closed standard streams: what works does, and what it prints goes nowhere
closed() {
    for streams in '<&-' '>&-' '2>&-' '<&- >&-' '<&- 2>&-' '>&- 2>&-' '<&- >&- 2>&-'; do
        eval "{ $*; } $streams" >>printed 2>>errors || problem "$* $streams: exit status $?"
    done
}
closed infer info r/stage1.h5
closed infer info --verify r/stage1.h5
closed infer --help
closed train --version
closed 'infer sample --run r --steps 2 --count 2 --out out.h5 && cmp wanted.h5 out.h5'
closed 'rm -rf s && train --stage 1 --config tiny.yaml --run s --threads 1 && cmp r/stage1.h5 s/stage1.h5'
closed train --stage 2 --loss sn --config tiny.yaml --run r --threads 1 --fresh
for rest in "nll --steps 2 --images 2 --out n.csv" "analytic --images 8 --timesteps 5" \
    "truth --timesteps 2 --images 2 --out t.csv"; do
    for streams in '>&- 2>&-' '<&- 2>&-' '<&- >&- 2>&-'; do
        eval "infer $rest --run r $streams" >>printed 2>>errors || problem "infer $rest $streams: exit status $?"
    done
done
# What fails does so, too.
for streams in '>&- 2>&-' '<&- >&- 2>&-'; do
    eval "infer info tiny.yaml $streams"
    status=$?
    [ $status -eq 2 ] || problem "infer info tiny.yaml $streams: exit status $status"
done

# -- Signals: what was trained is saved
long="--stage 1 --config tiny.yaml --run long --threads 1 --set stage1.steps=1000000"
# shellcheck disable=SC2086 # words
stops() {
    rm -rf long
    begins "stage1: " "$@" $long
    kill -"$signal" "$child"
    [ -z "${then:-}" ] || kill -"$then" "$child"
    goes_on
    case " $expected " in
    *" $status "*) ;;
    *) problem "SIG$signal: exit status $status, expected $expected" ;;
    esac
    grep -q "^saved long/stage1.h5 (step" errors || problem "SIG$signal: said $(cat errors)"
    [ -f long/stage1.h5 ] || problem "SIG$signal: nothing saved"
}
for pair in HUP:129 USR1:138 USR2:140 XCPU:152 TERM:143; do
    signal=${pair%:*} expected=${pair#*:}
    stops train
done
# A terminal that closes says so twice, by itself and by its shell; a session that ends, SIGTERM and SIGHUP.
# Both wait while the program is stopped, and which of two comes first is the kernel's choice.
signal=HUP expected=129 then=HUP
stops train
signal=TERM expected="143 129" then=HUP
stops train
then=
# Ignored from the start, as under nohup: it goes on.
signal=HUP expected=143 then=TERM
stops sh -c 'trap "" HUP; exec train "$@"' sh
then=
# Who read what it says is gone. (The status in a file: that of a pipe is its last command's.)
rm -rf long
# shellcheck disable=SC2086 # words
{ train $long 2>&1 && : ; echo $? >pipe-status; } | head -n 1 >printed # the second comes after a step
[ "$(cat pipe-status)" = 141 ] || problem "SIGPIPE: exit status $(cat pipe-status)"
[ -f long/stage1.h5 ] || problem "SIGPIPE: nothing saved"
{ infer --help; echo $? >pipe-status; } 2>errors | true
grep -q -x -e 0 -e 141 pipe-status || problem "infer --help | true: exit status $(cat pipe-status)"
[ ! -s errors ] || problem "infer --help | true: said $(cat errors)"
# Nobody reads what it says, and the pipe is full: what is trained is saved all the same, and the end comes.
rm -rf unread
exec 3<>pipe
timeout 1 dd if=/dev/zero bs=4096 of=pipe 2>dd.log
timeout 120 train --stage 1 --config tiny.yaml --run unread --threads 1 2>&3 || problem "a full pipe: exit status $?"
[ -f unread/stage1.h5 ] || problem "a full pipe: nothing saved"
timeout 120 infer sample --run unread --steps 2 --count 2 --out unread.png 2>&3 || problem "a full pipe: infer: exit status $?"
timeout 120 infer info nowhere.h5 2>&3
status=$?
[ $status -eq 2 ] || problem "a full pipe, an error: exit status $status"
exec 3>&-
# A limit on processor time, soft and hard alike, as `ulimit -t` sets it.
rm -rf long
# shellcheck disable=SC2086,SC3045 # words; dash has it
(ulimit -t 4 && exec train $long --quiet) 2>errors
status=$?
[ $status -eq 152 ] || problem "ulimit -t: exit status $status"
[ -f long/stage1.h5 ] || problem "ulimit -t: nothing saved"

# -- Seeds: infer takes what recipes take
largest=18446744073709551615
works train --stage 1 --config tiny.yaml --run seeded --threads 1 --quiet --seed $largest
works infer sample --run seeded --steps 2 --count 2 --out a.h5 --quiet
works infer sample --run seeded --steps 2 --count 2 --out b.h5 --quiet --seed +$largest
works infer sample --run seeded --steps 2 --count 2 --out c.h5 --quiet --seed 9223372036854775808
cmp a.h5 b.h5 || problem "--seed of infer is not that of the recipe"
cmp -s a.h5 c.h5 && problem "another --seed, the same samples"

# -- A web page under any name
printf '<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n' >page.h5
cp page.h5 page
hdf5="--set data.format=hdf5 --set data.test= --run q"
idx="--set data.format=idx --set data.test= --run q"
page="is an HTML page (did the download go wrong?)"
fails_with 2 "page:1: $page, expected a recipe" train --stage 1 --config page
fails_with 2 "page:1: $page, expected a recipe" infer info --config page
# shellcheck disable=SC2086 # words
{
    fails_with 2 "page.h5: $page" train --stage 1 --config tiny.yaml $hdf5 --set data.train=page.h5
    fails_with 2 "page: $page" train --stage 1 --config tiny.yaml $idx --set data.train=page
}
fails_with 2 "page.h5: $page" infer info page.h5
fails_with 2 "page.h5: $page" infer sample --checkpoint page.h5 --out x.h5
fails_with 2 "page.h5: $page" infer predict --checkpoint "$golden" --input page.h5 --output x.h5
fails_with 2 "page.h5: $page" infer sample --checkpoint "$golden" --noise page.h5 --out x.h5
fails_with 2 "page.h5: $page" train --stage 2 --loss sn --config tiny.yaml --init page.h5 --run q
for file in q/stage1.h5 x.h5; do
    [ ! -e $file ] || problem "$file was written all the same"
done

exit $result
