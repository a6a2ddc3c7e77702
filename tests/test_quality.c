/* Tests of `infer quality` as a whole. It must measure the samples of `infer sample` against the
 * images that it names. The tests put both together from the data set and the definitions. */
#include "tests/config_text.h"
#include "tests/infer_program.h"

#include "base/pixel.h"
#include "base/random.h"
#include "data/dataset.h"
#include "stats/sliced.h"

#define GOLDEN_A "tests/golden/golden_a.h5"

enum { SEED = 5, CHANNELS = 3, SIDE = 16, DIMS = CHANNELS * SIDE * SIDE, SAMPLES = 24, REAL = 18 };
enum { METRICS = 5, SLICED = 4, COLUMNS = 1 + 30 };

/* A copy of the golden checkpoint whose configuration is `text`. */
static void make_checkpoint(const char *name, const char *text)
{
    hid_t file = file_from(name, GOLDEN_A);
    replace_config(file, text);
    H5Fclose(file);
}

#define MODEL                                                                                      \
    "diffusion: {schedule: linear, timesteps: 1000}\n"                                             \
    "model: {channels: 16, channel_mult: [1, 2], res_blocks: 1, attention: [8], dropout: 0.0, "    \
    "norm_groups: 8}\n"                                                                            \
    "head: {type: simple}\n"                                                                       \
    "seed: 5\n"

static const char mixture[] =
    "name: golden-a\ndata: {format: mixture, channels: 3, resolution: 16}\n" MODEL;

/* Images `first` .. first + REAL - 1 of a random order of the test images. */
static float *real_images(const Config *config, int first)
{
    Dataset *dataset = NULL;
    Error error = {0};
    must(dataset_open(&dataset, config, DATASET_TEST, &error), &error);
    const uint32_t count = (uint32_t)dataset_count(dataset);
    uint32_t *order = malloc(count * sizeof *order);
    float *images = malloc((size_t)REAL * DIMS * sizeof *images);
    random_permutation((RandomKey){.seed = SEED, .purpose = RANDOM_SHUFFLE}, order, count);
    for (int i = 0; i < REAL; i++) {
        const int64_t index = order[first + i];
        float *image = images + (size_t)i * DIMS;
        must(dataset_read(dataset, &index, 1, image, &error), &error);
        const RandomKey key = {
            .seed = SEED, .purpose = RANDOM_FLIP, .substream = 4, .sample = (uint32_t)index};
        if (config->data.flip && config->data.format != DATA_MIXTURE && random_u32(key, 0) & 1)
            dataset_flip(image, SIDE, SIDE, CHANNELS);
    }
    dataset_close(dataset);
    free(order);
    return images;
}

static float *samples_of(const char *file)
{
    float *images = golden_floats(in_directory(file), "samples", NULL, NULL);
    golden_to_nhwc(images, SAMPLES, CHANNELS, SIDE, SIDE);
    return images;
}

/* distance [COLUMNS], with resamples. */
static void sliced(const float *images, int count, const float *reference, double *distance)
{
    static float directions[SLICED_DIRECTIONS * DIMS];
    uint8_t weights[SAMPLES * COLUMNS], others[REAL * COLUMNS];
    Error error = {0};
    resample_draw(SEED, 1, count, COLUMNS - 1, weights);
    resample_draw(SEED, 0, REAL, COLUMNS - 1, others);
    sliced_directions(SEED, SLICED_DIRECTIONS, DIMS, directions);
    const Points x = {images, weights, count, DIMS, COLUMNS};
    const Points y = {reference, others, REAL, DIMS, COLUMNS};
    must(sliced_distance(&x, &y, directions, SLICED_DIRECTIONS, distance, &error), &error);
}

static void check(const char *what, const double *found, const double *expected)
{
    for (int c = 0; c < COLUMNS; c++)
        ck_assert_msg(fabs(found[c] - expected[c]) < 1e-5 * expected[0],
                      "%s, column %d: %g, not %g", what, c, found[c], expected[c]);
    ck_assert(fabs(found[1] - found[0]) > 1e-3 * found[0]);
}

/* What infer quality found for the floor and for its one cell, against what is right. */
static void check_all(const Config *config, const float *samples)
{
    int64_t dims[GOLDEN_MAX_RANK];
    int rank;
    double *values = golden_doubles(in_directory("q.h5"), "values", &rank, dims);
    ck_assert(rank == 3 && dims[0] == 2 && dims[1] == METRICS && dims[2] == COLUMNS);
    float *reference = real_images(config, 0), *others = real_images(config, REAL);
    double expected[COLUMNS];
    sliced(others, REAL, reference, expected);
    check("real", values + SLICED * COLUMNS, expected);
    sliced(samples, SAMPLES, reference, expected);
    check("samples", values + (METRICS + SLICED) * COLUMNS, expected);
    ck_assert(isnan(values[0])); /* was not asked for */
    free(values);
    free(reference);
    free(others);
}

#define QUALITY                                                                                    \
    "quality --checkpoint $D/a.h5 --metrics sliced --samples 24 --images 18 "                      \
    "--resamples 30 --out $D/q.csv "
#define SAMPLE "sample --checkpoint $D/a.h5 --count 24 --out $D/s.h5 "

START_TEST(it_measures_the_samples_of_infer_sample)
{
    static const char *const choices[] = {"--variance sn --steps 3",
                                          "--variance npr --steps 4 --trajectory quad",
                                          "--variance sn --steps 3 --sampler ddim --eta 0.5"};
    const Config config = parse(mixture);
    program_begin();
    make_checkpoint("a.h5", mixture);
    for (int i = 0; i < 3; i++) {
        infer_ok(QUALITY "%s", choices[i]);
        infer_ok(SAMPLE "--batch 7 %s", choices[i]);
        float *samples = samples_of("s.h5");
        check_all(&config, samples);
        free(samples);
    }
    program_end();
}
END_TEST

/* Pictures: samples are rounded to grey levels, real images mirrored as training mirrors them. */
START_TEST(pictures_are_rounded_and_mirrored)
{
    enum { PICTURES = 50 };
    static uint8_t pixels[PICTURES * DIMS];
    const int64_t dims[] = {PICTURES, SIDE, SIDE, CHANNELS};
    program_begin();
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] =
            (uint8_t)random_u32((RandomKey){.seed = 1, .purpose = RANDOM_NOISE}, (uint32_t)i);
    hid_t file = file_new("pictures.h5");
    file_add(file, "images", H5T_NATIVE_UINT8, 4, dims, pixels);
    H5Fclose(file);
    char text[2048];
    snprintf(text, sizeof text,
             "name: golden-a\ndata: {format: hdf5, channels: 3, resolution: 16, flip: true, train: "
             "'%s', test: '%s'}\n" MODEL,
             in_directory("pictures.h5"), in_directory("pictures.h5"));
    const Config config = parse(text);
    make_checkpoint("a.h5", text);
    infer_ok(QUALITY "--variance beta_tilde --steps 3");
    infer_ok(SAMPLE "--variance beta_tilde --steps 3");
    float *samples = samples_of("s.h5");
    for (int i = 0; i < SAMPLES * DIMS; i++)
        samples[i] = 2.0f * (float)byte_of_pixel(samples[i]) / 255.0f - 1.0f;
    check_all(&config, samples);
    free(samples);
    program_end();
}
END_TEST

SUITE_MAIN("quality", it_measures_the_samples_of_infer_sample, pictures_are_rounded_and_mirrored)
