/* infer sample: draws samples by the reverse process. */
#include "base/memory.h"
#include "base/progress.h"
#include "evaluation/dp.h"
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/sample_output.h"
#include "inference/network.h"
#include "inference/sampler.h"
#include "io/output.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: infer sample --out FILE|DIR/ [options]\n"
    "\n"
    "Draws samples: from noise x_T down K of the N timesteps to x_0. At each step the\n"
    "network gives the mean, and --variance says where the variance comes from:\n"
    "\n"
    "  beta           beta_{t|s}; DDPM only                    (Ho et al. 2020)\n"
    "  beta_tilde     that of q(x_s | x_t, x_0); the default   (Ho et al. 2020)\n"
    "  analytic       from E||eps_hat||^2/d of each timestep   (Bao et al. 2022a)\n"
    "  analytic_diag  from E[eps_hat_i^2] of each dimension    (Bao et al. 2022a)\n"
    "  sn, npr        from a head trained by train --stage 2   (Bao et al. 2022b)\n"
    "\n"
    "  exact          known where the data are the built-in mixture\n"
    "\n"
    "`infer analytic` measures what analytic and analytic_diag need, `infer nll\n"
    "--trajectory dp` finds the best trajectories that --trajectory dp follows.\n"
    "\n"
    "FILE.png becomes a picture; FILE.h5 gets the array /samples, float32\n"
    "[n, C, H, W] in [-1, 1], not clipped after the last step. --variance and --steps\n"
    "take lists: then the picture is a table, a row for each variance and a column\n"
    "for each number of steps, the file has /samples/<variance>_<steps>, and all of\n"
    "them start from the same x_T and meet the same noise. What is done to Cov is\n"
    "part of a variance's name: npr-floor0.03-x2.\n"
    "\n"
    "For programs that compute FID: DIR/ becomes a directory of PNG files, one for\n"
    "each sample (for lists a directory <variance>_<steps> each); FILE.npz gets the\n"
    "array arr_0, uint8 [n, H, W, C], grey images with three equal channels.\n"
    "\n"
    "Equal seeds make equal samples, whatever --batch and --threads (to rounding).\n"
    "\n"
    "examples:\n"
    "  infer sample --out samples.png\n"
    "  infer sample --variance sn --steps 25 --count 100 --out sn.png\n"
    "  infer sample --variance beta_tilde,npr,sn --steps 10,25,50 --out compare.png\n"
    "  infer sample --sampler ddim --steps 20 --count 1000 --seed 7 --out ddim.h5\n"
    "  infer sample --variance sn --steps 25 --count 10000 --out sn-25/\n"
    "\n";

enum {
    DEFAULT_STEPS = 50,
    DEFAULT_COUNT = 64,       /* of one combination */
    DEFAULT_TABLE_COUNT = 16, /* of each, where there are several */
    UNSET = -1,
};

enum { CHOICE_ON, CHOICE_OFF };

typedef struct Sample {
    CommonOptions common;
    const char *variance_list, *steps_list, *noise_path, *out;
    int sampler, trajectory; /* Sampler, TrajectoryKind */
    int clip_x0, clip_cov;   /* CHOICE_..., UNSET: by default */
    double eta, clip_pixel;  /* NAN: by default */
    int64_t count, columns, scale;

    VarianceKind variances[VARIANCE_KINDS];
    EstimateLabel labels[VARIANCE_KINDS];
    int steps[LISTS_MAX_STEPS];
    SampleSettings settings;
    SamplingPlan *plans; /* [variances * steps] */
    Network *network;
    Noise noise;
    uint64_t seed;
    SampleOutput *output;
    float *images; /* [batch, dims] */
} Sample;

/* -- Options ---------------------------------------------------------------------------------- */

