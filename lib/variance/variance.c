#include "variance/variance.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *name;
    bool fixed;
    const char *head;
} kinds[VARIANCE_KINDS] = {
    [VARIANCE_BETA] = {"beta", true, NULL},
    [VARIANCE_BETA_TILDE] = {"beta_tilde", true, NULL},
    [VARIANCE_ANALYTIC] = {"analytic", false, NULL},
    [VARIANCE_ANALYTIC_DIAG] = {"analytic_diag", false, NULL},
    [VARIANCE_SN] = {"sn", false, "sn"},
    [VARIANCE_NPR] = {"npr", false, "npr"},
    [VARIANCE_EXACT] = {"exact", false, NULL},
};

const char *variance_name(VarianceKind kind)
{
    return kinds[kind].name;
}

bool variance_parse(const char *name, VarianceKind *kind, Error *error)
{
    for (int i = 0; i < VARIANCE_KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind = (VarianceKind)i;
            return true;
        }
    }
    return error_input(error,
                       "expected beta, beta_tilde, analytic, analytic_diag, sn, npr or "
                       "exact, got \"%s\"",
                       name);
}

bool variance_is_fixed(VarianceKind kind)
{
    return kinds[kind].fixed;
}

ReverseVariance variance_in_step(VarianceKind kind)
{
    return kind == VARIANCE_BETA         ? REVERSE_BETA
           : kind == VARIANCE_BETA_TILDE ? REVERSE_BETA_TILDE
                                         : REVERSE_ESTIMATED;
}

const char *variance_head(VarianceKind kind)
{
    return kinds[kind].head;
}

/* The u of variance.h. In double, for the factor before it reaches 10^8. */
static inline double normalised(VarianceKind kind, double eps_hat, double head, double ms_eps)
{
    switch (kind) {
    case VARIANCE_ANALYTIC:
        return 1 - ms_eps;
    case VARIANCE_ANALYTIC_DIAG:
        return 1 - head;
    case VARIANCE_SN:
        return head - eps_hat * eps_hat;
    default:
        return head;
    }
}

void variance_cov_x0(VarianceKind kind, const Schedule *schedule, int t, const float *eps_hat,
                     const float *head, double ms_eps, bool clip, size_t count, float *cov)
{
    assert(!variance_is_fixed(kind) && kind != VARIANCE_EXACT && t >= 1);
    double scale = schedule->beta_bar[t] / schedule->alpha_bar[t];
    for (size_t i = 0; i < count; i++) {
        double u = normalised(kind, eps_hat ? eps_hat[i] : 0, head ? head[i] : 0, ms_eps);
        cov[i] = (float)(clip ? variance_clipped(scale * u) : scale * u);
    }
}
