/* The file of samples: a picture (.png), arrays (.h5), or files for other programs (a directory,
 * .npz).
 *
 * Samples come in combinations of a variance and a number of steps. One combination makes a plain
 * grid of images, or the array /samples; several make a table of grids, variances down and steps
 * across, or the arrays /samples/<variance>_<steps>. Arrays are float32 [n, C, H, W], not clipped,
 * and have the settings that made them as attributes. A directory gets a PNG per sample; several
 * combinations get a directory <variance>_<steps> each (picture/picture_directory.h). An .npz takes
 * one combination (picture/npz.h).
 *
 * The file is begun before any sample is computed, so that an output that cannot be written is an
 * error at once.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "inference/sampler.h"
#include "io/output.h"

#include <stdint.h>

typedef struct SampleSettings {
    const char *path;
    /* [variance_count]: the names of the rows. A row is a variance, or a variance with a correction
     * of the mean. */
    const EstimateLabel *labels;
    int variance_count;
    /* [steps_count] */
    const int *steps;
    int steps_count;
    /* Samples of each combination. */
    int count;
    /* Images side by side in a grid; 0: about as many as rows. */
    int columns;
    /* Pixels per pixel of a picture; 0: small images are enlarged to a visible size. */
    int scale;
} SampleSettings;

typedef struct SampleOutput SampleOutput;

/* An input error unless `path` ends in .png, .h5, .hdf5, .npz or a slash. */
bool sample_output_check_name(const char *path, Error *error);

/* Whether the file may be written, given these inputs (io/output.h). */
bool sample_output_check(const char *path, const OutputInputs *inputs, Error *error);

/* `settings` must outlive the output. */
bool sample_output_begin(SampleOutput **output, const SampleSettings *settings,
                         const Config *config, Error *error);

/* Writes the attributes of a combination's array: its plan, and its seed, or the noise file if
 * `noise` is not NULL. Does nothing for other kinds of output. */
bool sample_output_describe(SampleOutput *output, int variance, int steps, const SamplingPlan *plan,
                            int64_t seed, const char *noise, Error *error);

/* Takes samples first .. first + count - 1 of combination (variance, steps), which are indices
 * into the settings; images [count, dims] in NHWC. Samples must come in order. */
bool sample_output_put(SampleOutput *output, int variance, int steps, int first, int count,
                       const float *images, Error *error);

/* Writes the file. Releases the output either way. */
bool sample_output_commit(SampleOutput *output, Error *error);

/* Gives the output up; an earlier file of the name stays as it was. NULL is fine. */
void sample_output_abandon(SampleOutput *output);
