/* The table of objectives, and the loop over images that all objectives share.
 *
 * A thread takes a whole image. Its buffer of doubles has room for one image, and for weights. The
 * buffer holds the targets first; the gradient then replaces them, and is rounded to single precision
 * when it is stored. The loss of an image is one sum from its first element to its last. The mean is one sum
 * from the first image to the last.
 */
#include "variance/objective.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>

#define OBJECTIVE_ADDRESS(name) &objective_##name,
const Objective *const objective_table[OBJECTIVE_COUNT] = {OBJECTIVES(OBJECTIVE_ADDRESS)};
#undef OBJECTIVE_ADDRESS

static ObjectiveInput input_of(const ObjectiveBatch *batch, size_t image)
{
    const size_t at = image * batch->dims;
    return (ObjectiveInput){
        .schedule = batch->schedule,
        .t = batch->t[image],
        .dims = batch->dims,
        .eps = batch->eps + at,
        .eps_hat = batch->eps_hat ? batch->eps_hat + at : NULL,
        .x_0 = batch->x_0 ? batch->x_0 + at : NULL,
        .product = batch->products ? batch->products + at : NULL,
    };
}

void objective_targets(const Objective *objective, const ObjectiveBatch *batch, float *y)
{
    const size_t dims = batch->dims;
#pragma omp parallel
    {
        double *target = memory_small(dims, sizeof *target);
#pragma omp for schedule(static)
        for (size_t image = 0; image < batch->images; image++) {
            const ObjectiveInput in = input_of(batch, image);
            objective->target(&in, target);
            for (size_t i = 0; i < dims; i++)
                y[image * dims + i] = (float)target[i];
        }
        memory_free(target);
    }
}

/* Returns ||output - y||^2; y [dims] := the gradient with respect to output [dims]. */
static double squared_error(const float *output, size_t dims, double *y)
{
    double sum = 0;
    for (size_t i = 0; i < dims; i++) {
        const double excess = output[i] - y[i];
        sum += excess * excess;
        y[i] = 2 * excess;
    }
    return sum;
}

/* residual [dims] := x_0 - x_0_hat. Here x_0_hat is x_0 + sqrt(beta_bar / alpha_bar)
 * (eps - eps_hat), which is x_t / sqrt(alpha_bar) - sqrt(beta_bar / alpha_bar) eps_hat without the
 * rounding of x_t, and is then clipped. */
static void residuals_of(const ObjectiveInput *in, double *residual)
{
    assert(in->x_0 && in->eps_hat);
    const double scale = sqrt(in->schedule->beta_bar[in->t] / in->schedule->alpha_bar[in->t]);
    for (size_t i = 0; i < in->dims; i++) {
        const double x_0 = in->x_0[i];
        const double x_0_hat = x_0 + scale * ((double)in->eps[i] - in->eps_hat[i]);
        residual[i] = x_0 - (x_0_hat < -1 ? -1 : x_0_hat > 1 ? 1 : x_0_hat);
    }
}

void objective_residuals(const ObjectiveBatch *batch, float *out)
{
    const size_t dims = batch->dims;
#pragma omp parallel
    {
        double *residual = memory_small(dims, sizeof *residual);
#pragma omp for schedule(static)
        for (size_t image = 0; image < batch->images; image++) {
            const ObjectiveInput in = input_of(batch, image);
            residuals_of(&in, residual);
            for (size_t i = 0; i < dims; i++)
                out[image * dims + i] = (float)residual[i];
        }
        memory_free(residual);
    }
}

/* Multiplies slope [dims] by the weights of the elements, divided by their mean. scratch [dims] */
static void weigh(const Objective *objective, const ObjectiveInput *in, const float *output,
                  double *slope, double *scratch)
{
    double sum = 0;
    for (size_t i = 0; i < in->dims; i++) {
        scratch[i] = objective->weight(in->schedule, in->t, output[i]);
        sum += scratch[i];
    }
    const double scale = (double)in->dims / sum;
    for (size_t i = 0; sum > 0 && i < in->dims; i++)
        slope[i] *= scale * scratch[i];
}

/* Returns the sum of l + r exp(-l), l being the output; gradient [dims] := 1 - r exp(-l), times the
 * weights unless scratch [dims] is NULL. */
static double gamma_loss(const Objective *objective, const ObjectiveInput *in, const float *output,
                         double *gradient, double *scratch)
{
    double sum = 0;
    residuals_of(in, gradient);
    for (size_t i = 0; i < in->dims; i++) {
        const double r = objective->ratio(in->schedule, in->t, gradient[i]);
        const double share = r * exp(-(double)output[i]);
        sum += (double)output[i] + share;
        gradient[i] = 1 - share;
    }
    if (objective->weight && scratch)
        weigh(objective, in, output, gradient, scratch);
    return sum;
}

/* Returns the loss of one image; gradient [dims] := its gradient with respect to output [dims].
 * scratch [dims]: NULL leaves out the weights of the gradient. */
static double image_loss(const Objective *objective, const ObjectiveInput *in, const float *output,
                         double *gradient, double *scratch)
{
    if (objective_is_gamma(objective))
        return gamma_loss(objective, in, output, gradient, scratch);
    if (!objective_is_quadratic(objective))
        return objective->loss(in, output, gradient);
    objective->target(in, gradient);
    return squared_error(output, in->dims, gradient);
}

double objective_loss(const Objective *objective, const ObjectiveBatch *batch, const float *output,
                      double *each, float *gradient)
{
    const size_t dims = batch->dims;
    const double whole = (double)(batch->whole > 0 ? batch->whole : batch->images);
    const double share = 1.0 / whole;
#pragma omp parallel
    {
        double *slopes = memory_small(2 * dims, sizeof *slopes);
#pragma omp for schedule(static)
        for (size_t image = 0; image < batch->images; image++) {
            const ObjectiveInput in = input_of(batch, image);
            each[image] = image_loss(objective, &in, output + image * dims, slopes,
                                     gradient ? slopes + dims : NULL);
            for (size_t i = 0; gradient && i < dims; i++)
                gradient[image * dims + i] = (float)(share * slopes[i]);
        }
        memory_free(slopes);
    }
    double sum = 0;
    for (size_t image = 0; image < batch->images; image++)
        sum += each[image];
    return sum / whole;
}
