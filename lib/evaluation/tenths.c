/* Sums over elements in groups of nearly equal estimates, and then over the groups of each tenth.
 *
 * The group of an estimate is given by the leading bits of the float: its exponent and four bits of
 * its mantissa. So nothing is sorted, and the groups are in the order of the estimates.
 */
#include "evaluation/tenths.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MANTISSA_BITS = 4, SHIFT = 23 - MANTISSA_BITS };

/* Estimates from GREY_LEVEL_VARIANCE, above 2^-18, to 2^7: an eigenvalue of a block of 48 elements is
 * at most 48. Larger ones are in the last group. */
enum { FIRST = (127 - 18) << MANTISSA_BITS, GROUPS = 25 << MANTISSA_BITS };

typedef struct Group {
    double count, square, fourth;
} Group;

static int group_of(float c)
{
    uint32_t bits;
    memcpy(&bits, &c, sizeof bits);
    const uint32_t lead = bits >> SHIFT; /* c > 0, or NaN, whose bits are the largest */
    const uint32_t group = lead > FIRST ? lead - FIRST : 0;
    return (int)(group < GROUPS ? group : GROUPS - 1);
}

static void fill(Group *groups, const float *cov, const double *off2, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float c = cov[i] < (float)GREY_LEVEL_VARIANCE ? (float)GREY_LEVEL_VARIANCE : cov[i];
        const double ratio = off2[i] / (double)c;
        Group *group = &groups[group_of(fabsf(c))];
        group->count++;
        group->square += ratio;
        group->fourth += ratio * ratio;
    }
}

void tenths_of(const float *cov, const double *off2, size_t count, double *square, double *fourth)
{
    Group groups[GROUPS] = {{0}};
    const double size = (double)count / TENTHS;
    int tenth = 0;
    double room = size; /* in the current tenth */
    fill(groups, cov, off2, count);
    memset(square, 0, TENTHS * sizeof *square);
    memset(fourth, 0, TENTHS * sizeof *fourth);
    for (int g = 0; g < GROUPS; g++) {
        double left = groups[g].count;
        while (left > 0) {
            const bool is_last = tenth == TENTHS - 1;
            const double taken = is_last || left < room ? left : room;
            const double share = taken / groups[g].count / size;
            square[tenth] += share * groups[g].square;
            fourth[tenth] += share * groups[g].fourth;
            left -= taken;
            room -= taken;
            if (!is_last && room <= 0) {
                tenth++;
                room = size;
            }
        }
    }
}
