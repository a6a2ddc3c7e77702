#!/bin/sh
# libvarhead from an installed tree, as another project's program uses it: the examples, all
# functions and their effects on the process, the symbols, C++, other locales.
root=$PWD
. tests/script.sh
CC=${CC:-cc}
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}

# build SOURCE PROGRAM FLAG...: compiles against the installed tree.
build() {
    source=$1 program=$2
    shift 2
    eval "set -- \"\$@\" $(pkg-config --cflags --libs varhead)" # names with spaces
    # shellcheck disable=SC2086 # words
    works $CC -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror $sanitize "$source" -o "$program" "$@"
}

tree="$directory/a tree"
works make -s -C "$root" --no-print-directory install PREFIX="$tree"
PKG_CONFIG_PATH=$tree/lib/pkgconfig LD_LIBRARY_PATH=$tree/lib
export PKG_CONFIG_PATH LD_LIBRARY_PATH
[ "$(pkg-config --modversion varhead)" = "$(infer --version | sed 's/.* //')" ] || problem "varhead.pc: another version"

# -- Only what the header declares is seen
sed -n 's/^VARHEAD_API .*\(varhead_[a-z_0-9]*\)(.*/\1/p' "$tree/include/varhead.h" | sort >declared
nm -D --defined-only "$tree/lib/libvarhead.so" | sed -n 's/.* [A-Z] //p' | sed 's/@.*//' | grep -v '^VARHEAD_0$' | sort >shown
[ "$(wc -l <declared)" -ge 25 ] || problem "the header declares $(cat declared)"
cmp -s declared shown || problem "declared and shown differ: $(diff declared shown)"
readelf -d "$tree/lib/libvarhead.so" | grep -q 'SONAME.*\[libvarhead.so.0\]' || problem "another soname"
! readelf -d "$tree/lib/libvarhead.so" | grep -q cairo || problem "needs libraries that it does not use"

# -- A run with one head, whose stage 1 goes on afterwards
tiny_run r sn
works train --stage 1 --config tiny.yaml --run r --quiet --set stage1.steps=6

# -- The examples
works infer sample --run r --variance sn --steps 5 --count 16 --quiet --out program.png
build "$root/examples/sample.c" ./sample -Wno-unused-value
works ./sample r sn 5 c.png
cmp -s program.png c.png || problem "examples/sample.c: another picture than infer sample's"
works ./sample r sn 5 c.png # in the place of its own
./sample r sn 101 d.png 2>errors && problem "examples/sample.c: took 101 steps of 100"
[ "$(cat errors)" = "sample: steps: a trajectory has from 1 to 100 steps, not 101" ] || problem "said $(cat errors)"
if ! python3 -c 'import ctypes' 2>/dev/null; then
    skips "python3"
elif [ -n "$sanitize" ]; then
    skips "a library without sanitizers"
else
    works python3 "$root/examples/sample.py" r sn 5 python.png
    cmp -s program.png python.png || problem "examples/sample.py: another picture than infer sample's"
    python3 "$root/examples/sample.py" nowhere sn 5 d.png 2>errors && problem "examples/sample.py: opened nothing"
    grep -q '^sample: nowhere: there is no such run' errors || problem "said $(cat errors)"
fi

# -- Every function, and the process afterwards
# shellcheck disable=SC2046 # words
build "$root/tests/library/guest.c" ./guest -fopenmp $(pkg-config --cflags --libs hdf5)
mkdir out
# guest CONDITION VARIABLE=VALUE...
guest() {
    condition=$1
    shift
    rm -rf out/*
    head -c 3000 r/stage2-sn.h5 >out/damaged.h5
    env "$@" ./guest r r/stage2-sn.h5 out >printed 2>errors || problem "$condition: $(cat printed errors)"
    [ "$(ls out)" = "damaged.h5
grid.png" ] || problem "$condition: left $(ls out)"
}
guest "as it is"
guest "one thread" OMP_NUM_THREADS=1
guest "fewer threads than asked for" OMP_THREAD_LIMIT=1 OMP_DYNAMIC=true
if localedef -i de_DE -f UTF-8 "$directory/de_DE.UTF-8" 2>/dev/null; then
    # The C library leaks where it loads a locale from LOCPATH.
    guest "decimal commas" LOCPATH="$directory" LC_ALL=de_DE.UTF-8 ASAN_OPTIONS=detect_leaks=0
else
    skips "the sources of locales"
fi

# -- C++
if g++ --version >/dev/null 2>&1 && [ -z "$sanitize" ]; then
    cat >guest.cc <<'CC'
#include <varhead.h>
#include <string>
int main()
{
    VarheadModel *model = nullptr;
    VarheadError error;
    return varhead_open(&model, "nowhere", nullptr, &error) == VARHEAD_INPUT &&
           std::string(error.message).find("nowhere") == 0 ? 0 : 1;
}
CC
    eval "set -- $(pkg-config --cflags --libs varhead)"
    works g++ -Wall -Wextra -pedantic -Werror guest.cc -o cplusplus "$@"
    works ./cplusplus
else
    skips "g++"
fi

exit $result
