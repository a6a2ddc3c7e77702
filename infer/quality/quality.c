/* infer quality: how good samples are, for every variance at every number of steps.
 *
 * This file reads the command line. quality_run.c does the work: it makes the cells
 * (quality_cells.c), draws and measures them (quality_measure.c), and writes the tables
 * (quality_report.c, quality_store.c). infer compare calls quality_run too.
 */
#include "infer/command.h"
#include "infer/lists.h"
#include "infer/quality/quality_run.h"
#include "inference/image_array.h"

#include <math.h>

static const char usage[] =
    "usage: infer quality [options]\n"
    "\n"
    "Draws samples with every variance, at every number of steps, with every sampler,\n"
    "and measures how far they are from held-out images (data.test):\n"
    "\n"
    "  frechet    Frechet distance in the features of a network (Heusel et al. 2017)\n"
    "  kid        kernel distance there, unbiased       (Binkowski et al. 2018)\n"
    "  precision  share of samples among held-out ones  (Kynkaanniemi et al. 2019)\n"
    "  recall     share of held-out ones among samples  (the same)\n"
    "  sliced     sliced Wasserstein distance in pixels (Bonneel et al. 2015)\n"
    "\n"
    "Each has a bootstrap standard error. The row `real` is the floor: other held-out\n"
    "images in the place of samples. All kinds of samples start from the same x_T and\n"
    "meet the same noise, so that differences between them are surer than the errors\n"
    "say.\n"
    "\n"
    "The classifier is a small network. If its file is missing it is trained on the\n"
    "labels of the data set, and kept as classifier.h5 in the run directory: in a\n"
    "minute for grey images, in a quarter of an hour or more for colour. Its\n"
    "distances are not those in Inception's features.\n"
    "\n"
    "--features inception=FILE takes the 2048 pool features of Inception-v3 instead:\n"
    "frechet is the FID then. FILE is weights-inception-2015-12-05-6726825d.pth of\n"
    "torch-fidelity or pt_inception-2015-12-05-6726825d.pth of pytorch-fid, which\n"
    "their pages offer. For other programs, samples can be written as files:\n"
    "infer sample --out DIR/ or --out FILE.npz.\n"
    "\n"
    "The results of a run directory go there: quality.csv with a row per cell and\n"
    "metric, and quality.h5 with all resamples, which give the error of a difference\n"
    "(docs/quality.md). --out names another place, FILE.csv. Ctrl-C stops the work;\n"
    "the same command continues after the last measured cell.\n"
    "\n"
    "examples:\n"
    "  infer quality\n"
    "  infer quality --variance beta,npr,sn --steps 10,25,50 --samples 5000\n"
    "  infer quality --sampler ddpm,ddim --steps 10,20 --out ddim.csv\n"
    "  infer quality --metrics sliced --steps 10\n"
    "  infer quality --variance sn --eps-scale 1,1.01 --dcw 0,0 --dcw 0.05,0.01\n"
    "  infer quality --variance sn,npr --steps 10 --tune eps-scale\n"
    "  infer quality --features inception=pt_inception-2015-12-05-6726825d.pth\n"
    "\n";

enum { MAX_RESAMPLES = 10000 };

typedef struct Quality {
    CommonOptions common;
    const char *variance_list, *steps_list, *sampler_list, *metric_list, *scale_list, *features;
    const Variance *variances[VARIANCE_COUNT];
    int steps[LISTS_MAX_STEPS];
    Sampler samplers[LISTS_SAMPLERS];
    double scales[LISTS_MAX_SCALES];
    /* QualityTune. */
    int tune;
    /* Its variances, steps, samplers and scales point to the arrays above. */
    QualityRequest request;
} Quality;

