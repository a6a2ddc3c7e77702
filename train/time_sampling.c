/* The last losses of each timestep, and the distribution that follows from them.
 *
 * The distribution is computed anew for each batch: N additions, which are nothing beside a step of
 * a network. So it depends on the losses alone, and not on when the run was continued.
 */
#include "train/time_sampling.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

static const char losses_name[] = "time_sampling/losses", counts_name[] = "time_sampling/counts";

/* The share of the uniform distribution. */
static const double uniform_share = 0.001;

bool time_sampler_make(TimeSampler *sampler, int timesteps, Error *error)
{
    const size_t n = (size_t)timesteps;
    *sampler = (TimeSampler){.timesteps = timesteps};
    double *memory =
        memory_large(n * (TIME_LOSSES + 2) + 1, sizeof *memory, "the losses of timesteps", error);
    if (!memory)
        return false;
    memset(memory, 0, (n * (TIME_LOSSES + 2) + 1) * sizeof *memory);
    sampler->losses = memory;
    sampler->counts = memory + n * TIME_LOSSES;
    sampler->room = sampler->counts + n;
    return true;
}

void time_sampler_free(TimeSampler *sampler)
{
    memory_free(sampler->losses); /* one allocation holds all */
    *sampler = (TimeSampler){0};
}

/* sqrt(mean L^2) of timestep t. */
static double size_of_loss(const TimeSampler *sampler, int t)
{
    const double *row = sampler->losses + (size_t)(t - 1) * TIME_LOSSES;
    double sum = 0;
    for (int i = 0; i < TIME_LOSSES; i++)
        sum += row[i] * row[i];
    return sqrt(sum / TIME_LOSSES);
}

static bool is_full(const TimeSampler *sampler)
{
    for (int t = 1; t <= sampler->timesteps; t++)
        if (sampler->counts[t - 1] < TIME_LOSSES)
            return false;
    return true;
}

void time_sampler_prepare(TimeSampler *sampler)
{
    double total = 0;
    sampler->cumulative = NULL;
    if (!is_full(sampler))
        return;
    for (int t = 1; t <= sampler->timesteps; t++)
        total += size_of_loss(sampler, t);
    if (!(total > 0) || !isfinite(total))
        return;
    double *sum = sampler->room;
    sum[0] = 0;
    for (int t = 1; t <= sampler->timesteps; t++)
        sum[t] = sum[t - 1] + (1 - uniform_share) * size_of_loss(sampler, t) / total +
                 uniform_share / sampler->timesteps;
    sampler->cumulative = sum;
}

/* The first t with cumulative[t] > uniform. */
int time_sampler_find(const TimeSampler *sampler, double uniform)
{
    int low = 1, high = sampler->timesteps;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (sampler->cumulative[middle] > uniform)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

double time_sampler_weight(const TimeSampler *sampler, int t)
{
    return sampler->cumulative
               ? 1 / (sampler->timesteps * (sampler->cumulative[t] - sampler->cumulative[t - 1]))
               : 1;
}

void time_sampler_add(TimeSampler *sampler, const int *t, const double *losses, int count)
{
    for (int i = 0; i < count; i++) {
        double *row = sampler->losses + (size_t)(t[i] - 1) * TIME_LOSSES;
        double *known = &sampler->counts[t[i] - 1];
        if (!isfinite(losses[i]))
            continue;
        if (*known < TIME_LOSSES) {
            row[(int)*known] = losses[i];
            *known += 1;
        } else {
            memmove(row, row + 1, (TIME_LOSSES - 1) * sizeof *row);
            row[TIME_LOSSES - 1] = losses[i];
        }
    }
}

bool time_sampler_write(const TimeSampler *sampler, CheckpointWriter *writer, Error *error)
{
    const int64_t n = sampler->timesteps;
    return checkpoint_write_doubles(writer, losses_name, n * TIME_LOSSES, sampler->losses, error) &&
           checkpoint_write_doubles(writer, counts_name, n, sampler->counts, error);
}

bool time_sampler_read(TimeSampler *sampler, Checkpoint *checkpoint, Error *error)
{
    const int64_t n = sampler->timesteps;
    if (!checkpoint_read_doubles(checkpoint, losses_name, n * TIME_LOSSES, sampler->losses,
                                 error) ||
        !checkpoint_read_doubles(checkpoint, counts_name, n, sampler->counts, error))
        return false;
    for (int64_t i = 0; i < n; i++) {
        const double count = sampler->counts[i];
        if (!(count >= 0 && count <= TIME_LOSSES && count == floor(count)))
            return error_input(error, "%s:/%s: expected integers from 0 to %d, found %g",
                               checkpoint_path(checkpoint), counts_name, TIME_LOSSES, count);
    }
    return true;
}
