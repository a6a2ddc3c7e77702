/* "Did you mean ...?": finds the valid name that a mistyped one probably stands for. */
#pragma once

/* The name nearest to `word`; the first one if several are equally near, NULL if none is near.
 *
 * A name is near if its edit distance (insertions, deletions, substitutions and swaps of
 * neighbours) is at most a third of the longer length, or 1. Case does not count, and "-" equals
 * "_". A name that begins with `word`, of three letters or more, is near too. */
const char *nearest_name(const char *word, const char *const *names, int count);
