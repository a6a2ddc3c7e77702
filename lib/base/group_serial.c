/* A group of one: every sum is its only term, and there is nobody to wait for. */
#include "base/group_way.h"

static void sum_floats(float *values, size_t count)
{
    (void)values;
    (void)count;
}

static void sum_doubles(double *values, size_t count)
{
    (void)values;
    (void)count;
}

static void move(void *data, size_t bytes, int from)
{
    (void)data;
    (void)bytes;
    (void)from;
}

static void gather(void *data, const size_t *starts)
{
    (void)data;
    (void)starts;
}

static int largest(int value)
{
    return value;
}

const GroupWay group_serial = {
    .rank = 0,
    .size = 1,
    .sum_floats = sum_floats,
    .sum_doubles = sum_doubles,
    .collect_doubles = sum_doubles,
    .broadcast = move,
    .bring = move,
    .gather = gather,
    .largest = largest,
};
