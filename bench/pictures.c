/* Makes pictures, writes them to a temporary directory, and times what the programs do with them.
 *
 * A few different pictures are repeated. Each has smooth shades with noise on them, as photographs
 * have. Varhead and the library alone take turns, so that a machine that slows down slows both.
 */
#include "bench/pictures.h"

#include "base/clock.h"
#include "base/directory.h"
#include "base/memory.h"
#include "base/program.h"
#include "base/random.h"
#include "bench/codecs.h"
#include "data/cache_place.h"
#include "data/epoch.h"
#include "data/picture_set.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SIDE = 256,
    CHANNELS = 3,
    /* Of the images in the cache. */
    RESOLUTION = 64,
    IMAGE = RESOLUTION * RESOLUTION * CHANNELS,
    PICTURE = SIDE * SIDE * CHANNELS,
    DIFFERENT = 16,
    READ_AT_ONCE = 64,
};

typedef struct Bench {
    const PicturesTask *task;
    /* The temporary directory. In it: a directory of pictures, and a directory for the cache. */
    char *root, *files, *cache;
    PictureKind kind;
    EncodedPicture encoded[DIFFERENT];
    /* [pictures]: the order in which the cache is read. */
    int64_t *order;
    /* [threads, SIDE, SIDE, CHANNELS], and then [READ_AT_ONCE, IMAGE]. */
    uint8_t *pixels, *images;
    PictureSet set;
} Bench;

/* Something that is timed. */
typedef bool Pass(Bench *bench, Error *error);

static const PictureRule rule = {
    .resolution = RESOLUTION, .channels = CHANNELS, .resize = RESIZE_CENTER_CROP};

/* -- Files ------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

/* Removes a directory with all that is in it; it may be missing. */
static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static bool cannot_write(const char *path, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
}

static bool make_root(Bench *b, Error *error)
{
    b->root = memory_format("%s/varhead-bench-XXXXXX", directory_temporary());
    if (!mkdtemp(b->root)) {
        cannot_write(b->root, error);
        memory_free(b->root);
        b->root = NULL;
        return false;
    }
    b->files = memory_format("%s/pictures", b->root);
    b->cache = memory_format("%s/run", b->root);
    return true;
}

/* pixels [SIDE, SIDE, CHANNELS] := shades that differ from picture to picture, and noise. */
static void paint(int picture, uint8_t *pixels)
{
    static float noise[PICTURE];
    random_normal((RandomKey){.sample = (uint32_t)picture}, noise, PICTURE);
    for (int i = 0; i < PICTURE; i++) {
        const int c = i % CHANNELS, x = i / CHANNELS % SIDE, y = i / CHANNELS / SIDE;
        const double shade = 128 + 60 * sin(0.03 * x * (1 + 0.1 * picture) + c) +
                             50 * cos(0.05 * y + 0.01 * x + picture);
        pixels[i] = (uint8_t)fmin(fmax(shade + 6 * (double)noise[i], 0), 255);
    }
}

static bool write_file(const char *path, const EncodedPicture *file, Error *error)
{
    FILE *stream = fopen(path, "wb");
    if (!stream)
        return cannot_write(path, error);
    const bool ok = fwrite(file->bytes, 1, file->size, stream) == file->size;
    return (fclose(stream) == 0 && ok) || cannot_write(path, error);
}

/* Pictures of the bench's kind, in memory and in the directory. */
static bool make_files(Bench *b, Error *error)
{
    bool ok = mkdir(b->files, 0777) == 0 || cannot_write(b->files, error);
    for (int i = 0; ok && i < DIFFERENT; i++) {
        paint(i, b->pixels);
        b->encoded[i] = codec_encode(b->kind, b->pixels, SIDE);
    }
    for (int i = 0; ok && i < b->task->pictures; i++) {
        char *path = memory_format("%s/%06d", b->files, i);
        ok = write_file(path, &b->encoded[i % DIFFERENT], error);
        memory_free(path);
    }
    return ok;
}

