/* infer analytic: measures E||eps_hat(x_t, t)||^2 / d of every timestep on training images.
 *
 * The work is a list of pairs of an image and a timestep, in which each image passes through all
 * timesteps. So the batches of the network are full even with few images. For every timestep two
 * numbers per image are summed, and the second one serves as a control variate for the first
 * (Moments). The results are stored in the checkpoints.
 */
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/trajectory.h"
#include "infer/command.h"
#include "inference/image_array.h"
#include "inference/images.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: infer analytic [options]\n"
    "\n"
    "Measures, for every timestep t of the schedule, the mean of ||eps_hat||^2/d over\n"
    "training images, and the mean of eps_hat_i^2 for each dimension i. eps_hat is\n"
    "the prediction of the network at x_t, d the number of dimensions. Two variances\n"
    "are made of these numbers (Bao et al. 2022a):\n"
    "\n"
    "  analytic       Cov[x_0 | x_t] from one number per timestep\n"
    "  analytic_diag  from one number per timestep and dimension\n"
    "\n"
    "The numbers are stored in the checkpoints of the network, in the group\n"
    "/analytic, in place of earlier ones; nothing else in the files changes. Training\n"
    "writes its files without them: measure again after training.\n"
    "\n"
    "Four times the images halve the standard error, which the table shows. The\n"
    "variance is 1 minus the number, so where the number is near 1 the error should\n"
    "be small beside the difference. analytic_diag averages over images alone, not\n"
    "over dimensions too. It needs a thousand images or more: with 100 its\n"
    "likelihoods can be far off. Time grows with images times timesteps.\n"
    "--timesteps K measures K of them, evenly spaced, and interpolates: a quick look.\n"
    "\n"
    "Equal seeds make equal numbers, whatever --batch and --threads (to rounding).\n"
    "\n"
    "examples:\n"
    "  infer analytic\n"
    "  infer analytic --run checkpoints/quick --images 1000\n"
    "  infer analytic --checkpoint imported.h5 --data images.h5 --timesteps 50\n"
    "\n";

enum {
    /* A mean and a slope take two images; the third gives a standard error. */
    MIN_IMAGES = 3,
    TABLE_ROWS = 11,
};

/* Two numbers per image at one timestep: p = ||eps_hat||^2/d, whose mean is wanted, and n =
 * ||eps||^2/d, a control variate for p. The expectation of n is exactly 1, and at large t, where
 * the network predicts most of the noise, n and p are strongly correlated. The estimate of E[p] is
 *     mean(p) - slope (mean(n) - 1)
 * with the slope of p on n. At large t the variance is the small number 1 - E[p], and the
 * control variate saves many times the images. */
typedef struct Moments {
    /* The means so far. */
    double p, n;
    /* Sums of products of deviations from the means. */
    double pp, pn, nn;
} Moments;

typedef struct Analytic {
    CommonOptions common;
    /* IMAGES_UNSET: the default. */
    int64_t images;
    const char *timesteps_text, *data;

    Network *network;
    size_t dims;
    Dataset *dataset;
    /* [images]: indices into the data set */
    int64_t *chosen;
    /* [timesteps_count]: the measured ones, ascending */
    int *timesteps;
    int timesteps_count;
    uint64_t seed;

    /* One batch: [batch], and [batch, dims]. */
    int64_t *indices;
    int *t;
    float *x, *noise, *eps;

    /* Over the images so far: [timesteps_count], and [timesteps_count, dims]. */
    Moments *moments;
    /* Sums of eps_hat_i^2. */
    double *squares;
    /* Sums of eps_i^2. */
    double *noise_squares;

    NetworkConstants constants;
} Analytic;

/* -- Preparation ------------------------------------------------------------------------------ */

static bool parse(Analytic *a, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to measure"),
        option_integer("images", "N", &a->images, MIN_IMAGES, IMAGE_ARRAY_LIMIT,
                       "training images, drawn at random, without flips (default: 100, or all if "
                       "there are fewer; 10 are enough for a trial)"),
        option_string("timesteps", "all|K", &a->timesteps_text,
                      "all, or K of them, 2 or more, evenly spaced (default: all)"),
        option_training_images(&a->data),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &a->common, argc, argv, NULL, stop, error);
}

/* All timesteps, or the linear trajectory of K. */
static bool choose_timesteps(Analytic *a, Error *error)
{
    const int all = network_schedule(a->network)->timesteps;
    const char *text = a->timesteps_text ? a->timesteps_text : "all";
    char *end = NULL;
    long count = strcmp(text, "all") == 0 ? all : strtol(text, &end, 10);
    if (end && (text[0] < '0' || text[0] > '9' || *end != '\0' || count < 2 || count > all))
        return error_input(error, "--timesteps: expected all, or a number from 2 to %d, got \"%s\"",
                           all, text);
    int *trajectory = memory_small((size_t)count + 1, sizeof *trajectory);
    bool ok = trajectory_make(TRAJECTORY_LINEAR, all, (int)count, trajectory, error);
    a->timesteps = memory_small((size_t)count, sizeof *a->timesteps);
    memcpy(a->timesteps, trajectory + 1, (size_t)count * sizeof *trajectory);
    memory_free(trajectory);
    a->timesteps_count = (int)count;
    return ok;
}

