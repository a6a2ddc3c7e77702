#!/bin/sh
# Times varhead and PyTorch on this machine, one after the other, with the same network, batch and threads.
#
#     scripts/peers.sh [--releases LIST] [--tasks LIST] [--precisions LIST] [--threads N] [--rounds N] [--out NAME]
#                      [--busy] [--prepare]
#
#     --releases LIST     bookworm,trixie,sid: the releases of Debian that PyTorch comes from
#     --tasks LIST        stage1,stage2,sample,small: the CIFAR-10 network at batch 16, and stage 1 of a small
#                         network at batch 64
#     --precisions LIST   f32,bf16; by default bf16 only where the processor has avx512_bf16 or amx_bf16
#     --threads N         all processors that this process may use
#     --rounds N          3: how often varhead and every PyTorch are timed, in turns
#     --out NAME          write NAME.md and NAME.csv (peers); what is there is replaced
#     --busy              compare processor time and let waiting threads sleep, for a machine that has other work
#     --prepare           only make the chroots, install PyTorch in them and check what it computes
#
# PyTorch runs in a chroot of each release (scripts/debian.sh makes it in ${VARHEAD_CHROOTS:-/var/cache/varhead});
# nothing is installed outside. Root is needed, and a Debian with debootstrap. A PyTorch that computes other outputs or
# gradients than tests/golden has is refused. Other work on the machine, or beside it on the same cores, slows programs
# and never speeds them up: so of each program the fastest round counts, and of PyTorch's settings (both layouts of
# memory; bench/peer) the fastest. A round of everything takes about 12 minutes on two cores with AMX, without the
# installation.
set -eu

releases=bookworm,trixie,sid
tasks=stage1,stage2,sample,small
precisions=
threads=$(nproc)
rounds=3
out=peers
prepare_only=
busy=
chroots=${VARHEAD_CHROOTS:-/var/cache/varhead}

# fail STATUS WORDS...: one line, and the end.
fail() {
    fail_status=$1
    shift
    echo "scripts/peers.sh: $*" >&2
    exit "$fail_status"
}

# check_list OPTION LIST WORD...: every name in LIST, which commas separate, must be one of the words.
check_list() {
    list_option=$1
    list=$2
    shift 2
    [ -n "$list" ] || fail 2 "$list_option: expected a list of: $*"
    for name in $(echo "$list" | tr ',' ' '); do
        case " $* " in
        *" $name "*) ;;
        *) fail 2 "$list_option: expected a list of: $*; got: $list" ;;
        esac
    done
}

# -- Chroots ---------------------------------------------------------------------------------------

# inside RELEASE COMMAND...: in the chroot, with the repository at /mnt, which cannot be written to. The mounts are
# gone when the command ends.
inside() {
    root=$chroots/$1
    shift
    # shellcheck disable=SC2016 # variables of the inner shell
    unshare --mount sh -c '
        root=$0
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --rbind /sys "$root/sys"
        mount --bind . "$root/mnt"
        mount -o remount,bind,ro "$root/mnt"
        exec chroot "$root" env -u TMPDIR LC_ALL=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 "$@"' "$root" "$@"
}

# check RELEASE NETWORK POINTS [GRADIENTS]: of tests/golden.
check() {
    checked_release=$1
    network=/mnt/tests/golden/$2.h5
    shift 2
    for expected; do
        shift
        set -- "$@" "/mnt/tests/golden/$expected"
    done
    inside "$checked_release" python3 /mnt/bench/peer/check_net.py "$network" "$@" >&2 ||
        fail 1 "$checked_release: PyTorch does not compute varhead's network, and is not timed"
}

# Debian's PyTorch is content with the reference BLAS, with which it is slow: OpenBLAS is asked for.
prepare() {
    echo "== $1: chroot and PyTorch" >&2
    if [ ! -d "$chroots/$1" ] || ! inside "$1" python3 -c "import torch, h5py, yaml" 2>/dev/null; then
        sh scripts/debian.sh "$1" help >/dev/null # makes the chroot where there is none
        inside "$1" apt-get -qq update || true # the package lists at hand may do
        inside "$1" apt-get -qq install --yes --no-install-recommends \
            python3-torch python3-h5py python3-yaml libopenblas0-openmp >/dev/null
    fi
    check "$1" golden_a golden_a_expected.h5:predict golden_a_expected.h5:grad
    check "$1" golden_b golden_b_expected.h5:predict
}

