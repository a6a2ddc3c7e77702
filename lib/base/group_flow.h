/* Sums over the processes that go on while the process computes.
 *
 *     group_flow_reserve(count, &error);           once
 *     group_flow_begin(first, count, FLOW_F32);    for each piece of a long array, as soon as it is there
 *     group_flow_advance();                        now and then: a library of messages has no thread
 *     group_flow_end();                            now the sums are there
 *
 * Each process gets its part of a piece (group_share) from all, adds up in the order of the
 * processes, and gives the sum to all. So 2 (n - 1)/n of the piece go out of each process, as they do
 * in a ring, and the bits of a sum depend on nothing but the terms and the number of processes: not on
 * the pieces, not on the library, not on time.
 *
 * As bfloat16 (FLOW_BF16) half as many bytes go out. Each term is rounded once, those of this process
 * too; they are added up in float32, and the sum is rounded once. So all processes have the same bits,
 * and a sum is off by at most 2^-7 of the sum of the terms' magnitudes, nearly: 2^-8 for the terms, 2^-8
 * for their sum, and the roundings in float32.
 *
 * All processes begin the same pieces in the same order. Between the first group_flow_begin and
 * group_flow_end they call no other function of the group that waits for all: a process that waits
 * there adds up no pieces, and another may wait for them. A group of one does nothing.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What the numbers of a piece are while they are on their way. */
typedef enum FlowNumbers { FLOW_F32, FLOW_BF16 } FlowNumbers;

/* Makes room for pieces of up to `count` numbers. */
bool group_flow_reserve(size_t count, Error *error);

/* Begins with values [count]: they are not to be touched until group_flow_end, and are the sums then. */
void group_flow_begin(float *values, size_t count, FlowNumbers numbers);

/* Looks what has come, and does what can be done with it. */
void group_flow_advance(void);

/* Waits for all pieces that were begun. */
void group_flow_end(void);
