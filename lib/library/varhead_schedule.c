/* The model's schedule and its trajectories, as arrays. */
#include "base/memory.h"
#include "library/varhead_internal.h"

#include <string.h>

static bool find_array(const Schedule *schedule, const char *name, const double **array,
                       Error *error)
{
    const struct {
        const char *name;
        const double *array;
    } known[] = {{"beta", schedule->beta},
                 {"alpha_bar", schedule->alpha_bar},
                 {"beta_bar", schedule->beta_bar},
                 {"log_alpha_bar", schedule->log_alpha_bar}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].name) == 0) {
            *array = known[i].array;
            return true;
        }
    return error_input(
        error, "name: expected beta, alpha_bar, beta_bar or log_alpha_bar, got \"%.60s\"", name);
}

int varhead_schedule(const VarheadModel *model, const char *name, double *values,
                     VarheadError *error)
{
    Call call;
    const double *array = NULL;
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              call_has(name, "name", &call.error) && call_has(values, "values", &call.error) &&
              find_array(network_schedule(model->network), name, &array, &call.error);
    if (ok)
        memcpy(values, array, ((size_t)varhead_timesteps(model) + 1) * sizeof *values);
    return call_end(&call, ok, error);
}

static bool make_trajectory(const VarheadModel *model, const VarheadOptions *options,
                            int *timesteps, int *count, Error *error)
{
    const Variance *variance = &variance_beta_tilde; /* only dp asks for it */
    int steps, *made = NULL;
    const int room = *count;
    if ((options->trajectory == TRAJECTORY_DP &&
         !options_variance(options, model, &variance, error)) ||
        !options_steps(options, model, &steps, error))
        return false;
    *count = steps + 1;
    if (room < *count)
        return error_input(error, "count: expected room for %d timesteps, got %d", *count, room);
    bool ok = call_has(timesteps, "timesteps", error) &&
              options_timesteps(options, model, variance, steps, &made, error);
    if (ok)
        memcpy(timesteps, made, (size_t)*count * sizeof *timesteps);
    memory_free(made);
    return ok;
}

int varhead_trajectory(const VarheadModel *model, const VarheadOptions *options, int *timesteps,
                       int *count, VarheadError *error)
{
    Call call;
    const VarheadOptions used = options_or_defaults(options);
    bool ok = call_begin(&call) && call_has(model, "model", &call.error) &&
              call_has(count, "count", &call.error) && call_reads_files(&call, used.try_files) &&
              make_trajectory(model, &used, timesteps, count, &call.error);
    return call_end(&call, ok, error);
}
