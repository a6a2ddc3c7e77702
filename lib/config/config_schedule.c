/* The noise schedule of a configuration. */
#include "config/config.h"

bool config_make_schedule(Schedule *schedule, const Config *config, Error *error)
{
    const ScheduleOptions options = {.kind = config->diffusion.schedule,
                                     .timesteps = config->diffusion.timesteps,
                                     .beta_start = config->diffusion.beta_start,
                                     .beta_end = config->diffusion.beta_end,
                                     .betas = config->diffusion.betas,
                                     .time = config->model.time};
    return schedule_make_as(schedule, &options, error);
}
