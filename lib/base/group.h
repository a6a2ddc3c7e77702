/* The processes that share a piece of work: one, or several that mpirun has started.
 *
 * A program that is started by itself is a group of one, and every function here then returns at
 * once. Work is shared like this:
 *
 *     const GroupShare share = group_share(images);
 *     for (int64_t i = share.first; i < share.first + share.count; i++)
 *         sum += loss_of(i);
 *     group_sum_doubles(&sum, 1);
 *
 * Every process of the group calls the same functions in the same order; otherwise all wait for
 * ever. So a decision that depends on one process, such as an error, a signal or a clock, is made
 * together first: group_agree, group_notice, group_any. Process 0 alone writes files and prints
 * (base/atomic_file.h, base/standard_error.h). The functions are for one thread at a time.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of this process, from 0, and the number of processes. */
int group_rank(void);
int group_size(void);

/* Whether this process is number 0. */
bool group_is_first(void);

/* The part of `count` things that belongs to this process: a range, in the order of the processes.
 * Parts differ by one at most. */
typedef struct GroupShare {
    int64_t first, count;
} GroupShare;
GroupShare group_share(int64_t count);

/* Where the part of process `rank` begins; of rank group_size(): `count`. */
int64_t group_start(int64_t count, int rank);

/* values [count] := the sums over all processes. All processes get the same bits. */
void group_sum_floats(float *values, size_t count);
void group_sum_doubles(double *values, size_t count);

/* The same, but only process 0 gets the sums. The values of the others become 0. So sums that grow
 * further are those of process 0, and what came since in the others. */
void group_collect_doubles(double *values, size_t count);

/* data [bytes] := the data of process 0. */
void group_broadcast(void *data, size_t bytes);

/* In process 0: data [bytes] := the data of process `from`, 1 or more. To be called by these two
 * processes only. */
void group_bring(void *data, size_t bytes, int from);

/* rows [count] of `bytes` each: every process has filled those of group_share(count), and gets the
 * others. */
void group_gather(void *rows, int64_t count, size_t bytes);

/* The same for parts of any length: process r has filled bytes starts[r] to starts[r + 1] of `data`;
 * starts [group_size() + 1]. */
void group_gather_parts(void *data, const size_t *starts);

/* The largest of the processes' values; and whether a condition holds in any process. */
int group_largest(int value);
bool group_any(bool condition);

/* Returns when all processes have called it. */
void group_barrier(void);

/* Whether `ok` is true in all processes. If not, `error` becomes the error of the first process in
 * which it is false. */
bool group_agree(bool ok, Error *error);

/* Whether `value`, such as a fingerprint of what was read, is the same in all processes. If not, an
 * input error in all of them, which begins with `where`. */
bool group_check_same(uint64_t value, const char *where, Error *error);

/* Looks for signals together: once any process has received one, interrupt_requested says so in all
 * of them, and no sooner (base/interrupt.h). A process that works alone looks for its own. */
void group_notice(void);

/* The seconds that this process has spent so far in the functions of base/group*.h: it waited for
 * others, or gave and took bytes. */
double group_seconds(void);

/* Whether this process works by itself for a while, as a group of one: for work that one process
 * does and the others do not. Returns the former choice. */
bool group_alone(bool alone);
