/* Data sets: the table of formats, and all that is the same for each of them.
 *
 * A format gives bytes or floats of the images that are stored. Here images are held out, indices are
 * checked, bytes become numbers in [-1, 1], and a fingerprint is made of the bytes, so that it does
 * not depend on the format.
 */
#include "data/dataset.h"

#include "base/fingerprint.h"
#include "base/foreign_file.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/pixel.h"
#include "config/config_paths.h"
#include "data/dataset_format.h"
#include "data/held_out.h"
#include "io/output.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- The table --------------------------------------------------------------------------------- */

#define DECLARATION(constant, name, help, has_files, channels)                                     \
    extern const DatasetFormat dataset_##name;
#define ENTRY(constant, name, help, has_files, channels) [constant] = &dataset_##name,

DATA_FORMATS(DECLARATION)

const DatasetFormat *const dataset_formats[DATA_FORMAT_COUNT] = {DATA_FORMATS(ENTRY)};

static bool has_ending_of(const char *path, const DatasetFormat *format)
{
    bool found = false;
    for (int i = 0; format->endings[i]; i++)
        found = found || output_has_extension(path, format->endings[i]);
    return found;
}

/* *format := the format that the content of the file shows, or else the format that its name shows.
 * False if neither shows one. */
static bool find_format(const char *path, DataFormat *format)
{
    for (int i = 0; i < DATA_FORMAT_COUNT; i++)
        if (dataset_formats[i]->detects && dataset_formats[i]->detects(path)) {
            *format = (DataFormat)i;
            return true;
        }
    for (int i = 0; i < DATA_FORMAT_COUNT; i++)
        if (has_ending_of(path, dataset_formats[i])) {
            *format = (DataFormat)i;
            return true;
        }
    return false;
}

DataFormat dataset_format_of_file(const char *path)
{
    DataFormat format = DATA_IDX;
    (void)find_format(path, &format);
    return format;
}

/* -- What a configuration says ----------------------------------------------------------------- */

/* Whether data.test leaves it to the program which test images there are. */
static bool test_is_automatic(const Config *config)
{
    return data_formats[config->data.format].has_files &&
           strcmp(config->data.test, CONFIG_TEST_AUTO) == 0;
}

static const char *path_of(const Config *config, DatasetSplit split)
{
    return split == DATASET_TRAIN || test_is_automatic(config) ? config->data.train
                                                               : config->data.test;
}

bool dataset_is_named(const Config *config, DatasetSplit split)
{
    return !data_formats[config->data.format].has_files || path_of(config, split)[0] != '\0';
}

bool dataset_is_flipped(const Config *config)
{
    return config->data.flip && data_formats[config->data.format].has_files;
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* Most first runs that fail, fail here: these images come by a command. */
static bool explain_missing(const char *path, Error *error)
{
    if (config_paths_are_several(path) || access(path, F_OK) == 0 || errno != ENOENT)
        return true;
    if (strstr(path, "fashion-mnist"))
        return error_input(error,
                           "%s: no such file; Debian's package dataset-fashion-mnist brings it "
                           "(make deps)",
                           path);
    const char *cifar = strstr(path, "data/cifar10");
    if (cifar && (strcmp(cifar, "data/cifar10") == 0 || strcmp(cifar, "data/cifar10/") == 0))
        return error_input(error, "%s: no such directory; make cifar10 fetches it", path);
    return true;
}

/* A file that no format knows is refused here, before the format that stands in for all says that it is
 * not its own. */
static bool check_known(const char *path, Error *error)
{
    DataFormat format;
    if (path[0] == '\0')
        return error_input(error, "data.train names no images; --set data.train=PATH does");
    if (config_paths_are_several(path) || find_format(path, &format))
        return true;
    struct stat status;
    const bool there = stat(path, &status) == 0;
    const char *problem = !there && errno == ENOENT ? "no such file"
                          : !there                  ? strerror(errno)
                          : S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)
                              ? "is of no format that is known here"
                              : "is no regular file";
    const ForeignKind kind = foreign_kind_of(path);
    return error_input(error,
                       "%s: %s%s, expected images: IDX, HDF5, NumPy or CIFAR's binary files, or "
                       "PNG and JPEG in a directory, a tar or a zip",
                       path, kind.text[0] ? "is " : "", kind.text[0] ? kind.text : problem);
}

/* What messages call the images; the caller frees it. */
static char *make_name(const Config *config, DatasetSplit split, const DatasetFormat *format,
                       const DataFormatFacts *facts)
{
    char *text = config_paths_text(path_of(config, split));
    const char *part = split == DATASET_TRAIN || !test_is_automatic(config) ? ""
                       : format->brings_test                                ? ", test images"
                                                                            : ", held out";
    char *name =
        facts->has_files ? memory_format("%s%s", text, part) : memory_format("the %s", facts->name);
    memory_free(text);
    return name;
}

