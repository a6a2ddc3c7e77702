/* Chooses between a cache that is there and a pass over the pictures.
 *
 * The key of a cache is made of the state of the files, which is looked at before the pass and again
 * behind it. If pictures were changed meanwhile, the cache is not kept.
 */
#include "data/picture_set.h"

#include "base/clock.h"
#include "base/fingerprint.h"
#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/progress.h"
#include "data/cache_place.h"
#include "data/picture.h"
#include "data/picture_cache.h"
#include "data/picture_files.h"
#include "data/picture_pass.h"
#include "data/picture_store.h"
#include "io/file_kind.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- The shape --------------------------------------------------------------------------------- */

/* Decodes the file if it is a picture. *broken := what is wrong with the first one that is not sound. */
static void look_at(Picture *picture, const char *path, const PictureFile *file, Error *broken)
{
    Error problem = {0};
    if (file->problem[0])
        error_input(&problem, "%s", file->problem);
    else if (file->bytes)
        (void)picture_decode(picture, file->bytes, (size_t)file->size, &problem);
    if (file->is_picture && problem.kind != ERROR_NONE && broken->kind == ERROR_NONE)
        error_input(broken, "%s: %s %s", path, picture_name(file->name).text, problem.message);
}

bool picture_set_shape(int *resolution, int *channels, const char *path, Error *error)
{
    PictureFiles *files = NULL;
    Picture picture = {0};
    Error broken = {0};
    bool ok = picture_files_open(&files, path, error);
    while (ok && !picture.pixels) {
        PictureFile file;
        ok = picture_files_next(files, &file, error);
        if (ok && !file.name) {
            ok = error_input(error, "%s: holds no PNG or JPEG", path);
            if (broken.kind != ERROR_NONE)
                *error = broken;
        } else if (ok) {
            picture_files_load(files, &file);
            look_at(&picture, path, &file, &broken);
            picture_files_forget(&file);
        }
    }
    *resolution = picture.width < picture.height ? picture.width : picture.height;
    *channels = picture.channels >= 3 ? 3 : 1;
    picture_free(&picture);
    picture_files_close(files);
    return ok;
}

/* -- The key ----------------------------------------------------------------------------------- */

/* To be raised where the bytes that decoders make of a picture change. */
static const int64_t decoders_version = 1;

