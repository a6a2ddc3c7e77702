#!/bin/sh
# `infer compare` as a user types it: the errors, the files that appear, a page that is one file
# with all figures in it, and the results that a second run takes from the first. (Charts:
# tests/test_plot.c.)

. tests/script.sh

# fails TEXT ARGUMENT...: `infer compare ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer compare "$@"
}

# compares ARGUMENT...: `infer compare ARGUMENT...` does. Numbers depend on how many threads there are
# (docs/reproducibility.md), so whatever is compared with its tables has one thread too.
compares() {
    works infer compare --threads 1 "$@"
}

# notes COUNT TEXT: the last command's stderr has so many lines with TEXT.
notes() {
    found=$(grep -c -e "$2" errors)
    [ "$found" -eq "$1" ] || problem "expected $1 lines with \"$2\" in: $(cat errors)"
}

# count COUNT TEXT FILE: TEXT stands in the file so many times.
count() {
    found=$(grep -o -e "$2" "$3" | wc -l)
    [ "$found" -eq "$1" ] || problem "$3: \"$2\" $found times, expected $1"
}

# picture TITLE FILE PAGE: what the page shows under this title is the file.
picture() {
    grep -o "alt=\"$1\" src=\"data:image/[^\"]*" "$3" | sed 's/.*base64,//' |
        base64 -d >shown
    cmp shown "$2" || problem "the page does not show $2"
}

