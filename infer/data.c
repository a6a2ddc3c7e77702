/* infer data: prints what a data set is, without a network.
 *
 * The shape of the images is asked of the format first, so that no recipe is needed. Then the data set
 * is opened as training opens it, which finds a broken file, and read once from front to end.
 */
#include "base/fingerprint.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "data/cache_place.h"
#include "data/dataset.h"
#include "data/labels.h"
#include "data/picture_index.h"
#include "data/picture_survey.h"
#include "infer/command.h"
#include "picture/grid.h"
#include "picture/png.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: infer data PATH [options]\n"
    "\n"
    "Prints what a data set is: format, number and size of its images, labels, mean\n"
    "and deviation, images that occur twice, and the fingerprint by which a run knows\n"
    "its images. PATH is a file, a directory or an archive (data/README.md). Pictures\n"
    "of several sizes are shown as squares of the smallest side, or of a half or a\n"
    "quarter of it where they are many or large. The exit code is 2 if a file is\n"
    "broken or labels are wrong, and the message names it.\n"
    "\n"
    "examples:\n"
    "  infer data my-pictures/\n"
    "  infer data my.tar --set data.resize=center_crop --set data.resolution=64\n"
    "  infer data my-pictures/ --cache checkpoints/mine --verify\n"
    "  infer data data/cifar10 --part test --grid cifar10.png\n"
    "\n";

enum { GRID_COLUMNS = 4, GRID_IMAGES = 16, BATCH = 64, MOST_CHANNELS = 64, MOST_CLASSES = 1 << 20 };

enum { PART_TRAIN, PART_TEST };

typedef struct Data {
    CommonOptions common;
    StringList names, overrides;
    const char *labels, *grid, *cache;
    bool verify;
    /* PART_... */
    int part;
    Config config;
    Dataset *dataset;
    /* Of the images; none where the images have none, with the reason. */
    Labels classes;
    Error no_labels;
    /* [BATCH, dims]: images on their way. */
    float *images;
    /* Elements of an image. */
    size_t dims;
    /* The sizes of pictures; of none in other formats. */
    PictureSurvey sizes;
} Data;

/* An image's fingerprint, to find equal images. */
typedef struct Print {
    uint64_t print;
    int64_t image;
} Print;

/* What one pass over the images collects. */
typedef struct Survey {
    /* [channels], in bytes from 0 to 255. */
    double sum[MOST_CHANNELS], squares[MOST_CHANNELS];
    /* [count]. */
    Print *prints;
} Survey;

