#!/bin/sh
# `infer analytic` after `train`, as a user types it: errors that are found before any work, a stop,
# a file that changes meanwhile, a full disk, and training after the constants were added. (The
# numbers: tests/test_analytic.c. The rest of the files: tests/test_analytic_files.c.)

golden=$PWD/tests/golden/golden_a.h5
. tests/script.sh

# fails STATUS TEXT ARGUMENT...: `infer ARGUMENT...` ends so.
fails() {
    as=$1 why=$2
    shift 2
    fails_with "$as" "$why" infer "$@"
}

# has FILE TEXT: `infer info FILE` says TEXT.
has() {
    infer info "$1" >printed 2>errors || problem "infer info $1: $(cat errors)"
    grep -q -F -e "$2" printed || problem "infer info $1: expected \"$2\" in: $(cat printed)"
}

tiny_recipe

# -- Refused before any work
fails 2 "r: there is no such run directory" analytic --run r
mkdir empty
fails 2 "empty: holds no checkpoint" analytic --run empty
fails 2 "missing.h5: no such file" analytic --checkpoint missing.h5
fails 2 "is not an HDF5 file" analytic --checkpoint tiny.yaml
fails 2 "unexpected argument" analytic r
fails 2 "--images: expected an integer from 3 to" analytic --images 2
cp "$golden" a.h5
fails 2 '--data: expected the name of a file' analytic --checkpoint a.h5 \
    --data "$(printf '%05000d' 0)"

tiny_run r sn
state=$(cksum r/*)
for text in 1 101 x 1e2 -5; do
    fails 2 "--timesteps: expected all, or a number from 2 to 100, got \"$text\"" \
        analytic --run r "--timesteps=$text"
done
fails 2 "--images: the mixture has 60000 images, expected at least 60001" \
    analytic --run r --images 60001
fails 2 "none.idx: no such file" analytic --run r --data none.idx
cp tiny.yaml text.h5
fails 2 "text.h5: is not an HDF5 file" analytic --run r --data text.h5
[ "$(cksum r/*)" = "$state" ] || problem "a refused command changed the run"

# Five images, in IDX: the default is then all of them.
{
    printf '\0\0\010\003\0\0\0\005\0\0\0\010\0\0\0\010'
    head -c 320 "$golden"
} >five.idx
fails 2 "--images: five.idx has 5 images, expected at least 6" \
    analytic --run r --data five.idx --images 6
infer analytic --quiet --run r --data five.idx --timesteps 2 >printed 2>&1 ||
    problem "five images: $(cat printed)"
[ ! -s printed ] || problem "--quiet, but: $(cat printed)"
has r/stage1.h5 "stored from 5 images at 2 timesteps"

# The content tells the format, whatever the name.
head -c 272 five.idx >four.h5
printf '\0\0\0\004' | dd of=four.h5 bs=1 seek=4 conv=notrunc status=none
infer analytic --quiet --run r --data four.h5 --timesteps 2 >printed 2>&1 ||
    problem "IDX images in a file called .h5: $(cat printed)"
has r/stage1.h5 "stored from 4 images at 2 timesteps"

# -- A directory that can't be written; root can write everywhere, so as somebody else
state=$(cksum r/*)
chmod 755 . r
chmod 555 r
infer=$(command -v infer)
if [ "$(id -u)" -ne 0 ]; then
    fails 1 "cannot be written: Permission denied" analytic --run r --images 1000000
elif setpriv --reuid=65534 --clear-groups "$infer" --version >printed 2>&1; then
    setpriv --reuid=65534 --clear-groups "$infer" analytic --run r --images 50000 2>errors
    [ $? -eq 1 ] || problem "a directory that can't be written: $(cat errors)"
    grep -q "cannot be written: Permission denied" errors || problem "said: $(cat errors)"
else
    skips "a directory of infer that everybody may read"
fi
chmod 755 r

# A full disk: what is there stays as it was.
(
    ulimit -f 8
    fails 1 "cannot be written" analytic --quiet --run r --images 3 --timesteps 2
    exit $result
) || result=1
[ "$(cksum r/*)" = "$state" ] || problem "a run that can't be written has changed"

# -- Stopped: nothing is written

begins measuring infer analytic --run r --images 60000
kill -TERM "$child"
goes_on
[ $status -eq 143 ] || problem "SIGTERM: exit status $status"
[ ! -s printed ] || problem "stopped, but printed: $(cat printed)"
[ "$(cksum r/*)" = "$state" ] || problem "a stopped command changed the run"

# -- The network changes meanwhile: its constants would not be those that are stored
tiny_run other "" --seed 9
mkdir one
cp r/stage1.h5 one
begins measuring infer analytic --run one --images 100
mv other/stage1.h5 one/stage1.h5
goes_on
[ $status -eq 1 ] || problem "another network: exit status $status"
grep -q "one/stage1.h5: has got another network since" errors || problem "said: $(cat errors)"
has one/stage1.h5 "no E||eps_hat||^2/d"

# -- It works, and says what it has done
fails 2 "infer analytic --run one makes it" \
    sample --run one --variance analytic --steps 2 --out x.png
infer analytic --run r --images 20 >printed 2>errors || problem "infer analytic: $(cat errors)"
[ "$(wc -l <printed)" -eq 14 ] || problem "expected a table of 11 rows in: $(cat printed)"
grep -q "^ *100  *[0-9.]*  *[0-9.]*$" printed || problem "expected t = 100 in: $(cat printed)"
grep -q "r/stage2-sn.h5: stored, from 20 images" printed || problem "said: $(cat printed)"
grep -q "100 %  2000/2000" errors || problem "expected the progress in: $(cat errors)"
has r/stage1.h5 "stored from 20 images: --variance analytic works, analytic_diag too"
infer sample --quiet --run r --variance analytic,analytic_diag,sn --steps 2,5 --count 2 \
    --out x.h5 || problem "samples failed"

# -- Training writes files without constants; those of the same network elsewhere serve
works train --config tiny.yaml --run r --quiet --stage 2 --loss sn --set stage2.steps=8
has r/stage2-sn.h5 "no E||eps_hat||^2/d"
infer sample --quiet --run r --variance analytic --steps 2 --count 1 --out x.h5 ||
    problem "the constants in stage1.h5 were not found"
works train --config tiny.yaml --run r --quiet --stage 1 --set stage1.steps=8
has r/stage1.h5 "no E||eps_hat||^2/d"
fails 2 "infer analytic --run r makes it" sample --quiet --run r --variance analytic --steps 2 \
    --out x.h5

[ "$(cd r && echo *)" = "metrics.csv stage1.h5 stage2-sn.h5" ] || problem "left behind: $(ls r)"
exit $result
