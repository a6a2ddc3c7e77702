/* Lagrange's interpolation, applied to sums.
 *
 * Let g be a function of log c. Its value at an element is nearly sum_m w_m g(node m), over the
 * eight nodes around the element; the weights w_m depend on c alone. So the sum of g over all
 * elements is sum_k W_k g(node k), where W_k is the sum of the elements' weights at node k. There
 * are two such sums at each node. The plain sum of weights serves f(kappa c). The sum of weights
 * times r^2 serves kappa / (1 + kappa c). Neither depends on kappa.
 */
#include "diffusion/cov_grid.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>

/* An element between nodes 0 and 1 is spread over the AROUND nodes from -BEFORE to 4. The grid has
 * PER_UNIT nodes per unit of log c. */
enum { AROUND = 8, BEFORE = 3, PER_UNIT = 8 };

/* An estimate whose kappa c is below this for every step counts as c = 0. Then f(kappa c) is below
 * 1e-24, and 1 / (1 + kappa c) differs from 1 by less than 1e-12. */
static const double negligible = 1e-12;

/* The layout of the sums: the counts [nodes], the sums of r^2 [nodes], and the sum of r^2 of the
 * elements with c = 0. */
size_t cov_grid_sums(const CovGrid *grid)
{
    return 2 * (size_t)grid->nodes + 1;
}

void cov_grid_make(CovGrid *grid, double most_cov, double most_kappa)
{
    assert(most_cov > 0);
    /* of log c, up to log most_cov; a single node where all estimates are negligible */
    const double range = fmax(log(most_cov * most_kappa / negligible), 1.0 / PER_UNIT);
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

/* weight [AROUND] := Lagrange's weights at x, which lies between node 0 and node 1. The first loop
 * multiplies the offsets of the nodes before a node, and the last loop those after it. */
static inline void lagrange(double x, double *weight)
{
    /* 1 / (product of m - l over all nodes l != m), for m = -3 .. 4 */
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

/* sums += `count` elements with the estimate cov; off2 is the sum of their r^2. */
static inline void add(const CovGrid *grid, double cov, double count, double off2, double *sums)
{
    const double position = (log(cov) - grid->least) * PER_UNIT;
    if (position < BEFORE || isnan(position)) { /* c = 0 has position -INFINITY */
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
