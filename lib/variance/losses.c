#include "variance/losses.h"

const char *loss_name(LossKind kind)
{
    static const char *const names[] = {[LOSS_EPS] = "eps", [LOSS_SN] = "sn", [LOSS_NPR] = "npr"};
    return names[kind];
}

/* What the output should be. */
static inline double target(LossKind kind, const float *eps, const float *eps_hat, size_t i)
{
    if (kind == LOSS_EPS)
        return eps[i];
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): only npr reads eps_hat, and has it */
    double error = kind == LOSS_SN ? eps[i] : (double)eps[i] - eps_hat[i];
    return error * error;
}

void loss_targets(LossKind kind, const float *eps, const float *eps_hat, size_t count, float *y)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        y[i] = (float)target(kind, eps, eps_hat, i);
}

/* One image: its loss, and its part of the gradient, scaled by `slope` = 2 / images. */
static double image_loss(LossKind kind, const float *eps, const float *eps_hat, const float *output,
                         size_t dims, double slope, float *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < dims; i++) {
        double excess = output[i] - target(kind, eps, eps_hat, i);
        sum += excess * excess;
        if (gradient)
            gradient[i] = (float)(slope * excess);
    }
    return sum;
}

double loss_mean(LossKind kind, const float *eps, const float *eps_hat, const float *output,
                 size_t images, size_t dims, double *each, float *gradient)
{
    double slope = 2.0 / (double)images;
#pragma omp parallel for
    for (size_t i = 0; i < images; i++) {
        size_t at = i * dims;
        each[i] = image_loss(kind, eps + at, eps_hat ? eps_hat + at : NULL, output + at, dims,
                             slope, gradient ? gradient + at : NULL);
    }
    double sum = 0;
    for (size_t i = 0; i < images; i++)
        sum += each[i];
    return sum / (double)images;
}
