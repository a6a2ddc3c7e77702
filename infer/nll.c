/* infer nll: the table of bounds on the negative log-likelihood. */
#include "base/memory.h"
#include "bound.h"
#include "command.h"
#include "image_array.h"
#include "io/atomic_file.h"
#include "io/dataset.h"
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: infer nll [options]\n"
    "\n"
    "Bounds the negative log-likelihood of held-out images, in bits per dimension,\n"
    "for every variance at every number of steps K (DDPM; variances as in infer\n"
    "sample). The network runs once per image and timestep that any K visits: all\n"
    "variances and all K share that pass. The standard error is over images; all\n"
    "cells see the same images and the same noise, so that differences between them\n"
    "are surer than it says.\n"
    "\n"
    "FILE.csv has a row per cell:\n"
    "variance,trajectory,steps,bits_per_dim,stderr,images\n"
    "\n"
    "examples:\n"
    "  infer nll\n"
    "  infer nll --variance beta,npr,sn --steps 10,25,50,100,1000 --out nll.csv\n"
    "  infer nll --images 1000 --trajectory quad --steps 25\n"
    "\n";

enum { DEFAULT_IMAGES = 100, UNSET = -1 };

enum { CHOICE_ON, CHOICE_OFF };

static const int default_steps[] = {10, 25, 50, 100};

typedef struct Nll {
    CommonOptions common;
    const char *variance_list, *steps_list, *input, *out;
    int trajectory, clip_cov;
    int64_t images;
    BoundPlan plan;
    Network *network;
    float *x_0;   /* [images, dims] */
    double *bits; /* [variance][steps][image] */
} Nll;

/* -- Options ---------------------------------------------------------------------------------- */

