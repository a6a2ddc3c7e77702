/* The fit of correlations, bin by bin (correlation_fit.h).
 *
 * An element whose variance v is far below 1/kappa, kappa = SNR_1 - SNR_t, hardly matters to any
 * step. Its normalised residual can be huge nevertheless. So residuals are judged at the scale
 * m = v + 1/kappa, as the step t -> 1 judges them.
 */
#include "variance/correlation_fit.h"

#include "base/memory.h"
#include "diffusion/likelihood.h"
#include "stats/correlation.h"

#include <math.h>
#include <string.h>

/* The shares of I to try, from none to all. */
static const double shares[] = {0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1};

enum {
    SHARES = sizeof shares / sizeof shares[0],
    /* The halves of a bin's images. */
    HALVES = 2,
    /* The losses of this many images of a half are enough to choose a share. */
    JUDGED = 32,
};

/* The fit of one bin. */
typedef struct BinFit {
    const Residuals *residuals;
    const Schedule *schedule;
    const BlockShape *shape;
    /* [image_count]: the bin's images. Those with an even index here are half 0. */
    int *images, image_count;
    CorrelationSums sums[HALVES];
    /* [SHARES, 2 JUDGED]: the losses of judged images, in nats. */
    double *loss;
    int judged;
    /* [n, n]; and one image: [dims] each. */
    float *matrix, *value;
    double *off, *square;
} BinFit;

/* -- Sums ------------------------------------------------------------------------------------- */

static double kappa_of(const BinFit *b, int image)
{
    return likelihood_kappa(b->schedule, 1, b->residuals->t[image]);
}

/* Fills an observation from the block with the corner (top, left). */
static void observe(const BinFit *b, int image, int top, int left, double *residual,
                    double *deviation)
{
    const BlockShape *shape = b->shape;
    const size_t from = (size_t)image * b->residuals->dims;
    const double floor = 1 / kappa_of(b, image);
    for (int i = 0; i < block_rows(shape); i++) {
        const int pixel = i / shape->channels;
        const int y = top + pixel / shape->size, x = left + pixel % shape->size;
        residual[i] = deviation[i] = 0;
        if (y >= shape->side || x >= shape->side)
            continue;
        const size_t at =
            from + (size_t)((y * shape->side + x) * shape->channels + i % shape->channels);
        const double v = b->residuals->cov[at] < 0 ? 0 : b->residuals->cov[at];
        residual[i] = b->residuals->off[at] / sqrt(v + floor);
        deviation[i] = sqrt(v / (v + floor));
    }
}

static void add_image(const BinFit *b, int image, const CorrelationSums *sums)
{
    const int side = b->shape->side, size = b->shape->size;
    double residual[BLOCK_MOST_ROWS], deviation[BLOCK_MOST_ROWS];
    for (int top = 0; top < side; top += size)
        for (int left = 0; left < side; left += size) {
            observe(b, image, top, left, residual, deviation);
            correlation_sums_add(sums, residual, deviation);
        }
}

/* Lists the images with timesteps in (after, last], but for t = 1, which has no step to 1. */
static void list_images(BinFit *b, int after, int last)
{
    const Residuals *r = b->residuals;
    for (int i = 0; i < r->images; i++)
        if (r->t[i] > after && r->t[i] <= last && r->t[i] > 1)
            b->images[b->image_count++] = i;
}

/* -- The choice of the share ------------------------------------------------------------------ */

/* The KL of the step t -> 1 for one image, in nats. */
static double loss_of(const BinFit *b, int image)
{
    const size_t dims = b->residuals->dims, at = (size_t)image * dims;
    for (size_t i = 0; i < dims; i++)
        b->off[i] = b->residuals->off[at + i];
    block_covariance_rotate(b->shape, b->matrix, b->residuals->cov + at, b->off, b->value,
                            b->square);
    return likelihood_step(kappa_of(b, image), b->square, b->value, INFINITY, dims);
}

/* Judges the R of one half, shrunk by a share, on images of the other half. */
static void judge(BinFit *b, int half, int share)
{
    const int n = block_rows(b->shape);
    double *loss = b->loss + (share * HALVES + half) * JUDGED;
    correlation_shrunk(&b->sums[half], shares[share], b->matrix);
    const bool valid = block_correlation_is_valid(b->matrix, n);
    for (int k = 0; k < JUDGED; k++) {
        const int at = HALVES * k + 1 - half;
        loss[k] = at >= b->image_count ? 0 : valid ? loss_of(b, b->images[at]) : INFINITY;
    }
}

/* The mean of how far a share's losses lie below those of R = I, in nats per image, and the
 * standard error of this mean. */
static double gain_of(const BinFit *b, int share, double *error)
{
    const double *loss = b->loss + share * HALVES * JUDGED;
    const double *none = b->loss + (SHARES - 1) * HALVES * JUDGED;
    double sum = 0, squares = 0;
    for (int k = 0; k < HALVES * JUDGED; k++)
        sum += none[k] - loss[k];
    const double count = b->judged, mean = sum / count;
    for (int k = 0; k < HALVES * JUDGED; k++)
        squares += (none[k] - loss[k]) * (none[k] - loss[k]);
    *error = count > 1 ? sqrt(fmax(squares / count - mean * mean, 0) / (count - 1)) : 0;
    return mean;
}

