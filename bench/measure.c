/* Times steps of the programs, each beside its floor.
 *
 * A Runner can be stepped. The first step, which is not timed, records the library's calls in order
 * (engine/primitive.h); the floor of a later step replays them with nothing in between. Runners
 * whose work is more than those calls give a floor of their own.
 */
#include "bench/measure.h"

#include "bench/runner.h"
#include "bench/speeds.h"

#include "base/clock.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "diffusion/reverse.h"
#include "engine/primitive.h"
#include "engine/profile.h"
#include "model/precision.h"
#include "model/unet.h"
#include "train/stage2.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

const char *work_name(Work work)
{
    static const char *const names[] = {"stage 1",         "stage 2, one head", "stage 2, both",
                                        "stage 2, exact",  "stage 2, ocm",      "sampling",
                                        "bounds",          "costs for dp",      "draws in blocks",
                                        "solution of nll", "draws of gms",      "draws of full"};
    return names[work];
}

/* -- Training --------------------------------------------------------------------------------- */

typedef struct TrainRunner {
    Runner runner;
    Config config; /* of the stage, which must outlive it */
    Stage *stage;
} TrainRunner;

static bool train_step(Runner *runner, int step, Error *error)
{
    TrainRunner *r = (TrainRunner *)runner;
    double losses[MAX_LEARNERS], norms[MAX_LEARNERS];
    return stage_step(r->stage, step, losses, norms, error);
}

/* The floor of the sums of least squares: a bare pass of the trunk. */
static double bare_trunk(Runner *runner, int step)
{
    const Stage2 *s = (const Stage2 *)((TrainRunner *)runner)->stage;
    const double begin = clock_seconds();
    graph_forward(s->trunk_graph, (uint32_t)step, &(Error){0}); /* it has just gone well */
    return clock_seconds() - begin;
}

static bool train_make(TrainRunner *r, const Task *task, Error *error)
{
    const bool ocm = task->work == WORK_OCM, exact = task->work == WORK_EXACT || ocm;
    const Stage2Task heads = {.losses = {ocm ? &objective_ocm : &objective_npr, &objective_sn},
                              .count = task->work == WORK_STAGE2_ONE || ocm ? 1 : 2};
    r->config = task->config;
    r->config.stage2.solver = exact ? SOLVER_EXACT : SOLVER_ADAM;
    config_resolve(&r->config);
    const bool made = task->work == WORK_STAGE1
                          ? stage1_make(&r->stage, &r->config, ".", error)
                          : stage2_make(&r->stage, &r->config, ".", &heads, error);
    if (made)
        r->runner = (Runner){
            .batch = r->stage->batch, .step = train_step, .floor = exact ? bare_trunk : NULL};
    return made;
}

/* -- Sampling --------------------------------------------------------------------------------- */

typedef struct SampleRunner {
    Runner runner;
    Schedule schedule;
    ParamSet params;
    float *weights, *x, *noise; /* x, noise [batch, dims] */
    double *times;
    Graph *graph;
    UNet net;
    size_t dims;
} SampleRunner;

static bool sample_step(Runner *runner, int step, Error *error)
{
    SampleRunner *r = (SampleRunner *)runner;
    const int n = r->schedule.timesteps, t = n - step % (n - 1);
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const ReverseStep move = reverse_step(&r->schedule, &options, t - 1, t);
    for (int i = 0; i < runner->batch; i++)
        r->times[i] = schedule_model_time(&r->schedule, t);
    unet_embed_times(r->times, runner->batch, r->net.embedding, value_data(r->net.time));
    memcpy(value_data(r->net.x), r->x, (size_t)runner->batch * r->dims * sizeof(float));
    if (!graph_forward(r->graph, 0, error))
        return false;
    const double begin = profile_begin();
#pragma omp parallel for
    for (int i = 0; i < runner->batch; i++) {
        size_t at = (size_t)i * r->dims;
        random_normal((RandomKey){.purpose = RANDOM_SAMPLE_NOISE,
                                  .step = (uint32_t)step,
                                  .sample = (uint32_t)i},
                      r->noise + at, r->dims);
        reverse_step_sample(&move, r->x + at, value_data(r->net.eps) + at, NULL, r->noise + at,
                            r->dims, r->x + at);
    }
    profile_end(begin, "reverse step", PROFILE_OTHER);
    return true;
}

