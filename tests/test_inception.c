/* Tests of the FID's Inception-v3: its features against an independent network in float64
 * (tests/golden/inception.py), its input against closed forms, and which files are refused. The
 * weights are made by the formulas of that program, and written as safetensors. */
#include "tests/suite.h"

#include "base/memory.h"
#include "base/pixel.h"
#include "evaluation/inception_net.h"
#include "exchange/inception_weights.h"
#include "tests/expect.h"
#include "tests/golden.h"
#include "tests/scratch.h"

static Error error; /* of the last call */

#define GOLDEN "tests/golden/inception.h5"

/* -- Made numbers ----------------------------------------------------------------------------- */

static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7feb352dU;
    x = (x ^ (x >> 15)) * 0x846ca68bU;
    return x ^ (x >> 16);
}

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 0x811c9dc5U;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x01000193U;
    return mix(hash);
}

static double number(uint32_t hash, uint32_t i)
{
    return ((double)mix(i + hash) + 0.5) / 2147483648.0 - 1;
}

/* values [count] := centre + spread * numbers of the name */
static void make(const char *name, double centre, double spread, size_t count, float *values)
{
    const uint32_t hash = hash_of(name);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(centre + spread * number(hash, (uint32_t)i));
}

/* A picture [side, side, channels] in [-1, 1]. */
static void make_picture(int side, int channels, float *pixels)
{
    char name[64];
    snprintf(name, sizeof name, "picture %d %d %d", side, side, channels);
    const uint32_t hash = hash_of(name);
    for (int i = 0; i < side * side * channels; i++) {
        const int c = i % channels, x = i / channels % side, y = i / channels / side;
        const int wave = (x * x * (c + 1) + 3 * y * (5 + c)) / 4 % 208;
        const int noise = (int)floor(16 * (number(hash, (uint32_t)i) + 1));
        pixels[i] = pixel_of_byte((uint8_t)(wave + noise));
    }
}

/* -- Files of weights ------------------------------------------------------------------------- */

/* A file to write: all zeros, or the made weights; what is wrong with it. */
typedef struct Weights {
    bool made;
    /* The names of tensors; NULL: none. */
    const char *missing, *wrong;
    int classes;
    /* The number in the place of the first of every running_var. */
    float variance;
} Weights;

typedef struct Writing {
    const Weights *what;
    FILE *header, *numbers;
    /* Where the numbers begin in the file, and how many bytes of them there are so far. */
    size_t begin, end;
} Writing;

static void put(Writing *w, const char *name, double centre, double spread, int rank,
                const int *shape)
{
    size_t count = 1;
    if (w->what->missing && strcmp(name, w->what->missing) == 0)
        return;
    const int more = w->what->wrong && strcmp(name, w->what->wrong) == 0;
    fprintf(w->header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", w->end > 0 ? "," : "", name);
    for (int d = 0; d < rank; d++) {
        const int size = shape[d] + (d == 0 ? more : 0);
        fprintf(w->header, "%s%d", d > 0 ? "," : "", size);
        count *= (size_t)size;
    }
    fprintf(w->header, "],\"data_offsets\":[%zu,%zu]}", w->end, w->end + count * sizeof(float));
    w->end += count * sizeof(float);
    if (!w->what->made) {
        if (strstr(name, "running_var"))
            fwrite(&w->what->variance, sizeof w->what->variance, 1, w->numbers);
        fseek(w->numbers, (long)(w->begin + w->end), SEEK_SET); /* zeros take no room on the disk */
        return;
    }
    float *values = memory_small(count, sizeof *values);
    make(name, centre, spread, count, values);
    fwrite(values, sizeof *values, count, w->numbers);
    memory_free(values);
}

static void put_convolution(Writing *w, const Param *weight)
{
    static const struct {
        const char *ending;
        double centre, spread;
    } parts[] = {{"bn.weight", 1, 0.3},
                 {"bn.bias", 0, 0.2},
                 {"bn.running_mean", 0, 0.3},
                 {"bn.running_var", 1, 0.5}};
    const int length = (int)(strlen(weight->name) - strlen(".weight"));
    const int fan_in = weight->shape[1] * weight->shape[2] * weight->shape[3];
    char name[PARAM_NAME_SIZE + 32];
    snprintf(name, sizeof name, "%.*s.conv.weight", length, weight->name);
    put(w, name, 0, sqrt(6.0 / fan_in), 4, weight->shape);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%.*s.%s", length, weight->name, parts[i].ending);
        put(w, name, parts[i].centre, parts[i].spread, 1, weight->shape);
    }
}

