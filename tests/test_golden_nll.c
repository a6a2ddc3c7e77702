/* Golden values of the loss nll and of its bounds (an independent implementation in float64), on the
 * features of golden networks.
 *
 * Compared are: weights, losses and outputs of all regressions (/nll/<raw|clipped|first>), by rows
 * in memory and by rows of blocks; the terms of bounds with these heads in the loop
 * (/bound_block/heads/nll_...); and the costs and best paths of NPR and of nll (/dp). The program has
 * the residual `first` alone: the others differ in one number of each row, and in the formula of V.
 *
 * Not compared are the heads of fixed bases (/nll_block, /bound_block/heads/dct...): the program has
 * no such heads, since one head on the mean features of a block was behind pixels everywhere
 * (docs/correlations.md). The terms of given covariances in these bases (/bound_block/given) are in
 * test_block_covariance.c.
 */
#include "tests/suite.h"

#include "base/memory.h"
#include "diffusion/best_path.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "stats/block_rows.h"
#include "stats/gamma_shrinkage.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/golden_network.h"

#include <math.h>

static Error error; /* of the last call */

static const char *const names[] = {"a", "b"};
static const char *const kinds[] = {"raw", "clipped", "first"};
enum { NAMES = 2, KINDS = 3, RAW = 0, FIRST = 2, MOST_BINS = 2 };

/* -- Features --------------------------------------------------------------------------------- */

/* A golden network, and the features of the images that it ran last. */
typedef struct Features {
    char file[64];
    GoldenNetwork net;
    ParamSet params;
    Graph *graph;
    const Value *basis;
    float *weights;
    int side, channels, depth, count;
} Features;

static void copy_norm(const Features *f)
{
    for (int i = 0; i < f->params.count; i++) {
        const Param *to = &f->params.items[i];
        const int from = params_find(&f->net.params, to->name);
        ck_assert_int_ge(from, 0);
        memcpy(f->weights + to->offset, f->net.weights + f->net.params.items[from].offset,
               to->count * sizeof(float));
    }
}

static Features *features_make(const char *name, int batch)
{
    Features *f = memory_small(1, sizeof *f);
    char path[64];
    snprintf(path, sizeof path, "tests/golden/golden_%s.h5", name);
    snprintf(f->file, sizeof f->file, "tests/golden/golden_%s_variances.h5", name);
    golden_network_make(&f->net, path, batch);
    f->graph = graph_new(&f->params, (GraphOptions){.batch = batch});
    f->basis = head_basis_build(f->graph, &f->net.config, f->net.unet.features);
    f->weights = memory_small(f->params.size, sizeof *f->weights);
    copy_norm(f);
    assert_ok(graph_finish(f->graph, &error));
    graph_load_weights(f->graph, f->weights);
    f->side = f->net.config.data.resolution;
    f->channels = f->net.config.data.channels;
    f->depth = value_channels(f->basis);
    f->count = 9 * f->depth + 1;
    return f;
}

static void features_free(Features *f)
{
    graph_free(f->graph);
    params_free(&f->params);
    memory_free(f->weights);
    golden_network_free(&f->net);
    memory_free(f);
}

/* Runs a whole batch of images x_t at timesteps t. */
static void run(const Features *f, const float *x_t, const int *t)
{
    const int batch = f->net.batch;
    double *times = memory_small((size_t)batch, sizeof *times);
    for (int i = 0; i < batch; i++)
        times[i] = schedule_model_time(&f->net.schedule, t[i]);
    memcpy(value_data(f->net.unet.x), x_t, (size_t)batch * f->net.dims * sizeof *x_t);
    unet_embed_times(times, batch, f->net.unet.embedding, value_data(f->net.unet.time));
    assert_ok(graph_forward(f->net.graph, 0, &error));
    assert_ok(graph_forward(f->graph, 0, &error));
    memory_free(times);
}

/* phi [count] := the row of a pixel of image i, in the golden files' order. */
static void fill_row(const Features *f, const float *features, int i, int y, int x, double *phi)
{
    for (int k = 0; k < 9; k++) {
        const int row = y + k / 3 - 1, column = x + k % 3 - 1;
        const bool inside = row >= 0 && row < f->side && column >= 0 && column < f->side;
        const size_t at = (size_t)((i * f->side + row) * f->side + column) * (size_t)f->depth;
        for (int c = 0; c < f->depth; c++)
            phi[c * 9 + k] = inside ? features[at + (size_t)c] : 0;
    }
    phi[f->count - 1] = 1;
}

