/* Stage 2, by the solver that the configuration names. */
#include "train/stages.h"

#include "train/stage2.h"

bool stage2_make(Stage **stage, const Config *config, const char *run, const Stage2Task *task,
                 Error *error)
{
    Stage2 *s = NULL;
    const bool exact = config->stage2.solver == SOLVER_EXACT;
    const bool made = stage2_build(&s, config, run, task, error) &&
                      (exact ? stage2_exact_begin(s, error) : stage2_adam_begin(s, error));
    *stage = &s->stage;
    if (made)
        return true;
    stage_free(*stage);
    *stage = NULL;
    return false;
}
