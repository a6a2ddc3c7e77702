/* Where the time of a step goes: one table for the process, which any code may add to.
 *
 *     double begin = profile_begin();
 *     ... work ...
 *     profile_end(begin, "optimiser", PROFILE_OTHER);
 *
 * It is off until profile_start; then each call costs a reading of the clock. Times are those of
 * the calling thread, which waits for all others at the end of its parallel loops. */
#pragma once

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

/* Prints milliseconds per step and shares, the longest first, after `steps` steps that took
 * `seconds` in all. The time that no row has is a row too. */
void profile_print(FILE *to, int steps, double seconds);