static Dataset *make(const Config *config, DatasetSplit split)
{
    const int resolution = config->data.resolution, channels = config->data.channels;
    const char *path = path_of(config, split);
    const bool is_list =
        data_formats[config->data.format].has_files && config_paths_are_several(path);
    const DataFormat format = config->data.format == DATA_AUTO && !is_list
                                  ? dataset_format_of_file(path)
                                  : config->data.format;
    const DataFormatFacts *facts = &data_formats[format];
    const DatasetFormat *functions = is_list ? &dataset_joined : dataset_formats[format];
    Dataset *dataset = memory_small(1, sizeof *dataset);
    *dataset = (Dataset){
        .format = functions,
        .facts = facts,
        .split = split,
        .config = config,
        .path = memory_string(path),
        .name = make_name(config, split, functions, facts),
        .resolution = resolution,
        .channels = channels,
        .floats = config->data.floats,
        .resize = config->data.resize,
        .background = config->data.background,
        .on_broken = config->data.on_broken,
        .cache = config->data.cache,
        .cache_limit = config->data.cache_limit,
        .image_size = (size_t)resolution * (size_t)resolution * (size_t)channels,
    };
    return dataset;
}

/* Divides the images where the configuration asks for it and the files have no test images. */
static bool choose(Dataset *dataset, const Config *config, Error *error)
{
    const bool held = dataset->split == DATASET_TEST;
    dataset->count = dataset->stored;
    if (!test_is_automatic(config) || dataset->format->brings_test)
        return true;
    if (!held_out_choose(&dataset->chosen, &dataset->count, dataset->stored, held, dataset->name,
                         error))
        return false;
    if (!held)
        note("data.test is %s: of the %lld images of %s, %lld are held out, and not trained on",
             CONFIG_TEST_AUTO, (long long)dataset->stored, dataset->name,
             (long long)(dataset->stored - dataset->count));
    return true;
}

/* Whether the training images are a directory that should have test images, too. Archives are not
 * asked: that would unpack them. */
static bool brings_test_files(const Dataset *dataset)
{
    struct stat status;
    return dataset->format->brings_test && stat(dataset->path, &status) == 0 &&
           S_ISDIR(status.st_mode);
}

/* Training needs no test images, and a mistake in their name would be found a night later. */
static void note_missing_test(const Dataset *dataset, const Config *config)
{
    const char *rest = config->data.test;
    char path[CONFIG_TEXT_SIZE];
    Dataset *test = NULL;
    Error error = {0};
    if (!data_formats[config->data.format].has_files)
        return;
    if (test_is_automatic(config)) {
        if (brings_test_files(dataset) && !dataset_open(&test, config, DATASET_TEST, &error))
            note("%s; infer nll, quality and compare will need it", error.message);
        dataset_close(test);
        return;
    }
    while (config_paths_next(&rest, path))
        if (access(path, F_OK) != 0)
            note("data.test: %s: %s; infer nll, quality and compare will need it", path,
                 errno == ENOENT ? "no such file" : strerror(errno));
}

bool dataset_open(Dataset **result, const Config *config, DatasetSplit split, Error *error)
{
    Dataset *dataset = make(config, split);
    *result = dataset;
    if ((!dataset->facts->has_files || explain_missing(dataset->path, error)) &&
        (config->data.format != DATA_AUTO || check_known(dataset->path, error)) &&
        dataset->format->open(dataset, error) && choose(dataset, config, error)) {
        if (split == DATASET_TRAIN)
            note_missing_test(dataset, config);
        dataset->config = NULL;
        return true;
    }
    dataset_close(dataset);
    *result = NULL;
    return false;
}

void dataset_close(Dataset *dataset)
{
    if (dataset == NULL)
        return;
    if (dataset->state)
        dataset->format->release(dataset->state);
    memory_free(dataset->state);
    memory_free(dataset->chosen);
    memory_free(dataset->bytes);
    memory_free(dataset->indices);
    memory_free(dataset->path);
    memory_free(dataset->name);
    memory_free(dataset);
}

bool dataset_shape(const char *path, int *resolution, int *channels, Error *error)
{
    return explain_missing(path, error) && check_known(path, error) &&
           dataset_formats[dataset_format_of_file(path)]->shape(path, resolution, channels, error);
}

DataFormat dataset_format(const Dataset *dataset)
{
    return (DataFormat)(dataset->facts - data_formats);
}

const char *dataset_name(const Dataset *dataset)
{
    return dataset->name;
}