# shows DIRECTORY CELLS [METRIC TITLE MOST]: the page's table of bounds, or of a metric of which most is best (1) or not (0),
# has that many numbers, all of them those of the CSV.
shows() {
    if [ $# -eq 2 ]; then
        found=$(awk -v column=bits_per_dim -v group=trajectory -v usual=linear \
            -f "$tests/compare_page.awk" "$1/nll.csv" "$1/compare.html")
    else
        found=$(awk -v column=value -v group=sampler -v usual=ddpm -v metric="$3" -v title="$4" -v most="$5" \
            -f "$tests/compare_page.awk" "$1/quality.csv" "$1/compare.html")
    fi
    [ "$found" = "$2 compared" ] || problem "$1/compare.html, table of ${3:-bounds}: $found"
}

# inception_weights CHARACTER FILE: weights for Inception, every number of which has this character as its four bytes. "<"
# is 0.0115, and "=" 0.0462.
inception_weights() {
    awk -f "$tests/inception_weights.awk" >header 2>bytes
    length=$(wc -c <header)
    {
        printf '%b' "\\0$(printf '%03o' $((length % 256)))\\0$(printf '%03o' $((length / 256)))\\0\\0\\0\\0\\0\\0"
        cat header
        head -c "$(cat bytes)" /dev/zero | tr '\0' "$1"
    } >"$2"
}

tiny_run r npr,sn

# -- Refused before any work
fails "missing: there is no such run directory" --run missing
fails "--checkpoint: expected --run DIR" --checkpoint r/stage1.h5
fails "infer analytic --run r makes it" --run r --variance analytic
fails "--steps: a trajectory has from 1 to 100 steps, not 101" --run r --steps 101,10
fails "--samples: expected 0, or at least 10, got 5" --run r --samples 5
fails "--images: expected an integer from 1" --run r --images 0
fails "r/stage1.h5: is there and is no directory" --run r --out r/stage1.h5
fails "no/such/place: cannot be made" --run r --out no/such/place
fails '--features: expected classifier or inception=FILE, got "vgg"' --run r --features vgg
fails "--features inception: the images of the mixture are no pictures" --run r --features inception=no.pth
for option in "--krylov 3" "--probes 3" --dense; do
    # shellcheck disable=SC2086 # an option and its value
    fails "--krylov, --probes, --dense: expected full in --variance" --run r --variance npr $option
done
fails "--dense: computes the whole Jacobian" --run r --variance full --dense --krylov 3
[ ! -e r/compare ] || problem "r/compare was made"

# -- Everything
compares --run r --variance beta,beta_tilde,npr,sn --steps 3,2 --images 3 --samples 20
page=r/compare/compare.html
grep -q "^$page: written$" printed || problem "expected the page's path in: $(cat printed)"
for figure in nll nll-seconds frechet frechet-seconds kid precision recall sliced calibration; do
    for kind in svg png csv; do
        [ -s r/compare/figure-$figure.$kind ] || problem "no figure-$figure.$kind"
    done
done
for file in nll.csv nll-calibration.csv nll.h5 quality.csv quality.h5 samples.png samples.txt \
    costs.csv figure-sigma.png figure-sigma.csv; do
    [ -s r/compare/$file ] || problem "no $file"
done
notes 0 reuses

# Its curves are those of the tables, from left to right.
[ "$(head -n 1 r/compare/figure-nll.csv)" = "series,x,y,stderr" ] || problem "figure-nll.csv has no names"
[ "$(sed -n 's/^npr,\([0-9]*\),.*/\1/p' r/compare/figure-nll.csv | xargs)" = "2 3" ] ||
    problem "figure-nll.csv: $(cat r/compare/figure-nll.csv)"
value=$(sed -n 's/^npr,linear,3,\([^,]*\),.*/\1/p' r/compare/nll.csv)
grep -q "^npr,3,$value," r/compare/figure-nll.csv || problem "figure-nll.csv has no $value"
[ "$(wc -l <r/compare/figure-sigma.csv)" -eq 6 ] || problem "figure-sigma.csv: expected 5 timesteps"
[ "$(wc -l <r/compare/costs.csv)" -eq 5 ] || problem "costs.csv: expected 4 variances"
grep -q "^beta,,[0-9.e-]*,1,16,1,f32,[0-9a-f]*,1,0,,$" r/compare/costs.csv || problem "costs.csv: $(cat r/compare/costs.csv)"
# A head has 1 -> 16 features of 3x3 and a bias, and saw 4 steps of 4 images.
grep -q "^npr,npr,[0-9.e-]*,[0-9.]*,16,1,f32,[0-9a-f]*,1,177,16,[0-9.e-]*$" r/compare/costs.csv ||
    problem "costs.csv: $(cat r/compare/costs.csv)"
# Over seconds: the same values, at K times the seconds of a step.
awk -F, 'FNR == 1 { file++; next } file == 1 { if ($1 == "npr") step = $3; next }
    file == 2 { if ($1 == "npr") { x[++n] = $2; y[n] = $3 } next }
    $1 == "npr" { k++; off = $2 / (x[k] * step) - 1; if (off > 1e-4 || off < -1e-4 || $3 != y[k]) bad = 1 }
    END { exit !(n == 2 && k == 2 && !bad) }' r/compare/costs.csv r/compare/figure-nll.csv r/compare/figure-nll-seconds.csv ||
    problem "over seconds: $(cat r/compare/costs.csv r/compare/figure-nll.csv r/compare/figure-nll-seconds.csv)"

# The page is one file: no address of another, all pictures within.
count 0 "://" $page
count 0 "href=" $page
count 9 "<picture>" $page
count 11 "<img " $page
count 10 "<table>" $page
count 1 "</html>" $page
count 9 "<tr><th>npr</th>" $page # of bits/dim, 5 metrics, calibration twice, costs
name=$(sed -n 's/.*,\(cnn64-[0-9a-f]*\),.*/\1/p' r/compare/quality.csv | head -n 1)
count 1 "classifier $name, which is right about" $page
picture "Bound on bits per dimension over K, linear" r/compare/figure-nll.svg $page
for column in mean_square mean_fourth; do
    tenth=$(awk -F, -v name="${column}_3" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        $1 == "npr" { sum += $at; n++ } END { printf "%.3g", sum / n }' r/compare/nll-calibration.csv)
    row='s/^<tr><th>npr<.th>\(<td>[^<]*<.td>\)\{2\}<td>\([^<]*\).*/\2/p'
    sed -n "/<th>tenth</,/<.table>/ $row" $page | grep -qxF "$tenth" ||
        problem "npr, third tenth, $column: expected $tenth in: $(sed -n '/<th>tenth</,/<.table>/p' $page)"
done
picture "frechet over K, ddpm" r/compare/figure-frechet.svg $page
picture "Samples of every variance and number of steps, ddpm" r/compare/samples.png $page
picture "Maps of sigma by npr and sn" r/compare/figure-sigma.png $page

# -- The same again: all of it serves, and the page is the same but for ids that the drawings have
cp r/compare/figure-nll.csv first.csv
cp r/compare/costs.csv costs.csv
compares --run r --variance beta,beta_tilde,npr,sn --steps 2,3
notes 4 "^infer: note: reuses r/compare/"
notes 4 ""
cmp r/compare/figure-nll.csv first.csv || problem "two equal runs differ"
cmp r/compare/costs.csv costs.csv || problem "the costs have changed"
works infer compare --threads 2 --run r --variance npr --steps 3 --samples 0
notes 0 "reuses r/compare/costs.csv" # of one thread
works infer compare --threads 2 --run r --variance npr --steps 3 --samples 0
notes 1 "reuses r/compare/costs.csv"
sed 's/,f32,/,bf16,/' r/compare/costs.csv >bf16.csv
cp bf16.csv r/compare/costs.csv
works infer compare --threads 2 --run r --variance npr --steps 3 --samples 0
notes 0 "reuses r/compare/costs.csv" # of another precision
compares --run r --variance beta,beta_tilde,npr,sn --steps 3 --samples 0
compares --run r --variance npr --steps 3 --quiet
[ -z "$(cat printed errors)" ] || problem "--quiet, but: $(cat printed errors)"

# -- What is not there, not what is asked, damaged, or of another network, is measured again
compares --run r --variance beta,beta_tilde,npr,sn --steps 2,3 --images 4
notes 1 "reuses r/compare/quality.csv"
notes 0 "reuses r/compare/nll.csv"
compares --run r --variance npr,sn --steps 2 --samples 30
notes 1 "reuses r/compare/nll.csv"
notes 0 "reuses r/compare/quality.csv"
echo "variance,steps" >>r/compare/nll.csv
compares --run r --variance npr,sn --steps 2
notes 0 "reuses r/compare/nll.csv"
awk 'BEGIN { for (i = 0; i < 300000; i++) printf ","; for (i = 0; i < 300000; i++) print "" }' >r/compare/nll.csv
fails_with 2 "r/compare/nll.csv: is a text that begins with" infer compare --threads 1 --run r --variance npr,sn --steps 2
rm r/compare/nll.csv
compares --run r --variance npr,sn --steps 2
notes 0 "reuses r/compare/nll.csv"
cut -d, -f1-6 r/compare/nll-calibration.csv >older # without tenths
cp older r/compare/nll-calibration.csv
compares --run r --variance npr,sn --steps 2
notes 0 "reuses r/compare/nll.csv"
touch r/*.h5
compares --run r --variance npr,sn --steps 2 --samples 0
notes 3 reuses # a checkpoint may be younger, if it is the same
mkdir other
cp r/stage1.h5 other
train --config tiny.yaml --run other --quiet --stage 2 --loss npr,sn --seed 9 || problem "train --stage 2 failed"
touch -d "1 day ago" other/*.h5
cp -p other/stage2-npr+sn.h5 r
compares --run r --variance npr,sn --steps 2 --samples 0
notes 0 reuses # other heads, however old
count 1 "Left out: --samples 0 was asked for" $page
compares --run r --variance npr,sn --steps 2 --samples 0 --fresh
notes 0 reuses

# -- Other trajectories and samplers: in groups of the same tables, with charts and pictures of their own
compares --run r --variance beta,beta_tilde,npr,sn --steps 2,3 --images 3 --samples 20 --out both
compares --run r --variance beta,beta_tilde,npr,sn --steps 2,3 --images 3 --samples 20 \
    --trajectory linear,quad --sampler ddpm,ddim --out both
notes 2 reuses # what is of the first alone is not enough
notes 1 "reuses both/samples.png"
notes 1 "reuses both/costs.csv"
page=both/compare.html
for figure in nll nll-quad nll-quad-seconds frechet frechet-ddim frechet-ddim-seconds kid-ddim precision-ddim recall-ddim sliced-ddim; do
    [ -s both/figure-$figure.svg ] || problem "no figure-$figure.svg"
done
count 17 "<picture>" $page
count 10 "<table>" $page
count 20 "<img " $page
count 1 "trajectory linear</th>" $page
count 1 "trajectory quad</th>" $page
count 5 "sampler ddpm</th>" $page
count 5 "sampler ddim</th>" $page
count 10 "<tr><th>beta</th>" $page       # ddim has none: bounds twice, 5 metrics, calibration twice, costs
count 13 "<tr><th>beta_tilde</th>" $page
count 5 "<tr><th>real images</th>" $page
value=$(sed -n 's/^npr,quad,3,\([^,]*\),.*/\1/p' both/nll.csv)
grep -q "^npr,3,$value," both/figure-nll-quad.csv || problem "figure-nll-quad.csv has no $value"
value=$(sed -n 's/^sn,ddim,linear,2,frechet,\([^,]*\),.*/\1/p' both/quality.csv)
grep -q "^sn,2,$value," both/figure-frechet-ddim.csv || problem "figure-frechet-ddim.csv has no $value"
grep -q "^beta," both/figure-frechet-ddim.csv && problem "figure-frechet-ddim.csv has beta"
shows both 16
shows both 16 frechet "Fréchet distance" 0
shows both 16 kid "Kernel distance" 0
shows both 16 precision "Precision" 1
shows both 16 recall "Recall" 1
shows both 16 sliced "Sliced" 0
picture "Samples of every variance and number of steps, ddpm" both/samples.png $page
picture "Samples of every variance and number of steps, ddim" both/samples-ddim.png $page
cmp -s both/samples.png both/samples-ddim.png && problem "both samplers have the same samples"
compares --run r --variance beta,beta_tilde,npr,sn --steps 2,3 --trajectory quad --sampler ddim --out both
notes 4 "^infer: note: reuses both/"
notes 4 ""
count 7 "<tr><th>beta_tilde</th>" $page
count 0 "trajectory quad</th>" $page
count 1 "test images; DDPM on the trajectory quad" $page

# -- Bounds on the best timesteps are of those that were found last, and the search is the run's
compares --run r --variance npr --trajectory dp --steps 3 --samples 0 --images 2 --out best
compares --run r --variance npr --trajectory dp --steps 3 --samples 0 --images 2 --out best
notes 1 "reuses best/nll.csv"
works infer nll --run r --threads 1 --variance npr --trajectory dp --steps 3 --images 2 --dp-images 2 --out n.csv
compares --run r --variance npr --trajectory dp --steps 3 --samples 0 --images 2 --out best
value=$(sed -n 's/^npr,dp,3,\([^,]*\),.*/\1/p' n.csv)
grep -q "^npr,dp,3,$value," best/nll.csv || problem "expected $value in: $(cat best/nll.csv)"

# -- Stopped: what was measured stays, and the same command goes on
begins ^bound: infer compare --run r --steps 3 --samples 10 --images 10000 --threads 1 --out stopped
kill -INT "$child"
goes_on
[ $status -eq 130 ] || problem "SIGINT: exit status $status"
tail -n 1 errors | grep -q "^infer: stopped by SIGINT; what was measured is kept in stopped, and the same command goes on$" ||
    problem "SIGINT: said: $(cat errors)"

# -- A table of one metric is not the quality
infer quality --run r --variance npr --steps 2 --samples 20 --metrics sliced --quiet || problem "infer quality failed"
compares --run r --variance npr --steps 2 --samples 20 --images 2 --out one
notes 0 "reuses r/quality.csv"
count 1 "<h3>Fréchet distance" one/compare.html
rm r/quality.*

# -- Other estimates of Cov: under their own names, and not from tables of the plain ones
cp -R both floor
compares --run r --variance beta_tilde,npr,sn --steps 2,3 --images 3 --samples 20 --cov-floor 0.1 --out floor
page=floor/compare.html
notes 1 "reuses" # the costs
notes 1 "reuses floor/costs.csv"
count 9 "<tr><th>npr-floor0.1</th>" $page
shows floor 6
shows floor 8 frechet "Fréchet distance" 0
count 0 "<tr><th>npr</th>" $page
count 7 "<tr><th>beta_tilde</th>" $page
value=$(sed -n 's/^npr-floor0.1,linear,3,\([^,]*\),.*/\1/p' floor/nll.csv)
grep -q "^npr-floor0.1,3,$value," floor/figure-nll.csv || problem "figure-nll.csv has no $value"
grep -q "^sn-floor0.1," floor/figure-calibration.csv || problem "figure-calibration.csv has no sn-floor0.1"
cmp -s both/samples.png floor/samples.png && problem "a floor leaves the samples as they are"
cmp -s both/figure-sigma.png floor/figure-sigma.png && problem "a floor leaves the maps as they are"
compares --run r --variance beta_tilde,npr,sn --steps 2,3 --cov-floor 0.1 --out floor
notes 4 "^infer: note: reuses floor/"

# -- A list of floors: a row for each where it changes an estimate, with the numbers of runs with a single one
compares --run r --variance beta,npr --steps 2 --images 3 --samples 20 --cov-floor 0,0.1 --out floors
page=floors/compare.html
count 9 "<tr><th>npr</th>" $page
count 9 "<tr><th>npr-floor0.1</th>" $page
count 0 "beta-floor" $page
for table in nll quality nll-calibration; do
    for row in both/$table.csv:npr floor/$table.csv:npr-floor0.1; do
        grep "^${row#*:},\(linear,2,\|ddpm,linear,2,\|[0-9]\)" "${row%:*}" | grep -v ",quad,\|,ddim," | sort >alone
        grep "^${row#*:}," floors/$table.csv | sort >listed
        [ -s listed ] || problem "floors/$table.csv has no ${row#*:}"
        [ -z "$(comm -13 alone listed)" ] || problem "floors/$table.csv: not as alone: $(cat listed alone)"
    done
done
[ "$(grep -c "^npr" floors/costs.csv)" -eq 1 ] || problem "costs.csv: $(cat floors/costs.csv)"
grep -q "^npr-floor0.1,2," floors/figure-nll.csv || problem "figure-nll.csv: $(cat floors/figure-nll.csv)"
cp floors/samples.png first.png
compares --run r --variance beta,npr --steps 2 --images 3 --samples 20 --cov-floor 0,0.1 --out floors
notes 4 "^infer: note: reuses floors/"
compares --run r --variance beta,npr --steps 2 --images 3 --samples 20 --cov-floor 0,0.2 --out floors
notes 1 "reuses floors/" # the costs
cmp -s floors/samples.png first.png && problem "another floor leaves the samples as they are"
fails "--cov-floor: expected a number from 0 to 1, got \"2\"" --run r --cov-floor 0,2
fails "--cov-floor: 0.1 is given twice" --run r --cov-floor 0.1,0.1

# -- Other options of estimates
page=floor/compare.html
compares --run r --variance npr,sn --steps 2 --images 3 --samples 0 --average-cov --cov-scale 0.5 --out floor
notes 0 "reuses floor/nll.csv"
count 4 "<tr><th>npr-average-x0.5</th>" $page
shows floor 2
compares --run r --variance npr,sn --steps 2 --images 3 --samples 0 --cov-scale 0 --out floor
sed 's/base64,[^"]*//g' $page | grep -q "nan" && problem "the correlation of maps without any sigma is nan on the page"

fails "--sampler: ddim has none of these variances" --run r --variance beta --sampler ddpm,ddim
fails "--sampler: expected ddpm or ddim, got \"other\"" --run r --sampler other
fails "--trajectory: expected linear, quad or dp" --run r --trajectory other

# -- Tables of the run serve as well; what has no labels, or no heads, goes without
infer nll --run r --steps 2,4 --images 2 --quiet || problem "infer nll failed"
compares --run r --variance npr,sn --steps 2 --samples 0 # compare's own serves, and the run's goes first
notes 1 "reuses r/nll.csv"
compares --run r --steps 4 --samples 0 --out elsewhere
notes 1 "reuses r/nll.csv and r/nll-calibration.csv"
[ ! -e elsewhere/nll.csv ] || problem "elsewhere/nll.csv was made"
[ -s elsewhere/compare.html ] || problem "no elsewhere/compare.html"
for option in "--clip-cov off" "--clip-pixel 2" "--seed 7" "--split train" "--precision bf16"; do
    # shellcheck disable=SC2086 # an option and its value
    infer nll --run r --steps 2,4 --images 2 --quiet $option 2>errors || {
        grep -q "bf16 needs a processor" errors || problem "infer nll $option: $(cat errors)"
        skips "bf16, which is AVX-512"
        continue
    }
    compares --run r --steps 4 --samples 0 --images 2 --out elsewhere
    notes 0 "reuses r/nll.csv"
done
compares --run r --steps 4 --samples 0 --images 2 --seed 7 --out elsewhere
notes 0 "reuses r/nll.csv"
notes 0 "reuses elsewhere/nll.csv"
rm -r elsewhere
infer quality --run r --steps 2,4 --samples 20 --clip-pixel 3 --quiet || problem "infer quality failed"
compares --run r --steps 4 --samples 20 --images 2 --out elsewhere
notes 0 "reuses r/quality.csv"
infer quality --run r --steps 2,4 --samples 20 --quiet || problem "infer quality failed"
rm -r elsewhere
compares --run r --steps 4 --samples 20 --images 2 --out elsewhere
notes 1 "reuses r/quality.csv"

# -- The variance full: rows, numbers and costs are those of its options, and a table with others does not serve
compares --run r --variance npr,full --krylov 3 --probes 1 --steps 2 --images 2 --samples 10 --out full
count 7 "<tr><th>full-krylov3</th>" full/compare.html # bounds, 5 metrics, costs
grep -q "^full,,.*,16,1,f32,[0-9a-f]*,16,0,,$" full/costs.csv || problem "1 + 5 * 3 passes: $(cat full/costs.csv)"
works infer nll --run r --threads 1 --variance npr,full --krylov 3 --probes 1 --steps 2 --images 2 --out n.csv
cmp n.csv full/nll.csv || problem "full/nll.csv has other numbers than infer nll"
works infer quality --run r --threads 1 --variance full --krylov 3 --steps 2 --samples 10 --metrics sliced --out q.csv
value=$(sed -n 's/^full-krylov3,ddpm,linear,2,sliced,\([^,]*\),.*/\1/p' q.csv)
grep -q "^full-krylov3,ddpm,linear,2,sliced,$value," full/quality.csv || problem "expected $value in: $(cat full/quality.csv)"
compares --run r --variance npr,full --krylov 3 --probes 1 --steps 2 --out full
notes 4 "^infer: note: reuses full/"
compares --run r --variance npr,full --krylov 3 --probes 3 --steps 2 --images 2 --out full
notes 3 "^infer: note: reuses full/"
notes 0 "reuses full/nll.csv"
compares --run r --variance npr,full --krylov 2 --probes 3 --steps 2 --images 2 --samples 10 --out full
notes 0 "^infer: note: reuses"
count 7 "<tr><th>full-krylov2</th>" full/compare.html
compares --run r --variance npr,full --dense --steps 2 --images 2 --samples 10 --out full # samples have no such matrix
count 1 "<tr><th>full-dense</th>" full/compare.html
count 6 "<tr><th>full</th>" full/compare.html
works infer nll --run r --threads 1 --variance npr,full --dense --steps 2 --images 2 --out n.csv
cmp n.csv full/nll.csv || problem "full/nll.csv has other numbers than infer nll --dense"
compares --run r --variance npr,full --dense --steps 2 --out full
notes 4 "^infer: note: reuses full/"
compares --run r --variance npr,full --steps 2 --images 2 --out full
notes 3 "^infer: note: reuses full/"
notes 0 "reuses full/nll.csv"
tiny_run large "" --set data.resolution=34
fails "--dense: expected images of at most 1024 elements" --run large --variance beta,full --dense --steps 2
[ ! -e large/compare ] || problem "large/compare was made"

# pictures COUNT FILE: an IDX file of so many, at most 255, of 8 x 8 pixels.
pictures() {
    header="\\0000\\0000\\0010\\0003\\0000\\0000\\0000\\0$(printf '%03o' "$1")"
    printf '%b' "$header\\0000\\0000\\0000\\0010\\0000\\0000\\0000\\0010" >"$2"
    dd if=/dev/urandom bs=64 count="$1" >>"$2" 2>dd.log
}
pictures 20 pictures
sed "s|format: mixture|format: idx, train: $directory/pictures, test: $directory/pictures|; s/tiny/idx/" \
    tiny.yaml >idx.yaml
trained idx.yaml idx ""
compares --run idx --steps 2 --samples 10 --images 2
notes 1 "leaves out the quality of samples: .*its labels are not known"
count 1 "Left out: .*its labels are not known" idx/compare/compare.html
count 1 "Left out: no variance of the table reads a head" idx/compare/compare.html

# -- Other images under the same name, and cells that would become a part of the page
compares --run idx --steps 2 --samples 0 --images 2
notes 1 "reuses idx/compare/nll.csv"
pictures 20 pictures
compares --run idx --steps 2 --samples 0 --images 2
notes 0 "reuses idx/compare/nll.csv"
sed 's/^beta,[^,]*,/beta,<b>bold<\/b>,/' idx/compare/costs.csv >costs.csv
cp costs.csv idx/compare/costs.csv
compares --run idx --steps 2 --samples 0 --images 2
notes 0 "reuses idx/compare/costs.csv"
count 0 "<b>bold" idx/compare/compare.html

# -- Inception's features: the page says FID, and neither a classifier's table serves nor one of other weights
fails "no.pth: no such file; the weights are weights-inception-2015-12-05-6726825d.pth of https://" \
    --run idx --steps 2 --samples 10 --features inception=no.pth --out fid
[ ! -e fid ] || problem "fid was made"
compares --run idx --steps 2 --samples 0 --images 2 --features inception=no.pth # which is not read
{
    printf '\000\000\010\001\000\000\000\024'
    for _ in 1 2 3 4 5; do printf '\000\001\001\002'; done
} >labels
works infer quality --run idx --threads 1 --variance beta --steps 2 --samples 10 --train-labels labels --test-labels labels \
    --classifier-steps 2
inception_weights '<' weights
compares --run idx --variance beta --steps 2 --samples 10 --images 2 --features inception=weights --out fid
notes 0 "reuses idx/quality.csv"
page=fid/compare.html
name=$(sed -n 's/^beta,.*,frechet,[0-9.e-]*,[0-9.e-]*,10,10,\(inception-[0-9a-f]*\),$/\1/p' fid/quality.csv)
[ -n "$name" ] || problem "expected Inception's name in: $(cat fid/quality.csv)"
count 1 "10 samples of each kind against 10 held-out images. Features are the pool features of $name, Inception-v3" $page
count 1 "are FIDs at these numbers of images, .* with published ones only at equal numbers" $page
count 0 "classifier" $page
compares --run idx --variance beta --steps 2 --samples 10 --features inception=weights --out fid
notes 1 "reuses fid/quality.csv"
inception_weights '=' weights
compares --run idx --variance beta --steps 2 --samples 10 --features inception=weights --out fid
notes 0 "reuses fid/quality.csv"
grep -q "$name" fid/quality.csv && problem "other weights have the same name: $(cat fid/quality.csv)"
rm idx/quality.csv weights
compares --run idx --variance beta --steps 2 --samples 10 --out fid
notes 0 "reuses fid/quality.csv"
count 1 "classifier cnn64-[0-9a-f]*, which is right about" $page

# -- A test set of fewer images than the usual number is enough, unless a number is asked for
pictures 5 five
sed "s|format: mixture|format: idx, train: $directory/pictures, test: $directory/five|; s/tiny/few/" tiny.yaml >few.yaml
trained few.yaml few npr,sn,nll
compares --run few --steps 2 --samples 0
grep -q "^npr,linear,2,.*,5$" few/compare/nll.csv || problem "expected 5 images in: $(cat few/compare/nll.csv)"

# -- Maps of sigma: every head that the rows read, in their order. A head has the same numbers whatever is beside it.
# sigma_column NAME DIRECTORY: that column of its figure-sigma.csv, rounded to five digits.
sigma_column() {
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next }
        { printf "%.5g ", $at }' "$2/figure-sigma.csv"
}
page=few/compare/compare.html
picture "Maps of sigma by sn, npr and nll" few/compare/figure-sigma.png $page
expected=t,largest_sigma,mean_sigma_sn,mean_sigma_npr,mean_sigma_nll
expected=$expected,rms_difference_npr,correlation_npr,rms_difference_nll,correlation_nll
[ "$(head -n 1 few/compare/figure-sigma.csv)" = $expected ] ||
    problem "figure-sigma.csv begins with $(head -n 1 few/compare/figure-sigma.csv)"
count 1 "<th>mean σ, nll</th><th>rms of npr − sn</th><th>correlation of npr, sn</th><th>rms of nll − sn</th>" $page
# The page and the file round the same numbers, the page to a unit of the third or the fourth digit.
for column in 3 5 7 8; do # means of sn and nll, the correlation of npr, the difference of nll
    stored=$(awk -F, -v at=$column 'NR == 4 { print $at }' few/compare/figure-sigma.csv)
    grep -o "^<tr><th>50</th>.*" $page | tr '<' '\n' | sed -n 's/^td>\(-*[0-9.]*\)$/\1/p' |
        awk -v stored="$stored" -v at=$column '
            { off = $1 - stored; unit = at == 7 ? 0.001 : 0.0001; found += off * off <= (0.51 * unit) ^ 2 }
            END { exit !found }' ||
        problem "the page does not show $stored: $(grep "^<tr><th>50</th>" $page)"
done
compares --run few --variance nll,beta,sn --steps 2 --samples 0 --out two
picture "Maps of sigma by nll and sn" two/figure-sigma.png two/compare.html
count 1 "The difference of both is grey" two/compare.html
for column in mean_sigma_sn mean_sigma_nll; do
    [ "$(sigma_column $column two)" = "$(sigma_column $column few/compare)" ] || problem "$column differs with other heads beside it"
done
for column in rms_difference correlation; do # a to b as b to a
    [ "$(sigma_column ${column}_sn two)" = "$(sigma_column ${column}_nll few/compare)" ] || problem "$column is not symmetric"
done
compares --run few --variance nll --steps 2 --samples 0 --out two
picture "Maps of sigma by nll" two/figure-sigma.png two/compare.html
[ "$(head -n 1 two/figure-sigma.csv)" = t,largest_sigma,mean_sigma_nll ] || problem "figure-sigma.csv: $(cat two/figure-sigma.csv)"
# -- NPR with its best floor stands beside nll without being asked for, in bounds, of the same pass
count 4 "<tr><th>npr-floor0.03</th>" $page # bounds, calibration twice, costs
count 1 "npr-floor0.03 is npr with its best floor" $page
grep -q "sn-floor" $page && problem "sn has a floor"
for floor in 0 0.03; do
    works infer nll --run few --threads 1 --variance npr --cov-floor $floor --steps 2 --images 5 --out alone.csv
    for table in .csv -calibration.csv; do
        sed 1d alone$table >alone
        [ -s alone ] || problem "no alone$table"
        grep -v -x -F -f few/compare/nll$table alone >missing && problem "compare/nll$table has other numbers than $(cat missing)"
    done
done
compares --run few --steps 2 --samples 0
notes 1 "reuses few/compare/nll.csv"
compares --run few --variance npr,nll --steps 2 --samples 0 --average-cov --images 2 --out asked
grep -q "floor" asked/nll.csv && problem "a floor of one number per image"
infer nll --run few --threads 1 --steps 2 --images 2 --quiet || problem "infer nll failed"
compares --run few --steps 2 --samples 0 --out asked # a table of the run serves without this row
notes 1 "reuses few/nll.csv"
count 0 "<tr><th>npr-floor0.03</th>" asked/compare.html
count 1 "The stored table has no npr-floor0.03" asked/compare.html
compares --run few --variance npr,nll --steps 2 --samples 0 --images 2 --cov-floor 0,0.03 --out asked
notes 0 "reuses few/nll.csv"
count 4 "<tr><th>npr-floor0.03</th>" asked/compare.html
compares --run few --variance npr,nll --steps 2 --samples 0 --images 2 --cov-floor 0 --out asked
notes 1 "reuses few/nll.csv"
rm few/nll.csv few/nll-calibration.csv few/nll.h5

fails "--images: expected at most 5" --run few --steps 2 --samples 0 --images 6

# -- The network is opened once, and lent to the other commands: a note of its opening comes once
train --config few.yaml --run few --quiet --stage 2 --loss sn || problem "train failed"
compares --run few --variance sn,npr --steps 2 --images 2 --samples 0 --out lent
notes 1 "takes the sn head of .*, which is newer"
exit $result
