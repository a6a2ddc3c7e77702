/* How long processes take to sum as many numbers as a network has parameters, by the same functions and
 * in pieces of the same length as in training (base/group_flow.h), but with nothing to compute
 * meanwhile. scripts/two_machines.sh runs it over a slow link.
 *
 *     mpirun -n 2 build/sum_speed NUMBERS
 *
 * It prints the seconds of the fastest of ten sums, and the bytes per second that each process sent:
 * 2 (n - 1)/n of all bytes, divided by these seconds.
 */
#include "base/clock.h"
#include "base/group.h"
#include "base/group_flow.h"
#include "base/group_mpi.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static double sum_once(float *values, size_t count)
{
    const size_t length = 1 << 20;
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(group_rank() + 1);
    group_barrier();
    const double begin = clock_seconds();
    for (size_t first = 0; first < count; first += length)
        group_flow_begin(values + first, count - first < length ? count - first : length, FLOW_F32);
    group_flow_end();
    group_barrier();
    return clock_seconds() - begin;
}

static bool measure(size_t count, Error *error)
{
    const int repeats = 10, n = group_size();
    float *values = memory_large(count, sizeof *values, "numbers", error);
    if (!values || !group_flow_reserve(1 << 20, error))
        return false;
    double best = 1e30;
    for (int k = 0; k < repeats; k++) {
        const double seconds = sum_once(values, count);
        best = seconds < best ? seconds : best;
    }
    for (size_t i = 0; i < count; i++)
        if (values[i] != (float)(n * (n + 1) / 2))
            return error_runtime(error, "number %zu is %g", i, (double)values[i]);
    const double bytes = 4.0 * (double)count;
    const double sent = 2.0 * (n - 1) / n * bytes;
    if (group_is_first())
        printf("%d processes, %.0f MB: %.3f s, %.2f Gbit/s from each process\n", n, bytes / 1e6,
               best, 8 * sent / best / 1e9);
    memory_free(values);
    return true;
}

int main(int argc, char **argv)
{
    Error error = {0};
    const size_t count = argc > 1 ? (size_t)strtod(argv[1], NULL) : 35700000;
    bool done = group_mpi_start(&error) && measure(count, &error);
    done = group_mpi_end("sum_speed", done, &error);
    if (!done)
        fprintf(stderr, "sum_speed: %s\n", error.message);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
