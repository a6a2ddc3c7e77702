#!/bin/sh
# scripts/deps.sh on machines that lack something. The test's machine is a directory of links to a
# few commands, which is the whole PATH. It has stand-ins for pkg-config, apt-get, sudo and id.
set -eu

machine=$(mktemp -d)
trap 'rm -rf "$machine"' EXIT
# Not ccache's link, which looks for the compiler in PATH.
compiler=$(PATH=$(echo "$PATH" | sed 's#[^:]*/ccache:##g'); command -v gcc || command -v cc)
export CC=gcc MPI=0

fail() {
    echo "$*" >&2
    exit 1
}

# command NAME: reads a script that shall be that command.
command_is() {
    { echo '#!/bin/sh'; cat; } >"$machine/$1"
    chmod +x "$machine/$1"
}

# A machine with a compiler and all libraries but Check, as seen by pkg-config until "apt-get
# install" has been run; a user who is not root, and may use neither sudo nor apt-get yet.
new_machine() {
    rm -rf "$machine"
    mkdir "$machine"
    for tool in sh cat basename xargs sort env echo touch; do
        ln -s "$(which $tool)" "$machine/$tool" # not command -v, which knows built-in ones
    done
    ln -s "$compiler" "$machine/gcc"
    command_is pkg-config <<END
case "\$*" in
*check*) [ -e "$machine/installed" ] ;;
*) $(command -v pkg-config) "\$@" ;;
esac
END
    echo 'echo 1000' | command_is id
}

add_apt_get() {
    command_is apt-get <<END
echo "\$*" >>"$machine/log"
case "\$*" in *install*) touch "$machine/installed" ;; esac
END
}

# deps STATUS ARGUMENT...: runs the script there; its output goes to $output.
deps() {
    expected=$1
    shift
    status=0
    output=$(PATH=$machine sh scripts/deps.sh "$@" 2>&1) || status=$?
    [ $status -eq "$expected" ] || fail "exit status $status instead of $expected: $output"
}

says() {
    case $output in
    *"$1"*) ;;
    *) fail "expected \"$1\" in: $output" ;;
    esac
}

# Nothing is missing: silence, and nothing is run.
new_machine
add_apt_get
touch "$machine/installed"
deps 0 check
[ -z "$output" ] || fail "not silent: $output"
deps 0 install
[ -z "$output" ] || fail "not silent: $output"
[ ! -e "$machine/log" ] || fail "apt-get was run"

# Asked what there is, it says so, missing or not.
new_machine
add_apt_get
deps 0 list
says "libdnnl-dev"
says "check"
[ ! -e "$machine/log" ] || fail "apt-get was run"

# Asked only to look.
new_machine
add_apt_get
deps 1 check
says "missing here: check"
says "make deps"
[ ! -e "$machine/log" ] || fail "apt-get was run"

# No apt-get.
new_machine
deps 1 install
says "no apt-get"
says "    check"

# No sudo.
new_machine
add_apt_get
deps 1 install
says "As root, run"
says "apt-get install --no-install-recommends check"
[ ! -e "$machine/log" ] || fail "apt-get was run"

# By sudo.
new_machine
add_apt_get
echo "echo sudo >>$machine/log; \"\$@\"" | command_is sudo
deps 0 install
expected='sudo
-qq update
sudo
-qq install --yes --no-install-recommends check'
[ "$(cat "$machine/log")" = "$expected" ] || fail "ran: $(cat "$machine/log")"

# As root, which needs no sudo.
new_machine
add_apt_get
echo 'echo 0' | command_is id
deps 0 install
expected='-qq update
-qq install --yes --no-install-recommends check'
[ "$(cat "$machine/log")" = "$expected" ] || fail "ran: $(cat "$machine/log")"

# MPI, where it is asked for. Without it everything else is there.
new_machine
add_apt_get
echo 'echo 0' | command_is id
echo 'exit 1' | command_is pkg-config
touch "$machine/installed"
export MPI=
deps 1 install mpi
case $(cat "$machine/log") in *mpi*) fail "MPI was asked for before what is needed" ;; esac
command_is pkg-config <<END
case "\$*" in
*mpi*) exit 1 ;;
*) $(command -v pkg-config) "\$@" ;;
esac
END
rm "$machine/log"
deps 0 install
[ ! -e "$machine/log" ] || fail "MPI was installed unasked"
deps 0 install mpi
expected='-qq update
-qq install --yes --no-install-recommends libopenmpi-dev openmpi-bin'
[ "$(cat "$machine/log")" = "$expected" ] || fail "ran: $(cat "$machine/log")"
echo 'exit 100' | command_is apt-get
deps 0 install mpi
says "Going on without MPI"
export MPI=0
rm "$machine/log"
add_apt_get
deps 0 install mpi
[ ! -e "$machine/log" ] || fail "MPI=0 was not heard"

# apt-get fails.
new_machine
echo 'echo 0' | command_is id
echo 'exit 100' | command_is apt-get
deps 1 install
says "could not install: check"

# It claims success, but the library still is not there.
new_machine
echo 'echo 0' | command_is id
echo 'exit 0' | command_is apt-get
deps 1 install
says "still does not find: check"

# No compiler, or no pkg-config, or neither: nothing can be known, so everything is listed.
everything="libarchive-dev libc6-dev libcairo2-dev libdnnl-dev libhdf5-dev libjansson-dev libjpeg-dev liblapacke-dev libopenblas-openmp-dev libpng-dev librandom123-dev libyaml-dev"
new_machine
rm "$machine/gcc"
deps 1 check
says "missing here: check gcc $everything zlib1g-dev"
new_machine
rm "$machine/pkg-config"
deps 1 check
says "missing here: check gcc $everything pkg-config zlib1g-dev"
rm "$machine/gcc"
deps 1 check
says "missing here: check gcc $everything pkg-config zlib1g-dev"
