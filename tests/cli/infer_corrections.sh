#!/bin/sh
# Corrections of the mean, as a user types them: `--eps-scale` and `--dcw` of `infer sample`, `quality` and `compare` are
# rows of the same tables, a correction that changes nothing changes no bit, and `--tune` finds the best ones.
# (The numbers: tests/test_mean_correction.c.)

. tests/script.sh

# fails TEXT ARGUMENT...: `infer ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer "$@"
}

# says TEXT: the last command printed it.
says() {
    grep -q -e "$1" printed || problem "expected \"$1\" in: $(cat printed)"
}

tiny_run r npr,sn

# -- Refused before any work
sample="sample --run r --steps 3 --count 4 --out s.h5"
# shellcheck disable=SC2086 # words
{
    fails '--eps-scale: expected numbers from 0.5 to 2, got "0"' $sample --eps-scale 1,0
    fails '--eps-scale: expected numbers from 0.5 to 2, got "x"' $sample --eps-scale x
    fails '--eps-scale: 1.0 is given twice' $sample --eps-scale 1,1.0
    fails '--dcw: expected two numbers from -10 to 10' $sample --dcw 0.05
    fails '--dcw: expected two numbers' $sample --dcw 0.05,0.01,0
    fails '--dcw: expected two numbers' $sample --dcw 0.05,99
    fails '--dcw: 0.1,0 is given twice' $sample --dcw 0.1,0 --dcw 0.1,0
}
fails '--tune: makes a distance least; expected frechet, kid or sliced in --metrics' \
    quality --run r --tune eps-scale --metrics recall
fails '--tune: searches from a row without the correction; expected --eps-scale without values, or with 1 among them' \
    quality --run r --variance sn --tune eps-scale --eps-scale 1.02
fails '--tune: searches from a row without the correction; expected --dcw without values, or with 0,0 among them' \
    quality --run r --variance sn --tune dcw --dcw 0.1,0.1
fails '--tune: expected one of nothing|eps-scale|dcw' quality --run r --tune low
[ ! -e s.h5 ] || problem "s.h5 was written"

# -- Samples: rows with names of their own, and the plain row as it was
works infer sample --run r --steps 3 --count 4 --variance sn,npr --out plain/
works infer sample --run r --steps 3 --count 4 --variance sn,npr --out rows/ --eps-scale 1,1.5 --dcw 0,0 --dcw 1,-0.5
says "4 samples of each of 8 kinds"
[ "$(cd rows && LC_ALL=C && export LC_ALL && echo *)" = "npr-eps1.5-low1-high-0.5_3 npr-eps1.5_3 npr-low1-high-0.5_3 npr_3 \
sn-eps1.5-low1-high-0.5_3 sn-eps1.5_3 sn-low1-high-0.5_3 sn_3" ] || problem "rows holds $(ls rows)"
diff -r plain/sn_3 rows/sn_3 || problem "the row without a correction has changed"
for row in sn-eps1.5 sn-low1-high-0.5 sn-eps1.5-low1-high-0.5; do
    diff -rq plain/sn_3 "rows/${row}_3" >same && problem "$row changes nothing"
done
works infer sample --run r --steps 3 --count 4 --variance sn --eps-scale 1.5 --dcw 1,-0.5 --out one/
diff -r one rows/sn-eps1.5-low1-high-0.5_3 || problem "one correction alone is another"
works infer sample --run r --steps 3 --count 4 --variance sn --eps-scale 1.5 --dcw 1,-0.5 --out one.h5
for name in eps_scale dcw_low dcw_high; do
    grep -q -a $name one.h5 || problem "one.h5 has no attribute $name"
done
works infer sample --run r --steps 3 --count 2 --variance sn,npr --eps-scale 1,1.1 --out table.png

# -- Quality: rows, and the best divisor of each row
quality() {
    works infer quality --run r --samples 20 --resamples 4 --metrics sliced --threads 1 "$@"
}
quality --variance beta_tilde,sn --steps 2,3 --eps-scale 1,1.5 --out q.csv
says "^beta_tilde-eps1.5  *[0-9.]* +- "
[ "$(grep -c '^sn-eps1.5,ddpm,linear,[23],sliced' q.csv)" -eq 2 ] || problem "q.csv: $(cat q.csv)"
quality --variance sn --steps 2,3 --dcw 0,0 --dcw 0.1,0 --tune eps-scale --out t.csv
says "^sn-low0.1-tuned  *[0-9.]* +- "
says "^sn-tuned: eps-scale [01]\.[0-9]* (2 steps), [01]\.[0-9]* (3 steps), found on the other held-out images$"
[ "$(wc -l <t.csv)" -eq 10 ] || problem "t.csv: $(cat t.csv)"
cp t.csv first.csv
quality --variance sn --steps 2,3 --dcw 0,0 --dcw 0.1,0 --tune eps-scale --out t.csv
cmp t.csv first.csv || problem "two equal searches differ"
[ "$(grep '^sn,' t.csv)" = "$(grep '^sn,' q.csv)" ] || problem "a search changes the row without one"
quality --variance sn --steps 2,3 --eps-scale 1,1.5 --tune dcw --out d.csv
number='-*[01]\.[0-9][0-9][0-9][0-9]'
says "^sn-eps1.5-tuned  *[0-9.]* +- "
says "^sn-tuned: dcw $number,$number (2 steps), $number,$number (3 steps), found on the other held-out images$"
[ "$(wc -l <d.csv)" -eq 10 ] || problem "d.csv: $(cat d.csv)"
[ "$(grep -c '^sn\(-eps1.5\)*-\(low\|high\)' d.csv)" -eq 4 ] || problem "d.csv has no searched rows: $(cat d.csv)"
cp d.csv first.csv
quality --variance sn --steps 2,3 --eps-scale 1,1.5 --tune dcw --out d.csv
cmp d.csv first.csv || problem "two equal searches of dcw differ"
# A note for each number that lies where its search ends, at -0.4 or 0.4, and for no other.
ends=$(grep -oE '(low|high)-?[0-9.]+' d.csv |
    awk '{ sub(/^[a-z]*/, ""); n += $0 + 0 > 0.384 || $0 + 0 < -0.384 } END { print n + 0 }')
[ "$(grep -c 'is at the end of the search, from -0.4 to 0.4' errors)" -eq "$ends" ] ||
    problem "$ends numbers at the ends of a search, but: $(cat errors)"

# -- The page has the rows of samples, and bounds without them
works infer compare --run r --variance beta_tilde,sn --steps 2,3 --samples 20 --images 2 --eps-scale 1,1.5 --threads 1
grep -q "<th>sn-eps1.5</th>" r/compare/compare.html || problem "the page has no row sn-eps1.5"
[ "$(grep -c '^sn-eps1.5,2,' r/compare/figure-frechet.csv)" -eq 1 ] || problem "$(cat r/compare/figure-frechet.csv)"
[ "$(grep -c 'eps1.5' r/compare/nll.csv)" -eq 0 ] || problem "bounds have a correction: $(cat r/compare/nll.csv)"
works infer compare --run r --variance beta_tilde,sn --steps 2,3 --samples 20 --images 2 --eps-scale 1,1.5 --threads 1
grep -q "reuses r/compare/quality.csv" errors || problem "quality was measured again: $(cat errors)"
grep -q "reuses r/compare/samples.png" errors || problem "samples were drawn again: $(cat errors)"
works infer compare --run r --variance beta_tilde,sn --steps 2,3 --samples 20 --images 2 --threads 1
grep -q "reuses r/compare/samples.png" errors && problem "samples of other corrections were used: $(cat errors)"

exit $result
