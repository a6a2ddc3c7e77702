#!/bin/sh
# The variances from the network's Jacobian, as a user types them: ocm, whose head is solved for and trained, and full,
# which must be asked for. (The numbers: tests/test_ocm.c, tests/test_full.c.)

. tests/script.sh

# fails TEXT ARGUMENT...: `infer ARGUMENT...` is wrong input, with TEXT in its one line.
fails() {
    why=$1
    shift
    fails_with 2 "$why" infer "$@"
}

# -- ocm: exact and by Adam, alone and beside others, which stay as they are
tiny_run adam ocm
tiny_run r sn --set stage2.solver=exact --set stage2.images=64
works train --config tiny.yaml --run r --quiet --stage 2 --loss ocm,sn --set stage2.solver=exact --set stage2.images=64
works infer nll --run adam --variance ocm --steps 2 --images 2
works infer nll --run r --variance ocm,sn --steps 2 --images 2
grep -q "^ocm," r/nll.csv || problem "ocm has no bound: $(cat r/nll.csv)"
works infer sample --run r --variance ocm --steps 3 --count 2 --out ocm.png
tiny_run v ocm --set model.predicts=v --set stage2.solver=exact --set stage2.images=64
works infer nll --run v --variance ocm --steps 2 --images 2

# -- full: asked for, with bounds by quadrature or of the whole matrix
works infer nll --run adam --variance full,beta --steps 2,4 --images 3 --krylov 4 --out quadrature.csv
grep -q "^full-krylov4,linear,4," quadrature.csv || problem "full has no bound: $(cat quadrature.csv)"
grep -q "^full-krylov4, linear, 4 steps: .* of the standard error is the quadrature's" printed ||
    problem "the quadrature's error is not said: $(cat printed)"
works infer nll --run adam --variance full --steps 2,4 --images 3 --dense --out dense.csv
grep -q "quadrature" printed && problem "a dense matrix has no quadrature: $(cat printed)"
# The bounds of both differ by what two random vectors and four dimensions are off.
awk -F, '$1 ~ /^full/ && $3 == 4 { value[++n] = $4 } END { exit !(n == 2 && (value[1] - value[2])^2 < 0.2^2 * value[2]^2) }' \
    quadrature.csv dense.csv || problem "quadrature and matrix disagree: $(cat quadrature.csv dense.csv)"
works infer nll --run adam --variance full --steps 2 --images 2 --probes 1 --quiet --out one.csv
works infer nll --run adam --steps 2 --images 2 --out all.csv
grep -q "^full" all.csv && problem "full was not asked for: $(cat all.csv)"
fails "expected full in --variance" nll --run adam --variance ocm --steps 2 --dense
fails "--dense: computes the whole Jacobian" nll --run adam --variance full --steps 2 --dense --probes 3
fails "the variance full takes many passes for a timestep, and dp has no tables of it" \
    nll --run adam --variance full --trajectory dp --steps 2
fails "the variance full takes many passes for a timestep, and dp has no tables of it" \
    sample --run adam --variance full --trajectory dp --steps 2 --out s.h5
tiny_run large "" --set data.resolution=34
fails "--dense: expected images of at most 1024 elements, whose whole Jacobian fits, got 1156" \
    nll --run large --variance full --steps 2 --images 1 --dense
fails "--krylov: expected an integer from 1" sample --run adam --variance full --krylov 0 --out s.h5
works infer sample --run r --variance full,sn --steps 3 --count 2 --batch 2 --krylov 2 --out s/
[ "$(cd s && echo *)" = "full-krylov2_3 sn_3" ] || problem "s holds $(cd s && echo *)"
works infer sample --run r --variance full --steps 3 --count 2 --krylov 2 --sampler ddim --eps-scale 1.1 --out ddim/
works infer sample --run v --variance full --steps 2 --count 1 --out full-of-v/
works infer quality --run r --steps 2 --samples 10 --resamples 2 --metrics sliced --variance full,sn --out q.csv
grep -q "^full,ddpm,linear,2,sliced" q.csv || problem "full is no row: $(cat q.csv)"
# An unfinished run is continued if it has the same key (quality_store.h). Other Krylov spaces give another key.
# key_of KRYLOV: the key of a run with that option, as far as it tells cells apart.
key_of() {
    works infer quality --run r --steps 2 --samples 10 --resamples 2 --metrics sliced --variance full --krylov "$1" --out key.csv
    grep -a -o "[0-9]* cells, [0-9a-f]*" key.h5
}
[ "$(key_of 10)" = "$(key_of 10)" ] || problem "one run has two keys: $(key_of 10), $(key_of 10)"
[ "$(key_of 10)" != "$(key_of 3)" ] || problem "two Krylov spaces have one key: $(key_of 10)"
works infer quality --run r --steps 2 --samples 10 --resamples 2 --metrics sliced --out q.csv
grep -q "^full" q.csv && problem "full was not asked for: $(cat q.csv)"

exit $result
