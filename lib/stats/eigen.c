/* LAPACK's divide and conquer (dsyevd). */
#include "stats/eigen.h"

#include "base/memory_limit.h"

#include <lapacke.h>

bool eigen_symmetric(double *matrix, int dims, double *values, bool vectors)
{
    const char what = vectors ? 'V' : 'N';
    const bool ok = LAPACKE_dsyevd(LAPACK_COL_MAJOR, what, 'L', dims, matrix, dims, values) == 0;
    memory_limit_lapack_used();
    return ok;
}
