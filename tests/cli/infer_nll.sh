#!/bin/sh
# `infer nll`, `infer truth` and `infer sample --trajectory dp`, as a user types them: the errors
# that are found before any work, the files that appear, the reuse of stored best trajectories, and
# a sweep that is stopped. (The numbers: tests/test_bound.c and tests/test_nll.c.)

golden=$PWD/tests/golden/golden_a.h5
. tests/script.sh
# gms and full have no bounds. hybrid.sh has learned, infer_jacobian.sh has ocm.
variances=$(all_variances | sed "s/ gms//; s/ full//; s/ learned//; s/ ocm//")
all=$(echo "$variances" | wc -w)
unmeasured=$(echo "$variances" | tr ' ' '\n' | grep -c -v '^analytic') # they need no constants of infer analytic
[ "$all" -ge 7 ] || problem "infer sample --help explains these variances: $variances"

# fails TEXT ARGUMENT...: `infer ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer "$@"
}

# silent: the last command, with --quiet, was.
silent() {
    [ -z "$(cat printed errors)" ] || problem "--quiet, but: $(cat printed errors)"
}

# rows COUNT FILE [TEXT]: so many of its lines, without the first, begin with TEXT.
rows() {
    found=$(tail -n +2 "$2" | grep -c "^${3-}")
    [ "$found" -eq "$1" ] || problem "$2: $found rows of \"${3-}\", expected $1"
}

header() {
    [ "$(head -n 1 "$2")" = "$1" ] || problem "$2: begins with $(head -n 1 "$2")"
}

# same FILE FILE
same() {
    cmp "$1" "$2" >difference 2>&1 || problem "$(cat difference)"
}

# searched, or not: whether the last command has looked for best trajectories.
searched() {
    grep -q "^steps:" errors || problem "$1: expected a search: $(cat errors)"
}
not_searched() {
    ! grep -q "^steps:" errors || problem "$1: searched again: $(cat errors)"
}

tiny_run r npr,sn,nll

