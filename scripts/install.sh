#!/bin/sh
# install.sh install|uninstall FILE...: puts programs, recipes (*.yaml), shared libraries (*.so.0), headers (*.h) and files
# for pkg-config (*.pc) under DESTDIR and PREFIX, or takes them away.
#
# What was put there stands in PREFIX/share/varhead/installed, with checksums. Uninstalling removes these files where they
# are still what was installed, and then the directories that were made for them and are empty. Nothing else is
# touched: a file of another program, or one that was changed since, stays.
set -eu

root=${DESTDIR:-}${PREFIX:?expected where to install}
list=$root/share/varhead/installed
new=$list.new

fail() {
    echo "$*" >&2
    exit 2
}

# place_of FILE: where it goes, below the root.
place_of() {
    case $1 in
    *.yaml) echo "share/varhead/configs/${1##*/}" ;;
    *.so.*) echo "lib/${1##*/}" ;;
    *.h) echo "include/${1##*/}" ;;
    *.pc) echo "lib/pkgconfig/${1##*/}" ;;
    *) echo "bin/${1##*/}" ;;
    esac
}

# link_of PLACE: the name that compilers look for, lib/libvarhead.so, of a library's lib/libvarhead.so.0.
link_of() {
    echo "${1%.so.*}.so"
}

# line_of PLACE: what the list says of the file that is there now. A link counts as what it says.
line_of() {
    if [ -L "$root/$1" ]; then
        echo "$(readlink "$root/$1" | sha256sum | cut -c 1-64)  $1"
    else
        echo "$(sha256sum <"$root/$1" | cut -c 1-64)  $1"
    fi
}

# is_ours PLACE: the list has this very file, or it is a program of a version that kept no list.
is_ours() {
    if [ -f "$list" ] && grep -q -F -x -e "$(line_of "$1")" "$list"; then
        return 0
    fi
    case $1 in
    bin/*) grep -q -F -e "${1#bin/} (varhead)" "$root/$1" ;;
    *) return 1 ;;
    esac
}

# check PLACE: an error if another program or another's library is there.
check() {
    if [ -e "$root/$1" ] || [ -L "$root/$1" ]; then
        [ -f "$root/$1" ] || fail "$root/$1: is no file, and is not replaced; choose another PREFIX"
        case $1 in
        bin/*) is_ours "$1" || fail "$root/$1: is another program; move it, or choose another PREFIX" ;;
        lib/* | include/*) is_ours "$1" || fail "$root/$1: is another's file; move it, or choose another PREFIX" ;;
        esac
    fi
}

# make_directory PATH: with those above it; prints those that were not there, each after the one that it is in.
make_directory() {
    [ -d "$1" ] || {
        make_directory "$(dirname "$1")"
        mkdir "$1"
        echo "made ${1#"${DESTDIR:-}"}"
    }
}

# put FILE: a recipe that somebody has changed stays beside the new one, as quick.yaml.~1~.
put() {
    place=$(place_of "$1") mode=644 backup=none
    case $place in bin/*) mode=755 ;; esac
    [ ! -e "$root/$place" ] || cmp -s "$1" "$root/$place" || is_ours "$place" || backup=numbered
    install --backup=$backup -m "$mode" "$1" "$root/$place"
    line_of "$place" >>"$new"
    echo "$root/$place"
    case $place in *.so.*) put_link "$(link_of "$place")" "${place##*/}" ;; esac
}

# put_link PLACE TEXT
put_link() {
    ln -s -f "$2" "$root/$1"
    line_of "$1" >>"$new"
    echo "$root/$1"
}

install_all() {
    for file; do
        check "$(place_of "$file")"
        case $file in *.so.*) check "$(link_of "$(place_of "$file")")" ;; esac
    done
    made=$(for file; do
        make_directory "$(dirname "$root/$(place_of "$file")")"
    done)
    printf '%s\n' "$made" >"$new"
    for file; do
        put "$file"
    done
    # Files of an earlier version that this one does not have are still to be removed one day.
    [ ! -f "$list" ] || awk 'NR == FNR { known[substr($0, 67)]; next }
        /^made / || !(substr($0, 67) in known)' "$new" "$list" >"$new.more"
    if [ -f "$new.more" ]; then
        cat "$new" >>"$new.more"
        mv "$new.more" "$new"
    fi
    mv "$new" "$list"
}

uninstall_all() {
    [ -f "$list" ] || {
        echo "$list: is not there, so nothing is removed; make install writes it" >&2
        return
    }
    grep -E '^[0-9a-f]{64}  (bin|include|lib|lib/pkgconfig|share/varhead/configs)/[^/]+$' "$list" | while IFS= read -r line; do
        place=${line#*  }
        if [ ! -f "$root/$place" ] && [ ! -L "$root/$place" ]; then
            continue
        elif [ "$(line_of "$place")" = "$line" ]; then
            rm -f "$root/$place"
            echo "removed $root/$place"
        else
            echo "$root/$place: was changed since it was installed, and stays"
        fi
    done
    made=$(sed -n 's/^made //p' "$list" | tac)
    rm -f "$list"
    for place in share/varhead/configs share/varhead; do
        rmdir "$root/$place" 2>/dev/null || true
    done
    printf '%s\n' "$made" | while IFS= read -r place; do
        [ -z "$place" ] || rmdir "${DESTDIR:-}$place" 2>/dev/null || true
    done
}

action=$1
shift
case $action in
install) install_all "$@" ;;
uninstall) uninstall_all ;;
*) fail "expected install or uninstall, got $action" ;;
esac