/* The parameters of the network. */
static ParamSet learn_params(void)
{
    ParamSet params = {0};
    Graph *graph = graph_new(&params, (GraphOptions){.batch = 1});
    inception_build(graph);
    graph_free(graph);
    return params;
}

static const char *write_weights(const char *name, Weights what)
{
    const char *path = scratch_path(name);
    char *text = NULL;
    size_t size = 0;
    ParamSet params = learn_params();
    Writing w = {
        .what = &what, .header = open_memstream(&text, &size), .numbers = fopen(path, "wb")};
    ck_assert(w.header && w.numbers);
    const uint64_t room = 1 << 17; /* for the header, filled up with spaces */
    w.begin = sizeof room + room;
    ck_assert_int_eq(fseek(w.numbers, (long)w.begin, SEEK_SET), 0);
    fputc('{', w.header);
    for (int i = 0; i < params.count; i++)
        if (params.items[i].rank == 4)
            put_convolution(&w, &params.items[i]);
    put(&w, "fc.weight", 0, 1, 2, (int[]){what.classes, INCEPTION_FEATURES});
    put(&w, "fc.bias", 0, 1, 1, &what.classes);
    fputc('}', w.header);
    fclose(w.header);
    ck_assert_uint_lt(size, room);
    ck_assert_int_eq(ftruncate(fileno(w.numbers), (off_t)(w.begin + w.end)), 0);
    rewind(w.numbers);
    fwrite(&room, sizeof room, 1, w.numbers);
    fprintf(w.numbers, "%-*s", (int)room, text);
    ck_assert_int_eq(fclose(w.numbers), 0);
    free(text);
    params_free(&params);
    return path;
}

/* -- Features --------------------------------------------------------------------------------- */

static void check_features(InceptionNet *net, int side, int channels, const char *expected)
{
    float *pixels = memory_small((size_t)(side * side * channels), sizeof *pixels);
    float *features = memory_small(INCEPTION_FEATURES, sizeof *features);
    double *want = golden_doubles(GOLDEN, expected, NULL, NULL);
    make_picture(side, channels, pixels);
    assert_ok(inception_net_evaluate(net, pixels, side, channels, 1, features, &error));
    double worst = 0, largest = 0;
    for (int i = 0; i < INCEPTION_FEATURES; i++) {
        worst = fmax(worst, fabs((double)features[i] - want[i]));
        largest = fmax(largest, fabs(want[i]));
    }
    ck_assert_msg(worst < 1e-5 * largest, "%s: off by %g of %g", expected, worst, largest);
    free(want);
    memory_free(pixels);
    memory_free(features);
}

START_TEST(features_are_those_of_another_program)
{
    const char *path = write_weights("made", (Weights){.made = true, .classes = 1008});
    InceptionNet *net = NULL;
    assert_ok(inception_net_open(&net, path, 1, &error));
    check_features(net, 32, 3, "colour");
    check_features(net, 28, 1, "grey");
    inception_net_close(net);
}
END_TEST

/* -- Refusals --------------------------------------------------------------------------------- */

