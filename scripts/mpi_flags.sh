#!/bin/sh
# Prints the compiler's flags for MPI, or nothing where there is no MPI.
#
#     sh scripts/mpi_flags.sh cflags      -DVARHEAD_MPI and where mpi.h is
#     sh scripts/mpi_flags.sh libs        the library
#
# MPI in the environment: 0 for none; openmpi or mpich for that one, where a machine has both; else whichever is there.
# pkg-config is asked first: `mpi-c` is Debian's name for the MPI that the machine has chosen, Open MPI or MPICH. Elsewhere
# mpicc knows, which MPI's own installation or a cluster's module brings. (A cross compiler's pkg-config has a directory of
# its own, and mpicc is then of another machine.)
set -u

[ "${MPI:-1}" != 0 ] || exit 0

case ${MPI:-} in
openmpi) modules='ompi-c ompi' ;;
mpich) modules=mpich ;;
*) modules='mpi-c ompi-c ompi mpich' ;;
esac

# chosen: the module of pkg-config.
chosen=''
for module in $modules; do
    if pkg-config --exists "$module" 2>/dev/null; then
        chosen=$module
        break
    fi
done

# of_mpicc PATTERN: those of the flags that mpicc passes to the compiler.
of_mpicc() {
    mpicc -show 2>/dev/null | tr ' ' '\n' | grep -E -e "$1" | xargs
}

# Debian's module has options to the linker among those to the compiler.
if [ -n "$chosen" ]; then
    cflags=$(pkg-config --cflags "$chosen" | tr ' ' '\n' | grep -E '^-[ID]' | xargs)
    libs=$(pkg-config --libs "$chosen")
elif [ -z "${PKG_CONFIG_LIBDIR:-}" ] && command -v mpicc >/dev/null 2>&1; then
    cflags=$(of_mpicc '^-[ID]')
    libs=$(of_mpicc '^-[Ll]|^-Wl,')
else
    exit 0
fi

case ${1:-} in
cflags) echo "-DVARHEAD_MPI $cflags" ;;
libs) echo "$libs" ;;
*)
    echo "usage: scripts/mpi_flags.sh cflags|libs" >&2
    exit 2
    ;;
esac
