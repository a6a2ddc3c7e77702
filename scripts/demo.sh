#!/bin/sh
# The demo: both stages of training on a small network, then samples of three variances at three
# numbers of steps from the same noise, in one picture, and a page that compares the variances. `make demo`
# runs it; on two cores it takes under two minutes with AMX, three with AVX-512, and under five with AVX2 alone. Run
# again, it finds what is there and only draws the picture.
#
#     demo.sh [RUN [options of train]]     RUN: another directory than checkpoints/quick
set -eu

config=configs/quick.yaml
run=${1:-checkpoints/quick}
[ $# -eq 0 ] || shift
images=$(sed -n 's/^ *train: *\([^ ]*\).*/\1/p' "$config")
data="Fashion-MNIST"

# Without the package of Fashion-MNIST the built-in mixture stands in: it needs no file.
if [ ! -r "$images" ]; then
    set -- --set data.format=mixture "$@"
    data="the built-in mixture ($images is not there)"
fi

echo "1/5  the network that predicts the noise, on $data"
train --stage 1 --config "$config" --run "$run" "$@"
echo "2/5  the variance heads SN and NPR, on its frozen features"
train --stage 2 --loss npr,sn --config "$config" --run "$run" "$@"
echo "3/5  samples at 10, 25 and 50 steps"
infer sample --run "$run" --variance beta_tilde,npr,sn --steps 10,25,50 --count 16 \
    --out "$run/samples.png"
echo "4/5  a small comparison of the variances: bounds, and the quality of samples"
infer compare --run "$run" --variance beta_tilde,npr,sn --steps 10,25 --images 16 --samples 100 >/dev/null
echo "5/5  done"
cat <<EOF

  $run/stage1.h5              the network
  $run/stage2-npr+sn.h5       the same network with both heads
  $run/metrics.csv            the losses, step by step
  $run/compare/compare.html   open this in a browser: the variances compared
  $run/samples.png            look at this: rows are variances, columns numbers of steps

Next:
  bin/infer info $run/stage2-npr+sn.h5
  bin/infer compare --run $run --images 100 --samples 1000
                            surer numbers of more variances, in a quarter of an hour
  bin/infer sample --run $run --variance sn --steps 100 --out more.png
  bin/train --stage 1       the real recipe: ten minutes with AMX, half an hour with AVX-512,
                            forty minutes to an hour with AVX2; then
  bin/train --stage 2 --loss npr,sn
EOF