static bool parse(Nll *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to bound"),
        option_string("variance", "LIST", &s->variance_list,
                      "beta, beta_tilde, analytic, analytic_diag, npr, sn, with commas between "
                      "(default: all that the network has)"),
        option_string("steps", "LIST", &s->steps_list,
                      "numbers of steps, 1 to N (default: 10,25,50,100)"),
        option_choice("trajectory", "linear|quad", &s->trajectory,
                      "which timesteps are visited (default: linear)"),
        option_integer("images", "N", &s->images, 1, IMAGE_ARRAY_LIMIT,
                       "the first N test images (default: 100, or all of --input)"),
        option_choice("clip-cov", "on|off", &s->clip_cov,
                      "the estimated Cov[x_0 | x_t] to [0, 1] (default: on)"),
        option_string("out", "FILE", &s->out, "write the table there too, as CSV"),
        option_heading("Another implementation's figures"),
        option_string("input", "FILE", &s->input,
                      "images from the array /images, uint8 [n, H, W, C], of an HDF5 file"),
        option_string("noise", "FILE", &s->plan.noise_path,
                      "noise from /eps [K, n, C, H, W] of an HDF5 file, for the timesteps /t [K]"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static bool check_options(Nll *s, Error *error)
{
    return lists_variances(s->variance_list, s->plan.variances, &s->plan.variance_count, error) &&
           lists_steps(s->steps_list, s->plan.steps, &s->plan.steps_count, error) &&
           (!s->out || output_check(s->out, error)) &&
           (!s->out || !s->input || output_is_not(s->out, s->input, error)) &&
           (!s->out || !s->plan.noise_path || output_is_not(s->out, s->plan.noise_path, error));
}

/* -- Preparation ------------------------------------------------------------------------------ */

/* Every variance that needs nothing, or nothing that is not there. */
static void default_variances(Nll *s)
{
    for (int kind = 0; kind < VARIANCE_KINDS; kind++) {
        Error ignored = {0};
        if (network_check_variance(s->network, (VarianceKind)kind, &ignored))
            s->plan.variances[s->plan.variance_count++] = (VarianceKind)kind;
    }
}

static void default_step_counts(Nll *s)
{
    const int most = network_schedule(s->network)->timesteps;
    for (size_t i = 0; i < sizeof default_steps / sizeof default_steps[0]; i++)
        if (default_steps[i] <= most)
            s->plan.steps[s->plan.steps_count++] = default_steps[i];
    if (s->plan.steps_count == 0)
        s->plan.steps[s->plan.steps_count++] = most;
}

/* The images: of --input, or the configuration's test images. */
static bool read_images(Nll *s, Error *error)
{
    Config config = *network_config(s->network);
    if (s->input) {
        config.data.format = DATA_HDF5;
        if (snprintf(config.data.test, sizeof config.data.test, "%s", s->input) >=
            (int)sizeof config.data.test)
            return error_input(error, "--input: the path is too long");
    }
    if (config.data.format != DATA_MIXTURE && config.data.test[0] == '\0')
        return error_input(error, "the configuration in the checkpoint names no test images "
                                  "(data.test); expected --input FILE");
    Dataset *dataset = NULL;
    if (!dataset_open(&dataset, &config, DATASET_TEST, error))
        return false;
    const int64_t there = dataset_count(dataset);
    const int64_t wanted = s->images != UNSET                   ? s->images
                           : s->input || there < DEFAULT_IMAGES ? there
                                                                : DEFAULT_IMAGES;
    bool ok = wanted <= there ||
              error_input(error, "--images: expected at most %lld, which %s has, got %lld",
                          (long long)there, config.data.test, (long long)wanted);
    s->plan.images = (int)wanted;
    s->x_0 =
        ok ? memory_large((size_t)wanted, network_dims(s->network) * sizeof(float), "images", error)
           : NULL;
    int64_t *indices = memory_small((size_t)(ok ? wanted : 1), sizeof *indices);
    for (int64_t i = 0; ok && i < wanted; i++)
        indices[i] = i;
    ok = s->x_0 && dataset_read(dataset, indices, (int)wanted, s->x_0, error);
    s->plan.x_0 = s->x_0;
    memory_free(indices);
    dataset_close(dataset);
    return ok;
}

static bool prepare(Nll *s, Error *error)
{
    if (!network_open(&s->network, &s->common, error))
        return false;
    if (s->plan.variance_count == 0)
        default_variances(s);
    if (s->plan.steps_count == 0)
        default_step_counts(s);
    s->plan.trajectory = (TrajectoryKind)s->trajectory;
    s->plan.clip_cov = s->clip_cov == CHOICE_ON;
    s->plan.seed =
        s->common.seed >= 0 ? (uint64_t)s->common.seed : network_config(s->network)->seed;
    if (!read_images(s, error) || !network_prepare(s->network, s->plan.images, error))
        return false;
    size_t cells = (size_t)(s->plan.variance_count * s->plan.steps_count);
    s->bits = memory_large(cells * (size_t)s->plan.images, sizeof *s->bits, "bounds", error);
    return s->bits != NULL;
}

/* -- The table -------------------------------------------------------------------------------- */

typedef struct Cell {
    double mean, error; /* bits per dimension; the standard error over images, NaN for one */
} Cell;

static Cell cell_of(const Nll *s, int v, int k)
{
    const int n = s->plan.images;
    const double *bits = s->bits + (size_t)(v * s->plan.steps_count + k) * (size_t)n;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += bits[i];
    for (int i = 0; i < n; i++)
        squares += (bits[i] - sum / n) * (bits[i] - sum / n);
    return (Cell){sum / n, n > 1 ? sqrt(squares / (n - 1) / n) : NAN};
}

static void print_table(const Nll *s)
{
    const BoundPlan *plan = &s->plan;
    printf("bits per dimension of %d images, +- standard error; %s trajectory\n\n%-14s",
           plan->images, trajectory_name(plan->trajectory), "steps");
    for (int k = 0; k < plan->steps_count; k++)
        printf(" %17d", plan->steps[k]);
    printf("\n");
    for (int v = 0; v < plan->variance_count; v++) {
        printf("%-14s", variance_name(plan->variances[v]));
        for (int k = 0; k < plan->steps_count; k++) {
            Cell cell = cell_of(s, v, k);
            printf("  %8.3f +- %5.3f", cell.mean, cell.error);
        }
        printf("\n");
    }
}

static bool write_rows(const Nll *s, FILE *to)
{
    const BoundPlan *plan = &s->plan;
    fprintf(to, "variance,trajectory,steps,bits_per_dim,stderr,images\n");
    for (int v = 0; v < plan->variance_count; v++)
        for (int k = 0; k < plan->steps_count; k++) {
            Cell cell = cell_of(s, v, k);
            fprintf(to, "%s,%s,%d,%.9g,%.3g,%d\n", variance_name(plan->variances[v]),
                    trajectory_name(plan->trajectory), plan->steps[k], cell.mean, cell.error,
                    plan->images);
        }
    return !ferror(to);
}

static bool write_csv(const Nll *s, Error *error)
{
    AtomicFile file = {0};
    if (!atomic_file_begin(&file, s->out, error))
        return false;
    FILE *to = fdopen(dup(file.fd), "w");
    bool written = to && write_rows(s, to);
    written = to && fclose(to) == 0 && written;
    if (written)
        return atomic_file_commit(&file, error);
    atomic_file_abandon(&file);
    return error_runtime(error, "%s: cannot be written: %s", s->out, strerror(errno));
}

bool nll_command(int argc, char **argv, Error *error)
{
    Nll s = {.images = UNSET};
    bool stop = false;
    common_defaults(&s.common);
    bool ok = parse(&s, argc, argv, &stop, error);
    if (ok && !stop) {
        ok = check_options(&s, error) && prepare(&s, error) &&
             bound_sweep(s.network, &s.plan, s.common.quiet, s.bits, error) &&
             (!s.out || write_csv(&s, error));
        if (ok && !s.common.quiet)
            print_table(&s);
    }
    memory_free(s.x_0);
    memory_free(s.bits);
    network_close(s.network);
    common_free(&s.common);
    return ok;
}
