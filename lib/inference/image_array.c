/* Reading and writing images row by row. A row passes through `scratch` in the order of the
 * file, NCHW, and is transposed to NHWC, or the other way. */
#include "inference/image_array.h"

#include "base/finite.h"
#include "base/memory.h"

/* [n, rows, columns] -> [n, columns, rows]. With channels as rows and pixels as columns this is
 * NCHW -> NHWC. */
static void transpose(const float *from, int64_t images, int rows, int columns, float *to)
{
    for (int64_t i = 0; i < images; i++) {
        const float *a = from + i * rows * columns;
        float *b = to + i * rows * columns;
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                b[c * rows + r] = a[r * columns + c];
    }
}

static ImageArray begin(Hdf5File *file, const char *name, const Config *config, int64_t per_row)
{
    return (ImageArray){
        .place = memory_format("%s:/%s", hdf5_path(file), name),
        .channels = config->data.channels,
        .pixels = config->data.resolution * config->data.resolution,
        .per_row = per_row,
    };
}

/* Opens the rows of an array whose last axes are C, H, W. If they are H, W, C, the error says
 * so. */
static bool open_rows(ImageArray *array, Hdf5File *file, const char *name, int rank, int64_t *dims,
                      Error *error)
{
    int found_rank = 0;
    int64_t found[HDF5_MAX_RANK];
    const int64_t channels = dims[rank - 3], height = dims[rank - 2], width = dims[rank - 1];
    if (hdf5_rows_open(&array->rows, file, name, HDF5_FLOAT32, rank, dims, error))
        return true;
    Error unused;
    if (channels != width && hdf5_shape(file, name, &found_rank, found, &unused) &&
        found_rank == rank && found[rank - 3] == height && found[rank - 2] == width &&
        found[rank - 1] == channels)
        error_add(error, ": it looks like [..., H, W, C], expected channels first");
    return false;
}

bool image_array_open(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                      int64_t *count, Error *error)
{
    const int64_t resolution = config->data.resolution;
    int64_t dims[] = {*count, config->data.channels, resolution, resolution};
    *array = begin(file, name, config, 1);
    bool ok = open_rows(array, file, name, 4, dims, error);
    if (ok && (dims[0] < 1 || dims[0] > IMAGE_ARRAY_LIMIT))
        ok = error_input(error, "%s: expected 1 to %d images, found %lld", array->place,
                         IMAGE_ARRAY_LIMIT, (long long)dims[0]);
    *count = dims[0];
    if (!ok)
        image_array_close(array);
    return ok;
}

bool image_array_open_steps(ImageArray *array, Hdf5File *file, const char *name,
                            const Config *config, int64_t steps, int64_t count, Error *error)
{
    const int64_t resolution = config->data.resolution;
    int64_t dims[] = {steps, count, config->data.channels, resolution, resolution};
    *array = begin(file, name, config, count);
    bool ok = open_rows(array, file, name, 5, dims, error);
    if (!ok)
        image_array_close(array);
    return ok;
}

bool image_array_create(ImageArray *array, Hdf5File *file, const char *name, const Config *config,
                        int64_t count, Error *error)
{
    const int64_t resolution = config->data.resolution;
    int64_t dims[] = {count, config->data.channels, resolution, resolution};
    *array = begin(file, name, config, 1);
    bool ok = hdf5_rows_create(&array->rows, file, name, HDF5_FLOAT32, 4, dims, error);
    if (!ok)
        image_array_close(array);
    return ok;
}

/* Makes room for `images` images in scratch. */
static bool reserve(ImageArray *array, int64_t images, Error *error)
{
    if (images <= array->scratch_images)
        return true;
    memory_free(array->scratch);
    array->scratch_images = 0;
    size_t dims = (size_t)array->channels * (size_t)array->pixels;
    array->scratch = memory_large((size_t)images, dims * sizeof(float), "images", error);
    if (!array->scratch)
        return false;
    array->scratch_images = images;
    return true;
}

bool image_array_read(ImageArray *array, int64_t first, int64_t count, float *images, Error *error)
{
    int64_t total = count * array->per_row;
    if (!reserve(array, total, error) ||
        !hdf5_rows_read(array->rows, first, count, array->scratch, error))
        return false;
    const size_t wanted = (size_t)(total * array->channels * array->pixels);
    const size_t found = finite_floats(array->scratch, wanted);
    if (found < wanted)
        return error_input(error, "%s: expected finite numbers, found %g", array->place,
                           (double)array->scratch[found]);
    transpose(array->scratch, total, array->channels, array->pixels, images);
    return true;
}

bool image_array_write(ImageArray *array, int64_t first, int64_t count, const float *images,
                       Error *error)
{
    int64_t total = count * array->per_row;
    if (!reserve(array, total, error))
        return false;
    transpose(images, total, array->pixels, array->channels, array->scratch);
    return hdf5_rows_write(array->rows, first, count, array->scratch, error);
}

void image_array_close(ImageArray *array)
{
    hdf5_rows_close(array->rows);
    memory_free(array->scratch);
    memory_free(array->place);
    *array = (ImageArray){0};
}
