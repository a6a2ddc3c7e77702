/* NLL: the variance from a head that was fitted to the likelihood itself (nll.h, objective_nll.c). */
#include "variance/nll.h"

#include "variance/variance.h"

static void nll(const VarianceInput *input, float *cov)
{
    for (size_t i = 0; i < input->dims; i++)
        cov[i] = (float)nll_cov(input->schedule, input->t, input->head[i]);
}

const Variance variance_nll = {
    .name = "nll",
    .help = "from a head fitted to the likelihood",
    .source = "docs/variances.md",
    .head = "nll",
    .is_positive = true,
    .cov = nll,
};
