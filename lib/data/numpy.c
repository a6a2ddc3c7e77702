/* Reads NumPy's files. An .npz is read twice: the headers of its arrays first, to choose one, then the
 * chosen array (data/bundle.h). Data come in chunks of images, which are converted one by one.
 */
#include "data/numpy.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "data/bundle.h"
#include "data/npy_header.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Bytes that are converted at a time, at least one image. */
    CHUNK = 1 << 20,
    /* Arrays of an archive whose headers are looked at. */
    MOST_ARRAYS = 64,
};

/* An array being read, from a file or from an archive. */
typedef struct Source {
    const char *path;
    /* ":arr_0" in an archive, else "". */
    char array[80];
    FILE *stream;
    Bundle *bundle;
    NpyHeader header;
} Source;

/* -- Sources ----------------------------------------------------------------------------------- */

/* Reads *got bytes: `size`, or fewer where the array ends. */
static bool read_some(Source *source, void *bytes, int64_t size, int64_t *got, Error *error)
{
    if (source->bundle)
        return bundle_read(source->bundle, bytes, size, got, error);
    *got = (int64_t)fread(bytes, 1, (size_t)size, source->stream);
    return !ferror(source->stream) || error_input(error, "%s: cannot be read", source->path);
}

/* *known := whether a header of numbers is there; only a file that cannot be read is an error. */
static bool read_header(Source *source, bool *known, Error *error)
{
    uint8_t prelude[NPY_PRELUDE] = {0};
    char text[NPY_MAX_TEXT + 1] = "";
    int64_t got = 0;
    int begins = 0;
    *known = false;
    if (!read_some(source, prelude, NPY_PRELUDE, &got, error))
        return false;
    const int64_t length = got == NPY_PRELUDE ? npy_text_length(prelude, &begins) : -1;
    const int64_t taken = NPY_PRELUDE - begins; /* the first bytes of the text */
    if (length < taken || length > NPY_MAX_TEXT)
        return true;
    memcpy(text, prelude + begins, (size_t)taken);
    if (!read_some(source, text + taken, length - taken, &got, error))
        return false;
    *known = got == length - taken && npy_header_read(&source->header, text);
    return true;
}

static void close_source(Source *source)
{
    if (source->stream)
        fclose(source->stream);
    bundle_close(source->bundle);
    source->stream = NULL;
    source->bundle = NULL;
}

/* -- Choosing an array ------------------------------------------------------------------------- */

/* What is looked for. */
typedef struct Wanted {
    const char *what;
    const char *names[2];
    int least_rank, most_rank;
    /* Of which kinds the array may be when it is chosen by its axes. */
    const char *kinds;
} Wanted;

static const Wanted wanted_images = {"images", {"images", "arr_0"}, 3, 4, "uf"};
static const Wanted wanted_labels = {"labels", {"labels", "arr_1"}, 1, 1, "ui"};

/* "arr_0" of "arr_0.npy"; false for another ending. */
static bool array_name(char name[64], const char *file)
{
    const size_t length = strlen(file);
    if (length < 5 || length - 4 >= 64 || strcmp(file + length - 4, ".npy") != 0)
        return false;
    memcpy(name, file, length - 4);
    name[length - 4] = '\0';
    return true;
}

/* The archive is at a file: its rank among the arrays that are wanted, 0 the best; 3 for none. */
static bool rank_array(Source *source, const char *file, const Wanted *wanted, int *rank,
                       Error *error)
{
    char name[64];
    bool known = false;
    *rank = 3;
    if (!array_name(name, file))
        return true;
    if (!read_header(source, &known, error))
        return false;
    for (int i = 1; i >= 0; i--)
        if (strcmp(name, wanted->names[i]) == 0)
            *rank = i;
    const NpyHeader *header = &source->header;
    if (*rank == 3 && known && header->rank >= wanted->least_rank &&
        header->rank <= wanted->most_rank && strchr(wanted->kinds, header->kind))
        *rank = 2;
    return true;
}

/* chosen := the name of the file in the archive. */
static bool choose_array(const char *path, const Wanted *wanted, char chosen[80], Error *error)
{
    Source source = {.path = path};
    BundleFile file;
    int best = 3, equal = 0;
    bool ok = bundle_open(&source.bundle, path, error);
    for (int i = 0; ok && i < MOST_ARRAYS; i++) {
        int rank = 3;
        ok = bundle_next(source.bundle, &file, error);
        if (!ok || !file.name)
            break;
        ok = rank_array(&source, file.name, wanted, &rank, error);
        equal = rank < best ? 1 : equal + (rank == best);
        if (ok && rank < best) {
            best = rank;
            snprintf(chosen, 80, "%s", file.name);
        }
    }
    close_source(&source);
    if (!ok || (best < 3 && equal == 1))
        return ok;
    if (best < 3)
        return error_input(error,
                           "%s: has several arrays that could be its %s; expected one named %s",
                           path, wanted->what, wanted->names[0]);
    return error_input(error, "%s: has no array of %s; expected one named %s or %s", path,
                       wanted->what, wanted->names[0], wanted->names[1]);
}