static bool allocate(Analytic *a, Error *error)
{
    const size_t batch = (size_t)network_batch(a->network), rows = (size_t)a->timesteps_count;
    const size_t entries = (size_t)network_schedule(a->network)->timesteps + 1;
    NetworkConstants *constants = &a->constants;
    a->indices = memory_small(batch, sizeof *a->indices);
    a->t = memory_small(batch, sizeof *a->t);
    a->moments = memory_small(rows, sizeof *a->moments);
    constants->ms_eps = memory_small(entries, sizeof(double));
    constants->ms_eps_stderr = memory_small(entries, sizeof(double));
    const size_t image = a->dims * sizeof(float);
    return (a->x = memory_large(batch, image, "images", error)) &&
           (a->noise = memory_large(batch, image, "noise", error)) &&
           (a->eps = memory_large(batch, image, "predictions", error)) &&
           (a->squares = memory_large(rows, a->dims * sizeof(double), "sums", error)) &&
           (a->noise_squares = memory_large(rows, a->dims * sizeof(double), "sums", error)) &&
           (constants->ms_eps_diag = memory_large(entries, image, "constants", error));
}

static bool prepare(Analytic *a, Error *error)
{
    if (!command_open_network(&a->common, &a->network, error))
        return false;
    a->dims = network_dims(a->network);
    a->seed = command_seed(&a->common, a->network);
    return choose_timesteps(a, error) &&
           images_open_train(&a->dataset, a->network, a->data, error) &&
           images_choose(a->dataset, "--images", MIN_IMAGES, a->seed, &a->images, &a->chosen,
                         error) &&
           network_check_storing(a->network, error) &&
           network_prepare(a->network, a->images * a->timesteps_count, error) && allocate(a, error);
}

/* -- Measuring -------------------------------------------------------------------------------- */

/* x and noise := x_t and the noise of pairs first .. first + count - 1. */
static bool draw_pairs(Analytic *a, int64_t first, int count, Error *error)
{
    for (int i = 0; i < count; i++) {
        a->indices[i] = a->chosen[(first + i) / a->timesteps_count];
        a->t[i] = a->timesteps[(first + i) % a->timesteps_count];
    }
    if (!dataset_read(a->dataset, a->indices, count, a->x, error))
        return false;
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        RandomKey key = {.seed = a->seed,
                         .purpose = RANDOM_ANALYTIC,
                         .step = (uint32_t)a->t[i],
                         .sample = (uint32_t)a->indices[i]};
        random_normal(key, a->noise + (size_t)i * a->dims, a->dims);
    }
    forward_noise(network_schedule(a->network), a->t, a->x, a->noise, (size_t)count, a->dims, a->x);
    return true;
}

static double mean_square(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sum / (double)count;
}

/* Adds an image to `images` earlier ones, by Welford's method, which subtracts no large numbers. */
static void add_to_moments(Moments *m, int64_t images, double p, double n)
{
    const double change_p = p - m->p, change_n = n - m->n;
    m->p += change_p / (double)(images + 1);
    m->n += change_n / (double)(images + 1);
    m->pp += change_p * (p - m->p);
    m->pn += change_p * (n - m->n);
    m->nn += change_n * (n - m->n);
}

/* Every sum adds the images in their order, so that threads and batches do not change it. */
static void add_pairs(Analytic *a, int64_t first, int count)
{
    for (int i = 0; i < count; i++) {
        const int64_t row = (first + i) % a->timesteps_count;
        const size_t at = (size_t)i * a->dims;
        add_to_moments(&a->moments[row], (first + i) / a->timesteps_count,
                       mean_square(a->eps + at, a->dims), mean_square(a->noise + at, a->dims));
    }
    const int64_t dims = (int64_t)a->dims;
#pragma omp parallel for
    for (int64_t j = 0; j < dims; j++)
        for (int i = 0; i < count; i++) {
            const int64_t sum = (first + i) % a->timesteps_count * dims + j;
            const double eps = a->eps[i * dims + j], noise = a->noise[i * dims + j];
            a->squares[sum] += eps * eps;
            a->noise_squares[sum] += noise * noise;
        }
}

static bool measure(Analytic *a, Error *error)
{
    const int batch = network_batch(a->network);
    const int64_t total = a->images * a->timesteps_count;
    const Prediction outputs = {.eps = a->eps};
    Progress progress;
    progress_start(&progress, "measuring", 0, total, 1, "evaluations/s", a->common.quiet);
    bool ok = true;
    for (int64_t first = 0; ok && first < total; first += batch) {
        int count = total - first < batch ? (int)(total - first) : batch;
        ok = draw_pairs(a, first, count, error) &&
             network_evaluate(a->network, a->x, a->t, count, &outputs, error);
        if (!ok)
            break;
        add_pairs(a, first, count);
        progress_update(&progress, first + count, "image %lld of %lld",
                        (long long)((first + count - 1) / a->timesteps_count + 1),
                        (long long)a->images);
    }
    progress_finish(&progress);
    return ok;
}

