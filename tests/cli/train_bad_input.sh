#!/bin/sh
# `train` with wrong command lines, configurations and files, and on full disks: the right exit
# code, one line on stderr that names the error, and no damage to existing files. (Checkpoints with
# wrong content: tests/test_train_errors.c.)

. tests/script.sh

# The description of every file of the run, and of its content.
state() {
    for file in r/* r/.[!.]*; do
        [ -e "$file" ] || continue
        stat -c '%n %i %y' "$file"
        cksum "$file"
    done
}

# fails STATUS TEXT ARGUMENT...: `train ARGUMENT...` ends so, with TEXT in its one line.
fails() {
    expected=$1 text=$2
    shift 2
    before=$(state)
    train "$@" >printed 2>errors
    status=$?
    [ $status -eq "$expected" ] || problem "train $*: exit status $status, expected $expected"
    grep -q -F -e "$text" errors || problem "train $*: expected \"$text\" in: $(cat errors)"
    grep -q '^train: ' errors || problem "train $*: expected \"train: \" first: $(cat errors)"
    [ "$(wc -l <errors)" -eq 1 ] || problem "train $*: expected one line: $(cat errors)"
    [ ! -s printed ] || problem "train $*: printed $(cat printed)"
    [ "$(state)" = "$before" ] || problem "train $*: has changed the run"
}

# stage1 STATUS TEXT ARGUMENT..., stage2: the same for the small configuration in r.
stage1() {
    expected=$1 text=$2
    shift 2
    fails "$expected" "$text" --stage 1 --config tiny.yaml --run r --threads 1 --quiet "$@"
}
stage2() {
    expected=$1 text=$2
    shift 2
    fails "$expected" "$text" --stage 2 --config tiny.yaml --run r --threads 1 --quiet "$@"
}

cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], norm_groups: 4}
stage1: {steps: 4, batch: 4, warmup: 2}
stage2: {solver: adam, steps: 4, batch: 4}
END
tiny_run r "" --threads 1

# -- The command line
fails 2 "expected --stage 1 or --stage 2 (train --help explains)"
fails 2 '--stage: expected an integer from 1 to 2, got "3"' --stage 3
fails 2 '--stage: expected an integer from 1 to 2, got "one"' --stage one
fails 2 "--stage needs a value: --stage 1|2" --stage
stage2 2 "--stage 2 needs --loss: gms, nll, npr, ocm or sn, or several with commas between"
for loss in foo npr,foo foo,npr SN "sn," ",sn" eps; do
    wrong=$(printf '%s' "$loss" | tr , '\n' | grep -vx 'npr\|sn' || true)
    stage2 2 "--loss: expected gms, nll, npr, ocm or sn, or several with commas between, got \"$wrong\"" --loss $loss
done
for loss in sn,sn sn,npr,sn; do
    stage2 2 "--loss: sn is given twice" --loss $loss
done
stage2 2 "--loss: expected LOSSES, got nothing" --loss ""
stage1 2 "--loss goes with --stage 2" --loss sn
stage1 2 "--init goes with --stage 2" --init r/stage1.h5
stage1 2 "--set nonsense: expected KEY=VALUE" --set nonsense
stage1 2 '--set stage1.stepz=3: unknown key "stage1.stepz"; did you mean "stage1.steps"?' \
    --set stage1.stepz=3
stage1 2 '--set stage1.batch=many: expected an integer from 1 to 65536, got "many"' \
    --set stage1.batch=many
stage1 2 "--set stage1: expected KEY=VALUE" --set stage1
stage1 2 "--set seed=-1: expected an integer from 0 to" --seed -1
isa=${ONEDNN_MAX_CPU_ISA-ALL}
export ONEDNN_MAX_CPU_ISA=AVX2
stage1 2 "precision: bf16 needs a processor with AVX-512" --precision bf16
export ONEDNN_MAX_CPU_ISA="$isa"
stage1 2 "--precision: expected one of auto|f32|bf16" --precision f64
stage1 2 '--threads: expected an integer from 1 to 1024, got "0"' --threads 0
stage1 2 'unexpected argument "more"; options begin with --' more
stage1 2 "unknown option --rnu; did you mean --run?" --rnu x
stage1 2 '--quiet takes no value, got "yes"' --quiet=yes

# -- Configurations
configured() {
    expected=$1 text=$2
    cat >wrong.yaml
    fails "$expected" "$text" --stage 1 --config wrong.yaml --run r
}
fails 2 "missing.yaml: there is no such file, and no recipe of that name; there are " \
    --stage 1 --config missing.yaml --run r
fails 2 ".: expected a configuration, got: Is a directory" --stage 1 --config . --run r
configured 2 'wrong.yaml:2: unknown key "model.chanels"; did you mean "model.channels"?' <<'END'
name: wrong
model: {chanels: 8}
END
configured 2 'wrong.yaml:1: stage1.lr: expected a number above 0 up to 1, got "fast"' <<'END'
stage1: {lr: fast}
END
configured 2 "wrong.yaml:1: expected YAML" <<'END'
stage1: {lr: 1
END
configured 2 "wrong.yaml:1: model.norm_groups: expected at most 4" <<'END'
model: {channels: 8, norm_groups: 8}
END

# -- Images. The header announces two of 8 x 8.
idx() {
    expected=$1 text=$2
    shift 2
    stage1 "$expected" "$text" --set data.format=idx --set data.train=images \
        --set data.test=images "$@"
}
header='\000\000\010\003\000\000\000\002\000\000\000\010\000\000\000\010'
idx 2 "images: no such file, expected an IDX file of images"
: >images
idx 2 "images: is empty, expected an IDX file of images"
printf '\000\000' >images
idx 2 "images: is truncated, it has 2 bytes where an IDX header has 16"
printf '\000\000\010\001\000\000\000\002' >images
idx 2 "images: is an IDX file of labels (magic 0x00000801)"
printf 'GIF89a and more than sixteen bytes' >images
idx 2 "images: is a GIF picture, expected an IDX file of images"
# shellcheck disable=SC2059 # the header is octal
{ printf "$header" && head -c 100 /dev/zero; } >images
idx 2 "images: is truncated, its header announces 2 images, 1 are there"
gzip -c images >images.gz
stage1 2 "images.gz: is truncated, its header announces 2 images, 1 are there" \
    --set data.format=idx --set data.train=images.gz --set data.test=images.gz
head -c 28 images.gz >cut.gz
stage1 2 "cut.gz: is truncated" --set data.format=idx --set data.train=cut.gz --set data.test=cut.gz
# shellcheck disable=SC2059
{ printf "$header" && head -c 128 /dev/zero; } >images
idx 2 "images: images are 8x8, but data.resolution is 4" --set data.resolution=4 \
    --set model.attention=[2]
rm images
mkdir images
idx 2 "images: is a directory, expected an IDX file of images"
stage1 2 "tiny.yaml: is not an HDF5 file" --set data.format=hdf5 --set data.train=tiny.yaml \
    --set data.test=tiny.yaml

# -- Checkpoints
stage2 2 "elsewhere/stage1.h5: stage 2 needs the network of stage 1, which is not there; run train \
--stage 1 first, or name with --init a checkpoint that holds it" --loss sn --run elsewhere
[ ! -e elsewhere ] || problem "elsewhere was made"
stage2 2 "tiny.yaml: is not an HDF5 file" --loss sn --init tiny.yaml
stage2 2 "nowhere.h5: no such file" --loss sn --init nowhere.h5
mkdir kept && mv r/* kept
echo garbage >r/stage1.h5
stage1 2 "r/stage1.h5: is not an HDF5 file"
stage1 2 "r/stage1.h5: is not an HDF5 file" --resume
stage2 2 "r/stage1.h5: is not an HDF5 file" --loss npr,sn
rm r/stage1.h5 && mkdir r/stage1.h5
stage1 2 "r/stage1.h5: is a directory"
stage1 2 "r/stage1.h5: is a directory" --fresh
rmdir r/stage1.h5 && mv kept/* r

# -- Directories that can't be made or written to
touch file
stage1 1 "file/run: cannot create the directory: Not a directory" --run file/run
stage1 2 "file: expected a directory" --run file
stage1 1 "/proc/run: cannot create the directory: " --run /proc/run
stage1 1 "/proc/stage1.h5: cannot be written: " --run /proc
if [ "$(id -u)" -ne 0 ]; then # root may write everywhere
    mkdir closed && chmod 555 closed
    stage1 1 "closed/run: cannot create the directory: Permission denied" --run closed/run
    stage1 1 "closed/stage1.h5: cannot be written: Permission denied" --run closed
    chmod 755 closed
else
    echo "skip: another user than root" # tests/run.sh counts such lines
fi

# -- Full disks. A limit on the size of files is one that every user can set; its blocks are of 512
# or 1024 bytes. The checkpoint is larger than 64 of them; metrics.csv is not, but is soon made
# larger than two.
full() {
    blocks=$1 text=$2
    shift 2
    checkpoint=$(cksum r/stage1.h5)
    (ulimit -f "$blocks" && exec train --stage 1 --config tiny.yaml --run r --threads 1 --quiet \
        "$@" >/dev/null 2>errors)
    status=$?
    [ $status -eq 1 ] || problem "full disk: exit status $status, expected 1"
    grep -q -F -e "$text" errors || problem "full disk: expected \"$text\" in: $(cat errors)"
    [ "$(wc -l <errors)" -eq 1 ] || problem "full disk: expected one line: $(cat errors)"
    [ "$(cksum r/stage1.h5)" = "$checkpoint" ] || problem "full disk: the checkpoint is damaged"
    [ "$(cd r && echo * .[!.]*)" = "metrics.csv stage1.h5 .[!.]*" ] ||
        problem "full disk: there are $(ls -a r)"
}
full 64 "train: r/stage1.h5: cannot be written: File too large" --set stage1.steps=6
full 64 "train: r/stage1.h5: cannot be written: File too large" --set stage1.steps=6 \
    --set checkpoint.every=1
full 64 "train: r/stage1.h5: cannot be written: File too large" --fresh
seq -f "other,eps,%g,1.5,0.001,0.25,1000" 200 >>r/metrics.csv
metrics=$(cksum r/metrics.csv)
full 2 "train: r/metrics.csv: cannot be written: File too large" --set stage1.steps=6
[ "$(cksum r/metrics.csv)" = "$metrics" ] || problem "full disk: metrics.csv is damaged"

# All of this has done no harm: the run continues.
train --stage 1 --config tiny.yaml --run r --threads 1 --set stage1.steps=6 2>errors ||
    problem "cannot be continued: $(cat errors)"
grep -q "continuing r/stage1.h5 at step 4" errors || problem "not continued: $(cat errors)"

exit $result
