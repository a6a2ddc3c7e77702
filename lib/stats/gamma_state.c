/* All arrays are allocated together, and freed together. */
#include "stats/gamma_state.h"

#include "base/memory.h"

void gamma_state_free(GammaState *s)
{
    double *const arrays[] = {
        s->l,        s->change,    s->part,     s->weight,         s->factor, s->strips, s->slopes,
        s->gradient, s->direction, s->residual, s->preconditioned, s->search, s->product};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
}

static size_t largest_chunk(const GammaRows *rows)
{
    size_t most = 0;
    for (int c = 0; c < rows->chunks; c++) {
        const size_t count = rows->first(rows->context, c + 1) - rows->first(rows->context, c);
        most = count > most ? count : most;
    }
    return most;
}

bool gamma_state_make(GammaState *s, const GammaProblem *problem, double *w, Error *error)
{
    const GammaRows *rows = problem->rows;
    *s = (GammaState){.problem = problem,
                      .rows = rows,
                      .features = (size_t)rows->features,
                      .count = rows->first(rows->context, rows->chunks),
                      .chunk = largest_chunk(rows),
                      .w = w};
    const size_t features = s->features, count = s->count;
    const struct {
        double **array;
        size_t size;
    } arrays[] = {
        {&s->l, count},
        {&s->change, count},
        {&s->part, count},
        {&s->weight, count},
        {&s->factor, features * features},
        {&s->strips, GAMMA_STRIPS * features},
        {&s->slopes, GAMMA_STRIPS * s->chunk},
        {&s->gradient, features},
        {&s->direction, features},
        {&s->residual, features},
        {&s->preconditioned, features},
        {&s->search, features},
        {&s->product, features},
    };
    bool done = count > 0 || error_runtime(error, "a regression: there are no rows");
    for (size_t i = 0; done && i < sizeof arrays / sizeof arrays[0]; i++) {
        *arrays[i].array = memory_large(arrays[i].size, sizeof(double), "a regression", error);
        done = *arrays[i].array != NULL;
    }
    return done;
}
