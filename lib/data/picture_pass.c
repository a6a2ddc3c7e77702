/* Files go through in batches, each picture by one thread. While the threads decode a batch, one of
 * them first gets the files of the next batch, which an archive can only give one after another. What
 * happens does not depend on the threads: outcomes are looked at in the order of the files.
 */
#include "data/picture_pass.h"

#include "base/fingerprint.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "data/picture_files.h"
#include "data/picture_progress.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Files of a batch. */
    MOST_FILES = 256,
    /* Bytes of files of an archive, and of images, after which a batch ends. */
    BATCH_BYTES = 1 << 26,
};

typedef enum Outcome { PICTURE_FITS, PICTURE_BROKEN, PICTURE_UNFIT, PICTURE_OTHER } Outcome;

/* A picture on its way. */
typedef struct Item {
    PictureFile file;
    Outcome outcome;
    bool has_profile;
    /* Fingerprints of the file and of the image. */
    uint64_t source, print;
    Error error;
} Item;

typedef struct Batch {
    Item items[MOST_FILES];
    int count;
} Batch;

typedef struct Run {
    const PicturePass *pass;
    PictureFiles *files;
    size_t image_size;
    /* Files of a batch, at most. */
    int most;
    Batch batches[2];
    /* [most, image_size] */
    uint8_t *images;
    /* [index->count], by slot. */
    char **names;
    /* Of what `names` and the arrays of the index have room for. */
    int64_t name_capacity, source_capacity;
    /* Whether there may be more files. */
    bool more;
    PictureProgress progress;
} Run;

/* -- Files ------------------------------------------------------------------------------------- */

static void forget(Batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        picture_files_forget(&batch->items[i].file);
    batch->count = 0;
}

/* Gets the names of the next files, and their contents where they lie in an archive. */
static bool fill(Run *run, Batch *batch, Error *error)
{
    for (int64_t bytes = 0; run->more && batch->count < run->most && bytes < BATCH_BYTES;) {
        Item *item = &batch->items[batch->count];
        *item = (Item){0};
        if (!picture_files_next(run->files, &item->file, error))
            return false;
        run->more = item->file.name != NULL;
        batch->count += run->more;
        bytes += item->file.size;
    }
    return true;
}

/* -- Decoding ---------------------------------------------------------------------------------- */

/* image := the picture of the item. */
static void decode(const Run *run, Item *item, uint8_t *image)
{
    Picture picture = {0};
    picture_files_load(run->files, &item->file);
    if (!item->file.is_picture) {
        item->outcome = PICTURE_OTHER;
        return;
    }
    item->source =
        fingerprint(FINGERPRINT_START, item->file.bytes ? item->file.bytes : (const uint8_t *)"",
                    (size_t)item->file.size);
    if (item->file.problem[0]) {
        error_input(&item->error, "%s", item->file.problem);
        item->outcome = PICTURE_BROKEN;
    } else if (!picture_decode(&picture, item->file.bytes, (size_t)item->file.size, &item->error)) {
        item->outcome = PICTURE_BROKEN;
    } else if (!picture_fit(&picture, run->pass->rule, image, &item->error)) {
        item->outcome = PICTURE_UNFIT;
    } else {
        item->print = fingerprint(FINGERPRINT_START, image, run->image_size);
    }
    item->has_profile = picture.has_profile;
    picture_free(&picture);
    memory_free(item->file.bytes);
    item->file.bytes = NULL;
}

/* -- Outcomes ---------------------------------------------------------------------------------- */

static void add_source(Run *run, uint64_t source)
{
    PictureIndex *index = run->pass->index;
    if (index->files == run->source_capacity) {
        run->source_capacity = run->source_capacity ? 2 * run->source_capacity : MOST_FILES;
        index->sources =
            memory_grow(index->sources, (size_t)run->source_capacity, sizeof *index->sources);
    }
    index->sources[index->files++] = source;
}

static bool add_image(Run *run, Item *item, const uint8_t *image, Error *error)
{
    PictureIndex *index = run->pass->index;
    if (index->count == UINT32_MAX)
        return error_input(error, "%s: holds more than %lld pictures", run->pass->path,
                           (long long)UINT32_MAX);
    if (index->count == run->name_capacity) {
        run->name_capacity = run->name_capacity ? 2 * run->name_capacity : MOST_FILES;
        run->names = memory_grow(run->names, (size_t)run->name_capacity, sizeof *run->names);
        index->prints =
            memory_grow(index->prints, (size_t)run->name_capacity, sizeof *index->prints);
    }
    if (!picture_store_add(run->pass->store, image, 1, error))
        return false;
    index->prints[index->count] = item->print;
    index->profiles += item->has_profile;
    run->names[index->count++] = item->file.name;
    item->file.name = NULL;
    return true;
}

static bool refuse(const Run *run, const Item *item, const char *name, Error *error)
{
    const char *path = run->pass->path, *problem = item->error.message;
    if (item->error.kind == ERROR_RUNTIME)
        return error_runtime(error, "%s: %s: %s", path, name, problem);
    return error_input(error, "%s: %s %s", path, name, problem);
}

