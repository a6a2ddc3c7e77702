/* Correlation matrices (correlation.h): two sums over observations, and their quotient. */
#include "stats/correlation.h"

#include "base/dispatch.h"

#include <math.h>

size_t correlation_sums_size(int n)
{
    return 2 * (size_t)n * (size_t)n;
}

CorrelationSums correlation_sums_at(double *block, int n)
{
    return (CorrelationSums){.n = n, .products = block, .weights = block + (size_t)n * (size_t)n};
}

/* The lower triangle of matrix += x x'; x [n]. */
VECTORISED static void add_square(double *restrict matrix, const double *restrict x, int n)
{
    for (int i = 0; i < n; i++) {
        double *row = matrix + (size_t)i * (size_t)n;
        for (int j = 0; j <= i; j++)
            row[j] += x[i] * x[j];
    }
}

void correlation_sums_add(const CorrelationSums *sums, const double *residual,
                          const double *deviation)
{
    add_square(sums->products, residual, sums->n);
    add_square(sums->weights, deviation, sums->n);
}

void correlation_sums_merge(const CorrelationSums *to, const CorrelationSums *from)
{
    const size_t size = correlation_sums_size(to->n);
    for (size_t i = 0; i < size; i++)
        to->products[i] += from->products[i];
}

/* The quotient of the sums at (i, j); 0 if there are no observations. */
static double quotient(const CorrelationSums *sums, int i, int j)
{
    const size_t at = (size_t)i * (size_t)sums->n + (size_t)j;
    return sums->weights[at] > 0 ? sums->products[at] / sums->weights[at] : 0;
}

/* R_ij, i > j. */
static double correlation_of(const CorrelationSums *sums, int i, int j)
{
    const double squares = quotient(sums, i, i) * quotient(sums, j, j);
    const double r = squares > 0 ? quotient(sums, i, j) / sqrt(squares) : 0;
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

void correlation_shrunk(const CorrelationSums *sums, double share, float *matrix)
{
    const size_t n = (size_t)sums->n;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            matrix[i * n + j] = matrix[j * n + i] =
                (float)((1 - share) * correlation_of(sums, (int)i, (int)j));
        matrix[i * n + i] = 1;
    }
}
