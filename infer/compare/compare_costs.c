/* Measures the time that a step of a sample costs with each variance: a pass of the network with the
 * heads that it reads, and the products of full with the network's Jacobian. Beside it stands what
 * the head took to fit (compare_fit.h).
 *
 * The passes without a head and with each head take turns for some rounds, so that other work on
 * the machine disturbs all of them alike, and the shortest time of each counts. Stored times serve
 * if they are of the same network, precision, threads and number of images, and full's of as many
 * passes.
 */
#include "infer/compare/compare_costs.h"

#include "base/clock.h"
#include "base/group.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/random.h"
#include "infer/compare/compare_fit.h"
#include "inference/full_noise.h"
#include "inference/network_products.h"
#include "io/output.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 16, ROUNDS = 7, MAX_PASSES = PREDICTOR_MAX_HEADS + 1 };

/* Seconds per image: entry 0 without a head, entry 1 + h with head h. `full`: a draw of full. */
typedef struct Times {
    double best[MAX_PASSES], full;
    CompareFit fits[PREDICTOR_MAX_HEADS];
    const Comparison *c;
} Times;

typedef struct Buffers {
    float *x, *eps, *head;
    int t[IMAGES];
} Buffers;

/* Times a pass without a head (which = 0) or with head which - 1. */
static bool time_pass(const Comparison *c, Buffers *b, int which, double *best, Error *error)
{
    Prediction outputs = {.eps = b->eps};
    if (which > 0)
        outputs.heads[which - 1] = b->head;
    const double begin = clock_seconds();
    if (!network_evaluate(c->network, b->x, b->t, IMAGES, &outputs, error))
        return false;
    *best = fmin(*best, (clock_seconds() - begin) / IMAGES);
    return true;
}

static bool time_all(Times *times, Buffers *b, Error *error)
{
    const Comparison *c = times->c;
    const int kinds = network_heads(c->network) + 1;
    double ignored = INFINITY;
    bool ok = true;
    for (int kind = 0; ok && kind < kinds; kind++) {
        times->best[kind] = INFINITY;
        ok = time_pass(c, b, kind, &ignored, error); /* warms up */
    }
    for (int round = 0; ok && round < ROUNDS; round++)
        for (int kind = 0; ok && kind < kinds; kind++)
            ok = time_pass(c, b, kind, &times->best[kind], error);
    return ok;
}

static bool has_full(const Comparison *c)
{
    for (int v = 0; v < c->variance_count; v++)
        if (c->variances[v]->reads_jacobian)
            return true;
    return false;
}

/* A draw takes as long as many passes, so two measurements are enough. */
static bool time_full(Times *times, Buffers *b, Error *error)
{
    const Comparison *c = times->c;
    const int t = b->t[0];
    const ReverseOptions options = reverse_defaults(SAMPLER_DDPM);
    const ReverseStep step = reverse_step(network_schedule(c->network), &options, (t + 1) / 2, t);
    FullNoise *full = NULL;
    times->full = INFINITY;
    bool ok = full_noise_make(&full, c->network, IMAGES, full_krylov(&c->common->full), error);
    for (int round = 0; ok && round < 2; round++) {
        const double begin = clock_seconds();
        ok = full_noise_draw(full, &step, b->x, IMAGES, b->x, b->head, error);
        times->full = fmin(times->full, (clock_seconds() - begin) / IMAGES);
    }
    full_noise_free(full);
    return ok;
}

static bool measure(Times *times, Error *error)
{
    const Comparison *c = times->c;
    const size_t dims = network_dims(c->network);
    Buffers b = {0};
    float **arrays[] = {&b.x, &b.eps, &b.head};
    bool ok = network_prepare(c->network, IMAGES, error);
    for (int i = 0; ok && i < 3; i++)
        ok = (*arrays[i] = memory_large(IMAGES, dims * sizeof(float), "images", error)) != NULL;
    if (ok) {
        random_normal((RandomKey){.purpose = RANDOM_LIKELIHOOD}, b.x, IMAGES * dims);
        for (int i = 0; i < IMAGES; i++)
            b.t[i] = (network_schedule(c->network)->timesteps + 1) / 2;
        ok = time_all(times, &b, error) && (!has_full(c) || time_full(times, &b, error));
    }
    for (int i = 0; i < 3; i++)
        memory_free(*arrays[i]);
    return ok;
}

static const char *precision_of(const Comparison *c)
{
    return network_arithmetic(&c->common->network);
}

