/* Reads images from HDF5: the shape is checked first, with a hint for two layouts that other
 * programs write.
 *
 * Images are read in runs of neighbours, since one read of several rows unpacks a chunk once.
 */
#include "data/hdf5_images.h"

#include "base/memory.h"
#include "hdf5/hdf5_file.h"

#include <string.h>

struct Hdf5Images {
    Hdf5File *file;
    Hdf5Rows *rows;
    int64_t count;
    /* Bytes. */
    size_t image_size;
    /* [count, image_size]; NULL: images are read from `rows`. */
    uint8_t *pixels;
};

/* The layout should be [N, H, W, C]. Two others are common: PyTorch's [N, C, H, W], and [N, H, W]
 * for grey images. "" for all others. */
static const char *shape_hint(int rank, const int64_t *dims, int resolution, int channels)
{
    if (rank == 4 && (dims[1] == channels || dims[1] <= 4) && dims[2] == dims[3] && dims[3] > 4 &&
        dims[3] != channels)
        return ": it looks like [N, C, H, W]; move its channels to the end";
    if (rank == 3 && dims[1] == resolution && dims[2] == resolution && channels == 1)
        return ": grey images have an axis for their one channel, too";
    return "";
}

static bool check_shape(Hdf5File *file, const char *path, int resolution, int channels,
                        Error *error)
{
    int rank = 0;
    int64_t dims[HDF5_MAX_RANK] = {0};
    if (!hdf5_shape(file, "/images", &rank, dims, error))
        return false;
    const bool right =
        rank == 4 && dims[1] == resolution && dims[2] == resolution && dims[3] == channels;
    const char *hint = shape_hint(rank, dims, resolution, channels);
    if (right || hint[0] == '\0')
        return true; /* open_rows reports other mistakes */
    return error_input(error, "%s:/images: expected shape [N, %d, %d, %d], found %s%s", path,
                       resolution, resolution, channels, hdf5_shape_text(rank, dims).text, hint);
}

static bool open_rows(Hdf5Images *images, const char *path, int resolution, int channels,
                      Error *error)
{
    int64_t dims[4] = {HDF5_ANY, HDF5_ANY, HDF5_ANY, HDF5_ANY};
    if (!hdf5_open(&images->file, path, error) ||
        !check_shape(images->file, path, resolution, channels, error) ||
        !hdf5_rows_open(&images->rows, images->file, "/images", HDF5_UINT8, 4, dims, error))
        return false;
    if (dims[1] != resolution || dims[2] != resolution)
        return error_input(error, "%s:/images: images are %lldx%lld, but data.resolution is %d",
                           path, (long long)dims[1], (long long)dims[2], resolution);
    if (dims[3] != channels)
        return error_input(error, "%s:/images: images have %lld channels, but data.channels is %d",
                           path, (long long)dims[3], channels);
    if (dims[0] < 1 || dims[0] > UINT32_MAX)
        return error_input(error, "%s:/images: holds %lld images, expected 1 to %lld", path,
                           (long long)dims[0], (long long)UINT32_MAX);
    images->count = dims[0];
    images->image_size = (size_t)(dims[1] * dims[2] * dims[3]);
    return true;
}

static void close_file(Hdf5Images *images)
{
    hdf5_rows_close(images->rows);
    hdf5_close(images->file);
    images->rows = NULL;
    images->file = NULL;
}

/* Reads all images. Opening has checked that the file holds as many as it declares, so they can be
 * allocated. */
static bool load(Hdf5Images *images, Error *error)
{
    images->pixels =
        memory_large((size_t)images->count, images->image_size, "images of a data set", error);
    if (images->pixels == NULL ||
        !hdf5_rows_read(images->rows, 0, images->count, images->pixels, error))
        return false;
    close_file(images);
    return true;
}

bool hdf5_images_open(Hdf5Images **result, const char *path, int resolution, int channels,
                      int64_t in_memory, Error *error)
{
    *result = NULL;
    Hdf5Images *images = memory_small(1, sizeof *images);
    bool ok = open_rows(images, path, resolution, channels, error);
    if (ok && images->count <= in_memory / (int64_t)images->image_size)
        ok = load(images, error);
    if (ok)
        *result = images;
    else
        hdf5_images_close(images);
    return ok;
}

int64_t hdf5_images_count(const Hdf5Images *images)
{
    return images->count;
}

bool hdf5_images_read(Hdf5Images *images, const int64_t *indices, int n, uint8_t *pixels,
                      Error *error)
{
    for (int first = 0, run; first < n; first += run) {
        for (run = 1; first + run < n && indices[first + run] == indices[first] + run;)
            run++;
        uint8_t *target = pixels + (size_t)first * images->image_size;
        if (images->pixels != NULL)
            memcpy(target, images->pixels + (size_t)indices[first] * images->image_size,
                   (size_t)run * images->image_size);
        else if (!hdf5_rows_read(images->rows, indices[first], run, target, error))
            return false;
    }
    return true;
}

void hdf5_images_close(Hdf5Images *images)
{
    if (images == NULL)
        return;
    close_file(images);
    memory_free(images->pixels);
    memory_free(images);
}
