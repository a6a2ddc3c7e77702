#!/bin/sh
# Options of `infer nll`, `truth`, `quality` and `sample` in combination: every pair of their values
# occurs in some call (tests/pairwise.awk). Each call succeeds, with finite numbers in its tables. A
# call with options that exclude each other ends with exit status 2 and one line. No other exit
# status and no signal is allowed.
#
# MATRIX=4 in the environment takes every fourth case alone, because with sanitizers a call is
# several times slower.

. tests/script.sh
every=${MATRIX:-1}

# A smaller network than the others', and few timesteps: a sweep for dp visits all of them.
tiny_recipe
sed -i 's/timesteps: 100/timesteps: 30/; s/channels: 16/channels: 8/' tiny.yaml
tiny_run r npr,sn
works infer analytic --run r --quiet --images 3
{
    printf '\0\0\010\003\0\0\0\005\0\0\0\010\0\0\0\010'
    head -c 320 "$tests/golden/golden_a.h5"
} >five.idx
[ $result -eq 0 ] || exit 1

bf16=yes
if ! infer sample --run r --precision bf16 --steps 1 --count 1 --out one.h5 >printed 2>errors; then
    grep -q "bf16 needs a processor" errors || problem "--precision bf16: $(cat errors)"
    skips "bf16, which is AVX-512"
    bf16=no
fi

# has OPTION: whether it is in the case.
has() {
    case " $case " in *" $1 "*) return 0 ;; esac
    return 1
}

# finite FILE FIRST LAST: these fields of its rows, of which there are some, are numbers.
finite() {
    awk -F, -v first="$2" -v last="$3" 'NR > 1 {
            rows++
            for (i = first; i <= last; i++)
                if ($i !~ /^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$/)
                    print $0 ": field " i
        }
        END { if (!rows) print "has no rows" }' "$1" >bad 2>&1
    [ ! -s bad ] || problem "infer $command $case: $1: $(cat bad)"
}

# run COMMAND FILE: the case, with its output in out/FILE.
run() {
    command=$1
    rm -rf out
    mkdir out
    # shellcheck disable=SC2086 # a list of options
    infer "$command" $case --out "out/$2" >printed 2>errors
    status=$?
}

# ends STATUS: the case has ended so.
ends() {
    [ $status -eq "$1" ] ||
        problem "infer $command $case: exit status $status, expected $1: $(tail -n 5 errors)"
    if [ $status -eq 2 ]; then
        [ "$(wc -l <errors)" -eq 1 ] || problem "infer $command $case: expected one line: $(cat errors)"
        [ ! -s printed ] || problem "infer $command $case: refused, but printed $(cat printed)"
        [ -z "$(ls out)" ] || problem "infer $command $case: refused, but wrote $(ls out)"
    else
        has --clip-cov=off || ! grep -q -w nan printed || problem "infer $command $case: printed $(cat printed)"
    fi
}

# works_out COMMAND FILE: the case does. Where best trajectories are wanted, the command that the refusal names makes
# them, for one variance after another.
works_out() {
    run "$@"
    tries=0
    while [ $status -eq 2 ] && [ $tries -lt 7 ] && grep -q "infer nll .* makes it$" errors; do
        ends 2
        maker=$(sed -n 's/.*; infer \(nll .*\) makes it$/\1/p' errors)
        ! has --precision=bf16 || maker="$maker --precision=bf16"
        # shellcheck disable=SC2086
        infer $maker --steps 1 --images 2 --dp-images 1 --quiet --threads 1 --out made.csv 2>errors || {
            problem "infer $maker: $(cat errors)"
            return 1
        }
        run "$@"
        tries=$((tries + 1))
    done
    if has --precision=bf16; then
        case "$bf16 $case" in
        no* | *=full* | *,full*) # full takes differences, which bfloat16 rounds away
            ends 2
            return 1
            ;;
        esac
    fi
    ends 0
    [ $status -eq 0 ]
}

