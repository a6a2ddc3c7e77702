# What the scripts in tests/cli share. A script begins with `. tests/script.sh` in the root of the repository, and is in
# a scratch directory from there on. `problem` reports a failure and goes on, so that a script looks at everything; the
# script ends with `exit $result`.
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

# skips NEED: says that a check cannot run here for want of NEED. tests/run.sh counts such lines.
skips() {
    echo "skip: $*"
}

# works COMMAND...: the command succeeds. Its stdout is then in `printed`, its stderr in `errors`.
works() {
    "$@" >printed 2>errors || problem "$*: $(cat errors)"
}

# shows PATTERN: that command printed a line that matches.
shows() {
    grep -q -e "$1" printed || problem "expected a line like \"$1\" in: $(cat printed)"
}

# own_lines: what a program has said in `errors`. Open MPI 5's mpirun, and nobody else, adds paragraphs between lines of
# dashes, and at the end a NUL, which nothing silences. MPICH says that a process has ended all.
own_lines() {
    tr -d '\000' <errors | awk 'length > 70 && /^-+$/ { theirs = !theirs; next } !theirs && !/^Abort\([0-9]*\) on node /'
}

# fails_with STATUS TEXT COMMAND...: the command ends with that status, and prints one line, on stderr, with TEXT in it.
fails_with() {
    expected=$1 text=$2
    shift 2
    "$@" >printed 2>errors
    status=$?
    [ $status -eq "$expected" ] || problem "$*: exit status $status, expected $expected"
    grep -q -F -e "$text" errors || problem "$*: expected \"$text\" in: $(cat errors)"
    [ "$(own_lines | wc -l)" -eq 1 ] || problem "$*: expected one line: $(cat errors)"
    [ ! -s printed ] || problem "$*: printed $(cat printed)"
}

# tiny_recipe: writes tiny.yaml, a recipe whose two stages take a moment.
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

# trained RECIPE RUN HEADS [OPTION...]: trains both stages of the recipe in RUN, or stage 1 alone if HEADS is "". Every
# script makes the runs that it needs with this function. (docs/design.md says why the scripts share no run.)
trained() {
    from=$1 to=$2 heads=$3
    shift 3
    works train --config "$from" --run "$to" --quiet --stage 1 "$@"
    [ -z "$heads" ] || works train --config "$from" --run "$to" --quiet --stage 2 --loss "$heads" "$@"
}

# tiny_run RUN HEADS [OPTION...]: the same of tiny.yaml, which it writes if there is none. It takes 0.15 s of processor time.
tiny_run() {
    [ -f tiny.yaml ] || tiny_recipe
    trained tiny.yaml "$@"
}

# all_variances: the name of every variance, in the order of lists, as `infer sample --help` explains them.
all_variances() {
    infer sample --help | sed -n '/^  beta  /,/^$/ s/^  \([a-z_0-9]*\) .*/\1/p' | xargs
}

# begins TEXT COMMAND...: runs the command in the background, as process `child`, and stops it (SIGSTOP) when it has
# printed TEXT on stderr. `goes_on` wakes the process and waits for its end; its exit status is then in `status`.
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

# needs_mpirun PROGRAM: lets mpirun start it here, quietly, or ends the script with a word where that can't be. From then
# on there is a command `processes N COMMAND...`, which becomes the mpirun of the MPI that the program is linked with.
needs_mpirun() {
    # Root may run mpirun, and Open MPI 4 leaves out its own lines about exit codes. All processes are on this machine,
    # where Open MPI 5 complains of networks that don't reach each other.
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_orte_execute_quiet=1 \
        OMPI_MCA_btl=^tcp OMP_NUM_THREADS=1
    case $(ldd "$(command -v "$1")") in
    *libmpich*) launcher=$(command -v mpirun.mpich || command -v mpirun) more='' ;;
    *libmpi*) launcher=$(command -v mpirun.openmpi || command -v mpirun) more=--oversubscribe ;;
    *) launcher='' ;;
    esac
    if [ -z "$launcher" ]; then
        skips "a build with MPI"
        exit 0
    fi
    mkdir -p commands
    cat >commands/processes <<END
#!/bin/sh
count=\$1
shift
exec $launcher -n "\$count" $more "\$@"
END
    # A word before a command that mpirun starts: leaves the process's number in pid-RANK.
    cat >commands/with_number <<'END'
#!/bin/sh
echo $$ >"pid-${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-}}"
exec "$@"
END
    # The same: all processes but the first are in the directory elsewhere/, as on a machine with other files. One that
    # waits for ever is ended.
    cat >commands/apart <<'END'
#!/bin/sh
[ "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-}}" = 0 ] || cd elsewhere || exit 1
exec timeout 100 "$@"
END
    chmod +x commands/processes commands/with_number commands/apart
    PATH=$PWD/commands:$PATH
}
