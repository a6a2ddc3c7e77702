/* Progress of long work, on stderr.
 *
 * On a terminal one line with a bar, redrawn ten times a second at most:
 *
 *     stage 1 [=======>            ]  38 %  7600/20000  312 images/s  loss 23.41  0:39:42 left
 *
 * Elsewhere (a file, a pipe) a plain line every ten seconds at most, and one at the end. Calling
 * progress_update after every step is cheap: most calls only look at the clock. No call waits for a
 * reader: a line that a full pipe does not take is dropped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_TEXT_SIZE = 128 };

typedef struct Progress {
    /* "stage 1"; not copied. */
    const char *what;
    /* "images/s"; not copied. */
    const char *unit;
    /* Steps in all. */
    int64_t total;
    /* Units per step: 128 for a batch of 128 images. */
    double per_step;
    /* Seconds between two lines; may be changed after progress_start. */
    double interval;
    bool quiet;
    bool terminal;

    /* When this run began, by clock_seconds, and the steps that were done by then. */
    double start_time;
    int64_t start_done;

    /* The present state; `text` is "loss 23.41". */
    int64_t done;
    char text[PROGRESS_TEXT_SIZE];
    /* When the last line was written (-INFINITY: never), and the steps that it showed (-1: a note
     * came after it, or it was dropped). */
    double shown;
    int64_t shown_done;
    /* Whether a bar stands on the terminal, without a newline. */
    bool line_open;

    /* Two marks. The speed is measured from the older one, over the last half to whole minute, so
     * that it follows a machine that gets busier. Steps of an earlier run do not count. */
    double mark_time[2];
    int64_t mark_done[2];
} Progress;

/* Begins work of `total` steps; an earlier run has done the first `first` of them. `quiet`: nothing
 * is printed. */
void progress_start(Progress *progress, const char *what, int64_t first, int64_t total,
                    double per_step, const char *unit, bool quiet);

/* Reports that `done` steps are done, those of earlier runs included. The format makes the text in
 * the middle, for instance "loss %.4f"; "" for none. */
void progress_update(Progress *progress, int64_t done, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints a line of its own between two states of the bar: "saved checkpoints/quick/stage1.h5". */
void progress_note(Progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the last state. If all steps are done, it shows the time and the speed of the whole run.
 * To be called before anything else is printed, error messages too. May be called twice. */
void progress_finish(Progress *progress);
