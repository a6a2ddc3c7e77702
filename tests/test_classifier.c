/* Tests of the classifier whose features are used to compare images: its loss, whether it learns,
 * and the labels that it needs. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/random.h"
#include "data/labels.h"
#include "data/shift.h"
#include "diffusion/mixture.h"
#include "engine/optimizer.h"
#include "evaluation/feature_net.h"
#include "hdf5/hdf5_file.h"
#include "model/classifier.h"
#include "tests/expect.h"
#include "tests/scratch.h"

#include <hdf5.h>
#include <math.h>

static Error error; /* of the last call */

/* -- The loss --------------------------------------------------------------------------------- */

enum { ROWS = 5, CLASSES = 4, LOGITS = ROWS * CLASSES };
static const int labels[ROWS] = {2, 0, 3, 3, 1};

static void make_logits(float *logits)
{
    random_normal((RandomKey){.seed = 1, .purpose = RANDOM_NOISE}, logits, LOGITS);
    for (int i = 0; i < LOGITS; i++)
        logits[i] *= 2;
}

START_TEST(the_loss_is_the_cross_entropy)
{
    float logits[LOGITS];
    double expected = 0;
    make_logits(logits);
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int k = 0; k < CLASSES; k++)
            sum += exp((double)logits[i * CLASSES + k]);
        expected -= log(exp((double)logits[i * CLASSES + labels[i]]) / sum) / ROWS;
    }
    ck_assert_double_eq_tol(classifier_loss(logits, labels, ROWS, CLASSES, NULL), expected, 1e-12);
    const float certain[] = {1e4f, -1e4f, 0, 0}; /* neither sum nor exponential overflows */
    ck_assert_double_eq_tol(classifier_loss(certain, (int[]){0}, 1, 4, NULL), 0, 1e-12);
    ck_assert_double_eq_tol(classifier_loss(certain, (int[]){1}, 1, 4, NULL), 2e4, 1e-6);
}
END_TEST

START_TEST(its_gradient_is_that_of_finite_differences)
{
    const float step = 1.0f / 256;
    float logits[LOGITS], gradient[LOGITS];
    make_logits(logits);
    classifier_loss(logits, labels, ROWS, CLASSES, gradient);
    for (int i = 0; i < LOGITS; i++) {
        const float before = logits[i];
        logits[i] = before + step;
        const double above = classifier_loss(logits, labels, ROWS, CLASSES, NULL);
        logits[i] = before - step;
        const double below = classifier_loss(logits, labels, ROWS, CLASSES, NULL);
        logits[i] = before;
        ck_assert_double_eq_tol((double)gradient[i], (above - below) / (2 * (double)step), 2e-6);
    }
}
END_TEST

START_TEST(hits_are_counted_at_the_largest_logit)
{
    const float logits[] = {1, 3, 2, 5, 5, 0, -1, -2, -3};
    ck_assert_int_eq(classifier_hits(logits, (int[]){1, 0, 0}, 3, 3), 3); /* the first of equals */
    ck_assert_int_eq(classifier_hits(logits, (int[]){1, 1, 2}, 3, 3), 1);
}
END_TEST

/* -- The network ------------------------------------------------------------------------------ */

START_TEST(it_is_built_for_images_of_any_size)
{
    static const int sides[] = {1, 3, 4, 5, 8, 28, 33};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        ParamSet params;
        params_init(&params);
        Graph *graph = graph_new(&params, (GraphOptions){.batch = 2});
        const ClassifierShape shape = {.resolution = sides[i],
                                       .channels = 3,
                                       .classes = 10,
                                       .width = 16,
                                       .blocks = (int)(i % 3)};
        Classifier net = classifier_build(graph, &shape);
        assert_ok(graph_finish(graph, &error));
        float *weights = memory_small(params.size, sizeof *weights);
        params_initialise(&params, 1, weights);
        graph_load_weights(graph, weights);
        random_normal((RandomKey){.seed = 2, .purpose = RANDOM_NOISE}, value_data(net.images),
                      value_count(net.images));
        assert_ok(graph_forward(graph, 0, &error));
        ck_assert_uint_eq(value_count(net.features), 2 * CLASSIFIER_FEATURES);
        ck_assert_uint_eq(value_count(net.logits), 20);
        for (int k = 0; k < 20; k++)
            ck_assert(isfinite(value_data(net.logits)[k]));
        graph_free(graph);
        params_free(&params);
        memory_free(weights);
    }
}
END_TEST

