/* The regression of each bin begins at the solution of all bins together, which is fitted to a part
 * of the sample a quarter as large as one bin's. The ridge and the share that a bin borrows are chosen on the
 * first channel of images, by held-out blocks (stats/gamma_shrinkage.h). The search for them solves
 * many regressions, so it reads a part of a large bin's blocks only.
 *
 * A loss with weights (variance/objective.h) is solved for several times, with the weights at the
 * solution before: without weights and then with weights on a part of the blocks, and in the end on
 * all of them.
 */
#include "train/stage2_gamma.h"

#include "base/memory.h"
#include "stats/block_rows.h"
#include "stats/gamma_shrinkage.h"

#include <math.h>
#include <string.h>

/* -- Rows ------------------------------------------------------------------------------------- */

/* Rows of a part of the sample, with r for one channel at a time. */
typedef struct Lines {
    BlockRows *rows;
    GammaRows maps;
    /* [rows]: r, the timesteps, and the weights of the losses. */
    double *r, *t, *weight;
} Lines;

static bool make_lines(Lines *lines, const BlockSample *sample, int group, int stride, Error *error)
{
    *lines = (Lines){0};
    if (!block_rows_make(&lines->rows, sample, group, stride, error))
        return false;
    lines->maps = block_rows_maps(lines->rows);
    const size_t count = block_rows_count(lines->rows), size = sizeof(double);
    return (lines->r = memory_large(count, size, "a regression", error)) &&
           (lines->t = memory_large(count, size, "a regression", error)) &&
           (lines->weight = memory_large(count, size, "a regression", error));
}

static void free_lines(Lines *lines)
{
    block_rows_free(lines->rows);
    memory_free(lines->r);
    memory_free(lines->t);
    memory_free(lines->weight);
}

static double ratio(const void *context, int t, double residual)
{
    const HeadFit *fit = context;
    return fit->loss->ratio(fit->schedule, t, residual);
}

static double timestep(const void *context, int t, double residual)
{
    (void)context, (void)residual;
    return t;
}

static void take_channel(const HeadFit *fit, Lines *lines, int channel)
{
    block_rows_values(lines->rows, channel, ratio, fit, lines->r);
    block_rows_values(lines->rows, channel, timestep, NULL, lines->t);
}

/* lines->weight := the weights at w. They are divided by their mean, or by *mean if it is not 0;
 * *mean := the divisor. */
static void weigh(const HeadFit *fit, Lines *lines, const double *w, double *mean)
{
    const size_t count = block_rows_count(lines->rows);
    double *weight = lines->weight, sum = 0;
    gamma_rows_apply(&lines->maps, w, weight);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        weight[i] =
            fit->loss->weight ? fit->loss->weight(fit->schedule, (int)lines->t[i], weight[i]) : 1;
    for (size_t i = 0; i < count; i++)
        sum += weight[i];
    if (*mean == 0)
        *mean = sum > 0 ? sum / (double)count : 1;
    for (size_t i = 0; i < count; i++)
        weight[i] /= *mean;
}

/* -- Fitting ---------------------------------------------------------------------------------- */

/* fisher := the mean of phi phi' over the observations of the sums; 0 without observations. */
static void mean_products(const NormalSums *sums, double *fisher)
{
    const size_t count = (size_t)sums->features * ((size_t)sums->features + 1) / 2;
    for (size_t i = 0; i < count; i++)
        fisher[i] = *sums->count > 0 ? sums->products[i] / *sums->count : 0;
}

/* What the bins of a head have in common. */
typedef struct Common {
    /* Fisher's matrices of all bins, and of the current one. */
    double *all_fisher, *fisher;
    /* [outputs, features]: the solutions of all bins. */
    double *center;
} Common;

