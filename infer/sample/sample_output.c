/* Writes samples: as a picture, as arrays, or as files for other programs.
 *
 * The end of the name decides. Each kind has a function that begins the file, one that takes
 * samples, and one that finishes it; the functions at the end of this file choose among them.
 */
#include "infer/sample/sample_output.h"

#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "inference/image_array.h"
#include "picture/grid.h"
#include "picture/npz.h"
#include "picture/picture_directory.h"
#include "picture/png.h"

#include <math.h>
#include <string.h>

enum {
    /* Pixels between the images of a grid. */
    PADDING = 2,
    /* Small images are enlarged to a side of about this many pixels. */
    VISIBLE_SIDE = 56,
};

struct SampleOutput {
    const SampleSettings *settings;
    const Config *config;
    int combinations;
    size_t dims;

    /* One of these is set, by the end of the name. */
    Hdf5File *file;
    PictureDirectory *directory;
    NpzWriter *npz;
    /* The images of a picture: [combinations], each [count, dims]. */
    float **images;

    /* The arrays of the file: [combinations]. */
    ImageArray *arrays;
};

static bool is_picture(const char *path)
{
    return output_has_extension(path, ".png");
}

static bool is_directory(const char *path)
{
    return path[0] != '\0' && path[strlen(path) - 1] == '/';
}

static bool is_npz(const char *path)
{
    return output_has_extension(path, ".npz");
}

bool sample_output_check_name(const char *path, Error *error)
{
    if (is_picture(path) || is_directory(path) || is_npz(path) ||
        output_has_extension(path, ".h5") || output_has_extension(path, ".hdf5"))
        return true;
    return error_input(error,
                       "--out: expected a name that ends in .png (a picture), .h5 (an array), / (a "
                       "directory of pictures) or .npz, got \"%s\"",
                       path);
}

/* picture_directory_begin checks directories. */
bool sample_output_check(const char *path, const OutputInputs *inputs, Error *error)
{
    return is_directory(path) || output_check(path,
                                              is_picture(path) ? FILE_PICTURE
                                              : is_npz(path)   ? FILE_ARCHIVE
                                                               : FILE_SAMPLES,
                                              inputs, error);
}

static int combination(const SampleOutput *output, int variance, int steps)
{
    return variance * output->settings->steps_count + steps;
}

/* -- A picture -------------------------------------------------------------------------------- */

static GridLayout layout_of(const SampleOutput *output)
{
    const SampleSettings *settings = output->settings;
    const int side = output->config->data.resolution;
    const int enlarged = (VISIBLE_SIDE + side / 2) / side;
    return (GridLayout){
        .height = side,
        .width = side,
        .channels = output->config->data.channels,
        .columns = settings->columns > 0 ? settings->columns : (int)ceil(sqrt(settings->count)),
        .scale = settings->scale > 0 ? settings->scale
                 : enlarged > 1      ? enlarged
                                     : 1,
        .padding = PADDING,
    };
}

static bool draw_table(const SampleOutput *output, Canvas *canvas, Error *error)
{
    const SampleSettings *settings = output->settings;
    const char **rows = memory_small((size_t)settings->variance_count, sizeof *rows);
    const char **columns = memory_small((size_t)settings->steps_count, sizeof *columns);
    for (int v = 0; v < settings->variance_count; v++)
        rows[v] = settings->labels[v].text;
    for (int k = 0; k < settings->steps_count; k++)
        columns[k] =
            memory_format("%d step%s", settings->steps[k], settings->steps[k] == 1 ? "" : "s");
    bool ok = image_grid_table(canvas,
                               &(GridTable){.rows = settings->variance_count,
                                            .columns = settings->steps_count,
                                            .row_labels = rows,
                                            .column_labels = columns,
                                            .grids = (const float *const *)output->images,
                                            .n = settings->count,
                                            .layout = layout_of(output)},
                               error);
    for (int k = 0; k < settings->steps_count; k++)
        memory_free((char *)columns[k]);
    memory_free(columns);
    memory_free(rows);
    return ok;
}

