/* Covariances with correlations within blocks (block_covariance.h).
 *
 * The blocks of an image have at most four sizes: whole ones, those at the right edge, those at the
 * lower edge, and one in the corner. All blocks of a size form a region, and share one matrix R. A
 * region's blocks are handled SYMMETRIC_LANES at a time (stats/symmetric.h). Lanes without a block
 * repeat the last block, and their results are dropped.
 */
#include "variance/block_covariance.h"

#include "base/dispatch.h"
#include "base/memory.h"
#include "stats/symmetric.h"

#include <math.h>
#include <string.h>

enum { LANES = SYMMETRIC_LANES };

/* -- Correlations ----------------------------------------------------------------------------- */

const float *block_correlation_at(const BlockCorrelation *correlation, int t)
{
    const size_t n = (size_t)block_rows(&correlation->shape);
    return correlation->matrix + (size_t)time_bins_find(&correlation->bins, t) * n * n;
}

bool block_correlation_is_valid(const float *matrix, int n)
{
    double *lanes = memory_small(symmetric_elements((size_t)n) * LANES, sizeof *lanes);
    bool valid = true;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            const float one = matrix[i * n + j];
            valid = valid && one == matrix[j * n + i] && (i == j ? one == 1 : fabsf(one) < 1);
            lanes[symmetric_at((size_t)i, (size_t)j) * LANES] = one;
        }
    symmetric_factorise(lanes, n);
    for (int i = 0; i < n; i++)
        valid = valid && lanes[symmetric_at((size_t)i, (size_t)i) * LANES] > 0;
    memory_free(lanes);
    return valid;
}

double block_correlation_of_neighbours(const BlockShape *shape, const float *matrix)
{
    const int n = block_rows(shape), right = shape->channels, down = right * shape->size;
    double sum = 0;
    int pairs = 0;
    for (int i = 0; i < n; i++) {
        if (i % down + right < down)
            sum += matrix[i * n + i + right], pairs++;
        if (i + down < n)
            sum += matrix[i * n + i + down], pairs++;
    }
    return sum / pairs;
}

/* -- Regions ---------------------------------------------------------------------------------- */

/* Blocks of the same height and width, and scratch for LANES of them. */
typedef struct Region {
    BlockShape shape;
    /* The first block's corner, the numbers of blocks, and the size of each, in pixels. */
    int top, left, down, across, height, width;
    /* Elements of a block. */
    int n;
    /* [n (n + 1) / 2]: R, its lower triangle. */
    double *correlation;
    /* [n (n + 1) / 2][LANES] and [n][LANES] */
    double *matrix, *deviation, *vector, *value, *scratch;
    /* [n][LANES]: where in the image the elements of the blocks lie. */
    size_t *at;
} Region;

/* Makes the region with the whole blocks, or with those that an edge cuts. Returns false if it is
 * empty. */
static bool region_make(Region *r, const BlockShape *shape, bool lower_edge, bool right_edge)
{
    const int size = shape->size, whole = shape->side / size, rest = shape->side % size;
    *r = (Region){.shape = *shape,
                  .top = lower_edge ? whole * size : 0,
                  .left = right_edge ? whole * size : 0,
                  .down = lower_edge ? 1 : whole,
                  .across = right_edge ? 1 : whole,
                  .height = lower_edge ? rest : size,
                  .width = right_edge ? rest : size};
    r->n = r->height * r->width * shape->channels;
    return r->down * r->across * r->n > 0;
}

/* The element of a whole block at which element i of a block of the region lies. */
static int element_of(const Region *r, int i)
{
    const int channels = r->shape.channels, pixel = i / channels;
    return (pixel / r->width * r->shape.size + pixel % r->width) * channels + i % channels;
}

/* Allocates the scratch and packs the region's part of R. */
static void region_open(Region *r, const float *correlation)
{
    const int rows = block_rows(&r->shape);
    const size_t n = (size_t)r->n, elements = symmetric_elements(n);
    r->correlation = memory_small(elements + (elements + 4 * n) * LANES, sizeof(double));
    r->matrix = r->correlation + elements;
    r->deviation = r->matrix + elements * LANES;
    r->vector = r->deviation + n * LANES;
    r->value = r->vector + n * LANES;
    r->scratch = r->value + n * LANES;
    r->at = memory_small(n * LANES, sizeof *r->at);
    for (int i = 0; i < r->n; i++)
        for (int j = 0; j <= i; j++)
            r->correlation[symmetric_at((size_t)i, (size_t)j)] =
                correlation[element_of(r, i) * rows + element_of(r, j)];
}

static void region_close(Region *r)
{
    memory_free(r->correlation);
    memory_free(r->at);
}

static int region_blocks(const Region *r)
{
    return r->down * r->across;
}

