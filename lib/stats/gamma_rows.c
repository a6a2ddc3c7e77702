/* The rows of a matrix come in chunks of a fixed size. */
#include "stats/gamma_rows.h"

#include <string.h>

/* Rows of a chunk of a matrix. */
enum { MATRIX_CHUNK = 256 };

static size_t matrix_first(const void *context, int chunk)
{
    const GammaMatrix *m = context;
    const size_t first = (size_t)chunk * MATRIX_CHUNK;
    return first < m->rows ? first : m->rows;
}

static void matrix_apply(const void *context, int chunk, const double *w, double *l)
{
    const GammaMatrix *m = context;
    const size_t features = (size_t)m->features, end = matrix_first(m, chunk + 1);
    for (size_t row = matrix_first(m, chunk); row < end; row++, l++) {
        const double *phi = m->phi + row * features;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < features; j++)
            sum += w[j] * phi[j];
        *l = sum;
    }
}

static void matrix_add(const void *context, int chunk, const double *slope, double *sum)
{
    const GammaMatrix *m = context;
    const size_t features = (size_t)m->features, end = matrix_first(m, chunk + 1);
    for (size_t row = matrix_first(m, chunk); row < end; row++, slope++) {
        const double *phi = m->phi + row * features;
        for (size_t j = 0; j < features; j++)
            sum[j] += *slope * phi[j];
    }
}

GammaRows gamma_matrix_rows(const GammaMatrix *matrix)
{
    return (GammaRows){.context = matrix,
                       .features = matrix->features,
                       .chunks = (int)((matrix->rows + MATRIX_CHUNK - 1) / MATRIX_CHUNK),
                       .first = matrix_first,
                       .apply = matrix_apply,
                       .add = matrix_add};
}

void gamma_matrix_fisher(const GammaMatrix *matrix, double *fisher)
{
    const size_t features = (size_t)matrix->features;
#pragma omp parallel for schedule(dynamic, 8)
    for (size_t i = 0; i < features; i++) {
        double *to = fisher + i * (i + 1) / 2;
        memset(to, 0, (i + 1) * sizeof *to);
        for (size_t row = 0; row < matrix->rows; row++) {
            const double *phi = matrix->phi + row * features;
            for (size_t j = 0; j <= i; j++)
                to[j] += phi[i] * phi[j];
        }
        for (size_t j = 0; j <= i; j++)
            to[j] /= (double)matrix->rows;
    }
}

void gamma_rows_apply(const GammaRows *rows, const double *w, double *l)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int c = 0; c < rows->chunks; c++)
        rows->apply(rows->context, c, w, l + rows->first(rows->context, c));
}