static double snr(const Features *f, int t)
{
    return f->net.schedule.alpha_bar[t] / f->net.schedule.beta_bar[t];
}

/* x_t [dims], in double and rounded once. */
static void noised(const Features *f, const float *x_0, const float *eps, int t, float *x_t)
{
    const double data = sqrt(f->net.schedule.alpha_bar[t]),
                 noise = sqrt(f->net.schedule.beta_bar[t]);
    for (size_t i = 0; i < f->net.dims; i++)
        x_t[i] = (float)(data * x_0[i] + noise * eps[i]);
}

static float *images(const Features *f, const char *path, int count)
{
    uint8_t *pixels = golden_bytes(f->file, path, NULL, NULL);
    float *x_0 = memory_small((size_t)count * f->net.dims, sizeof *x_0);
    for (size_t i = 0; i < (size_t)count * f->net.dims; i++)
        x_0[i] = (float)(2.0 * pixels[i] / 255 - 1);
    free(pixels);
    return x_0;
}

static float *nhwc(const Features *f, const char *path, int count)
{
    float *values = golden_floats(f->file, path, NULL, NULL);
    golden_to_nhwc(values, (size_t)count, (size_t)f->channels, (size_t)f->side, (size_t)f->side);
    return values;
}

/* -- Rows ------------------------------------------------------------------------------------- */

/* The images of /rows. */
typedef struct Rows {
    Features *f;
    int images;
    int *t;
    /* [images, side, side, depth], [images, dims] */
    float *features, *residual[2];
    double *phi;
} Rows;

static Rows rows_make(const char *name)
{
    char file[64];
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    snprintf(file, sizeof file, "tests/golden/golden_%s_variances.h5", name);
    int64_t *t = golden_ints(file, "rows/t", &rank, dims);
    Rows r = {.images = (int)dims[0], .f = features_make(name, (int)dims[0])};
    const size_t pixels = (size_t)(r.images * r.f->side * r.f->side);
    float *x_0 = images(r.f, "rows/x0", r.images), *eps = nhwc(r.f, "rows/eps", r.images);
    float *x_t = memory_small((size_t)r.images * r.f->net.dims, sizeof *x_t);
    r.t = memory_small((size_t)r.images, sizeof *r.t);
    for (int i = 0; i < r.images; i++) {
        const size_t at = (size_t)i * r.f->net.dims;
        r.t[i] = (int)t[i];
        noised(r.f, x_0 + at, eps + at, r.t[i], x_t + at);
    }
    run(r.f, x_t, r.t);
    r.features = memory_small(pixels * (size_t)r.f->depth, sizeof *r.features);
    value_read(r.f->basis, r.features);
    r.residual[0] = nhwc(r.f, "rows/raw", r.images);
    r.residual[1] = nhwc(r.f, "rows/clipped", r.images);
    r.phi = memory_large(pixels * (size_t)r.f->count, sizeof *r.phi, "rows", &error);
    for (int i = 0; i < r.images; i++)
        for (int p = 0; p < r.f->side * r.f->side; p++)
            fill_row(r.f, r.features, i, p / r.f->side, p % r.f->side,
                     r.phi + (size_t)(i * r.f->side * r.f->side + p) * (size_t)r.f->count);
    free(t), free(eps), memory_free(x_0), memory_free(x_t);
    return r;
}

static void rows_free(Rows *r)
{
    features_free(r->f);
    memory_free(r->t), memory_free(r->features), memory_free(r->phi);
    free(r->residual[0]), free(r->residual[1]);
}

/* r of an element. */
static double ratio_of(const Rows *r, int kind, int image, size_t element)
{
    const double value = r->residual[kind != RAW][(size_t)image * r->f->net.dims + element];
    return value * value + (kind == FIRST ? snr(r->f, r->t[image]) / snr(r->f, 1) : 0);
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

/* The golden values of one fit of bins. */
typedef struct Golden {
    char group[48];
    int64_t *first;
    double *w, *loss, *objective, *constant, *gradient;
} Golden;

static double *golden_of(const Golden *g, const Features *f, const char *name, double *tolerance)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", g->group, name);
    if (tolerance)
        *tolerance = golden_tolerance(f->file, path);
    return golden_doubles(f->file, path, NULL, NULL);
}