static void line(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *format, ...)
{
    va_list arguments;
    printf("%-12s", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* -- Opening ----------------------------------------------------------------------------------- */

enum {
    /* Of data.resolution. */
    LEAST_SIDE = 4,
    MOST_SIDE = 1024,
    /* Bytes of squares that memory has room for. */
    MOST_BYTES = 1 << 30,
};

/* The side of squares of the pictures: the smallest side, or so much less that all of them fit into
 * memory. */
static int side_of_squares(const PictureSurvey *sizes)
{
    int side = sizes->least_side < MOST_SIDE ? sizes->least_side : MOST_SIDE;
    while (side > 64 && 3.0 * side * side * (double)sizes->pictures > MOST_BYTES)
        side /= 2;
    return side < LEAST_SIDE ? LEAST_SIDE : side;
}

/* Pictures of several sizes, and large ones, are looked at as squares, and grey ones among colours as
 * colours. */
static bool look_at_sizes(Data *d, const char *path, int *resolution, int *channels,
                          StringList *list, Error *error)
{
    if (dataset_format_of_file(path) != DATA_PICTURES)
        return true;
    if (!picture_survey_read(&d->sizes, path, error))
        return false;
    if (d->sizes.has_colours)
        *channels = 3;
    if (d->sizes.pictures == 0 ||
        (picture_survey_is_even(&d->sizes) && d->sizes.least_side <= MOST_SIDE))
        return true;
    *resolution = side_of_squares(&d->sizes);
    string_list_add(list, "data.resize=center_crop");
    return true;
}

/* A configuration for these images: a small network, which is never made, and the shape that the
 * format tells unless --set says another. */
static bool configure(Data *d, const char *path, Error *error)
{
    int resolution = 0, channels = 0;
    Config *config = &d->config;
    if (strlen(path) >= sizeof config->data.train)
        return error_input(error, "data: expected a path of at most %zu bytes",
                           sizeof config->data.train - 1);
    StringList list = {0};
    if (!dataset_shape(path, &resolution, &channels, error) ||
        !look_at_sizes(d, path, &resolution, &channels, &list, error)) {
        string_list_free(&list);
        return false;
    }
    char *shape[] = {memory_format("data.resolution=%d", resolution),
                     memory_format("data.channels=%d", channels)};
    string_list_add(&list, shape[0]);
    string_list_add(&list, shape[1]);
    string_list_add(&list, "data.train=something"); /* a format wants one */
    string_list_add(&list, "model.channel_mult=[1]");
    string_list_add(&list, "model.attention=[]");
    for (int i = 0; i < d->overrides.count; i++)
        string_list_add(&list, d->overrides.items[i]);
    const bool ok = config_parse(config, NULL, path, list.items, list.count, error);
    strcpy(config->data.train, path);
    strcpy(config->data.test, d->part == PART_TEST ? CONFIG_TEST_AUTO : "");
    memory_free(shape[0]);
    memory_free(shape[1]);
    string_list_free(&list);
    return ok;
}

static bool open_images(Data *d, Error *error)
{
    const DatasetSplit split = d->part == PART_TEST ? DATASET_TEST : DATASET_TRAIN;
    const size_t side = (size_t)d->config.data.resolution;
    d->dims = side * side * (size_t)d->config.data.channels;
    return dataset_open(&d->dataset, &d->config, split, error) &&
           (d->images = memory_large(BATCH, d->dims * sizeof(float), "images", error)) != NULL;
}

/* -- The pass ---------------------------------------------------------------------------------- */

static void take_image(Data *d, Survey *survey, const float *image, int64_t number)
{
    const int channels = d->config.data.channels;
    survey->prints[number] =
        (Print){fingerprint(FINGERPRINT_START, image, d->dims * sizeof *image), number};
    for (size_t i = 0; i < d->dims; i++) {
        const double byte = 127.5 * ((double)image[i] + 1);
        survey->sum[i % (size_t)channels] += byte;
        survey->squares[i % (size_t)channels] += byte * byte;
    }
}

static bool read_all(Data *d, Survey *survey, Error *error)
{
    const int64_t count = dataset_count(d->dataset);
    survey->prints = memory_large((size_t)count, sizeof *survey->prints, "fingerprints", error);
    for (int64_t first = 0; survey->prints && first < count; first += BATCH) {
        int64_t indices[BATCH];
        const int n = (int)(count - first < BATCH ? count - first : BATCH);
        for (int i = 0; i < n; i++)
            indices[i] = first + i;
        if (!dataset_read(d->dataset, indices, n, d->images, error) ||
            !interrupt_continues_alone(error))
            return false;
        for (int i = 0; i < n; i++)
            take_image(d, survey, d->images + (size_t)i * d->dims, first + i);
    }
    return survey->prints != NULL;
}

/* Images without labels are no error, unless --labels names a file. Wrong labels are one. */
static bool read_labels(Data *d, Error *error)
{
    if (labels_read(&d->classes, d->dataset, d->labels, "--labels", MOST_CLASSES, error))
        return true;
    d->no_labels = *error;
    return !d->labels && error->is_absence;
}

/* -- Lines ------------------------------------------------------------------------------------- */

static void print_labels(const Data *d)
{
    const Labels *labels = &d->classes;
    if (!labels->values) {
        line("labels", "not known: %s", d->no_labels.message);
        return;
    }
    int64_t *counts = memory_small((size_t)labels->classes, sizeof *counts);
    for (int64_t i = 0; i < labels->count; i++)
        counts[labels->values[i]]++;
    line("labels", "%d class%s", labels->classes, labels->classes == 1 ? "" : "es");
    for (int c = 0; c < labels->classes; c++) {
        const char *name = labels->names ? labels->names[c] : NULL;
        line("", "%4d: %lld%s%s", c, (long long)counts[c], name ? "  " : "",
             name ? picture_name(name).text : "");
    }
    memory_free(counts);
}

/* "125.3  123.0  113.9" */
static void print_numbers(const char *name, const double *values, int count)
{
    printf("%-12s", name);
    for (int c = 0; c < count; c++)
        printf("%s%.2f", c > 0 ? "  " : "", values[c]);
    puts(" (of 0 to 255)");
}

static void print_moments(const Data *d, const Survey *survey)
{
    const int channels = d->config.data.channels;
    const double n = (double)dataset_count(d->dataset) * (double)d->dims / channels;
    double mean[MOST_CHANNELS], deviation[MOST_CHANNELS];
    for (int c = 0; c < channels; c++) {
        mean[c] = survey->sum[c] / n;
        deviation[c] = sqrt(fmax(0, survey->squares[c] / n - mean[c] * mean[c]));
    }
    print_numbers("mean", mean, channels);
    print_numbers("deviation", deviation, channels);
}

static int compare(const void *a, const void *b)
{
    const Print *one = a, *other = b;
    if (one->print != other->print)
        return one->print < other->print ? -1 : 1;
    return one->image < other->image ? -1 : one->image > other->image;
}

static void print_duplicates(const Data *d, Survey *survey)
{
    const int64_t count = dataset_count(d->dataset);
    int64_t equal = 0, first = -1, other = -1;
    qsort(survey->prints, (size_t)count, sizeof *survey->prints, compare);
    for (int64_t i = 1; i < count; i++) {
        if (survey->prints[i].print != survey->prints[i - 1].print)
            continue;
        if (equal++ == 0 || survey->prints[i].image < other) {
            other = survey->prints[i].image;
            first = survey->prints[i - 1].image;
        }
    }
    if (equal == 0)
        line("duplicates", "none");
    else
        line("duplicates", "%lld images are equal to an earlier one (%lld to %lld, ...)",
             (long long)equal, (long long)other, (long long)first);
}

/* What the files have, where it is not what the images are. */
static void print_sizes(const Data *d)
{
    const PictureSurvey *sizes = &d->sizes;
    const int side = sizes->least_side < MOST_SIDE ? sizes->least_side : MOST_SIDE;
    if (sizes->pictures == 0 || (picture_survey_is_even(sizes) && side == sizes->least_side))
        return;
    line("sizes", "%d to %d pixels wide, %d to %d high", sizes->least_width, sizes->most_width,
         sizes->least_height, sizes->most_height);
    line("",
         "read with data.resize=center_crop; train needs it, and a data.resolution of %d at most",
         side);
}

static bool print_all(Data *d, Survey *survey, Error *error)
{
    const int side = d->config.data.resolution, channels = d->config.data.channels;
    uint64_t print = 0;
    const DataFormatFacts *facts = &data_formats[dataset_format(d->dataset)];
    if (!dataset_fingerprint(d->dataset, DATASET_FINGERPRINT_BYTES, &print, error))
        return false;
    line("data", "%s", dataset_name(d->dataset));
    line("format", "%s (%s)", facts->name, facts->help);
    line("images", "%lld of %d x %d, %d channel%s", (long long)dataset_count(d->dataset), side,
         side, channels, channels == 1 ? "" : "s");
    print_sizes(d);
    print_labels(d);
    print_moments(d, survey);
    print_duplicates(d, survey);
    line("fingerprint", "%016llx", (unsigned long long)print);
    return true;
}

/* -- The grid ---------------------------------------------------------------------------------- */

/* Sixteen images that are spread evenly over the data set; all, if there are fewer. */
static bool write_grid(Data *d, Error *error)
{
    const int64_t count = dataset_count(d->dataset);
    const int n = (int)(count < GRID_IMAGES ? count : GRID_IMAGES);
    const int side = d->config.data.resolution;
    int64_t indices[GRID_IMAGES];
    for (int i = 0; i < n; i++)
        indices[i] = n == 1 ? 0 : (count - 1) * i / (n - 1);
    const GridLayout layout = {.height = side,
                               .width = side,
                               .channels = d->config.data.channels,
                               .columns = n < GRID_COLUMNS ? n : GRID_COLUMNS,
                               .scale = side < 64 ? 2 : 1,
                               .padding = 2};
    Canvas canvas = {0};
    const bool ok = dataset_read(d->dataset, indices, n, d->images, error) &&
                    image_grid(&canvas, d->images, n, &layout, error) &&
                    canvas_write_png(&canvas, d->grid, error);
    canvas_free(&canvas);
    return ok;
}

/* -- The command ------------------------------------------------------------------------------- */

static bool examine(Data *d, Error *error)
{
    Survey survey = {0};
    if (d->names.count != 1)
        return error_input(error, "data: expected the path of one data set, got %d",
                           d->names.count);
    if (d->verify && !d->cache)
        return error_input(error,
                           "--verify: compares a cache with the files; expected --cache DIR");
    cache_place_set(d->cache, !d->common.quiet);
    if (!configure(d, d->names.items[0], error) ||
        (d->grid && !image_check_channels(d->config.data.channels, error)))
        return false;
    const bool ok = open_images(d, error) && (!d->verify || dataset_verify(d->dataset, error)) &&
                    read_labels(d, error) && read_all(d, &survey, error) &&
                    (d->common.quiet || print_all(d, &survey, error)) &&
                    (!d->grid || write_grid(d, error));
    labels_free(&d->classes);
    memory_free(survey.prints);
    memory_free(d->images);
    dataset_close(d->dataset);
    return ok;
}

bool data_command(int argc, char **argv, Error *error)
{
    Data d = {0};
    const Option options[] = {
        option_heading("What to look at"),
        option_choice("part", "train|test", &d.part,
                      "the training images, or the test images that the data set brings, or else "
                      "those that training would hold out (default: train)"),
        option_string("labels", "FILE", &d.labels,
                      "the labels (default: those that lie with the images)"),
        option_list("set", "KEY=VALUE", &d.overrides,
                    "a key of a recipe, as in data.resize=center_crop; repeatable"),
        option_string("cache", "DIR", &d.cache,
                      "the directory of a run, whose cache of decoded pictures is used, and made "
                      "where there is none (default: pictures are decoded into memory)"),
        option_flag("verify", &d.verify,
                    "compare the cache with the bytes of all files: a file may be changed and "
                    "keep its size and its time"),
        option_string("grid", "FILE.png", &d.grid,
                      "write a picture of sixteen images, spread evenly over the data set"),
    };
    const CommandLine command = {
        .usage = usage, .options = options, .count = sizeof options / sizeof options[0]};
    bool stop = false;
    common_defaults(&d.common);
    const bool ok = command_parse(&command, &d.common, argc, argv, &d.names, &stop, error) &&
                    (stop || examine(&d, error));
    string_list_free(&d.names);
    string_list_free(&d.overrides);
    common_free(&d.common);
    return ok;
}
