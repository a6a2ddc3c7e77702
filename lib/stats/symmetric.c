/* Eigenvalues and Cholesky factors of small symmetric matrices (symmetric.h).
 *
 * Householder's reflections make the matrix tridiagonal, A = H T H' (Golub and Van Loan, Matrix
 * Computations, section 8.3). They take 4/3 n^3 operations, in all lanes at once. Each
 * reflection is also applied to the vector. The QL algorithm with implicit shifts then makes T
 * diagonal, and its rotations are applied to the vector as well: n^2 operations. Rotating a
 * matrix of eigenvectors would take 3 n^3 more.
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
    /* Cholesky's factor is computed for so many rows side by side. */
    ROWS = 4,
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

/* The tridiagonal matrices of all lanes, which the iterations make diagonal. */
typedef struct Tridiagonal {
    int n;
    /* [n][LANES]: the diagonals, the elements below them, and the vectors. */
    double *d, *e, *x;
    /* The last row of the part that begins at the current row. A part ends where |e| is negligible.
     * Doubles, so that comparisons give masks of the lanes' width. */
    double last[LANES];
} Tridiagonal;

/* Finds the part of each lane that begins at row `first`. Returns the largest last row. A NaN
 * compares as negligible, so a lane with NaNs ends at once. */
INLINED int find_parts(Tridiagonal *t, int first)
{
    const double epsilon = 0x1p-53;
    double open[LANES];
    int highest = first;
    for (int l = 0; l < LANES; l++)
        open[l] = 1, t->last[l] = first;
    for (int i = first; i + 1 < t->n; i++) {
        const double *d = t->d + i * LANES, *e = t->e + i * LANES;
        double any = 0;
#pragma omp simd reduction(+ : any)
        for (int l = 0; l < LANES; l++) {
            const double limit = epsilon * (fabs(d[l]) + fabs(d[LANES + l]));
            open[l] = fabs(e[l]) > limit ? open[l] : 0;
            t->last[l] += open[l];
            any += open[l];
        }
        if (any == 0)
            break;
        highest = i + 1;
    }
    return highest;
}

/* The state of the rotations of an iteration, from the last row up (Numerical Recipes, section
 * 11.3). `on` is 0 in lanes that take no part. */
typedef struct Chase {
    double on[LANES], s[LANES], c[LANES], g[LANES], p[LANES];
} Chase;

/* Begins with Wilkinson's shift. */
INLINED Chase begin_chase(const Tridiagonal *t, int first)
{
    Chase chase;
    for (int l = 0; l < LANES; l++) {
        const double *d = t->d + first * LANES + l, *e = t->e + first * LANES + l;
        const bool on = t->last[l] > first;
        const double below = on ? *e : 1;
        const double g = on ? (d[LANES] - d[0]) / (2 * below) : 0;
        const double end = t->d[(int)t->last[l] * LANES + l];
        chase.on[l] = on;
        chase.s[l] = chase.c[l] = 1;
        chase.p[l] = 0;
        chase.g[l] = end - d[0] + below / (g + copysign(sqrt(g * g + 1), g));
    }
    return chase;
}

/* Rotates rows i and i + 1, in the lanes whose part has them. All branches are choices between two
 * values, so that the loop becomes vector code. */
INLINED void rotate_rows(const Tridiagonal *t, Chase *chase, int i)
{
    double *restrict d = t->d + i * LANES, *restrict e = t->e + i * LANES;
    double *restrict x = t->x + i * LANES;
    const double *restrict last = t->last;
    double *restrict sine = chase->s, *restrict cosine = chase->c, *restrict g = chase->g;
    double *restrict p = chase->p, *restrict on = chase->on;
#pragma omp simd
    for (int l = 0; l < LANES; l++) {
        const double takes_part = last[l] > i ? on[l] : 0;
        const double f = sine[l] * e[l], b = cosine[l] * e[l], norm = sqrt(f * f + g[l] * g[l]);
        const double splits = norm == 0 ? 1 : 0; /* T falls apart here: the iteration ends */
        const double turns = splits != 0 ? 0 : takes_part;
        const double inverse = 1 / (norm + splits), s = f * inverse, c = g[l] * inverse;
        const double rest = d[LANES + l] - p[l], r = (d[l] - rest) * s + 2 * c * b;
        const double above = x[LANES + l], below = x[l];
        e[LANES + l] = takes_part != 0 ? norm : e[LANES + l];
        d[LANES + l] = turns != 0 ? rest + s * r : takes_part != 0 ? rest : d[LANES + l];
        x[LANES + l] = turns != 0 ? s * below + c * above : above;
        x[l] = turns != 0 ? c * below - s * above : below;
        sine[l] = turns != 0 ? s : sine[l];
        cosine[l] = turns != 0 ? c : cosine[l];
        p[l] = turns != 0 ? s * r : p[l];
        g[l] = turns != 0 ? c * r - b : g[l];
        on[l] = takes_part != 0 ? turns : on[l];
    }
}