# cases [LEAST]: from the factors on stdin and those of every command, to the file `cases`; an @ within a value is a blank. Every
# pair of values is in one.
cases() {
    {
        cat
        cat <<END
- --cov-floor=0.1 --cov-floor=1
- --average-cov
--threads=1 --threads=2
- --batch=1
- --seed=3
- --quiet
END
    } >factors
    awk -f "$tests/pairwise.awk" factors >all
    awk 'NR == FNR { for (i = 1; i <= NF; i++) { factor[$i] = NR; count[NR, i] = $i }; values[NR] = NF; n = NR; next }
        {
            for (f = 1; f <= n; f++)
                here[f] = "-"
            for (i = 1; i <= NF; i++)
                here[factor[$i]] = $i
            for (f = 1; f <= n; f++)
                for (g = f + 1; g <= n; g++)
                    seen[f, here[f], g, here[g]]
        }
        END {
            for (f = 1; f <= n; f++)
                for (g = f + 1; g <= n; g++)
                    for (i = 1; i <= values[f]; i++)
                        for (j = 1; j <= values[g]; j++)
                            if (!((f, count[f, i], g, count[g, j]) in seen))
                                print "no case has both " count[f, i] " and " count[g, j]
        }' factors all >missing
    [ ! -s missing ] || problem "$(cat missing)"
    [ "$(wc -l <all)" -ge "${1:-20}" ] || problem "only these cases: $(cat all)"
    awk -v every="$every" 'NR % every == 0' all | tr @ ' ' >cases
}

# -- infer nll
cases <<'END'
--run=r --checkpoint=r/stage2-npr+sn.h5
- --variance=beta --variance=beta_tilde --variance=analytic --variance=analytic_diag --variance=npr --variance=sn --variance=true
- --trajectory=quad --trajectory=dp --trajectory=linear,dp@--clip-cov=on@--clip-pixel=0 --clip-cov=off --trajectory=linear@--clip-pixel=2 --trajectory=quad@--clip-cov=off@--clip-pixel=2
--steps=1 --steps=3 --steps=2,7 --steps=30
- --cov-scale=0 --cov-scale=0.5 --cov-scale=1.2 --cov-scale=2 --cov-scale=1000
- --precision=f32 --precision=bf16
- --split=train
- --data=five.idx
--images=2 --images=3
--dp-images=1 --dp-images=3
- --fresh
END
while read -r case; do
    works_out nll t.csv || continue
    # An estimate of a head that is not clipped may be so negative that there is no variance, and then no bound.
    ! has --clip-cov=off || sed -i 's/^\(sn\|npr\)\(.*\),nan,nan,/\1\2,0,0,/' out/t.csv
    finite out/t.csv 4 6
    # beta_tilde has no calibration, nor has nothing of an estimate, which is beta_tilde.
    case " $case" in
    *" --variance=beta_tilde"*) continue ;;
    *" --variance=beta "*) ;;
    *" --variance="*) ! has --cov-scale=0 || continue ;;
    esac
    # Where a head says of every element that it is known, its Cov on the whole is 0, and the ratio inf.
    sed 's/,1,inf,/,1,0,/' out/t-calibration.csv >out/calibration.csv
    finite out/calibration.csv 3 26
done <cases
# The costs that dp is found from are those of clipped estimates.
for case in "--trajectory=dp --clip-cov=off" "--trajectory=linear,dp --clip-pixel=2"; do
    case="--run=r --steps=3 --images=2 $case"
    run nll t.csv
    ends 2
done

# -- infer truth
cases <<'END'
- --variance=beta,beta_tilde --variance=analytic --variance=analytic_diag --variance=npr,sn --variance=true
--timesteps=1 --timesteps=30
- --clip-cov=on --clip-cov=off
- --cov-scale=0 --cov-scale=2 --cov-scale=1000
- --precision=bf16
--images=1 --images=3
END
while read -r case; do
    case="--run=r $case"
    works_out truth t.csv || continue
    finite out/t.csv 3 7
done <cases

# -- infer quality
cases <<'END'
- --variance=beta_tilde --variance=analytic,analytic_diag --variance=npr,sn --variance=true
- --sampler=ddim --sampler=ddpm,ddim --sampler=ddim@--eta=0.5 --sampler=ddpm,ddim@--eta=1
- --trajectory=quad --trajectory=dp
--steps=1 --steps=2,7
- --clip-pixel=0 --clip-pixel=3
- --cov-scale=0,1 --cov-scale=0.5 --cov-scale=1000
- --eps-scale=1,1.5 --dcw=1,-0.5 --eps-scale=1,0.9@--tune=eps-scale --eps-scale=0.9@--tune=dcw --dcw=0,0@--dcw=0.1,0@--tune=eps-scale
- --metrics=sliced --metrics=kid,precision
- --precision=bf16
- --images=12
- --fresh
END
while read -r case; do
    case="--run=r --samples=10 --resamples=4 --classifier-steps=2 $case"
    works_out quality t.csv || continue
    finite out/t.csv 6 7
