/* Tests of ocm: its target and its variances against golden values. (Trained heads beside the exact
 * covariance: tests/test_mixture_training.c.) */
#include "tests/golden.h"
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "inference/network_products.h"
#include "variance/estimate.h"
#include "variance/objective.h"

#include <math.h>

enum { KEPT = 4 };

/* The kept images of a golden file, in the order NHWC. */
typedef struct Kept {
    const char *file;
    Network *network;
    size_t dims;
    int channels, side;
    int t[KEPT], s[KEPT];
    /* [KEPT, dims] */
    float *x_t, *v;
} Kept;

static void to_nhwc(const Kept *k, float *values)
{
    golden_to_nhwc(values, KEPT, (size_t)k->channels, (size_t)k->side, (size_t)k->side);
}

static float *read_kept(const Kept *k, const char *dataset)
{
    float *values = golden_floats(k->file, dataset, NULL, NULL);
    to_nhwc(k, values);
    return values;
}

/* x_t of the kept images, and the signs of their first probe. */
static void read_images(Kept *k)
{
    int64_t *kept = golden_ints(k->file, "rows/kept", NULL, NULL);
    uint8_t *pixels = golden_bytes(k->file, "rows/x0", NULL, NULL);
    float *eps = golden_floats(k->file, "rows/eps", NULL, NULL);
    float *signs = golden_floats(k->file, "ocm/v", NULL, NULL);
    const size_t dims = k->dims;
    float *x_0 = memory_small(KEPT * dims, sizeof *x_0);
    float *noise = memory_small(KEPT * dims, sizeof *noise);
    k->x_t = memory_small(KEPT * dims, sizeof *k->x_t);
    k->v = memory_small(KEPT * dims, sizeof *k->v);
    for (size_t i = 0; i < KEPT * dims; i++) {
        const size_t from = (size_t)kept[i / dims] * dims + i % dims;
        x_0[i] = (float)(2.0 * pixels[from] / 255 - 1); /* pictures are [H, W, C] */
        noise[i] = eps[from];
        k->v[i] = signs[from];
    }
    to_nhwc(k, noise);
    to_nhwc(k, k->v);
    forward_noise(network_schedule(k->network), k->t, x_0, noise, KEPT, dims, k->x_t);
    memory_free(x_0), memory_free(noise);
    free(kept), free(pixels), free(eps), free(signs);
}

static Kept kept_open(const char *checkpoint, const char *file)
{
    Error error = {0};
    Kept k = {.file = file};
    NetworkOptions options = {.batch = KEPT};
    string_list_add(&options.source.checkpoints, checkpoint);
    must(network_open(&k.network, &options, &error), &error);
    string_list_free(&options.source.checkpoints);
    must(network_prepare(k.network, KEPT, &error), &error);
    k.dims = network_dims(k.network);
    k.channels = network_config(k.network)->data.channels;
    k.side = network_config(k.network)->data.resolution;
    int64_t *t = golden_ints(file, "ocm/t", NULL, NULL),
            *s = golden_ints(file, "ocm/s", NULL, NULL);
    for (int i = 0; i < KEPT; i++) {
        k.t[i] = (int)t[i];
        k.s[i] = (int)s[i];
    }
    free(t), free(s);
    read_images(&k);
    return k;
}

static void kept_close(Kept *k)
{
    network_close(k->network);
    memory_free(k->x_t), memory_free(k->v);
}

static void check_kept(const Kept *k, const char *dataset, const float *got)
{
    float *want = read_kept(k, dataset);
    const double tolerance = golden_tolerance(k->file, dataset);
    for (size_t i = 0; i < KEPT * k->dims; i++)
        ck_assert_msg(fabs((double)got[i] - (double)want[i]) <= tolerance,
                      "%s %s [%zu]: %.9g, expected %.9g +- %.2g", k->file, dataset, i, got[i],
                      want[i], tolerance);
    free(want);
}

