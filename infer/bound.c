#include "bound.h"

#include "base/memory.h"
#include "base/progress.h"
#include "base/random.h"
#include "diffusion/forward.h"
#include "diffusion/likelihood.h"
#include "image_array.h"

#include <math.h>
#include <stdio.h>

/* A sweep: what it needs besides the plan, for one batch of images at one timestep. */
typedef struct Sweep {
    Network *network;
    const BoundPlan *plan;
    double *bits;
    size_t dims;
    int *next
        [LISTS_MAX_STEPS]; /* [N + 1]: where trajectory k goes from t; -1: it never comes there */
    int start[LISTS_MAX_STEPS]; /* where it begins, its t_K */
    int batch;
    int *t;                /* [batch] */
    float *x_t, *cov;      /* [batch, dims] */
    float *eps;            /* [batch, dims]: the noise, or [images, dims] when it is a file's */
    NetworkOutputs output; /* [batch, dims] each */
    Hdf5File *file;        /* of the noise; NULL where it is drawn */
    ImageArray noise;
    int64_t *noise_t; /* [noise_count] */
    int64_t noise_count;
} Sweep;

/* -- Preparation ------------------------------------------------------------------------------ */

/* Where a trajectory repeats a timestep, only the step that goes on from there counts. */
static bool make_trajectory(Sweep *s, int k, Error *error)
{
    const int total = network_schedule(s->network)->timesteps, steps = s->plan->steps[k];
    int *timesteps = memory_small((size_t)steps + 1, sizeof *timesteps);
    bool ok = trajectory_make(s->plan->trajectory, total, steps, timesteps, error) ||
              error_prefix(error, "--steps");
    s->next[k] = memory_small((size_t)total + 1, sizeof *s->next[k]);
    for (int t = 0; t <= total; t++)
        s->next[k][t] = -1;
    for (int i = 1; ok && i <= steps; i++)
        if (timesteps[i] > timesteps[i - 1])
            s->next[k][timesteps[i]] = timesteps[i - 1];
    s->start[k] = timesteps[steps];
    memory_free(timesteps);
    return ok;
}

static bool is_visited(const Sweep *s, int t)
{
    for (int k = 0; k < s->plan->steps_count; k++)
        if (s->next[k][t] >= 0)
            return true;
    return false;
}

/* The row of the file's noise for t; -1 if there is none. */
static int64_t row_of(const Sweep *s, int t)
{
    for (int64_t row = 0; row < s->noise_count; row++)
        if (s->noise_t[row] == t)
            return row;
    return -1;
}

static bool check_noise(const Sweep *s, Error *error)
{
    for (int t = 1; t <= network_schedule(s->network)->timesteps; t++)
        if (is_visited(s, t) && row_of(s, t) < 0)
            return error_input(error,
                               "%s:/t: expected timestep %d to be among them, as --steps needs",
                               s->plan->noise_path, t);
    return true;
}

static bool open_noise(Sweep *s, Error *error)
{
    s->noise_count = HDF5_ANY;
    if (!hdf5_open(&s->file, s->plan->noise_path, error) ||
        !hdf5_expect(s->file, "t", HDF5_INT64, 1, &s->noise_count, error))
        return false;
    s->noise_t = memory_large((size_t)s->noise_count, sizeof *s->noise_t, "timesteps", error);
    return s->noise_t &&
           hdf5_read(s->file, "t", HDF5_INT64, 1, &s->noise_count, s->noise_t, error) &&
           image_array_open_steps(&s->noise, s->file, "eps", network_config(s->network),
                                  s->noise_count, s->plan->images, error) &&
           check_noise(s, error);
}

static bool allocate(Sweep *s, Error *error)
{
    const size_t batch = (size_t)s->batch;
    const size_t noise = s->plan->noise_path ? (size_t)s->plan->images : batch;
    float **arrays[2 + NETWORK_MAX_HEADS] = {&s->x_t, &s->cov, &s->output.eps};
    int count = 3;
    for (int v = 0; v < s->plan->variance_count; v++) {
        const char *head = variance_head(s->plan->variances[v]);
        if (head)
            arrays[count++] = &s->output.heads[network_find_head(s->network, head)];
    }
    for (int i = 0; i < count; i++)
        if (!(*arrays[i] = memory_large(batch, s->dims * sizeof(float), "images", error)))
            return false;
    s->eps = memory_large(noise, s->dims * sizeof(float), "noise", error);
    s->t = memory_small(batch, sizeof *s->t);
    return s->eps != NULL;
}

static bool prepare(Sweep *s, Error *error)
{
    for (int v = 0; v < s->plan->variance_count; v++)
        if (!network_check_variance(s->network, s->plan->variances[v], error))
            return false;
    for (int k = 0; k < s->plan->steps_count; k++)
        if (!make_trajectory(s, k, error))
            return false;
    return (!s->plan->noise_path || open_noise(s, error)) && allocate(s, error);
}

static void release(Sweep *s)
{
    for (int k = 0; k < s->plan->steps_count; k++)
        memory_free(s->next[k]);
    for (int h = 0; h < NETWORK_MAX_HEADS; h++)
        memory_free(s->output.heads[h]);
    memory_free(s->output.eps);
    memory_free(s->x_t);
    memory_free(s->cov);
    memory_free(s->eps);
    memory_free(s->t);
    memory_free(s->noise_t);
    image_array_close(&s->noise);
    hdf5_close(s->file);
}