static bool make_common(Common *common, const HeadFit *fit, Error *error)
{
    const size_t features = (size_t)fit->features, size = features * (features + 1) / 2;
    *common = (Common){.center = memory_small((size_t)fit->outputs * features, sizeof(double))};
    common->all_fisher = memory_large(size, sizeof(double), "a regression", error);
    common->fisher =
        common->all_fisher ? memory_large(size, sizeof(double), "a regression", error) : NULL;
    if (common->fisher)
        mean_products(fit->all, common->all_fisher);
    return common->fisher != NULL;
}

static void free_common(Common *common)
{
    memory_free(common->all_fisher);
    memory_free(common->fisher);
    memory_free(common->center);
}

/* w := the solution for the rows of all bins, which begins at w; `weight` may be NULL. */
static bool solve_center(const HeadFit *fit, const Common *common, const Lines *lines,
                         const double *weight, double *w, Error *error)
{
    const double small_ridge = 1e-5, tolerance = 1e-6;
    const GammaProblem problem = {.rows = &lines->maps,
                                  .r = lines->r,
                                  .weight = weight,
                                  .fisher = common->all_fisher,
                                  .ridge = fit->ridge < 0 ? small_ridge : fit->ridge,
                                  .tolerance = tolerance};
    GammaFit result;
    return gamma_regression_fit(&problem, w, &result, error);
}

/* The solutions of all bins together. */
static bool fit_center(const HeadFit *fit, Common *common, Error *error)
{
    Lines lines;
    bool ok = make_lines(&lines, fit->sample->fitted, BLOCK_ROWS_ALL, 4 * fit->bins, error);
    for (int c = 0; ok && c < fit->outputs; c++) {
        double *w = common->center + (size_t)c * (size_t)fit->features, mean = 0;
        take_channel(fit, &lines, c);
        gamma_regression_constant(&lines.maps, lines.r, w);
        ok = solve_center(fit, common, &lines, NULL, w, error);
        if (ok && fit->loss->weight) {
            weigh(fit, &lines, w, &mean);
            ok = solve_center(fit, common, &lines, lines.weight, w, error);
        }
    }
    free_lines(&lines);
    return ok;
}

/* *sum += the losses of the rows, and *count += their number. */
static bool add_loss(const Lines *lines, const double *w, double *sum, double *count, Error *error)
{
    const double rows = (double)block_rows_count(lines->rows);
    double loss = 0;
    if (rows > 0 && !gamma_regression_loss(&lines->maps, lines->r, NULL, w, &loss, error))
        return false;
    *sum += rows * loss;
    *count += rows;
    return true;
}

/* Sums of losses, and numbers of rows. */
typedef struct Losses {
    double fitted, held, fitted_rows, held_rows;
} Losses;

/* The rows of one bin: all that are fitted, those that the search reads, and those held out. */
typedef struct BinLines {
    Lines own, some, held;
} BinLines;

/* One block in so many is enough for the search. */
static int search_stride(const HeadFit *fit, const Lines *own)
{
    const size_t rows_per_feature = 128, most = 8;
    const size_t stride = block_rows_count(own->rows) / (rows_per_feature * (size_t)fit->features);
    return stride < 1 ? 1 : (int)(stride < most ? stride : most);
}

static bool make_bin_lines(BinLines *lines, const HeadFit *fit, int bin, Error *error)
{
    *lines = (BinLines){0};
    return make_lines(&lines->own, fit->sample->fitted, bin, 1, error) &&
           make_lines(&lines->some, fit->sample->fitted, bin, search_stride(fit, &lines->own),
                      error) &&
           make_lines(&lines->held, fit->sample->held, bin, 1, error);
}

static void free_bin_lines(BinLines *lines)
{
    free_lines(&lines->own);
    free_lines(&lines->some);
    free_lines(&lines->held);
}

