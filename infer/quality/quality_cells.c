/* Makes the cells of infer quality, in the order of its table: by sampler, variance with its
 * floor, scale, correction of the mean, then steps.
 *
 * Fixed variances have no estimate to scale, so they have one cell where others have one for
 * each scale.
 */
#include "infer/quality/quality_cells.h"

#include "base/memory.h"
#include "base/note.h"
#include "infer/cell.h"
#include "infer/lists.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The lists of the request, completed. */
typedef struct Lists {
    const Variance *variances[LISTS_MAX_ROWS];
    int steps[LISTS_MAX_STEPS];
    int variance_count, steps_count;
} Lists;

typedef struct Maker {
    QualityTask *task;
    const QualityRequest *request;
    const Network *network;
    Lists lists;
} Maker;

static bool add_cells(Maker *m, const Variance *variance, const SamplingChoice *choice, bool tuned,
                      Error *error)
{
    QualityTask *task = m->task;
    bool ok = true;
    for (int k = 0; ok && k < m->lists.steps_count; k++) {
        if (task->tuned)
            task->tuned[task->cell_count] = tuned;
        ok = cell_plan_make(&task->cells[task->cell_count++], m->network, choice, variance,
                            m->lists.steps[k], error);
    }
    return ok;
}

static bool add_corrections(Maker *m, const Variance *variance, SamplingChoice *choice,
                            Error *error)
{
    const CorrectionList *list = &m->request->corrections;
    const QualityTune tune = m->request->tune;
    for (int i = 0; i < list->count; i++) {
        choice->correction = list->items[i];
        if (!add_cells(m, variance, choice, false, error))
            return false;
    }
    for (int i = 0; tune != QUALITY_TUNE_NOTHING && i < list->count; i++) {
        if (!quality_tuned_is_neutral(tune, &list->items[i]))
            continue;
        choice->correction = list->items[i];
        quality_tuned_mark(tune, &choice->correction);
        if (!add_cells(m, variance, choice, true, error))
            return false;
    }
    return true;
}

static bool add_variance(Maker *m, Sampler sampler, int v, Error *error)
{
    const QualityRequest *r = m->request;
    const Variance *variance = m->lists.variances[v];
    SamplingChoice choice = cell_choice(r->common, sampler);
    if (r->floors)
        choice.estimate.floor = r->floors[v];
    Error impossible = {0};
    if (!sampling_check(&choice, variance, &impossible)) {
        if (r->variance_count > 0 && r->sampler_count == 1)
            return sampling_check(&choice, variance, error);
        if (r->variance_count > 0) /* the other sampler can use it */
            note("leaves out %s with %s: %s", variance->name, sampler_name(sampler),
                 impossible.message);
        return true;
    }
    const bool is_scaled =
        !variance_is_fixed(variance) && !variance->reads_jacobian && !variance->depends_on_step;
    const int scales = is_scaled ? r->scale_count : 1;
    bool ok = true;
    for (int i = 0; ok && i < scales; i++) {
        choice.estimate.scale = r->scales[i];
        ok = add_corrections(m, variance, &choice, error);
    }
    return ok;
}

static bool complete_lists(Maker *m, Error *error)
{
    const QualityRequest *r = m->request;
    Lists *lists = &m->lists;
    for (int v = 0; v < r->variance_count; v++)
        lists->variances[v] = r->variances[v];
    for (int k = 0; k < r->steps_count; k++)
        lists->steps[k] = r->steps[k];
    lists->variance_count = r->variance_count;
    lists->steps_count = r->steps_count;
    return command_variances(m->network, lists->variances, &lists->variance_count, error) &&
           lists_complete_steps(COMMAND_SAMPLING_STEPS, network_schedule(m->network)->timesteps,
                                lists->steps, &lists->steps_count, error);
}

/* A search begins where nothing is corrected. */
static bool check_tune(const QualityRequest *r, Error *error)
{
    bool begins = r->tune == QUALITY_TUNE_NOTHING;
    for (int i = 0; i < r->corrections.count; i++)
        begins = begins || quality_tuned_is_neutral(r->tune, &r->corrections.items[i]);
    const bool dcw = r->tune == QUALITY_TUNE_DCW;
    return begins ||
           error_input(error,
                       "--tune: searches from a row without the correction; expected %s without "
                       "values, or with %s among them",
                       dcw ? "--dcw" : "--eps-scale", dcw ? "0,0" : "1");
}

bool quality_cells_make(QualityTask *task, const QualityRequest *request, const Network *network,
                        Error *error)
{
    Maker m = {.task = task, .request = request, .network = network};
    if (!check_tune(request, error) || !complete_lists(&m, error))
        return false;
    const int most = request->sampler_count * m.lists.variance_count * request->scale_count *
                     request->corrections.count * (request->tune ? 2 : 1) * m.lists.steps_count;
    task->cells = memory_small((size_t)most, sizeof *task->cells);
    task->tune = request->tune;
    task->tuned = request->tune ? memory_small((size_t)most, sizeof *task->tuned) : NULL;
    for (int i = 0; i < request->sampler_count; i++)
        for (int v = 0; v < m.lists.variance_count; v++)
            if (!add_variance(&m, request->samplers[i], v, error))
                return false;
    return true;
}

EstimateLabel quality_label(const QualityTask *task, int cell)
{
    const SamplingPlan *plan = &task->cells[cell];
    EstimateLabel label = sampling_label(plan);
    const size_t used = strlen(label.text);
    if (quality_is_tuned(task, cell) &&
        quality_tuned_is_neutral(task->tune, &plan->reverse.correction))
        snprintf(label.text + used, sizeof label.text - used,
                 task->tune == QUALITY_TUNE_DCW ? "-low0-high0" : "-eps1");
    return label;
}

void quality_cells_free(QualityTask *task)
{
    for (int c = 0; c < task->cell_count; c++)
        sampling_plan_free(&task->cells[c]);
    memory_free(task->cells);
    memory_free(task->tuned);
    task->cells = NULL;
    task->tuned = NULL;
    task->cell_count = 0;
}
