/* eps is a sum of the network's input and output, with a factor for each that depends on t:
 *
 *     v     eps = sqrt(beta_bar) x_t + sqrt(alpha_bar) v
 *     x_0   eps = (x_t - sqrt(alpha_bar) x_0) / sqrt(beta_bar)
 */
#include "diffusion/prediction.h"

#include <math.h>

PredictionFactors prediction_factors(Predicts predicts, const Schedule *schedule, int t)
{
    if (predicts == PREDICTS_EPS)
        return (PredictionFactors){0, 1};
    const double alpha = sqrt(schedule->alpha_bar[t]), beta = sqrt(schedule->beta_bar[t]);
    if (predicts == PREDICTS_V)
        return (PredictionFactors){beta, alpha};
    return beta > 0 ? (PredictionFactors){1 / beta, -alpha / beta} : (PredictionFactors){0, 0};
}

void prediction_to_eps(Predicts predicts, const Schedule *schedule, const float *x_t, const int *t,
                       size_t count, size_t dims, float *output)
{
    if (predicts == PREDICTS_EPS)
        return;
#pragma omp parallel for
    for (size_t n = 0; n < count; n++) {
        const PredictionFactors f = prediction_factors(predicts, schedule, t[n]);
        const float *x = x_t + n * dims;
        float *out = output + n * dims;
        for (size_t i = 0; i < dims; i++)
            out[i] = (float)(f.input * (double)x[i] + f.output * (double)out[i]);
    }
}

void prediction_gradient(Predicts predicts, const Schedule *schedule, const int *t, size_t count,
                         size_t dims, float *gradient)
{
    if (predicts == PREDICTS_EPS)
        return;
#pragma omp parallel for
    for (size_t n = 0; n < count; n++) {
        const double factor = prediction_factors(predicts, schedule, t[n]).output;
        for (size_t i = 0; i < dims; i++)
            gradient[n * dims + i] = (float)(factor * (double)gradient[n * dims + i]);
    }
}
