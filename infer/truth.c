/* infer truth: the distance of each variance from the exact Cov[x_0 | x_t], on the built-in
 * mixture.
 *
 * At every timestep the network is evaluated at noisy test images, and the estimate of each
 * variance is compared, element by element, with the closed form of the mixture. The errors of a
 * batch are made image by image on all threads and added in the order of the images.
 */
#include "base/memory.h"
#include "base/note.h"
#include "base/progress.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "diffusion/trajectory.h"
#include "evaluation/step_distance.h"
#include "infer/command.h"
#include "infer/lists.h"
#include "inference/image_array.h"
#include "inference/images.h"
#include "io/output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: infer truth [options]\n"
    "\n"
    "On the built-in mixture (data.format: mixture) the diagonal of Cov[x_0 | x_t] is\n"
    "known exactly at every x_t. Compares the estimate of each variance with it on\n"
    "test images, at timesteps from 1 to N. The table has the root mean square of the\n"
    "difference and, in brackets, its mean, over images and elements, in parts of the\n"
    "mean of the exact Cov, which is the column `Cov`. The column `mean` is the mean\n"
    "square of E[x_0 | x_t] - x_0_hat, in the same parts: npr has to add it, and\n"
    "the variance true (infer nll) does add it.\n"
    "\n"
    "The exact Cov is not diagonal. A second table compares steps t -> s with the\n"
    "best Gaussian, which has the exact mean and the exact Cov: the KL of it and of\n"
    "the step, in bits per dimension. s is the timestep below t in the table, or 1.\n"
    "\n"
    "FILE.csv has a row per variance and timestep:\n"
    "variance,t,cov,mean_error,rms,bias,images,s,kl\n"
    "kl is empty if there is no step: t = 1.\n"
    "\n"
    "examples:\n"
    "  infer truth --run checkpoints/mixture\n"
    "  infer truth --run checkpoints/mixture --timesteps 50 --out truth.csv\n"
    "\n";

enum { DEFAULT_TIMESTEPS = 11, MIN_WIDTH = 15 };

/* Sums over images and elements at one timestep. */
typedef struct Errors {
    /* The exact Cov. */
    double cov;
    /* (E[x_0 | x_t] - x_0_hat)^2 */
    double mean_error;
    /* Of estimate - exact, by index into the variances. */
    double square[VARIANCE_COUNT], bias[VARIANCE_COUNT];
    /* The KL of the best step t -> s and the variance's, in nats. */
    double kl[VARIANCE_COUNT];
} Errors;

typedef struct Truth {
    CommonOptions common;
    const char *variance_list, *out;
    int64_t images_wanted, timesteps_wanted;

    const Variance *variances[VARIANCE_COUNT];
    int variance_count;
    Network *network;
    Predictor predictor;
    Images images;
    uint64_t seed;
    /* [timesteps_count + 1], from 0 */
    int *timesteps;
    int timesteps_count;
    /* [timesteps_count] */
    Errors *errors;

    /* One batch: [batch], and [batch, dims]. */
    int *t;
    float *noise, *x_t, *cov;
    /* [batch, moments_count * dims]: x_t, E[eps], Cov[x_0], E[x_0] - x_0_hat, and Cov[x_0] again as
     * a diagonal and factors (mixture_covariance). */
    double *moments;
    size_t moments_count;
    /* [batch] */
    Errors *each;
    Prediction prediction;
} Truth;

/* -- Preparation ------------------------------------------------------------------------------ */

