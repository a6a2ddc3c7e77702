/* infer sample: draws samples by the reverse process.
 *
 * This file reads the command line. sample_run.c does the work, sample_output.c writes the files.
 */
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/sample/sample_output.h"
#include "infer/sample/sample_run.h"
#include "inference/image_array.h"

#include <math.h>

static const char usage[] =
    "usage: infer sample --out FILE|DIR/ [options]\n"
    "\n"
    "Draws samples: from noise x_T down K of the N timesteps to x_0. At each step the\n"
    "network gives the mean, and --variance names the source of the variance:\n"
    "\n" COMMAND_VARIANCE_LINES "\n"
    "`infer analytic` measures the numbers that analytic and analytic_diag need;\n"
    "`infer nll --trajectory dp` finds the trajectories that --trajectory dp follows.\n"
    "At 10 to 50 steps the samples of nll_block were the nearest to images in our\n"
    "studies (docs/study-cifar10.md).\n"
    "\n"
    "FILE.png becomes a picture; FILE.h5 gets the array /samples, float32\n"
    "[n, C, H, W] in [-1, 1], not clipped after the last step. --variance and --steps\n"
    "take lists: then the picture is a table, a row for each variance and a column\n"
    "for each number of steps, and the file has /samples/<variance>_<steps>. All of\n"
    "them start from the same x_T and meet the same noise. Changes of Cov and\n"
    "corrections of the mean are part of a variance's name: npr-floor0.03-x2,\n"
    "npr-eps1.01-low0.05.\n"
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
    "  infer sample --variance sn --eps-scale 1,1.01,1.02 --steps 10 --out scaled.png\n"
    "\n";

enum { COUNT_UNSET = 0 };

typedef struct Sample {
    CommonOptions common;
    const char *variance_list, *steps_list, *noise_path, *out;
    /* Sampler */
    int sampler;
    /* SWITCH_... */
    int clip_x0;
    int64_t count, columns, scale;
    const Variance *variances[VARIANCE_COUNT];
    int steps[LISTS_MAX_STEPS];
    int variance_count, steps_count;
    CorrectionList corrections;
} Sample;

static bool parse(Sample *s, int argc, char **argv, bool *stop, Error *error)
{
    const Option options[] = {
        option_heading("What to draw"),
        option_string("out", "FILE", &s->out,
                      "a picture (.png), an array (.h5), a directory of pictures (a name that "
                      "ends in /), or an .npz; required"),
        option_variances(&s->variance_list, ", or several with commas between (default: "
                                            "stage1.variance of the configuration)"),
        option_string(
            "steps", "LIST", &s->steps_list,
            "steps of the reverse process, 1 to N, or several (default: " SAMPLE_DEFAULT_STEPS ")"),
        option_choice("sampler", "ddpm|ddim", &s->sampler, "(default: ddpm)"),
        option_integer("count", "N", &s->count, 1, IMAGE_ARRAY_LIMIT,
                       "samples of each kind (default: 64; 16 when there are several kinds)"),
        option_string("noise", "FILE", &s->noise_path,
                      "take /x_T [n, C, H, W] and /noise [K-1, n, C, H, W] from an HDF5 file "
                      "instead of drawing them; noise[0] is for the first step taken"),
        option_choice(
            "clip-x0", "on|off", &s->clip_x0,
            "clip the predicted x_0 to [-1, 1]; off turns --clip-cov off too, unless that "
            "is given (default: on)"),
        option_heading("The picture"),
        option_integer("columns", "N", &s->columns, 1, 65536,
                       "images side by side in a grid (default: about as many as rows)"),
        option_integer("scale", "N", &s->scale, 1, 1024,
                       "pixels per pixel (default: small images are enlarged to about 56)"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_SAMPLING | COMMON_ESTIMATE | COMMON_FLOOR |
                                        COMMON_CLIP | COMMON_SCALE | COMMON_CORRECTION |
                                        COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

/* Checks everything that does not need the network. */
static bool check_options(Sample *s, Error *error)
{
    if (!s->out)
        return error_input(error, "expected --out FILE, a name that ends in .png, .h5, .npz or /");
    if (!sample_output_check_name(s->out, error) ||
        !lists_variances(s->variance_list, s->variances, &s->variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &s->steps_count, error) ||
        !corrections_read(&s->common.correction, &s->corrections, error))
        return false;
    if (s->sampler == SAMPLER_DDPM && !isnan(s->common.sampling.eta))
        return error_input(error, "--eta is for --sampler ddim; ddpm has none");
    if (s->noise_path && s->count != COUNT_UNSET)
        return error_input(error, "--count: with --noise there are as many samples as the file has "
                                  "x_T; expected one or the other");
    if (s->noise_path && s->steps_count > 1)
        return error_input(error, "--steps: a file of noise is for one number of steps, got %d",
                           s->steps_count);
    return true;
}

static bool run(Sample *s, Error *error)
{
    if (s->common.clip_cov == SWITCH_UNSET)
        s->common.estimate.clip = s->clip_x0 == SWITCH_ON;
    Network *network = NULL;
    const SampleRequest request = {.common = &s->common,
                                   .out = s->out,
                                   .variances = s->variances,
                                   .variance_count = s->variance_count,
                                   .steps = s->steps,
                                   .steps_count = s->steps_count,
                                   .sampler = (Sampler)s->sampler,
                                   .corrections = &s->corrections,
                                   .clip_x0 = s->clip_x0 == SWITCH_ON,
                                   .count = (int)s->count,
                                   .noise = s->noise_path,
                                   .columns = (int)s->columns,
                                   .scale = (int)s->scale};
    const bool ok =
        command_open_network(&s->common, &network, error) &&
        command_check_full(&s->common, network, s->variances, s->variance_count, error) &&
        sample_run(&request, network, error);
    network_close(network);
    return ok;
}

bool sample_command(int argc, char **argv, Error *error)
{
    Sample s = {.count = COUNT_UNSET};
    bool stop = false;
    common_defaults(&s.common);
    const bool ok = parse(&s, argc, argv, &stop, error) &&
                    (stop || (check_options(&s, error) && run(&s, error)));
    common_free(&s.common);
    return ok;
}