# -- Measurements: each is a line of the CSV -------------------------------------------------------

columns="task,precision,program,version,onednn,threads,settings,images_per_s,images_per_cpu_s,least,most,peak_mb,time"

# task_of NAME: sets network, batch, work, repeats, and the options of bench.
task_of() {
    network=cifar10
    batch=16
    work=$1
    repeats=6
    options="--networks cifar10"
    case $1 in
    stage1) repeats=4 ;;
    small)
        network=small
        batch=64
        work=stage1
        options="--networks quick --set data.resolution=32 --set model.attention=[8] --set model.dropout=0.1"
        ;;
    esac
}

# varhead TASK PRECISION ROUND
varhead() {
    # shellcheck disable=SC2086 # a list of words
    bin/bench $options --batch "$batch" --work "$work" --precision "$2" --threads "$threads" --steps "$repeats" \
        --csv "$directory/bench.csv" >/dev/null
    tail -n 1 "$directory/bench.csv" | sed 's/"[^"]*"/work/' |
        awk -F, -v OFS=, -v task="$1" -v precision="$2" -v version="$version" -v dnnl="$dnnl" -v round="$3" \
            -v time="$(date +%H:%M:%S)" \
            '{ print task, precision, "varhead", version, dnnl, $5, round, $7, $8, "", "", $12, time }' | note
}

# field NAME: its value in a line of flat JSON.
field() {
    sed -n 's/.*"'"$1"'": "\{0,1\}\([^",}]*\).*/\1/p' "$directory/torch.json"
}

# pytorch TASK PRECISION RELEASE SETTINGS OPTION...: a setting with which PyTorch fails is left out, and said.
pytorch() {
    task=$1
    precision=$2
    release=$3
    settings=$4
    shift 4
    if ! inside "$release" python3 /mnt/bench/peer/bench_torch.py --net "$network" --task "$work" --batch "$batch" \
        --dtype "$precision" --threads "$threads" --warmup 1 --repeats "$repeats" --json "$@" >"$directory/torch.json"; then
        echo "scripts/peers.sh: $release: $task, $precision, $settings: PyTorch failed" >&2
        failed=1
        return 0
    fi
    echo "$task,$precision,pytorch,$(field torch),$(field onednn),$(field threads),$settings,$(field images_per_s)" \
        "$(field images_per_cpu_s),$(field least),$(field most),$(field peak_mb),$(date +%H:%M:%S)" | tr ' ' , | note
}

# In bfloat16 PyTorch 2 is fastest with group normalisation as autocast has it, and with weights that are cast once
# where nothing trains them; 1.13 has no such normalisation, and is faster without such weights.
pytorch_settings() {
    for layout in default channels-last; do
        flags=--channels-last
        [ $layout = channels-last ] || flags=--no-channels-last
        case $2-$3-$work in
        f32-*) pytorch "$1" "$2" "$3" "$layout" $flags ;;
        bf16-bookworm-*) pytorch "$1" "$2" "$3" "$layout" $flags ;;
        bf16-*-stage1) pytorch "$1" "$2" "$3" "$layout" $flags --native-norm ;;
        *) pytorch "$1" "$2" "$3" "$layout+bf16-weights" $flags --bf16-weights ;;
        esac
    done
}

note() {
    tee -a "$out.csv" >&2
}

# -- The table -------------------------------------------------------------------------------------

# What of the processor's abilities matters.
abilities() {
    for flag in sse4_1 avx2 fma avx512f avx512_bf16 amx_bf16; do
        ! grep -qw "$flag" /proc/cpuinfo || printf ' %s' "$flag"
    done
}

