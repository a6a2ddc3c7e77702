/* The regression of each bin begins at the solution of all bins together, which is fitted to a part
 * of the sample as large as one bin's. The ridge and the share that a bin borrows are chosen on the
 * first channel of images, by held-out blocks (stats/gamma_shrinkage.h). The search for them solves
 * many regressions, so it reads a part of a large bin's blocks only.
 */
#include "train/stage2_sample.h"

#include "base/group.h"
#include "base/memory.h"
#include "stats/block_rows.h"
#include "stats/gamma_shrinkage.h"

#include <math.h>
#include <string.h>

/* -- The sample ------------------------------------------------------------------------------- */

bool head_sample_make(HeadSample *sample, const HeadSampleSize *size, Error *error)
{
    const double held_share = 1.0 / 8; /* of the memory; about the share of the images */
    const BlockSampleShape *shape = &size->shape;
    const int64_t blocks = (shape->side + BLOCK_SIDE - 1) / BLOCK_SIDE;
    const int64_t per_batch = size->batch * blocks * blocks;
    const size_t pixels = (size_t)(size->batch * shape->side * shape->side);
    *sample = (HeadSample){0};
    sample->residuals =
        memory_large(pixels * (size_t)shape->channels, sizeof(float), "residuals", error);
    if (!sample->residuals)
        return false;
    sample->features =
        memory_large(pixels * (size_t)shape->features, sizeof(float), "features", error);
    return sample->features &&
           block_sample_make(&sample->fitted, shape, size->bins, size->bytes * (1 - held_share),
                             size->fitted * per_batch, error) &&
           block_sample_make(&sample->held, shape, size->bins, size->bytes * held_share,
                             size->held * per_batch, error);
}

void head_sample_free(HeadSample *sample)
{
    block_sample_free(sample->fitted);
    block_sample_free(sample->held);
    memory_free(sample->residuals);
    memory_free(sample->features);
}

/* -- Rows ------------------------------------------------------------------------------------- */

/* Rows of a part of the sample, with r for one channel at a time. */
typedef struct Lines {
    BlockRows *rows;
    GammaRows maps;
    double *r;
} Lines;

static bool make_lines(Lines *lines, const BlockSample *sample, int group, int stride, Error *error)
{
    *lines = (Lines){0};
    if (!block_rows_make(&lines->rows, sample, group, stride, error))
        return false;
    lines->maps = block_rows_maps(lines->rows);
    lines->r = memory_large(block_rows_count(lines->rows), sizeof *lines->r, "a regression", error);
    return lines->r != NULL;
}

static void free_lines(Lines *lines)
{
    block_rows_free(lines->rows);
    memory_free(lines->r);
}

static double ratio(const void *context, int t, double residual)
{
    const HeadFit *fit = context;
    return fit->loss->ratio(fit->schedule, t, residual);
}