static bool parse(Quality *s, int argc, char **argv, bool *stop, Error *error)
{
    QualityRequest *r = &s->request;
    const Option options[] = {
        option_heading("What to measure"),
        option_variances(&s->variance_list, COMMAND_ALL_VARIANCES),
        option_string("steps", "LIST", &s->steps_list, COMMAND_STEPS_HELP(COMMAND_SAMPLING_STEPS)),
        option_string("sampler", "LIST", &s->sampler_list, "ddpm, ddim (default: ddpm)"),
        option_string("cov-scale", "LIST", &s->scale_list,
                      "multiply the estimated Cov[x_0 | x_t] by each of these numbers; 0 leaves "
                      "beta_tilde (default: 1)"),
        option_string("metrics", "LIST", &s->metric_list,
                      "frechet, kid, precision, recall, sliced (default: all; sliced alone needs "
                      "no classifier)"),
        option_integer("samples", "N", &r->samples, QUALITY_LEAST_IMAGES, IMAGE_ARRAY_LIMIT,
                       "samples of each kind (default: 1000)"),
        option_integer("images", "N", &r->images, QUALITY_LEAST_IMAGES, IMAGE_ARRAY_LIMIT,
                       "held-out images to compare with, and as many others for the floor "
                       "(default: as many as samples, or half of all)"),
        option_integer("resamples", "N", &r->resamples, 2, MAX_RESAMPLES,
                       "resamples of the bootstrap (default: 100; 10 for the Frechet distance of "
                       "more than 2048 images in Inception's features)"),
        option_choice(
            "tune", "nothing|eps-scale|dcw", &s->tune,
            "find the best --eps-scale, or the best --dcw, of every row on the other half "
            "of the held-out images, as a row NAME-tuned beside it; draws each cell 12 "
            "times, or 22 (default: nothing)"),
        option_results(&r->out),
        option_flag("fresh", &r->fresh, "begin anew: do not use the values of an unfinished run"),
        option_features(&s->features),
        option_heading("The classifier"),
        option_string("classifier", "FILE", &r->classifier,
                      "its file; trained and written if it is missing (default: classifier.h5 in "
                      "the run directory)"),
        option_string(
            "train-labels", "FILE", &r->train_labels,
            "labels of data.train, in a file of any format (default: those that belong to "
            "the images, data/README.md)"),
        option_string("test-labels", "FILE", &r->test_labels, "labels of data.test, likewise"),
        option_integer(
            "classifier-steps", "N", &r->classifier_steps, 1, INT32_MAX,
            "steps of its training, 128 images each (default: 1200, or 5000 for images of "
            "three channels)"),
    };
    const CommandLine line = {.usage = usage,
                              .options = options,
                              .count = sizeof options / sizeof options[0],
                              .common = COMMON_SAMPLING | COMMON_CORRECTION | COMMON_ESTIMATE |
                                        COMMON_FLOOR | COMMON_NETWORK | COMMON_COMPUTE};
    return command_parse(&line, &s->common, argc, argv, NULL, stop, error);
}

static bool read_features(const char *features, QualityRequest *r, Error *error)
{
    return command_features(features, &r->inception, error) &&
           (!r->inception || !r->classifier ||
            error_input(error, "--classifier: has no use with --features inception"));
}

static bool has_sampler(const QualityRequest *r, Sampler sampler)
{
    for (int i = 0; i < r->sampler_count; i++)
        if (r->samplers[i] == sampler)
            return true;
    return false;
}

static bool check_options(Quality *s, Error *error)
{
    QualityRequest *r = &s->request;
    r->common = &s->common;
    r->variances = s->variances;
    r->steps = s->steps;
    r->samplers = s->samplers;
    r->scales = s->scales;
    r->tune = (QualityTune)s->tune;
    if (!lists_variances(s->variance_list, s->variances, &r->variance_count, error) ||
        !lists_steps(s->steps_list, s->steps, &r->steps_count, error) ||
        !lists_samplers(s->sampler_list, s->samplers, &r->sampler_count, error) ||
        !lists_scales(s->scale_list, s->scales, &r->scale_count, error) ||
        !corrections_read(&s->common.correction, &r->corrections, error) ||
        !quality_metrics_parse(s->metric_list, r->metrics, error) ||
        !read_features(s->features, r, error))
        return false;
    if (r->out && !output_check_name("--out", r->out, ".csv", error))
        return false;
    if (r->sampler_count == 0)
        s->samplers[r->sampler_count++] = SAMPLER_DDPM;
    if (r->scale_count == 0)
        s->scales[r->scale_count++] = 1;
    if (!isnan(s->common.sampling.eta) && !has_sampler(r, SAMPLER_DDIM))
        return error_input(error, "--eta is for --sampler ddim; ddpm has none");
    return true;
}

static bool run(Quality *s, Error *error)
{
    Network *network = NULL;
    const QualityRequest *r = &s->request;
    const bool ok =
        command_open_network(&s->common, &network, error) &&
        command_check_full(&s->common, network, r->variances, r->variance_count, error) &&
        quality_run(&s->request, network, error);
    network_close(network);
    return ok;
}

bool quality_command(int argc, char **argv, Error *error)
{
    Quality s = {.request = quality_defaults()};
    bool stop = false;
    common_defaults(&s.common);
    const bool ok = parse(&s, argc, argv, &stop, error) &&
                    (stop || (check_options(&s, error) && run(&s, error)));
    common_free(&s.common);
    return ok;
}
