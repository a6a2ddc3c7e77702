/* varhead.h: a trained diffusion model, from a program of your own.
 *
 * A diffusion model draws an image by a walk from noise x_T down to x_0. Each step of the walk
 * needs a mean and a variance. The mean comes from a network that predicts the noise eps in x_t.
 * The variance can come from many places: from the schedule alone (beta, beta_tilde), from
 * constants measured once (analytic), or from a head, a small network on the features of the first
 * one (sn, npr). varhead trains the network and the heads. This library opens what was trained, and
 * does four things with it:
 *
 *     predict   the outputs of the network and of its heads at any x_t and t
 *     sample    images, with any variance, sampler and number of steps
 *     bound     how likely images are under a variance, in bits per dimension
 *     describe  what the model is: shapes, heads, variances, schedule, trajectories, recipe
 *
 * Sixteen samples become a picture:
 *
 *     VarheadModel *model;
 *     VarheadOptions *options = varhead_options_new();
 *     VarheadError error;
 *     varhead_set(options, "variance", "sn", &error);
 *     varhead_set(options, "steps", "25", &error);
 *     if (varhead_open(&model, "checkpoints/quick", options, &error) != VARHEAD_OK)
 *         return fprintf(stderr, "%s\n", error.message);
 *     float *images = malloc(16 * varhead_dims(model) * sizeof *images);
 *     varhead_sample(model, options, 0, 16, images, &error);
 *     varhead_write_png(model, "samples.png", images, 16, 0, 0, &error);
 *
 * Compile with `pkg-config --cflags --libs varhead`. docs/library.md explains more.
 *
 * Names. Variances, samplers, trajectories and options are named by text ("sn", "ddim", "quad",
 * "cov-floor"). A later version can add one without a change of this header. An unknown name
 * is an error; its message lists the known names.
 *
 * Images are float32 in [-1, 1], in the order NHWC: element [i][row][column][channel] of an array
 * [n, resolution, resolution, channels]. `dims` is resolution * resolution * channels. Timesteps
 * run from 0, the data, to N, almost pure noise.
 *
 * Errors. A function that can fail returns a code, VARHEAD_OK or another. It fills in *error, with
 * the same code and a message of one line; `error` may be NULL. After VARHEAD_OK *error has the
 * code VARHEAD_OK and the message "". After a failure the arrays that the function fills may hold
 * anything; the model and the options are as before.
 *
 * Ownership. The caller owns the result of a function named _new or _open, until _free or _close.
 * Text and options are copied. Arrays of the caller are read or filled during the call and not
 * kept. Text that a function returns belongs to the model, or to the library, and must not be
 * freed.
 *
 * Threads. Every function may be called from every thread. Functions that can fail run one at a
 * time in the whole process: a second call waits for the first. Each uses the threads of its model
 * (the option `threads`) by OpenMP. A call inside an OpenMP parallel region is an error. A child of
 * fork() must not call the library if its parent has, because OpenMP's threads do not survive
 * fork(). While a thread uses options or a model, no other may change, free or close them.
 *
 * The process. The library prints nothing and ends nothing. It starts no process unless the option
 * `try-files` asks for it. It handles no signal, and leaves as they were: the locale, the settings
 * of OpenMP, HDF5's error handler, the working directory, the environment. A file is replaced whole
 * or not at all.
 *
 * Memory. If there is no memory for an array whose size depends on a model, a batch or a number of
 * images, the call fails with VARHEAD_FAILED. If the system refuses even the bytes of a small thing
 * (a name, a list), the process ends by abort(), without a message. Under a limit (ulimit -v)
 * 24 MiB are kept free for small things.
 */
#ifndef VARHEAD_H
#define VARHEAD_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define VARHEAD_API __attribute__((visibility("default")))
#else
#define VARHEAD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library that is loaded, "0.1.0". */
VARHEAD_API const char *varhead_version(void);

/* -- Errors ----------------------------------------------------------------------------------- */

enum {
    VARHEAD_OK = 0,
    VARHEAD_FAILED = 1, /* the machine failed: no memory, a disk that is full, numbers not finite */
    VARHEAD_INPUT = 2   /* the caller can mend it: an argument, an option, a file */
};

typedef struct VarheadError {
    int code;
    char message[1024]; /* one line without newline, UTF-8 where names of files are */
} VarheadError;

/* Asks for notes: lines that are no errors, such as "leaves out the heads of stage2-sn.h5: ...".
 * `show` is called with each, one line without newline, good during the call. It is called by
 * the thread that called the library, and must not call the library itself. NULL, as at the
 * start: notes are dropped. */
