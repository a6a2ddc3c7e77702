/* Files are read one after another and decoded in batches, each picture by one thread. What happens
 * does not depend on the threads: outcomes are looked at in the order of the files.
 */
#include "data/picture_set.h"

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/note.h"
#include "data/picture.h"
#include "data/picture_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 256,
    /* Bytes of files after which a batch ends. */
    BATCH_BYTES = 1 << 26,
    /* Broken pictures that get a note each. */
    MOST_NOTES = 10,
};

/* The share of the machine's memory that images may take. */
static const double memory_share = 0.8;

typedef enum Outcome { PICTURE_FITS, PICTURE_BROKEN, PICTURE_UNFIT } Outcome;

/* A picture on its way. */
typedef struct Item {
    PictureFile file;
    Outcome outcome;
    bool has_profile;
    Error error;
} Item;

typedef struct Reading {
    PictureSet *set;
    const char *path;
    const PictureRule *rule;
    OnBroken on_broken;
    size_t image_size;
    Item *items;
} Reading;

/* -- Names ------------------------------------------------------------------------------------- */

/* A name for messages: characters that would break a line are replaced. */
typedef struct ShownName {
    char text[256];
} ShownName;

static ShownName show(const char *name)
{
    ShownName shown = {""};
    snprintf(shown.text, sizeof shown.text, "%s", name);
    for (char *c = shown.text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return shown;
}

/* A name and where its image lies. */
typedef struct Place {
    char *name;
    uint32_t slot;
} Place;

static int compare(const void *a, const void *b)
{
    return strcmp(((const Place *)a)->name, ((const Place *)b)->name);
}

/* Sorts the names, of which no two may be the same. */
static bool sort(PictureSet *set, const char *path, Error *error)
{
    Place *places = memory_large((size_t)set->count, sizeof *places, "names of pictures", error);
    for (int64_t i = 0; places && i < set->count; i++)
        places[i] = (Place){set->names[i], set->slots[i]};
    if (places)
        qsort(places, (size_t)set->count, sizeof *places, compare);
    bool ok = places != NULL;
    for (int64_t i = 0; places && i < set->count; i++) {
        set->names[i] = places[i].name;
        set->slots[i] = places[i].slot;
        if (ok && i > 0 && strcmp(set->names[i - 1], set->names[i]) == 0)
            ok = error_input(error, "%s: holds two pictures named %s", path,
                             show(set->names[i]).text);
    }
    memory_free(places);
    return ok;
}

/* -- Decoding ---------------------------------------------------------------------------------- */

/* image := the picture of the item. */
static void decode(const Reading *reading, Item *item, uint8_t *image)
{
    Picture picture = {0};
    if (item->file.problem[0]) {
        error_input(&item->error, "%s", item->file.problem);
        item->outcome = PICTURE_BROKEN;
    } else if (!picture_decode(&picture, item->file.bytes, (size_t)item->file.size, &item->error)) {
        item->outcome = PICTURE_BROKEN;
    } else if (!picture_fit(&picture, reading->rule, image, &item->error)) {
        item->outcome = PICTURE_UNFIT;
    }
    item->has_profile = picture.has_profile;
    picture_free(&picture);
}

/* Makes room for n images more. */
static bool grow(const Reading *reading, int64_t n, Error *error)
{
    PictureSet *set = reading->set;
    if (set->count + n <= set->capacity)
        return true;
    const int64_t needed = set->count + n, grown = set->capacity + set->capacity / 2 + n;
    const double possible = memory_share * memory_of_machine() / (double)reading->image_size;
    const int64_t capacity = (double)grown > possible ? needed : grown;
    if (capacity > UINT32_MAX || (double)capacity > possible)
        return error_runtime(
            error,
            "%s: its images need more memory than this machine has; HDF5 files are "
            "read in parts (data.format: hdf5)",
            reading->path);
    uint8_t *pixels = realloc(set->pixels, (size_t)capacity * reading->image_size);
    if (!pixels)
        return error_runtime(error, "%s: not enough memory for its images", reading->path);
    set->pixels = pixels;
    set->names = memory_grow(set->names, (size_t)capacity, sizeof *set->names);
    set->slots = memory_grow(set->slots, (size_t)capacity, sizeof *set->slots);
    set->capacity = capacity;
    return true;
}

/* Keeps an item whose image is at `image`, or says why not. */
static bool keep(const Reading *reading, Item *item, const uint8_t *image, Error *error)
{
    PictureSet *set = reading->set;
    const ShownName name = show(item->file.name);
    if (item->outcome == PICTURE_FITS) {
        uint8_t *place = set->pixels + (size_t)set->count * reading->image_size;
        if (place != image)
            memmove(place, image, reading->image_size);
        set->slots[set->count] = (uint32_t)set->count;
        set->names[set->count++] = item->file.name;
        set->profiles += item->has_profile;
        item->file.name = NULL;
        return true;
    }
    const bool skipped = item->outcome == PICTURE_BROKEN && reading->on_broken == BROKEN_SKIP &&
                         item->error.kind == ERROR_INPUT;
    if (!skipped && item->error.kind == ERROR_RUNTIME)
        return error_runtime(error, "%s: %s: %s", reading->path, name.text, item->error.message);
    if (!skipped)
        return error_input(error, "%s: %s %s", reading->path, name.text, item->error.message);
    if (set->broken++ < MOST_NOTES)
        note("%s: %s %s, and is left out", reading->path, name.text, item->error.message);
    return true;
}

static bool decode_batch(const Reading *reading, int n, Error *error)
{
    if (!grow(reading, n, error))
        return false;
    uint8_t *images = reading->set->pixels + (size_t)reading->set->count * reading->image_size;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < n; i++)
        decode(reading, &reading->items[i], images + (size_t)i * reading->image_size);
    for (int i = 0; i < n; i++)
        if (!keep(reading, &reading->items[i], images + (size_t)i * reading->image_size, error))
            return false;
    return interrupt_continues(error);
}