INLINED void end_chase(const Tridiagonal *t, const Chase *chase, int first)
{
    double *d = t->d + first * LANES, *e = t->e + first * LANES;
    for (int l = 0; l < LANES; l++) {
        const bool took_part = t->last[l] > first;
        d[l] -= chase->on[l] != 0 ? chase->p[l] : 0;
        e[l] = chase->on[l] != 0 ? chase->g[l] : e[l];
        if (took_part)
            t->e[(int)t->last[l] * LANES + l] = 0;
    }
}

/* Makes T diagonal in all lanes, row by row. */
VECTORISED static void diagonalise(Tridiagonal *t)
{
    for (int first = 0; first < t->n; first++) {
        int highest = find_parts(t, first);
        for (int k = 0; highest > first && k < MOST_ITERATIONS; k++) {
            Chase chase = begin_chase(t, first);
            for (int i = highest - 1; i >= first; i--)
                rotate_rows(t, &chase, i);
            end_chase(t, &chase, first);
            highest = find_parts(t, first);
        }
    }
}

void symmetric_rotate(double *matrix, double *vector, int n, double *value, double *scratch)
{
    make_tridiagonal(matrix, vector, n, value, scratch);
    diagonalise(&(Tridiagonal){.n = n, .d = value, .e = scratch, .x = vector});
}

/* -- Cholesky's factor ------------------------------------------------------------------------ */

/* A number of each lane. */
typedef double Lanes
    __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* Element (i, j), i >= j, of all lanes. */
INLINED Lanes *lanes_at(double *matrix, int i, int j)
{
    return (Lanes *)(matrix + symmetric_at((size_t)i, (size_t)j) * (size_t)LANES);
}

/* Element j of ROWS rows, from row i > j on:
 *     L[i][j] = (A[i][j] - sum_k L[i][k] L[j][k]) / L[j][j],  k < j
 * Row j's diagonal holds 1 / L[j][j], since divisions are slow. Each operation of a sum waits
 * for the one before, so the sums of several rows are computed side by side. */
INLINED void factorise_rows(double *matrix, int i, int j)
{
    const Lanes *other = lanes_at(matrix, j, 0);
    Lanes *a = lanes_at(matrix, i, 0), *b = lanes_at(matrix, i + 1, 0),
          *c = lanes_at(matrix, i + 2, 0), *d = lanes_at(matrix, i + 3, 0);
    Lanes sum_a = a[j], sum_b = b[j], sum_c = c[j], sum_d = d[j];
    for (int k = 0; k < j; k++) {
        sum_a -= a[k] * other[k];
        sum_b -= b[k] * other[k];
        sum_c -= c[k] * other[k];
        sum_d -= d[k] * other[k];
    }
    a[j] = sum_a * other[j];
    b[j] = sum_b * other[j];
    c[j] = sum_c * other[j];
    d[j] = sum_d * other[j];
}

/* The same of one row. */
INLINED void factorise_element(double *matrix, int i, int j)
{
    const Lanes *other = lanes_at(matrix, j, 0);
    Lanes *row = lanes_at(matrix, i, 0), sum = row[j];
    for (int k = 0; k < j; k++)
        sum -= row[k] * other[k];
    row[j] = sum * other[j];
}

/* The diagonal element of a row := 1 / L[i][i], or 0 for a pivot at or below 0. */
INLINED void factorise_pivot(double *matrix, int i)
{
    double *row = matrix + symmetric_at((size_t)i, 0) * (size_t)LANES, sum[LANES];
    memcpy(sum, row + i * LANES, sizeof sum);
    for (int k = 0; k < i; k++)
        for (int l = 0; l < LANES; l++)
            sum[l] -= row[k * LANES + l] * row[k * LANES + l];
    for (int l = 0; l < LANES; l++)
        row[i * LANES + l] = sum[l] <= 0 ? 0 : 1 / sqrt(sum[l]);
}

/* Row i from element j on. */
INLINED void factorise_row(double *matrix, int i, int j)
{
    for (; j < i; j++)
        factorise_element(matrix, i, j);
    factorise_pivot(matrix, i);
}

VECTORISED static void factorise(double *matrix, int n)
{
    int i = 0;
    for (; i + ROWS <= n; i += ROWS) {
        for (int j = 0; j < i; j++)
            factorise_rows(matrix, i, j);
        for (int r = 0; r < ROWS; r++)
            factorise_row(matrix, i + r, i);
    }
    for (; i < n; i++)
        factorise_row(matrix, i, 0);
    for (int p = 0; p < n; p++) {
        double *pivot = matrix + symmetric_at((size_t)p, (size_t)p) * (size_t)LANES;
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