/* -- Results ---------------------------------------------------------------------------------- */

/* The slope of p on n, limited to [0, 1]: 0 suits a network that predicts nothing, 1 a
 * perfect one. Few images could give any number. */
static double slope(const Moments *m)
{
    if (!(m->nn > 0 && m->pn > 0))
        return 0;
    return m->pn < m->nn ? m->pn / m->nn : 1;
}

static double estimate(const Analytic *a, int row)
{
    const Moments *m = &a->moments[row];
    return m->p - slope(m) * (m->n - 1);
}

/* From the residuals of p after its regression on n. */
static double standard_error(const Analytic *a, int row)
{
    const Moments *m = &a->moments[row];
    const double images = (double)a->images, b = slope(m);
    const double left = m->pp - 2 * b * m->pn + b * b * m->nn;
    return left > 0 ? sqrt(left / (images - 2) / images) : 0;
}

/* For one dimension. It takes the slope of all dimensions, so that the mean over dimensions is the
 * estimate above. */
static double estimate_of(const Analytic *a, int row, size_t dimension)
{
    const size_t at = (size_t)row * a->dims + dimension;
    const double images = (double)a->images;
    return a->squares[at] / images - slope(&a->moments[row]) * (a->noise_squares[at] / images - 1);
}

static bool check_finite(const Analytic *a, Error *error)
{
    for (int row = 0; row < a->timesteps_count; row++)
        if (!isfinite(estimate(a, row)))
            return error_runtime(error,
                                 "%s: the network predicts numbers that are not finite at t = %d",
                                 network_file(a->network, 0), a->timesteps[row]);
    return true;
}

/* Entry t of the constants, interpolated between `row` and the next one. */
static void fill_entry(Analytic *a, int t, int row)
{
    NetworkConstants *c = &a->constants;
    const int after = row + 1 < a->timesteps_count ? row + 1 : row;
    const int span = a->timesteps[after] - a->timesteps[row];
    const double weight = span > 0 ? (double)(t - a->timesteps[row]) / span : 0;
    c->ms_eps[t] = (1 - weight) * estimate(a, row) + weight * estimate(a, after);
    c->ms_eps_stderr[t] = (1 - weight) * standard_error(a, row) + weight * standard_error(a, after);

    const size_t channels = (size_t)network_config(a->network)->data.channels,
                 pixels = a->dims / channels;
    for (size_t i = 0; i < a->dims; i++) {
        size_t nchw = i % channels * pixels + i / channels;
        c->ms_eps_diag[(size_t)t * a->dims + nchw] =
            (float)((1 - weight) * estimate_of(a, row, i) + weight * estimate_of(a, after, i));
    }
}

static void fill_constants(Analytic *a)
{
    NetworkConstants *c = &a->constants;
    c->images = a->images;
    c->timesteps = a->timesteps_count;
    c->seed = (int64_t)a->seed;
    c->ms_eps[0] = 1;
    for (size_t i = 0; i < a->dims; i++)
        c->ms_eps_diag[i] = 1;
    for (int t = 1, row = 0; t <= network_schedule(a->network)->timesteps; t++) {
        while (row + 1 < a->timesteps_count && a->timesteps[row + 1] <= t)
            row++;
        fill_entry(a, t, row);
    }
}

static void print_results(const Analytic *a)
{
    const int rows = a->timesteps_count < TABLE_ROWS ? a->timesteps_count : TABLE_ROWS;
    printf("     t   E||eps_hat||^2/d   standard error\n");
    for (int i = 0; i < rows; i++) {
        int row = (int)((int64_t)i * (a->timesteps_count - 1) / (rows - 1));
        printf("%6d   %16.6f   %14.6f\n", a->timesteps[row], estimate(a, row),
               standard_error(a, row));
    }
    for (int i = 0; i < network_files(a->network); i++)
        printf("%s: stored, from %lld images\n", network_file(a->network, i), (long long)a->images);
}

static bool analyse(Analytic *a, Error *error)
{
    if (!prepare(a, error) || !measure(a, error) || !check_finite(a, error))
        return false;
    fill_constants(a);
    if (!interrupt_continues(error) || !network_store(a->network, &a->constants, error))
        return false;
    if (!a->common.quiet)
        print_results(a);
    return true;
}

static void release(Analytic *a)
{
    memory_free(a->chosen);
    memory_free(a->timesteps);
    memory_free(a->indices);
    memory_free(a->t);
    memory_free(a->x);
    memory_free(a->noise);
    memory_free(a->eps);
    memory_free(a->moments);
    memory_free(a->squares);
    memory_free(a->noise_squares);
    memory_free(a->constants.ms_eps);
    memory_free(a->constants.ms_eps_stderr);
    memory_free(a->constants.ms_eps_diag);
    dataset_close(a->dataset);
    network_close(a->network);
    common_free(&a->common);
}

bool analytic_command(int argc, char **argv, Error *error)
{
    Analytic a = {.images = IMAGES_UNSET};
    bool stop = false;
    common_defaults(&a.common);
    bool ok = parse(&a, argc, argv, &stop, error) && (stop || analyse(&a, error));
    release(&a);
    return ok;
}
