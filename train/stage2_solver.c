/* Makes stage 2 with the solver that the configuration names. This file lies above the two solvers,
 * so that they and stage2.c need not know of each other.
 */
#include "train/stages.h"

#include "train/stage2.h"

/* The first loss that exact cannot solve for; NULL: it solves for all. Squares of an output minus a
 * target lead to a linear system, and nll to a gamma regression. */
static const Objective *first_unsolvable(const Stage2Task *task)
{
    for (int i = 0; i < task->count; i++)
        if (!objective_is_quadratic(task->losses[i]) && !objective_is_gamma(task->losses[i]))
            return task->losses[i];
    return NULL;
}

static bool can_solve(const Stage2Task *task, Error *error)
{
    const Objective *loss = first_unsolvable(task);
    return !loss || error_input(error,
                                "--loss %s: stage2.solver is exact, which solves for squared "
                                "losses and for nll; expected --set stage2.solver=adam",
                                loss->name);
}

void stage2_resolve(Config *config, const Stage2Task *task)
{
    if (config->stage2.solver == SOLVER_AUTO && first_unsolvable(task))
        config->stage2.solver = SOLVER_ADAM;
    config_resolve(config);
}

bool stage2_make(Stage **stage, const Config *config, const char *run, const Stage2Task *task,
                 Error *error)
{
    Stage2 *s = NULL;
    const bool exact = config->stage2.solver == SOLVER_EXACT;
    if (exact && !can_solve(task, error)) {
        *stage = NULL;
        return false;
    }
    const bool made = stage2_build(&s, config, run, task, error) &&
                      (exact ? stage2_exact_begin(s, error) : stage2_adam_begin(s, error));
    *stage = &s->stage;
    if (made)
        return true;
    stage_free(*stage);
    *stage = NULL;
    return false;
}
