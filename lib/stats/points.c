/* Bootstrap resamples of points (Efron 1979; the idea is in points.h).
 *
 * resample_draw draws `count` indices with replacement for each resample, and counts how often each
 * index comes up. The counts are the weights. Draw i of resample r depends on (seed, stream, r, i)
 * only.
 */
#include "stats/points.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

double points_total(const Points *points, int column)
{
    double total = 0;
    for (int i = 0; i < points->count; i++)
        total += points_weights(points, i)[column];
    return total;
}

void resample_draw(uint64_t seed, uint32_t stream, int count, int replicates, uint8_t *weights)
{
    const size_t columns = (size_t)replicates + 1;
    memset(weights, 0, (size_t)count * columns);
    for (int i = 0; i < count; i++)
        weights[(size_t)i * columns] = 1;
    for (int r = 1; r <= replicates; r++) {
        const RandomKey key = {
            .seed = seed, .purpose = RANDOM_RESAMPLE, .substream = stream, .step = (uint32_t)r};
        for (int i = 0; i < count; i++) {
            /* A byte is enough: the number of draws of a point has a Poisson distribution with mean
             * 1, and practically never reaches 256. */
            const uint32_t drawn = random_below(key, (uint32_t)i, (uint32_t)count);
            weights[drawn * columns + (size_t)r]++;
        }
    }
}

double resample_error(const double *values, int columns)
{
    const int replicates = columns - 1;
    double mean = 0, square = 0;
    if (replicates < 2)
        return NAN;
    for (int r = 1; r <= replicates; r++)
        mean += values[r] / replicates;
    for (int r = 1; r <= replicates; r++)
        square += (values[r] - mean) * (values[r] - mean);
    return sqrt(square / (replicates - 1));
}
