/* Trains the classifier in whose features images are compared (feature_training.h).
 *
 * A plain training loop: batches of 128 images in shuffled epochs, the cross entropy of the labels,
 * Adam (engine/optimizer.h). The moving average of the weights is tested on the test images and
 * written.
 */
#include "evaluation/feature_training.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/progress.h"
#include "data/epoch.h"
#include "data/flip.h"
#include "data/labels.h"
#include "data/shift.h"
#include "engine/optimizer.h"
#include "io/file_kind.h"
#include "io/output.h"
#include "model/precision.h"

#include <math.h>
#include <string.h>

enum { BATCH = 128 };

/* The moving average covers about the last hundred steps. */
static const OptimizerSettings settings = {.lr = 2e-3, .warmup = 50, .grad_clip = 1, .ema = 0.99};

/* What is trained, and how. Photographs need a larger network, more steps and images that are moved a
 * little; without these a network knows its training images by heart and few others. */
typedef struct Recipe {
    /* As in ClassifierShape. */
    int width, blocks;
    int64_t steps;
    /* The most pixels by which images are moved. */
    int shift;
    /* The share of the steps, the last ones, in which the learning rate falls to 0. */
    double falling;
    PrecisionChoice precision;
} Recipe;

static const Recipe grey = {.width = 16, .steps = 1200, .precision = PRECISION_F32};
static const Recipe colour = {.width = 32,
                              .blocks = 1,
                              .steps = 5000,
                              .shift = 4,
                              .falling = 0.7,
                              .precision = PRECISION_AUTO};

static const Recipe *recipe_for(const Config *config)
{
    return config->data.channels == 3 ? &colour : &grey;
}

typedef struct Training {
    FeatureNet *net;
    const Config *config;
    const Recipe *recipe;
    Dataset *images, *test;
    Labels labels, test_labels;
    EpochOrder order;
    OptimizerState state;
    Graph *graph;
    Classifier classifier;
    int64_t indices[BATCH];
    int batch_labels[BATCH];
} Training;

/* -- Preparation ------------------------------------------------------------------------------ */

static bool check_labels(const Training *t, Error *error)
{
    const int classes = t->labels.classes;
    if (classes < 2)
        return error_input(error, "%s: all its labels are 0, expected at least two classes",
                           dataset_name(t->images));
    return true;
}

static bool open_data(Training *t, const FeatureTraining *task, Error *error)
{
    const Config *config = task->config;
    if (!dataset_is_named(config, DATASET_TRAIN) || !dataset_is_named(config, DATASET_TEST))
        return error_input(error,
                           "%s: there is no such classifier, and the configuration in the "
                           "checkpoint names no images (data.train, data.test) to train it on; "
                           "--metrics sliced needs none",
                           task->path);
    return dataset_open(&t->images, config, DATASET_TRAIN, error) &&
           dataset_open(&t->test, config, DATASET_TEST, error) &&
           labels_read(&t->labels, t->images, task->train_labels, "--train-labels",
                       CLASSIFIER_MAX_CLASSES, error) &&
           check_labels(t, error) &&
           labels_read(&t->test_labels, t->test, task->test_labels, "--test-labels",
                       CLASSIFIER_MAX_CLASSES, error) &&
           labels_match(&t->test_labels, &t->labels, dataset_name(t->test), error) &&
           epoch_make(&t->order, (uint64_t)task->seed, dataset_count(t->images), error);
}

static bool build(Training *t, Error *error)
{
    FeatureNet *net = t->net;
    GraphOptions options = {.batch = BATCH, .weight_gradients = true};
    if (!precision_choose(t->recipe->precision, &options.type, error))
        return false;
    net->shape.classes = t->labels.classes;
    t->graph = graph_new(&net->params, options);
    t->classifier = classifier_build(t->graph, &net->shape);
    graph_seed(t->graph, t->classifier.logits);
    return graph_finish(t->graph, error) &&
           optimizer_state_make(&t->state, &net->params, (uint64_t)net->seed, "a classifier",
                                error);
}

static void release(Training *t)
{
    graph_free(t->graph);
    epoch_free(&t->order);
    labels_free(&t->labels);
    labels_free(&t->test_labels);
    dataset_close(t->images);
    dataset_close(t->test);
    optimizer_state_free(&t->state);
}

/* -- Training --------------------------------------------------------------------------------- */

/* The images and the labels of step `i`. */
static bool load_batch(Training *t, int64_t i, Error *error)
{
    float *images = value_data(t->classifier.images);
    const ClassifierShape *shape = &t->net->shape;
    epoch_indices(&t->order, i * BATCH, BATCH, t->indices);
    if (!dataset_read(t->images, t->indices, BATCH, images, error))
        return false;
    const FlipKey coins = {
        .seed = (uint64_t)t->net->seed, .stream = FLIP_CLASSIFIER, .step = (uint32_t)i};
    flip_at_random(t->config, &coins, BATCH, images);
    if (t->recipe->shift > 0)
        shift_at_random((uint64_t)t->net->seed, (uint32_t)i, t->recipe->shift, BATCH,
                        shape->resolution, shape->channels, images);
    for (int k = 0; k < BATCH; k++)
        t->batch_labels[k] = t->labels.values[t->indices[k]];
    return true;
}

