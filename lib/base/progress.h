/* Progress of long work, on stderr.
 *
 * On a terminal one line with a bar, redrawn ten times a second at most:
 *
 *     stage 1 [=======>            ]  38 %  7600/20000  312 images/s  loss 23.41  0:39:42 left
 *
 * Elsewhere (a file, a pipe) a plain line every ten seconds at most, and one at the end. Calling
 * progress_update after every step is cheap: most calls only look at the clock. No call waits for a reader: a line
 * that a full pipe does not take is dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_TEXT_SIZE = 128 };

typedef struct Progress {
    const char *what; /* "stage 1"; not copied */
    const char *unit; /* "images/s"; not copied */
    int64_t total;    /* steps in all */
    double per_step;  /* how many of the unit one step is: a batch of 128 images is 128 */
    double interval;  /* seconds between two lines; may be changed after progress_start */
    bool quiet;
    bool terminal;

    double start_time; /* of this run, in seconds of a clock that only goes forward */
    int64_t start_done;

    /* The present state. */
    int64_t done;
    char text[PROGRESS_TEXT_SIZE]; /* "loss 23.41" */
    double shown;                  /* when the last line was written; -INFINITY: never */
    int64_t shown_done;            /* what it said; -1: a note came after it, or it was dropped */
    bool line_open;                /* a bar stands on the terminal, without a newline */

    /* Speed is measured from the older of two marks, so over the last half to whole minute: it
     * follows a machine that gets busier, and a resumed run's earlier steps don't count. */
    double mark_time[2];
    int64_t mark_done[2];
} Progress;

/* Begins work of `total` steps, `first` of which an earlier run has done. `quiet` silences all. */
void progress_start(Progress *progress, const char *what, int64_t first, int64_t total,
                    double per_step, const char *unit, bool quiet);

/* `done` steps are done, counted from the very first. The format makes the text in the middle,
 * for instance "loss %.4f"; "" for none. */
void progress_update(Progress *progress, int64_t done, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line of its own between two states of the bar: "saved checkpoints/quick/stage1.h5". */
void progress_note(Progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the last state, however far it is; when all is done, with the whole run's time and speed
 * instead of the present ones. To be called before anything else is printed, an error message
 * included; calling it twice does no harm. */
void progress_finish(Progress *progress);
