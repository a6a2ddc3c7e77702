/* The page of `train --help`: what the stages and losses are, the options, and the keys of a
 * configuration. */
#include "train/help.h"

#include "base/memory.h"
#include "config/config.h"
#include "variance/objective.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: train --stage 1 [options]\n"
    "       train --stage 2 --loss LOSS[,LOSS...] [options]\n"
    "\n"
    "Trains a diffusion model in two stages (Bao et al. 2022, arXiv 2206.07309).\n"
    "\n"
    "Stage 1 trains the network that predicts the noise eps in x_t, the mean of the\n"
    "reverse step, and saves RUN/stage1.h5. Stage 2 freezes it and fits a small head\n"
    "on its features, from which the variance of the reverse step follows:\n"
    "\n";

static const char usage_rest[] =
    "\n"
    "and saves RUN/stage2-LOSS.h5. Several losses, as in npr,sn, fit a head each on\n"
    "the same passes of the network and save RUN/stage2-npr+sn.h5. A stage-2 file is\n"
    "complete: `infer` needs nothing else. The losses of every step go to\n"
    "RUN/metrics.csv. Of the variances that take a pass a step, nll_block had the\n"
    "best bounds on Fashion-MNIST and on CIFAR-10 (docs/study-cifar10.md).\n"
    "\n"
    "A simple head is not trained but solved for, in one pass over stage2.images\n"
    "images; --set stage2.solver=adam trains it as published. nll is solved for on a\n"
    "sample of the pass, stage2.memory GiB at most. The stage-2 file holds the sample\n"
    "until the run is complete; after that --fresh is the way to more images.\n"
    "\n"
    "A run that was stopped (Ctrl-C saves first) is continued, exactly, by the same\n"
    "command. A run that is complete is left alone; a larger number of steps, as in\n"
    "--set stage1.steps=40000, continues it.\n"
    "\n"
    "A recipe is found by its path or by its name: quick is quick.yaml in configs/,\n"
    "or else in the source tree's configs/ or PREFIX/share/varhead/configs/ of the\n"
    "program that runs.\n"
    "\n"
    "examples:\n"
    "  train --stage 1\n"
    "  train --stage 2 --loss npr,sn\n"
    "  train --stage 1 --config quick --set stage1.lr=5e-4 --run try\n"
    "\n";

/* Prints lines. A line that is wider than a page of help is broken between words. */
static void print_wrapped(const char *text)
{
    /* INDENT is the indentation of the second line of a key. */
    enum { WIDTH = 80, INDENT = 27, MIN_INDENT = 4 };
    int indent = 0;
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        if (indent + length > WIDTH)
            for (length = WIDTH - indent; length > 0 && text[length] != ' ';)
                length--;
        if (length == 0 && *text != '\n') { /* a path that is wider than a line */
            length = (int)strcspn(text, " \n");
            indent = MIN_INDENT;
        }
        printf("%*s%.*s\n", indent, "", length, text);
        text += length;
        indent = *text == ' ' ? INDENT : 0;
        text += *text != '\0';
    }
}

void help_print(const Option *options, int count)
{
    char *keys = config_help();
    fputs(usage, stdout);
    for (int i = 0; i < OBJECTIVE_COUNT; i++)
        if (objective_trains_head(objective_table[i]))
            printf("  %-4s %s (%s)\n", objective_table[i]->name, objective_table[i]->help,
                   objective_table[i]->source);
    fputs(usage_rest, stdout);
    options_print_help(options, count, stdout);
    printf("\nkeys of a configuration, for the file and for --set:\n");
    print_wrapped(keys);
    printf("\nExit codes: 0 done, 1 failed, 2 wrong input. Stopped by a signal, with what was\n"
           "trained saved: 128 and its number, as 130 by SIGINT (Ctrl-C), 143 by SIGTERM,\n"
           "129 SIGHUP, 138 SIGUSR1, 140 SIGUSR2, 141 SIGPIPE, 152 SIGXCPU.\n");
    memory_free(keys);
}
