#!/bin/sh
# Builds and tests varhead on another release of Debian, in a chroot, as root.
#
#     scripts/debian.sh trixie                               make deps, make all, make test
#     scripts/debian.sh trixie test SUITE="layers unet"      these targets, with these variables
#     scripts/debian.sh sid deps all suites CC=clang BUILD=build/clang WERROR=1
#     scripts/debian.sh bookworm-arm64 test-suites SUITE="base random"
#
# RELEASE-arm64 is a chroot of the machine's own architecture with the cross compiler for 64-bit Arm and its libraries,
# where the suites run in an emulator (qemu-user).
#
# debootstrap makes the chroot /var/cache/varhead/RELEASE (VARHEAD_CHROOTS=DIR: DIR/RELEASE) when it is first asked
# for; later runs use it again, with the packages and the objects that it has by then. To begin anew, remove it.
#
# The script runs itself three times: as it was called; in namespaces of its own for mounts and processes, so that
# both are gone when it ends, however it ends; and in the chroot. The chroot sees the working tree read-only and
# works on a copy of it, /varhead.
set -eu
PATH=$PATH:/usr/sbin:/sbin
export PATH

usage="usage: scripts/debian.sh RELEASE [TARGET|VARIABLE=VALUE]..."

# fail STATUS WORDS...: one line, and the end.
fail() {
    fail_status=$1
    shift
    echo "scripts/debian.sh: $*" >&2
    exit "$fail_status"
}

# -- As it was called: what can be told before anything is done ----------------------------------

check() {
    case ${1:-} in
    '') fail 2 "expected a release of Debian; $usage" ;;
    -h | --help)
        echo "$usage"
        exit 0
        ;;
    esac
    case ${1%-arm64} in
    '' | *[!a-z]*) fail 2 "$1: expected the name of a release of Debian, such as trixie or trixie-arm64; $usage" ;;
    esac
    [ "$(id -u)" -eq 0 ] || fail 2 "a chroot can be made and entered only by root (sudo scripts/debian.sh ...)"
    for package in debootstrap:debootstrap unshare:util-linux setpriv:util-linux flock:util-linux; do
        command -v "${package%:*}" >/dev/null ||
            fail 2 "${package%:*} is missing here: apt-get install ${package#*:}"
    done
    unshare --mount --pid --fork true 2>/dev/null ||
        fail 2 "mount namespaces are not permitted here; a container needs the capability SYS_ADMIN"
}

# Whoever kills this process, with any signal, kills all that it has begun: unshare dies with it, the first process
# in the namespace with unshare, and all others with that one.
enter_namespaces() {
    env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
        unshare --mount --pid --fork --kill-child sh scripts/debian.sh --in-namespaces "$@" &
    child=$!
    trap 'kill -KILL $child; exit 129' HUP
    trap 'kill -KILL $child; exit 130' INT
    trap 'kill -KILL $child; exit 143' TERM
    status=0
    wait "$child" || status=$?
    exit "$status"
}

# -- In the namespaces ----------------------------------------------------------------------------