enum { SIDE = 8, PIXELS = SIDE * SIDE, BATCH = 32, STEPS = 60, KINDS = 3 };

/* Image `index`: noise, and of its kind a bright quarter at another corner. */
static int make_image(uint32_t index, float *image)
{
    const int kind = (int)(index % KINDS), left = kind % 2 * SIDE / 2, top = kind / 2 * SIDE / 2;
    random_normal((RandomKey){.seed = 7, .purpose = RANDOM_NOISE, .sample = index}, image, PIXELS);
    for (int i = 0; i < PIXELS; i++) {
        const int x = i % SIDE - left, y = i / SIDE - top;
        image[i] =
            0.3f * image[i] + (x >= 0 && x < SIDE / 2 && y >= 0 && y < SIDE / 2 ? 0.5f : -0.5f);
    }
    return kind;
}

typedef struct Learning {
    ParamSet params;
    Graph *graph;
    Classifier net;
    OptimizerState state;
    int kinds[BATCH];
} Learning;

static void begin(Learning *l, int blocks)
{
    params_init(&l->params);
    l->graph = graph_new(&l->params, (GraphOptions){.batch = BATCH, .weight_gradients = true});
    const ClassifierShape shape = {
        .resolution = SIDE, .channels = 1, .classes = KINDS, .width = 16, .blocks = blocks};
    l->net = classifier_build(l->graph, &shape);
    graph_seed(l->graph, l->net.logits);
    assert_ok(graph_finish(l->graph, &error));
    float **arrays[] = {&l->state.weights, &l->state.ema, &l->state.first_moment,
                        &l->state.second_moment, &l->state.gradients};
    l->state.size = l->params.size;
    for (int i = 0; i < 5; i++)
        *arrays[i] = memory_small(l->params.size, sizeof(float));
    params_initialise(&l->params, 1, l->state.weights);
}

static void end(Learning *l)
{
    graph_free(l->graph);
    params_free(&l->params);
    memory_free(l->state.weights);
    memory_free(l->state.ema);
    memory_free(l->state.first_moment);
    memory_free(l->state.second_moment);
    memory_free(l->state.gradients);
}

/* Logits of the batch that begins at image `first`. */
static const float *run(Learning *l, uint32_t first)
{
    for (uint32_t i = 0; i < BATCH; i++)
        l->kinds[i] = make_image(first + i, value_data(l->net.images) + i * PIXELS);
    graph_load_weights(l->graph, l->state.weights);
    assert_ok(graph_forward(l->graph, 0, &error));
    return value_data(l->net.logits);
}

static void learn(int blocks)
{
    const OptimizerSettings settings = {.lr = 2e-3, .warmup = 10, .grad_clip = 1, .ema = 0.9};
    Learning l = {0};
    begin(&l, blocks);
    const int guessed = classifier_hits(run(&l, 100000), l.kinds, BATCH, KINDS);
    for (uint32_t i = 0; i < STEPS; i++) {
        const float *logits = run(&l, i * BATCH);
        classifier_loss(logits, l.kinds, BATCH, KINDS, value_gradient(l.net.logits));
        assert_ok(graph_backward(l.graph, l.state.gradients, &error));
        optimizer_update(&l.state, &settings, i + 1,
                         optimizer_gradient_norm(l.state.gradients, l.state.size));
    }
    const int learnt = classifier_hits(run(&l, 100000), l.kinds, BATCH, KINDS);
    ck_assert_msg(guessed < 24 && learnt == BATCH, "%d blocks: %d hits before, %d after, of %d",
                  blocks, guessed, learnt, BATCH);
    end(&l);
}

