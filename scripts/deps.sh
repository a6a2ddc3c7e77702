#!/bin/sh
# Finds which of varhead's libraries this machine lacks, and installs them from Debian.
#
#     sh scripts/deps.sh check             say what is missing; exit status 1 if anything is
#     sh scripts/deps.sh install           install what is missing
#     sh scripts/deps.sh install mpi       MPI too, if it can be had
#     sh scripts/deps.sh install dataset   Fashion-MNIST too, if it can be had; `mpi dataset` for both
#     sh scripts/deps.sh list              the packages of all libraries, missing or not
#
# A library counts as present when the compiler finds its header, wherever it came from; Debian's
# package manager is asked only when something is missing. So where nothing is, this takes some
# tens of milliseconds, and `make` can afford it every time.
set -u

CC=${CC:-cc}
action=${1:-check}
[ $# -eq 0 ] || shift
extras=" $* "
fashion_mnist=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz

compiler=$(basename "${CC%% *}")
case $compiler in
clang-[0-9]*) openmp=libomp-${compiler#clang-}-dev ;;
clang) openmp=libomp-dev ;;
*) openmp=gcc ;;
esac
case $compiler in
cc | gcc) compiler_package=gcc ;;
*) compiler_package=$compiler ;;
esac

# Debian's package, its pkg-config module where it has one, the header that shows it is there.
# (OpenBLAS takes the place of the reference LAPACK, and is six times as fast.)
libraries() {
    cat <<END
libc6-dev               -         stdlib.h
$openmp                 -         omp.h
libdnnl-dev             -         dnnl.h
librandom123-dev        -         Random123/philox.h
libhdf5-dev             hdf5      hdf5.h
libyaml-dev             yaml-0.1  yaml.h
libpng-dev              libpng    png.h
libjpeg-dev             libjpeg   jpeglib.h
libarchive-dev          libarchive archive.h
zlib1g-dev              zlib      zlib.h
liblapacke-dev          lapacke   lapacke.h
libopenblas-openmp-dev  openblas  openblas_config.h
libcairo2-dev           cairo     cairo-svg.h
libjansson-dev          jansson   jansson.h
check                   check     check.h
END
}

# What varhead does without where it can't be had: MPI, and the mpirun of the tests. MPI=0 asks for none.
install_mpi() {
    if [ "${MPI:-1}" = 0 ] || pkg-config --exists mpi-c || command -v mpicc >/dev/null 2>&1; then
        return
    fi
    apt_install libopenmpi-dev openmpi-bin || echo "Going on without MPI." >&2
}

# Reads that table and prints the packages that are missing: those whose module is unknown, and,
# as one question to the preprocessor, those whose header it does not find.
missing_libraries() {
    flags=
    questions=
    while read -r package module header; do
        if [ "$module" != - ]; then
            if ! pkg-config --exists "$module"; then
                echo "$package"
                continue
            fi
            flags="$flags $(pkg-config --cflags "$module")"
        fi
        questions="$questions
#if !__has_include(<$header>)
$package
#endif"
    done
    # shellcheck disable=SC2086 # both are a command and lists of words
    echo "$questions" | $CC $flags -fopenmp -E -P -x c -
}

# Without a compiler or pkg-config nothing can be asked: the whole table counts as missing.
missing_packages() {
    tools=
    command -v "$compiler" >/dev/null 2>&1 || tools=$compiler_package
    command -v pkg-config >/dev/null 2>&1 || tools="$tools pkg-config"
    if [ -z "$tools" ]; then
        libraries | missing_libraries
    else
        echo "$tools" | xargs -n 1
        libraries | while read -r package _; do echo "$package"; done
    fi | sort -u
}

# as_root COMMAND...
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# apt_install PACKAGE...: false, having said why, where it can't be done.
apt_install() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "There is no apt-get here to install what is missing. Debian's names for it:" >&2
        echo "    $*" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        echo "There is no sudo here to install what is missing. As root, run:" >&2
        echo "    apt-get update && apt-get install --no-install-recommends $*" >&2
        return 1
    fi
    echo "Installing from Debian: $*"
    as_root apt-get -qq update # where this fails, the package lists at hand may do
    if ! as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "$@" >/dev/null; then
        echo "apt-get could not install: $*" >&2
        return 1
    fi
}

if [ "$action" = list ]; then
    libraries | while read -r package _; do echo "$package"; done
    exit
fi
missing=$(missing_packages | xargs)
if [ -n "$missing" ] && [ "$action" = check ]; then
    echo "varhead needs Debian packages that are missing here: $missing" >&2
    echo "\`make deps\` installs them." >&2
    exit 1
fi
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of words
    apt_install $missing || exit 1
    missing=$(missing_packages | xargs)
    if [ -n "$missing" ]; then
        echo "Installed, but the compiler ($CC) still does not find: $missing" >&2
        exit 1
    fi
fi

# The data set is a convenience: without it the demo trains on the built-in mixture.
case $extras in
*' dataset '*)
    [ -e "$fashion_mnist" ] || apt_install dataset-fashion-mnist || echo "Going on without Fashion-MNIST." >&2
    ;;
esac
case $extras in
*' mpi '*) install_mpi ;;
esac