static bool sample_make(SampleRunner *r, const Task *task, Error *error)
{
    const Config *config = &task->config;
    DType type;
    r->runner = (Runner){.batch = config->stage1.batch, .step = sample_step};
    r->dims = (size_t)config->data.resolution * (size_t)config->data.resolution *
              (size_t)config->data.channels;
    if (!precision_choose(config->precision, &type, error) ||
        !config_make_schedule(&r->schedule, config, error))
        return false;
    r->graph =
        graph_new(&r->params, (GraphOptions){.batch = config->stage1.batch,
                                             .type = type,
                                             .direct = config->convolution == CONVOLUTION_DIRECT});
    r->net = unet_build(r->graph, config);
    const size_t count = (size_t)config->stage1.batch;
    r->times = memory_small(count, sizeof *r->times);
    r->weights = memory_large(r->params.size, sizeof(float), "the network", error);
    r->x = memory_large(count, r->dims * sizeof(float), "samples", error);
    r->noise = memory_large(count, r->dims * sizeof(float), "noise", error);
    if (!r->weights || !r->x || !r->noise)
        return false;
    params_initialise(&r->params, config->seed, r->weights);
    random_normal((RandomKey){.purpose = RANDOM_SAMPLE_START}, r->x, count * r->dims);
    if (!graph_finish(r->graph, error))
        return false;
    graph_load_weights(r->graph, r->weights);
    return true;
}

static void sample_free(SampleRunner *r)
{
    graph_free(r->graph);
    params_free(&r->params);
    schedule_free(&r->schedule);
    memory_free(r->weights);
    memory_free(r->x);
    memory_free(r->noise);
    memory_free(r->times);
}

/* -- Timing ----------------------------------------------------------------------------------- */

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static void print_profile(int steps, double seconds)
{
    const ProfileSpeeds speeds = speeds_measure(omp_get_max_threads());
    printf("  this machine: %.0f GFLOP/s in float32,", 1e-9 * speeds.operations[DTYPE_F32]);
    if (speeds.operations[DTYPE_BF16] > 0.0)
        printf(" %.0f in bfloat16,", 1e-9 * speeds.operations[DTYPE_BF16]);
    printf(" %.1f GB/s of memory, %.1f billion sigmoids/s\n", 1e-9 * speeds.bytes,
           1e-9 * speeds.sigmoids);
    profile_print(stdout, steps, seconds, &speeds);
}

/* Bytes that this process has had at most. */
static double memory_peak(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024;
}

static bool time_steps(Runner *runner, const Task *task, Measurement *result, Error *error)
{
    double *steps = memory_small(4 * (size_t)task->steps, sizeof *steps), all = 0.0;
    double *floors = steps + task->steps, *ratios = floors + task->steps;
    double *processor = ratios + task->steps;
    primitive_record();
    bool done = runner->step(runner, 0, error);
    const double before = memory_peak(), peak = done ? cpu_peak(omp_get_max_threads()) : 1;
    done = done && primitive_record_end(error);
    primitive_replay();
    profile_start();
    for (int i = 0; done && i < task->steps; i++) {
        const double begin = clock_seconds(), used = clock_processor_seconds();
        done = runner->step(runner, i + 1, error);
        all += steps[i] = clock_seconds() - begin;
        processor[i] = clock_processor_seconds() - used;
        floors[i] = runner->floor ? runner->floor(runner, i + 1) : primitive_replay();
        ratios[i] = steps[i] / floors[i];
    }
    profile_stop();
    const double after = done ? cpu_peak(omp_get_max_threads()) : 1;
    if (task->profile && done)
        print_profile(task->steps, all);
    *result = (Measurement){.step = median(steps, task->steps),
                            .floor = median(floors, task->steps),
                            .ratio = median(ratios, task->steps),
                            .processor = median(processor, task->steps),
                            .peak_share = primitive_record_operations() /
                                          median(steps, task->steps) / fmax(peak, after),
                            .memory = before,
                            .batch = runner->batch};
    memory_free(steps);
    return done;
}

bool measure(const Task *task, Measurement *result, Error *error)
{
    bool done;
    if (task->work == WORK_SAMPLE) {
        SampleRunner r = {0};
        done = sample_make(&r, task, error) && time_steps(&r.runner, task, result, error);
        sample_free(&r);
    } else if (task->work == WORK_BOUNDS || task->work == WORK_DP) {
        Runner *runner = NULL;
        done = bounds_make(&runner, task, error) && time_steps(runner, task, result, error);
        bounds_free(runner);
    } else if (task->work == WORK_FULL) {
        Runner *runner = NULL;
        done = full_make(&runner, task, error) && time_steps(runner, task, result, error);
        full_free(runner);
    } else if (task->work == WORK_DRAWS || task->work == WORK_GMS) {
        Runner *runner = NULL;
        done = draws_make(&runner, task, error) && time_steps(runner, task, result, error);
        draws_free(runner);
    } else if (task->work == WORK_SOLUTION) {
        Runner *runner = NULL;
        done = solution_make(&runner, task, error) && time_steps(runner, task, result, error);
        solution_free(runner);
    } else {
        TrainRunner r = {0};
        done = train_make(&r, task, error) && time_steps(&r.runner, task, result, error);
        stage_free(r.stage);
    }
    return done;
}
