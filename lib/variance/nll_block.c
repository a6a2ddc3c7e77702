/* NLL with correlations: the diagonal is nll's, and the correlations of neighbouring pixels are those
 * that train fitted beside the head (variance/block_covariance.h). A network without correlations does
 * not have it. */
#include "variance/variance.h"

static void nll_block(const VarianceInput *input, float *cov)
{
    variance_nll.cov(input, cov);
}

const Variance variance_nll_block = {
    .name = "nll_block",
    .help = "nll, with correlations of neighbours",
    .source = "docs/variances.md",
    .head = "nll",
    .is_correlated = true,
    .is_positive = true,
    .cov = nll_block,
    .draw = variance_draw_correlated,
};
