/* Where samples go: a picture (.png), arrays (.h5), or files for other programs (a directory, .npz).
 *
 * Samples come in combinations of a variance and a number of steps. One combination makes a plain
 * grid of images, or the array /samples; several make a table of grids, variances down and steps
 * across, or the arrays /samples/<variance>_<steps>. Arrays are float32 [n, C, H, W], not clipped,
 * with the settings that made them as attributes. A directory gets a PNG per sample, several combinations a
 * directory <variance>_<steps> each (picture/picture_directory.h); an .npz is for one combination (picture/npz.h).
 *
 * Whatever could prevent the writing shows at the beginning, before any sample is computed: the
 * file is begun then, and a picture is made once, empty.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "inference/sampler.h"
#include "io/output.h"

#include <stdint.h>

typedef struct SampleSettings {
    const char *path;
    const EstimateLabel *labels; /* [variance_count]: what the variances are called */
    int variance_count;
    const int *steps; /* [steps_count] */
    int steps_count;
    int count;   /* samples of each combination */
    int columns; /* of a grid; 0: about as many as rows */
    int scale;   /* of a picture; 0: small images are enlarged to a visible size */
} SampleSettings;

typedef struct SampleOutput SampleOutput;

/* An input error unless `path` ends in .png, .h5, .hdf5, .npz or a slash. */
bool sample_output_check_name(const char *path, Error *error);

/* Whether such a file may be written there, beside these inputs (output.h). */
bool sample_output_check(const char *path, const OutputInputs *inputs, Error *error);

/* `settings` must outlive the output. */
bool sample_output_begin(SampleOutput **output, const SampleSettings *settings,
                         const Config *config, Error *error);

/* The array of a combination begins, drawn by `plan`, from `seed` or (NULL if not) a noise file. */
bool sample_output_describe(SampleOutput *output, int variance, int steps, const SamplingPlan *plan,
                            int64_t seed, const char *noise, Error *error);

/* Samples first .. first + count - 1 of combination (variance, steps), indices of the settings, in order;
 * images [count, dims] in NHWC. */
bool sample_output_put(SampleOutput *output, int variance, int steps, int first, int count,
                       const float *images, Error *error);

/* Writes the file. Releases the output either way. */
bool sample_output_commit(SampleOutput *output, Error *error);

/* Gives it up; what had the file's name stays as it was. NULL is fine. */
void sample_output_abandon(SampleOutput *output);