/* A row of the table. `heads` are those that the variance reads, -1 for none. */
typedef struct Costs {
    const Variance *variance;
    int heads[2];
    double seconds;
    int passes;
    size_t parameters;
} Costs;

static int passes_of(const Comparison *c, const Variance *variance)
{
    return 1 + (variance->reads_jacobian ? PRODUCT_PASSES * full_krylov(&c->common->full) : 0);
}

static Costs costs_of(const Times *times, const Variance *variance)
{
    const Network *network = times->c->network;
    const char *const names[] = {variance->head, variance->draw_head};
    Costs costs = {
        .variance = variance, .seconds = times->best[0], .passes = passes_of(times->c, variance)};
    for (int i = 0; i < 2; i++) {
        costs.heads[i] = names[i] ? network_find_head(network, names[i]) : -1;
        if (costs.heads[i] < 0)
            continue;
        costs.seconds += times->best[1 + costs.heads[i]] - times->best[0];
        costs.parameters += network_head_parameters(network, costs.heads[i]);
    }
    if (variance->reads_jacobian)
        costs.seconds += times->full;
    return costs;
}

/* Of two heads the first counts: both come from one training, or each has its own pass. */
static void write_fit(FILE *to, const Times *times, const Costs *costs)
{
    const CompareFit none = {NAN, NAN};
    const CompareFit fit = costs->heads[0] >= 0 ? times->fits[costs->heads[0]] : none;
    if (isnan(fit.seconds))
        fputs(",\n", to);
    else
        fprintf(to, "%.0f,%.4g\n", fit.images, fit.seconds);
}

static void write_table(FILE *to, const void *context)
{
    const Times *times = context;
    const Comparison *c = times->c;
    /* After the beginning of such a file (io/file_kind.h). */
    fputs("precision,network,passes,parameters,fit_images,fit_seconds\n", to);
    for (int v = 0; v < c->variance_count; v++) {
        if (v > 0 && c->variances[v] == c->variances[v - 1]) /* a floor costs nothing */
            continue;
        const Costs costs = costs_of(times, c->variances[v]);
        const char *head = costs.variance->head;
        fprintf(to, "%s,%s,%.6g,%.6g,%d,%d,%s,%016llx,%d,%zu,", costs.variance->name,
                head ? head : "", costs.seconds, costs.seconds / times->best[0], IMAGES,
                omp_get_max_threads(), precision_of(c), (unsigned long long)c->identity,
                costs.passes, costs.parameters);
        write_fit(to, times, &costs);
    }
}

/* Whether a variance's stored row was measured under the present conditions. */
static bool is_alike(const Comparison *c, int row, const Variance *variance)
{
    char network[32];
    snprintf(network, sizeof network, "%016llx", (unsigned long long)c->identity);
    return strcmp(csv_cell(&c->costs, row, "network"), network) == 0 &&
           strcmp(csv_cell(&c->costs, row, "precision"), precision_of(c)) == 0 &&
           csv_number(&c->costs, row, "threads") == omp_get_max_threads() &&
           csv_number(&c->costs, row, "images") == IMAGES &&
           csv_number(&c->costs, row, "passes") == passes_of(c, variance);
}

static bool usable(Comparison *c, const char *path)
{
    Error ignored = {0};
    bool ok = !c->fresh && csv_read(&c->costs, path, &ignored);
    for (int v = 0; ok && v < c->variance_count; v++) {
        const int row = csv_find(&c->costs, 0, "variance", c->variances[v]->name);
        ok = row >= 0 && is_alike(c, row, c->variances[v]);
    }
    ok = !group_any(
        !ok); /* processes may differ in their threads, and measure together or not at all */
    if (ok)
        note("reuses %s", path);
    else
        csv_free(&c->costs);
    return ok;
}

/* The first process measures by itself: times of several processes would be others. */
static bool measure_alone(Times *times, Error *error)
{
    bool ok = true;
    if (group_is_first()) {
        const bool before = group_alone(true);
        ok = measure(times, error);
        group_alone(before);
    }
    if (!group_agree(ok, error))
        return false;
    group_broadcast(times->best, sizeof times->best);
    group_broadcast(&times->full, sizeof times->full);
    return true;
}

bool compare_measure_costs(Comparison *c, Error *error)
{
    char *path = compare_path(c, "costs.csv");
    Times times = {.c = c};
    compare_fits(c, times.fits);
    const bool ok = usable(c, path) || (measure_alone(&times, error) &&
                                        output_text(path, FILE_TIMES, write_table, &times, error) &&
                                        csv_read(&c->costs, path, error));
    memory_free(path);
    return ok;
}
