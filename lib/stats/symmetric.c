/* Eigenvalues and Cholesky factors of small symmetric matrices (symmetric.h).
 *
 * Householder's reflections make the matrix tridiagonal, A = H T H' (Golub and Van Loan, Matrix
 * Computations, section 8.3). They take 4/3 n^3 operations, in all lanes at once. Each reflection
 * is also applied to the vector. The QL algorithm with implicit shifts then makes T diagonal, lane
 * by lane, and its rotations are applied to the vector as well: n^2 operations. Rotating a matrix
 * of eigenvectors would take 3 n^3 more.
 */
#include "stats/symmetric.h"

#include "base/dispatch.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    LANES = SYMMETRIC_LANES,
    /* The QL algorithm takes one or two iterations for each eigenvalue. */
    MOST_ITERATIONS = 60,
};

/* -- Tridiagonal form ------------------------------------------------------------------------- */

/* One reflection H = I - tau v v' of each lane. */
typedef struct Reflection {
    double tau[LANES];
    /* The subdiagonal element of T. */
    double below[LANES];
} Reflection;

/* Makes the reflection that maps x [count][LANES] to a multiple of its first axis. x becomes v,
 * whose first element is 1. */
INLINED Reflection make_reflection(double *x, int count)
{
    Reflection h;
    double rest[LANES] = {0};
    for (int i = 1; i < count; i++)
        for (int l = 0; l < LANES; l++)
            rest[l] += x[i * LANES + l] * x[i * LANES + l];
    double scale[LANES];
    for (int l = 0; l < LANES; l++) {
        const double first = x[l], norm = sqrt(first * first + rest[l]);
        const bool none = rest[l] == 0;
        const double below = none ? first : first > 0 ? -norm : norm;
        h.below[l] = below;
        h.tau[l] = none ? 0 : (below - first) / below;
        scale[l] = none ? 0 : 1 / (first - below);
        x[l] = 1;
    }
    for (int i = 1; i < count; i++)
        for (int l = 0; l < LANES; l++)
            x[i * LANES + l] *= scale[l];
    return h;
}

/* w [count][LANES] := A v for the matrix that begins at row and column `first`. */
INLINED void multiply(const double *matrix, int first, const double *v, int count, double *w)
{
    memset(w, 0, (size_t)count * LANES * sizeof *w);
    for (int i = 0; i < count; i++) {
        const double *row =
            matrix + symmetric_at((size_t)(first + i), (size_t)first) * (size_t)LANES;
        double sum[LANES] = {0};
        for (int j = 0; j < i; j++)
            for (int l = 0; l < LANES; l++) {
                const double a = row[j * LANES + l];
                sum[l] += a * v[j * LANES + l];
                w[j * LANES + l] += a * v[i * LANES + l];
            }
        for (int l = 0; l < LANES; l++)
            w[i * LANES + l] += sum[l] + row[i * LANES + l] * v[i * LANES + l];
    }
}

/* A := A - v w' - w v', for the matrix that begins at row and column `first`. */
INLINED void update(double *matrix, int first, const double *v, const double *w, int count)
{
    for (int i = 0; i < count; i++) {
        double *row = matrix + symmetric_at((size_t)(first + i), (size_t)first) * (size_t)LANES;
        for (int j = 0; j <= i; j++)
            for (int l = 0; l < LANES; l++)
                row[j * LANES + l] -=
                    v[i * LANES + l] * w[j * LANES + l] + w[i * LANES + l] * v[j * LANES + l];
    }
}

/* Applies H from both sides to the matrix that begins at row and column `first`, and from the left
 * to x. w is scratch. */
INLINED void reflect(double *matrix, int first, const Reflection *h, const double *v, int count,
                     double *x, double *w)
{
    double dot[LANES] = {0}, of_x[LANES] = {0};
    multiply(matrix, first, v, count, w);
    for (int i = 0; i < count; i++)
        for (int l = 0; l < LANES; l++) {
            dot[l] += v[i * LANES + l] * w[i * LANES + l];
            of_x[l] += v[i * LANES + l] * x[i * LANES + l];
        }
    for (int i = 0; i < count; i++)
        for (int l = 0; l < LANES; l++) {
            const double tau = h->tau[l], vi = v[i * LANES + l];
            w[i * LANES + l] = tau * (w[i * LANES + l] - tau / 2 * dot[l] * vi);
            x[i * LANES + l] -= tau * of_x[l] * vi;
        }
    update(matrix, first, v, w, count);
}

/* diagonal [n][LANES] and below [n][LANES] := T; vector := H' vector. The last element of below is
 * 0. Column k of the matrix is dead once its reflection is made, but it lies scattered in the
 * triangle. So `below` holds the column while it is in use, and `diagonal` serves as scratch. */
VECTORISED static void make_tridiagonal(double *restrict matrix, double *restrict vector, int n,
                                        double *restrict diagonal, double *restrict below)
{
    for (int k = 0; k + 1 < n; k++) {
        const int count = n - k - 1;
        double *v = below + k * LANES, *w = diagonal + (k + 1) * LANES;
        for (int i = 0; i < count; i++)
            memcpy(v + i * LANES,
                   matrix + symmetric_at((size_t)(k + 1 + i), (size_t)k) * (size_t)LANES,
                   LANES * sizeof *v);
        memcpy(diagonal + k * LANES, matrix + symmetric_at((size_t)k, (size_t)k) * (size_t)LANES,
               LANES * sizeof *v);
        const Reflection h = make_reflection(v, count);
        reflect(matrix, k + 1, &h, v, count, vector + (k + 1) * LANES, w);
        memcpy(v, h.below, sizeof h.below);
    }
    memcpy(diagonal + (n - 1) * LANES,
           matrix + symmetric_at((size_t)(n - 1), (size_t)(n - 1)) * (size_t)LANES,
           LANES * sizeof *diagonal);
    memset(below + (n - 1) * LANES, 0, LANES * sizeof *below);
}