/* The bin's data with some or all of its rows. `weighted`: with their weights. */
static GammaBin bin_of(const HeadFit *fit, const Common *common, const Lines *own,
                       const Lines *held, int channel, bool weighted)
{
    const double *center = common->center + (size_t)channel * (size_t)fit->features;
    return (GammaBin){.own = &own->maps,
                      .held = &held->maps,
                      .r = own->r,
                      .held_r = held->r,
                      .weight = weighted ? own->weight : NULL,
                      .held_weight = weighted ? held->weight : NULL,
                      .fisher = common->fisher,
                      .all_fisher = common->all_fisher,
                      .center = fit->bins > 1 ? center : NULL};
}

/* w := a solution without weights, on a part of the rows. */
static bool approach(const HeadFit *fit, const GammaBin *plain, double *w, Error *error)
{
    const Shrinkage medium = {.ridge = fit->ridge < 0 ? 1e-4 : fit->ridge,
                              .borrow = plain->center ? 0.1 : 0};
    return !fit->loss->weight || plain->own->chunks == 0 ||
           gamma_shrinkage_solve(plain, medium, w, error);
}

/* fit->chosen[bin] := the best ridge and share; w := the solution with them on a part of the rows,
 * with the weights at w. */
static bool choose(HeadFit *fit, const Common *common, BinLines *lines, int bin, double *w,
                   Error *error)
{
    const GammaBin data = bin_of(fit, common, &lines->some, &lines->held, 0, true);
    double mean = 0;
    weigh(fit, &lines->some, w, &mean);
    weigh(fit, &lines->held, w, &mean);
    return gamma_shrinkage_fit(&data, fit->ridge, &fit->chosen[bin], w, error);
}

/* w := the solution on all rows of the bin, with the weights at w. */
static bool solve(const HeadFit *fit, const Common *common, BinLines *lines, int bin, int channel,
                  double *w, Error *error)
{
    const GammaBin data = bin_of(fit, common, &lines->own, &lines->held, channel, true);
    double mean = 0;
    weigh(fit, &lines->own, w, &mean);
    return gamma_shrinkage_solve(&data, fit->chosen[bin], w, error);
}

static bool fit_channel(HeadFit *fit, const Common *common, BinLines *lines, int bin, int channel,
                        Losses *losses, Error *error)
{
    const size_t features = (size_t)fit->features;
    const GammaBin plain = bin_of(fit, common, &lines->some, &lines->held, channel, false);
    double *w = fit->w + ((size_t)bin * (size_t)fit->outputs + (size_t)channel) * features;
    take_channel(fit, &lines->own, channel);
    take_channel(fit, &lines->some, channel);
    take_channel(fit, &lines->held, channel);
    memcpy(w, common->center + (size_t)channel * features, features * sizeof *w);
    return approach(fit, &plain, w, error) &&
           (channel > 0 || choose(fit, common, lines, bin, w, error)) &&
           solve(fit, common, lines, bin, channel, w, error) &&
           add_loss(&lines->own, w, &losses->fitted, &losses->fitted_rows, error) &&
           add_loss(&lines->held, w, &losses->held, &losses->held_rows, error);
}

static bool fit_bin(HeadFit *fit, const Common *common, int bin, Losses *losses, Error *error)
{
    BinLines lines;
    mean_products(&fit->own[bin], common->fisher);
    bool ok = make_bin_lines(&lines, fit, bin, error);
    for (int c = 0; ok && c < fit->outputs; c++)
        ok = fit_channel(fit, common, &lines, bin, c, losses, error);
    free_bin_lines(&lines);
    return ok;
}

bool head_gamma_fit(HeadFit *fit, Error *error)
{
    Common common;
    Losses losses = {0};
    bool ok = make_common(&common, fit, error) && fit_center(fit, &common, error);
    for (int bin = 0; ok && bin < fit->bins; bin++)
        ok = fit_bin(fit, &common, bin, &losses, error);
    fit->fitted_loss = losses.fitted / losses.fitted_rows;
    fit->held_loss = losses.held / losses.held_rows;
    free_common(&common);
    return ok;
}
