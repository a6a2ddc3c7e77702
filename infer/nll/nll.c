/* infer nll: bounds on the negative log-likelihood, for every variance on every trajectory.
 *
 * This file reads the command line. nll_run.c does the work: it makes the cells (nll_cells.c), sums
 * their bounds in one sweep (evaluation/sweep.h), and writes the tables (nll_report.c). infer
 * compare calls nll_run too.
 */
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/nll/nll_cells.h"
#include "infer/nll/nll_run.h"
#include "inference/image_array.h"
#include "inference/images.h"

static const char usage[] =
    "usage: infer nll [options]\n"
    "\n"
    "Bounds the negative log-likelihood of held-out images, in bits per dimension,\n"
    "for every variance at every number of steps K (DDPM; variances as in infer\n"
    "sample). The network runs once per image and timestep: all variances, K and\n"
    "trajectories share that pass. The standard error is over images. All cells see\n"
    "the same images and the same noise, so that differences between them are surer\n"
    "than it says. A second table shows whether the errors of the mean are as large\n"
    "as each variance says.\n"
    "\n"
    "Trajectories: linear and quad as in infer sample; dp, the best K timesteps for\n"
    "each variance. One sweep over all timesteps finds them on training images; they\n"
    "are kept beside the checkpoints in dp-<variance>.h5. The built-in mixture has\n"
    "one more variance, true: the best possible one with this mean. full, which must\n"
    "be asked for, takes 151 passes for each image and timestep.\n"
    "\n"
    "The results of a run directory go there: nll.csv with a row per cell,\n"
    "variance,trajectory,steps,bits_per_dim,stderr,images; nll-calibration.csv; and\n"
    "nll.h5 with the terms per timestep. --out names another place, FILE.csv. Ctrl-C\n"
    "stops the work; the same command continues it.\n"
    "\n"
    "examples:\n"
    "  infer nll\n"
    "  infer nll --variance beta,npr,sn --steps 10,25,50,100,1000 --out npr.csv\n"
    "  infer nll --trajectory linear,dp --steps 10,25\n"
    "\n";

typedef struct Nll {
    CommonOptions common;
    const char *variance_list, *steps_list, *trajectory_list;
    const Variance *variances[VARIANCE_COUNT];
    int steps[LISTS_MAX_STEPS];
    TrajectoryKind trajectories[TRAJECTORY_KINDS];
    /* Its variances, steps and trajectories point to the arrays above. */
    NllRequest request;
} Nll;

static bool parse(Nll *s, int argc, char **argv, bool *stop, Error *error)
{
    NllRequest *r = &s->request;
    const Option options[] = {
        option_heading("What to bound"),
        option_variances(&s->variance_list, COMMAND_ALL_VARIANCES),
        option_string("steps", "LIST", &s->steps_list, COMMAND_STEPS_HELP(COMMAND_BOUND_STEPS)),
        option_string("trajectory", "LIST", &s->trajectory_list,
                      "the timesteps that are visited: linear, quad, dp (default: linear)"),
        option_integer("images", "N", &r->images, 1, IMAGE_ARRAY_LIMIT,
                       "the first N test images (default: 100, or all of --input)"),
        option_choice("split", "test|train", &r->split,
                      "test images, or training images drawn at random, as for --trajectory dp "
                      "(default: test)"),
        option_results(&r->out),
        option_flag("fresh", &r->fresh,
                    "begin anew: use neither an unfinished sweep nor stored files of dp"),
        option_number("clip-pixel", "P", &r->clip_pixel, 0, 1e6,
                      "bound the noise of the step to t_1 to a mean magnitude of P grey levels "
                      "of 255, as sampling does (default: 0, no bound)"),
        option_heading("Finding the best trajectories"),
        option_integer("dp-images", "N", &r->dp_images, 1, IMAGE_ARRAY_LIMIT,
                       "training images to find them on (default: 100, but any stored file "
                       "serves)"),
        option_training_images(&r->data),
        option_heading("To compare with another implementation"),
        option_string("input", "FILE", &r->input,
                      "these images instead of the test images, in a file of any format"),
        option_string("noise", "FILE", &r->noise,
                      "noise from /eps [K, n, C, H, W] of an HDF5 file, for the timesteps /t [K]"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_FULL | COMMON_ESTIMATE | COMMON_FLOOR | COMMON_CLIP |
                                        COMMON_SCALE | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static bool check_options(Nll *s, Error *error)
{
    NllRequest *r = &s->request;
    r->common = &s->common;
    r->variances = s->variances;
    r->steps = s->steps;
    r->trajectories = s->trajectories;
    if (!lists_variances(s->variance_list, s->variances, &r->variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &r->steps_count, error) ||
        !lists_trajectories(s->trajectory_list, s->trajectories, &r->trajectory_count, error))
        return false;
    if (r->out && !output_check_name("--out", r->out, ".csv", error))
        return false;
    if (r->trajectory_count == 0)
        s->trajectories[r->trajectory_count++] = TRAJECTORY_LINEAR;
    const bool dp = nll_has_dp(r);
    if (dp && s->common.clip_cov == SWITCH_OFF)
        return error_input(error, "--clip-cov off: expected on with --trajectory dp, whose costs "
                                  "have no bound otherwise");
    if (dp && r->clip_pixel > 0)
        return error_input(error,
                           "--clip-pixel: expected 0 with --trajectory dp: the cost of a step "
                           "would depend on whether it is the last but one");
    if (r->split == IMAGES_TRAIN && r->input)
        return error_input(error, "--input: has images of its own; expected it without --split "
                                  "train");
    return true;
}

static bool run(Nll *s, Error *error)
{
    Network *network = NULL;
    const bool ok =
        command_open_network(&s->common, &network, error) && nll_run(&s->request, network, error);
    network_close(network);
    return ok;
}

bool nll_command(int argc, char **argv, Error *error)
{
    Nll s = {.request = nll_defaults()};
    bool stop = false;
    common_defaults(&s.common);
    const bool ok = parse(&s, argc, argv, &stop, error) &&
                    (stop || (check_options(&s, error) && run(&s, error)));
    common_free(&s.common);
    return ok;
}