static bool parse(Truth *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to compare"),
        option_variances(&s->variance_list, COMMAND_ALL_VARIANCES),
        option_integer("timesteps", "K", &s->timesteps_wanted, 1, SCHEDULE_MAX_TIMESTEPS,
                       "the number of timesteps, evenly spaced (default: 11)"),
        option_integer("images", "N", &s->images_wanted, 1, IMAGE_ARRAY_LIMIT,
                       "the first N test images (default: 100)"),
        option_string("out", "FILE", &s->out, "write the table to this file too, as CSV"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_ESTIMATE | COMMON_FLOOR | COMMON_CLIP |
                                        COMMON_SCALE | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

/* Variances that depend on s estimate no Cov[x_0 | x_t]. The steps of those without a bound are no
 * Gaussians, which the KL of the table compares. */
static bool leave_out_steps(Truth *s, Error *error)
{
    int count = 0;
    for (int v = 0; v < s->variance_count; v++)
        if (s->variances[v]->reads_jacobian)
            note("leaves out %s, whose covariance is not diagonal", s->variances[v]->name);
        else if (s->variances[v]->depends_on_step)
            note("leaves out %s, which depends on both ends of a step", s->variances[v]->name);
        else if (s->variances[v]->no_bound)
            note("leaves out %s: %s", s->variances[v]->name, s->variances[v]->no_bound);
        else
            s->variances[count++] = s->variances[v];
    s->variance_count = count;
    return count > 0 || error_input(error, "--variance: none of these has a diagonal of its own to "
                                           "compare; expected sn, npr or another");
}

static bool choose_variances(Truth *s, Error *error)
{
    if (!network_mixture(s->network))
        return error_input(error,
                           "%s: Cov[x_0 | x_t] is known where data.format is mixture, not for "
                           "these data; train --stage 1 --config mixture trains on "
                           "one",
                           network_origin(s->network));
    return lists_variances(s->variance_list, s->variances, &s->variance_count, error) &&
           command_variances(s->network, s->variances, &s->variance_count, error) &&
           leave_out_steps(s, error);
}

static bool choose_timesteps(Truth *s, Error *error)
{
    const int all = network_schedule(s->network)->timesteps;
    if (s->timesteps_wanted == 0)
        s->timesteps_wanted = all < DEFAULT_TIMESTEPS ? all : DEFAULT_TIMESTEPS;
    s->timesteps_count = (int)s->timesteps_wanted;
    s->timesteps = memory_small((size_t)s->timesteps_count + 1, sizeof *s->timesteps);
    s->errors = memory_small((size_t)s->timesteps_count, sizeof *s->errors);
    return trajectory_make(TRAJECTORY_LINEAR, all, s->timesteps_count, s->timesteps, error) ||
           error_prefix(error, "--timesteps");
}

static bool allocate(Truth *s, Error *error)
{
    const size_t batch = (size_t)s->predictor.batch, dims = s->predictor.source.dims;
    float **arrays[] = {&s->noise, &s->x_t, &s->cov, &s->prediction.eps};
    for (int i = 0; i < 4; i++)
        if (!(*arrays[i] = memory_large(batch, dims * sizeof(float), "images", error)))
            return false;
    for (int v = 0; v < s->variance_count; v++) {
        const int head = predictor_head(&s->predictor, s->variances[v]);
        if (head >= 0 && !s->prediction.heads[head] &&
            !(s->prediction.heads[head] =
                  memory_large(batch, dims * sizeof(float), "images", error)))
            return false;
    }
    s->t = memory_small(batch, sizeof *s->t);
    s->each = memory_small(batch, sizeof *s->each);
    s->moments_count = 5 + (size_t)s->predictor.source.mixture->components;
    return (s->moments = memory_large(batch, s->moments_count * dims * sizeof(double), "moments",
                                      error)) != NULL;
}

static bool check_path(const Truth *s, Error *error)
{
    const OutputInputs inputs = command_inputs(s->network, &s->common);
    return !s->out || output_check(s->out, FILE_TRUTH, &inputs, error);
}

static bool prepare(Truth *s, Error *error)
{
    if ((s->out && !output_check_name("--out", s->out, ".csv", error)) ||
        !command_open_network(&s->common, &s->network, error) || !check_path(s, error) ||
        !choose_variances(s, error) || !choose_timesteps(s, error) ||
        !images_test(&s->images, s->network, NULL, s->images_wanted, error) ||
        !network_prepare(s->network, s->images.count, error))
        return false;
    s->seed = command_seed(&s->common, s->network);
    s->predictor = network_predictor(s->network, &s->common.estimate);
    return allocate(s, error);
}

/* -- Comparing -------------------------------------------------------------------------------- */

/* The s of timestep number k, counted from 0. */
static int step_to(const Truth *s, int k)
{
    return s->timesteps[k] > 1 ? s->timesteps[k] : 1;
}

/* The KL of the best step t -> to and that of a variance with the diagonal cov. */
static double distance_of(const Truth *s, const Variance *variance, const StepTruth *truth, int t,
                          int to, const float *cov)
{
    const BlockCorrelation *correlation = s->predictor.source.correlation;
    const double kappa = likelihood_kappa(s->predictor.source.schedule, to, t);
    if (!variance->is_correlated)
        return step_distance(truth, kappa, cov);
    return step_distance_correlated(truth, kappa, &correlation->shape,
                                    block_correlation_at(correlation, t), cov);
}

/* each[i] := the errors of image i of the batch. */
static void compare(Truth *s, int t, int to, int i)
{
    const EstimateSource *source = &s->predictor.source;
    const size_t dims = source->dims, at = (size_t)i * dims;
    const Schedule *schedule = source->schedule;
    double *x = s->moments + s->moments_count * at, *eps = x + dims, *exact = eps + dims;
    double *mean_off = exact + dims, *within = mean_off + dims, *factor = within + dims;
    const StepTruth truth = {.dims = dims,
                             .factors = source->mixture->components,
                             .within = within,
                             .factor = factor,
                             .mean_off = mean_off};
    const double signal = sqrt(schedule->alpha_bar[t]), noise = sqrt(schedule->beta_bar[t]);
    const float *predicted = s->prediction.eps + at;
    Errors sums = {0};
    for (size_t k = 0; k < dims; k++)
        x[k] = s->x_t[at + k];
    mixture_moments(source->mixture, schedule, t, x, eps, NULL, exact);
    mixture_covariance(source->mixture, schedule, t, x, within, factor);
    for (size_t k = 0; k < dims; k++) {
        const double mean = (x[k] - noise * eps[k]) / signal;
        double hat = (x[k] - noise * predicted[k]) / signal;
        if (source->clip_x0)
            hat = hat < -1 ? -1 : hat > 1 ? 1 : hat; /* a NaN stays */
        const double error = mean_off[k] = mean - hat;
        sums.cov += exact[k];
        sums.mean_error += error * error;
    }
    for (int v = 0; v < s->variance_count; v++) {
        const Variance *variance = s->variances[v];
        const float *head =
            prediction_of(&s->prediction, predictor_head(&s->predictor, variance), at);
        float *cov = s->cov + at;
        estimate_cov_x0(source, variance, t, s->x_t + at, predicted, head, cov);
        for (size_t k = 0; k < dims; k++) {
            double difference = cov[k] - exact[k];
            sums.bias[v] += difference;
            sums.square[v] += difference * difference;
        }
        sums.kl[v] = to < t ? distance_of(s, variance, &truth, t, to, cov) : NAN;
    }
    s->each[i] = sums;
}

static void add_errors(Errors *sum, const Errors *more)
{
    sum->cov += more->cov;
    sum->mean_error += more->mean_error;
    for (int v = 0; v < VARIANCE_COUNT; v++) {
        sum->bias[v] += more->bias[v];
        sum->square[v] += more->square[v];
        sum->kl[v] += more->kl[v];
    }
}

/* Adds images first .. first + count - 1 at timestep number k to the errors there. */
static bool compare_batch(Truth *s, int k, int first, int count, Error *error)
{
    const int t = s->timesteps[k + 1];
    const EstimateSource *source = &s->predictor.source;
    const size_t dims = source->dims;
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        s->t[i] = t;
        random_normal((RandomKey){.seed = s->seed,
                                  .purpose = RANDOM_LIKELIHOOD,
                                  .step = (uint32_t)t,
                                  .sample = (uint32_t)(first + i)},
                      s->noise + (size_t)i * dims, dims);
    }
    forward_noise(source->schedule, s->t, s->images.x_0 + (size_t)first * dims, s->noise,
                  (size_t)count, dims, s->x_t);
    if (!s->predictor.predict(s->predictor.network, s->x_t, s->t, count, &s->prediction, error))
        return false;
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        compare(s, t, step_to(s, k), i);
    for (int i = 0; i < count; i++)
        add_errors(&s->errors[k], &s->each[i]);
    return true;
}

static bool compare_all(Truth *s, Error *error)
{
    const int batch = s->predictor.batch, images = s->images.count;
    Progress progress;
    progress_start(&progress, "truth", 0, (int64_t)images * s->timesteps_count, 1, "evaluations/s",
                   s->common.quiet);
    bool ok = true;
    for (int k = 0; ok && k < s->timesteps_count; k++)
        for (int first = 0; ok && first < images; first += batch) {
            int count = images - first < batch ? images - first : batch;
            ok = compare_batch(s, k, first, count, error);
            progress_update(&progress, progress.done + count, "t = %d", s->timesteps[k + 1]);
        }
    progress_finish(&progress);
    return ok;
}

/* -- The table -------------------------------------------------------------------------------- */

/* A variance at one timestep. All but cov and kl are in parts of cov, the mean of the exact Cov. kl
 * is in bits per dimension. */
typedef struct Row {
    double cov, mean_error, rms, bias, kl;
} Row;

static Row row_of(const Truth *s, int v, int k)
{
    const Errors *e = &s->errors[k];
    const double count = (double)s->images.count * (double)s->predictor.source.dims;
    const double cov = e->cov / count;
    return (Row){.cov = cov,
                 .mean_error = e->mean_error / count / cov,
                 .rms = sqrt(e->square[v] / count) / cov,
                 .bias = e->bias[v] / count / cov,
                 .kl = e->kl[v] / count / log(2)};
}

static EstimateLabel label_of(const Truth *s, int v)
{
    return estimate_label(&s->predictor.source.options, s->variances[v]);
}

static int column_width(const Truth *s, int v)
{
    const int length = (int)strlen(label_of(s, v).text);
    return length > MIN_WIDTH ? length : MIN_WIDTH;
}

static void print_table(const Truth *s)
{
    printf("error of Cov[x_0 | x_t], in parts of its mean: root mean square (bias); %d test "
           "images\n\n%6s %9s %7s",
           s->images.count, "t", "Cov", "mean");
    for (int v = 0; v < s->variance_count; v++)
        printf("  %*s", column_width(s, v), label_of(s, v).text);
    printf("\n");
    for (int k = 0; k < s->timesteps_count; k++) {
        const Row first = row_of(s, 0, k);
        printf("%6d %9.3g %7.4f", s->timesteps[k + 1], first.cov, first.mean_error);
        for (int v = 0; v < s->variance_count; v++) {
            const Row row = row_of(s, v, k);
            printf("  %*.3g (%+6.2g)", column_width(s, v) - 9, row.rms, row.bias);
        }
        printf("\n");
    }
}

/* The steps from every timestep but 1. */
static void print_distances(const Truth *s)
{
    printf("\nKL of the best Gaussian and a step t -> s, in bits per dimension\n\n%6s %6s %10s",
           "t", "s", "");
    for (int v = 0; v < s->variance_count; v++)
        printf("  %*s", column_width(s, v), label_of(s, v).text);
    printf("\n");
    for (int k = 0; k < s->timesteps_count; k++) {
        if (s->timesteps[k + 1] == 1)
            continue;
        printf("%6d %6d %10s", s->timesteps[k + 1], step_to(s, k), "");
        for (int v = 0; v < s->variance_count; v++)
            printf("  %*.4g", column_width(s, v), row_of(s, v, k).kl);
        printf("\n");
    }
}

static void write_table(FILE *to, const void *context)
{
    const Truth *s = context;
    fprintf(to, ",s,kl\n"); /* after the beginning */
    for (int v = 0; v < s->variance_count; v++)
        for (int k = 0; k < s->timesteps_count; k++) {
            const Row row = row_of(s, v, k);
            fprintf(to, "%s,%d,%.6g,%.6g,%.6g,%.6g,%d,%d,", label_of(s, v).text,
                    s->timesteps[k + 1], row.cov, row.mean_error, row.rms, row.bias,
                    s->images.count, step_to(s, k));
            if (s->timesteps[k + 1] > 1)
                fprintf(to, "%.6g", row.kl);
            fprintf(to, "\n");
        }
}

static void release(Truth *s)
{
    for (int head = 0; head < PREDICTOR_MAX_HEADS; head++)
        memory_free(s->prediction.heads[head]);
    memory_free(s->prediction.eps);
    memory_free(s->noise);
    memory_free(s->x_t);
    memory_free(s->cov);
    memory_free(s->moments);
    memory_free(s->each);
    memory_free(s->t);
    memory_free(s->timesteps);
    memory_free(s->errors);
    images_free(&s->images);
    network_close(s->network);
    common_free(&s->common);
}

bool truth_command(int argc, char **argv, Error *error)
{
    Truth s = {.images_wanted = IMAGES_UNSET};
    bool stop = false;
    common_defaults(&s.common);
    bool ok = parse(&s, argc, argv, &stop, error);
    if (ok && !stop) {
        ok = prepare(&s, error) && compare_all(&s, error) &&
             (!s.out || output_text(s.out, FILE_TRUTH, write_table, &s, error));
        if (ok && !s.common.quiet) {
            print_table(&s);
            print_distances(&s);
        }
    }
    release(&s);
    return ok;
}
