#include "diffusion/cov_grid.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>

/* Around an element lie nodes -3 .. 4, it being between 0 and 1. */
enum { AROUND = 8, BEFORE = 3, PER_UNIT = 8 /* nodes per unit of log c */ };

/* A smaller c is 0 to all steps: kappa c is below the rounding of 1 + kappa c. */
static const double negligible = 1e-12;

/* Sums: of counts [nodes], of r^2 [nodes], and the sum of r^2 where c is 0. */
size_t cov_grid_sums(const CovGrid *grid)
{
    return 2 * (size_t)grid->nodes + 1;
}

void cov_grid_make(CovGrid *grid, double most_cov, double most_kappa)
{
    const double range = log(most_cov * most_kappa / negligible); /* of log c, up to log most_cov */
    assert(most_cov > 0 && range > 0);
    *grid = (CovGrid){.nodes = (int)ceil(range * PER_UNIT) + AROUND};
    grid->least = log(most_cov) - (range + (double)BEFORE / PER_UNIT);
    grid->cov = memory_small((size_t)grid->nodes, sizeof *grid->cov);
    for (int k = 0; k < grid->nodes; k++)
        grid->cov[k] = exp(grid->least + (double)k / PER_UNIT);
}

void cov_grid_free(CovGrid *grid)
{
    memory_free(grid->cov);
    *grid = (CovGrid){0};
}

/* weight [AROUND] := Lagrange's, at x between node 0 and node 1. */
static inline void lagrange(double x, double *weight)
{
    /* 1 / product over l != m of (m - l), for m = -3 .. 4 */
    static const double scale[AROUND] = {-1.0 / 5040, 1.0 / 720, -1.0 / 240, 1.0 / 144,
                                         -1.0 / 144,  1.0 / 240, -1.0 / 720, 1.0 / 5040};
    double offset[AROUND], product = 1;
    for (int m = 0; m < AROUND; m++)
        offset[m] = x - (m - BEFORE);
    for (int m = 0; m < AROUND; m++) {
        weight[m] = product * scale[m];
        product *= offset[m];
    }
    product = 1;
    for (int m = AROUND - 1; m >= 0; m--) {
        weight[m] *= product;
        product *= offset[m];
    }
}

static inline void add(const CovGrid *grid, double cov, double count, double off2, double *sums)
{
    const double position = (log(cov) - grid->least) * PER_UNIT;
    if (position < BEFORE || isnan(position)) { /* log 0 too */
        sums[2 * grid->nodes] += isnan(position) ? NAN : off2;
        return;
    }
    const int node = (int)position - BEFORE;
    assert(node + AROUND <= grid->nodes);
    double weight[AROUND], *counts = sums + node, *off2s = counts + grid->nodes;
    lagrange(position - (int)position, weight);
    for (int m = 0; m < AROUND; m++) {
        counts[m] += weight[m] * count;
        off2s[m] += weight[m] * off2;
    }
}

void cov_grid_add(const CovGrid *grid, const float *cov, const double *off2, size_t count,
                  double *sums)
{
    for (size_t i = 0; i < count; i++)
        add(grid, cov[i], 1, off2[i], sums);
}

void cov_grid_add_scalar(const CovGrid *grid, double cov, double count, double sum_off2,
                         double *sums)
{
    add(grid, cov, count, sum_off2, sums);
}

void cov_grid_step(const CovGrid *grid, double kappa, const double *sums, int n, double *kl)
{
    const size_t stride = cov_grid_sums(grid);
    for (int i = 0; i < n; i++)
        kl[i] = 0.5 * kappa * sums[i * stride + stride - 1];
    for (int k = 0; k < grid->nodes; k++) {
        const double y = kappa * grid->cov[k], share = 1 / (1 + y);
        const double of_count = 0.5 * (log1p(y) - y * share), of_off2 = 0.5 * kappa * share;
        for (int i = 0; i < n; i++)
            kl[i] += of_count * sums[i * stride + (size_t)k] +
                     of_off2 * sums[i * stride + (size_t)(grid->nodes + k)];
    }
}
