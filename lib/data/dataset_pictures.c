/* data.format pictures: PNG and JPEG in a directory or an archive. Labels are the names of their
 * directories.
 *
 * picture_set.c reads the pictures.
 */
#include "base/memory.h"
#include "data/bundle.h"
#include "data/dataset_format.h"
#include "data/picture_set.h"

#include <string.h>
#include <sys/stat.h>

extern const DatasetFormat dataset_pictures;

typedef struct Pictures {
    PictureRule rule;
    PictureSet set;
} Pictures;

/* Any directory and any archive: this format is the last of the list. */
static bool detects(const char *path)
{
    struct stat status;
    return (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) || bundle_detects(path);
}

static bool shape(const char *path, int *resolution, int *channels, Error *error)
{
    return picture_set_shape(resolution, channels, path, error);
}

static bool open_images(Dataset *dataset, Error *error)
{
    if (dataset->channels != 1 && dataset->channels != 3)
        return error_input(error, "%s: pictures have 1 or 3 channels, but data.channels is %d",
                           dataset->path, dataset->channels);
    Pictures *pictures = dataset->state = memory_small(1, sizeof *pictures);
    pictures->rule = (PictureRule){.resolution = dataset->resolution,
                                   .channels = dataset->channels,
                                   .resize = dataset->resize,
                                   .background = dataset->background};
    const PictureSetOptions options = {.rule = &pictures->rule,
                                       .on_broken = dataset->on_broken,
                                       .cache = dataset->cache,
                                       .cache_limit = dataset->cache_limit};
    if (!picture_set_open(&pictures->set, dataset->path, &options, error))
        return false;
    dataset->stored = pictures->set.index.count;
    return true;
}

static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error)
{
    Pictures *pictures = dataset->state;
    return picture_set_read(&pictures->set, indices, n, bytes, error);
}

static void expect(Dataset *dataset, const int64_t *indices, int n)
{
    const Pictures *pictures = dataset->state;
    picture_set_expect(&pictures->set, indices, n);
}

static bool verify(Dataset *dataset, Error *error)
{
    Pictures *pictures = dataset->state;
    return picture_set_verify(&pictures->set, error);
}

static void release(void *state)
{
    picture_set_free(&((Pictures *)state)->set);
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
    const Pictures *pictures = dataset->state;
    const PictureIndex *index = &pictures->set.index;
    labels->count = index->count;
    labels->values = memory_large((size_t)labels->count, sizeof *labels->values, "labels", error);
    if (!labels->values || !picture_set_labels(&pictures->set, labels->values, error))
        return false;
    for (int64_t i = 0; i < index->classes; i++)
        raw_labels_name(labels, index->class_names[i]);
    return true;
}

const DatasetFormat dataset_pictures = {
    .detects = detects,
    .endings = {".zip", ".tar", ".tar.gz", ".tgz"},
    .shape = shape,
    .open = open_images,
    .read_bytes = read_bytes,
    .expect = expect,
    .verify = verify,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
