/* A grid of images as a PNG file. */
#include "inference/image_array.h"
#include "library/varhead_internal.h"
#include "picture/grid.h"
#include "picture/png.h"

#include <math.h>

enum {
    MAX_COLUMNS = 65536,
    MAX_SCALE = 1024,
    VISIBLE_SIDE = 56, /* pixels that a small image is enlarged to, about */
    PADDING = 2,
};

static bool check_layout(int64_t count, int columns, int scale, Error *error)
{
    if (count < 1 || count > IMAGE_ARRAY_LIMIT)
        return error_input(error, "count: expected 1 to %d images, got %lld", IMAGE_ARRAY_LIMIT,
                           (long long)count);
    if (columns < 0 || columns > MAX_COLUMNS)
        return error_input(error, "columns: expected 0 to %d, got %d", MAX_COLUMNS, columns);
    return (scale >= 0 && scale <= MAX_SCALE) ||
           error_input(error, "scale: expected 0 to %d, got %d", MAX_SCALE, scale);
}

static GridLayout layout_of(const VarheadModel *model, int64_t count, int columns, int scale)
{
    const int side = varhead_resolution(model);
    const int enlarged = side < VISIBLE_SIDE ? (VISIBLE_SIDE + side / 2) / side : 1;
    return (GridLayout){.height = side,
                        .width = side,
                        .channels = varhead_channels(model),
                        .columns = columns > 0 ? columns : (int)ceil(sqrt((double)count)),
                        .scale = scale > 0 ? scale : enlarged,
                        .padding = PADDING};
}

static bool write_grid(const VarheadModel *model, const char *path, const float *images,
                       int64_t count, int columns, int scale, Error *error)
{
    Canvas canvas = {0};
    const GridLayout layout = layout_of(model, count, columns, scale);
    bool ok = image_check_channels(layout.channels, error) &&
              image_grid(&canvas, images, (int)count, &layout, error) &&
              canvas_write_png(&canvas, path, error);
    canvas_free(&canvas);
    return ok;
}

int varhead_write_png(const VarheadModel *model, const char *path, const float *images,
                      int64_t count, int columns, int scale, VarheadError *error)
{
    Call call;
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              call_has(path, "path", &call.error) && call_has(images, "images", &call.error) &&
              check_layout(count, columns, scale, &call.error) &&
              call_reads_files(&call, false) && /* one that is there may be HDF5 */
              write_grid(model, path, images, count, columns, scale, &call.error);
    return call_end(&call, ok, error);
}
