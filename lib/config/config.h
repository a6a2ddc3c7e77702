/* Configuration: one YAML file per experiment.
 *
 * A table in config_keys.c describes every key once (name, type, range, default, help);
 * reading, writing, comparing and --help all walk that table. Every key has a default.
 *
 * Errors are of kind ERROR_INPUT, one line that says where, what was expected and what came:
 *     configs/x.yaml:4: stage1.batch: expected an integer from 1 to 65536, got "many"
 *     configs/x.yaml:4: unknown key "model.chanels"; did you mean "model.channels"?
 *     --set stage1.batch=many: expected an integer from 1 to 65536, got "many"
 */
#pragma once

#include "base/error.h"
#include "config/data_format.h"
#include "diffusion/schedule.h"

#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_MAX_LEVELS = 8, CONFIG_TEXT_SIZE = 512 };

typedef enum HeadType { HEAD_SIMPLE, HEAD_COMPLEX } HeadType;
typedef enum FixedVariance { FIXED_BETA, FIXED_BETA_TILDE } FixedVariance;
typedef enum Solver { SOLVER_AUTO, SOLVER_ADAM, SOLVER_EXACT } Solver;
typedef enum OnNonfinite { NONFINITE_STOP, NONFINITE_SKIP } OnNonfinite;
typedef enum PrecisionChoice { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16 } PrecisionChoice;

typedef struct Config {
    char name[CONFIG_TEXT_SIZE]; /* names the run: the default directory is checkpoints/<name> */
    struct {
        DataFormat format;
        char train[CONFIG_TEXT_SIZE]; /* paths; "" for none: a mixture needs none, and a */
        char test[CONFIG_TEXT_SIZE];  /* checkpoint may describe its model and no data at all */
        int channels;
        int resolution; /* images are square */
        bool flip;      /* random horizontal flips in training */
    } data;
    struct {
        ScheduleKind schedule;
        int timesteps; /* N */
    } diffusion;
    struct {
        int channels;
        int levels; /* how many entries channel_mult has */
        int channel_mult[CONFIG_MAX_LEVELS];
        int res_blocks;
        int attentions;                   /* how many entries attention has */
        int attention[CONFIG_MAX_LEVELS]; /* resolutions with self-attention */
        double dropout;
        int norm_groups;
    } model;
    struct {
        HeadType type;
    } head;
    struct {
        FixedVariance variance; /* what samples of stage 1 use */
        int64_t steps;
        int batch;
        double lr;
        int64_t warmup;   /* steps over which the learning rate rises linearly; 0: none */
        double grad_clip; /* largest L2 norm of the gradient; 0: no clipping */
        double ema;
    } stage1;
    struct {
        Solver solver; /* config_settle() decides what SOLVER_AUTO is, and time_bins = 0 */
        int64_t steps;
        int batch;
        double lr;
        double ema;
        int64_t images;     /* for SOLVER_EXACT: how many to fit, besides those held out */
        int time_bins;      /* last layers of a head, each for as many timesteps */
        double ridge;       /* for SOLVER_EXACT (lib/stats/least_squares.h); below 0: tried out */
        bool trunk_dropout; /* true reproduces the published code (see train/stage2.c) */
    } stage2;
    struct {
        int64_t every; /* steps between periodic checkpoints */
        int keep; /* how many of the last of them stay as files of their own, besides the newest */
    } checkpoint;
    struct {
        OnNonfinite on_nonfinite; /* what becomes of a step whose loss or gradient is no number */
    } train;
    uint64_t seed;
    PrecisionChoice precision;
} Config;

/* The default of every key, which a configuration that leaves it out has. Recipes that are sized for a
 * machine, configs/fashion-mnist.yaml too, say what they want otherwise. */
void config_defaults(Config *config);

/* Reads `path`, a file in which some key must be (an empty one is more likely a slip than a wish), over the defaults, then applies `count` overrides "key.sub=value" (a value is
 * YAML: `model.attention=[14, 7]`), then checks that the whole is possible. After a failure
 * `config` is as before. */
bool config_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error);

/* The same from text in memory, as a checkpoint stores it (NULL: the defaults alone); `origin`
 * stands for the path in errors.
 *
 * The default data files hold Fashion-MNIST. Text that describes other images and names neither
 * format nor files gets no files ("") instead: whoever opens the data must say that there are
 * none. Text that does name data.format names its files too, be it as "". */
bool config_parse(Config *config, const char *text, const char *origin,
                  const char *const *overrides, int count, Error *error);

/* Decides what stage2.solver and stage2.time_bins leave open: exact and 12 bins for simple heads, else adam
 * and one. A checkpoint says what was decided. */
void config_settle(Config *config);

/* The whole configuration as YAML, every key present, in the order of the table; the caller
 * frees it with memory_free. Parsing it gives the same configuration, bit for bit. */
char *config_to_yaml(const Config *config);

/* What two configurations have to agree in. */
typedef enum ConfigScope {
    CONFIG_WHOLE,   /* every key */
    CONFIG_STAGE1,  /* what bears on the numbers of stage 1: one run continues another */
    CONFIG_STAGE2,  /* the same for stage 2 */
    CONFIG_NETWORK, /* what the trunk computes, whatever trained it */
    CONFIG_STAGE1_STEERED, /* CONFIG_STAGE1 but for what a run may go on with when asked: another learning */
    CONFIG_STAGE2_STEERED, /* rate, its warm-up, another clipping of the gradient; and CONFIG_STAGE2 */
} ConfigScope;

/* The keys of `scope` in which a and b differ, "stage1.lr, model.channels", in `keys` (as many as
 * fit); returns their number. */
int config_differences(const Config *a, const Config *b, ConfigScope scope, char *keys,
                       int keys_size);

/* Two lines per key for --help: name and meaning, what it may be and its default. Caller frees. */
char *config_help(void);