static void take_channel(const HeadFit *fit, Lines *lines, int channel)
{
    block_rows_values(lines->rows, channel, ratio, fit, lines->r);
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

/* The solutions of all bins together. */
static bool fit_center(const HeadFit *fit, Common *common, Error *error)
{
    const double small_ridge = 1e-5, tolerance = 1e-6;
    Lines lines;
    bool ok = make_lines(&lines, fit->sample->fitted, BLOCK_ROWS_ALL, fit->bins, error);
    for (int c = 0; ok && c < fit->outputs; c++) {
        double *w = common->center + (size_t)c * (size_t)fit->features;
        const GammaProblem problem = {.rows = &lines.maps,
                                      .r = lines.r,
                                      .fisher = common->all_fisher,
                                      .ridge = fit->ridge < 0 ? small_ridge : fit->ridge,
                                      .tolerance = tolerance};
        GammaFit result;
        take_channel(fit, &lines, c);
        gamma_regression_constant(&lines.maps, lines.r, w);
        ok = gamma_regression_fit(&problem, w, &result, error);
    }
    free_lines(&lines);
    return ok;
}

/* *sum += the losses of the rows, and *count += their number. */
static bool add_loss(const Lines *lines, const double *w, double *sum, double *count, Error *error)
{
    const double rows = (double)block_rows_count(lines->rows);
    double loss = 0;
    if (rows > 0 && !gamma_regression_loss(&lines->maps, lines->r, w, &loss, error))
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

/* fit->chosen[bin] := the best ridge and share; w := the solution with them on the part. */
static bool choose(HeadFit *fit, const GammaBin *bin_data, Lines *some, int bin, double *w,
                   Error *error)
{
    GammaBin part = *bin_data;
    take_channel(fit, some, 0);
    part.own = &some->maps;
    part.r = some->r;
    return gamma_shrinkage_fit(&part, fit->ridge, &fit->chosen[bin], w, error);
}

static bool fit_channel(HeadFit *fit, const Common *common, BinLines *lines, int bin, int channel,
                        Losses *losses, Error *error)
{
    Lines *own = &lines->own, *held = &lines->held;
    const size_t features = (size_t)fit->features;
    const double *center = common->center + (size_t)channel * features;
    double *w = fit->w + ((size_t)bin * (size_t)fit->outputs + (size_t)channel) * features;
    const GammaBin data = {.own = &own->maps,
                           .held = &held->maps,
                           .r = own->r,
                           .held_r = held->r,
                           .fisher = common->fisher,
                           .all_fisher = common->all_fisher,
                           .center = fit->bins > 1 ? center : NULL};
    take_channel(fit, own, channel);
    take_channel(fit, held, channel);
    memcpy(w, center, features * sizeof *w);
    return (channel > 0 || choose(fit, &data, &lines->some, bin, w, error)) &&
           gamma_shrinkage_solve(&data, fit->chosen[bin], w, error) &&
           add_loss(own, w, &losses->fitted, &losses->fitted_rows, error) &&
           add_loss(held, w, &losses->held, &losses->held_rows, error);
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

bool head_sample_fit(HeadFit *fit, Error *error)
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

/* -- Several processes ------------------------------------------------------------------------- */

/* In the first process: adds the `count` blocks that process `from` sends. */
static void receive(BlockSample *sample, int group, int64_t count, int from, float *records,
                    double *keys)
{
    const size_t size = block_sample_record(sample);
    if (count == 0)
        return;
    group_bring(records, (size_t)count * size * sizeof *records, from);
    group_bring(keys, (size_t)count * sizeof *keys, from);
    block_sample_merge(sample, group, count, records, keys);
}

/* In another process: sends the blocks of a group. group_bring does not change what is sent. */
static void send(const BlockSample *sample, int group)
{
    const size_t count = (size_t)block_sample_count(sample, group);
    if (count == 0)
        return;
    group_bring((void *)block_sample_records(sample, group),
                count * block_sample_record(sample) * sizeof(float), group_rank());
    group_bring((void *)block_sample_keys(sample, group), count * sizeof(double), group_rank());
}

/* The first process needs room for the largest number of blocks of another. */
static bool make_room(const BlockSample *sample, const int64_t *counts, float **records,
                      double **keys, Error *error)
{
    static const char what[] = "a sample of blocks";
    int64_t most = 1;
    for (int r = 1; r < group_size(); r++)
        most = counts[r] > most ? counts[r] : most;
    *records =
        memory_large((size_t)most, block_sample_record(sample) * sizeof **records, what, error);
    *keys = *records ? memory_large((size_t)most, sizeof **keys, what, error) : NULL;
    return *keys != NULL;
}

static bool collect_group(BlockSample *sample, int group, Error *error)
{
    float *records = NULL;
    double *keys = NULL;
    int64_t *counts = memory_small((size_t)group_size(), sizeof *counts);
    counts[group_rank()] = block_sample_count(sample, group);
    group_gather(counts, group_size(), sizeof *counts);
    const bool ok =
        group_agree(!group_is_first() || make_room(sample, counts, &records, &keys, error), error);
    for (int r = 1; ok && r < group_size(); r++)
        if (group_is_first())
            receive(sample, group, counts[r], r, records, keys);
        else if (group_rank() == r)
            send(sample, group);
    if (ok && !group_is_first())
        block_sample_clear(sample, group);
    memory_free(counts);
    memory_free(records);
    memory_free(keys);
    return ok;
}

bool head_sample_collect(HeadSample *sample, Error *error)
{
    for (int bin = 0; bin < block_sample_groups(sample->fitted); bin++)
        if (!collect_group(sample->fitted, bin, error) || !collect_group(sample->held, bin, error))
            return false;
    return true;
}

void head_sample_clear(HeadSample *sample)
{
    for (int bin = 0; bin < block_sample_groups(sample->fitted); bin++) {
        block_sample_clear(sample->fitted, bin);
        block_sample_clear(sample->held, bin);
    }
}

/* -- Files ------------------------------------------------------------------------------------ */

/* "sample/fitted/3/keys", or without the last part if `array` is NULL. The caller frees it. */
static char *place(const char *part, int bin, const char *array)
{
    return array ? memory_format("sample/%s/%d/%s", part, bin, array)
                 : memory_format("sample/%s/%d", part, bin);
}

static bool write_group(const BlockSample *sample, const char *part, int bin,
                        CheckpointWriter *writer, Error *error)
{
    const int64_t count = block_sample_count(sample, bin);
    const int64_t dims[2] = {count, (int64_t)block_sample_record(sample)};
    if (count == 0)
        return true;
    char *blocks = place(part, bin, "blocks"), *keys = place(part, bin, "keys");
    char *group = place(part, bin, NULL);
    const bool ok =
        checkpoint_write_floats(writer, blocks, 2, dims, block_sample_records(sample, bin),
                                error) &&
        checkpoint_write_doubles(writer, keys, count, block_sample_keys(sample, bin), error) &&
        checkpoint_write_attribute(writer, group, "count", count, error);
    memory_free(blocks);
    memory_free(keys);
    memory_free(group);
    return ok;
}

bool head_sample_write(const HeadSample *sample, CheckpointWriter *writer, Error *error)
{
    bool ok = true;
    for (int bin = 0; ok && bin < block_sample_groups(sample->fitted); bin++)
        ok = write_group(sample->fitted, "fitted", bin, writer, error) &&
             write_group(sample->held, "held", bin, writer, error);
    return ok;
}

/* Reads `count` blocks of a group. */
static bool read_blocks(BlockSample *sample, const char *part, int bin, int64_t count,
                        Checkpoint *checkpoint, Error *error)
{
    const int64_t dims[2] = {count, (int64_t)block_sample_record(sample)};
    char *blocks = place(part, bin, "blocks"), *keys = place(part, bin, "keys");
    float *records = checkpoint_read_floats(checkpoint, blocks, 2, dims, error);
    double *order =
        records ? memory_large((size_t)count, sizeof *order, "a sample of blocks", error) : NULL;
    bool ok = order && checkpoint_read_doubles(checkpoint, keys, count, order, error);
    if (ok && !block_sample_set(sample, bin, count, records, order, error)) {
        Error reason = *error;
        ok = error_input(error, "%s:/%s: %s", checkpoint_path(checkpoint), blocks, reason.message);
    }
    memory_free(records);
    memory_free(order);
    memory_free(blocks);
    memory_free(keys);
    return ok;
}

static bool read_group(BlockSample *sample, const char *part, int bin, Checkpoint *checkpoint,
                       Error *error)
{
    char *group = place(part, bin, NULL);
    const int64_t count = checkpoint_attribute(checkpoint, group, "count", 0);
    bool ok = true;
    if (count < 0 || count > block_sample_capacity(sample))
        ok = error_input(error, "%s:/%s: attribute count: expected 0 to %lld, found %lld",
                         checkpoint_path(checkpoint), group,
                         (long long)block_sample_capacity(sample), (long long)count);
    else if (count > 0)
        ok = read_blocks(sample, part, bin, count, checkpoint, error);
    memory_free(group);
    return ok;
}

bool head_sample_read(HeadSample *sample, Checkpoint *checkpoint, Error *error)
{
    bool ok = true;
    for (int bin = 0; ok && bin < block_sample_groups(sample->fitted); bin++)
        ok = read_group(sample->fitted, "fitted", bin, checkpoint, error) &&
             read_group(sample->held, "held", bin, checkpoint, error);
    return ok;
}