static Golden golden_fit(const Features *f, int kind, int bins)
{
    Golden g;
    char path[64];
    snprintf(g.group, sizeof g.group, "nll/%s/bins_%d", kinds[kind], bins);
    snprintf(path, sizeof path, "%s/first", g.group);
    g.first = golden_ints(f->file, path, NULL, NULL);
    g.w = golden_of(&g, f, "w", NULL), g.loss = golden_of(&g, f, "loss", NULL);
    g.objective = golden_of(&g, f, "objective", NULL);
    g.constant = golden_of(&g, f, "loss_constant", NULL);
    g.gradient = golden_of(&g, f, "grad0", NULL);
    return g;
}

static void golden_free(const Golden *g)
{
    free(g->first), free(g->w), free(g->loss);
    free(g->objective), free(g->constant), free(g->gradient);
}

static void ck_near(double got, double want, double tolerance, const char *what)
{
    ck_assert_msg(fabs(got - want) <= tolerance, "%s: %.9g, expected %.9g +- %.2g", what, got, want,
                  tolerance);
}

/* -- Fits ------------------------------------------------------------------------------------- */

/* Fits one bin and channel, compares the losses, and returns the weights. */
static double *fit_golden(const Rows *rows, const Golden *g, int kind, int bin, int channel)
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
static void ck_outputs(const Rows *rows, const Golden *g, double *const *w)
{
    const Features *f = rows->f;
    const int pixels = f->side * f->side;
    int64_t *kept = golden_ints(f->file, "rows/kept", NULL, NULL);
    double tolerance, *want = golden_of(g, f, "log_u", &tolerance);
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
    const Golden g = golden_fit(f, kind, bins);
    double *w[MOST_BINS * 3], tolerance, *want = golden_of(&g, f, "w", &tolerance);
    for (int at = 0; at < bins * f->channels; at++) {
        w[at] = fit_golden(rows, &g, kind, at / f->channels, at % f->channels);
        for (int j = 0; j < f->count; j++)
            ck_near(w[at][j], want[at * f->count + j], tolerance, g.group);
    }
    ck_outputs(rows, &g, w);
    for (int at = 0; at < bins * f->channels; at++)
        memory_free(w[at]);
    free(want);
    golden_free(&g);
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
    return residual * residual + (c->kind == FIRST ? snr(c->rows->f, t) / snr(c->rows->f, 1) : 0);
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
static void ck_blocks(const Rows *rows, const Golden *g, int kind, int bin)
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
    free(golden_of(g, f, "grad0", &tolerance));
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
        Rows rows = rows_make(names[name]);
        for (int kind = 0; kind < KINDS; kind++)
            for (int bins = 1; bins <= MOST_BINS; bins++) {
                const Golden g = golden_fit(rows.f, kind, bins);
                for (int bin = 0; bin < bins; bin++)
                    ck_blocks(&rows, &g, kind, bin);
                golden_free(&g);
            }
        rows_free(&rows);
    }
}
END_TEST

/* -- Bounds ----------------------------------------------------------------------------------- */

/* cov [dims]: exp(l) / SNR_t, becomes the golden V of the residual `first`. The program's is the same,
 * but at most 1/SNR_t. */
static void ck_estimate(const Features *f, const VarianceInput *input, float *cov)
{
    const double unit = 1 / snr(f, 1), most = 1 / snr(f, input->t);
    float *own = memory_small(f->net.dims, sizeof *own);
    variance_nll.cov(input, own);
    for (size_t k = 0; k < f->net.dims; k++) {
        cov[k] = (float)fmax(exp((double)input->head[k]) * most - unit, 0.1 * unit);
        ck_near(own[k], fmin(cov[k], most), 1e-6 * most, "V");
    }
    memory_free(own);
}

/* cov [dims] := V of image i of the batch that ran last, by a golden head. */
static void estimate(const Features *f, const Golden *g, int kind, int i, int t, float *cov)
{
    const int bin = t > g->first[1], pixels = f->side * f->side;
    float *features = memory_small(value_count(f->basis), sizeof *features);
    float *head = memory_small(f->net.dims, sizeof *head);
    double *phi = memory_small((size_t)f->count, sizeof *phi);
    value_read(f->basis, features);
    for (int p = 0; p < pixels; p++) {
        fill_row(f, features, i, p / f->side, p % f->side, phi);
        for (int c = 0; c < f->channels; c++) {
            const double *w = g->w + (size_t)(bin * f->channels + c) * (size_t)f->count;
            double l = 0;
            for (int j = 0; j < f->count; j++)
                l += w[j] * phi[j];
            head[p * f->channels + c] = (float)l;
            cov[p * f->channels + c] = (float)(exp(l) / snr(f, t));
        }
    }
    const VarianceInput input = {
        .schedule = &f->net.schedule, .t = t, .dims = f->net.dims, .head = head};
    if (kind == FIRST)
        ck_estimate(f, &input, cov);
    for (size_t k = 0; k < f->net.dims; k++)
        cov[k] = (float)variance_clipped(cov[k]);
    memory_free(features), memory_free(head), memory_free(phi);
}