static void check_target(const Kept *k)
{
    Error error = {0};
    const size_t count = KEPT * k->dims;
    NetworkProducts *products;
    double *q = memory_small(count, sizeof *q), *out = memory_small(count, sizeof *out);
    float *product = memory_small(count, sizeof *product), *y = memory_small(count, sizeof *y);
    for (size_t i = 0; i < count; i++)
        q[i] = k->v[i];
    must(network_products_make(&products, k->network, KEPT, &error), &error);
    must(network_transposed_product(products, k->x_t, k->t, KEPT, q, out, &error), &error);
    for (size_t i = 0; i < count; i++)
        product[i] = (float)(q[i] * out[i]);
    objective_targets(&objective_ocm,
                      &(ObjectiveBatch){.schedule = network_schedule(k->network),
                                        .images = KEPT,
                                        .dims = k->dims,
                                        .t = k->t,
                                        .eps = k->x_t,
                                        .products = product},
                      y);
    check_kept(k, "ocm/target_0", y);
    network_products_free(products);
    memory_free(q), memory_free(out), memory_free(product), memory_free(y);
}

/* The variances of a step for given outputs of the head. */
static void check_steps(const Kept *k, Sampler sampler, const char *dataset)
{
    ReverseOptions options = reverse_defaults(sampler);
    options.variance = variance_ocm.step;
    EstimateSource source = {
        .schedule = network_schedule(k->network), .dims = k->dims, .options = estimate_defaults()};
    float *head = read_kept(k, "ocm/head"), *out = memory_small(KEPT * k->dims, sizeof *out);
    for (int i = 0; i < KEPT; i++) {
        const ReverseStep step = reverse_step(source.schedule, &options, k->s[i], k->t[i]);
        const size_t at = (size_t)i * k->dims;
        estimate_cov_x0(&source, &variance_ocm, k->t[i], NULL, NULL, head + at, out + at);
        for (size_t j = at; j < at + k->dims; j++)
            out[j] = (float)reverse_variance(&step, out[j]);
    }
    check_kept(k, dataset, out);
    source.options.clip = false;
    for (int i = 0; i < KEPT; i++)
        estimate_cov_x0(&source, &variance_ocm, k->t[i], NULL, NULL, head + (size_t)i * k->dims,
                        out + (size_t)i * k->dims);
    check_kept(k, "ocm/cov_x0", out);
    memory_free(out);
    free(head);
}

START_TEST(targets_and_variances_are_golden)
{
    static const char *const names[] = {"golden_a", "golden_b"};
    for (int g = 0; g < 2; g++) {
        char checkpoint[64], file[64];
        snprintf(checkpoint, sizeof checkpoint, "tests/golden/%s.h5", names[g]);
        snprintf(file, sizeof file, "tests/golden/%s_variances.h5", names[g]);
        Kept k = kept_open(checkpoint, file);
        check_target(&k);
        check_steps(&k, SAMPLER_DDPM, "ocm/variance_ddpm");
        check_steps(&k, SAMPLER_DDIM, "ocm/variance_ddim");
        kept_close(&k);
    }
}
END_TEST

START_TEST(signs_are_signs)
{
    enum { COUNT = 10000 };
    static float v[COUNT], other[COUNT];
    double sum = 0, both = 0;
    random_signs((RandomKey){.seed = 3, .purpose = RANDOM_PROBE}, v, COUNT);
    random_signs((RandomKey){.seed = 3, .purpose = RANDOM_PROBE, .step = 1}, other, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ck_assert(v[i] == 1 || v[i] == -1);
        sum += v[i];
        both += v[i] * other[i];
    }
    ck_assert_double_lt(fabs(sum), 500); /* five standard errors */
    ck_assert_double_lt(fabs(both), 500);
}
END_TEST

SUITE_MAIN("ocm", targets_and_variances_are_golden, signs_are_signs)