int64_t dataset_count(const Dataset *dataset)
{
    return dataset->count;
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* Makes room for n images in `bytes`. */
static bool make_room(Dataset *dataset, int n, Error *error)
{
    if (n <= dataset->capacity)
        return true;
    memory_free(dataset->bytes);
    memory_free(dataset->indices);
    dataset->capacity = 0;
    dataset->indices = NULL;
    dataset->bytes = memory_large((size_t)n, dataset->image_size, "a batch of images", error);
    if (!dataset->bytes)
        return false;
    dataset->indices = memory_small((size_t)n, sizeof *dataset->indices);
    dataset->capacity = n;
    return true;
}

static int64_t stored_index(const Dataset *dataset, int64_t index)
{
    return dataset->chosen ? dataset->chosen[index] : index;
}

bool dataset_read_stored(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                         Error *error)
{
    const size_t size = dataset->image_size;
    if (!dataset->pixels)
        return dataset->format->read_bytes(dataset, indices, n, bytes, error);
    for (int i = 0; i < n; i++)
        memcpy(bytes + (size_t)i * size, dataset->pixels + (size_t)indices[i] * size, size);
    return true;
}

/* Reads images into `bytes`. */
static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, Error *error)
{
    if (!make_room(dataset, n, error))
        return false;
    for (int i = 0; i < n; i++)
        dataset->indices[i] = stored_index(dataset, indices[i]);
    return dataset_read_stored(dataset, dataset->indices, n, dataset->bytes, error);
}

bool dataset_fetch(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error)
{
    for (int i = 0; i < n; i++)
        if (indices[i] < 0 || indices[i] >= dataset->count)
            return error_input(error, "%s: there is no image %lld, only 0 to %lld",
                               dataset->facts->has_files ? dataset->name : dataset->facts->name,
                               (long long)indices[i], (long long)dataset->count - 1);
    if (dataset->format->read_floats)
        return dataset->format->read_floats(dataset, indices, n, images, error);
    return read_bytes(dataset, indices, n, error);
}

void dataset_take(const Dataset *dataset, int n, float *images)
{
    if (dataset->format->read_floats)
        return;
    const size_t size = (size_t)n * dataset->image_size;
    for (size_t i = 0; i < size; i++)
        images[i] = pixel_of_byte(dataset->bytes[i]);
}

bool dataset_read(Dataset *dataset, const int64_t *indices, int n, float *images, Error *error)
{
    if (!dataset_fetch(dataset, indices, n, images, error))
        return false;
    dataset_take(dataset, n, images);
    return true;
}

void dataset_expect(Dataset *dataset, const int64_t *indices, int n)
{
    enum { PART = 64 };
    for (int first = 0; dataset->format->expect && first < n; first += PART) {
        int64_t stored[PART];
        int count = 0;
        for (int i = first; i < n && i < first + PART; i++)
            if (indices[i] >= 0 && indices[i] < dataset->count)
                stored[count++] = stored_index(dataset, indices[i]);
        dataset->format->expect(dataset, stored, count);
    }
}

bool dataset_verify(Dataset *dataset, Error *error)
{
    return !dataset->format->verify || dataset->format->verify(dataset, error);
}

void dataset_flip(float *image, int height, int width, int channels)
{
    for (int y = 0; y < height; y++) {
        float *row = image + (size_t)y * (size_t)width * (size_t)channels;
        for (int left = 0, right = width - 1; left < right; left++, right--)
            for (int c = 0; c < channels; c++) {
                float kept = row[left * channels + c];
                row[left * channels + c] = row[right * channels + c];
                row[right * channels + c] = kept;
            }
    }
}

/* -- Fingerprint ------------------------------------------------------------------------------- */

/* A large data set is sampled by runs of neighbours: images that lie together in a file are
 * unpacked together. */
enum { RUNS = 64, RUN = 16 };

/* Adds the bytes of images first .. first + n - 1, n at most RUN. */
static bool add_images(Dataset *dataset, int64_t first, int n, uint64_t *print, Error *error)
{
    int64_t indices[RUN];
    for (int i = 0; i < n; i++)
        indices[i] = first + i;
    if (!read_bytes(dataset, indices, n, error))
        return false;
    for (int i = 0; i < n; i++)
        *print = fingerprint(*print, dataset->bytes + (size_t)i * dataset->image_size,
                             dataset->image_size);
    return true;
}

bool dataset_fingerprint(Dataset *dataset, int64_t max_bytes, uint64_t *print, Error *error)
{
    const int64_t count = dataset->count;
    const int64_t shape[] = {count, dataset->resolution, dataset->channels};
    *print = fingerprint(FINGERPRINT_START, shape, sizeof shape);
    if (dataset->format
            ->read_floats) { /* every machine computes them anew, the same but for rounding */
        *print = fingerprint(*print, dataset->facts->name, strlen(dataset->facts->name));
        return true;
    }
    const bool all = count <= max_bytes / (int64_t)dataset->image_size || count <= RUNS * RUN;
    const int64_t runs = all ? (count + RUN - 1) / RUN : RUNS;
    for (int64_t r = 0; r < runs; r++) {
        const int64_t first = all ? r * RUN : (count - RUN) * r / (RUNS - 1);
        const int n = (int)(count - first < RUN ? count - first : RUN);
        if (!add_images(dataset, first, n, print, error))
            return false;
    }
    return true;
}
