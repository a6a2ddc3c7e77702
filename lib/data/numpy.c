/* Reads images and labels out of NumPy's arrays. Data come in chunks of images, which are converted one by
 * one.
 */
#include "data/numpy.h"

#include "base/memory.h"
#include "data/npy_array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that are converted at a time, at least one image. */
enum { CHUNK = 1 << 20 };

static const NpyWanted wanted_images = {"images", {"images", "arr_0"}, 3, 4, "uf"};
static const NpyWanted wanted_labels = {"labels", {"labels", "arr_1"}, 1, 1, "ui"};

bool numpy_detects(const char *path)
{
    Bundle *bundle = NULL;
    BundleFile file;
    Error unused;
    char name[64];
    if (npy_detects(path))
        return true;
    bool found = bundle_detects(path) && bundle_open(&bundle, path, &unused) &&
                 bundle_next(bundle, &file, &unused) && file.name &&
                 npy_array_name(name, file.name);
    bundle_close(bundle);
    return found;
}

/* -- Elements ---------------------------------------------------------------------------------- */

/* The element at `bytes` as its bits, the least byte first. */
static uint64_t bits_of(const NpyHeader *header, const uint8_t *bytes)
{
    uint64_t bits = 0;
    for (int i = 0; i < header->size; i++)
        bits |= (uint64_t)bytes[header->big_endian ? header->size - 1 - i : i] << (8 * i);
    return bits;
}

static double half_of(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                        : exponent == 0 ? ldexp(fraction, -24)
                                        : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 & 1 ? -size : size;
}

static double float_of(const NpyHeader *header, const uint8_t *bytes)
{
    const uint64_t bits = bits_of(header, bytes);
    const uint32_t low = (uint32_t)bits;
    float single;
    double number;
    memcpy(&single, &low, sizeof single);
    memcpy(&number, &bits, sizeof number);
    return header->size == 2 ? half_of(bits) : header->size == 4 ? (double)single : number;
}

static int64_t integer_of(const NpyHeader *header, const uint8_t *bytes)
{
    const uint64_t bits = bits_of(header, bytes);
    const int unused = 64 - 8 * header->size;
    if (header->kind == 'i')
        return (int64_t)(bits << unused) >> unused;
    return bits > INT64_MAX ? -1 : (int64_t)bits;
}

/* -- Images ------------------------------------------------------------------------------------ */

/* An array of images, and what its pixels become. */
typedef struct Task {
    NpyArray *array;
    NumpyImages *images;
    int resolution, channels;
    bool channels_first;
    /* Elements of an image. */
    int64_t size;
    DataFloats floats;
} Task;

/* Finds the layout. One that could be either is taken for [N, H, W, C]. */
static bool check_shape(Task *task, Error *error)
{
    const NpyHeader *header = &task->array->header;
    const int64_t *dims = header->dims;
    const int r = task->resolution, c = task->channels;
    const bool last = header->rank == 4 && dims[1] == r && dims[2] == r && dims[3] == c;
    const bool first = header->rank == 4 && dims[1] == c && dims[2] == r && dims[3] == r;
    const bool grey = header->rank == 3 && dims[1] == r && dims[2] == r && c == 1;
    task->channels_first = first && !last;
    if (!last && !first && !grey)
        return error_input(error,
                           "%s%s: has the shape %s, expected [N, %d, %d, %d] or [N, %d, %d, %d] "
                           "(data.resolution and data.channels)",
                           task->array->path, task->array->suffix, npy_shape_text(header).text, r,
                           r, c, c, r, r);
    if (dims[0] < 1 || dims[0] > UINT32_MAX)
        return error_input(error, "%s%s: holds %lld images, expected 1 to %lld", task->array->path,
                           task->array->suffix, (long long)dims[0], (long long)UINT32_MAX);
    return true;
}