/* The index of the share with the largest gain; without one, R = I. */
static int best_share(const BinFit *b, double *gain, double *error)
{
    int best = SHARES - 1;
    *gain = *error = 0;
    for (int k = 0; k < SHARES - 1; k++) {
        double its_error;
        const double its_gain = gain_of(b, k, &its_error);
        if (its_gain > *gain) { /* not if it is NaN or infinite */
            best = k;
            *gain = its_gain;
            *error = its_error;
        }
    }
    return best;
}

/* -- One bin ---------------------------------------------------------------------------------- */

/* The sums of all images, shrunk by the share of this index or, if R is not positive definite then,
 * by the next larger one. Returns the share. */
static double shrink(const BinFit *b, int share, float *matrix)
{
    correlation_sums_merge(&b->sums[0], &b->sums[1]);
    for (;; share++) {
        correlation_shrunk(&b->sums[0], shares[share], matrix);
        if (share == SHARES - 1 || block_correlation_is_valid(matrix, block_rows(b->shape)))
            return shares[share];
    }
}

static void fit_bin(BinFit *b, CorrelationFit *fit, int bin)
{
    const size_t n = (size_t)block_rows(b->shape);
    const double unit = 1 / ((double)b->residuals->dims * log(2));
    for (int k = 0; k < b->image_count; k++)
        add_image(b, b->images[k], &b->sums[k % HALVES]);
    b->judged = b->image_count < HALVES * JUDGED ? b->image_count : HALVES * JUDGED;
    for (int share = 0; share < SHARES && b->image_count >= HALVES; share++)
        for (int half = 0; half < HALVES; half++)
            judge(b, half, share);
    const int best = best_share(b, &fit->gain[bin], &fit->gain_error[bin]);
    fit->gain[bin] *= unit;
    fit->gain_error[bin] *= unit;
    fit->share[bin] = shrink(b, best, fit->correlation.matrix + (size_t)bin * n * n);
}

/* The memory of a bin's fit: one array of doubles, one of floats, one of integers. */
static bool bin_open(BinFit *b, double **doubles, float **floats, Error *error)
{
    static const char what[] = "correlations";
    const int n = block_rows(b->shape);
    const size_t sums = correlation_sums_size(n), dims = b->residuals->dims;
    const size_t losses = SHARES * HALVES * JUDGED;
    b->images = memory_large((size_t)b->residuals->images, sizeof *b->images, what, error);
    *doubles = b->images
                   ? memory_large(HALVES * sums + losses + 2 * dims, sizeof(double), what, error)
                   : NULL;
    *floats =
        *doubles ? memory_large((size_t)n * (size_t)n + dims, sizeof(float), what, error) : NULL;
    if (!*floats)
        return false;
    for (int half = 0; half < HALVES; half++)
        b->sums[half] = correlation_sums_at(*doubles + (size_t)half * sums, n);
    b->loss = *doubles + HALVES * sums;
    b->off = b->loss + losses;
    b->square = b->off + dims;
    b->matrix = *floats;
    b->value = *floats + (size_t)n * (size_t)n;
    return true;
}

bool correlation_fit(CorrelationFit *fit, const Residuals *residuals, const Schedule *schedule,
                     const TimeBins *bins, const BlockShape *shape, Error *error)
{
    const size_t n = (size_t)block_rows(shape);
    *fit = (CorrelationFit){.correlation = {.shape = *shape, .bins = *bins}};
    fit->correlation.matrix =
        memory_large((size_t)bins->count * n * n, sizeof(float), "correlations", error);
    bool ok = fit->correlation.matrix != NULL;
    Error failure = {0};
#pragma omp parallel for schedule(dynamic)
    for (int bin = 0; bin < bins->count; bin++) {
        BinFit b = {.residuals = residuals, .schedule = schedule, .shape = shape};
        double *doubles = NULL;
        float *floats = NULL;
        Error own = {0};
        if (fit->correlation.matrix && bin_open(&b, &doubles, &floats, &own)) {
            list_images(&b, bins->first[bin], bins->first[bin + 1]);
            fit_bin(&b, fit, bin);
        } else if (fit->correlation.matrix) {
#pragma omp critical
            ok = false, failure = own;
        }
        memory_free(b.images);
        memory_free(doubles);
        memory_free(floats);
    }
    for (int bin = 0; bin < bins->count; bin++)
        fit->mean_gain += fit->gain[bin] / bins->count;
    if (!ok && fit->correlation.matrix)
        *error = failure;
    return ok;
}

void correlation_fit_free(CorrelationFit *fit)
{
    memory_free(fit->correlation.matrix);
    *fit = (CorrelationFit){0};
}
