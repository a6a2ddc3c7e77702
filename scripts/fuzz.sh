#!/bin/sh
# Searches for files that break a reader: `make fuzz TARGET=... SECONDS=...` calls it, after building.
#
# The search begins with the seeds, with tests/corpus/<target> and with what earlier searches reached, kept in
# build/fuzz/corpus/<target>. It goes on after a crash, a hang or a want of memory, and leaves the file in
# build/fuzz/found/<target>. In the end the ordinary build replays what was found: only what that does not
# survive is a fault (exit status 1); the rest the HDF5 library has crashed on, and the programs refuse.
set -eu
corpus=build/fuzz/corpus/$TARGET
found=build/fuzz/found/$TARGET
mkdir -p "$corpus" "$found"
build/fuzz/seeds build/fuzz/seed-files
set -- "$corpus"
[ ! -d "build/fuzz/seed-files/$TARGET" ] || set -- "$@" "build/fuzz/seed-files/$TARGET"
[ ! -d "tests/corpus/$TARGET" ] || set -- "$@" "tests/corpus/$TARGET"
longest=16384
case $TARGET in checkpoint | resume | classifier) longest=131072 ;; esac

# Memory that was never set is filled, so that a use of it shows. HDF5 forgets some when it gives up.
export ASAN_OPTIONS=max_malloc_fill_size=16777216:allocator_may_return_null=1:detect_leaks=1
export LSAN_OPTIONS=suppressions=fuzz/leaks.supp:print_suppressions=0
export OMP_NUM_THREADS=1
"build/fuzz/fuzz_$TARGET" "$@" -fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 \
    -max_total_time="$SEARCH_SECONDS" -max_len="$longest" -timeout=10 -rss_limit_mb=4096 \
    -artifact_prefix="$found/" >"build/fuzz/$TARGET.log" 2>&1 || true
grep -q '^#' "build/fuzz/$TARGET.log" || {
    echo "the search did not begin: $(tail -n 1 "build/fuzz/$TARGET.log")" >&2
    exit 1
}
grep '^#' "build/fuzz/$TARGET.log" | tail -n 1

unset ASAN_OPTIONS LSAN_OPTIONS
if [ -z "$(ls -A "$found")" ]; then
    echo "nothing was found"
else
    build/replay "$TARGET" "$found"/*
fi