VARHEAD_API void varhead_notes(void (*show)(const char *line));

/* -- Options ---------------------------------------------------------------------------------- */

/* A set of options by name. Each function reads those that it knows, so one set can serve all of
 * them; in the place of a set NULL gives the defaults.
 *
 *     varhead_open, varhead_open_files
 *     batch        images per run of the network, at most: 1 to 65536 (64)
 *     threads      processor cores to use: 1 to 1024 (as OpenMP says: all, or OMP_NUM_THREADS)
 *     precision    f32 or bf16 (f32)
 *     try-files    on: a child process reads each file first. The HDF5 library crashes on some
 *                  damaged files, and a crash becomes an error. off: no process is started (off)
 *
 *     varhead_sample, varhead_bound, varhead_trajectory
 *     variance     beta, beta_tilde, analytic, analytic_diag, sn, npr, ... (stage1.variance of the
 *                  recipe; beta_tilde for ddim)
 *     steps        steps K of the reverse process, 1 to N (50, or N if that is less)
 *     trajectory   the timesteps to visit: linear, quad, or dp. dp are the best timesteps for the
 *                  likelihood; `infer nll --trajectory dp` finds them and stores them beside the
 *                  model (linear)
 *     seed         of all random numbers, 0 to 2^64 - 1 (the recipe's seed)
 *     clip-cov     on or off: the estimate of Cov[x_0 | x_t] to [0, 1] (as clip-x0)
 *     clip-pixel   bounds the last noise added to this mean magnitude, in grey levels of 255;
 *                  0: no bound (sampling: 2 for ddpm, 1 for ddim; bounds: 0)
 *     average-cov  on: a head's estimate becomes its mean over the image (off)
 *     cov-floor    raises each pixel of an estimate to at least this part of its image's mean,
 *                  0 to 1 (0)
 *     cov-scale    multiplies the estimate, last of all, 0 to 1000 (1)
 *
 *     varhead_sample alone
 *     sampler      ddpm or ddim (ddpm)
 *     eta          DDIM's, 0 to 1 (0)
 *     clip-x0      on or off: the predicted x_0 to [-1, 1] (on)
 */
typedef struct VarheadOptions VarheadOptions;

/* All options at their defaults; NULL if there is no memory. */
VARHEAD_API VarheadOptions *varhead_options_new(void);
VARHEAD_API void varhead_options_free(VarheadOptions *options); /* NULL is fine */

/* Sets the option `name`. Numbers are read as in C, "25" or "0.03", whatever the locale. An
 * input error, which leaves the options as they were, if there is no such option or if it can't
 * have this value. */
VARHEAD_API int varhead_set(VarheadOptions *options, const char *name, const char *value,
                            VarheadError *error);

/* The same for an option that is a number. (Seeds above 2^53 need varhead_set.) */
VARHEAD_API int varhead_set_number(VarheadOptions *options, const char *name, double value,
                                   VarheadError *error);

/* -- Models ----------------------------------------------------------------------------------- */

/* A network with its heads, as trained. */
typedef struct VarheadModel VarheadModel;

/* Opens a run directory, with every head in it that is for its newest network. *model := the
 * model, NULL after a failure. The files are read now and not needed later, but for the tables
 * of the trajectory dp. */
VARHEAD_API int varhead_open(VarheadModel **model, const char *run, const VarheadOptions *options,
                             VarheadError *error);

/* Opens `count` checkpoints, 1 or more, and joins their heads. Their networks must agree in
 * every bit. */
VARHEAD_API int varhead_open_files(VarheadModel **model, const char *const *paths, int count,
                                   const VarheadOptions *options, VarheadError *error);

VARHEAD_API void varhead_close(VarheadModel *model); /* NULL is fine */

/* Images are square: pixels of a side, channels, and elements of an image, resolution^2 *
 * channels. */
VARHEAD_API int varhead_resolution(const VarheadModel *model);
VARHEAD_API int varhead_channels(const VarheadModel *model);
VARHEAD_API size_t varhead_dims(const VarheadModel *model);

/* N. */
VARHEAD_API int varhead_timesteps(const VarheadModel *model);

/* How many numbers the network and its heads have together. */
VARHEAD_API int64_t varhead_parameters(const VarheadModel *model);

/* The name of head `index`, "sn"; NULL for an index that is none: 0, 1, ... until NULL lists
 * all. */
VARHEAD_API const char *varhead_head(const VarheadModel *model, int index);

/* The variances that the model can use, listed in the same way. */
VARHEAD_API const char *varhead_variance(const VarheadModel *model, int index);

