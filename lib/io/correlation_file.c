/* Reads and writes the correlations of a head (correlation_file.h).
 *
 * The number of bins is an attribute too, so that the shapes are known before the arrays are read.
 */
#include "io/correlation_file.h"

#include "base/memory.h"

#include <math.h>

/* "correlation/nll/matrix"; the caller frees it. */
static char *path_of(const char *head, const char *name)
{
    return memory_format("correlation/%s%s%s", head, *name ? "/" : "", name);
}

bool correlation_file_has(Checkpoint *checkpoint, const char *head)
{
    char *path = path_of(head, "");
    const bool has = checkpoint_has(checkpoint, path);
    memory_free(path);
    return has;
}

/* -- Reading ---------------------------------------------------------------------------------- */

static int64_t attribute(Checkpoint *checkpoint, const char *head, const char *name)
{
    char *path = path_of(head, "");
    const int64_t value = checkpoint_attribute(checkpoint, path, name, 0);
    memory_free(path);
    return value;
}

static bool read_doubles(Checkpoint *checkpoint, const char *head, const char *name, int count,
                         double *values, Error *error)
{
    char *path = path_of(head, name);
    const bool ok = checkpoint_read_doubles(checkpoint, path, count, values, error);
    memory_free(path);
    return ok;
}

static bool read_shape(Checkpoint *checkpoint, const char *head, BlockShape *shape, int64_t *bins,
                       Error *error)
{
    const Config *config = checkpoint_config(checkpoint);
    const int64_t size = attribute(checkpoint, head, "block");
    *bins = attribute(checkpoint, head, "time_bins");
    *shape = (BlockShape){.side = config->data.resolution,
                          .channels = config->data.channels,
                          .size = size == 2 || size == 4 || size == 8 ? (int)size : 0};
    if (shape->size == 0 || block_rows(shape) > BLOCK_MOST_ROWS)
        return error_input(
            error,
            "%s:/correlation/%s: attribute block: expected 2, 4 or 8, and at most %d "
            "elements of a block, found %lld",
            checkpoint_path(checkpoint), head, BLOCK_MOST_ROWS, (long long)size);
    if (*bins < 1 || *bins > TIME_BINS_MAX)
        return error_input(error,
                           "%s:/correlation/%s: attribute time_bins: expected 1 to %d, found %lld",
                           checkpoint_path(checkpoint), head, TIME_BINS_MAX, (long long)*bins);
    return true;
}

static bool read_bins(Checkpoint *checkpoint, const char *head, int count, TimeBins *bins,
                      Error *error)
{
    const int timesteps = checkpoint_config(checkpoint)->diffusion.timesteps;
    double limits[TIME_BINS_MAX + 1];
    int64_t first[TIME_BINS_MAX + 1];
    if (!read_doubles(checkpoint, head, "bins", count + 1, limits, error))
        return false;
    for (int b = 0; b <= count; b++) /* anything that is no timestep becomes -1, and is refused */
        first[b] = limits[b] >= 0 && limits[b] <= timesteps ? (int64_t)limits[b] : -1;
    return time_bins_read(bins, first, count, timesteps, error) ||
           error_prefix(error, "%s:/correlation/%s/bins", checkpoint_path(checkpoint), head);
}

static bool check_matrices(Checkpoint *checkpoint, const char *head,
                           const BlockCorrelation *correlation, Error *error)
{
    const int n = block_rows(&correlation->shape);
    for (int b = 0; b < correlation->bins.count; b++)
        if (!block_correlation_is_valid(correlation->matrix + (size_t)b * (size_t)n * (size_t)n, n))
            return error_input(error,
                               "%s:/correlation/%s/matrix: expected symmetric, positive definite "
                               "matrices with a diagonal of 1, found another at [%d]",
                               checkpoint_path(checkpoint), head, b);
    return true;
}

bool correlation_file_read(Checkpoint *checkpoint, const char *head, BlockCorrelation *correlation,
                           Error *error)
{
    int64_t bins;
    *correlation = (BlockCorrelation){0};
    if (!read_shape(checkpoint, head, &correlation->shape, &bins, error) ||
        !read_bins(checkpoint, head, (int)bins, &correlation->bins, error))
        return false;
    const int64_t n = block_rows(&correlation->shape), dims[] = {bins, n, n};
    char *path = path_of(head, "matrix");
    correlation->matrix = checkpoint_read_floats(checkpoint, path, 3, dims, error);
    memory_free(path);
    if (correlation->matrix && check_matrices(checkpoint, head, correlation, error))
        return true;
    memory_free(correlation->matrix);
    correlation->matrix = NULL;
    return false;
}

double correlation_file_gain(Checkpoint *checkpoint, const char *head, int bins)
{
    double gain[TIME_BINS_MAX], sum = 0;
    Error ignored = {0};
    if (!read_doubles(checkpoint, head, "gain", bins, gain, &ignored))
        return 0;
    for (int b = 0; b < bins; b++)
        sum += gain[b] / bins;
    return sum;
}

/* -- Writing ---------------------------------------------------------------------------------- */

static bool write_doubles(CheckpointWriter *writer, const char *head, const char *name, int count,
                          const double *values, Error *error)
{
    char *path = path_of(head, name);
    const bool ok = checkpoint_write_doubles(writer, path, count, values, error);
    memory_free(path);
    return ok;
}

static bool write_matrices(CheckpointWriter *writer, const char *head,
                           const BlockCorrelation *correlation, Error *error)
{
    const int64_t n = block_rows(&correlation->shape), dims[] = {correlation->bins.count, n, n};
    char *path = path_of(head, "matrix"), *group = path_of(head, "");
    const bool ok =
        checkpoint_write_floats(writer, path, 3, dims, correlation->matrix, error) &&
        checkpoint_write_attribute(writer, group, "block", correlation->shape.size, error) &&
        checkpoint_write_attribute(writer, group, "time_bins", correlation->bins.count, error);
    memory_free(path);
    memory_free(group);
    return ok;
}

bool correlation_file_write(CheckpointWriter *writer, const char *head, const CorrelationFit *fit,
                            Error *error)
{
    const TimeBins *bins = &fit->correlation.bins;
    double limits[TIME_BINS_MAX + 1];
    for (int b = 0; b <= bins->count; b++)
        limits[b] = bins->first[b];
    return write_matrices(writer, head, &fit->correlation, error) &&
           write_doubles(writer, head, "bins", bins->count + 1, limits, error) &&
           write_doubles(writer, head, "share", bins->count, fit->share, error) &&
           write_doubles(writer, head, "gain", bins->count, fit->gain, error) &&
           write_doubles(writer, head, "gain_stderr", bins->count, fit->gain_error, error);
}
