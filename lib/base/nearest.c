/* Edit distances by dynamic programming, of which three rows are kept (Damerau 1964, in the
 * restricted form that never edits a swapped pair again). Words come from files, so longer ones
 * than 64 letters are refused before anything is computed. */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 64 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* A letter for comparison: lower case, "-" as "_". Only ASCII, so that the result does not depend
 * on the locale. */
static char fold(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return c == '-' ? '_' : c;
}

static int edit_distance(const char *a, int a_length, const char *b, int b_length)
{
    /* row[k % 3][j]: the distance between the first k letters of a and the first j of b. */
    int row[3][LONGEST + 1];
    for (int j = 0; j <= b_length; j++)
        row[0][j] = j;

    for (int i = 1; i <= a_length; i++) {
        int *now = row[i % 3];
        const int *last = row[(i + 2) % 3];
        const int *last_but_one = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= b_length; j++) {
            char x = fold(a[i - 1]), y = fold(b[j - 1]);
            now[j] = smaller(last[j - 1] + (x != y), smaller(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && y == fold(a[i - 2]))
                now[j] = smaller(now[j], last_but_one[j - 2] + 1);
        }
    }
    return row[a_length % 3][b_length];
}

const char *nearest_name(const char *word, const char *const *names, int count)
{
    size_t length = strlen(word);
    if (length == 0 || length > LONGEST)
        return NULL;

    const char *nearest = NULL;
    int nearest_distance = LONGEST + 1;
    for (int i = 0; i < count; i++) {
        size_t name_length = strlen(names[i]);
        if (name_length > LONGEST)
            continue;
        int distance = edit_distance(word, (int)length, names[i], (int)name_length);
        int allowed = (int)(length > name_length ? length : name_length) / 3;
        if (allowed < 1)
            allowed = 1;
        if (length >= 3 && strncmp(word, names[i], length) == 0)
            distance = smaller(distance, 1);
        if (distance <= allowed && distance < nearest_distance) {
            nearest = names[i];
            nearest_distance = distance;
        }
    }
    return nearest;
}