static void check_refusal(const char *path, const char *expected)
{
    ParamSet params = learn_params();
    float *weights = memory_small(params.size, sizeof *weights);
    ck_assert(!inception_weights_read(path, &params, weights, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_msg(strstr(error.message, expected) != NULL, "%s", error.message);
    ck_assert_msg(strncmp(error.message, path, strlen(path)) == 0, "%s", error.message);
    memory_free(weights);
    params_free(&params);
}

START_TEST(other_files_are_refused)
{
    check_refusal("no/such.pth", "no such file; the weights are "
                                 "weights-inception-2015-12-05-6726825d.pth of https://");
    check_refusal("tests/golden/import/pesser.ckpt",
                  "are not the weights of the FID's Inception-v3: 472 missing, the first "
                  "Conv2d_1a_3x3.conv.weight; of 472 tensors");
    check_refusal(GOLDEN, "is an HDF5 file, expected weights");
    check_refusal(write_weights("lacks", (Weights){.missing = "Mixed_7c.branch_pool.bn.running_var",
                                                   .classes = 1008}),
                  ": 1 missing, the first Mixed_7c.branch_pool.bn.running_var; of 472 tensors");
    check_refusal(write_weights("shape", (Weights){.wrong = "Mixed_6b.branch7x7_2.conv.weight",
                                                   .classes = 1008}),
                  ": 1 of another shape, the first Mixed_6b.branch7x7_2.conv.weight of shape "
                  "[129, 128, 1, 7] instead of [128, 128, 1, 7]; of 472 tensors");
    check_refusal(write_weights("torchvision", (Weights){.classes = 1000}),
                  ": 2 of another shape, the first fc.weight of shape [1000, 2048] instead of "
                  "[1008, 2048]; of 472 tensors");
    check_refusal(write_weights("variance", (Weights){.classes = 1008, .variance = -1}),
                  ": Conv2d_1a_3x3 has numbers that are not finite, or a variance below 0");
    check_refusal(write_weights("nan", (Weights){.classes = 1008, .variance = NAN}),
                  ": Conv2d_1a_3x3 has numbers that are not finite, or a variance below 0");
}
END_TEST

/* -- The input -------------------------------------------------------------------------------- */

static float *input_of(const uint8_t *pixels, int height, int width, int channels)
{
    float *image = memory_small((size_t)INCEPTION_SIDE * INCEPTION_SIDE * 3, sizeof *image);
    inception_input(pixels, height, width, channels, image);
    return image;
}

static float at(const float *image, int y, int x, int c)
{
    return image[(y * INCEPTION_SIDE + x) * 3 + c];
}

/* A slope of 10 a column and 1 a row, 23 x 13 pixels: a thirteenth of 299 down, a twenty-third
 * across. Beyond the last pixel the slope ends. */
START_TEST(slopes_stay_slopes)
{
    uint8_t pixels[23][13][3];
    for (int y = 0; y < 23; y++)
        for (int x = 0; x < 13; x++)
            for (int c = 0; c < 3; c++)
                pixels[y][x][c] = (uint8_t)(10 * x + y + 50 * c);
    float *image = input_of(&pixels[0][0][0], 23, 13, 3);
    for (int y = 0; y < INCEPTION_SIDE; y++)
        for (int x = 0; x < INCEPTION_SIDE; x++)
            for (int c = 0; c < 3; c++) {
                const double value = 10 * fmin(x / 23.0, 12) + fmin(y / 13.0, 22) + 50 * c;
                ck_assert_double_eq_tol(at(image, y, x, c), (value - 128) / 128, 2e-6);
            }
    memory_free(image);
}
END_TEST

START_TEST(no_pixel_moves)
{
    uint8_t *same = memory_small((size_t)INCEPTION_SIDE * INCEPTION_SIDE, 1);
    uint8_t *twice = memory_small((size_t)4 * INCEPTION_SIDE * INCEPTION_SIDE, 1);
    const uint32_t hash = hash_of("bytes");
    for (uint32_t i = 0; i < 4 * INCEPTION_SIDE * INCEPTION_SIDE; i++)
        twice[i] = (uint8_t)(mix(i + hash) >> 8);
    memcpy(same, twice, (size_t)INCEPTION_SIDE * INCEPTION_SIDE);
    float *one = input_of(same, INCEPTION_SIDE, INCEPTION_SIDE, 1);
    float *two = input_of(twice, 2 * INCEPTION_SIDE, 2 * INCEPTION_SIDE, 1);
    for (int y = 0; y < INCEPTION_SIDE; y++)
        for (int x = 0; x < INCEPTION_SIDE; x++)
            for (int c = 0; c < 3; c++) {
                ck_assert_float_eq(at(one, y, x, c), (same[y * INCEPTION_SIDE + x] - 128) / 128.0f);
                ck_assert_float_eq(at(two, y, x, c),
                                   (twice[4 * y * INCEPTION_SIDE + 2 * x] - 128) / 128.0f);
            }
    memory_free(one);
    memory_free(two);
    memory_free(same);
    memory_free(twice);
}
END_TEST

START_TEST(one_pixel_fills_the_image)
{
    const uint8_t pixel[] = {0, 128, 255};
    float *image = input_of(pixel, 1, 1, 3);
    for (int i = 0; i < INCEPTION_SIDE * INCEPTION_SIDE; i++) {
        ck_assert_float_eq(image[3 * i], -1);
        ck_assert_float_eq(image[3 * i + 1], 0);
        ck_assert_float_eq(image[3 * i + 2], 127 / 128.0f);
    }
    memory_free(image);
}
END_TEST

SUITE_MAIN("inception", features_are_those_of_another_program, other_files_are_refused,
           slopes_stay_slopes, no_pixel_moves, one_pixel_fills_the_image)