static bool draw(const SampleOutput *output, Canvas *canvas, Error *error)
{
    if (output->combinations > 1)
        return draw_table(output, canvas, error);
    GridLayout layout = layout_of(output);
    return image_grid(canvas, output->images[0], output->settings->count, &layout, error);
}

/* Draws the picture once, still black, so that an impossible picture is an error before the
 * sampling. */
static bool begin_picture(SampleOutput *output, Error *error)
{
    if (!image_check_channels(output->config->data.channels, error))
        return false;
    output->images = memory_small((size_t)output->combinations, sizeof *output->images);
    for (int i = 0; i < output->combinations; i++) {
        output->images[i] = memory_large((size_t)output->settings->count,
                                         output->dims * sizeof(float), "the samples", error);
        if (!output->images[i])
            return false;
    }
    Canvas canvas = {0};
    bool ok = draw(output, &canvas, error);
    canvas_free(&canvas);
    return ok;
}

/* -- Arrays ----------------------------------------------------------------------------------- */

static char *array_name(const SampleOutput *output, int variance, int steps)
{
    const SampleSettings *settings = output->settings;
    if (output->combinations == 1)
        return memory_string("samples");
    return memory_format("samples/%s_%d", settings->labels[variance].text, settings->steps[steps]);
}

static bool begin_arrays(SampleOutput *output, Error *error)
{
    const SampleSettings *settings = output->settings;
    if (!hdf5_create_as(&output->file, settings->path, file_kind_rule(FILE_SAMPLES), error) ||
        !hdf5_write_attribute_string(output->file, "/", "format", file_kind_format(FILE_SAMPLES),
                                     error))
        return false;
    output->arrays = memory_small((size_t)output->combinations, sizeof *output->arrays);
    bool ok = true;
    for (int v = 0; v < settings->variance_count; v++) {
        for (int k = 0; ok && k < settings->steps_count; k++) {
            char *name = array_name(output, v, k);
            ok = image_array_create(&output->arrays[combination(output, v, k)], output->file, name,
                                    output->config, settings->count, error);
            memory_free(name);
        }
    }
    return ok;
}

/* Only of corrections that change something. */
static bool write_correction(Hdf5File *file, const char *name, const MeanCorrection *correction,
                             Error *error)
{
    const double scale = mean_correction_scale(correction);
    if (mean_correction_scales(correction) &&
        !hdf5_write_attribute_double(file, name, "eps_scale", scale, error))
        return false;
    return !mean_correction_has_dcw(correction) ||
           (hdf5_write_attribute_double(file, name, "dcw_low", correction->dcw_low, error) &&
            hdf5_write_attribute_double(file, name, "dcw_high", correction->dcw_high, error));
}

/* The names are those of tests/golden. */
static bool write_attributes(Hdf5File *file, const char *name, const SamplingPlan *plan,
                             int64_t seed, const char *noise, Error *error)
{
    const ReverseOptions *reverse = &plan->reverse;
    const double eta = reverse->sampler == SAMPLER_DDPM ? 1 : reverse->eta;
    return hdf5_write_attribute_string(file, name, "sampler", sampler_name(reverse->sampler),
                                       error) &&
           hdf5_write_attribute_double(file, name, "eta", eta, error) &&
           hdf5_write_attribute_string(file, name, "variance", plan->variance->name, error) &&
           hdf5_write_attribute_string(file, name, "trajectory", trajectory_name(plan->trajectory),
                                       error) &&
           hdf5_write_attribute_int(file, name, "steps", plan->steps, error) &&
           hdf5_write_attribute_int(file, name, "clip_x0", reverse->clip_x0, error) &&
           hdf5_write_attribute_int(file, name, "clip_cov_x0", plan->estimate.clip, error) &&
           hdf5_write_attribute_int(file, name, "average_cov", plan->estimate.average, error) &&
           hdf5_write_attribute_double(file, name, "cov_floor", plan->estimate.floor, error) &&
           hdf5_write_attribute_double(file, name, "cov_scale", plan->estimate.scale, error) &&
           hdf5_write_attribute_double(file, name, "clip_pixel", reverse->clip_pixel, error) &&
           write_correction(file, name, &reverse->correction, error) &&
           (noise ? hdf5_write_attribute_string(file, name, "noise", noise, error)
                  : hdf5_write_attribute_int(file, name, "seed", seed, error));
}