static bool parse(Sample *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to draw"),
        option_string("out", "FILE", &s->out,
                      "a picture (.png), an array (.h5), a directory of pictures (a name that "
                      "ends in /), or an .npz; required"),
        option_string("variance", "LIST", &s->variance_list,
                      "beta, beta_tilde, analytic, analytic_diag, npr, sn, exact, or several "
                      "with commas between "
                      "(default: stage1.variance of the configuration)"),
        option_string("steps", "LIST", &s->steps_list,
                      "steps of the reverse process, 1 to N, or several (default: 50)"),
        option_choice("sampler", "ddpm|ddim", &s->sampler, "(default: ddpm)"),
        option_number("eta", "E", &s->eta, 0, 1,
                      "DDIM's eta, 0 to 1; 0 is deterministic with beta_tilde (default: 0)"),
        option_choice("trajectory", "linear|quad|dp", &s->trajectory,
                      "which timesteps are visited; dp: the best for the likelihood of each "
                      "variance (default: linear)"),
        option_integer("count", "N", &s->count, 1, IMAGE_ARRAY_LIMIT,
                       "samples of each kind (default: 64; 16 when there are several kinds)"),
        option_string("noise", "FILE", &s->noise_path,
                      "take /x_T [n, C, H, W] and /noise [K-1, n, C, H, W] from an HDF5 file "
                      "instead of drawing them; noise[0] is for the first step taken"),
        option_heading("Clipping"),
        option_choice("clip-x0", "on|off", &s->clip_x0,
                      "the predicted x_0 to [-1, 1] (default: on)"),
        option_choice("clip-cov", "on|off", &s->clip_cov,
                      "the estimated Cov[x_0 | x_t] to [0, 1] (default: as --clip-x0)"),
        option_number("clip-pixel", "P", &s->clip_pixel, 0, 1e6,
                      "bound the last noise added to a mean magnitude of P grey levels of 255; "
                      "0: no bound (default: 2 for ddpm, 1 for ddim)"),
        option_heading("The picture"),
        option_integer("columns", "N", &s->columns, 1, 65536,
                       "images side by side in a grid (default: about as many as rows)"),
        option_integer("scale", "N", &s->scale, 1, 1024,
                       "pixels per pixel (default: small images are enlarged to about 56)"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common =
                                  COMMON_ESTIMATE | COMMON_SCALE | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

/* What can be said of the options before the network is known. */
static bool check_options(Sample *s, Error *error)
{
    if (!s->out)
        return error_input(error, "expected --out FILE, a name that ends in .png, .h5, .npz or /");
    if (!sample_output_check_name(s->out, error) ||
        !lists_variances(s->variance_list, s->variances, &s->settings.variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &s->settings.steps_count, error))
        return false;
    if (s->sampler == SAMPLER_DDPM && !isnan(s->eta))
        return error_input(error, "--eta is for --sampler ddim; ddpm has none");
    if (s->noise_path && s->count != UNSET)
        return error_input(error, "--count: with --noise there are as many samples as the file has "
                                  "x_T; expected one or the other");
    if (s->noise_path && s->settings.steps_count > 1)
        return error_input(error, "--steps: a file of noise is for one number of steps, got %d",
                           s->settings.steps_count);
    return true;
}

/* -- Preparation ------------------------------------------------------------------------------ */

static ReverseOptions reverse_options(const Sample *s, VarianceKind variance)
{
    ReverseOptions options = reverse_defaults((Sampler)s->sampler);
    options.variance = variance_in_step(variance);
    options.clip_x0 = s->clip_x0 == CHOICE_ON;
    if (!isnan(s->eta))
        options.eta = s->eta;
    if (!isnan(s->clip_pixel))
        options.clip_pixel = s->clip_pixel;
    return options;
}

static bool make_plan(Sample *s, SamplingPlan *plan, VarianceKind variance, int steps, Error *error)
{
    *plan = (SamplingPlan){
        .variance = variance,
        .reverse = reverse_options(s, variance),
        .estimate = s->common.estimate,
        .trajectory = (TrajectoryKind)s->trajectory,
        .steps = steps,
        .timesteps = memory_small((size_t)steps + 1, sizeof(int)),
    };
    plan->estimate.clip = (s->clip_cov == UNSET ? s->clip_x0 : s->clip_cov) == CHOICE_ON;
    if (!reverse_check(&plan->reverse, error) ||
        !network_check_variance(s->network, variance, error))
        return false;
    const int all = network_schedule(s->network)->timesteps;
    if (!(plan->trajectory == TRAJECTORY_DP
              ? dp_trajectory(s->network, variance, &plan->estimate, steps, plan->timesteps, error)
              : trajectory_make(plan->trajectory, all, steps, plan->timesteps, error)))
        return error_prefix(error, plan->trajectory == TRAJECTORY_DP ? "--trajectory" : "--steps");
    plan->reverse.clip_sigma_to = plan->timesteps[1]; /* the last noise added */
    return true;
}

/* The variance of stage-1 samples, where none was asked for. */
static void default_variance(Sample *s)
{
    bool beta = network_config(s->network)->stage1.variance == FIXED_BETA;
    s->variances[0] = beta && s->sampler == SAMPLER_DDPM ? VARIANCE_BETA : VARIANCE_BETA_TILDE;
    s->settings.variance_count = 1;
}

static bool make_plans(Sample *s, Error *error)
{
    if (s->settings.variance_count == 0)
        default_variance(s);
    const int most = network_schedule(s->network)->timesteps;
    if (s->settings.steps_count == 0)
        s->steps[s->settings.steps_count++] = most < DEFAULT_STEPS ? most : DEFAULT_STEPS;

    const int columns = s->settings.steps_count;
    s->plans = memory_small((size_t)(s->settings.variance_count * columns), sizeof *s->plans);
    for (int v = 0; v < s->settings.variance_count; v++) {
        for (int k = 0; k < columns; k++)
            if (!make_plan(s, &s->plans[v * columns + k], s->variances[v], s->steps[k], error))
                return false;
        s->labels[v] = sampling_label(&s->plans[v * columns]);
    }
    return true;
}

static bool prepare_noise(Sample *s, Error *error)
{
    s->seed = seed_or(s->common.seed, network_config(s->network)->seed);
    if (!s->noise_path) {
        s->noise = noise_drawn(s->seed, network_dims(s->network));
        bool several = s->settings.variance_count * s->settings.steps_count > 1;
        s->settings.count = s->count != UNSET ? (int)s->count
                            : several         ? DEFAULT_TABLE_COUNT
                                              : DEFAULT_COUNT;
        return true;
    }
    if (!noise_open(&s->noise, s->noise_path, network_config(s->network), s->steps[0], error))
        return error_prefix(error, "--noise");
    s->settings.count = (int)s->noise.count;
    return true;
}

static bool prepare(Sample *s, Error *error)
{
    s->settings.path = s->out;
    s->settings.labels = s->labels;
    s->settings.steps = s->steps;
    s->settings.columns = (int)s->columns;
    s->settings.scale = (int)s->scale;
    if (!network_open(&s->network, &s->common.network, error))
        return false;
    OutputInputs inputs = command_inputs(s->network, &s->common);
    output_inputs_add(&inputs, "the file of --noise", s->noise_path);
    return sample_output_check(s->out, &inputs, error) && make_plans(s, error) &&
           prepare_noise(s, error) &&
           sample_output_begin(&s->output, &s->settings, network_config(s->network), error) &&
           network_prepare(s->network, s->settings.count, error) &&
           (s->images = memory_large((size_t)network_batch(s->network),
                                     network_dims(s->network) * sizeof(float), "samples", error)) !=
               NULL;
}

/* -- Work ------------------------------------------------------------------------------------- */

static bool draw_combination(Sample *s, int v, int k, Progress *progress, Error *error)
{
    const SamplingPlan *plan = &s->plans[v * s->settings.steps_count + k];
    const int batch = network_batch(s->network);
    if (!sample_output_describe(s->output, v, k, plan, (int64_t)s->seed, s->noise_path, error))
        return false;
    for (int first = 0; first < s->settings.count; first += batch) {
        int left = s->settings.count - first, count = left < batch ? left : batch;
        if (!sampler_run(s->network, plan, &s->noise, first, count, s->images, progress, error) ||
            !sample_output_put(s->output, v, k, first, count, s->images, error))
            return false;
    }
    return true;
}

static bool draw_all(Sample *s, Error *error)
{
    int64_t total = 0;
    for (int k = 0; k < s->settings.steps_count; k++)
        total += (int64_t)s->settings.variance_count * s->settings.count * s->steps[k];

    Progress progress;
    progress_start(&progress, "sampling", 0, total, 1, "evaluations/s", s->common.quiet);
    bool ok = true;
    for (int v = 0; v < s->settings.variance_count; v++)
        for (int k = 0; ok && k < s->settings.steps_count; k++)
            ok = draw_combination(s, v, k, &progress, error);
    progress_finish(&progress);
    return ok;
}

static bool draw(Sample *s, Error *error)
{
    if (!check_options(s, error) || !prepare(s, error) || !draw_all(s, error))
        return false;
    SampleOutput *output = s->output;
    s->output = NULL;
    if (!sample_output_commit(output, error))
        return false;
    int kinds = s->settings.variance_count * s->settings.steps_count;
    if (!s->common.quiet && kinds == 1)
        printf("%s: %d sample%s, %s %s, %d steps\n", s->out, s->settings.count,
               s->settings.count == 1 ? "" : "s", sampler_name((Sampler)s->sampler),
               s->labels[0].text, s->steps[0]);
    else if (!s->common.quiet)
        printf("%s: %d samples of each of %d kinds, %s\n", s->out, s->settings.count, kinds,
               sampler_name((Sampler)s->sampler));
    return true;
}

static void release(Sample *s)
{
    sample_output_abandon(s->output);
    for (int i = 0; s->plans && i < s->settings.variance_count * s->settings.steps_count; i++)
        memory_free(s->plans[i].timesteps);
    memory_free(s->plans);
    memory_free(s->images);
    noise_close(&s->noise);
    network_close(s->network);
    common_free(&s->common);
}

bool sample_command(int argc, char **argv, Error *error)
{
    Sample s = {.clip_cov = UNSET, .eta = NAN, .clip_pixel = NAN, .count = UNSET};
    bool stop = false;
    common_defaults(&s.common);
    bool ok = parse(&s, argc, argv, &stop, error) && (stop || draw(&s, error));
    release(&s);
    return ok;
}
