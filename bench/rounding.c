/* How far the arithmetic moves the variance of reverse steps.
 *
 * The same weights run in networks of float32 with direct convolutions, of float32 with Winograd's,
 * and of bfloat16 where the processor has it, on the same images at the same x_t. The variances of SN
 * and NPR from the others are compared with those from the first, at the steps of one trajectory.
 */
#include "bench/rounding.h"

#include "base/memory.h"
#include "bench/net.h"
#include "data/dataset.h"
#include "diffusion/forward.h"
#include "diffusion/reverse.h"
#include "engine/primitive.h"
#include "io/checkpoint.h"
#include "variance/estimate.h"

#include <math.h>
#include <stdio.h>

enum { STEPS = 50 };

/* The first is what the others are compared with. */
enum { DIRECT, WINOGRAD, BF16, TYPES };
static const char *const names[TYPES] = {[WINOGRAD] = "winograd", [BF16] = "bf16"};

static const Variance *const kinds[NET_HEADS] = {
    [NET_NPR] = &variance_npr, [NET_SN] = &variance_sn};

/* Everything that is evaluated, and on what. */
typedef struct Study {
    int types; /* TYPES, or fewer where there is no bfloat16 */
    Net nets[TYPES];
    Schedule schedule;
    int images;
    size_t dims, count;     /* of an image; of all */
    float *x_0, *eps, *x_t; /* [images, dims] */
    float *head;            /* [images, dims]: what a head says */
    float *cov[TYPES];      /* [images, dims]: Cov[x_0 | x_t] */
    int *t;                 /* [images] */
} Study;

static bool evaluate(Study *s, int t, Error *error)
{
    for (int i = 0; i < s->images; i++)
        s->t[i] = t;
    forward_noise(&s->schedule, s->t, s->x_0, s->eps, (size_t)s->images, s->dims, s->x_t);
    for (int k = 0; k < s->types; k++)
        if (!net_run(&s->nets[k], s->x_t, s->count, schedule_model_time(&s->schedule, t), s->images,
                     error))
            return false;
    return true;
}

/* Prints, for one head and arithmetic, the mean variance, how far the arithmetic's is from it (mean
 * and root mean square, relative), and half its logarithm's mean change in bits, which is what a
 * bound would notice. */
static void print_change(const Study *s, int type, int head, const ReverseStep *step)
{
    double mean = 0.0, shift = 0.0, square = 0.0, bits = 0.0;
    for (size_t i = 0; i < s->count; i++) {
        double exact = reverse_variance(step, s->cov[DIRECT][i]);
        double rounded = reverse_variance(step, s->cov[type][i]);
        mean += exact;
        shift += rounded - exact;
        square += (rounded / exact - 1.0) * (rounded / exact - 1.0);
        bits += 0.5 * log2(rounded / exact);
    }
    printf("  %-8s %-4s %5d  %10.3g  %+10.2g %%  %8.2g %%  %+10.2g\n", names[type],
           kinds[head]->name, step->t, mean / (double)s->count, 100.0 * shift / mean,
           100.0 * sqrt(square / (double)s->count), bits / (double)s->count);
}

static void print_head(Study *s, int head, const ReverseStep *step)
{
    const EstimateSource source = {
        .schedule = &s->schedule, .dims = s->count, .options = estimate_defaults()};
    for (int k = 0; k < s->types; k++) {
        const Net *net = &s->nets[k];
        net_read_head(net, head, step->t, s->images, s->head);
        estimate_cov_x0(&source, kinds[head], step->t, NULL, value_data(net->unet.eps), s->head,
                        s->cov[k]);
    }
    for (int k = WINOGRAD; k < s->types; k++)
        print_change(s, k, head, step);
}

static bool print_all(Study *s, Error *error)
{
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const int n = s->schedule.timesteps, stride = n / STEPS > 0 ? n / STEPS : 1;
    const int percent[] = {4, 10, 20, 30, 40, 60, 80, 100};
    printf("  type     head     t    variance    mean moves  each moves  half log2, bits\n");
    for (int h = 0; h < NET_HEADS; h++)
        for (size_t i = 0; i < sizeof percent / sizeof percent[0]; i++) {
            const int t = n * percent[i] / 100;
            if (t <= stride)
                continue;
            options.variance = (ReverseVariance){0};
            const ReverseStep step = reverse_step(&s->schedule, &options, t - stride, t);
            if (!evaluate(s, t, error))
                return false;
            print_head(s, h, &step);
        }
    return true;
}

static bool study_make(Study *s, Checkpoint *checkpoint, int images, Error *error)
{
    const Config *config = checkpoint_config(checkpoint);
    const size_t side = (size_t)config->data.resolution, n = (size_t)images;
    Config direct = *config, winograd = *config;
    direct.convolution = CONVOLUTION_DIRECT;
    winograd.convolution = CONVOLUTION_AUTO;
    *s = (Study){.images = images,
                 .types = primitive_support(DTYPE_BF16) == SUPPORT_NONE ? BF16 : TYPES};
    s->dims = side * side * (size_t)config->data.channels;
    s->count = n * s->dims;
    float **arrays[] = {&s->x_0, &s->eps, &s->x_t, &s->head, &s->cov[0], &s->cov[1], &s->cov[2]};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        if (!(*arrays[i] = memory_large(s->count, sizeof(float), "images", error)))
            return false;
    s->t = memory_small(n, sizeof *s->t);
    return config_make_schedule(&s->schedule, config, error) &&
           net_make(&s->nets[DIRECT], &direct, checkpoint, DTYPE_F32, images, error) &&
           net_make(&s->nets[WINOGRAD], &winograd, checkpoint, DTYPE_F32, images, error) &&
           (s->types < TYPES ||
            net_make(&s->nets[BF16], config, checkpoint, DTYPE_BF16, images, error));
}

/* The first test images, and noise for them. */
static bool read_images(Study *s, const Config *config, Error *error)
{
    Dataset *dataset = NULL;
    int64_t *indices = memory_small((size_t)s->images, sizeof *indices);
    for (int i = 0; i < s->images; i++)
        indices[i] = i;
    bool done = dataset_open(&dataset, config, DATASET_TEST, error);
    if (done && dataset_count(dataset) < s->images)
        done = error_input(error, "data.test: expected at least %d images", s->images);
    done = done && dataset_read(dataset, indices, s->images, s->x_0, error);
    forward_draw(&s->schedule, (BatchKey){.seed = config->seed}, (size_t)s->images, s->dims, s->t,
                 s->eps);
    dataset_close(dataset);
    memory_free(indices);
    return done;
}

static void study_free(Study *s)
{
    for (int k = 0; k < TYPES; k++) {
        net_free(&s->nets[k]);
        memory_free(s->cov[k]);
    }
    schedule_free(&s->schedule);
    memory_free(s->x_0);
    memory_free(s->eps);
    memory_free(s->x_t);
    memory_free(s->head);
    memory_free(s->t);
}

bool rounding_print(const char *path, int images, Error *error)
{
    Checkpoint *checkpoint = NULL;
    if (!checkpoint_open(&checkpoint, path, error))
        return false;
    Study study;
    bool done = study_make(&study, checkpoint, images, error) &&
                read_images(&study, checkpoint_config(checkpoint), error) &&
                print_all(&study, error);
    study_free(&study);
    checkpoint_close(checkpoint);
    return done;
}
