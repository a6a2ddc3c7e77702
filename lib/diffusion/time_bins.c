/* Bins of timesteps: made evenly, read from a file, and searched.
 *
 * Even bins have the limits floor(b N / B). The search is linear, because there are at most
 * TIME_BINS_MAX bins.
 */
#include "diffusion/time_bins.h"

#include <assert.h>
#include <string.h>

TimeBins time_bins_even(int count, int total)
{
    assert(1 <= count && count <= total && count <= TIME_BINS_MAX);
    TimeBins bins = {.count = count};
    for (int b = 0; b <= count; b++)
        bins.first[b] = (int)((int64_t)b * total / count);
    return bins;
}

TimeBins time_bins_usual(int total)
{
    enum { EVEN = 12 };
    TimeBins bins = time_bins_even(total < EVEN ? total : EVEN, total);
    while (bins.first[1] >= 4) {
        memmove(bins.first + 2, bins.first + 1, (size_t)bins.count * sizeof *bins.first);
        bins.first[1] /= 2;
        bins.count++;
    }
    return bins;
}

bool time_bins_read(TimeBins *bins, const int64_t *first, int count, int total, Error *error)
{
    if (count < 1 || count > TIME_BINS_MAX)
        return error_input(error, "expected 1 to %d bins, found %d", TIME_BINS_MAX, count);
    *bins = (TimeBins){.count = count};
    for (int b = 0; b <= count; b++) {
        const int64_t least = b == 0 ? 0 : bins->first[b - 1] + 1;
        const int64_t most = b == 0 ? 0 : total;
        if (first[b] < least || first[b] > most || (b == count && first[b] != total))
            return error_input(error, "expected rising numbers from 0 to %d, found %lld at [%d]",
                               total, (long long)first[b], b);
        bins->first[b] = (int)first[b];
    }
    return true;
}

int time_bins_find(const TimeBins *bins, int t)
{
    int bin = 0;
    while (bin < bins->count - 1 && t > bins->first[bin + 1])
        bin++;
    return bin;
}
