/* Runs a bound over all timesteps, and saves its sums (sweep.h).
 *
 * Timesteps are visited from N down to 1. They do not depend on one another, so the sums, the last
 * timestep and a key are all that a resumed sweep needs. The file is HDF5: an attribute t, a string
 * key, and an array for each kind of sum.
 */
#include "evaluation/sweep.h"

#include "base/clock.h"
#include "base/fingerprint.h"
#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/note.h"
#include "hdf5/hdf5_file.h"
#include "io/file_kind.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The time between two saves. */
static const double seconds_between = 60;

typedef struct Sweep {
    Bound *bound;
    const BoundTask *task;
    const SweepOptions *options;
    /* N. */
    int timesteps;
} Sweep;

/* -- The sums, stored ------------------------------------------------------------------------- */

enum { ARRAYS = 10 };

typedef struct Stored {
    const char *name;
    double *values;
    int64_t count;
} Stored;

static void list_arrays(const Sweep *s, Stored list[ARRAYS])
{
    const BoundSums *sums = bound_sums(s->bound);
    const int64_t entries = s->timesteps + 1, cells = s->task->cell_count;
    const int64_t variances = s->task->variance_count;
    const Stored all[ARRAYS] = {
        {"bits", sums->bits, cells * s->task->images},
        {"terms", sums->terms, cells * entries},
        {"terms_error", sums->terms_error, cells * entries},
        {"quadrature", sums->quadrature, sums->quadrature ? cells * s->task->images : 0},
        {"calibration", sums->calibration, variances * entries},
        {"calibration_error", sums->calibration_error, variances * entries},
        {"floored", sums->floored, variances * entries},
        {"ratio", sums->ratio, variances * entries},
        {"tenths", sums->tenths, variances * entries * 2 * TENTHS},
        {"tables", sums->tables, sums->tables ? variances * entries * entries : 0},
    };
    memcpy(list, all, sizeof all);
}

/* Writes the sums of timesteps `t` and above; a resumed sweep continues at t - 1. */
static bool store_here(const Sweep *s, int t, Error *error)
{
    Hdf5File *file = NULL;
    Stored list[ARRAYS];
    list_arrays(s, list);
    bool ok =
        hdf5_create_as(&file, s->options->unfinished, file_kind_rule(FILE_SWEEP), error) &&
        hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_SWEEP), error) &&
        hdf5_write_string(file, "key", s->options->key, error) &&
        hdf5_write_attribute_int(file, "/", "t", t, error);
    for (int i = 0; ok && i < ARRAYS; i++)
        if (list[i].count > 0)
            ok = hdf5_write(file, list[i].name, HDF5_FLOAT64, 1, &list[i].count, list[i].values,
                            error);
    if (ok)
        return hdf5_commit(file, error);
    hdf5_close(file);
    return false;
}

/* By the first process; its failure is the failure of all. */
static bool store(const Sweep *s, int t, Error *error)
{
    return group_agree(!group_is_first() || store_here(s, t, error), error);
}

static bool read_sums(const Sweep *s, Hdf5File *file, Error *error)
{
    Stored list[ARRAYS];
    list_arrays(s, list);
    bool ok = true;
    for (int i = 0; ok && i < ARRAYS; i++)
        if (list[i].count > 0)
            ok = hdf5_read(file, list[i].name, HDF5_FLOAT64, 1, &list[i].count, list[i].values,
                           error);
    return ok;
}

/* *t := the lowest timestep whose sums are done: N + 1, or the value in a file with this key. A
 * file with another key will be replaced. A file with this key but without the sums is damaged: an
 * error. */
static bool restore(const Sweep *s, int *t, Error *error)
{
    Hdf5File *file = NULL;
    Error unusable;
    char *key = NULL;
    int64_t stored = 0;
    bool ok = true;
    *t = s->timesteps + 1;
    if (s->options->fresh || access(s->options->unfinished, F_OK) != 0 ||
        !hdf5_open(&file, s->options->unfinished, &unusable))
        return true;
    if (hdf5_read_string(file, "key", &key, &unusable) && strcmp(key, s->options->key) == 0 &&
        hdf5_read_attribute_int(file, "/", "t", &stored, &unusable) && stored >= 1 &&
        stored <= s->timesteps + 1) {
        *t = (int)stored;
        ok = read_sums(s, file, error) || error_add(error, "; --fresh begins anew");
    } else {
        note("%s is of another sweep, and will be replaced", s->options->unfinished);
    }
    memory_free(key);
    hdf5_close(file);
    return ok;
}

/* -- Running ---------------------------------------------------------------------------------- */

/* Called when a visit has failed. If the cause was a signal, saves the sums of timesteps `t` and
 * above, and makes an error that says how to continue. Always returns false. */
static bool stop(const Sweep *s, int t, Error *error)
{
    if (!interrupt_requested() || !s->options->unfinished)
        return false;
    Error failure = {0};
    if (!store(s, t, &failure)) {
        *error = failure;
        return false;
    }
    return error_runtime(error, "stopped by %s; the same command goes on from t = %d (%s)",
                         interrupt_name(), t - 1, s->options->unfinished);
}

static bool visit_all(const Sweep *s, int from, Progress *progress, Error *error)
{
    double stored = clock_seconds();
    for (int t = from - 1; t >= 1; t--) {
        if (!bound_needs(s->bound, t))
            continue;
        if (!bound_visit(s->bound, t, progress, error))
            return stop(s, t + 1, error);
        if (s->options->unfinished && group_any(clock_seconds() - stored > seconds_between)) {
            if (!store(s, t, error))
                return false;
            stored = clock_seconds();
        }
    }
    return true;
}

/* Whether all processes compute the same, and have found the same sums. */
static bool check_same(const SweepOptions *options, int from, Error *error)
{
    const char *text = options->key ? options->key : "";
    const uint64_t key = fingerprint(FINGERPRINT_START, text, strlen(text));
    return group_check_same(fingerprint(key, &from, sizeof from),
                            options->unfinished ? options->unfinished : options->what, error);
}

bool sweep_run(Bound *bound, const BoundTask *task, const Schedule *schedule,
               const SweepOptions *options, Error *error)
{
    const Sweep s = {
        .bound = bound, .task = task, .options = options, .timesteps = schedule->timesteps};
    int from = s.timesteps + 1;
    const bool restored = !options->unfinished || restore(&s, &from, error);
    if (!group_agree(restored, error) || !check_same(options, from, error))
        return false;
    const int64_t all = (int64_t)bound_needed(bound, s.timesteps) * task->images;
    const int64_t left = (int64_t)bound_needed(bound, from - 1) * task->images;
    Progress progress;
    progress_start(&progress, options->what, all - left, all, 1, "evaluations/s", options->quiet);
    if (from <= s.timesteps)
        progress_note(&progress, "goes on from t = %d (%s)", from - 1, options->unfinished);
    bool ok = visit_all(&s, from, &progress, error);
    progress_finish(&progress);
    return ok && (!options->unfinished || store(&s, 1, error));
}

void sweep_forget(const SweepOptions *options)
{
    /* Failure is harmless: only the same sweep would read the file. */
    if (options->unfinished)
        file_kind_remove(options->unfinished, FILE_SWEEP);
}
