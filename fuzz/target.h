/* What the fuzzers call, and the replay of what they found (tests/test_corpus.c): one function for
 * each kind of file that comes from outside.
 *
 * A target reads `bytes` as the programs would read a file with these contents. It returns whatever
 * they are, releases what it took, and ends the process (abort) where a rule of reading is broken:
 * a failure must be one line of kind ERROR_INPUT, and what was accepted must be sound.
 *
 *     make fuzz TARGET=idx SECONDS=600      searches for inputs (clang's libFuzzer)
 *     tests/corpus/<target>/                inputs that once broke something, or nearly
 *
 * While it searches, files are not tried out first (hdf5/hdf5_trial.h): crashes of the HDF5 library are seen and
 * kept. Whether the programs survive them is seen after, when what was kept is replayed with the trial.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <stddef.h>
#include <stdint.h>

typedef void FuzzTarget(const uint8_t *bytes, size_t size);

FuzzTarget fuzz_config;     /* a recipe, YAML */
FuzzTarget fuzz_idx;        /* images in IDX, plain or gzip */
FuzzTarget fuzz_images;     /* images in HDF5 */
FuzzTarget fuzz_checkpoint; /* a checkpoint, as `infer info` and the other commands open it */
FuzzTarget fuzz_resume;     /* a checkpoint, as `train` continues it */
FuzzTarget fuzz_predict;    /* the --input of `infer predict` */
FuzzTarget fuzz_noise;      /* the --noise of `infer sample` and of `infer nll` */
FuzzTarget fuzz_dp;         /* costs of steps, dp-<variance>.h5 */
FuzzTarget fuzz_sweep;      /* an unfinished sweep of `infer nll` */
FuzzTarget fuzz_quality;    /* an unfinished table of `infer quality` */
FuzzTarget fuzz_classifier; /* the classifier of `infer quality` */
FuzzTarget fuzz_labels;     /* labels in IDX or HDF5 */
FuzzTarget fuzz_csv;        /* a table that `infer compare` reads back */

typedef struct FuzzEntry {
    const char *name;
    FuzzTarget *run;
} FuzzEntry;

/* All of them; fuzz_target_count entries. */
extern const FuzzEntry fuzz_targets[];
extern const int fuzz_target_count;

/* Whether a target comes back from the bytes of the file `path`, in a process of its own; where not, its
 * last words go to stderr. */
bool fuzz_survives(const FuzzEntry *target, const char *path);

/* -- For the targets -------------------------------------------------------------------------- */

/* The path of `name` in a directory of this process, in memory where the system has such a place;
 * it is removed at the end. Good until the third next call. */
const char *fuzz_path(const char *name);

/* Writes the bytes to a file there and gives its path. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size);

/* Ends the process unless `error` is what a user can act on: of kind ERROR_INPUT, one line of text
 * without control characters. */
void fuzz_check_error(const Error *error);

/* Ends the process with a line that says which rule was broken. */
_Noreturn void fuzz_broken(const char *rule);

/* A checkpoint with the smallest network there can be, made at the first call. */
const char *fuzz_network(void);

/* Its configuration, as YAML, and the N in it. */
extern const char fuzz_network_config[];
enum { FUZZ_TIMESTEPS = 24 };

/* Which unfinished files say that they are of the same command. */
#define FUZZ_KEY "the same command"