/* Those of step `i`, counted from 0. */
static OptimizerSettings settings_at(const Training *t, int64_t i)
{
    OptimizerSettings now = settings;
    const double left = (double)(t->net->steps - i) / (double)t->net->steps;
    if (left < t->recipe->falling)
        now.lr *= left / t->recipe->falling;
    return now;
}

static bool step(Training *t, int64_t i, double *loss, Error *error)
{
    if (!load_batch(t, i, error))
        return false;
    graph_load_weights(t->graph, t->state.weights);
    if (!graph_forward(t->graph, (uint32_t)i, error))
        return false;
    *loss = classifier_loss(value_data(t->classifier.logits), t->batch_labels, BATCH,
                            t->net->shape.classes, value_gradient(t->classifier.logits));
    if (!graph_backward(t->graph, t->state.gradients, error))
        return false;
    const double norm = optimizer_gradient_norm(t->state.gradients, t->state.size);
    if (!isfinite(*loss) || !isfinite(norm))
        return error_runtime(error, "the classifier's loss is not finite at step %lld",
                             (long long)i + 1);
    const OptimizerSettings now = settings_at(t, i);
    optimizer_update(&t->state, &now, i + 1, norm);
    return true;
}

static bool train(Training *t, bool quiet, Error *error)
{
    Progress progress;
    double shown = 0;
    bool ok = true;
    progress_start(&progress, "classifier", 0, t->net->steps, BATCH, "images/s", quiet);
    for (int64_t i = 0; ok && i < t->net->steps; i++) {
        double loss = 0;
        ok = interrupt_continues_alone(error) && step(t, i, &loss, error);
        shown += (i == 0 ? 1 : 0.05) * (loss - shown);
        if (ok)
            progress_update(&progress, i + 1, "loss %.3f", shown);
    }
    progress_finish(&progress);
    return ok;
}

/* -- Afterwards ------------------------------------------------------------------------------- */

/* Measures the accuracy on the test images. The training graph has no dropout, so it serves here
 * too. */
static bool test(Training *t, Error *error)
{
    const int64_t count = dataset_count(t->test);
    int64_t hits = 0;
    graph_load_weights(t->graph, t->state.ema);
    for (int64_t first = 0; first < count; first += BATCH) {
        const int part = (int)(count - first < BATCH ? count - first : BATCH);
        for (int k = 0; k < part; k++)
            t->indices[k] = first + k;
        if (!interrupt_continues_alone(error) ||
            !dataset_read(t->test, t->indices, part, value_data(t->classifier.images), error) ||
            !graph_forward(t->graph, 0, error))
            return false;
        hits += classifier_hits(value_data(t->classifier.logits), t->test_labels.values + first,
                                part, t->net->shape.classes);
    }
    t->net->test_images = count;
    t->net->accuracy = (double)hits / (double)count;
    return true;
}

/* Moves the averaged weights to the network, and names it. */
static void hand_over(Training *t)
{
    FeatureNet *net = t->net;
    net->weights = t->state.ema;
    t->state.ema = NULL;
    net->data = memory_string(dataset_name(t->images));
    net->name = feature_net_name(net->weights, net->params.size);
}

/* A network without parameters. Their shapes depend on the number of classes, which labels tell
 * later. */
static FeatureNet *new_net(const FeatureTraining *task)
{
    FeatureNet *net = memory_small(1, sizeof *net);
    net->path = memory_string(task->path);
    const Recipe *recipe = recipe_for(task->config);
    net->shape = (ClassifierShape){.resolution = task->config->data.resolution,
                                   .channels = task->config->data.channels,
                                   .width = recipe->width,
                                   .blocks = recipe->blocks};
    net->steps = task->steps > 0 ? task->steps : recipe->steps;
    net->seed = task->seed;
    return net;
}

bool feature_training_run(const FeatureTraining *task, Error *error)
{
    Training *t = memory_small(1, sizeof *t);
    t->net = new_net(task);
    t->config = task->config;
    t->recipe = recipe_for(task->config);
    bool ok = output_check_name("--classifier", task->path, ".h5.hdf5", error) &&
              open_data(t, task, error) &&
              atomic_file_possible(task->path, file_kind_rule(FILE_CLASSIFIER), error) &&
              build(t, error) && train(t, task->quiet, error) && test(t, error);
    if (ok) {
        hand_over(t);
        ok = feature_net_write(t->net, error);
    }
    release(t);
    feature_net_close(t->net);
    memory_free(t);
    return ok;
}