static bool make_key(const PictureSet *set, PictureCacheKey *key, Error *error)
{
    const PictureRule *rule = set->options.rule;
    const int64_t facts[] = {decoders_version, rule->resolution, rule->channels,
                             (int64_t)rule->resize, (int64_t)rule->background};
    uint64_t state = 0;
    char *real = realpath(set->path, NULL);
    const char *path = real ? real : set->path;
    *key = (PictureCacheKey){.resolution = rule->resolution, .channels = rule->channels};
    key->place = fingerprint(FINGERPRINT_START, facts, sizeof facts);
    const bool ok = picture_files_state(set->path, &state, error);
    key->key = fingerprint(key->place, &state, sizeof state);
    key->place = fingerprint(key->place, path, strlen(path));
    free(real);
    return ok;
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* The cache of the key, for memory_free; NULL: there is no place for one. */
static char *cache_path(const PictureSet *set, const PictureCacheKey *key)
{
    const CachePlace place = cache_place();
    if (!place.directory || set->options.cache == DATA_CACHE_NEVER)
        return NULL;
    return picture_cache_path(place.directory, key->key);
}

/* A cache may have been made with broken pictures left out. */
static bool check_broken(const PictureSet *set, Error *error)
{
    const PictureIndex *index = &set->index;
    return index->broken == 0 || set->options.on_broken == BROKEN_SKIP ||
           error_input(error, "%s: %s", set->path, index->complaints[0]);
}

static bool decode_all(PictureSet *set, const PictureCacheKey *key, Error *error)
{
    const PictureStorePlan plan = {.path = set->path,
                                   .cache = set->options.cache,
                                   .limit = set->options.cache_limit,
                                   .key = *key};
    PictureStore *store = picture_store_new(&plan);
    const PicturePass pass = {.path = set->path,
                              .rule = set->options.rule,
                              .on_broken = set->options.on_broken,
                              .index = &set->index,
                              .store = store};
    PictureCacheKey after;
    bool ok = picture_pass_run(&pass, error) && make_key(set, &after, error);
    const char *spoiled = ok && after.key != key->key ? "pictures were changed while they were read"
                          : set->index.unreadable > 0
                              ? "the system did not let all pictures be read"
                              : NULL;
    ok = ok && picture_store_finish(store, &set->index, spoiled, &set->pixels, &set->fd, error);
    if (!ok)
        picture_store_free(store);
    return ok;
}

static void tell(const PictureSet *set)
{
    const PictureIndex *index = &set->index;
    for (int i = 0; i < picture_index_listed(index); i++)
        note("%s: %s, and is left out", set->path, index->complaints[i]);
    if (index->broken > 0)
        note("%s: %lld broken pictures are left out, %lld are taken", set->path,
             (long long)index->broken, (long long)index->count);
    if (index->others > 0)
        note("%s: %lld of its files are no PNG or JPEG, and are passed over (%s)", set->path,
             (long long)index->others, picture_name(index->first_other).text);
    if (index->profiles > 0)
        note("%s: %lld pictures have a colour profile, which is ignored", set->path,
             (long long)index->profiles);
}

/* Opens the cache. */
static CacheState find(PictureSet *set, const PictureCacheKey *key)
{
    char *cache = cache_path(set, key);
    const CacheState state =
        cache ? picture_cache_open(cache, key, &set->index, &set->fd) : CACHE_ABSENT;
    if (state == CACHE_DAMAGED)
        note("%s: is damaged, and the pictures are decoded again", cache);
    memory_free(cache);
    return state;
}

/* Of several processes the first one decodes, and the others wait for its cache. A set so small that
 * it has none is then decoded by each. */
static bool find_or_decode(PictureSet *set, const PictureCacheKey *key, Error *error)
{
    bool found = find(set, key) == CACHE_FOUND;
    if (group_size() > 1 && group_any(!found)) {
        const bool decodes = !found && group_is_first();
        if (!group_agree(!decodes || decode_all(set, key, error), error))
            return false;
        found = found || decodes || find(set, key) == CACHE_FOUND;
    }
    return found || decode_all(set, key, error);
}

bool picture_set_open(PictureSet *set, const char *path, const PictureSetOptions *options,
                      Error *error)
{
    const size_t side = (size_t)options->rule->resolution;
    PictureCacheKey key;
    *set = (PictureSet){.path = path,
                        .options = *options,
                        .image_size = side * side * (size_t)options->rule->channels,
                        .fd = -1};
    if (!group_agree(make_key(set, &key, error), error))
        return false;
    if (!find_or_decode(set, &key, error) || !check_broken(set, error))
        return false;
    tell(set);
    return true;
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* Decodes the pictures again, in place of a cache that is damaged. They must be the same. */
static bool decode_again(PictureSet *set, Error *error)
{
    PictureCacheKey key;
    PictureSet again = {
        .path = set->path, .options = set->options, .image_size = set->image_size, .fd = -1};
    note("%s: its cache is damaged, and the pictures are decoded again", set->path);
    bool ok = make_key(&again, &key, error) && decode_all(&again, &key, error);
    if (ok && (again.index.count != set->index.count ||
               memcmp(again.index.prints, set->index.prints,
                      (size_t)set->index.count * sizeof *set->index.prints) != 0 ||
               memcmp(again.index.slots, set->index.slots,
                      (size_t)set->index.count * sizeof *set->index.slots) != 0))
        ok = error_runtime(error, "%s: its pictures were changed while they were used", set->path);
    if (ok) {
        const PictureSet before = *set;
        *set = again;
        again = before;
    }
    picture_set_free(&again);
    return ok;
}

enum { PART = 256 };

static void find_slots(const PictureSet *set, const int64_t *indices, int n, uint32_t slots[PART])
{
    for (int i = 0; i < n; i++)
        slots[i] = set->index.slots[indices[i]];
}

static bool read_part(PictureSet *set, const int64_t *indices, int n, uint8_t *images)
{
    uint32_t slots[PART];
    find_slots(set, indices, n, slots);
    if (!set->pixels)
        return picture_cache_read(set->fd, &set->index, set->image_size, slots, n, images);
    for (int i = 0; i < n; i++)
        memcpy(images + (size_t)i * set->image_size,
               set->pixels + (size_t)slots[i] * set->image_size, set->image_size);
    return true;
}

bool picture_set_read(PictureSet *set, const int64_t *indices, int n, uint8_t *images, Error *error)
{
    for (int first = 0; first < n; first += PART) {
        const int part = n - first < PART ? n - first : PART;
        uint8_t *to = images + (size_t)first * set->image_size;
        if (read_part(set, indices + first, part, to))
            continue;
        if (!decode_again(set, error))
            return false;
        if (!read_part(set, indices + first, part, to))
            return error_runtime(error, "%s: its cache cannot be read", set->path);
    }
    return true;
}

void picture_set_expect(const PictureSet *set, const int64_t *indices, int n)
{
    for (int first = 0; set->fd >= 0 && first < n; first += PART) {
        uint32_t slots[PART];
        const int part = n - first < PART ? n - first : PART;
        find_slots(set, indices + first, part, slots);
        picture_cache_expect(set->fd, set->image_size, slots, part);
    }
}

/* -- Verifying --------------------------------------------------------------------------------- */

/* Reads every image, and so compares its fingerprint. */
static bool read_all(PictureSet *set, Error *error)
{
    const int64_t count = set->index.count;
    uint8_t *images = memory_large(PART, set->image_size, "images", error);
    bool ok = images != NULL;
    Progress progress;
    progress_start(&progress, "reading the cache", 0, count, 1, "images/s",
                   !cache_place().shows_progress);
    progress.shown = clock_seconds(); /* the first line comes after an interval */
    for (int64_t first = 0; ok && first < count; first += PART) {
        int64_t indices[PART];
        int n = 0;
        for (; n < PART && first + n < count; n++)
            indices[n] = first + n;
        ok = interrupt_continues_alone(error) && picture_set_read(set, indices, n, images, error);
        progress_update(&progress, first + n, "%lld left", (long long)(count - first - n));
    }
    if (clock_seconds() - progress.start_time > progress.interval)
        progress_finish(&progress);
    memory_free(images);
    return ok;
}

bool picture_set_verify(PictureSet *set, Error *error)
{
    char *changed = NULL;
    PictureCacheKey key;
    if (!read_all(set, error) || !picture_pass_compare(set->path, &set->index, &changed, error))
        return false;
    if (!changed)
        return true;
    error_input(error, "%s: %s is not as it was when its cache was made", set->path, changed);
    memory_free(changed);
    Error unused;
    char *cache = make_key(set, &key, &unused) ? cache_path(set, &key) : NULL;
    if (cache && access(cache, F_OK) == 0) {
        file_kind_remove(cache, FILE_DATA_CACHE);
        error_add(error, "; %s is removed, and the next command makes it anew", cache);
    }
    memory_free(cache);
    return false;
}

/* -- Labels ------------------------------------------------------------------------------------ */

bool picture_set_labels(const PictureSet *set, int64_t *labels, Error *error)
{
    const PictureIndex *index = &set->index;
    if (index->outside)
        return error_absent(error,
                            "%s: %s lies in no directory of a class; expected every picture in "
                            "one, or a file of labels",
                            set->path, picture_name(index->outside).text);
    for (int64_t i = 0; i < index->count; i++)
        labels[i] = index->labels[i];
    return true;
}

void picture_set_free(PictureSet *set)
{
    picture_index_free(&set->index);
    free(set->pixels);
    if (set->fd >= 0 && set->image_size > 0) /* a zeroed struct has no file */
        close(set->fd);
    set->pixels = NULL;
    set->fd = -1;
}