/* -- Opening ----------------------------------------------------------------------------------- */

static bool open_archive(Source *source, const Wanted *wanted, Error *error)
{
    char chosen[80] = "";
    BundleFile file = {0};
    if (!choose_array(source->path, wanted, chosen, error) ||
        !bundle_open(&source->bundle, source->path, error))
        return false;
    do {
        if (!bundle_next(source->bundle, &file, error))
            return false;
        if (!file.name)
            return error_input(error, "%s: changed while it was read", source->path);
    } while (strcmp(file.name, chosen) != 0);
    char name[64] = "";
    (void)array_name(name, chosen);
    snprintf(source->array, sizeof source->array, ":%s", name);
    return true;
}

static bool is_npy(const char *path)
{
    uint8_t begin[6] = {0};
    FILE *file = input_file_open(path);
    const size_t got = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof begin && memcmp(begin, "\x93NUMPY", 6) == 0;
}

/* Opens the array up to its data. The caller closes the source, after a failure too. */
static bool open_source(Source *source, const char *path, const Wanted *wanted, Error *error)
{
    int64_t size = 0;
    bool known = false;
    *source = (Source){.path = path};
    if (!input_file_check(path, "a NumPy array (.npy or .npz)", &size, error))
        return false;
    if (!is_npy(path)) {
        if (!open_archive(source, wanted, error))
            return false;
    } else if (!(source->stream = input_file_open(path))) {
        return error_input(error, "%s: cannot be opened", path);
    }
    if (!read_header(source, &known, error))
        return false;
    if (!known)
        return error_input(error, "%s%s: has no header of an array of numbers", path,
                           source->array);
    if (source->header.fortran_order && source->header.rank > 1)
        return error_input(error,
                           "%s%s: is stored in Fortran's order; expected C's "
                           "(numpy.ascontiguousarray)",
                           path, source->array);
    return true;
}

bool numpy_detects(const char *path)
{
    Bundle *bundle = NULL;
    BundleFile file;
    Error unused;
    char name[64];
    if (is_npy(path))
        return true;
    bool found = bundle_detects(path) && bundle_open(&bundle, path, &unused) &&
                 bundle_next(bundle, &file, &unused) && file.name && array_name(name, file.name);
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
    Source *source;
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
    const NpyHeader *header = &task->source->header;
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
                           task->source->path, task->source->array, npy_shape_text(header).text, r,
                           r, c, c, r, r);
    if (dims[0] < 1 || dims[0] > UINT32_MAX)
        return error_input(error, "%s%s: holds %lld images, expected 1 to %lld", task->source->path,
                           task->source->array, (long long)dims[0], (long long)UINT32_MAX);
    return true;
}

static bool check_type(const Task *task, Error *error)
{
    const NpyHeader *header = &task->source->header;
    if (header->kind == 'f' && task->floats == FLOATS_REFUSE)
        return error_input(error,
                           "%s%s: holds floats (%s); say by data.floats what they range over: unit "
                           "(0 to 1) or signed (-1 to 1)",
                           task->source->path, task->source->array, header->type);
    if (header->kind == 'f' || (header->kind == 'u' && header->size == 1))
        return true;
    return error_input(error, "%s%s: holds numbers of the type %s, expected uint8 or floats",
                       task->source->path, task->source->array, header->type);
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
    const NpyHeader *header = &task->source->header;
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
                               task->source->path, task->source->array, (long long)number,
                               float_of(header, element), task->floats == FLOATS_SIGNED ? -1 : 0);
    }
    return true;
}

/* Makes room for n images more. */
static bool grow(Task *task, int64_t *capacity, int64_t n, Error *error)
{
    if (task->images->count + n <= *capacity)
        return true;
    const int64_t all = task->source->header.dims[0];
    *capacity = 2 * *capacity + n < all ? 2 * *capacity + n : all;
    uint8_t *grown = realloc(task->images->pixels, (size_t)(*capacity * task->size));
    if (!grown)
        return error_runtime(error, "%s: not enough memory for its images", task->source->path);
    task->images->pixels = grown;
    return true;
}

static bool check_end(Source *source, Error *error)
{
    uint8_t more;
    int64_t got = 0;
    if (!read_some(source, &more, 1, &got, error)) /* compares zip's checksum, too */
        return false;
    return got == 0 ||
           error_input(error, "%s%s: has data behind its array", source->path, source->array);
}

