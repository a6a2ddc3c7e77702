/* The table behind base/group.h: the calls that processes make together, as one library makes them.
 * Private to base/group*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    /* Two ways to move bytes that begin and return at once; `over` gets what they return. All
     * arguments stay until then. `deal`: bytes starts[r] to starts[r + 1] of `from` go to process r,
     * which puts those of process q at `to` + q times their number. `spread`: as gather. Each of the
     * two has an order of its own, in which all processes begin. A group of one has neither. */
    void *(*deal)(const void *from, const size_t *starts, void *to);
    void *(*spread)(void *data, const size_t *starts);
    /* Whether the bytes have come; `moving` is no more then. With `wait` they have. */
    bool (*over)(void *moving, bool wait);
    /* The largest value. Waits for the others without using a processor core. */
    int (*largest)(int value);
} GroupWay;

/* A process by itself. */
extern const GroupWay group_serial;

/* From now on the process belongs to a group. `way` is not copied. */
void group_use(const GroupWay *way);

/* The way that the calls of this process go now: that of its group, or while it is alone
 * (group_alone) group_serial. */
const GroupWay *group_way(void);
