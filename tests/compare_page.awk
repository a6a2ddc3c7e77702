# Every number in the first table of compare.html, or in that of METRIC, against the CSV that it is from: values and
# errors to the digits that are shown, and bold where a column is best.
#
#     awk -v column=bits_per_dim -v group=trajectory -v metric= -v most=0 -f compare_page.awk nll.csv compare.html
#
# `group` is the CSV's column that tells the groups of rows apart, and `usual` its value where there are no groups. Prints what
# differs, and in the end how many cells were compared.
BEGIN { FS = "," }
FNR == 1 { file++ }
file == 1 && FNR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
file == 1 {
    if (metric != "" && $at["metric"] != metric)
        next
    key = $at["variance"] == "real" ? "real" : $at["variance"] SUBSEP $at[group] SUBSEP $at["steps"]
    value[key] = $at[column]
    error[key] = $at["stderr"]
    next
}
/<h3>|<h2>/ { inside = metric == "" ? /Likelihood/ : index($0, title) > 0; if (inside) current = usual }
!inside { next }
/<thead>/ { split($0, part, "K = "); for (k = 1; part[k + 1] != ""; k++) steps[k] = part[k + 1] + 0 }
/class="group"/ { current = $0; sub(/.*colspan="[0-9]*">[a-z]* /, "", current); sub(/<.*/, "", current); next }
/^<tr><th>/ {
    name = $0
    sub(/^<tr><th>/, "", name)
    sub(/<.*/, "", name)
    n = split($0, cell, "<td")
    for (k = 2; k <= n; k++) {
        key = name == "real images" ? "real" : name SUBSEP current SUBSEP steps[k - 1]
        shown = cell[k]
        sub(/^[^>]*>/, "", shown)
        deviation = shown
        sub(/ .*/, "", shown)
        sub(/.*± /, "", deviation)
        sub(/<.*/, "", deviation)
        cells++
        if (!(key in value) || far(shown, value[key]) || far(deviation, error[key]))
            print "cell", name, current, steps[k - 1] ": " shown, deviation ", expected", value[key], error[key]
        if (name == "real images")
            continue
        bold[k] = bold[k] (cell[k] ~ /class="best"/ ? " " value[key] : "")
        if (!(k in best) || (most ? value[key] + 0 > best[k] : value[key] + 0 < best[k]))
            best[k] = value[key] + 0
    }
}
/<\/table>/ && cells {
    for (k in best) {
        count = split(bold[k], b, " ")
        if (count == 0)
            print "no best in column", k - 1
        for (i = 1; i <= count; i++)
            if (b[i] + 0 != best[k])
                print "bold", b[i], "in column", k - 1 ", expected", best[k]
    }
    exit
}
END { print cells + 0, "compared" }

# Further apart than the digits of `shown`, or no numbers.
function far(shown, exact, digits)
{
    if (shown !~ /^-?[0-9]/ || exact !~ /^-?[0-9]/)
        return 1
    digits = index(shown, ".") ? length(shown) - index(shown, ".") : 0
    return (shown - exact) ^ 2 > (0.51 * 10 ^ -digits) ^ 2
}
