/* Lanczos' method with full reorthogonalisation. LAPACK finds the eigenvectors of the small
 * tridiagonal matrix. */
#include "stats/lanczos.h"

#include "base/memory.h"
#include "base/memory_limit.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

bool lanczos_make(Lanczos *l, size_t dims, int max, Error *error)
{
    const size_t steps = (size_t)max;
    *l = (Lanczos){.dims = dims, .max = max};
    l->vectors = memory_large(steps + 1, dims * sizeof *l->vectors, "a Krylov space", error);
    l->diagonal = memory_small(steps, sizeof *l->diagonal);
    l->next = memory_small(steps, sizeof *l->next);
    l->nodes = memory_small(steps, sizeof *l->nodes);
    l->shares = memory_small(steps, sizeof *l->shares);
    l->eigenvectors = memory_large(steps, steps * sizeof(double), "a Krylov space", error);
    return l->vectors && l->eigenvectors;
}

void lanczos_free(Lanczos *l)
{
    memory_free(l->vectors);
    memory_free(l->diagonal);
    memory_free(l->next);
    memory_free(l->nodes);
    memory_free(l->shares);
    memory_free(l->eigenvectors);
    *l = (Lanczos){0};
}

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *a, double factor, const double *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] += factor * b[i];
}

static double *vector_at(const Lanczos *l, int j)
{
    return l->vectors + (size_t)j * l->dims;
}

/* Makes `vector` the next one, unless it is 0 but for rounding. */
static void append(Lanczos *l, int at, const double *vector, double length, double scale)
{
    l->complete = !(length > 1e-12 * scale);
    for (size_t i = 0; i < l->dims && !l->complete; i++)
        vector_at(l, at)[i] = vector[i] / length;
}

void lanczos_start(Lanczos *l, const double *z)
{
    l->size = 0;
    l->norm = sqrt(dot(z, z, l->dims));
    append(l, 0, z, l->norm, 0);
}

bool lanczos_goes_on(const Lanczos *l)
{
    return !l->complete && l->size < l->max && (size_t)l->size < l->dims;
}

const double *lanczos_vector(const Lanczos *l)
{
    return vector_at(l, l->size);
}

void lanczos_add(Lanczos *l, double *product)
{
    const int now = l->size++;
    const double scale = sqrt(dot(product, product, l->dims));
    l->diagonal[now] = dot(product, vector_at(l, now), l->dims);
    for (int twice = 0; twice < 2; twice++)
        for (int j = now; j >= 0; j--)
            add_scaled(product, -dot(product, vector_at(l, j), l->dims), vector_at(l, j), l->dims);
    l->next[now] = sqrt(dot(product, product, l->dims));
    append(l, l->size, product, l->next[now], scale);
}

/* What is not finite, or does not converge, becomes NaN. */
void lanczos_solve(Lanczos *l)
{
    const int n = l->size;
    memory_limit_lapack_used();
    double *beside = memory_small((size_t)n + 1, sizeof *beside);
    memcpy(l->nodes, l->diagonal, (size_t)n * sizeof *l->nodes);
    memcpy(beside, l->next, (size_t)n * sizeof *beside);
    const bool solved = n == 0 || LAPACKE_dstev(LAPACK_ROW_MAJOR, 'V', n, l->nodes, beside,
                                                l->eigenvectors, n) == 0;
    for (int i = 0; i < n; i++) {
        l->nodes[i] = solved ? l->nodes[i] : NAN;
        l->shares[i] = l->eigenvectors[i] * l->eigenvectors[i];
    }
    memory_free(beside);
}

void lanczos_apply(const Lanczos *l, const double *values, double *y)
{
    const int n = l->size;
    memset(y, 0, l->dims * sizeof *y);
    for (int j = 0; j < n; j++) {
        double factor = 0;
        for (int i = 0; i < n; i++)
            factor += l->eigenvectors[i] * values[i] * l->eigenvectors[j * n + i];
        add_scaled(y, l->norm * factor, vector_at(l, j), l->dims);
    }
}
