#!/bin/sh
# `make install`, `uninstall` and `clean` in places with other files: files that are not ours stay,
# for every name of the directory.
root=$PWD
. tests/script.sh

make_in_root() {
    make -s -C "$root" --no-print-directory "$@"
}

# same NAME TEXT: the file holds this.
same() {
    [ "$(cat "$1" 2>&1)" = "$2" ] || problem "$1: expected \"$2\", found \"$(cat "$1" 2>&1)\""
}

# gone PATH...
gone() {
    for path; do
        [ ! -e "$path" ] || problem "$path: is still there"
    done
}

# -- A name with a space, whose first half is a directory of the user's
mkdir my "it's"
echo precious >my/file
PREFIX="$directory/my tools"
works make_in_root install PREFIX="$PREFIX"
works "$PREFIX/bin/train" --version
works "$PREFIX/bin/infer" --version
cmp "$root/configs/quick.yaml" "$PREFIX/share/varhead/configs/quick.yaml" || problem "quick.yaml differs"
cmp "$root/lib/library/varhead.h" "$PREFIX/include/varhead.h" || problem "varhead.h differs"
[ "$(readlink "$PREFIX/lib/libvarhead.so")" = libvarhead.so.0 ] || problem "libvarhead.so is no link to libvarhead.so.0"
for name in lib/libvarhead.so.0 lib/pkgconfig/varhead.pc; do
    [ -f "$PREFIX/$name" ] || problem "$name is not there"
done
echo mine >"$PREFIX/bin/mine"
echo mine >"$PREFIX/lib/libmine.so.0"
echo mine >"$PREFIX/include/mine.h"
echo mine >"$PREFIX/share/varhead/notes"
echo mine >"$PREFIX/share/varhead/configs/mine.yaml"
works make_in_root install PREFIX="$PREFIX" # once more, in the same place
works make_in_root uninstall PREFIX="$PREFIX"
same my/file precious
same "$PREFIX/bin/mine" mine
same "$PREFIX/lib/libmine.so.0" mine
same "$PREFIX/include/mine.h" mine
same "$PREFIX/share/varhead/notes" mine
same "$PREFIX/share/varhead/configs/mine.yaml" mine
[ "$(find "$PREFIX" ! -type d | wc -l)" -eq 5 ] || problem "not only mine: $(find "$PREFIX" -type f)"

# -- Nothing is left where nothing was
for PREFIX in "$directory/a b/c" "$directory/it's/\"new\""; do
    works make_in_root install PREFIX="$PREFIX"
    works make_in_root install PREFIX="$PREFIX"
    works make_in_root uninstall PREFIX="$PREFIX"
    gone "$PREFIX" "$directory/a b"
done
[ -d "it's" ] || problem "a directory that was there is gone"

# -- A stage
works make_in_root install DESTDIR="$directory/the stage" PREFIX=/opt/my\ tools
[ -x "the stage/opt/my tools/bin/train" ] || problem "DESTDIR: no program"
works make_in_root uninstall DESTDIR="$directory/the stage" PREFIX=/opt/my\ tools
gone "the stage/opt"

# -- What was never installed is not removed, and another's program not replaced
mkdir -p other/bin
echo other >other/bin/train
works make_in_root uninstall PREFIX="$directory/other"
same other/bin/train other
make_in_root install PREFIX="$directory/other" >printed 2>errors && problem "replaced another's program"
grep -q -F "other/bin/train: is another program" errors || problem "install over another's: $(cat errors)"
same other/bin/train other

# -- Nor another's library, header or link
for name in lib/libvarhead.so.0 lib/libvarhead.so include/varhead.h lib/pkgconfig/varhead.pc; do
    rm -rf other
    mkdir -p other/lib/pkgconfig other/include
    echo other >"other/$name"
    make_in_root install PREFIX="$directory/other" >printed 2>errors && problem "replaced another's $name"
    grep -q -F "other/$name: is another's file" errors || problem "install over another's $name: $(cat errors)"
    same "other/$name" other
    [ "$(find other ! -type d | wc -l)" -eq 1 ] || problem "installed a half: $(find other)"
done

# -- A library that somebody has put in the place of ours stays
PREFIX=$directory/replaced
works make_in_root install PREFIX="$PREFIX"
echo mine >"$PREFIX/lib/libmine.so.7"
ln -sf libmine.so.7 "$PREFIX/lib/libvarhead.so"
works make_in_root uninstall PREFIX="$PREFIX"
[ "$(readlink "$PREFIX/lib/libvarhead.so")" = libmine.so.7 ] || problem "removed another's link"
[ "$(find "$PREFIX" ! -type d | wc -l)" -eq 2 ] || problem "uninstall left $(find "$PREFIX" ! -type d)"

# -- A recipe that somebody has changed stays
PREFIX=$directory/changed
works make_in_root install PREFIX="$PREFIX"
echo changed >"$PREFIX/share/varhead/configs/quick.yaml"
works make_in_root install PREFIX="$PREFIX"
same "$PREFIX/share/varhead/configs/quick.yaml.~1~" changed
echo changed >"$PREFIX/share/varhead/configs/quick.yaml"
works make_in_root uninstall PREFIX="$PREFIX"
same "$PREFIX/share/varhead/configs/quick.yaml" changed
gone "$PREFIX/bin"

# -- Clean: in a copy of the tree, with a build that takes a moment
mkdir tree
cp -r "$root/Makefile" "$root/scripts" "$root/lib" "$root/train" "$root/infer" "$root/tests" "$root/configs" tree
cd tree || exit 1
unset MAKEFLAGS MAKELEVEL # of the make that runs this test: its BUILD is not meant
mkdir foreign
echo precious >foreign/file
echo "foreign/lib/a.o: a.c" >foreign/a.d # no object's
works make -s BUILD=foreign foreign/lib/base/error.o
works make -s build/lib/base/error.o
works make -s BUILD=build/other build/other/lib/base/error.o
echo precious >build/lib/file
works make -s clean BUILD=foreign
same foreign/file precious
same build/lib/file precious
[ "$(find foreign build -type f | wc -l)" -eq 3 ] || problem "clean left $(find foreign build -type f)"
gone build/other
rm -r build
works make -s build/lib/base/error.o
works make -s clean
gone build bin

# A name that make would take apart, none, and the root of all: refused.
mkdir some where
for name in "some where" "" /; do
    make -s clean BUILD="$name" >printed 2>errors && problem "clean BUILD=\"$name\": was taken"
    grep -q -F "BUILD=$name: expected the name of a directory, without spaces" errors ||
        problem "clean BUILD=\"$name\": $(cat errors)"
done
{ [ -d some ] && [ -d where ]; } || problem "clean removed directories with half of the name"
# Sources are not built, whatever the directory is called.
works make -s clean BUILD=lib
[ -f lib/base/error.c ] || problem "clean BUILD=lib removed the sources"

exit $result