/* The recipe that the model was trained by: YAML, every key present. */
VARHEAD_API const char *varhead_recipe(const VarheadModel *model);

/* -- The network ------------------------------------------------------------------------------ */

/* Evaluates the network at x [count, dims], image i at timestep t[i], 0 to N. Nothing is clipped
 * or combined.
 *   eps [count, dims]   out: the predicted noise; NULL: not wanted
 *   heads               out: heads[h] [count, dims], the raw output of head h; one entry for each
 *                       head of the model; an entry or `heads` itself may be NULL: not wanted
 * An input error if x has numbers that are not finite.
 *
 * Calls with another `count` than the last build the network's graphs anew, which takes some
 * tenths of a second: equal counts are faster. An image's result depends on count and batch by
 * rounding at most. */
VARHEAD_API int varhead_predict(VarheadModel *model, const float *x, const int *t, int64_t count,
                                float *eps, float *const *heads, VarheadError *error);

/* -- Samples ---------------------------------------------------------------------------------- */

/* images [count, dims] := samples first .. first + count - 1 of the options' seed. They are not
 * clipped after the last step, and may lie somewhat outside [-1, 1]. first + count is at most
 * 10,000,000.
 *
 * A sample is a function of the model, the options and its number alone (to rounding): many can
 * be drawn in several calls, between which the caller can show progress or stop. Every variance
 * and number of steps starts from the same noise. An input error if the model lacks what the
 * variance needs; VARHEAD_FAILED if a sample is not finite. */
VARHEAD_API int varhead_sample(VarheadModel *model, const VarheadOptions *options, int64_t first,
                               int64_t count, float *images, VarheadError *error);

/* bytes [elements] := what shows images [elements]: -1 is 0, 1 is 255, the nearest in between.
 * Numbers outside [-1, 1] become the nearest end, those that are not a number 0. Never fails. */
VARHEAD_API void varhead_to_bytes(const float *images, size_t elements, uint8_t *bytes);

/* images [elements] := 2 bytes / 255 - 1: images as the network was trained on them. Never
 * fails. */
VARHEAD_API void varhead_from_bytes(const uint8_t *bytes, size_t elements, float *images);

/* Writes a grid of images [count, dims] as a PNG file. `columns`: images side by side, 0 for
 * about as many as rows. `scale`: pixels of the picture for one of an image, 0 to enlarge small
 * images to about 56 pixels. An input error if images have other than 1 or 3 channels, or if
 * `path` is a file that varhead has not written. */
VARHEAD_API int varhead_write_png(const VarheadModel *model, const char *path, const float *images,
                                  int64_t count, int columns, int scale, VarheadError *error);

/* -- Likelihood ------------------------------------------------------------------------------- */

/* bits [count] := for each of images [count, dims] an upper bound on its negative log-likelihood
 * under the options' variance and trajectory, in bits per dimension (DDPM). The noise that the
 * bound is an average over is drawn once for each image and timestep: a function of the seed and
 * of the image's place, 0 .. count - 1. So bounds of several variances on the same images differ
 * by less than one bound is uncertain.
 *
 * Images are those of varhead_from_bytes: the bound is of 8-bit grey levels. An input error if a
 * number is outside [-1, 1]. With clip-cov off the bound of a variance that is not positive is
 * NaN, and no error.
 *
 * The network runs once for each image and timestep of the trajectory. */
VARHEAD_API int varhead_bound(VarheadModel *model, const VarheadOptions *options,
                              const float *images, int64_t count, double *bits,
                              VarheadError *error);

/* -- The schedule ----------------------------------------------------------------------------- */

/* values [N + 1] := "beta", "alpha_bar", "beta_bar" or "log_alpha_bar" of timesteps 0 .. N, where
 * x_t = sqrt(alpha_bar_t) x_0 + sqrt(beta_bar_t) eps. */
VARHEAD_API int varhead_schedule(const VarheadModel *model, const char *name, double *values,
                                 VarheadError *error);

/* timesteps [*count] := the trajectory of the options, from 0 up: K + 1 timesteps, of which a
 * sampler visits the last first. *count is the room in timesteps before the call, K + 1 after
 * it; where the room is too small it is an input error, and *count the room that is needed. N +
 * 1 is always enough. (dp is the trajectory of the options' variance.) */
VARHEAD_API int varhead_trajectory(const VarheadModel *model, const VarheadOptions *options,
                                   int *timesteps, int *count, VarheadError *error);

#ifdef __cplusplus
}
#endif

#endif
