/* Sets of points in a space of features or pixels, and their bootstrap resamples.
 *
 * A bootstrap (Efron 1979) estimates how much a statistic would vary if the points were drawn
 * again. It draws new sets from the points themselves, with replacement. A resample is a weight for
 * each point: how often the point was drawn. So every statistic here is written for weights, and is
 * computed for many columns of weights at a time. Column 0 has the weight 1 everywhere, and gives
 * the statistic itself. The other columns are resamples.
 *
 * A statistic of two sets pairs column c of one with column c of the other. Equal seeds, streams
 * and counts give equal weights. So for two statistics of the same points, the differences of their
 * columns are resamples of the difference, and give its standard error.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Points {
    /* [count, dims] */
    const float *values;
    /* [count, columns]: how often a point counts. */
    const uint8_t *weights;
    int count, dims, columns;
} Points;

static inline const float *points_at(const Points *points, int i)
{
    return points->values + (size_t)i * (size_t)points->dims;
}

static inline const uint8_t *points_weights(const Points *points, int i)
{
    return points->weights + (size_t)i * (size_t)points->columns;
}

/* The number of points in a column, with repetitions: the sum of its weights. */
double points_total(const Points *points, int column);

/* weights [count, replicates + 1] := 1 in column 0; in every other column the result of `count`
 * draws with replacement. A column is a function of (seed, stream, column, count). */
void resample_draw(uint64_t seed, uint32_t stream, int count, int replicates, uint8_t *weights);

/* The bootstrap's standard error of values[0]: the standard deviation of values[1 .. columns - 1].
 * NAN for fewer than two resamples. */
double resample_error(const double *values, int columns);
