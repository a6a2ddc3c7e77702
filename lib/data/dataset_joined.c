/* Opens each path of the list as a data set of its own, and numbers their images on.
 *
 * A part has the format of its content, or the one that the configuration names. Parts hold nothing
 * out: dataset.c divides the whole. An image keeps the label that it has in its part. Classes of one
 * name are one class.
 */
#include "base/memory.h"
#include "config/config_paths.h"
#include "data/dataset_format.h"
#include "data/labels.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Paths in a field of a configuration, at most. */
enum { MOST_PARTS = CONFIG_TEXT_SIZE / 2 };

typedef struct Joined {
    Dataset *parts[MOST_PARTS];
    /* The number of the first image of each part, and after the last the number of all images. */
    int64_t first[MOST_PARTS + 1];
    int count;
} Joined;

static bool open_part(Joined *joined, const Config *config, Error *error)
{
    Dataset **part = &joined->parts[joined->count];
    if (!dataset_open(part, config, DATASET_TRAIN, error))
        return false;
    joined->first[joined->count + 1] = joined->first[joined->count] + dataset_count(*part);
    joined->count++;
    return true;
}

/* Whether two paths lead to one file or directory. */
static bool is_same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

/* Whether the directory `inner` lies in `outer`, at any depth. */
static bool holds(const char *outer, const char *inner)
{
    struct stat status;
    char *out = realpath(outer, NULL), *in = realpath(inner, NULL);
    const size_t length = out ? strlen(out) : 0;
    const bool inside = out && in && strncmp(in, out, length) == 0 && in[length] == '/' &&
                        stat(in, &status) == 0 && S_ISDIR(status.st_mode);
    free(out);
    free(in);
    return inside;
}

static bool check_pair(const Dataset *dataset, const char *a, const char *b, Error *error)
{
    if (is_same(a, b))
        return error_input(error, "%s: %s and %s are one file, expected each file once",
                           dataset->name, a, b);
    if (holds(a, b) || holds(b, a))
        return error_input(error, "%s: %s lies in %s, expected each file once", dataset->name,
                           holds(a, b) ? b : a, holds(a, b) ? a : b);
    return true;
}

/* An input error if one file is in the list twice: its images would count twice, and some of them would
 * be held out and trained on. */
static bool check_paths(const Dataset *dataset, Error *error)
{
    const char *rest = dataset->path, *others;
    char path[CONFIG_TEXT_SIZE], other[CONFIG_TEXT_SIZE];
    while (config_paths_next(&rest, path))
        for (others = rest; config_paths_next(&others, other);)
            if (!check_pair(dataset, path, other, error))
                return false;
    return true;
}

static bool open_images(Dataset *dataset, Error *error)
{
    Joined *joined = dataset->state = memory_small(1, sizeof *joined);
    Config config = *dataset->config;
    const char *rest = dataset->path;
    memset(config.data.test, 0, sizeof config.data.test);
    if (!check_paths(dataset, error))
        return false;
    while (config_paths_next(&rest, config.data.train))
        if (!open_part(joined, &config, error))
            return false;
    dataset->stored = joined->first[joined->count];
    if (dataset->stored > UINT32_MAX)
        return error_input(error, "%s: hold %lld images, expected at most %lld", dataset->name,
                           (long long)dataset->stored, (long long)UINT32_MAX);
    return true;
}

static int part_of(const Joined *joined, int64_t image)
{
    int part = 0;
    while (image >= joined->first[part + 1])
        part++;
    return part;
}

/* Reads runs of neighbours in the list that lie in one part. */
static bool read_bytes(Dataset *dataset, const int64_t *indices, int n, uint8_t *bytes,
                       Error *error)
{
    const Joined *joined = dataset->state;
    enum { MOST = 64 };
    for (int first = 0, run; first < n; first += run) {
        int64_t inside[MOST];
        const int part = part_of(joined, indices[first]);
        for (run = 0;
             run < MOST && first + run < n && part_of(joined, indices[first + run]) == part; run++)
            inside[run] = indices[first + run] - joined->first[part];
        Dataset *from = joined->parts[part];
        if (!dataset_read_stored(from, inside, run, bytes + (size_t)first * dataset->image_size,
                                 error))
            return false;
    }
    return true;
}

static void expect(Dataset *dataset, const int64_t *indices, int n)
{
    const Joined *joined = dataset->state;
    for (int i = 0; i < n; i++) {
        const int part = part_of(joined, indices[i]);
        const int64_t inside = indices[i] - joined->first[part];
        dataset_expect(joined->parts[part], &inside, 1);
    }
}

static bool verify(Dataset *dataset, Error *error)
{
    const Joined *joined = dataset->state;
    for (int i = 0; i < joined->count; i++)
        if (!dataset_verify(joined->parts[i], error))
            return false;
    return true;
}

static void release(void *state)
{
    Joined *joined = state;
    for (int i = 0; i < joined->count; i++)
        dataset_close(joined->parts[i]);
}

static char *labels_path(const Dataset *dataset)
{
    return memory_string(dataset->path);
}

/* The number of the class of that name, which is added if it is new. */
static int64_t class_of(RawLabels *labels, const char *name)
{
    for (int c = 0; c < labels->names_count; c++)
        if (strcmp(labels->names[c], name) == 0)
            return c;
    raw_labels_name(labels, name);
    return labels->names_count - 1;
}

/* Appends the labels of a part. Classes of one name are one class, whatever their numbers. */
static bool add_labels(RawLabels *labels, const Dataset *dataset, const Labels *part, Error *error)
{
    for (int64_t k = 0; k < part->count; k++) {
        const int value = part->values[k];
        const char *name = part->names ? part->names[value] : NULL;
        if (labels->count > 0 && (name != NULL) != (labels->names_count > 0))
            return error_input(error,
                               "%s: some of its parts have names of their classes and others have "
                               "numbers; expected a file of labels",
                               dataset->name);
        labels->values[labels->count++] = name ? class_of(labels, name) : value;
    }
    return true;
}

static bool read_labels(const Dataset *dataset, const char *path, RawLabels *labels, Error *error)
{
    const Joined *joined = dataset->state;
    bool ok = true;
    (void)path; /* the list itself: another file has a format of its own */
    labels->values = memory_large((size_t)dataset->stored, sizeof *labels->values, "labels", error);
    for (int i = 0; ok && labels->values && i < joined->count; i++) {
        Labels part;
        ok = labels_read(&part, joined->parts[i], NULL, "--train-labels", INT_MAX, error) &&
             add_labels(labels, dataset, &part, error);
        labels_free(&part);
    }
    return ok && labels->values != NULL;
}

const DatasetFormat dataset_joined = {
    .open = open_images,
    .read_bytes = read_bytes,
    .expect = expect,
    .verify = verify,
    .labels_path = labels_path,
    .labels = read_labels,
    .release = release,
};
