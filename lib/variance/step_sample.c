/* A reverse step adds noise to its mean. The noise comes from one of three places:
 *
 *     draw            the variance's own function: its covariance may have correlations
 *     step_variance   sqrt(variance) z, where the variance depends on s
 *     cov             sqrt(lambda^2 + gain Cov) z, or a fixed variance (diffusion/reverse.h)
 *
 * The last case is the common one, and needs no memory.
 */
#include "variance/step_sample.h"

#include "base/memory.h"

/* noise [dims] := sqrt(variance) z. The variance is bounded as in reverse_variance(). */
static void scale_noise(const Variance *variance, const VarianceInput *input,
                        const ReverseStep *step, const float *z, float *noise)
{
    double *own = memory_small(input->dims, sizeof *own);
    variance->step_variance(input, step, own);
    for (size_t i = 0; i < input->dims; i++) {
        const double v = own[i] > step->max_variance ? step->max_variance : own[i];
        noise[i] = (float)(sqrt(v < 0 ? 0 : v) * z[i]);
    }
    memory_free(own);
}

/* Takes the step with the noise of `draw` or of `step_variance`. cov is NULL if the variance
 * depends on s. */
static void add_own_noise(const Variance *variance, const VarianceInput *input,
                          const ReverseStep *step, const float *cov, const float *z, float *x_s)
{
    float *noise = memory_small(input->dims, sizeof *noise);
    if (variance->draw)
        variance->draw(input, step, cov, z, noise);
    else
        scale_noise(variance, input, step, z, noise);
    for (size_t i = 0; i < input->dims; i++)
        x_s[i] = (float)(reverse_mean(step, input->x_t[i], input->eps_hat[i]) + noise[i]);
    memory_free(noise);
}

void step_sample(const EstimateSource *source, const Variance *variance, const ReverseStep *step,
                 const float *x_t, const float *eps_hat, const float *head, const float *draw_head,
                 const float *z, float *cov, float *x_s)
{
    const bool estimated = step->s > 0 && !variance_is_fixed(variance);
    const bool has_cov = estimated && !variance->depends_on_step;
    if (has_cov)
        estimate_cov_x0(source, variance, step->t, x_t, eps_hat, head, cov);
    if (estimated && (variance->draw || variance->depends_on_step)) {
        VarianceInput input = estimate_input(source, step->t, x_t, eps_hat, head);
        input.draw_head = draw_head;
        add_own_noise(variance, &input, step, has_cov ? cov : NULL, z, x_s);
    } else {
        reverse_step_sample(step, x_t, eps_hat, has_cov ? cov : NULL, z, source->dims, x_s);
    }
}
