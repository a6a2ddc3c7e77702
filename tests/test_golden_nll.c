/* Golden values of the loss nll (an independent implementation in float64), on the features of golden
 * networks: weights, losses and outputs of all regressions (/nll/<raw|clipped|first>), by rows in
 * memory and by rows of blocks. The program has the residual `first` alone: the others differ in one
 * number of each row.
 */
#include "tests/golden_features.h"

#include "stats/block_rows.h"
#include "stats/gamma_shrinkage.h"

static Error error; /* of the last call */

/* -- Rows ------------------------------------------------------------------------------------- */

/* r of an element. */
static double ratio_of(const Rows *r, int kind, int image, size_t element)
{
    const double value = r->residual[kind != RAW][(size_t)image * r->f->net.dims + element];
    return value * value +
           (kind == FIRST ? features_snr(r->f, r->t[image]) / features_snr(r->f, 1) : 0);
}

/* The rows of the images of one bin, in memory. */
typedef struct BinRows {
    GammaMatrix matrix;
    GammaRows lines;
    double *phi, *r;
} BinRows;

static BinRows bin_rows(const Rows *rows, int kind, int channel, int64_t after, int64_t last)
{
    const Features *f = rows->f;
    const size_t pixels = (size_t)(f->side * f->side), row = (size_t)f->count;
    const size_t most = (size_t)rows->images * pixels;
    BinRows b = {.phi = memory_large(most * row, sizeof(double), "rows", &error),
                 .r = memory_large(most, sizeof(double), "rows", &error)};
    size_t count = 0;
    for (int i = 0; i < rows->images; i++)
        for (size_t p = 0; rows->t[i] > after && rows->t[i] <= last && p < pixels; p++, count++) {
            memcpy(b.phi + count * row, rows->phi + ((size_t)i * pixels + p) * row,
                   row * sizeof(double));
            b.r[count] = ratio_of(rows, kind, i, p * (size_t)f->channels + (size_t)channel);
        }
    b.matrix = (GammaMatrix){.rows = count, .features = f->count, .phi = b.phi};
    return b;
}

/* -- Fits ------------------------------------------------------------------------------------- */

/* Fits one bin and channel, compares the losses, and returns the weights. */
static double *fit_golden(const Rows *rows, const GoldenFit *g, int kind, int bin, int channel)
{
    const Features *f = rows->f;
    BinRows b = bin_rows(rows, kind, channel, g->first[bin], g->first[bin + 1]);
    b.lines = gamma_matrix_rows(&b.matrix);
    const size_t features = (size_t)f->count;
    const int at = bin * f->channels + channel;
    double *fisher = memory_small(features * (features + 1) / 2, sizeof *fisher);
    double *w = memory_small(features, sizeof *w), value;
    gamma_matrix_fisher(&b.matrix, fisher);
    gamma_regression_constant(&b.lines, b.r, w);
    assert_ok(gamma_regression_loss(&b.lines, b.r, NULL, w, &value, &error));
    ck_near(value, g->constant[at], 1e-4 * fmax(fabs(g->constant[at]), 1), "the best constant");
    const GammaProblem problem = {
        .rows = &b.lines, .r = b.r, .fisher = fisher, .ridge = 1e-3, .tolerance = 1e-11};
    GammaFit fit;
    assert_ok(gamma_regression_fit(&problem, w, &fit, &error));
    ck_near(fit.loss, g->loss[at], 1e-4 * fmax(fabs(g->loss[at]), 1), "the loss");
    ck_near(fit.objective, g->objective[at], 1e-4 * fmax(fabs(g->objective[at]), 1),
            "the objective");
    memory_free(fisher), memory_free(b.phi), memory_free(b.r);
    return w;
}

/* l of a channel of a kept image, by the weights of its bin, against the golden ones. */
static void ck_outputs(const Rows *rows, const GoldenFit *g, double *const *w)
{
    const Features *f = rows->f;
    const int pixels = f->side * f->side;
    int64_t *kept = golden_ints(f->file, "rows/kept", NULL, NULL);
    double tolerance, *want = golden_fit_of(g, f, "log_u", &tolerance);
    for (int k = 0; k < 4; k++) {
        const int bin = rows->t[kept[k]] > g->first[1];
        for (int c = 0; c < f->channels; c++)
            for (int p = 0; p < pixels; p++) {
                const double *phi =
                    rows->phi + ((size_t)kept[k] * (size_t)pixels + (size_t)p) * (size_t)f->count;
                double l = 0;
                for (int j = 0; j < f->count; j++)
                    l += w[bin * f->channels + c][j] * phi[j];
                ck_near(l, want[(k * f->channels + c) * pixels + p], tolerance, g->group);
            }
    }
    free(kept), free(want);
}

static void ck_fit(const Rows *rows, int kind, int bins)
{
    const Features *f = rows->f;
    const GoldenFit g = golden_fit(f, kind, bins);
    double *w[MOST_BINS * 3], tolerance, *want = golden_fit_of(&g, f, "w", &tolerance);
    for (int at = 0; at < bins * f->channels; at++) {
        w[at] = fit_golden(rows, &g, kind, at / f->channels, at % f->channels);
        for (int j = 0; j < f->count; j++)
            ck_near(w[at][j], want[at * f->count + j], tolerance, g.group);
    }
    ck_outputs(rows, &g, w);
    for (int at = 0; at < bins * f->channels; at++)
        memory_free(w[at]);
    free(want);
    golden_fit_free(&g);
}

