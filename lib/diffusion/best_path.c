/* Dynamic programming over the number of steps (Watson et al. 2021).
 *
 * Let cost_k[t] be the least cost of k steps from 0 to t. Then
 *
 *     cost_k[t] = min over s < t of cost_{k-1}[s] + table[s][t]
 *
 * Two arrays of costs take turns. For every k and t the best s is kept, and the path is read from
 * these, from t = total down to 0. This takes O(steps total^2) time and O(steps total) memory.
 */
#include "diffusion/best_path.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>

/* Adds a step: cost[t] := the least before[s] + table[s][t], and from[t] := the smallest s that
 * gives it. The loops read the table row by row, in the order of memory. */
static void add_step(const double *table, int total, int steps, const double *before, double *cost,
                     int *from)
{
    const size_t row = (size_t)total + 1;
    for (int t = 0; t <= total; t++) {
        cost[t] = INFINITY;
        from[t] = steps - 1; /* stays if every path costs infinity */
    }
    for (int s = steps - 1; s < total; s++)
        for (int t = s + 1; t <= total; t++) {
            double sum = before[s] + table[(size_t)s * row + (size_t)t];
            if (sum < cost[t]) {
                cost[t] = sum;
                from[t] = s;
            }
        }
}

bool best_path(const double *table, int total, int steps, int *timesteps, Error *error)
{
    assert(1 <= steps && steps <= total);
    const size_t row = (size_t)total + 1;
    double *costs = memory_large(2 * row, sizeof *costs, "the best trajectory", error);
    int *from = memory_large((size_t)steps * row, sizeof *from, "the best trajectory", error);
    const bool ok = costs && from;
    if (ok) {
        double *before = costs, *cost = costs + row;
        for (int t = 1; t <= total; t++)
            before[t] = INFINITY; /* a path of no steps ends at 0 */
        for (int k = 1; k <= steps; k++) {
            add_step(table, total, k, before, cost, from + (size_t)(k - 1) * row);
            double *other = before;
            before = cost;
            cost = other;
        }
        timesteps[steps] = total;
        for (int k = steps; k >= 1; k--)
            timesteps[k - 1] = from[(size_t)(k - 1) * row + (size_t)timesteps[k]];
    }
    memory_free(costs);
    memory_free(from);
    return ok;
}
