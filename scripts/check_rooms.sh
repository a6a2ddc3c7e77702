#!/bin/sh
# Checks the house: no room uses one above it, no circle of files, each outside library has its door, and the listing has
# every file.
#
#     scripts/check_rooms.sh
#
# The order of the rooms is the listing in docs/design.md, from the top down. A line that begins with four spaces and the
# name of a folder begins a room. Its other words, and those of the lines below that begin with more spaces, are names of
# files without .c and .h; a name may end in *. Words in brackets are remarks. The doors are the lines that begin with
# "    door". A .c file and its header are one; a header without a .c file is what several files share, and its includes
# are not followed.
set -eu
cd "$(dirname "$0")/.."

{
    printf 'source %s\n' lib/*/*.c train/*.c infer/*.c infer/*/*.c
    printf 'file %s\n' lib/*/*.[ch] train/*.[ch] infer/*.[ch] infer/*/*.[ch] bench/*.[ch]
    grep -n '^ *#include' lib/*/*.[ch] train/*.[ch] infer/*.[ch] infer/*/*.[ch]
} | awk '
    function room(path) { sub(/\/[^\/]*$/, "", path); return path }
    function unit(path) { sub(/\.[ch]$/, "", path); return path }
    function complain(text) { print text; wrong = 1 }
    # Notes the names of files in a line of the listing, from field `first` on.
    function note_names(first,   i) {
        gsub(/\([^)]*\)/, "")
        for (i = first; i <= NF; i++)
            if ($i ~ /\*$/) beginnings[now "/" substr($i, 1, length($i) - 1)] = 1
            else listed[now "/" $i] = 1
    }
    # Whether the listing has the file, by its name or by the beginning of it.
    function is_listed(u,   b) {
        if (u in listed) return 1
        for (b in beginnings) if (index(u, b) == 1) return 1
        return 0
    }
    # Depth first; `trail` is the way that led here.
    function visit(u, trail,   k, n, next_units) {
        state[u] = 1
        n = split(uses[u], next_units, " ")
        for (k = 1; k <= n; k++) {
            if (state[next_units[k]] == 1)
                complain("circle of files: " trail u " -> " next_units[k])
            else if (!state[next_units[k]])
                visit(next_units[k], trail u " -> ")
        }
        state[u] = 2
    }
    FILENAME != "-" && /^    door / {
        for (i = 3; i <= NF; i++) door[$2] = door[$2] " " $i " "
        next
    }
    FILENAME != "-" && /^    [a-z0-9\/]+\/ / {
        now = substr($1, 1, length($1) - 1)
        height[now] = -FNR
        note_names(2)
        next
    }
    FILENAME != "-" && /^     / && now != "" { note_names(1); next }
    FILENAME != "-" { now = ""; next }
    $1 == "source" { has_source[unit($2)] = 1; next }
    $1 == "file" { has_file[unit($2)] = 1; next }
    {
        split($0, part, ":")
        from = part[1]
        if ($2 ~ /^</) { # part[3] ends in the name of a header
            name = $2; gsub(/[<>]/, "", name)
            for (header in door)
                if (name ~ header && index(door[header], " " from " ") == 0)
                    complain(from ":" part[2] ": includes <" name ">; its door is" door[header])
            next
        }
        to = $2; gsub(/"/, "", to)
        if (to !~ /^(train|infer)\//) to = "lib/" to
        if (!(room(from) in height)) complain(from ": docs/design.md lists no such room")
        else if (height[room(to)] > height[room(from)])
            complain(from ":" part[2] ": includes " to ", which is in a room above")
        if (unit(from) != unit(to) && has_source[unit(from)]) uses[unit(from)] = uses[unit(from)] " " unit(to)
    }
    END {
        for (u in uses) if (!state[u]) visit(u, "")
        for (u in has_file) if (!is_listed(u)) complain(u ": docs/design.md does not list it")
        for (u in listed) if (!(u in has_file)) complain(u ": docs/design.md lists it, and there is no such file")
        exit wrong
    }
' docs/design.md - || { echo "scripts/check_rooms.sh: see above" >&2; exit 1; }