bool sample_output_describe(SampleOutput *output, int variance, int steps, const SamplingPlan *plan,
                            int64_t seed, const char *noise, Error *error)
{
    if (!output->file)
        return true;
    char *name = array_name(output, variance, steps);
    bool ok = write_attributes(output->file, name, plan, seed, noise, error);
    memory_free(name);
    return ok;
}

/* -- Files for other programs ----------------------------------------------------------------- */

/* Readers of .npz expect one array, "arr_0". */
static bool begin_npz(SampleOutput *output, Error *error)
{
    const SampleSettings *settings = output->settings;
    if (output->combinations > 1)
        return error_input(error,
                           "--out: an .npz is for one variance and one number of steps, got %d "
                           "kinds; expected a name that ends in / (a directory for each) or .h5",
                           output->combinations);
    return npz_create(&output->npz, settings->path, settings->count,
                      output->config->data.resolution, output->config->data.channels, error);
}

static bool put_pictures(SampleOutput *output, int variance, int steps, int first, int count,
                         const float *images, Error *error)
{
    const SampleSettings *settings = output->settings;
    char *group =
        output->combinations == 1
            ? NULL
            : memory_format("%s_%d", settings->labels[variance].text, settings->steps[steps]);
    const bool ok = picture_directory_add(output->directory, group, first, images, count, error);
    memory_free(group);
    return ok;
}

/* -- All kinds ------------------------------------------------------------------------------ */

bool sample_output_begin(SampleOutput **result, const SampleSettings *settings,
                         const Config *config, Error *error)
{
    const size_t side = (size_t)config->data.resolution;
    SampleOutput *output = memory_small(1, sizeof *output);
    *output = (SampleOutput){.settings = settings,
                             .config = config,
                             .combinations = settings->variance_count * settings->steps_count,
                             .dims = side * side * (size_t)config->data.channels};
    bool ok = is_picture(settings->path) ? begin_picture(output, error)
              : is_directory(settings->path)
                  ? picture_directory_begin(&output->directory, settings->path,
                                            config->data.resolution, config->data.channels, error)
              : is_npz(settings->path) ? begin_npz(output, error)
                                       : begin_arrays(output, error);
    *result = ok ? output : NULL;
    if (!ok)
        sample_output_abandon(output);
    return ok;
}

bool sample_output_put(SampleOutput *output, int variance, int steps, int first, int count,
                       const float *images, Error *error)
{
    int index = combination(output, variance, steps);
    if (output->file)
        return image_array_write(&output->arrays[index], first, count, images, error);
    if (output->directory)
        return put_pictures(output, variance, steps, first, count, images, error);
    if (output->npz)
        return npz_append(output->npz, images, count, error);
    memcpy(output->images[index] + (size_t)first * output->dims, images,
           (size_t)count * output->dims * sizeof *images);
    return true;
}

static void close_arrays(SampleOutput *output)
{
    for (int i = 0; output->arrays && i < output->combinations; i++)
        image_array_close(&output->arrays[i]);
    memory_free(output->arrays);
    output->arrays = NULL;
}

bool sample_output_commit(SampleOutput *output, Error *error)
{
    bool ok;
    if (output->file) {
        close_arrays(output);
        ok = hdf5_commit(output->file, error);
        output->file = NULL;
    } else if (output->directory) {
        ok = picture_directory_commit(output->directory, error);
        output->directory = NULL;
    } else if (output->npz) {
        ok = npz_commit(output->npz, error);
        output->npz = NULL;
    } else {
        Canvas canvas = {0};
        ok = draw(output, &canvas, error) &&
             canvas_write_png(&canvas, output->settings->path, error);
        canvas_free(&canvas);
    }
    sample_output_abandon(output);
    return ok;
}

void sample_output_abandon(SampleOutput *output)
{
    if (!output)
        return;
    close_arrays(output);
    hdf5_close(output->file);
    picture_directory_discard(output->directory);
    npz_discard(output->npz);
    for (int i = 0; output->images && i < output->combinations; i++)
        memory_free(output->images[i]);
    memory_free(output->images);
    memory_free(output);
}