static bool check_type(const Task *task, Error *error)
{
    const NpyHeader *header = &task->array->header;
    if (header->kind == 'f' && task->floats == FLOATS_REFUSE)
        return error_input(error,
                           "%s%s: holds floats (%s); say by data.floats what they range over: unit "
                           "(0 to 1) or signed (-1 to 1)",
                           task->array->path, task->array->suffix, header->type);
    if (header->kind == 'f' || (header->kind == 'u' && header->size == 1))
        return true;
    return error_input(error, "%s%s: holds numbers of the type %s, expected uint8 or floats",
                       task->array->path, task->array->suffix, header->type);
}

/* *byte := what a float stands for. False if it is outside of the range, or no number. */
static bool take_float(Task *task, double value, uint8_t *byte)
{
    const double level = (task->floats == FLOATS_SIGNED ? (value + 1) / 2 : value) * 255;
    const double nearest = nearbyint(level);
    if (!(level >= -0.001 && level <= 255.001))
        return false;
    task->images->rounded += fabs(level - nearest) > 0.01;
    *byte = (uint8_t)nearest;
    return true;
}

/* pixels [resolution, resolution, channels] := the elements of image `number`. */
static bool take_image(Task *task, const uint8_t *elements, int64_t number, Error *error)
{
    const NpyHeader *header = &task->array->header;
    const int64_t plane = (int64_t)task->resolution * task->resolution;
    uint8_t *pixels = task->images->pixels + number * task->size;
    for (int64_t i = 0; i < task->size; i++) {
        const int64_t at = task->channels_first ? i % plane * task->channels + i / plane : i;
        const uint8_t *element = elements + i * header->size;
        if (header->kind == 'u')
            pixels[at] = *element;
        else if (!take_float(task, float_of(header, element), &pixels[at]))
            return error_input(error,
                               "%s%s: image %lld has the value %g, expected %d to 1 (data.floats)",
                               task->array->path, task->array->suffix, (long long)number,
                               float_of(header, element), task->floats == FLOATS_SIGNED ? -1 : 0);
    }
    return true;
}

/* Makes room for n images more. */
static bool grow(Task *task, int64_t *capacity, int64_t n, Error *error)
{
    if (task->images->count + n <= *capacity)
        return true;
    const int64_t all = task->array->header.dims[0];
    *capacity = 2 * *capacity + n < all ? 2 * *capacity + n : all;
    uint8_t *grown = realloc(task->images->pixels, (size_t)(*capacity * task->size));
    if (!grown)
        return error_runtime(error, "%s: not enough memory for its images", task->array->path);
    task->images->pixels = grown;
    return true;
}

static bool read_images(Task *task, uint8_t *chunk, int64_t chunk_images, Error *error)
{
    const int64_t all = task->array->header.dims[0], bytes = task->size * task->array->header.size;
    int64_t capacity = 0;
    while (task->images->count < all) {
        const int64_t rest = all - task->images->count,
                      n = rest < chunk_images ? rest : chunk_images;
        int64_t got = 0;
        if (!npy_array_read(task->array, chunk, n * bytes, &got, error))
            return false;
        if (got < n * bytes)
            return error_input(error,
                               "%s%s: is truncated, its header announces %lld images, %lld "
                               "are there",
                               task->array->path, task->array->suffix, (long long)all,
                               (long long)(task->images->count + got / bytes));
        if (!grow(task, &capacity, n, error))
            return false;
        for (int64_t i = 0; i < n; i++, task->images->count++)
            if (!take_image(task, chunk + i * bytes, task->images->count, error))
                return false;
    }
    return npy_array_check_end(task->array, error);
}

