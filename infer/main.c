/* infer: the program that works with trained models.
 *
 * The first argument names a command. This file finds its function in a table and prints errors;
 * everything else is in the files of the commands.
 */
#include "base/group.h"
#include "base/group_mpi.h"
#include "base/idle_threads.h"
#include "base/nearest.h"
#include "base/program.h"
#include "base/version.h"
#include "hdf5/hdf5_trial.h"
#include "infer/command.h"

#include <stdio.h>
#include <string.h>

typedef struct Command {
    const char *name;
    const char *summary;
    bool (*run)(int argc, char **argv, Error *error);
    /* Whether several processes share the work (base/group.h). Otherwise the first one does it. */
    bool is_shared;
} Command;

static const Command commands[] = {
    {"sample", "draw samples with any reverse variance: a picture or an array", sample_command,
     true},
    {"nll", "bits per dimension of any variances at any numbers of steps", nll_command, true},
    {"quality", "how far samples are from held-out images, by several measures", quality_command,
     true},
    {"compare", "all of that on one page: tables, curves, samples, maps, costs", compare_command,
     true},
    {"predict", "evaluate the network and its variance heads at given x_t and t", predict_command,
     true},
    {"analytic", "measure the constants of the variance analytic, and store them", analytic_command,
     true},
    {"truth", "compare the variances with the exact one, on the built-in mixture", truth_command,
     true},
    {"data", "print what a data set is: images, labels, moments, duplicates", data_command, false},
    {"export", "write the network for other programs: safetensors, diffusers, HDF5", export_command,
     false},
    {"import", "make a run of a network that another program trained", import_command, false},
    {"info", "print the content of a checkpoint", info_command, false},
    {"doctor", "check whether this machine computes right, and how fast", doctor_command, false},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void)
{
    puts("usage: infer <command> [options]\n"
         "\n"
         "Works with the models of `train`: an eps-network, and variance heads on its\n"
         "features. By default it takes the run directory of the default configuration,\n"
         "checkpoints/fashion-mnist; --run DIR, --config FILE or --checkpoint FILE name\n"
         "another model.\n"
         "\n"
         "commands:");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n"
         "`infer <command> --help` has the options of a command, with their defaults.\n"
         "`infer --version` prints the version.\n"
         "\n"
         "examples:\n"
         "  infer sample --variance sn --steps 50 --out samples.png\n"
         "  infer sample --variance beta_tilde,npr,sn --steps 10,25,50 --out compare.png\n"
         "  infer nll --variance beta,npr,sn --steps 10,25,50,100,1000 --out nll.csv\n"
         "  infer quality --variance beta,npr,sn --steps 10,25,50\n"
         "  infer compare\n"
         "  infer predict --input points.h5 --output predictions.h5\n"
         "  infer analytic\n"
         "  infer import ddpm-cifar10-32/ --run cifar10\n"
         "  infer info checkpoints/fashion-mnist/stage1.h5\n"
         "  infer data my-pictures/\n"
         "  infer doctor\n"
         "\n"
         "Exit codes: 0 done, 1 failed, 2 wrong input. After a signal 128 plus its number:\n"
         "130 after SIGINT (Ctrl-C), 143 after SIGTERM, 129 after SIGHUP, 138 after\n"
         "SIGUSR1, 140 after SIGUSR2, 141 after SIGPIPE, 152 after SIGXCPU.");
}

static bool unknown_command(const char *name, Error *error)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    if (name[0] == '-')
        return error_input(error, "expected a command before %.60s; infer --help lists them", name);
    const char *nearest = nearest_name(name, names, COMMANDS);
    if (nearest)
        return error_input(error, "unknown command \"%.60s\"; did you mean %s?", name, nearest);
    return error_input(error, "unknown command \"%.60s\"; infer --help lists the commands", name);
}

static bool run_command(const Command *command, int argc, char **argv, Error *error)
{
    if (command->is_shared)
        return command->run(argc, argv, error);
    if (!group_is_first())
        return true;
    group_alone(true);
    return command->run(argc, argv, error);
}

static bool run(int argc, char **argv, Error *error)
{
    if (argc < 2)
        return error_input(error, "expected a command; infer --help lists them");
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return true;
    }
    if (strcmp(name, "--version") == 0) {
        printf("infer (varhead) %s\n", VARHEAD_VERSION);
        return true;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return run_command(&commands[i], argc - 2, argv + 2, error);
    return unknown_command(name, error);
}

int main(int argc, char **argv)
{
    idle_threads_sleep(argv);
    Error error = {0};
    program_start();
    bool done = group_mpi_start(&error);
    if (group_mpi_is_running())
        hdf5_trial_wanted(false);
    done = done && run(argc, argv, &error);
    done = group_mpi_end("infer", done, &error);
    return group_mpi_status(program_end("infer", done, &error));
}