START_TEST(it_learns_what_can_be_told_apart)
{
    learn(0);
    learn(1);
}
END_TEST

/* -- Files -------------------------------------------------------------------------------------- */

/* A classifier of 4 x 4 grey pixels in `path`, all of whose weights are 0. */
static void write_classifier(const char *path, int width, int blocks)
{
    FeatureNet net = {
        .path = memory_string(path),
        .data = memory_string("the mixture"),
        .shape = {.resolution = 4, .channels = 1, .classes = 2, .width = width, .blocks = blocks}};
    Graph *graph = graph_new(&net.params, (GraphOptions){.batch = 1});
    classifier_build(graph, &net.shape);
    graph_free(graph);
    net.weights = memory_small(net.params.size, sizeof *net.weights);
    net.name = feature_net_name(net.weights, net.params.size);
    assert_ok(feature_net_write(&net, &error));
    params_free(&net.params);
    memory_free(net.weights);
    memory_free(net.name);
    memory_free(net.data);
    memory_free(net.path);
}

/* Makes the file one of the first version, which knew one width and no blocks. */
static void age(const char *path)
{
    const int64_t version = 1;
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(file >= 0 && H5Adelete(file, "width") >= 0 && H5Adelete(file, "blocks") >= 0);
    const hid_t attribute = H5Aopen(file, "version", H5P_DEFAULT);
    ck_assert(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT64, &version) >= 0);
    H5Aclose(attribute);
    ck_assert(H5Fclose(file) >= 0);
}

static void assert_structure(const char *path, int width, int blocks)
{
    Config config;
    FeatureNet *net;
    config_defaults(&config);
    config.data.resolution = 4;
    config.data.channels = 1;
    assert_ok(feature_net_open(&net, path, &config, &error));
    ck_assert_int_eq(net->shape.width, width);
    ck_assert_int_eq(net->shape.blocks, blocks);
    feature_net_close(net);
}

START_TEST(files_say_what_the_network_is_built_of)
{
    const char *path = scratch_path("new.h5");
    write_classifier(path, 8, 2);
    assert_structure(path, 8, 2);
    path = scratch_path("old.h5");
    write_classifier(path, 16, 0);
    age(path);
    assert_structure(path, 16, 0);
}
END_TEST

/* -- Images that are moved -------------------------------------------------------------------- */

START_TEST(an_image_moves_and_leaves_grey_behind)
{
    enum { WIDE = 5, DEEP = 2, COUNT = WIDE * WIDE * DEEP };
    for (int down = -WIDE - 1; down <= WIDE + 1; down++)
        for (int right = -WIDE - 1; right <= WIDE + 1; right++) {
            float image[COUNT], original[COUNT];
            for (int i = 0; i < COUNT; i++)
                original[i] = image[i] = (float)(i + 1);
            shift_image(image, WIDE, DEEP, down, right);
            for (int i = 0; i < COUNT; i++) {
                const int c = i % DEEP, x = i / DEEP % WIDE - right, y = i / DEEP / WIDE - down;
                const bool inside = x >= 0 && x < WIDE && y >= 0 && y < WIDE;
                ck_assert(image[i] == (inside ? original[(y * WIDE + x) * DEEP + c] : 0));
            }
        }
}
END_TEST

/* Each of the nine places of one bright pixel is about as frequent as the others. */
START_TEST(all_moves_are_equally_likely)
{
    enum { WIDE = 3, MANY = 900, PLACES = WIDE * WIDE };
    static float images[MANY * PLACES];
    int found[PLACES] = {0};
    for (int i = 0; i < MANY; i++)
        images[i * PLACES + PLACES / 2] = 1;
    shift_at_random(3, 7, 1, MANY, WIDE, 1, images);
    for (int i = 0; i < MANY; i++)
        for (int k = 0; k < PLACES; k++)
            found[k] += images[i * PLACES + k] == 1;
    for (int k = 0; k < PLACES; k++) /* 100 expected, with a standard deviation of 9.4 */
        ck_assert_msg(found[k] > 60 && found[k] < 140, "place %d: %d of %d", k, found[k], MANY);
}
END_TEST