static bool read_images(Task *task, uint8_t *chunk, int64_t chunk_images, Error *error)
{
    const int64_t all = task->source->header.dims[0],
                  bytes = task->size * task->source->header.size;
    int64_t capacity = 0;
    while (task->images->count < all) {
        const int64_t rest = all - task->images->count,
                      n = rest < chunk_images ? rest : chunk_images;
        int64_t got = 0;
        if (!read_some(task->source, chunk, n * bytes, &got, error))
            return false;
        if (got < n * bytes)
            return error_input(error,
                               "%s%s: is truncated, its header announces %lld images, %lld "
                               "are there",
                               task->source->path, task->source->array, (long long)all,
                               (long long)(task->images->count + got / bytes));
        if (!grow(task, &capacity, n, error))
            return false;
        for (int64_t i = 0; i < n; i++, task->images->count++)
            if (!take_image(task, chunk + i * bytes, task->images->count, error))
                return false;
    }
    return check_end(task->source, error);
}

bool numpy_shape(int *resolution, int *channels, const char *path, Error *error)
{
    enum { MOST_LIKELY = 4, MOST = 1 << 20 };
    Source source;
    bool ok = open_source(&source, path, &wanted_images, error);
    const NpyHeader *header = &source.header;
    const int64_t *dims = header->dims;
    const bool last =
        header->rank == 4 && dims[1] == dims[2] && (dims[3] <= MOST_LIKELY || dims[2] != dims[3]);
    const bool first = header->rank == 4 && !last && dims[2] == dims[3];
    const bool grey = header->rank == 3 && dims[1] == dims[2];
    close_source(&source);
    if (ok && !last && !first && !grey)
        ok = error_input(error,
                         "%s%s: has the shape %s, expected square images [N, H, W, C] or "
                         "[N, C, H, W]",
                         path, source.array, npy_shape_text(header).text);
    const int64_t side = first ? dims[2] : dims[1], depth = grey ? 1 : first ? dims[1] : dims[3];
    if (ok && (side > MOST || depth > MOST))
        ok = error_input(error, "%s%s: has the shape %s", path, source.array,
                         npy_shape_text(header).text);
    *resolution = (int)side;
    *channels = (int)depth;
    return ok;
}

bool numpy_read(NumpyImages *images, const char *path, int resolution, int channels,
                DataFloats floats, Error *error)
{
    *images = (NumpyImages){0};
    Source source;
    Task task = {.source = &source,
                 .images = images,
                 .resolution = resolution,
                 .channels = channels,
                 .floats = floats,
                 .size = (int64_t)resolution * resolution * channels};
    uint8_t *chunk = NULL;
    bool ok = open_source(&source, path, &wanted_images, error) && check_shape(&task, error) &&
              check_type(&task, error);
    if (ok) {
        const int64_t bytes = task.size * source.header.size;
        const int64_t chunk_images = bytes < CHUNK ? CHUNK / bytes : 1;
        chunk = memory_large((size_t)chunk_images, (size_t)bytes, "a chunk of images", error);
        ok = chunk && read_images(&task, chunk, chunk_images, error);
    }
    memory_free(chunk);
    close_source(&source);
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

static bool check_labels(const Source *source, Error *error)
{
    const NpyHeader *header = &source->header;
    if (header->rank != 1 || !strchr("ui", header->kind))
        return error_input(error, "%s%s: has the shape %s and the type %s, expected integers [N]",
                           source->path, source->array, npy_shape_text(header).text, header->type);
    if (header->dims[0] < 1 || header->dims[0] > UINT32_MAX)
        return error_input(error, "%s%s: holds %lld labels, expected 1 to %lld", source->path,
                           source->array, (long long)header->dims[0], (long long)UINT32_MAX);
    return true;
}

/* *labels := the elements, with memory that grows as they come. */
static bool read_elements(Source *source, int64_t **labels, int64_t *count, Error *error)
{
    enum { SOME = 4096 };
    uint8_t chunk[SOME * 8];
    const int64_t all = source->header.dims[0], size = source->header.size;
    for (*count = 0; *count < all;) {
        const int64_t n = all - *count < SOME ? all - *count : SOME;
        int64_t got = 0;
        if (!read_some(source, chunk, n * size, &got, error))
            return false;
        if (got < n * size)
            return error_input(error, "%s%s: is truncated, its header announces %lld labels",
                               source->path, source->array, (long long)all);
        int64_t *grown = realloc(*labels, (size_t)(*count + n) * sizeof **labels);
        if (!grown)
            return error_runtime(error, "%s: not enough memory for its labels", source->path);
        *labels = grown;
        for (int64_t i = 0; i < n; i++)
            (*labels)[(*count)++] = integer_of(&source->header, chunk + i * size);
    }
    return check_end(source, error);
}

bool numpy_read_labels(int64_t **labels, int64_t *count, const char *path, Error *error)
{
    Source source;
    *labels = NULL;
    const bool ok = open_source(&source, path, &wanted_labels, error) &&
                    check_labels(&source, error) && read_elements(&source, labels, count, error);
    close_source(&source);
    if (!ok) {
        memory_free(*labels);
        *labels = NULL;
    }
    return ok;
}