done <cases

# -- infer sample
cases <<'END'
- --variance=beta_tilde --variance=analytic,analytic_diag --variance=npr,sn --variance=sn --variance=true
- --sampler=ddim --sampler=ddim@--eta=0.5 --sampler=ddim@--eta=1
- --trajectory=quad --trajectory=dp
--steps=1 --steps=2,7 --steps=7
- --clip-x0=on --clip-x0=off
- --clip-cov=on --clip-cov=off
- --clip-pixel=0 --clip-pixel=3
- --cov-scale=0 --cov-scale=0.5 --cov-scale=1000
- --eps-scale=1,1.5 --dcw=1,-0.5 --eps-scale=2@--dcw=0,0@--dcw=0.1,0
- --precision=bf16
--count=1 --count=3
- --columns=2
- --scale=3
END
number=0
while read -r case; do
    case="--run=r $case"
    number=$((number + 1))
    name=s.png
    [ $((number % 2)) -eq 0 ] || name=s.h5
    works_out sample $name || continue
    [ -s out/$name ] || problem "infer sample $case: no $name"
done <cases
for case in "--sampler=ddim --variance=beta" "--sampler=ddpm --eta=0.5" "--steps=2,7 --sampler=ddim --variance=beta,sn"; do
    case="--run=r $case"
    run sample s.h5
    ends 2
done

# -- Variances that need more than a head: the Jacobian, a second output, two heads
tiny_run j sn,gms,ocm,nll
tiny_run h npr --set stage1.objective=hybrid
cases 15 <<'END'
--run=j@--variance=ocm,nll,nll_block --run=j@--variance=full@--krylov=3 --run=j@--variance=sn,full@--probes=1 --run=j@--variance=full@--dense --run=h@--variance=learned,npr --run=h
- --trajectory=quad --trajectory=linear,quad
--steps=1 --steps=2,5
- --clip-pixel=2
- --cov-scale=0.5
- --precision=bf16
- --split=train
--images=2 --images=3
END
while read -r case; do
    works_out nll t.csv || continue
    finite out/t.csv 4 6
done <cases
cases 15 <<'END'
--run=j@--variance=ocm,gms --run=j@--variance=full@--krylov=2 --run=j@--variance=nll_block,gms,full@--krylov=1 --run=h@--variance=learned
--steps=1 --steps=2,4
- --clip-pixel=0 --clip-pixel=3
- --trajectory=quad
- --eps-scale=1,1.5 --dcw=1,-0.5
- --precision=bf16
--count=1 --count=3
- --columns=2
END
while read -r case; do
    works_out sample s.h5 || continue
    [ -s out/s.h5 ] || problem "infer sample $case: no s.h5"
done <cases
for case in "--run=j --variance=full --trajectory=dp" "--run=h --variance=learned --trajectory=dp" "--run=j --variance=gms" \
    "--run=j --variance=ocm --probes=2" "--run=j --variance=full --dense --krylov=3" \
    "--run=j --variance=ocm --krylov=3"; do
    case="$case --steps=3 --images=2"
    run nll t.csv
    ends 2
done
for case in "--run=h --variance=learned --sampler=ddim" "--run=j --variance=full --trajectory=dp" \
    "--run=j --variance=gms --trajectory=dp" "--run=j --variance=ocm --krylov=3"; do
    case="$case --steps=3"
    run sample s.h5
    ends 2
done
works infer quality --run h --variance learned,npr --cov-scale 1,0.5 --steps 2 --samples 10 --metrics sliced \
    --resamples 2 --quiet --out scaled.csv # learned has no factor, and one row
[ "$(cut -d, -f1 scaled.csv | tr '\n' ' ')" = "variance real learned npr npr-x0.5 " ] || problem "$(cat scaled.csv)"
exit $result
