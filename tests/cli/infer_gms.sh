#!/bin/sh
# The variance gms, as a user types it: it needs two heads, has samples and no bounds, and is a row of the page's samples
# alone. (The numbers: tests/test_gms.c.)

. tests/script.sh

# fails TEXT ARGUMENT...: `infer ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer "$@"
}

tiny_run r sn,gms --set stage2.solver=exact --set stage2.images=64
tiny_run alone sn
fails "the variance gms needs the head gms, and alone has none; train --stage 2 --loss gms makes one" \
    sample --run alone --variance gms --out s.h5
fails "the variance gms has no bound: its noise is a mixture of Gaussians" nll --run r --variance sn,gms --steps 2
fails "the variance gms has no bound" sample --run r --variance gms --trajectory dp --steps 2 --out s.h5
fails "--variance: gms has no bound for the page's first table" compare --run r --variance gms --steps 2
[ ! -e s.h5 ] || problem "s.h5 was written"

works infer sample --run r --variance gms,sn --steps 4 --count 4 --out s/
[ "$(cd s && echo *)" = "gms_4 sn_4" ] || problem "s holds $(cd s && echo *)"
diff -rq s/gms_4 s/sn_4 >same && problem "gms draws what sn draws"
works infer sample --run r --variance gms,sn --steps 2 --count 4 --out ends/
diff -r ends/gms_2 ends/sn_2 || problem "two steps have only Gaussian ends, but gms is not sn there"
works infer sample --run r --variance gms --sampler ddim --steps 4 --count 4 --out ddim/

works infer nll --run r --steps 2 --images 2
grep -q "^gms" r/nll.csv && problem "gms has bounds: $(cat r/nll.csv)"
grep -q "^sn," r/nll.csv || problem "sn has none: $(cat r/nll.csv)"
works infer compare --run r --variance gms,sn --steps 2,4 --samples 20 --images 2
[ "$(grep -c '<th>gms</th>' r/compare/compare.html)" -ge 5 ] || problem "the page has no rows of gms"
grep -q "^gms," r/compare/figure-nll.csv && problem "gms is in the chart of bounds"
grep -q "^gms,2," r/compare/figure-frechet.csv || problem "gms is not in the chart of distances"
works infer truth --run r --timesteps 2 --images 2 --out t.csv
grep -q "leaves out gms" errors || problem "infer truth is silent about gms: $(cat errors)"

exit $result
