# A list of cases in which every pair of values of two factors occurs, in the least number that a greedy choice finds.
# The same input gives the same cases with every awk.
#
#     awk -f pairwise.awk <<END
#     --steps=1 --steps=2,9
#     - --quiet
#     END
#
# A line of input is a factor with its values; `-` stands for nothing. A line of output is a case: one value of each
# factor, in their order, without those that are nothing.
#
# How: a case begins with the first pair that no case has yet. The other factors take, one after another, the value that
# makes most new pairs with those that have theirs; in a tie the value that occurred least.
{
    values[NR] = NF
    for (i = 1; i <= NF; i++)
        text[NR, i] = $i
}
END {
    for (f = 1; f < NR; f++)
        for (g = f + 1; g <= NR; g++)
            for (i = 1; i <= values[f]; i++)
                for (j = 1; j <= values[g]; j++)
                    if (!((f, i, g, j) in done))
                        make_case(f, i, g, j)
}

function make_case(f, i, g, j, h, k)
{
    for (h = 1; h <= NR; h++)
        chosen[h] = 0
    chosen[f] = i
    chosen[g] = j
    for (h = 1; h <= NR; h++)
        if (!chosen[h])
            chosen[h] = best_value(h)
    line = ""
    for (h = 1; h <= NR; h++) {
        occurred[h, chosen[h]]++
        for (k = h + 1; k <= NR; k++)
            done[h, chosen[h], k, chosen[k]]
        if (text[h, chosen[h]] != "-")
            line = line " " text[h, chosen[h]]
    }
    print substr(line, 2)
}

function best_value(h, v, new, most, best)
{
    most = -1
    for (v = 1; v <= values[h]; v++) {
        new = new_pairs(h, v)
        if (new > most || (new == most && occurred[h, v] < occurred[h, best])) {
            most = new
            best = v
        }
    }
    return best
}

function new_pairs(h, v, k, count)
{
    for (k = 1; k <= NR; k++)
        if (chosen[k])
            count += k < h ? !((k, chosen[k], h, v) in done) : !((h, v, k, chosen[k]) in done)
    return count + 0
}
