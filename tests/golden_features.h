/* Golden values of the loss nll (tests/golden/README.md) and what they are compared with: features of
 * golden networks, images as the golden files have them, and the weights of regressions.
 */
#pragma once

#include "tests/suite.h"

#include "base/memory.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/golden_network.h"

#include <math.h>

static const char *const golden_names[] = {"a", "b"};
static const char *const golden_kinds[] = {"raw", "clipped", "first"};
enum { NAMES = 2, KINDS = 3, RAW = 0, FIRST = 2, MOST_BINS = 2 };

static inline void ck_near(double got, double want, double tolerance, const char *what)
{
    ck_assert_msg(fabs(got - want) <= tolerance, "%s: %.9g, expected %.9g +- %.2g", what, got, want,
                  tolerance);
}

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

static inline void features_copy_norm(const Features *f)
{
    for (int i = 0; i < f->params.count; i++) {
        const Param *to = &f->params.items[i];
        const int from = params_find(&f->net.params, to->name);
        ck_assert_int_ge(from, 0);
        memcpy(f->weights + to->offset, f->net.weights + f->net.params.items[from].offset,
               to->count * sizeof(float));
    }
}

static inline Features *features_make(const char *name, int batch)
{
    Error error;
    Features *f = memory_small(1, sizeof *f);
    char path[64];
    snprintf(path, sizeof path, "tests/golden/golden_%s.h5", name);
    snprintf(f->file, sizeof f->file, "tests/golden/golden_%s_variances.h5", name);
    golden_network_make(&f->net, path, batch);
    f->graph = graph_new(&f->params, (GraphOptions){.batch = batch});
    f->basis = head_basis_build(f->graph, &f->net.config, f->net.unet.features);
    f->weights = memory_small(f->params.size, sizeof *f->weights);
    features_copy_norm(f);
    assert_ok(graph_finish(f->graph, &error));
    graph_load_weights(f->graph, f->weights);
    f->side = f->net.config.data.resolution;
    f->channels = f->net.config.data.channels;
    f->depth = value_channels(f->basis);
    f->count = 9 * f->depth + 1;
    return f;
}

static inline void features_free(Features *f)
{
    graph_free(f->graph);
    params_free(&f->params);
    memory_free(f->weights);
    golden_network_free(&f->net);
    memory_free(f);
}

/* Runs a whole batch of images x_t at timesteps t. */
static inline void features_run(const Features *f, const float *x_t, const int *t)
{
    Error error;
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
static inline void features_row(const Features *f, const float *features, int i, int y, int x,
                                double *phi)
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

static inline double features_snr(const Features *f, int t)
{
    return f->net.schedule.alpha_bar[t] / f->net.schedule.beta_bar[t];
}

/* x_t [dims], in double and rounded once. */
static inline void features_noised(const Features *f, const float *x_0, const float *eps, int t,
                                   float *x_t)
{
    const double data = sqrt(f->net.schedule.alpha_bar[t]),
                 noise = sqrt(f->net.schedule.beta_bar[t]);
    for (size_t i = 0; i < f->net.dims; i++)
        x_t[i] = (float)(data * x_0[i] + noise * eps[i]);
}

static inline float *features_images(const Features *f, const char *path, int count)
{
    uint8_t *pixels = golden_bytes(f->file, path, NULL, NULL);
    float *x_0 = memory_small((size_t)count * f->net.dims, sizeof *x_0);
    for (size_t i = 0; i < (size_t)count * f->net.dims; i++)
        x_0[i] = (float)(2.0 * pixels[i] / 255 - 1);
    free(pixels);
    return x_0;
}

static inline float *features_nhwc(const Features *f, const char *path, int count)
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

static inline Rows rows_make(const char *name)
{
    Error error;
    char file[64];
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    snprintf(file, sizeof file, "tests/golden/golden_%s_variances.h5", name);
    int64_t *t = golden_ints(file, "rows/t", &rank, dims);
    Rows r = {.images = (int)dims[0], .f = features_make(name, (int)dims[0])};
    const size_t pixels = (size_t)(r.images * r.f->side * r.f->side);
    float *x_0 = features_images(r.f, "rows/x0", r.images),
          *eps = features_nhwc(r.f, "rows/eps", r.images);
    float *x_t = memory_small((size_t)r.images * r.f->net.dims, sizeof *x_t);
    r.t = memory_small((size_t)r.images, sizeof *r.t);
    for (int i = 0; i < r.images; i++) {
        const size_t at = (size_t)i * r.f->net.dims;
        r.t[i] = (int)t[i];
        features_noised(r.f, x_0 + at, eps + at, r.t[i], x_t + at);
    }
    features_run(r.f, x_t, r.t);
    r.features = memory_small(pixels * (size_t)r.f->depth, sizeof *r.features);
    value_read(r.f->basis, r.features);
    r.residual[0] = features_nhwc(r.f, "rows/raw", r.images);
    r.residual[1] = features_nhwc(r.f, "rows/clipped", r.images);
    r.phi = memory_large(pixels * (size_t)r.f->count, sizeof *r.phi, "rows", &error);
    for (int i = 0; i < r.images; i++)
        for (int p = 0; p < r.f->side * r.f->side; p++)
            features_row(r.f, r.features, i, p / r.f->side, p % r.f->side,
                         r.phi + (size_t)(i * r.f->side * r.f->side + p) * (size_t)r.f->count);
    free(t), free(eps), memory_free(x_0), memory_free(x_t);
    return r;
}

static inline void rows_free(Rows *r)
{
    features_free(r->f);
    memory_free(r->t), memory_free(r->features), memory_free(r->phi);
    free(r->residual[0]), free(r->residual[1]);
}

/* -- Fits -------------------------------------------------------------------------------------- */

/* The golden values of one fit of bins. */
typedef struct GoldenFit {
    char group[48];
    int64_t *first;
    double *w, *loss, *objective, *constant, *gradient;
} GoldenFit;

static inline double *golden_fit_of(const GoldenFit *g, const Features *f, const char *name,
                                    double *tolerance)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", g->group, name);
    if (tolerance)
        *tolerance = golden_tolerance(f->file, path);
    return golden_doubles(f->file, path, NULL, NULL);
}

static inline GoldenFit golden_fit(const Features *f, int kind, int bins)
{
    GoldenFit g;
    char path[64];
    snprintf(g.group, sizeof g.group, "nll/%s/bins_%d", golden_kinds[kind], bins);
    snprintf(path, sizeof path, "%s/first", g.group);
    g.first = golden_ints(f->file, path, NULL, NULL);
    g.w = golden_fit_of(&g, f, "w", NULL), g.loss = golden_fit_of(&g, f, "loss", NULL);
    g.objective = golden_fit_of(&g, f, "objective", NULL);
    g.constant = golden_fit_of(&g, f, "loss_constant", NULL);
    g.gradient = golden_fit_of(&g, f, "grad0", NULL);
    return g;
}

static inline void golden_fit_free(const GoldenFit *g)
{
    free(g->first), free(g->w), free(g->loss);
    free(g->objective), free(g->constant), free(g->gradient);
}