/* -- Labels ----------------------------------------------------------------------------------- */

enum { IMAGES = 6 };

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void write_idx_images(const char *name)
{
    uint8_t bytes[16 + IMAGES * 4] = {0};
    put32(bytes, 0x803);
    put32(bytes + 4, IMAGES);
    put32(bytes + 8, 2);
    put32(bytes + 12, 2);
    scratch_write(scratch_path(name), bytes, sizeof bytes);
}

static void write_idx_labels(const char *name, uint32_t magic, uint32_t count, size_t there)
{
    static const uint8_t values[] = {1, 0, 2, 2, 0, 3, 9};
    uint8_t bytes[8 + sizeof values] = {0};
    put32(bytes, magic);
    put32(bytes + 4, count);
    memcpy(bytes + 8, values, there);
    scratch_write(scratch_path(name), bytes, 8 + there);
}

static Dataset *open_dataset(DataFormat format, const char *name, int resolution)
{
    Config config;
    Dataset *dataset = NULL;
    config_defaults(&config);
    config.data.format = format;
    config.data.resolution = resolution;
    if (name)
        snprintf(config.data.train, sizeof config.data.train, "%s", scratch_path(name));
    assert_ok(dataset_open(&dataset, &config, DATASET_TRAIN, &error));
    return dataset;
}

static void write_hdf5(const char *name, bool labelled, int64_t last)
{
    static const uint8_t pixels[IMAGES * 4];
    const int64_t dims[] = {IMAGES, 2, 2, 1}, values[IMAGES] = {0, 1, 1, 0, 4, last};
    Hdf5File *file = NULL;
    assert_ok(hdf5_create(&file, scratch_path(name), &error) &&
              hdf5_write(file, "images", HDF5_UINT8, 4, dims, pixels, &error));
    assert_ok(!labelled || hdf5_write(file, "labels", HDF5_INT64, 1, dims, values, &error));
    assert_ok(hdf5_commit(file, &error));
}

START_TEST(idx_labels_lie_beside_the_images)
{
    Labels found;
    write_idx_images("a-images-idx3-ubyte");
    write_idx_labels("a-labels-idx1-ubyte", 0x801, IMAGES, IMAGES);
    write_idx_images("plain");
    write_idx_labels("short", 0x801, IMAGES, IMAGES - 1);
    write_idx_labels("few", 0x801, IMAGES - 1, IMAGES - 1);
    write_idx_labels("long", 0x801, IMAGES, IMAGES + 1);
    write_idx_labels("empty", 0x801, 0, 0);
    Dataset *dataset = open_dataset(DATA_IDX, "a-images-idx3-ubyte", 2);
    assert_ok(labels_read(&found, dataset, NULL, "--labels", 10, &error));
    ck_assert_int_eq(found.count, IMAGES);
    ck_assert_int_eq(found.classes, 4);
    ck_assert(found.values[0] == 1 && found.values[2] == 2 && found.values[5] == 3);
    labels_free(&found);
    assert_fails(labels_read(&found, dataset, NULL, "--labels", 3, &error),
                 "a-labels-idx1-ubyte: the label of image 5 is not from 0 to 2");
    assert_fails(labels_read(&found, dataset, scratch_path("short"), "--labels", 10, &error),
                 "short: is truncated, its header announces 6 labels, 5 are there");
    assert_fails(labels_read(&found, dataset, scratch_path("few"), "--labels", 10, &error),
                 "few: has 5 labels, expected one for each of the 6 images of ");
    assert_fails(labels_read(&found, dataset, scratch_path("long"), "--labels", 10, &error),
                 "long: has data after the 6 labels");
    assert_fails(labels_read(&found, dataset, scratch_path("empty"), "--labels", 10, &error),
                 "empty: holds no labels");
    assert_fails(labels_read(&found, dataset, scratch_path("plain"), "--labels", 10, &error),
                 "is an IDX file of images (magic 0x00000803), expected one of labels");
    assert_fails(labels_read(&found, dataset, scratch_path("none"), "--labels", 10, &error),
                 "none: no such file, expected an IDX file of labels");
    dataset_close(dataset);
    dataset = open_dataset(DATA_IDX, "plain", 2);
    assert_fails(labels_read(&found, dataset, NULL, "--labels", 10, &error),
                 "plain: its labels are not known; name their file with --labels");
    assert_ok(
        labels_read(&found, dataset, scratch_path("a-labels-idx1-ubyte"), "--labels", 10, &error));
    labels_free(&found);
    write_hdf5("of-hdf5.idx", true, 2); /* the content counts, not the name */
    assert_ok(labels_read(&found, dataset, scratch_path("of-hdf5.idx"), "--labels", 10, &error));
    ck_assert(found.classes == 5 && found.values[5] == 2);
    labels_free(&found);
    dataset_close(dataset);
}
END_TEST

