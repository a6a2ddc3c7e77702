# What the scripts in tests/cli share: a scratch directory, where the tests are, and complaints that do not end a script, which
# looks at everything and ends with `exit $result`. Each begins with `. tests/script.sh`, in the root of the
# repository, and is in the scratch directory from there on.
# shellcheck shell=sh disable=SC2034 # result is for the scripts
set -u

tests=$PWD/tests
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory" || exit 1
result=0

problem() {
    echo "$*"
    result=1
}

# skips NEED: a check can't run here for want of it; tests/run.sh counts such lines.
skips() {
    echo "skip: $*"
}

# works COMMAND...: it does; what it says is in `printed` and `errors`.
works() {
    "$@" >printed 2>errors || problem "$*: $(cat errors)"
}

# fails_with STATUS TEXT COMMAND...: it ends so, with TEXT in its one line, on stderr.
fails_with() {
    expected=$1 text=$2
    shift 2
    "$@" >printed 2>errors
    status=$?
    [ $status -eq "$expected" ] || problem "$*: exit status $status, expected $expected"
    grep -q -F -e "$text" errors || problem "$*: expected \"$text\" in: $(cat errors)"
    [ "$(wc -l <errors)" -eq 1 ] || problem "$*: expected one line: $(cat errors)"
    [ ! -s printed ] || problem "$*: printed $(cat printed)"
}

# tiny_recipe: writes tiny.yaml, whose two stages take a moment.
tiny_recipe() {
    cat >tiny.yaml <<'END'
name: tiny
data: {format: mixture, channels: 1, resolution: 8}
diffusion: {schedule: linear, timesteps: 100}
model: {channels: 16, channel_mult: [1], res_blocks: 1, attention: [], dropout: 0.0, norm_groups: 4}
stage1: {steps: 4, batch: 4}
stage2: {solver: adam, steps: 4, batch: 4}
END
}

# begins TEXT COMMAND...: it runs in the background, as process `child`, and sleeps from when it has said TEXT on
# stderr; `goes_on` wakes it and waits for its end, with its exit status in `status`.
begins() {
    until_said=$1 tries=0
    shift
    : >errors # what an earlier command said would count
    "$@" >printed 2>errors &
    child=$!
    until grep -q -e "$until_said" errors || [ $tries -eq 3000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    kill -STOP "$child" || problem "$*: had ended before it could be hit: $(cat errors)"
}

goes_on() {
    kill -CONT "$child"
    wait "$child"
    status=$?
}