/* Keeps an item whose image is at `image`, or says why not. */
static bool keep(Run *run, Item *item, const uint8_t *image, Error *error)
{
    PictureIndex *index = run->pass->index;
    if (item->outcome == PICTURE_OTHER) {
        if (index->others++ == 0)
            index->first_other = memory_string(item->file.name);
        return true;
    }
    add_source(run, item->source);
    if (item->outcome == PICTURE_FITS)
        return add_image(run, item, image, error);
    const PictureName name = picture_name(item->file.name);
    if (item->outcome != PICTURE_BROKEN || run->pass->on_broken != BROKEN_SKIP ||
        item->error.kind != ERROR_INPUT)
        return refuse(run, item, name.text, error);
    if (index->broken < PICTURE_MOST_COMPLAINTS)
        index->complaints[index->broken] = memory_format("%s %s", name.text, item->error.message);
    index->broken++;
    index->unreadable += item->file.is_unreadable;
    return true;
}

/* -- Batches ----------------------------------------------------------------------------------- */

/* Decodes a batch while the next one is filled. */
static bool step(Run *run, Batch *batch, Batch *next, Error *error)
{
    Error filling = {0};
    bool filled = true;
#pragma omp parallel
    {
#pragma omp master
        filled = fill(run, next, &filling);
#pragma omp for schedule(dynamic)
        for (int i = 0; i < batch->count; i++)
            decode(run, &batch->items[i], run->images + (size_t)i * run->image_size);
    }
    for (int i = 0; i < batch->count; i++)
        if (!keep(run, &batch->items[i], run->images + (size_t)i * run->image_size, error))
            return false;
    forget(batch);
    if (!filled)
        *error = filling;
    return filled && interrupt_continues_alone(error);
}

static bool run_batches(Run *run, Error *error)
{
    bool ok = fill(run, &run->batches[0], error);
    for (int at = 0; ok && (run->batches[at].count > 0 || run->more); at = !at) {
        ok = step(run, &run->batches[at], &run->batches[!at], error);
        picture_progress_show(&run->progress, run->pass->index->count);
    }
    forget(&run->batches[0]);
    forget(&run->batches[1]);
    return ok;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool check_some(const PictureIndex *index, const char *path, Error *error)
{
    if (index->count > 0)
        return true;
    if (index->broken > 0)
        return error_input(error, "%s: all its %lld pictures are broken", path,
                           (long long)index->broken);
    return error_input(error, "%s: holds no PNG or JPEG", path);
}

/* Fewer large images make a batch, but one for each thread at least. */
static int batch_size(size_t image_size)
{
    const int threads = omp_get_max_threads(), fits = (int)(BATCH_BYTES / image_size);
    const int wanted = fits > threads ? fits : threads;
    return wanted < MOST_FILES ? wanted : MOST_FILES;
}

bool picture_pass_run(const PicturePass *pass, Error *error)
{
    const size_t side = (size_t)pass->rule->resolution;
    Run *run = memory_small(1, sizeof *run);
    run->pass = pass;
    run->image_size = side * side * (size_t)pass->rule->channels;
    run->most = batch_size(run->image_size);
    run->more = true;
    run->images = memory_large((size_t)run->most, run->image_size, "pictures", error);
    bool ok = run->images && picture_files_open(&run->files, pass->path, error);
    if (ok) {
        picture_progress_start(&run->progress, "pictures", run->files);
        ok = run_batches(run, error);
        picture_progress_finish(&run->progress, ok);
        ok = ok && check_some(pass->index, pass->path, error) &&
             picture_index_sort(pass->index, run->names, pass->path, error);
    }
    for (int64_t i = 0; i < pass->index->count; i++)
        memory_free(run->names[i]);
    memory_free(run->names);
    picture_files_close(run->files);
    memory_free(run->images);
    memory_free(run);
    return ok;
}

/* -- Comparing --------------------------------------------------------------------------------- */

/* Reads the files of a batch, and fills in their fingerprints. */
static void read_batch(const PictureFiles *files, Batch *batch)
{
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < batch->count; i++) {
        Item *item = &batch->items[i];
        picture_files_load(files, &item->file);
        item->source = fingerprint(FINGERPRINT_START,
                                   item->file.bytes ? item->file.bytes : (const uint8_t *)"",
                                   (size_t)item->file.size);
    }
}

/* *changed := the first picture of the batch whose fingerprint is not number *at of the index, which
 * counts on. */
static void compare_batch(const Batch *batch, const PictureIndex *index, int64_t *at,
                          char **changed)
{
    for (int i = 0; i < batch->count && !*changed; i++) {
        const Item *item = &batch->items[i];
        if (item->file.is_picture &&
            (*at >= index->files || index->sources[(*at)++] != item->source))
            *changed = memory_string(picture_name(item->file.name).text);
    }
}

bool picture_pass_compare(const char *path, const PictureIndex *index, char **changed, Error *error)
{
    Run *run = memory_small(1, sizeof *run);
    Batch *batch = &run->batches[0];
    int64_t at = 0;
    run->most = MOST_FILES;
    run->more = true;
    *changed = NULL;
    bool ok = picture_files_open(&run->files, path, error);
    if (ok)
        picture_progress_start(&run->progress, "comparing files", run->files);
    while (ok && run->more && !*changed) {
        ok = fill(run, batch, error) && interrupt_continues_alone(error);
        if (ok) {
            read_batch(run->files, batch);
            compare_batch(batch, index, &at, changed);
            picture_progress_show(&run->progress, at);
        }
        forget(batch);
    }
    picture_progress_finish(&run->progress, ok && !*changed);
    if (ok && !*changed && at != index->files)
        *changed = memory_string("a picture that is no longer there");
    picture_files_close(run->files);
    memory_free(run);
    return ok;
}
