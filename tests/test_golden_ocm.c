/* Golden weights of the head ocm: least squares on the targets of every image and probe, which the
 * network's vector-Jacobian products give. (Targets and variances: tests/test_ocm.c.) */
#include "tests/golden_features.h"

#include "inference/network_products.h"
#include "stats/least_squares.h"
#include "variance/objective.h"

enum { PROBES = 4 };

/* x_t of all images of /rows. */
static float *noised_images(const Rows *r)
{
    const size_t dims = r->f->net.dims;
    float *x_0 = features_images(r->f, "rows/x0", r->images),
          *eps = features_nhwc(r->f, "rows/eps", r->images);
    float *x_t = memory_small((size_t)r->images * dims, sizeof *x_t);
    for (int i = 0; i < r->images; i++)
        features_noised(r->f, x_0 + (size_t)i * dims, eps + (size_t)i * dims, r->t[i],
                        x_t + (size_t)i * dims);
    memory_free(x_0), free(eps);
    return x_t;
}

/* y [images, dims] := the targets of the signs v [images, dims]. */
static void find_targets(const Rows *r, Network *network, NetworkProducts *products,
                         const float *x_t, const float *v, float *y)
{
    Error error = {0};
    const size_t dims = r->f->net.dims, count = (size_t)r->images * dims;
    double *q = memory_small(count, sizeof *q), *out = memory_small(count, sizeof *out);
    float *product = memory_small(count, sizeof *product);
    for (size_t i = 0; i < count; i++)
        q[i] = v[i];
    must(network_transposed_product(products, x_t, r->t, r->images, q, out, &error), &error);
    for (size_t i = 0; i < count; i++)
        product[i] = (float)(q[i] * out[i]);
    const ObjectiveBatch batch = {.schedule = network_schedule(network),
                                  .images = r->images,
                                  .dims = dims,
                                  .t = r->t,
                                  .eps = x_t,
                                  .products = product};
    objective_targets(&objective_ocm, &batch, y);
    memory_free(q), memory_free(out), memory_free(product);
}

/* Adds the targets y of all rows to moments and squares. */
static void add_targets(const Rows *r, const NormalSums *sums, const float *y)
{
    const Features *f = r->f;
    const size_t pixels = (size_t)(r->images * f->side * f->side), features = (size_t)f->count;
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < f->channels; c++) {
            const double target = y[p * (size_t)f->channels + (size_t)c] / (double)PROBES;
            for (size_t j = 0; j < features; j++)
                sums->moments[(size_t)c * features + j] += target * r->phi[p * features + j];
            sums->squares[c] += target * target * PROBES;
        }
}

static void add_products(const Rows *r, const NormalSums *sums)
{
    const size_t pixels = (size_t)(r->images * r->f->side * r->f->side),
                 features = (size_t)r->f->count;
    for (size_t p = 0; p < pixels; p++) {
        const double *phi = r->phi + p * features;
        for (size_t i = 0, at = 0; i < features; i++)
            for (size_t j = 0; j <= i; j++)
                sums->products[at++] += phi[i] * phi[j];
    }
    *sums->count = (double)pixels;
}

/* Targets are means over the probes, whose squares are added one by one. */
static void add_probes(const Rows *r, const NormalSums *sums)
{
    Error error = {0};
    const size_t count = (size_t)r->images * r->f->net.dims;
    float *x_t = noised_images(r), *y = memory_small(count, sizeof *y);
    float *signs = features_nhwc(r->f, "ocm/v", PROBES * r->images);
    char checkpoint[64];
    snprintf(checkpoint, sizeof checkpoint, "tests/golden/golden_%c.h5",
             r->f->file[strlen("tests/golden/golden_")]);
    Network *network;
    NetworkProducts *products;
    NetworkOptions options = {.batch = r->images};
    string_list_add(&options.source.checkpoints, checkpoint);
    must(network_open(&network, &options, &error), &error);
    string_list_free(&options.source.checkpoints);
    must(network_prepare(network, r->images, &error), &error);
    must(network_products_make(&products, network, r->images, &error), &error);
    for (size_t probe = 0; probe < PROBES; probe++) {
        find_targets(r, network, products, x_t, signs + probe * count, y);
        add_targets(r, sums, y);
    }
    network_products_free(products);
    network_close(network);
    memory_free(x_t), memory_free(y), free(signs);
}

static void check_all(const char *file, const char *name, const double *got, size_t count)
{
    char path[64];
    snprintf(path, sizeof path, "ocm/%s", name);
    double *want = golden_doubles(file, path, NULL, NULL);
    const double tolerance = golden_tolerance(file, path);
    for (size_t i = 0; i < count; i++)
        ck_near(got[i], want[i], tolerance, path);
    free(want);
}

START_TEST(weights_and_losses_are_golden)
{
    for (int g = 0; g < NAMES; g++) {
        Error error = {0};
        Rows r = rows_make(golden_names[g]);
        const Features *f = r.f;
        const size_t weights = (size_t)(f->channels * f->count);
        double *block = memory_small(normal_sums_size(f->count, f->channels), sizeof *block);
        double *w = memory_small(weights, sizeof *w);
        double *loss = memory_small((size_t)f->channels, sizeof *loss);
        const NormalSums sums = normal_sums_at(block, f->count, f->channels);
        add_products(&r, &sums);
        add_probes(&r, &sums);
        double ridge;
        must(least_squares_solve(&sums, NULL, (Shrinkage){.ridge = 1e-3}, w, &ridge, &error),
             &error);
        ck_assert_double_eq(ridge, 1e-3);
        for (int c = 0; c < f->channels; c++)
            loss[c] = normal_sums_loss(&sums, c, w + (size_t)(c * f->count));
        check_all(f->file, "w", w, weights);
        check_all(f->file, "loss", loss, (size_t)f->channels);
        memory_free(block), memory_free(w), memory_free(loss);
        rows_free(&r);
    }
}
END_TEST

SUITE_MAIN("golden_ocm", weights_and_losses_are_golden)