# A directory with the final name is whole: debootstrap works under another.
make_chroot() {
    [ ! -d "$chroot" ] || return 0
    suite=${release%-arm64}
    if [ -d /usr/share/debootstrap/scripts ] && [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then
        fail 2 "$suite: debootstrap knows no such release of Debian"
    fi
    echo "== $release: debootstrap into $chroot"
    rm -rf --one-file-system "$chroot.part"
    if ! debootstrap --variant=minbase "$suite" "$chroot.part" >"$chroot.log" 2>&1; then
        fail 1 "debootstrap could not make $release: $(tail -n 1 "$chroot.log") ($chroot.log)"
    fi
    mv "$chroot.part" "$chroot"
}

# The devices that every Debian has, and no terminals. (A chroot's own are no devices where making
# them is not permitted.)
mount_devices() {
    mount -t tmpfs -o mode=755 dev "$chroot/dev"
    for device in null zero full random urandom; do
        : >"$chroot/dev/$device"
        mount --bind "/dev/$device" "$chroot/dev/$device"
    done
    ln -s /proc/self/fd "$chroot/dev/fd"
    for stream in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${stream%:*}" "$chroot/dev/${stream#*:}"
    done
    mkdir -m 1777 "$chroot/dev/shm"
}

enter_chroot() {
    release=$1
    mkdir -p "${VARHEAD_CHROOTS:=/var/cache/varhead}"
    chroot=$(cd "$VARHEAD_CHROOTS" && pwd)/$release
    exec 9>"$chroot.lock"
    flock --nonblock 9 || {
        echo "== $release: another run is at work in $chroot; waiting for its end"
        flock 9
    }
    make_chroot
    mount -t proc proc "$chroot/proc"
    mount -t sysfs -o ro sysfs "$chroot/sys"
    mount_devices
    mkdir -p "$chroot/varhead-tmp" # its /tmp may be another's, who works there too
    chmod 1777 "$chroot/varhead-tmp"
    mount --bind "$chroot/varhead-tmp" "$chroot/tmp"
    mount -t tmpfs mnt "$chroot/mnt"
    mkdir "$chroot/mnt/tree"
    mount --bind . "$chroot/mnt/tree"
    mount -o remount,bind,ro "$chroot/mnt/tree"
    cp /etc/resolv.conf "$chroot/mnt"
    exec chroot "$chroot" env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u TMPDIR \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive sh /mnt/tree/scripts/debian.sh --in-chroot "$@"
}

# -- In the chroot --------------------------------------------------------------------------------

# The files of a tree but for what make, the programs and git put there.
list_files() {
    (cd "$1" && find . \( -name .git -o -path ./build -o -path ./bin \) -prune -o \
        \( -path './data/*' -o -path './checkpoints/*' \) ! -name README.md -prune -o -type f -print) | LC_ALL=C sort
}

# Makes /varhead the same as the tree. A file that is the same already stays, and so does what was made from it; one
# that isn't becomes newer than that, whatever its time of writing.
copy_tree() {
    mkdir -p /varhead
    list_files /mnt/tree >/mnt/files
    list_files /varhead >/mnt/old-files
    LC_ALL=C comm -13 /mnt/files /mnt/old-files | while IFS= read -r file; do
        rm "/varhead/$file"
    done
    while IFS= read -r file; do
        if ! cmp -s "/mnt/tree/$file" "/varhead/$file"; then
            mkdir -p "/varhead/${file%/*}"
            cp --preserve=mode "/mnt/tree/$file" "/varhead/$file"
        fi
    done </mnt/files
}

apt_install() {
    apt-get -qq update || true # the package lists at hand may do
    apt-get -qq install --yes --no-install-recommends "$@" >/dev/null
}

# The libraries for 64-bit Arm. They are not wanted beside those for the machine itself: of oneDNN's there can be one.
install_for_arm64() {
    if command -v qemu-aarch64-static >/dev/null && CC=aarch64-linux-gnu-gcc sh scripts/deps.sh check 2>/dev/null; then
        return
    fi
    dpkg --add-architecture arm64
    # shellcheck disable=SC2046 # a list of words
    apt_install gcc-aarch64-linux-gnu qemu-user-static pkg-config \
        $(sh scripts/deps.sh list | grep -v '^gcc$' | sed '/^librandom123-dev$/!s/$/:arm64/') # that one is headers only
}

# Mirrors of moving releases are now and then older than their Release file allows.
prepare() {
    find /tmp -mindepth 1 -delete # what an earlier run was killed over
    rm -f /etc/resolv.conf
    cp /mnt/resolv.conf /etc
    echo 'Acquire::Check-Valid-Until "false"; Dpkg::Use-Pty "false";' >/etc/apt/apt.conf.d/99varhead
    copy_tree
    cd /varhead
    command -v make >/dev/null || apt_install make
}

# What the figures of a run belong to: the packages that are there.
show_versions() {
    # shellcheck disable=SC2016 # dpkg's variables, not the shell's
    dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' \
        gcc gcc-aarch64-linux-gnu clang libc6 libdnnl-dev libhdf5-dev libopenblas-openmp-dev 2>/dev/null |
        sed -n 's/^ii *//p' | xargs echo "==" || true
}

run_make() {
    release=$1 targets='' default="deps all test"
    shift
    prepare
    for argument; do # the others, variables and options, stay in the list
        shift
        case $argument in
        *=* | -*) set -- "$@" "$argument" ;;
        *) targets="$targets $argument" ;;
        esac
    done
    case $release in
    *-arm64)
        export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
        export EMULATOR=qemu-aarch64-static
        install_for_arm64
        set -- CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar "$@"
        default="all suites"
        ;;
    esac
    for target in ${targets:-$default}; do
        [ "$target" = deps ] || show_versions
        echo "== $release: make $target $*"
        make -j"$(nproc)" "$target" "$@" || exit $?
    done
}

# -------------------------------------------------------------------------------------------------

case $$:${1:-} in # the first process of namespaces, and no other, is their number 1
1:--in-namespaces)
    shift
    enter_chroot "$@"
    ;;
1:--in-chroot)
    shift
    run_make "$@"
    ;;
*)
    cd "$(dirname "$0")/.."
    check "$@"
    enter_namespaces "$@"
    ;;
esac
