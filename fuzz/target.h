/* Targets for fuzzing: one function for each kind of file that comes from outside. The fuzzer calls
 * them, and so does the replay of the inputs that it found (tests/test_corpus.c).
 *
 * A target reads `bytes` as the programs would read a file with these contents. For any bytes it
 * returns and releases its memory. It ends the process (abort) if a rule of reading is broken: a
 * failure must be one line of kind ERROR_INPUT, and accepted contents must be sound.
 *
 *     make fuzz TARGET=idx SECONDS=600      searches for inputs (clang's libFuzzer)
 *     tests/corpus/<target>/                inputs that once broke something, or nearly
 *
 * The search leaves out the trial of HDF5 files (hdf5/hdf5_trial.h), so that it finds crashes of
 * the HDF5 library. The replay has the trial, and shows whether the programs survive these inputs.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

typedef void FuzzTarget(const uint8_t *bytes, size_t size);

FuzzTarget fuzz_config;      /* a recipe, YAML */
FuzzTarget fuzz_idx;         /* images in IDX, plain or gzip */
FuzzTarget fuzz_images;      /* images in HDF5 */
FuzzTarget fuzz_checkpoint;  /* a checkpoint, as `infer info` and the other commands open it */
FuzzTarget fuzz_resume;      /* a checkpoint, as `train` continues it */
FuzzTarget fuzz_predict;     /* the --input of `infer predict` */
FuzzTarget fuzz_noise;       /* the --noise of `infer sample` and of `infer nll` */
FuzzTarget fuzz_dp;          /* costs of steps, dp-<variance>.h5 */
FuzzTarget fuzz_sweep;       /* an unfinished sweep of `infer nll` */
FuzzTarget fuzz_quality;     /* an unfinished table of `infer quality` */
FuzzTarget fuzz_classifier;  /* the classifier of `infer quality` */
FuzzTarget fuzz_labels;      /* labels in IDX or HDF5 */
FuzzTarget fuzz_cifar;       /* CIFAR in an archive */
FuzzTarget fuzz_csv;         /* a table that `infer compare` reads back */
FuzzTarget fuzz_safetensors; /* weights of other programs, in safetensors */
FuzzTarget fuzz_torch;       /* weights of PyTorch */
FuzzTarget fuzz_pickle;      /* the pickles inside of these */
FuzzTarget fuzz_description; /* descriptions of the networks of other programs */
FuzzTarget fuzz_numpy;       /* images and labels in NumPy's files */
FuzzTarget fuzz_pictures;    /* PNG and JPEG, alone and in archives */
FuzzTarget fuzz_cache;       /* a cache of decoded pictures */

typedef struct FuzzEntry {
    const char *name;
    FuzzTarget *run;
} FuzzEntry;

/* All of them; fuzz_target_count entries. */
extern const FuzzEntry fuzz_targets[];
extern const int fuzz_target_count;

/* Whether a target returns from the bytes of the file `path`, in a child process. If not, its
 * signal is printed on stderr. */
bool fuzz_survives(const FuzzEntry *target, const char *path);

/* -- For the targets -------------------------------------------------------------------------- */

/* The path of `name` in a directory of this process, which is removed at the end. It lies in memory
 * if the system has such a place. The text lives until the third next call. */
const char *fuzz_path(const char *name);

/* Writes the bytes to a file in that directory and returns its path. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size);

/* Ends the process unless a user can act on `error`: it is of kind ERROR_INPUT, and one line
 * without control characters. */
void fuzz_check_error(const Error *error);

/* Ends the process with a line that says which rule was broken. */
_Noreturn void fuzz_broken(const char *rule);

/* Reads a file of weights of any format, as `infer import` does. */
void fuzz_read_weights(const char *path);

/* The path of a checkpoint with the smallest possible network, which the first call makes. */
const char *fuzz_network(void);

/* The configuration of that network as YAML, and its N. */
extern const char fuzz_network_config[];
enum { FUZZ_TIMESTEPS = 24 };

/* The key of an unfinished file that the command continues. */
#define FUZZ_KEY "the same command"