/* -- Terms ------------------------------------------------------------------------------------ */

static ReverseStep step_of(const Sweep *s, VarianceKind variance, int from, int to)
{
    ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    options.variance = variance;
    options.clip_pixel = 0;
    return reverse_step(network_schedule(s->network), &options, to, from);
}

/* The terms at t of image `first` + i of the sweep, the i-th of the batch, for one variance. */
static void add_terms(Sweep *s, int v, int t, int first, int i)
{
    const BoundPlan *plan = s->plan;
    const Schedule *schedule = network_schedule(s->network);
    const VarianceKind kind = plan->variances[v];
    const size_t at = (size_t)i * s->dims;
    const float *x_0 = plan->x_0 + (size_t)(first + i) * s->dims;
    const float *x_t = s->x_t + at, *eps = s->output.eps + at;
    const double unit = 1 / ((double)s->dims * log(2));
    float *cov = NULL;
    if (!variance_is_fixed(kind)) {
        const char *head = variance_head(kind);
        const float *out = head ? s->output.heads[network_find_head(s->network, head)] + at : NULL;
        const double *ms_eps = network_ms_eps(s->network);
        if (kind == VARIANCE_ANALYTIC_DIAG)
            out = network_ms_eps_diag(s->network, t);
        cov = s->cov + at;
        variance_cov_x0(kind, schedule, t, eps, out, ms_eps ? ms_eps[t] : 0, plan->clip_cov,
                        s->dims, cov);
    }
    for (int k = 0; k < plan->steps_count; k++) {
        const int to = s->next[k][t];
        if (to < 0)
            continue;
        const ReverseStep step = step_of(s, kind, t, to);
        double nats = to == 0 ? likelihood_decoder(&step, likelihood_decoder_variance(schedule),
                                                   x_0, x_t, eps, s->dims)
                              : likelihood_step(&step, x_0, x_t, eps, cov, s->dims);
        s->bits[(size_t)(v * plan->steps_count + k) * (size_t)plan->images + (size_t)(first + i)] +=
            nats * unit;
    }
}

static void add_priors(Sweep *s)
{
    const BoundPlan *plan = s->plan;
    const size_t images = (size_t)plan->images;
    const double unit = 1 / ((double)s->dims * log(2));
    for (int k = 0; k < plan->steps_count; k++)
        for (size_t i = 0; i < images; i++) {
            double prior = unit * likelihood_prior(network_schedule(s->network), s->start[k],
                                                   plan->x_0 + i * s->dims, s->dims);
            for (int v = 0; v < plan->variance_count; v++)
                s->bits[(size_t)(v * plan->steps_count + k) * images + i] = prior;
        }
}

/* -- The sweep -------------------------------------------------------------------------------- */

static void draw_noise(Sweep *s, int t, int first, int count)
{
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        random_normal((RandomKey){.seed = s->plan->seed,
                                  .purpose = RANDOM_LIKELIHOOD,
                                  .step = (uint32_t)t,
                                  .sample = (uint32_t)(first + i)},
                      s->eps + (size_t)i * s->dims, s->dims);
}

static bool take_batch(Sweep *s, int t, int first, int count, Error *error)
{
    const BoundPlan *plan = s->plan;
    const float *eps = s->eps + (s->file ? (size_t)first * s->dims : 0);
    if (!s->file)
        draw_noise(s, t, first, count);
    for (int i = 0; i < count; i++)
        s->t[i] = t;
    forward_noise(network_schedule(s->network), s->t, plan->x_0 + (size_t)first * s->dims, eps,
                  (size_t)count, s->dims, s->x_t);
    if (!network_evaluate(s->network, s->x_t, s->t, count, &s->output, error))
        return false;
    for (int v = 0; v < plan->variance_count; v++) {
#pragma omp parallel for
        for (int i = 0; i < count; i++)
            add_terms(s, v, t, first, i);
    }
    return true;
}

static bool sweep(Sweep *s, Progress *progress, Error *error)
{
    const int images = s->plan->images;
    for (int t = network_schedule(s->network)->timesteps; t >= 1; t--) {
        if (!is_visited(s, t))
            continue;
        if (s->file && !image_array_read(&s->noise, row_of(s, t), 1, s->eps, error))
            return false;
        for (int first = 0; first < images; first += s->batch) {
            int count = images - first < s->batch ? images - first : s->batch;
            if (!take_batch(s, t, first, count, error))
                return false;
            progress_update(progress, progress->done + count, "t = %d", t);
        }
    }
    return true;
}

bool bound_sweep(Network *network, const BoundPlan *plan, bool quiet, double *bits, Error *error)
{
    Sweep s = {.network = network,
               .plan = plan,
               .bits = bits,
               .dims = network_dims(network),
               .batch = network_batch(network)};
    bool ok = prepare(&s, error);
    if (ok) {
        int64_t visited = 0;
        for (int t = 1; t <= network_schedule(network)->timesteps; t++)
            visited += is_visited(&s, t);
        Progress progress;
        add_priors(&s);
        progress_start(&progress, "bound", 0, visited * plan->images, 1, "evaluations/s", quiet);
        ok = sweep(&s, &progress, error);
        progress_finish(&progress);
    }
    release(&s);
    return ok;
}