static void remove_files(Bench *b)
{
    remove_tree(b->files);
    for (int i = 0; i < DIFFERENT; i++) {
        free(b->encoded[i].bytes);
        b->encoded[i] = (EncodedPicture){0};
    }
}

/* -- Decoding ---------------------------------------------------------------------------------- */

static bool decode(Bench *b, Error *error)
{
    bool ok = true;
#pragma omp parallel for schedule(dynamic) reduction(&& : ok)
    for (int i = 0; i < b->task->pictures; i++) {
        const EncodedPicture *file = &b->encoded[i % DIFFERENT];
        Picture picture = {0};
        Error unused;
        ok = picture_decode(&picture, file->bytes, file->size, &unused) && ok;
        picture_free(&picture);
    }
    return ok || error_runtime(error, "a picture that was made here cannot be decoded");
}

static bool decode_alone(Bench *b, Error *error)
{
    (void)error;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < b->task->pictures; i++)
        codec_decode(b->kind, &b->encoded[i % DIFFERENT],
                     b->pixels + (size_t)omp_get_thread_num() * PICTURE, SIDE);
    return true;
}

/* -- The cache --------------------------------------------------------------------------------- */

static bool open_set(Bench *b, Error *error)
{
    const PictureSetOptions options = {
        .rule = &rule, .cache = DATA_CACHE_ALWAYS, .cache_limit = 128};
    picture_set_free(&b->set);
    cache_place_set(b->cache, false);
    return picture_set_open(&b->set, b->files, &options, error);
}

static bool make_cache(Bench *b, Error *error)
{
    return open_set(b, error) &&
           (b->set.fd >= 0 || error_runtime(error, "%s: no cache can be kept there", b->cache));
}

static bool read_cache(Bench *b, Error *error)
{
    for (int first = 0; first < b->task->pictures; first += READ_AT_ONCE) {
        const int rest = b->task->pictures - first, n = rest < READ_AT_ONCE ? rest : READ_AT_ONCE;
        if (!picture_set_read(&b->set, b->order + first, n, b->images, error))
            return false;
    }
    return true;
}

static bool read_alone(Bench *b, Error *error)
{
    for (int i = 0; i < b->task->pictures; i++)
        if (pread(b->set.fd, b->images + (size_t)(i % READ_AT_ONCE) * IMAGE, IMAGE,
                  (off_t)b->order[i] * IMAGE) != IMAGE)
            return error_runtime(error, "%s: cannot be read: %s", b->cache, strerror(errno));
    return true;
}

/* -- Timing ------------------------------------------------------------------------------------ */

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

/* What a pass takes: seconds by the clock, and of processor time in all threads together. */
typedef struct Times {
    double clock, processor;
} Times;

static bool time_pass(Pass *pass, Bench *bench, Times *times, Error *error)
{
    const double begin = clock_seconds(), used = clock_processor_seconds();
    const bool ok = pass(bench, error);
    *times = (Times){clock_seconds() - begin, clock_processor_seconds() - used};
    return ok;
}

/* [steps] each */
typedef struct Row {
    double *seconds, *alone, *ratios, *processor;
} Row;

static void print_row(const Bench *b, const char *name, const Row *row)
{
    const int steps = b->task->steps, threads = omp_get_max_threads();
    const double count = b->task->pictures, speed = count / median(row->seconds, steps);
    printf("%-20s %7d %11.0f %11.0f %11.0f %7.3f %10.3f\n", name, threads, speed, speed / threads,
           count / median(row->alone, steps), median(row->ratios, steps),
           median(row->processor, steps));
    fflush(stdout);
}

