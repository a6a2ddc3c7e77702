/* Sets of points in a space of features or of pixels, which statistics compare; and resamples of them.
 *
 * A bootstrap (Efron 1979) asks how a statistic would scatter if the points were drawn again, and draws
 * them again from themselves, with replacement. A resample is nothing but how often each point counts,
 * so that every statistic here is written once, for weights, and computed for many columns of weights
 * at a time: column 0 has every point once, which is the statistic itself, the others are resamples.
 *
 * What compares two sets takes column c of both. Equal streams give equal weights, so the columns of two
 * statistics on the same points belong together: the scatter of their difference is that of the
 * difference of columns.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Points {
    const float *values;    /* [count, dims] */
    const uint8_t *weights; /* [count, columns]: how often a point counts */
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

/* How many points column c has, with repetitions. */
double points_total(const Points *points, int column);

/* weights [count, replicates + 1] := ones in column 0, and in each of the others `count` draws with
 * replacement, a function of (seed, stream, column). */
void resample_draw(uint64_t seed, uint32_t stream, int count, int replicates, uint8_t *weights);

/* The bootstrap's standard error: the standard deviation of values[1 .. columns - 1]; NAN for fewer than
 * two resamples. */
double resample_error(const double *values, int columns);
