/* Measures the time that each variance costs: a pass of the network with the head that it reads.
 *
 * The passes without a head and with each head take turns for some rounds, so that other work on
 * the machine disturbs all of them alike, and the shortest time of each counts. Stored times serve
 * if they are of the same network, precision, threads and number of images.
 */
#include "infer/compare/compare_costs.h"

#include "base/clock.h"
#include "base/group.h"
#include "base/memory.h"
#include "base/note.h"
#include "base/random.h"
#include "io/output.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 16, ROUNDS = 7, MAX_PASSES = PREDICTOR_MAX_HEADS + 1 };

/* Seconds per image: entry 0 without a head, entry 1 + h with head h. */
typedef struct Times {
    double best[MAX_PASSES];
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
        ok = time_all(times, &b, error);
    }
    for (int i = 0; i < 3; i++)
        memory_free(*arrays[i]);
    return ok;
}

static const char *precision_of(const Comparison *c)
{
    return network_arithmetic(&c->common->network);
}

static void write_table(FILE *to, const void *context)
{
    const Times *times = context;
    const Comparison *c = times->c;
    fprintf(to, "precision,network\n"); /* after the beginning of such a file (io/file_kind.h) */
    for (int v = 0; v < c->variance_count; v++) {
        const char *head = c->variances[v]->head;
        const double time = times->best[head ? 1 + network_find_head(c->network, head) : 0];
        fprintf(to, "%s,%s,%.6g,%.6g,%d,%d,%s,%016llx\n", c->variances[v]->name, head ? head : "",
                time, time / times->best[0], IMAGES, omp_get_max_threads(), precision_of(c),
                (unsigned long long)c->identity);
    }
}

/* Whether a stored row was measured under the present conditions. */
static bool is_alike(const Comparison *c, int row)
{
    char network[32];
    snprintf(network, sizeof network, "%016llx", (unsigned long long)c->identity);
    return strcmp(csv_cell(&c->costs, row, "network"), network) == 0 &&
           strcmp(csv_cell(&c->costs, row, "precision"), precision_of(c)) == 0 &&
           csv_number(&c->costs, row, "threads") == omp_get_max_threads() &&
           csv_number(&c->costs, row, "images") == IMAGES;
}

static bool usable(Comparison *c, const char *path)
{
    Error ignored = {0};
    bool ok = !c->fresh && csv_read(&c->costs, path, &ignored);
    for (int v = 0; ok && v < c->variance_count; v++) {
        const int row = csv_find(&c->costs, 0, "variance", c->variances[v]->name);
        ok = row >= 0 && is_alike(c, row);
    }
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
    return true;
}

bool compare_measure_costs(Comparison *c, Error *error)
{
    char *path = compare_path(c, "costs.csv");
    Times times = {.c = c};
    const bool ok = usable(c, path) || (measure_alone(&times, error) &&
                                        output_text(path, FILE_TIMES, write_table, &times, error) &&
                                        csv_read(&c->costs, path, error));
    memory_free(path);
    return ok;
}
