/* data.format pictures: PNG and JPEG in a directory or an archive, which are decoded into memory.
 * Labels are the names of their directories.
 *
 * picture_set.c reads the pictures.
 */
#include "base/memory.h"
#include "base/note.h"
#include "data/bundle.h"
#include "data/dataset_format.h"
#include "data/picture_set.h"

#include <string.h>
#include <sys/stat.h>

extern const DatasetFormat dataset_pictures;

/* Any directory and any archive: this format is the last of the list. */
static bool detects(const char *path)
{
    struct stat status;
    return (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) || bundle_detects(path);
}

static void tell(const Dataset *dataset, const PictureSet *set)
{
    if (set->broken > 0)
        note("%s: %lld broken pictures are left out, %lld are taken", dataset->path,
             (long long)set->broken, (long long)set->count);
    if (set->others > 0)
        note("%s: %lld of its files are no PNG or JPEG, and are passed over (%s)", dataset->path,
             (long long)set->others, set->first_other);
    if (set->profiles > 0)
        note("%s: %lld pictures have a colour profile, which is ignored", dataset->path,
             (long long)set->profiles);
}

static PictureRule rule_of(const Dataset *dataset)
{
    return (PictureRule){.resolution = dataset->resolution,
                         .channels = dataset->channels,
                         .resize = dataset->resize,
                         .background = dataset->background};
}

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    return picture_set_shape(resolution, channels, path, error);
}

static bool open_images(Dataset *dataset, Error *error)
{
    const PictureRule rule = rule_of(dataset);
    if (rule.channels != 1 && rule.channels != 3)
        return error_input(error, "%s: pictures have 1 or 3 channels, but data.channels is %d",
                           dataset->path, rule.channels);
    PictureSet *set = dataset->state = memory_small(1, sizeof *set);
    if (!picture_set_read(set, dataset->path, &rule, dataset->on_broken, error))
        return false;
    tell(dataset, set);
    dataset->stored = set->count;
    return true;
}

static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error)
{
    (void)error;
    const PictureSet *set = dataset->state;
    const size_t size = dataset->image_size;
    for (int i = 0; i < n; i++)
        memcpy(bytes + (size_t)i * size, set->pixels + (size_t)set->slots[indices[i]] * size, size);
    return true;
}

static void close_images(Dataset *dataset)
{
    if (dataset->state)
        picture_set_free(dataset->state);
    memory_free(dataset->state);
}

static char *labels_path(const Dataset *dataset)
{
    return memory_string(dataset->path);
}

/* Only the pictures of the data set itself have labels: another directory has other pictures. */
static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    if (dataset->format != &dataset_pictures || strcmp(path, dataset->path) != 0)
        return error_input(error, "%s: holds pictures, expected a file of labels", path);
    const PictureSet *set = dataset->state;
    labels->count = set->count;
    labels->values = memory_large((size_t)labels->count, sizeof *labels->values, "labels", error);
    return labels->values && picture_set_labels(set, path, labels->values, error);
}

const DatasetFormat dataset_pictures = {
    .detects = detects,
    .shape = shape,
    .open = open_images,
    .read_bytes = read_bytes,
    .labels_path = labels_path,
    .labels = read_labels,
    .close = close_images,
};