/* Finds the elements of the blocks first, first + 1, ... Returns the number of lanes in use. */
static int find_elements(Region *r, int first)
{
    const int left = region_blocks(r) - first, used = left < LANES ? left : LANES;
    const int channels = r->shape.channels, width = r->width * channels;
    for (int l = 0; l < LANES; l++) {
        const int block = first + (l < used ? l : used - 1);
        const int y = r->top + block / r->across * r->height;
        const int x = r->left + block % r->across * r->width;
        for (int i = 0; i < r->n; i++)
            r->at[i * LANES + l] =
                (size_t)(((y + i / width) * r->shape.side + x) * channels + i % width);
    }
    return used;
}

/* The square root of an estimate. A negative one counts as 0, a NaN stays. */
static double root_of(double cov)
{
    return cov < 0 ? 0 : sqrt(cov);
}

/* matrix := factor D^(1/2) R D^(1/2) + fixed I, for D^(1/2) = r->deviation. */
VECTORISED static void fill_matrix(const Region *r, double factor, double fixed)
{
    const double *correlation = r->correlation;
    double *to = r->matrix;
    for (int i = 0; i < r->n; i++) {
        for (int j = 0; j <= i; j++, to += LANES, correlation++) {
            const double *a = r->deviation + i * LANES, *b = r->deviation + j * LANES;
            for (int l = 0; l < LANES; l++)
                to[l] = factor * *correlation * a[l] * b[l];
        }
        for (int l = 0; l < LANES; l++)
            to[l - LANES] += fixed;
    }
}

/* -- Eigenvalues ------------------------------------------------------------------------------ */

/* Rounding makes tiny eigenvalues negative. */
static float not_negative(double value)
{
    return value < 0 ? 0 : (float)value;
}

static void rotate_region(Region *r, const float *cov, const double *off, float *value,
                          double *square)
{
    for (int first = 0; first < region_blocks(r); first += LANES) {
        const int used = find_elements(r, first);
        for (int k = 0; k < r->n * LANES; k++) {
            r->deviation[k] = root_of(cov[r->at[k]]);
            r->vector[k] = off[r->at[k]];
        }
        fill_matrix(r, 1, 0);
        symmetric_rotate(r->matrix, r->vector, r->n, r->value, r->scratch);
        for (int i = 0; i < r->n; i++)
            for (int l = 0; l < used; l++) {
                const int k = i * LANES + l;
                value[r->at[k]] = not_negative(r->value[k]);
                square[r->at[k]] = r->vector[k] * r->vector[k];
            }
    }
}

void block_covariance_rotate(const BlockShape *shape, const float *correlation, const float *cov,
                             const double *off, float *value, double *square)
{
    for (int edges = 0; edges < 4; edges++) {
        Region region;
        if (!region_make(&region, shape, edges & 1, edges & 2))
            continue;
        region_open(&region, correlation);
        rotate_region(&region, cov, off, value, square);
        region_close(&region);
    }
}

/* -- Draws ------------------------------------------------------------------------------------ */

/* The variance that belongs to every element, whether x_0 is known or not. */
static double fixed_variance(const ReverseStep *step)
{
    const double fixed = step->fixed_variance, most = step->max_variance;
    return fixed > most ? most : fixed;
}

/* cov, lowered so that the step's variance is at most max_variance. */
static double bounded(const ReverseStep *step, double cov)
{
    if (step->max_variance == INFINITY || !(step->gain > 0))
        return cov;
    const double most = (step->max_variance - fixed_variance(step)) / step->gain;
    return cov > most ? most : cov;
}

static void draw_region(Region *r, const ReverseStep *step, const float *cov, const float *z,
                        float *noise)
{
    for (int first = 0; first < region_blocks(r); first += LANES) {
        const int used = find_elements(r, first);
        for (int k = 0; k < r->n * LANES; k++) {
            r->deviation[k] = root_of(bounded(step, cov[r->at[k]]));
            r->vector[k] = z[r->at[k]];
        }
        fill_matrix(r, step->gain, fixed_variance(step));
        symmetric_factorise(r->matrix, r->n);
        symmetric_multiply_factor(r->matrix, r->vector, r->n);
        for (int i = 0; i < r->n; i++)
            for (int l = 0; l < used; l++)
                noise[r->at[i * LANES + l]] = (float)r->vector[i * LANES + l];
    }
}

void block_covariance_draw(const BlockShape *shape, const float *correlation,
                           const ReverseStep *step, const float *cov, const float *z, float *noise)
{
    for (int edges = 0; edges < 4; edges++) {
        Region region;
        if (!region_make(&region, shape, edges & 1, edges & 2))
            continue;
        region_open(&region, correlation);
        draw_region(&region, step, cov, z, noise);
        region_close(&region);
    }
}
