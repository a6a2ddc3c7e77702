/* Where the time of a step goes: one table for the process, which any code may add to.
 *
 *     double begin = profile_begin();
 *     ... work ...
 *     profile_end(begin, "optimiser", PROFILE_OTHER);
 *
 * It is off until profile_start; then each call costs a reading of the clock. Times are those of
 * the calling thread, which waits for all others at the end of its parallel loops. */
#pragma once

#include "engine/dtype.h"

#include <stdbool.h>
#include <stdio.h>

typedef enum ProfilePhase {
    PROFILE_FORWARD,
    PROFILE_BACKWARD,
    PROFILE_OTHER,
    PROFILE_PHASES,
} ProfilePhase;

/* Empties the table and starts; profile_stop only stops. */
void profile_start(void);
void profile_stop(void);

double profile_begin(void); /* seconds; 0 while off */

/* `what` must outlive the table: a string constant. */
void profile_end(double begin, const char *what, ProfilePhase phase);

/* Between profile_begin and profile_end: the least that this work does. Floating-point operations
 * on operands of a type; bytes that it reads or writes, each counted once. */
void profile_operations(DType type, double operations);
void profile_bytes(double bytes);
/* Exponentials and divisions: a sigmoid has one of each. */
void profile_sigmoids(double sigmoids);

/* The speed of the machine: operations per second on operands of each type, bytes per second
 * between memory and all cores, and sigmoids per second. */
typedef struct ProfileSpeeds {
    double operations[DTYPE_COUNT], bytes, sigmoids;
} ProfileSpeeds;

/* Prints milliseconds per step and shares, the longest first, after `steps` steps that took
 * `seconds` in all. The time that no row has is a row too. With `speeds`, two more columns: the
 * bound of a row, the time of its arithmetic or of its bytes at these speeds, whichever is longer,
 * and the row's time as a multiple of it. NULL: without them. */
void profile_print(FILE *to, int steps, double seconds, const ProfileSpeeds *speeds);