bool numpy_shape(int *resolution, int *channels, const char *path, Error *error)
{
    enum { MOST_LIKELY = 4, MOST = 1 << 20 };
    NpyArray array;
    bool ok = npy_array_open(&array, path, &wanted_images, error);
    const NpyHeader *header = &array.header;
    const int64_t *dims = header->dims;
    const bool last =
        header->rank == 4 && dims[1] == dims[2] && (dims[3] <= MOST_LIKELY || dims[2] != dims[3]);
    const bool first = header->rank == 4 && !last && dims[2] == dims[3];
    const bool grey = header->rank == 3 && dims[1] == dims[2];
    npy_array_close(&array);
    if (ok && !last && !first && !grey)
        ok = error_input(error,
                         "%s%s: has the shape %s, expected square images [N, H, W, C] or "
                         "[N, C, H, W]",
                         path, array.suffix, npy_shape_text(header).text);
    const int64_t side = first ? dims[2] : dims[1], depth = grey ? 1 : first ? dims[1] : dims[3];
    if (ok && (side > MOST || depth > MOST))
        ok = error_input(error, "%s%s: has the shape %s", path, array.suffix,
                         npy_shape_text(header).text);
    *resolution = (int)side;
    *channels = (int)depth;
    return ok;
}

bool numpy_read(NumpyImages *images, const char *path, int resolution, int channels,
                DataFloats floats, Error *error)
{
    *images = (NumpyImages){0};
    NpyArray array;
    Task task = {.array = &array,
                 .images = images,
                 .resolution = resolution,
                 .channels = channels,
                 .floats = floats,
                 .size = (int64_t)resolution * resolution * channels};
    uint8_t *chunk = NULL;
    bool ok = npy_array_open(&array, path, &wanted_images, error) && check_shape(&task, error) &&
              check_type(&task, error);
    if (ok) {
        const int64_t bytes = task.size * array.header.size;
        const int64_t chunk_images = bytes < CHUNK ? CHUNK / bytes : 1;
        chunk = memory_large((size_t)chunk_images, (size_t)bytes, "a chunk of images", error);
        ok = chunk && read_images(&task, chunk, chunk_images, error);
    }
    memory_free(chunk);
    npy_array_close(&array);
    if (!ok)
        numpy_free(images);
    return ok;
}

void numpy_free(NumpyImages *images)
{
    memory_free(images->pixels);
    *images = (NumpyImages){0};
}

/* -- Labels ------------------------------------------------------------------------------------ */

static bool check_labels(const NpyArray *array, Error *error)
{
    const NpyHeader *header = &array->header;
    if (header->rank != 1 || !strchr("ui", header->kind))
        return error_input(error, "%s%s: has the shape %s and the type %s, expected integers [N]",
                           array->path, array->suffix, npy_shape_text(header).text, header->type);
    if (header->dims[0] < 1 || header->dims[0] > UINT32_MAX)
        return error_input(error, "%s%s: holds %lld labels, expected 1 to %lld", array->path,
                           array->suffix, (long long)header->dims[0], (long long)UINT32_MAX);
    return true;
}

/* *labels := the elements, with memory that grows as they come. */
static bool read_elements(NpyArray *array, int64_t **labels, int64_t *count, Error *error)
{
    enum { SOME = 4096 };
    uint8_t chunk[SOME * 8];
    const int64_t all = array->header.dims[0], size = array->header.size;
    for (*count = 0; *count < all;) {
        const int64_t n = all - *count < SOME ? all - *count : SOME;
        int64_t got = 0;
        if (!npy_array_read(array, chunk, n * size, &got, error))
            return false;
        if (got < n * size)
            return error_input(error, "%s%s: is truncated, its header announces %lld labels",
                               array->path, array->suffix, (long long)all);
        int64_t *grown = realloc(*labels, (size_t)(*count + n) * sizeof **labels);
        if (!grown)
            return error_runtime(error, "%s: not enough memory for its labels", array->path);
        *labels = grown;
        for (int64_t i = 0; i < n; i++)
            (*labels)[(*count)++] = integer_of(&array->header, chunk + i * size);
    }
    return npy_array_check_end(array, error);
}

bool numpy_read_labels(int64_t **labels, int64_t *count, const char *path, Error *error)
{
    NpyArray array;
    *labels = NULL;
    const bool ok = npy_array_open(&array, path, &wanted_labels, error) &&
                    check_labels(&array, error) && read_elements(&array, labels, count, error);
    npy_array_close(&array);
    if (!ok) {
        memory_free(*labels);
        *labels = NULL;
    }
    return ok;
}
