/* Calibration of variances: the mean of r^2 / Cov[x_0 | x_t] over images and elements
 * (calibration.h).
 *
 * The mean is 1 if a variance predicts the size of the errors r = x_0 - x_0_hat correctly. A single
 * estimate near zero would dominate the mean. So estimates are first raised to the variance of
 * rounding to a grey level, since data of 256 levels have no finer errors; `floored` is the
 * fraction that was raised. `ratio` is sum of r^2 / sum of Cov, and needs no floor. `tenths` has the
 * mean, and the mean of the squares, in each tenth of an image's elements (tenths.h). Two kinds of
 * variances have no calibration: beta_tilde, whose estimate is 0, and variances that depend on s,
 * which do not estimate Cov[x_0 | x_t].
 */
#include "evaluation/calibration.h"

#include "base/dispatch.h"

struct CalibrationImage {
    /* Means over the elements. */
    double calibration, floored;
    /* Sums over the elements. */
    double sum_cov, sum_off2;
    /* As tenths_of() fills them: the means of r^2 / Cov and of their squares. */
    double tenths[2][TENTHS];
};

bool calibration_make(Calibration *calibration, const BoundFrame *frame, Error *error)
{
    const size_t entries = (size_t)frame->schedule->timesteps + 1;
    const size_t variances = (size_t)frame->task->variance_count;
    *calibration = (Calibration){.frame = frame};
    calibration->images = memory_large(variances * (size_t)frame->task->images,
                                       sizeof *calibration->images, "bounds", error);
    return calibration->images &&
           bound_allocate(&calibration->calibration, variances, entries, NAN, error) &&
           bound_allocate(&calibration->calibration_error, variances, entries, NAN, error) &&
           bound_allocate(&calibration->floored, variances, entries, NAN, error) &&
           bound_allocate(&calibration->ratio, variances, entries, NAN, error) &&
           bound_allocate(&calibration->tenths, variances, entries * 2 * TENTHS, NAN, error);
}

void calibration_free(Calibration *calibration)
{
    memory_free(calibration->images);
    memory_free(calibration->calibration);
    memory_free(calibration->calibration_error);
    memory_free(calibration->floored);
    memory_free(calibration->ratio);
    memory_free(calibration->tenths);
}

/* Sums over an image's elements: of r^2 / c in `square`, of c in `sum_cov`. `floored` counts the
 * elements whose c is below GREY_LEVEL_VARIANCE. */
VECTORISED static void sum_elements(const float *cov, const double *off2, size_t count,
                                    double *square, double *floored, double *sum_cov)
{
    double sum = 0, below = 0, all = 0;
#pragma omp simd reduction(+ : sum, below, all)
    for (size_t i = 0; i < count; i++) {
        double c = cov[i];
        bool low = c < GREY_LEVEL_VARIANCE;
        sum += off2[i] / (low ? GREY_LEVEL_VARIANCE : c);
        below += low ? 1.0 : 0.0;
        all += c;
    }
    *square = sum;
    *floored = below;
    *sum_cov = all;
}

static CalibrationImage *images_of(const Calibration *calibration, int v)
{
    return calibration->images + (size_t)v * (size_t)calibration->frame->task->images;
}

void calibration_add(Calibration *calibration, const BoundImage *image,
                     const BoundEstimate *estimate)
{
    const size_t dims = calibration->frame->dims;
    CalibrationImage *own = images_of(calibration, estimate->variance) + image->index;
    sum_elements(estimate->cov, estimate->off2, dims, &own->calibration, &own->floored,
                 &own->sum_cov);
    own->calibration /= (double)dims;
    own->floored /= (double)dims;
    own->sum_off2 = image->sum_off2;
    tenths_of(estimate->cov, estimate->off2, dims, own->tenths[0], own->tenths[1]);
}

static void finish_variance(Calibration *calibration, int v, int t)
{
    const int count = calibration->frame->task->images;
    const size_t at = (size_t)v * ((size_t)calibration->frame->schedule->timesteps + 1) + (size_t)t;
    const CalibrationImage *images = images_of(calibration, v);
    double sum = 0, squares = 0, floored = 0, off2 = 0, cov = 0;
    for (int i = 0; i < count; i++) {
        sum += images[i].calibration;
        floored += images[i].floored;
        off2 += images[i].sum_off2;
        cov += images[i].sum_cov;
    }
    for (int i = 0; i < count; i++) {
        double off = images[i].calibration - sum / count;
        squares += off * off;
    }
    calibration->calibration[at] = sum / count;
    calibration->calibration_error[at] = count > 1 ? sqrt(squares / (count - 1) / count) : NAN;
    calibration->floored[at] = floored / count;
    calibration->ratio[at] = off2 / cov;
    for (int k = 0; k < 2 * TENTHS; k++) {
        double all = 0;
        for (int i = 0; i < count; i++)
            all += images[i].tenths[k / TENTHS][k % TENTHS];
        calibration->tenths[at * 2 * TENTHS + (size_t)k] = all / count;
    }
}

void calibration_finish(Calibration *calibration, int t)
{
    const BoundTask *task = calibration->frame->task;
    for (int v = 0; v < task->variance_count; v++)
        if (!variance_knows_x0(task->variances[v]) && !task->variances[v]->depends_on_step)
            finish_variance(calibration, v, t);
}
