/* The start of a fit: its steps, its memory, and the graph of the features. */
#include "train/stage2_exact.h"

#include "base/memory.h"

#include <string.h>

enum { HELD_OUT = 1024 }; /* images, at least */

/* -- The plan --------------------------------------------------------------------------------- */

/* The held-out steps do not depend on stage2.images, so that a larger value continues a run. */
bool exact_plan(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    const int64_t count = dataset_count(s->batch.dataset), bins = s->bins.count;
    const int64_t round = bins * s->batch.whole; /* images */
    const int64_t rounds = (s->stage.config->stage2.images + round - 1) / round;
    if (count < 2)
        return error_input(error, "%s: expected two images or more, one to hold out",
                           dataset_name(s->batch.dataset));
    e->held_steps = (HELD_OUT + round - 1) / round * bins;
    e->held_images = e->held_steps * s->batch.whole;
    if (e->held_images > count / 2)
        e->held_images = count / 2;
    s->stage.steps = e->held_steps + rounds * bins;
    return true;
}

/* -- The features ----------------------------------------------------------------------------- */

void exact_copy_norm(const Stage2 *s, const ParamSet *set, float *weights)
{
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        const int index = params_find(&s->trunk_params, param->name);
        if (strncmp(param->name, "norm_out.", strlen("norm_out.")) == 0)
            memcpy(weights + param->offset, s->trunk_weights + s->trunk_params.items[index].offset,
                   param->count * sizeof(float));
    }
}

bool exact_build_basis(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    e->basis_graph =
        graph_new(&e->basis_params,
                  (GraphOptions){.batch = s->batch.size,
                                 .type = s->type,
                                 .direct = s->stage.config->convolution == CONVOLUTION_DIRECT});
    e->basis = head_basis_build(e->basis_graph, s->stage.config, s->trunk.features);
    e->basis_weights =
        memory_large(e->basis_params.size, sizeof(float), "the normalisation", error);
    if (!e->basis_weights)
        return false;
    exact_copy_norm(s, &e->basis_params, e->basis_weights);
    if (!graph_finish(e->basis_graph, error))
        return false;
    graph_load_weights(e->basis_graph, e->basis_weights);
    return patch_gram_make(&e->gram, e->basis, e->squares, e->outputs, error);
}

/* -- Memory ----------------------------------------------------------------------------------- */

/* The sums grow with the square of the trunk's width, and every checkpoint holds them, so that a
 * run can continue with more images. A note tells the user of large sums. Sums of more than half
 * the memory are refused. */
static bool check_size(Stage2 *s, Error *error)
{
    const double large = 64e6, share = 0.5;
    Exact *e = s->exact;
    const double bytes = (double)(PARTS * s->bins.count) * (double)exact_block(e) * sizeof(double);
    const double memory = memory_of_machine();
    if (bytes > share * memory)
        return error_input(
            error,
            "stage2.solver: exact would take %.1f GB for its sums, more than half of "
            "the %.1f GB that there are; expected fewer stage2.time_bins than %d, "
            "or adam",
            bytes / 1e9, memory / 1e9, s->bins.count);
    if (bytes > large)
        e->note = memory_format("the sums of least squares take %.2g GB, in memory and in the "
                                "checkpoint (%d channels, %d bins)",
                                bytes / 1e9, value_channels(s->trunk.features), s->bins.count);
    s->stage.note = e->note;
    return true;
}

/* Numbers the squared losses. */
static void number_squares(const Stage2 *s)
{
    Exact *e = s->exact;
    for (int i = 0; i < s->task.count; i++)
        e->square_of[i] = objective_is_quadratic(s->task.losses[i]) ? e->squares++ : -1;
}

/* The sample must leave memory for the rest of the program. */
static bool make_sample(Stage2 *s, Error *error)
{
    const double share = 0.5, bytes = s->stage.config->stage2.memory * 0x1p30;
    const double memory = memory_of_machine();
    Exact *e = s->exact;
    if (bytes > share * memory)
        return error_input(error,
                           "stage2.memory: %g GiB is more than half of the %.1f GiB that there "
                           "are; expected less",
                           s->stage.config->stage2.memory, memory / 0x1p30);
    const HeadSampleSize size = {.shape = {.side = s->stage.config->data.resolution,
                                           .features = value_channels(s->trunk.features),
                                           .channels = e->outputs},
                                 .bins = s->bins.count,
                                 .batch = s->batch.whole,
                                 .bytes = bytes,
                                 .fitted = (s->stage.steps - e->held_steps) / s->bins.count,
                                 .held = e->held_steps / s->bins.count};
    return head_sample_make(&e->sample, &size, error);
}

/* What a loss needs besides the sums and the sample. */
static bool allocate_head(Stage2 *s, int i, Error *error)
{
    Exact *e = s->exact;
    if (e->square_of[i] >= 0) {
        float **y = &e->y[e->square_of[i]];
        *y = memory_large((size_t)s->batch.size * s->batch.dims, sizeof(float), "targets", error);
        return *y != NULL;
    }
    e->gamma_w[i] = memory_large((size_t)(s->bins.count * e->outputs) * (size_t)e->features,
                                 sizeof(double), "a regression", error);
    return e->gamma_w[i] != NULL;
}

bool exact_allocate(Stage2 *s, Error *error)
{
    Exact *e = s->exact;
    const size_t bins = (size_t)s->bins.count;
    static const char what[] = "the sums of least squares";
    number_squares(s);
    e->outputs = s->stage.config->data.channels;
    e->targets = e->squares * e->outputs;
    e->features = patch_gram_features(value_channels(s->trunk.features));
    if (!check_size(s, error))
        return false;
    e->blocks = memory_large(PARTS * bins * exact_block(e), sizeof(double), what, error);
    e->all = e->blocks ? memory_large(exact_block(e), sizeof(double), what, error) : NULL;
    e->w = e->all ? memory_large(bins * (size_t)(e->targets * e->features), sizeof(double), what,
                                 error)
                  : NULL;
    bool done = e->w != NULL && (e->squares == s->task.count || make_sample(s, error));
    for (int i = 0; done && i < s->task.count; i++) {
        Learner *learner = &s->stage.learners[i];
        done = allocate_head(s, i, error) && learner_allocate_solved(learner, error);
        if (done) {
            exact_copy_norm(s, &learner->params, learner->state.weights);
            memcpy(learner->state.ema, learner->state.weights, learner->state.size * sizeof(float));
        }
    }
    return done;
}