/* One image at one timestep. */
typedef struct Point {
    double *x_0_hat, *off2;
    float *cov;
} Point;

static Point point_make(const Features *f)
{
    return (Point){.x_0_hat = memory_small(f->net.dims, sizeof(double)),
                   .off2 = memory_small(f->net.dims, sizeof(double)),
                   .cov = memory_small(f->net.dims, sizeof(float))};
}

static void point_free(const Point *p)
{
    memory_free(p->x_0_hat), memory_free(p->off2), memory_free(p->cov);
}

/* Runs the images of a batch, one or two, at t. */
static void run_both(const Features *f, const float *x_0, const float *eps, int t, float *x_t)
{
    const int both[2] = {t, t};
    for (size_t i = 0; i < (size_t)f->net.batch; i++)
        noised(f, x_0 + i * f->net.dims, eps + i * f->net.dims, t, x_t + i * f->net.dims);
    run(f, x_t, both);
}

static void mean_of(const Features *f, const float *x_0, const float *x_t, int i, int t,
                    const Point *point)
{
    const size_t at = (size_t)i * f->net.dims;
    const float *eps_hat = (const float *)value_data(f->net.unet.eps) + at;
    likelihood_mean(&f->net.schedule, t, true, x_0 + at, x_t + at, eps_hat, f->net.dims,
                    point->x_0_hat, point->off2);
}

static void ck_terms(const Features *f, int kind, int bins)
{
    enum { STEPS = 4 };
    char path[96];
    const Golden g = golden_fit(f, kind, bins);
    const double unit = 1 / ((double)f->net.dims * log(2));
    snprintf(path, sizeof path, "bound_block/heads/nll_%s_bins_%d/terms_bits_per_dim_each",
             kinds[kind], bins);
    double *want = golden_doubles(f->file, path, NULL, NULL);
    const double tolerance = golden_tolerance(f->file, path);
    int64_t *t = golden_ints(f->file, "bound_block/eps_t", NULL, NULL);
    int64_t *s = golden_ints(f->file, "bound_block/eps_s", NULL, NULL);
    float *x_0 = images(f, "bound_block/x0", 2), *eps = nhwc(f, "bound_block/eps", 2 * STEPS);
    float *x_t = memory_small(2 * f->net.dims, sizeof *x_t);
    const Point point = point_make(f);
    for (int j = 0; j < STEPS; j++) {
        run_both(f, x_0, eps + (size_t)(2 * j) * f->net.dims, (int)t[j], x_t);
        for (int i = 0; i < 2; i++) {
            mean_of(f, x_0, x_t, i, (int)t[j], &point);
            estimate(f, &g, kind, i, (int)t[j], point.cov);
            const double term =
                s[j] == 0
                    ? likelihood_decoder(likelihood_decoder_variance(&f->net.schedule),
                                         x_0 + (size_t)i * f->net.dims, point.x_0_hat, f->net.dims)
                    : likelihood_step(likelihood_kappa(&f->net.schedule, (int)s[j], (int)t[j]),
                                      point.off2, point.cov, INFINITY, f->net.dims);
            ck_near(term * unit, want[i * (STEPS + 1) + STEPS - 1 - j], tolerance, path);
        }
    }
    for (int i = 0; i < 2; i++)
        ck_near(likelihood_prior(&f->net.schedule, f->net.schedule.timesteps,
                                 x_0 + (size_t)i * f->net.dims, f->net.dims) *
                    unit,
                want[i * (STEPS + 1) + STEPS], tolerance, "the prior");
    point_free(&point);
    golden_free(&g);
    free(want), free(t), free(s), memory_free(x_0), free(eps), memory_free(x_t);
}

START_TEST(bounds_with_the_heads_in_the_loop_are_golden)
{
    for (int name = 0; name < NAMES; name++) {
        Features *f = features_make(names[name], 2);
        for (int kind = 0; kind < KINDS; kind++)
            for (int bins = 1; bins <= MOST_BINS; bins++)
                ck_terms(f, kind, bins);
        features_free(f);
    }
}
END_TEST

/* -- Best trajectories ------------------------------------------------------------------------ */

enum { GRID = 30, ROW = GRID + 1 };

