/* Draws the samples of every cell and measures them.
 *
 * Values of an unfinished run are read first; a cell that has all its values is not drawn again.
 * After every cell all values are written, so that a stop costs one cell at most.
 */
#include "infer/quality/quality_measure.h"

#include "base/fingerprint.h"
#include "base/group.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "infer/quality/quality_draw.h"
#include "infer/quality/quality_store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The work in progress. */
typedef struct Work {
    const QualityMeasuring *how;
    const QualityTask *task;
    Noise noise;
    /* [count, dims]: the samples of a cell */
    float *images;
    Progress progress;
} Work;

/* -- Stored values ---------------------------------------------------------------------------- */

static bool is_measured(const QualityTask *task, int row)
{
    for (int m = 0; m < QUALITY_METRICS; m++)
        if (task->wanted[m] && isnan(*quality_values(task, row, m)))
            return false;
    return true;
}

static int cells_measured(const QualityTask *task)
{
    int count = 0;
    for (int c = 0; c < task->cell_count; c++)
        count += is_measured(task, 1 + c);
    return count;
}

static int64_t evaluations(const QualityTask *task, bool only_measured)
{
    int64_t sum = 0;
    for (int c = 0; c < task->cell_count; c++)
        if (!only_measured || is_measured(task, 1 + c))
            sum += (int64_t)task->count * task->cells[c].steps *
                   (quality_is_tuned(task, c) ? 1 + quality_tune_draws(task->tune) : 1);
    return sum;
}

/* Whether all processes measure the same, and have found the same values. */
static bool check_same(const Work *work, Error *error)
{
    const QualityMeasuring *how = work->how;
    const int measured = cells_measured(work->task);
    const uint64_t key = fingerprint(FINGERPRINT_START, how->key, strlen(how->key));
    return group_check_same(fingerprint(key, &measured, sizeof measured),
                            how->unfinished ? how->unfinished : "quality", error);
}

static bool restore(const Work *work, Error *error)
{
    const QualityMeasuring *how = work->how;
    const size_t rows = (size_t)work->task->cell_count + 1;
    bool found = false;
    for (size_t i = 0; i < rows * QUALITY_METRICS * (size_t)work->task->columns; i++)
        work->task->values[i] = NAN;
    const bool read = !how->unfinished || how->fresh ||
                      quality_store_read(work->task, how->key, how->unfinished, &found, error);
    return group_agree(read, error) && check_same(work, error);
}

static bool keep(const Work *work, Error *error)
{
    const QualityMeasuring *how = work->how;
    return !how->unfinished || quality_store_write(work->task, how->key, how->unfinished, error);
}

/* -- A cell ----------------------------------------------------------------------------------- */

static bool measure_floor(const Work *work, Error *error)
{
    const RealImages *real = work->how->real;
    const size_t half = (size_t)real->count * network_dims(work->how->network);
    return quality_meter_measure(work->how->meter, real->pixels + half, real->count,
                                 quality_values(work->task, 0, 0), error);
}

static bool measure_cell(Work *work, int c, Error *error)
{
    SamplingPlan *cell = &work->task->cells[c];
    const int count = work->task->count;
    const QualityTuneWork tuning = {
        .noise = &work->noise, .images = work->images, .progress = &work->progress};
    if (quality_is_tuned(work->task, c) && !quality_tune(work->how->tuner, cell, &tuning, error))
        return false;
    return quality_draw(work->how->network, cell, &work->noise, 0, count, work->images,
                        &work->progress, error) &&
           quality_meter_measure(work->how->meter, work->images, count,
                                 quality_values(work->task, 1 + c, 0), error) &&
           keep(work, error);
}

/* -- All of them ------------------------------------------------------------------------------ */

/* Replaces the error of a signal by one that says how to go on. Any other error stays as it is. */
static bool explain_stop(const Work *work, Error *error)
{
    const int done = cells_measured(work->task);
    if (!interrupt_requested() || !work->how->unfinished || done == 0)
        return false;
    return error_runtime(error, "stopped by %s after %d of %d cells; the same command goes on (%s)",
                         interrupt_name(), done, work->task->cell_count, work->how->unfinished);
}

static bool measure_all(Work *work, Error *error)
{
    const QualityTask *task = work->task;
    if (!is_measured(task, 0) && !measure_floor(work, error))
        return false;
    for (int c = 0; c < task->cell_count; c++)
        if (!is_measured(task, 1 + c) && !measure_cell(work, c, error))
            return explain_stop(work, error);
    return true;
}

bool quality_measure(const QualityMeasuring *how, const QualityTask *task, Error *error)
{
    const size_t dims = network_dims(how->network);
    Work work = {.how = how, .task = task, .noise = noise_drawn(how->seed, dims)};
    if (!restore(&work, error))
        return false;
    work.images = memory_large((size_t)task->count, dims * sizeof *work.images, "samples", error);
    if (!work.images)
        return false;
    progress_start(&work.progress, "quality", evaluations(task, true), evaluations(task, false), 1,
                   "evaluations/s", how->quiet);
    if (cells_measured(task) > 0)
        progress_note(&work.progress, "goes on after %d of %d cells (%s)", cells_measured(task),
                      task->cell_count, how->unfinished);
    const bool ok = measure_all(&work, error);
    progress_finish(&work.progress);
    memory_free(work.images);
    return ok;
}