static void ck_fits(const char *name)
{
    Rows rows = rows_make(name);
    for (int kind = 0; kind < KINDS; kind++)
        for (int bins = 1; bins <= MOST_BINS; bins++)
            ck_fit(&rows, kind, bins);
    rows_free(&rows);
}

START_TEST(weights_losses_and_outputs_of_colour_images_are_golden)
{
    ck_fits("a");
}
END_TEST

START_TEST(weights_losses_and_outputs_of_grey_images_are_golden)
{
    ck_fits("b");
}
END_TEST

/* -- Rows of blocks --------------------------------------------------------------------------- */

typedef struct BlockContext {
    const Rows *rows;
    int kind;
} BlockContext;

/* r from the residual in units of noise. */
static double ratio(const void *context, int t, double residual)
{
    const BlockContext *c = context;
    return residual * residual +
           (c->kind == FIRST ? features_snr(c->rows->f, t) / features_snr(c->rows->f, 1) : 0);
}

/* All blocks of the images of a bin. */
static BlockSample *sample_of(const Rows *rows, int kind, int64_t after, int64_t last)
{
    const Features *f = rows->f;
    const size_t pixels = (size_t)(f->side * f->side);
    const BlockSampleShape shape = {.side = f->side, .features = f->depth, .channels = f->channels};
    BlockSample *sample;
    assert_ok(block_sample_make(&sample, &shape, 1, 1e9,
                                rows->images * ((f->side + 3) / 4) * ((f->side + 3) / 4), &error));
    for (int i = 0; i < rows->images; i++)
        if (rows->t[i] > after && rows->t[i] <= last)
            block_sample_offer(
                sample, 0,
                &(BlockOffer){.step = (uint32_t)i,
                              .images = 1,
                              .t = &rows->t[i],
                              .features = rows->features + (size_t)i * pixels * (size_t)f->depth,
                              .residuals = rows->residual[kind != RAW] + (size_t)i * f->net.dims});
    return sample;
}

/* to [count] := w in the order of blocks; or the other way. */
static void reorder(const Features *f, const double *w, double *to, bool back)
{
    for (int k = 0; k < 9; k++)
        for (int c = 0; c < f->depth; c++)
            if (back)
                to[c * 9 + k] = w[k * f->depth + c];
            else
                to[k * f->depth + c] = w[c * 9 + k];
    to[f->count - 1] = w[f->count - 1];
}

/* The loss at golden weights, and the slopes at 0, from the rows of blocks. */
static void ck_blocks(const Rows *rows, const GoldenFit *g, int kind, int bin)
{
    const Features *f = rows->f;
    const size_t features = (size_t)f->count;
    BlockSample *sample = sample_of(rows, kind, g->first[bin], g->first[bin + 1]);
    BlockRows *blocks;
    assert_ok(block_rows_make(&blocks, sample, BLOCK_ROWS_ALL, 1, &error));
    const GammaRows lines = block_rows_maps(blocks);
    const size_t count = block_rows_count(blocks);
    double *r = memory_small(count, sizeof *r), *slope = memory_small(count, sizeof *slope);
    double *w = memory_small(features, sizeof *w), *sum = memory_small(features, sizeof *sum);
    double *gradient = memory_small(features, sizeof *gradient), loss, tolerance;
    free(golden_fit_of(g, f, "grad0", &tolerance));
    for (int c = 0; c < f->channels; c++) {
        const int at = bin * f->channels + c;
        block_rows_values(blocks, c, ratio, &(BlockContext){rows, kind}, r);
        reorder(f, g->w + (size_t)at * features, w, false);
        assert_ok(gamma_regression_loss(&lines, r, NULL, w, &loss, &error));
        ck_near(loss, g->loss[at], 1e-4 * fmax(fabs(g->loss[at]), 1), "the loss of blocks");
        memset(sum, 0, features * sizeof *sum);
        for (size_t i = 0; i < count; i++)
            slope[i] = (1 - r[i]) / (double)count;
        for (int chunk = 0; chunk < lines.chunks; chunk++)
            lines.add(lines.context, chunk, slope + lines.first(lines.context, chunk), sum);
        reorder(f, sum, gradient, true);
        for (size_t j = 0; j < features; j++)
            ck_near(gradient[j], g->gradient[(size_t)at * features + j], tolerance, "a slope at 0");
    }
    memory_free(r), memory_free(slope), memory_free(w), memory_free(sum), memory_free(gradient);
    block_rows_free(blocks);
    block_sample_free(sample);
}

START_TEST(rows_of_blocks_have_golden_losses_and_slopes)
{
    for (int name = 0; name < NAMES; name++) {
        Rows rows = rows_make(golden_names[name]);
        for (int kind = 0; kind < KINDS; kind++)
            for (int bins = 1; bins <= MOST_BINS; bins++) {
                const GoldenFit g = golden_fit(rows.f, kind, bins);
                for (int bin = 0; bin < bins; bin++)
                    ck_blocks(&rows, &g, kind, bin);
                golden_fit_free(&g);
            }
        rows_free(&rows);
    }
}
END_TEST

SUITE_MAIN("golden_nll", weights_losses_and_outputs_of_colour_images_are_golden,
           weights_losses_and_outputs_of_grey_images_are_golden,
           rows_of_blocks_have_golden_losses_and_slopes)