static void forget_batch(Item *items, int n)
{
    for (int i = 0; i < n; i++) {
        memory_free(items[i].file.name);
        memory_free(items[i].file.bytes);
        items[i] = (Item){0};
    }
}

static bool read_batches(const Reading *reading, PictureFiles *files, Error *error)
{
    for (bool more = true; more;) {
        int n = 0;
        bool ok = true;
        for (int64_t bytes = 0; ok && more && n < BATCH && bytes < BATCH_BYTES;) {
            ok = picture_files_next(files, &reading->items[n].file, error);
            more = ok && reading->items[n].file.name;
            bytes += reading->items[n].file.size;
            n += more;
        }
        ok = ok && (n == 0 || decode_batch(reading, n, error));
        forget_batch(reading->items, n);
        if (!ok)
            return false;
    }
    return true;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool check_some(const PictureSet *set, const char *path, Error *error)
{
    if (set->count > 0)
        return true;
    if (set->broken > 0)
        return error_input(error, "%s: all its %lld pictures are broken", path,
                           (long long)set->broken);
    return error_input(error, "%s: holds no PNG or JPEG", path);
}

bool picture_set_shape(int *resolution, int *channels, const char *path, Error *error)
{
    PictureFiles *files = NULL;
    Picture picture = {0};
    bool ok = picture_files_open(&files, path, error);
    while (ok && !picture.pixels) {
        PictureFile file;
        Error unused;
        ok = picture_files_next(files, &file, error) &&
             (file.name || error_input(error, "%s: holds no PNG or JPEG", path));
        if (ok && file.bytes)
            (void)picture_decode(&picture, file.bytes, (size_t)file.size, &unused);
        if (ok) {
            memory_free(file.bytes);
            memory_free(file.name);
        }
    }
    *resolution = picture.width < picture.height ? picture.width : picture.height;
    *channels = picture.channels >= 3 ? 3 : 1;
    picture_free(&picture);
    picture_files_close(files);
    return ok;
}

bool picture_set_read(PictureSet *set, const char *path, const PictureRule *rule,
                      OnBroken on_broken, Error *error)
{
    PictureFiles *files = NULL;
    const size_t image_size =
        (size_t)rule->resolution * (size_t)rule->resolution * (size_t)rule->channels;
    Reading reading = {set,       path,       rule,
                       on_broken, image_size, memory_small(BATCH, sizeof *reading.items)};
    *set = (PictureSet){0};
    bool ok = picture_files_open(&files, path, error) && read_batches(&reading, files, error);
    if (ok) {
        const char *first = NULL;
        set->others = picture_files_others(files, &first);
        set->first_other = memory_string(first);
        ok = check_some(set, path, error) && sort(set, path, error);
    }
    picture_files_close(files);
    memory_free(reading.items);
    if (!ok)
        picture_set_free(set);
    return ok;
}

void picture_set_free(PictureSet *set)
{
    for (int64_t i = 0; i < set->count; i++)
        memory_free(set->names[i]);
    memory_free(set->names);
    memory_free(set->slots);
    memory_free(set->pixels);
    memory_free(set->first_other);
    *set = (PictureSet){0};
}

/* -- Classes ----------------------------------------------------------------------------------- */

/* Bytes of the directories, with the last slash, that all names share. Names are in byte order, so the
 * first and the last one tell. */
static size_t shared_directories(const PictureSet *set)
{
    const char *first = set->names[0], *last = set->names[set->count - 1];
    size_t shared = 0;
    for (size_t i = 0; first[i] && first[i] == last[i]; i++)
        if (first[i] == '/')
            shared = i + 1;
    return shared;
}

bool picture_set_labels(const PictureSet *set, const char *path, int64_t *labels, Error *error)
{
    const size_t shared = shared_directories(set);
    const char *class = NULL;
    size_t length = 0;
    int64_t label = -1;
    for (int64_t i = 0; i < set->count; i++) {
        const char *name = set->names[i] + shared, *slash = strchr(name, '/');
        if (!slash)
            return error_input(error,
                               "%s: %s lies in no directory of a class; expected every picture in "
                               "one, or a file of labels",
                               path, show(set->names[i]).text);
        if (!class || (size_t)(slash - name) != length || strncmp(class, name, length) != 0)
            label++;
        class = name;
        length = (size_t)(slash - name);
        labels[i] = label;
    }
    return true;
}
