/* Golden-section search. Two inner points divide the interval in the golden ratio. The part beyond
 * the worse point is cut off, and the better one is an inner point of the rest. */
#include "stats/golden_section.h"

#include <assert.h>
#include <math.h>

typedef struct Point {
    double x, y;
} Point;

static bool evaluate(const Scalar *function, Point *point, Error *error)
{
    if (!function->value(function->context, point->x, &point->y, error))
        return false;
    if (isnan(point->y))
        point->y = INFINITY;
    return true;
}

bool golden_section(const Scalar *function, double low, double high, int values, double *best,
                    double *least, Error *error)
{
    assert(values >= 2 && low <= high);
    const double part = (sqrt(5) - 1) / 2;
    Point left = {.x = high - part * (high - low)}, right = {.x = low + part * (high - low)};
    if (!evaluate(function, &left, error) || !evaluate(function, &right, error))
        return false;
    for (int i = 2; i < values; i++) {
        const bool keeps_left = left.y <= right.y;
        if (keeps_left) {
            high = right.x;
            right = left;
            left.x = high - part * (high - low);
        } else {
            low = left.x;
            left = right;
            right.x = low + part * (high - low);
        }
        if (!evaluate(function, keeps_left ? &left : &right, error))
            return false;
    }
    const Point *point = left.y <= right.y ? &left : &right;
    *best = point->x;
    *least = point->y;
    return true;
}
