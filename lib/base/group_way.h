/* The table behind base/group.h: the calls that processes make together, as one library makes them.
 * Private to base/group*.c. */
#pragma once

#include <stddef.h>

/* All processes of a group call the same functions in the same order. */
typedef struct GroupWay {
    int rank, size;
    /* values [count] := the sums over all processes, in every process. */
    void (*sum_floats)(float *values, size_t count);
    void (*sum_doubles)(double *values, size_t count);
    /* The same in process 0; in the others the values stay. */
    void (*collect_doubles)(double *values, size_t count);
    /* data [bytes] := the data of process `from`, in every process. */
    void (*broadcast)(void *data, size_t bytes, int from);
    /* In process 0: data [bytes] := the data of process `from`, which is not 0. To be called by
     * these two processes only. */
    void (*bring)(void *data, size_t bytes, int from);
    /* Bytes starts[r] to starts[r + 1] of `data` := those of process r, in every process. */
    void (*gather)(void *data, const size_t *starts);
    /* The largest value. Waits for the others without using a processor core. */
    int (*largest)(int value);
} GroupWay;

/* A process by itself. */
extern const GroupWay group_serial;

/* From now on the process belongs to a group. `way` is not copied. */
void group_use(const GroupWay *way);