/* The paths through the stored costs. */
static void ck_paths(const Features *f, const char *variance, const double *costs,
                     const int64_t *grid)
{
    static const int steps[] = {3, 5, 10};
    for (int k = 0; k < 3; k++) {
        char path[64];
        int found[ROW];
        double sum = 0;
        snprintf(path, sizeof path, "dp/%s/path_%d", variance, steps[k]);
        int64_t *want = golden_ints(f->file, path, NULL, NULL);
        assert_ok(best_path(costs, GRID, steps[k], found, &error));
        bool falls = want[0] > want[steps[k] - 1];
        for (int i = 1; i <= steps[k]; i++) {
            ck_assert_int_eq(grid[found[i]], want[falls ? steps[k] - i : i - 1]);
            sum += costs[found[i - 1] * ROW + found[i]];
        }
        snprintf(path, sizeof path, "dp/%s/cost_%d", variance, steps[k]);
        ck_near(sum, golden_scalar(f->file, path), 1e-6 * sum, path);
        free(want);
    }
}

/* costs [ROW, ROW] += those of one image at grid[j]. */
static void add_costs(const Features *f, const int64_t *grid, int j, const float *x_0,
                      const Point *p, double unit, double *costs)
{
    const Schedule *schedule = &f->net.schedule;
    const int t = (int)grid[j];
    const double decoder = likelihood_free_decoder_variance(schedule, t);
    costs[j] += unit * likelihood_decoder(decoder, x_0, p->x_0_hat, f->net.dims);
    for (int i = 1; i < j; i++)
        costs[i * ROW + j] += unit * likelihood_step(likelihood_kappa(schedule, (int)grid[i], t),
                                                     p->off2, p->cov, INFINITY, f->net.dims);
}

static void ck_dp(const Features *f, const char *variance, const Golden *g)
{
    char path[64];
    const int count = f->net.batch;
    const double unit = 1 / (count * (double)f->net.dims * log(2));
    int64_t *grid = golden_ints(f->file, "dp/grid", NULL, NULL);
    float *x_0 = images(f, "dp/x0", count), *eps = nhwc(f, "dp/eps", count * GRID);
    float *x_t = memory_small((size_t)count * f->net.dims, sizeof *x_t);
    double *costs = memory_small(ROW * ROW, sizeof *costs);
    const Point p = point_make(f);
    for (int j = 1; j <= GRID; j++) {
        const int t = (int)grid[j];
        run_both(f, x_0, eps + (size_t)(count * (j - 1)) * f->net.dims, t, x_t);
        if (!g)
            assert_ok(graph_forward(f->net.head_graphs[1], 0, &error)); /* NPR */
        for (int i = 0; i < count; i++) {
            mean_of(f, x_0, x_t, i, t, &p);
            const float *head =
                (const float *)value_data(f->net.heads[1].out) + (size_t)i * f->net.dims;
            for (size_t k = 0; !g && k < f->net.dims; k++)
                p.cov[k] = (float)variance_clipped(head[k] / snr(f, t));
            if (g)
                estimate(f, g, RAW, i, t, p.cov);
            add_costs(f, grid, j, x_0 + (size_t)i * f->net.dims, &p, unit, costs);
        }
    }
    snprintf(path, sizeof path, "dp/%s/F", variance);
    double *want = golden_doubles(f->file, path, NULL, NULL);
    for (int i = 0; i < ROW; i++) {
        /* Of the largest step to the same s: entries with a V near 0 are of ill condition. */
        double largest = 0;
        for (int j = i + 1; j < ROW; j++)
            largest = larger(largest, fabs(want[i * ROW + j]));
        for (int j = i + 1; j < ROW; j++)
            ck_near(costs[i * ROW + j], want[i * ROW + j], 1e-4 * largest, path);
    }
    ck_paths(f, variance, want, grid);
    point_free(&p);
    free(grid), memory_free(x_0), free(eps), memory_free(x_t), memory_free(costs), free(want);
}

START_TEST(costs_and_best_paths_are_golden)
{
    for (int name = 0; name < NAMES; name++) {
        Features *f = features_make(names[name], name == 0 ? 1 : 2);
        const Golden g = golden_fit(f, RAW, 2);
        ck_dp(f, "npr", NULL);
        ck_dp(f, "nll", &g);
        golden_free(&g);
        features_free(f);
    }
}
END_TEST

SUITE_MAIN("golden_nll", weights_losses_and_outputs_of_colour_images_are_golden,
           weights_losses_and_outputs_of_grey_images_are_golden,
           rows_of_blocks_have_golden_losses_and_slopes,
           bounds_with_the_heads_in_the_loop_are_golden, costs_and_best_paths_are_golden)
