/* LAPACK's divide and conquer (dsyevd, dgesdd). */
#include "stats/eigen.h"

#include "base/memory.h"
#include "base/memory_limit.h"

#include <lapacke.h>
#include <math.h>

bool eigen_symmetric(double *matrix, int dims, double *values, bool vectors)
{
    const char what = vectors ? 'V' : 'N';
    const bool ok = LAPACKE_dsyevd(LAPACK_COL_MAJOR, what, 'L', dims, matrix, dims, values) == 0;
    memory_limit_lapack_used();
    return ok;
}

double singular_value_sum(double *matrix, int rows, int columns)
{
    const int count = rows < columns ? rows : columns;
    double sum = 0, unused = 0;
    if (count == 0)
        return 0;
    double *values = memory_small((size_t)count, sizeof *values);
    /* In LAPACK's order of elements it is the transpose, which has the same singular values. */
    const bool ok = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', columns, rows, matrix, columns, values,
                                   &unused, 1, &unused, 1) == 0;
    memory_limit_lapack_used();
    for (int i = 0; i < count; i++)
        sum += values[i];
    memory_free(values);
    return ok ? sum : NAN;
}