/* -- The QL algorithm ------------------------------------------------------------------------- */

/* One lane; element i of an array is at [i * LANES]. */
typedef struct Lane {
    int n;
    /* The diagonal of T, the elements below it, and the vector. */
    double *d, *e, *x;
} Lane;

/* The first index from `from` on at which T falls apart: |e| is negligible there. */
static int end_of_part(const Lane *t, int from)
{
    const double epsilon = 0x1p-53;
    int end = from;
    while (end + 1 < t->n && fabs(t->e[end * LANES]) > epsilon * (fabs(t->d[end * LANES]) +
                                                                  fabs(t->d[(end + 1) * LANES])))
        end++;
    return end;
}

/* One implicit QL iteration on rows first .. last, with Wilkinson's shift (Numerical Recipes,
 * section 11.3). */
static void iterate(const Lane *t, int first, int last)
{
    double *d = t->d, *e = t->e, *x = t->x;
    double g = (d[(first + 1) * LANES] - d[first * LANES]) / (2 * e[first * LANES]);
    double r = sqrt(g * g + 1);
    g = d[last * LANES] - d[first * LANES] + e[first * LANES] / (g + copysign(r, g));
    double s = 1, c = 1, p = 0;
    for (int i = last - 1; i >= first; i--) {
        const double f = s * e[i * LANES], b = c * e[i * LANES];
        r = sqrt(f * f + g * g);
        e[(i + 1) * LANES] = r;
        if (r == 0) { /* T falls apart here */
            d[(i + 1) * LANES] -= p;
            e[last * LANES] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[(i + 1) * LANES] - p;
        r = (d[i * LANES] - g) * s + 2 * c * b;
        p = s * r;
        d[(i + 1) * LANES] = g + p;
        g = c * r - b;
        const double above = x[(i + 1) * LANES];
        x[(i + 1) * LANES] = s * x[i * LANES] + c * above;
        x[i * LANES] = c * x[i * LANES] - s * above;
    }
    d[first * LANES] -= p;
    e[first * LANES] = g;
    e[last * LANES] = 0;
}

/* Makes T diagonal. A NaN compares as negligible, so a lane with NaNs ends at once. */
static void diagonalise(const Lane *t)
{
    for (int first = 0; first < t->n; first++) {
        int last = end_of_part(t, first);
        for (int i = 0; last > first && i < MOST_ITERATIONS; i++) {
            iterate(t, first, last);
            last = end_of_part(t, first);
        }
    }
}

void symmetric_rotate(double *matrix, double *vector, int n, double *value, double *scratch)
{
    make_tridiagonal(matrix, vector, n, value, scratch);
    for (int l = 0; l < LANES; l++)
        diagonalise(&(Lane){.n = n, .d = value + l, .e = scratch + l, .x = vector + l});
}

/* -- Cholesky's factor ------------------------------------------------------------------------ */

/* One row: L[i][j] = (A[i][j] - sum_k L[i][k] L[j][k]) / L[j][j], k < j. The diagonals of the rows
 * above hold 1 / L[j][j], and so does this row's afterwards: divisions are slow. */
INLINED void factorise_row(double *matrix, int i)
{
    double *row = matrix + symmetric_at((size_t)i, 0) * (size_t)LANES;
    for (int j = 0; j <= i; j++) {
        const double *other = matrix + symmetric_at((size_t)j, 0) * (size_t)LANES;
        double sum[LANES];
        memcpy(sum, row + j * LANES, sizeof sum);
        for (int k = 0; k < j; k++)
            for (int l = 0; l < LANES; l++)
                sum[l] -= row[k * LANES + l] * other[k * LANES + l];
        for (int l = 0; l < LANES; l++)
            row[j * LANES + l] = i > j         ? sum[l] * other[j * LANES + l]
                                 : sum[l] <= 0 ? 0
                                               : 1 / sqrt(sum[l]);
    }
}

VECTORISED static void factorise(double *matrix, int n)
{
    for (int i = 0; i < n; i++)
        factorise_row(matrix, i);
    for (int i = 0; i < n; i++) {
        double *pivot = matrix + symmetric_at((size_t)i, (size_t)i) * (size_t)LANES;
        for (int l = 0; l < LANES; l++)
            pivot[l] = pivot[l] == 0 ? 0 : 1 / pivot[l];
    }
}

void symmetric_factorise(double *matrix, int n)
{
    factorise(matrix, n);
}

/* From the last row up, so that a row reads elements that are not overwritten yet. */
VECTORISED static void multiply_factor(const double *restrict matrix, double *restrict vector,
                                       int n)
{
    for (int i = n - 1; i >= 0; i--) {
        const double *row = matrix + symmetric_at((size_t)i, 0) * (size_t)LANES;
        double sum[LANES] = {0};
        for (int j = 0; j <= i; j++)
            for (int l = 0; l < LANES; l++)
                sum[l] += row[j * LANES + l] * vector[j * LANES + l];
        for (int l = 0; l < LANES; l++)
            vector[i * LANES + l] = sum[l];
    }
}

void symmetric_multiply_factor(const double *matrix, double *vector, int n)
{
    multiply_factor(matrix, vector, n);
}
