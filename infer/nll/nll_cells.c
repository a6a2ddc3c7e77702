/* Makes the cells of infer nll, in the order of its table: by variance, then trajectory, then
 * steps. */
#include "infer/nll/nll_cells.h"

#include "base/memory.h"
#include "infer/cell.h"

bool nll_has_dp(const NllRequest *request)
{
    for (int k = 0; k < request->trajectory_count; k++)
        if (request->trajectories[k] == TRAJECTORY_DP)
            return true;
    return false;
}

EstimateOptions nll_estimate(const NllRequest *request, const BoundTask *task, int v)
{
    EstimateOptions options = request->common->estimate;
    if (task->floors)
        options.floor = task->floors[v];
    return options;
}

EstimateLabel nll_label(const EstimateOptions *estimate, const FullOptions *full,
                        const Variance *variance)
{
    EstimateLabel label = estimate_label(estimate, variance);
    if (variance->reads_jacobian)
        full_options_label(full, label.text, sizeof label.text);
    return label;
}

static bool add_cell(BoundTask *task, BoundCell cell, const NllRequest *request,
                     const Network *network, Error *error)
{
    int *timesteps = memory_small((size_t)cell.steps + 1, sizeof *timesteps);
    const EstimateOptions estimate = nll_estimate(request, task, cell.variance);
    BoundCell *cells = (BoundCell *)task->cells; /* its own, by nll_cells_make */
    cell.timesteps = timesteps;
    cells[task->cell_count++] = cell;
    return cell_timesteps(network, cell.trajectory, task->variances[cell.variance], &estimate,
                          cell.steps, timesteps, error);
}

bool nll_cells_make(BoundTask *task, const NllRequest *request, const Network *network,
                    const int *steps, int steps_count, Error *error)
{
    const int count = task->variance_count * request->trajectory_count * steps_count;
    task->cells = memory_small((size_t)count, sizeof *task->cells);
    bool ok = true;
    for (int v = 0; v < task->variance_count; v++)
        for (int j = 0; j < request->trajectory_count; j++)
            for (int k = 0; ok && k < steps_count; k++)
                ok = add_cell(task,
                              (BoundCell){.variance = v,
                                          .trajectory = request->trajectories[j],
                                          .steps = steps[k]},
                              request, network, error);
    return ok;
}

void nll_cells_free(BoundTask *task)
{
    for (int c = 0; c < task->cell_count; c++)
        memory_free((int *)task->cells[c].timesteps);
    memory_free((BoundCell *)task->cells);
    task->cells = NULL;
    task->cell_count = 0;
}
