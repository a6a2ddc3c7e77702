#!/bin/sh
# Runs test programs and test scripts (*.sh), one line each, all of them whatever fails; shows the
# output of those that fail, and lists them at the end. Run from the repository root: `make test`.
#
#     sh tests/run.sh build/tests/test_schedule tests/cli/sample.sh ...
set -u

# Waiting threads sleep instead of spinning: on a busy machine that is several times faster, and
# no test measures speed.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

count=0
failed=
for test in "$@"; do
    count=$((count + 1))
    start=$(date +%s)
    case $test in
    *.sh) sh "$test" >"$output" 2>&1 ;;
    *) "$test" >"$output" 2>&1 ;;
    esac
    status=$?

    # A test program ends with its own summary; a script says nothing that is needed here.
    case $test in
    *.sh) summary="$(printf '%-22s' "cli/$(basename "$test")") $(($(date +%s) - start)) s" ;;
    *) summary=$(tail -n 1 "$output") ;;
    esac

    if [ $status -eq 0 ]; then
        printf 'ok    %s\n' "$summary"
    else
        printf 'FAIL  %s (exit status %d)\n' "$test" $status
        sed 's/^/      | /' "$output"
        failed="$failed $test"
    fi
done

if [ -n "$failed" ]; then
    echo
    echo "failed:"
    for test in $failed; do
        echo "  $test"
    done
    exit 1
fi
echo "all passed: $count"
