#!/bin/sh
# clean.sh BUILD BIN: removes what `make` has built in BUILD, with the programs in BIN, and what it has built in
# directories of BUILD (build/clang, build/sanitize). Then the directories that are empty.
#
# Whatever else lies there stays: BUILD may be any directory of the user's. An object is ours where the compiler's list of
# headers beside it (X.d) says that it is of X.o; a directory is one of builds where `make` has left the flags.
set -eu

# objects_of BUILD: the paths of its objects, without .o.
objects_of() {
    find "$1" -maxdepth 4 -name '*.d' -type f 2>/dev/null | while IFS= read -r list; do
        object=${list%.d}
        if grep -q -F -e "${object#./}.o:" "$list"; then
            echo "$object"
        fi
    done
}

# remove_build BUILD BIN
remove_build() {
    objects_of "$1" | while IFS= read -r object; do
        case $object in
        "$1"/tests/test_*) rm -f "$object" ;;
        "$1"/fuzz/seeds | "$1"/fuzz/replay) rm -f "$1/${object##*/}" ;;
        "$1"/fuzz/*) rm -f "$1/fuzz_${object##*/}" ;;
        esac
        rm -f "$object.o" "$object.d"
    done
    for part in lib train infer bench tests fuzz; do
        find "$1/$part" -depth -type d -empty -delete 2>/dev/null || true
    done
    rm -f "$1/libvarhead.a" "$2/train" "$2/infer" "$2/bench" "$1/flags"
    rmdir "$2" "$1" 2>/dev/null || true
}

[ ! -f "$1/flags" ] || remove_build "$1" "$2"
find "$1" -mindepth 2 -name flags -type f 2>/dev/null | while IFS= read -r flags; do
    remove_build "${flags%/flags}" "${flags%/flags}/bin"
done
rmdir "$1" 2>/dev/null || true