# -- Refused before any work
state=$(cksum r/*)
fails 'expected linear, quad or dp, got "cubic"' nll --run r --trajectory cubic
fails "--trajectory: dp is given twice" nll --run r --trajectory dp,dp
fails "--clip-cov off: expected on" nll --run r --clip-cov off --trajectory dp
fails "--steps: a trajectory has from 1 to 100 steps, not 101" nll --run r --steps 101
fails "not 101" nll --run r --trajectory dp --steps 5,101
fails "expected it without --split train" nll --run r --split train --input x.h5
fails "the variance true is known where data.format is mixture" \
    nll --checkpoint "$golden" --variance true
fails "data.format is mixture" truth --checkpoint "$golden"
fails "--timesteps" truth --run r --timesteps 101
fails "--out: expected a name that ends in .csv" nll --run r --out r/stage1.h5
fails "r/stage1.h5: is a checkpoint" nll --run r --out r/stage1.csv # nll.h5 would be there
fails "--out: expected a name that ends in .csv" truth --run r --out r/stage1.h5
fails "--images: expected at most 10000, which the mixture has, got 100000" \
    nll --run r --images 100000
fails "--dp-images: the mixture has 60000 images" \
    nll --run r --trajectory dp --dp-images 100000
fails "infer nll --trajectory dp --variance sn --run r makes it" \
    sample --run r --trajectory dp --variance sn --steps 5 --out x.png
fails "infer nll --trajectory dp --variance sn --checkpoint r/stage2-nll+npr+sn.h5 makes it" \
    sample --checkpoint r/stage2-nll+npr+sn.h5 --trajectory dp --variance sn --steps 5 --out x.png
[ "$(cksum r/*)" = "$state" ] || problem "a refused command changed the run"
[ "$(echo *.h5 *.csv *.png)" = "*.h5 *.csv *.png" ] || problem "a refused command wrote: $(ls)"

# -- The defaults, with every variance there is
works infer nll --quiet --run r --steps 2 --images 3
silent
rows "$unmeasured" r/nll.csv
works infer analytic --quiet --run r --images 3 --timesteps 2
works infer nll --run r
for variance in $variances; do
    case $variance in
    beta_tilde) tables=1 timesteps=0 ;; # no calibration
    *) tables=5 timesteps=100 ;;
    esac
    [ "$(grep -c "^$variance " printed)" -eq $tables ] ||
        problem "$variance: expected in $tables tables: $(cat printed)"
    rows 4 r/nll.csv "$variance,linear,"
    rows $timesteps r/nll-calibration.csv "$variance,"
done
grep -q "^bits per dimension of 100 test images" printed || problem "said: $(cat printed)"
grep -q "^calibration: " printed || problem "expected the calibration in: $(cat printed)"
share=$(sed -n '/^share of elements/,$ s/^sn .* //p' printed) # at the last timestep, 100
zero=$(sed -n 's/^sn,100,[^,]*,[^,]*,\([^,]*\),.*/\1/p' r/nll-calibration.csv)
[ "$share" = "$(printf %.3g "$zero")" ] || problem "sn at zero: $share, in the CSV $zero"
[ "$zero" != 0 ] || problem "sn has no element at zero: expected many"
grep -q "r/nll.csv, r/nll-calibration.csv, r/nll.h5: written" printed ||
    problem "said: $(cat printed)"
header variance,trajectory,steps,bits_per_dim,stderr,images r/nll.csv
tenths=
for column in mean_square mean_fourth; do
    for k in 1 2 3 4 5 6 7 8 9 10; do tenths=$tenths,${column}_$k; done
done
header "variance,t,mean_square,stderr,floored,ratio$tenths" r/nll-calibration.csv
# The mean of the tenths is that of all elements. The screen shows means over timesteps.
awk -F, 'NR > 1 { sum = 0; for (k = 7; k <= 16; k++) sum += $k / 10; off = sum / $3 - 1; if (off * off > 1e-6) exit 1 }' \
    r/nll-calibration.csv || problem "the mean of tenths is not that of all: $(cat r/nll-calibration.csv)"
tenth=$(awk -F, '$1 == "npr" { sum += $7; n++ } END { print sum / n }' r/nll-calibration.csv)
shown=$(sed -n '/^calibration by tenths/,$ s/^npr  *\([^ ]*\).*/\1/p' printed | head -n 1)
awk "BEGIN { off = $shown / $tenth - 1; exit !(off * off < 1e-4) }" ||
    problem "the first tenth of npr: $shown, in the CSV $tenth"
rows $((4 * all)) r/nll.csv
rows $((100 * (all - 1))) r/nll-calibration.csv # beta_tilde has none
[ "$(grep -c ',\(10\|25\|50\|100\),[0-9.]*,[0-9.e-]*,100$' r/nll.csv)" -eq $((4 * all)) ] ||
    problem "r/nll.csv: $(cat r/nll.csv)"
[ "$(head -c 4 r/nll.h5 | tail -c 3)" = HDF ] || problem "r/nll.h5 is not HDF5"
for name in true linear_25 timesteps terms terms_stderr bits_per_dim_each; do
    grep -q "$name" r/nll.h5 || problem "r/nll.h5 has no $name"
done

# -- Elsewhere, and nowhere
state=$(cksum r/*)
works infer nll --run r --trajectory linear,quad --steps 1,5 --images 3 --out here.csv
rows $((4 * all)) here.csv
rows $((2 * all)) here.csv ".*,quad,"
rows $((2 * all)) here.csv ".*,1,"
[ -s here.h5 ] || problem "no here.h5"
[ "$(grep -c "^bits per dimension of 3 test images" printed)" -eq 2 ] ||
    problem "expected a table for each trajectory in: $(cat printed)"
works infer nll --run r --steps 1 --images 1 --variance sn --out one.csv
rows 1 one.csv "sn,linear,1,[0-9.]*,nan,1$"
here=$(echo *)
works infer nll --checkpoint r/stage2-nll+npr+sn.h5 --steps 5 --images 3
grep -q "^true " printed || problem "expected a table in: $(cat printed)"
! grep -q "written" printed || problem "said: $(cat printed)"
[ "$(echo *)" = "$here" ] || problem "--checkpoint without --out wrote: $(ls)"
[ "$(cksum r/*)" = "$state" ] || problem "results that go elsewhere changed the run"
works infer nll --run r --average-cov --steps 3 --images 3 --out average.csv
[ "$(tail -n +2 average.csv | cut -d, -f1 | xargs)" = \
    "$(for variance in $variances; do
        case $variance in
        sn | npr | nll*) echo "$variance-average" ;;
        *) echo "$variance" ;;
        esac
    done | xargs)" ] ||
    problem "--average-cov: $(cat average.csv)"
rows 3 average-calibration.csv "sn-average,"
grep -q "^npr-average " printed || problem "expected npr-average in: $(cat printed)"

# Nothing of an estimate is beta_tilde; analytic, all of whose pixels have one number, is half its Cov.
scaled() {
    works infer nll --run r --cov-scale "$1" --steps 3 --images 3 --out scaled.csv
}
scaled 0
rows 1 scaled.csv "beta,"
for variance in analytic sn npr true; do
    [ "$(sed -n "s/^$variance-x0,//p" scaled.csv)" = "$(sed -n 's/^beta_tilde,//p' scaled.csv)" ] ||
        problem "nothing of $variance is not beta_tilde: $(cat scaled.csv)"
done
rows 0 scaled-calibration.csv "sn-x0," # as of beta_tilde, which has no calibration
! grep -q inf printed || problem "--cov-scale 0: $(cat printed)"
scaled 0.5
rows 1 scaled.csv "sn-x0.5,"
mv scaled-calibration.csv half.csv
scaled 1
visited=$(sed -n 's/^analytic,\([0-9]*\),.*/\1/p' scaled-calibration.csv)
[ "$(echo "$visited" | wc -l)" -eq 3 ] || problem "expected three timesteps: $(cat scaled-calibration.csv)"
for t in $visited; do
    half=$(grep "^analytic-x0.5,$t," half.csv | cut -d, -f6)
    whole=$(grep "^analytic,$t," scaled-calibration.csv | cut -d, -f6)
    awk "BEGIN { exit !($half / $whole > 1.9999 && $half / $whole < 2.0001) }" ||
        problem "analytic's ratio at $t: half of it $half, the whole $whole"
done

# A floor leaves no pixel of a head at zero, where without it there are many; what has one number, or is none's
# estimate, stays as it is.
works infer nll --run r --cov-floor 0.1 --steps 3 --images 3 --out floor.csv
zeros() { # at t = 1 the mean itself is hardly more than rounding to grey levels, which counts as zero
    awk -F, -v v="$1" '$1 == v && $2 > 1 { n++; sum += $5 } END { print (n ? (sum > 0) : "none") }' "$2"
}
head -n 1 floor-calibration.csv | grep -q "^variance,t,[^,]*,[^,]*,floored," ||
    problem "expected floored fifth in: $(head -n 1 floor-calibration.csv)"
for variance in sn npr; do
    [ "$(zeros $variance scaled-calibration.csv)" = 1 ] || problem "$variance has no pixel at zero"
    [ "$(zeros $variance-floor0.1 floor-calibration.csv)" = 0 ] ||
        problem "$variance has pixels below the floor: $(cat floor-calibration.csv)"
done
for variance in beta beta_tilde analytic; do
    [ "$(grep "^$variance," floor.csv)" = "$(grep "^$variance," scaled.csv)" ] ||
        problem "$variance has a floor: $(cat floor.csv)"
done

# -- How far from the exact variance
works infer truth --run r --timesteps 3 --images 20 --out t.csv
header variance,t,cov,mean_error,rms,bias,images,s,kl t.csv
rows $((3 * all)) t.csv
for variance in $variances; do
    [ "$(grep "^$variance," t.csv | cut -d, -f2 | xargs)" = "1 50 100" ] ||
        problem "$variance: expected three rows in: $(cat t.csv)"
    grep -q " $variance\( \|$\)" printed || problem "expected $variance in: $(cat printed)"
done
[ "$(cut -d, -f7 t.csv | sort -u | xargs)" = "20 images" ] || problem "expected 20 images in: $(cat t.csv)"
[ "$(cut -d, -f2,8 t.csv | sort -u | xargs)" = "1,1 100,50 50,1 t,s" ] || problem "expected other steps in: $(cat t.csv)"
[ "$(grep -c ",1,$" t.csv)" -eq "$all" ] || problem "t = 1 has a step in: $(cat t.csv)"
[ "$(grep -c "^ *[0-9]" printed)" -eq 5 ] || problem "expected three rows and two in: $(cat printed)"
works infer truth --quiet --run r --variance npr,sn --average-cov --timesteps 1 --images 3 --out t.csv
silent
[ "$(tail -n +2 t.csv | cut -d, -f1 | xargs)" = "npr-average sn-average" ] ||
    problem "--average-cov: $(cat t.csv)"
works infer truth --quiet --run r --variance npr --cov-scale 0 --timesteps 2 --images 3 --out t.csv
[ "$(grep ^npr-x0 t.csv | cut -d, -f6 | xargs)" = "-1 -1" ] ||
    problem "nothing is less than Cov by all of it: $(cat t.csv)"
[ "$(cksum r/*)" = "$state" ] || problem "infer truth changed the run"

# -- The best trajectories: no other is better on the images that they were found on
cp -R r without
works infer nll --run r --trajectory linear,dp --steps 1,5,10 --split train --images 100
searched "the first time"
for variance in $variances; do
    [ -s "r/dp-$variance.h5" ] || problem "no r/dp-$variance.h5"
done
rows $((6 * all)) r/nll.csv
grep -q "^bits per dimension of 100 training images.*; dp trajectory" printed ||
    problem "expected the table of dp in: $(cat printed)"
# (With one step both go from N to 0 at once, but the decoder of dp is another. Nothing is more than nan.)
awk -F, 'NR > 1 { bits[$1, $2, $3] = $4; variance[$1]; steps[$3] }
    END {
        for (v in variance)
            for (k in steps) {
                linear = bits[v, "linear", k]
                dp = bits[v, "dp", k]
                if (dp !~ /^[0-9]/ || linear !~ /^[0-9]/ || dp > linear * (1 + 1e-6))
                    print v " with " k " steps: linear " linear ", dp " dp
            }
    }' r/nll.csv >worse
[ ! -s worse ] || problem "$(cat worse)"

# They are kept, and serve for other images, steps and commands.
state=$(cksum r/dp-*.h5)
works infer nll --run r --trajectory linear,dp --steps 1,5,10 --split train --images 100 --out again.csv
not_searched "a second time"
same r/nll.csv again.csv
works infer nll --run r --trajectory dp --steps 7 --images 3 --dp-images 100 --out again.csv
not_searched "--dp-images as they are"
works infer nll --checkpoint r/stage2-nll+npr+sn.h5 --trajectory dp --steps 7 --images 3
not_searched "beside the checkpoint"
[ "$(cksum r/dp-*.h5)" = "$state" ] || problem "a second run changed the files of dp"
works infer sample --quiet --run r --trajectory dp --variance sn --steps 5 --count 2 --out dp.h5
# exact, the former name of true, is still read.
works infer sample --quiet --run r --trajectory dp --variance beta,exact --steps 1,100 --count 1 \
    --out dp.png
[ -s dp.png ] || problem "no dp.png"
fails "not 101" sample --run r --trajectory dp --variance sn --steps 101 --out x.h5

# The mean of a head has trajectories of its own.
fails "infer nll --trajectory dp --variance sn --run r --average-cov makes it" \
    sample --run r --trajectory dp --variance sn --average-cov --steps 5 --out x.h5
works infer nll --run r --trajectory dp --variance sn --average-cov --steps 5 --images 3 --dp-images 3 \
    --out again.csv
searched "--average-cov"
rows 1 again.csv "sn-average,dp,5,"
works infer sample --quiet --run r --trajectory dp --variance sn --average-cov --steps 5 --count 1 \
    --out dp.h5

works infer nll --run r --trajectory dp --variance sn --cov-floor 0.1 --cov-scale 0.5 --steps 5 --images 3 \
    --dp-images 3 --out again.csv
searched "--cov-floor and --cov-scale"
rows 1 again.csv "sn-floor0.1-x0.5,dp,5,"
[ -s r/dp-sn-floor0.1-x0.5.h5 ] || problem "expected r/dp-sn-floor0.1-x0.5.h5 in: $(ls r)"
fails "infer nll --trajectory dp --variance sn --run r --cov-scale 0.5 makes it" \
    sample --run r --trajectory dp --variance sn --cov-scale 0.5 --steps 5 --out x.h5
fails "infer nll --trajectory dp --variance npr --run r --cov-floor 0.1 --cov-scale 0.5 makes it" \
    sample --run r --trajectory dp --variance npr --cov-floor 0.1 --cov-scale 0.5 --steps 5 --out x.h5

# Asked for anew, or from other images, they are found anew.
cp -R r copy
works infer nll --run copy --trajectory dp --variance beta --steps 5 --images 3 --fresh
searched "--fresh"
same r/dp-beta.h5 copy/dp-beta.h5
for option in "--dp-images 5" "--seed 9"; do
    # shellcheck disable=SC2086 # an option and its value
    works infer nll --run copy --trajectory dp --variance beta --steps 5 --images 3 $option
    searched "$option"
    ! cmp -s r/dp-beta.h5 copy/dp-beta.h5 || problem "$option: the same trajectories"
    # shellcheck disable=SC2086
    works infer nll --run copy --trajectory dp --variance beta --steps 5 --images 3 $option
    not_searched "$option again"
done

# Those of another network are refused, and replaced by the command that is named.
tiny_run other sn --seed 9
works infer nll --quiet --run other --trajectory dp --variance sn --steps 5 --images 3 --dp-images 3
cp other/dp-sn.h5 copy/dp-sn.h5
fails "copy/dp-sn.h5: is of another network; infer nll --trajectory dp --variance sn --run copy" \
    sample --run copy --trajectory dp --variance sn --steps 5 --out x.h5
works infer nll --run copy --trajectory dp --variance sn --images 3
searched "another network"
works infer sample --quiet --run copy --trajectory dp --variance sn --steps 5 --count 1 --out dp.h5
same r/dp-sn.h5 copy/dp-sn.h5

# What has such a name by mistake stays, whatever is asked for.
for file in tiny.yaml r/stage1.h5; do
    cp "$file" copy/dp-sn.h5
    fails "copy/dp-sn.h5: " nll --run copy --trajectory dp --variance sn --images 3
    fails "copy/dp-sn.h5: " nll --run copy --trajectory dp --variance sn --images 3 --fresh
    fails "copy/dp-sn.h5: " sample --run copy --trajectory dp --variance sn --steps 5 --out x.h5
    same "$file" copy/dp-sn.h5
done

# -- Stopped

# start WHAT ARGUMENT...: `infer nll ARGUMENT...` in the background, until it says how far WHAT is.
start() {
    what=$1
    shift
    : >errors
    infer nll "$@" >printed 2>errors &
    child=$!
    tries=0
    until grep -q "^$what:" errors || [ $tries -eq 1000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# interrupt SIGNAL STATUS: `start` ends so, and has one line to say about it.
interrupt() {
    kill "-$1" $child
    wait $child
    status=$?
    [ $status -eq "$2" ] || problem "SIG$1: exit status $status, said: $(cat errors)"
    [ "$(grep "^infer: " errors | grep -vc "^infer: note: ")" -eq 1 ] || problem "SIG$1: said: $(cat errors)"
    tail -n 1 errors | grep -q "^infer: .*stopped by SIG$1" || problem "SIG$1: said: $(cat errors)"
    [ ! -s printed ] || problem "SIG$1, but printed: $(cat printed)"
}

# half SIGNAL STATUS FILE WHAT ARGUMENT...: stopped when some timesteps are done but not all, and
# FILE is there to go on with, from $timestep. (On a slow machine that can take several attempts.)
half() {
    signal=$1 expected=$2 file=$3
    shift 3
    attempt=0 timestep=100
    while [ "$timestep" = 100 ] && [ $attempt -lt 10 ]; do
        start "$@"
        sleep 0.3
        interrupt "$signal" "$expected"
        timestep=$(sed -n 's/.*; the same command goes on from t = \([0-9]*\) .*/\1/p' errors)
        tail -n 1 errors | grep -q -F "the same command goes on from t = $timestep ($file)" ||
            problem "SIG$signal: said: $(cat errors)"
        [ -s "$file" ] || problem "SIG$signal: no $file"
        attempt=$((attempt + 1))
    done
    [ "${timestep:-100}" -lt 100 ] || problem "stopped $attempt times, never under way"
}

# went_on FILE: the last command did, and has no more need of FILE.
went_on() {
    grep -q -F "goes on from t = $timestep ($1)" errors || problem "expected t in: $(cat errors)"
    [ ! -e "$1" ] || problem "$1 is still there"
}

# begins_anew ARGUMENT...: `infer nll ARGUMENT...` makes no use of the unfinished file.
begins_anew() {
    start bound "$@"
    interrupt TERM 143
    ! grep -q "^goes on" errors || problem "infer nll $*: goes on: $(cat errors)"
}

rm -rf r
mv without r
rm r/nll*
sweep="--threads 1 --variance beta,sn --steps 100"
# shellcheck disable=SC2086 # several options, here and below
works infer nll --run r $sweep --images 400 --out whole.csv
# shellcheck disable=SC2086
works infer nll --run r $sweep --images 3 --out small.csv

# shellcheck disable=SC2086
half TERM 143 r/nll.unfinished.h5 bound --run r $sweep --images 400
[ ! -e r/nll.csv ] || problem "stopped, but there is a table"
cp r/nll.unfinished.h5 kept
# shellcheck disable=SC2086
works infer nll --run r $sweep --images 400
went_on r/nll.unfinished.h5
same r/nll.csv whole.csv
same r/nll-calibration.csv whole-calibration.csv
same r/nll.h5 whole.h5

# Of another table, or not wanted: it is not used, and does no harm.
cp kept r/nll.unfinished.h5
rm -f r/nll.csv
# shellcheck disable=SC2086
works infer nll --run r $sweep --images 3
! grep -q "goes on" errors || problem "another table: goes on: $(cat errors)"
same r/nll.csv small.csv
[ ! -e r/nll.unfinished.h5 ] || problem "another table: r/nll.unfinished.h5 is still there"

# The same number of variances is not the same variances.
cp kept r/nll.unfinished.h5
# shellcheck disable=SC2086
begins_anew --run r $sweep --variance beta_tilde,sn --images 400

# What is no such file, be it a damaged one, stays.
size=$(wc -c <kept)
for damage in "head -c $((size / 2))" "head -c 100" "tail -c 1000"; do
    $damage kept >damaged
    case $damage in
    head*) what="an HDF5 file that can't be read" ;;
    *) what="a file that varhead has not written" ;;
    esac
    cp damaged r/nll.unfinished.h5
    # shellcheck disable=SC2086
    fails "r/nll.unfinished.h5: is $what, which would be lost" nll --run r $sweep --images 3
    same damaged r/nll.unfinished.h5
done
cp damaged r/nll.h5
rm r/nll.unfinished.h5
# shellcheck disable=SC2086
fails "r/nll.h5: is $what, which would be lost" nll --run r $sweep --images 3
same damaged r/nll.h5
rm r/nll.h5 damaged
cp kept r/nll.unfinished.h5
# shellcheck disable=SC2086
begins_anew --run r $sweep --images 400 --fresh
cp kept r/nll.unfinished.h5
# shellcheck disable=SC2086
begins_anew --run r $sweep --images 400 --seed 9
for option in "--cov-floor 0.1" "--cov-scale 2" --average-cov; do
    cp kept r/nll.unfinished.h5
    # shellcheck disable=SC2086
    begins_anew --run r $sweep --images 400 $option
done
rm r/nll*

# Where there is no place for results there is none for half of them.
here=$(echo * r/*)
# shellcheck disable=SC2086
begins_anew --checkpoint r/stage2-nll+npr+sn.h5 $sweep --images 400
[ "$(echo * r/*)" = "$here" ] || problem "without --out, but wrote: $(ls . r)"

# The search for trajectories too, and then the bounds.
cp -R r whole
sweep="--threads 1 --variance beta,sn --trajectory dp --steps 5 --dp-images 300 --images 3"
# shellcheck disable=SC2086
works infer nll --run whole $sweep
# shellcheck disable=SC2086
half INT 130 r/dp.unfinished.h5 steps --run r $sweep
for file in nll.csv dp-beta.h5 dp-sn.h5; do
    [ ! -e "r/$file" ] || problem "stopped, but there is r/$file"
done
cp r/dp.unfinished.h5 kept
# shellcheck disable=SC2086
start steps --run r $sweep --cov-floor 0.1
interrupt TERM 143
! grep -q "^goes on" errors || problem "--cov-floor: goes on: $(cat errors)"
cp kept r/dp.unfinished.h5
# shellcheck disable=SC2086
works infer nll --run r $sweep
went_on r/dp.unfinished.h5
for file in nll.csv nll-calibration.csv dp-beta.h5 dp-sn.h5; do
    same "r/$file" "whole/$file"
done

expected="dp-beta.h5 dp-sn.h5 metrics.csv nll-calibration.csv nll.csv nll.h5 stage1.h5 \
stage2-nll+npr+sn.h5"
[ "$(cd r && echo *)" = "$expected" ] || problem "left behind: $(ls r)"
exit $result
