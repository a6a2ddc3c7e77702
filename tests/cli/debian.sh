#!/bin/sh
# scripts/debian.sh: the errors that it reports before it does anything. The test's machine is a
# directory of links to a few commands, which is the whole PATH. It has stand-ins for id,
# debootstrap and the commands that make namespaces.
. tests/script.sh

script=$tests/../scripts/debian.sh

command_is() {
    { echo '#!/bin/sh'; cat; } >"machine/$1"
    chmod +x "machine/$1"
}

# A machine on which the script would get as far as to begin: where it does, "namespaces" is there.
new_machine() {
    rm -rf machine namespaces
    mkdir machine
    for tool in sh dirname; do
        ln -s "$(which $tool)" machine/$tool
    done
    echo 'echo 0' | command_is id
    for tool in debootstrap setpriv flock; do
        echo 'exit 1' | command_is $tool
    done
    echo 'exit 0' | command_is unshare
    echo "echo \"\$*\" >>$PWD/namespaces" | command_is env
}

# refuses TEXT ARGUMENT...: with status 2, and nothing is begun.
refuses() {
    refusal=$1
    shift
    fails_with 2 "$refusal" env PATH="$PWD/machine" sh "$script" "$@"
    [ ! -e namespaces ] || problem "debian.sh $*: was begun: $(cat namespaces)"
}

new_machine
refuses "expected a release of Debian; usage: scripts/debian.sh RELEASE"
for name in ../x /etc trixie/../x .. . -j4 --in-namespaces --in-chroot trixie-backports -arm64 ..-arm64 "trixie sid" 13 SUITE=base; do
    refuses "$name: expected the name of a release of Debian, such as trixie" "$name" test
done
works env PATH="$PWD/machine" sh "$script" --help
grep -q '^usage: ' printed || problem "--help: $(cat printed)"
[ ! -e namespaces ] || problem "--help has begun something: $(cat namespaces)"

echo 'echo 1000' | command_is id
refuses "only by root (sudo scripts/debian.sh ...)" trixie

new_machine
rm machine/flock
refuses "flock is missing here: apt-get install util-linux" trixie

new_machine
echo 'exit 1' | command_is unshare
refuses "mount namespaces are not permitted here" trixie

# With none of this in the way it begins.
new_machine
works env PATH="$PWD/machine" sh "$script" trixie test SUITE="layers unet"
grep -q -e '--in-namespaces trixie test SUITE=layers unet$' namespaces || problem "did not begin: $(cat namespaces)"

exit $result