START_TEST(hdf5_labels_are_in_the_file_of_the_images)
{
    Labels found;
    write_hdf5("a.h5", true, 2);
    write_hdf5("bare.h5", false, 0);
    write_hdf5("negative.h5", true, -1);
    Dataset *dataset = open_dataset(DATA_HDF5, "a.h5", 2);
    assert_ok(labels_read(&found, dataset, NULL, "--labels", 10, &error));
    ck_assert_int_eq(found.classes, 5);
    ck_assert(found.values[4] == 4 && found.values[5] == 2);
    labels_free(&found);
    assert_fails(labels_read(&found, dataset, scratch_path("negative.h5"), "--labels", 10, &error),
                 "negative.h5: the label of image 5 is not from 0 to 9");
    assert_fails(labels_read(&found, dataset, scratch_path("bare.h5"), "--labels", 10, &error),
                 "bare.h5:/labels");
    dataset_close(dataset);
}
END_TEST

/* An image of the mixture is nearer to its own component's mean than to any other's. */
START_TEST(labels_of_the_mixture_are_its_components)
{
    enum { MANY = 300, DIMS = 64 };
    Labels found;
    Mixture mixture;
    Dataset *dataset = open_dataset(DATA_MIXTURE, NULL, 8);
    int counts[5] = {0}, right = 0;
    assert_ok(labels_read(&found, dataset, NULL, "--labels", 10, &error));
    assert_ok(mixture_builtin(&mixture, 8, 1, &error));
    ck_assert_int_eq(found.count, DATASET_MIXTURE_TRAIN);
    ck_assert_int_eq(found.classes, 5);
    for (int64_t i = 0; i < MANY; i++) {
        float image[DIMS];
        double least = INFINITY;
        int nearest = -1;
        assert_ok(dataset_read(dataset, &i, 1, image, &error));
        for (int k = 0; k < 5; k++) {
            double distance = 0;
            for (int d = 0; d < DIMS; d++)
                distance += pow((double)image[d] - mixture.mean[k * DIMS + d], 2);
            if (distance < least) {
                least = distance;
                nearest = k;
            }
        }
        right += nearest == found.values[i];
        counts[found.values[i]]++;
    }
    ck_assert_int_ge(right, MANY * 98 / 100);
    ck_assert_double_eq_tol(counts[0] / (double)MANY, 0.30, 0.1);
    ck_assert_double_eq_tol(counts[4] / (double)MANY, 0.10, 0.06);
    mixture_free(&mixture);
    labels_free(&found);
    dataset_close(dataset);
}
END_TEST

SUITE_MAIN("classifier", the_loss_is_the_cross_entropy, its_gradient_is_that_of_finite_differences,
           hits_are_counted_at_the_largest_logit, it_is_built_for_images_of_any_size,
           it_learns_what_can_be_told_apart, files_say_what_the_network_is_built_of,
           an_image_moves_and_leaves_grey_behind, all_moves_are_equally_likely,
           idx_labels_lie_beside_the_images, hdf5_labels_are_in_the_file_of_the_images,
           labels_of_the_mixture_are_its_components)