table() {
    echo "$(lscpu | sed -n 's/^Model name: *//p') ($(abilities | cut -c 2-)); $threads threads; $(date +%Y-%m-%d)."
    echo "\`$command\`"
    echo
    awk -F, -v unit="${busy:+ of processor time}" -v rate="${busy:+9}" '
    BEGIN { if (!rate) rate = 8 }
    NR == 1 { next }
    { key = $1 "," $2 }
    !(key in seen) { seen[key] = 1; rows[++row_count] = key }
    $3 == "varhead" {
        own = $4 ", oneDNN " $5
        said[key] = said[key] (said[key] ? ", " : "") sprintf("%.1f", $rate)
        if ($rate > reached[key]) reached[key] = $rate
        next
    }
    {
        split($4, part, ".")
        peer = part[1] "." part[2]
        if (!(peer in with)) { with[peer] = $5; peers[++peer_count] = peer }
        if ($rate > best[key, peer]) { best[key, peer] = $rate; how[key, peer] = $7 ~ /channels-last/ ? " (last)" : "" }
        if ($rate > fastest[key]) fastest[key] = $rate
    }
    END {
        print "Images/s" unit ": varhead " own ", each round; of PyTorch the fastest."
        for (p = 1; p <= peer_count; p++) print "PyTorch " peers[p] ": oneDNN " with[peers[p]] "."
        print "(last): channels last was the faster layout.\n"
        printf "| task | precision | varhead |"
        for (p = 1; p <= peer_count; p++) printf " PyTorch %s |", peers[p]
        printf " fastest varhead / fastest PyTorch |\n| --- | --- | --- |"
        for (p = 0; p <= peer_count - 1; p++) printf " --- |"
        print " --- |"
        for (r = 1; r <= row_count; r++) {
            key = rows[r]
            split(key, part, ",")
            printf "| %s | %s | %s |", part[1], part[2], said[key]
            for (p = 1; p <= peer_count; p++)
                if ((key, peers[p]) in best) printf " %.1f%s |", best[key, peers[p]], how[key, peers[p]]
                else printf " – |"
            if (fastest[key] > 0) printf " %.2f |\n", reached[key] / fastest[key]
            else print " – |"
        }
    }' "$out.csv"
}

# --------------------------------------------------------------------------------------------------

command="scripts/peers.sh $*"
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        sed '1d; /^set/,$d; s/^# \{0,1\}//' scripts/peers.sh
        exit 0
        ;;
    --prepare)
        prepare_only=1
        shift
        continue
        ;;
    --busy)
        busy=1
        shift
        continue
        ;;
    --releases | --tasks | --precisions | --threads | --rounds | --out) [ $# -ge 2 ] || fail 2 "$1: expected a value" ;;
    *) fail 2 "$1: no such option (scripts/peers.sh --help)" ;;
    esac
    case $1 in
    --releases) releases=$2 ;;
    --tasks) tasks=$2 ;;
    --precisions) precisions=$2 ;;
    --threads) threads=$2 ;;
    --rounds) rounds=$2 ;;
    --out) out=$2 ;;
    esac
    shift 2
done
if [ -z "$precisions" ]; then
    precisions=f32
    ! abilities | grep -q bf16 || precisions=f32,bf16
fi
check_list --releases "$releases" bookworm trixie sid
check_list --tasks "$tasks" stage1 stage2 sample small
check_list --precisions "$precisions" f32 bf16
case $threads in
'' | *[!0-9]* | 0*) fail 2 "--threads: expected a number of threads, got: $threads" ;;
esac
case $rounds in
'' | *[!0-9]* | 0*) fail 2 "--rounds: expected a number, 1 or more, got: $rounds" ;;
esac
[ "$(id -u)" -eq 0 ] || fail 2 "a chroot can be made and entered only by root (sudo scripts/peers.sh ...)"
[ -n "$prepare_only" ] || [ -d "$(dirname "$out")" ] || fail 2 "--out $out: there is no such directory"

make -s all bin/bench
for release in $(echo "$releases" | tr ',' ' '); do
    prepare "$release"
done
[ -z "$prepare_only" ] || exit 0

[ -z "$busy" ] || export OMP_WAIT_POLICY=passive
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
failed=0
version=$(bin/train --version | sed 's/.* //')
dnnl=$(readlink -f "$(ldd bin/bench | awk '/libdnnl/ { print $3 }')" | sed 's/.*\.so\.//')
uptime >&2
echo "$columns" >"$out.csv"
for precision in $(echo "$precisions" | tr ',' ' '); do
    for task in $(echo "$tasks" | tr ',' ' '); do
        task_of "$task"
        for round in $(seq "$rounds"); do
            varhead "$task" "$precision" "round-$round"
            for release in $(echo "$releases" | tr ',' ' '); do
                pytorch_settings "$task" "$precision" "$release"
            done
        done
    done
done
table | tee "$out.md"
exit "$failed"