/* Times a pass and its ceiling, and prints the row. `fresh`: without the cache of the pass before. */
static bool time_row(Bench *b, const char *name, Pass *pass, Pass *ceiling, bool fresh,
                     Error *error)
{
    const size_t steps = (size_t)b->task->steps;
    double *room = memory_small(4 * steps, sizeof *room);
    const Row row = {room, room + steps, room + 2 * steps, room + 3 * steps};
    bool ok = true;
    for (size_t i = 0; ok && i <= steps; i++) {
        const size_t at = i > 0 ? i - 1 : 0; /* the first one is not counted */
        Times ours, alone;
        if (fresh)
            remove_tree(b->cache);
        ok = time_pass(pass, b, &ours, error) && time_pass(ceiling, b, &alone, error);
        if (!ok)
            break;
        row.seconds[at] = ours.clock;
        row.alone[at] = alone.clock;
        row.ratios[at] = ours.clock / alone.clock;
        row.processor[at] = ours.processor / alone.processor;
    }
    if (ok)
        print_row(b, name, &row);
    memory_free(room);
    return ok;
}

/* One thread, and all of them where there are more. */
static bool time_row_by_threads(Bench *b, const char *name, Pass *pass, Pass *ceiling, bool fresh,
                                Error *error)
{
    program_set_threads(b->task->threads);
    const int all = omp_get_max_threads();
    program_set_threads(1);
    bool ok = time_row(b, name, pass, ceiling, fresh, error);
    program_set_threads(all);
    return ok && (all == 1 || time_row(b, name, pass, ceiling, fresh, error));
}

/* -- The table --------------------------------------------------------------------------------- */

static bool time_kind(Bench *b, PictureKind kind, const char *decoded, const char *cached,
                      Error *error)
{
    b->kind = kind;
    const bool ok = make_files(b, error) &&
                    time_row_by_threads(b, decoded, decode, decode_alone, false, error) &&
                    time_row_by_threads(b, cached, make_cache, decode_alone, true, error);
    if (!ok || kind == PICTURE_PNG) /* the last files are needed: the cache is of them */
        return ok;
    remove_files(b);
    return true;
}

static bool time_all(Bench *b, Error *error)
{
    EpochOrder order = {0};
    bool ok = make_root(b, error) && epoch_make(&order, 1, b->task->pictures, error);
    if (ok)
        epoch_indices(&order, 0, b->task->pictures, b->order);
    epoch_free(&order);
    if (!ok)
        return false;
    printf("%d pictures of %dx%d, %s and libpng %s\n", b->task->pictures, SIDE, SIDE,
           picture_jpeg_library(), codec_png_version());
    printf("%-20s %7s %11s %11s %11s %7s %10s\n", "work", "threads", "pictures/s", "per thread",
           "ceiling/s", "ratio", "processor");
    ok = time_kind(b, PICTURE_JPEG, "JPEG, decoded", "JPEG, into a cache", error) &&
         time_kind(b, PICTURE_PNG, "PNG, decoded", "PNG, into a cache", error);
    program_set_threads(1);
    return ok && time_row(b, "cache, read", read_cache, read_alone, false, error);
}

bool pictures_print(const PicturesTask *task, Error *error)
{
    program_set_threads(task->threads);
    const size_t rooms = (size_t)omp_get_max_threads() * PICTURE;
    Bench bench = {.task = task, .set = {.fd = -1}};
    bench.order = memory_small((size_t)task->pictures, sizeof *bench.order);
    bench.pixels = memory_large(rooms + READ_AT_ONCE * IMAGE, 1, "pixels", error);
    bench.images = bench.pixels ? bench.pixels + rooms : NULL;
    const bool ok = bench.pixels && time_all(&bench, error);
    picture_set_free(&bench.set);
    cache_place_set(NULL, false);
    if (bench.root) {
        remove_files(&bench);
        remove_tree(bench.root);
    }
    memory_free(bench.order);
    memory_free(bench.pixels);
    memory_free(bench.root);
    memory_free(bench.files);
    memory_free(bench.cache);
    return ok;
}
