/* "Did you mean ...?": the valid name that a mistyped one probably stands for. */
#pragma once

/* The name nearest to `word`, the first of equally near ones; NULL when none is near.
 *
 * Near is an edit distance (insertions, deletions, substitutions and swaps of neighbours) of at
 * most a third of the longer one's length, at least 1, where case does not count and "-" equals
 * "_"; or `word` is the beginning, of three letters at least, of a name. */
const char *nearest_name(const char *word, const char *const *names, int count);
