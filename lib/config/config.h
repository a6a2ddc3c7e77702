/* Configuration: one YAML file per experiment.
 *
 *     Config config;
 *     if (!config_load(&config, "configs/x.yaml", overrides, count, error))
 *         return false;
 *     config_resolve(&config);
 *
 * A table in config_keys.c describes every key once (name, type, range, default, help). Reading,
 * writing, comparing and --help all walk that table. Every key has a default.
 *
 * Errors are of kind ERROR_INPUT, one line that says where, what was expected and what came:
 *     configs/x.yaml:4: stage1.batch: expected an integer from 1 to 65536, got "many"
 *     configs/x.yaml:4: unknown key "model.chanels"; did you mean "model.channels"?
 *     --set stage1.batch=many: expected an integer from 1 to 65536, got "many"
 */
#pragma once

#include "base/error.h"
#include "config/data_format.h"
#include "diffusion/prediction.h"
#include "diffusion/schedule.h"
#include "diffusion/time_bins.h"

#include <stdbool.h>
#include <stdint.h>

enum { CONFIG_MAX_LEVELS = 8, CONFIG_TEXT_SIZE = 512, CONFIG_MAX_BETAS = 4096 };

/* The value of data.test for the test images that data.train brings, or else a tenth of its images,
 * which training leaves out (data/dataset.h). */
#define CONFIG_TEST_AUTO "auto"

/* What the floats of a data set range over: nobody said it, 0 to 1, or -1 to 1. */
typedef enum DataFloats { FLOATS_REFUSE, FLOATS_UNIT, FLOATS_SIGNED } DataFloats;
typedef enum DataResize { RESIZE_NONE, RESIZE_CENTER_CROP } DataResize;
/* What is behind transparent pixels. */
typedef enum DataBackground {
    BACKGROUND_REFUSE,
    BACKGROUND_BLACK,
    BACKGROUND_GREY,
    BACKGROUND_WHITE,
} DataBackground;
typedef enum OnBroken { BROKEN_STOP, BROKEN_SKIP } OnBroken;
/* Whether decoded pictures go to a file: where they are many, where there is a place for it,
 * never. */
typedef enum DataCache { DATA_CACHE_AUTO, DATA_CACHE_ALWAYS, DATA_CACHE_NEVER } DataCache;
/* Of networks; config_network.h says what a family decides. */
typedef enum ModelFamily { FAMILY_DDPM, FAMILY_ADM } ModelFamily;
typedef enum TimeInto { TIME_INTO_AUTO, TIME_INTO_ADD, TIME_INTO_SCALE_SHIFT } TimeInto;
typedef enum Resampling { RESAMPLING_AUTO, RESAMPLING_CONV, RESAMPLING_BLOCK } Resampling;
typedef enum DownPadding { PADDING_AUTO, PADDING_END, PADDING_BOTH } DownPadding;
typedef enum EmbeddingOrder { EMBEDDING_AUTO, EMBEDDING_SIN_COS, EMBEDDING_COS_SIN } EmbeddingOrder;
typedef enum FreqShift { FREQ_SHIFT_AUTO, FREQ_SHIFT_0, FREQ_SHIFT_1 } FreqShift;
typedef enum LearnedVariance { LEARNED_NONE, LEARNED_RANGE } LearnedVariance;
typedef enum Stage1Objective { STAGE1_EPS, STAGE1_HYBRID } Stage1Objective;
typedef enum TimeSampling { TIME_UNIFORM, TIME_LOSS_AWARE } TimeSampling;
typedef enum Transport { TRANSPORT_F32, TRANSPORT_BF16 } Transport;
typedef enum HeadType { HEAD_SIMPLE, HEAD_COMPLEX } HeadType;
typedef enum FixedVariance { FIXED_BETA, FIXED_BETA_TILDE } FixedVariance;
typedef enum Solver { SOLVER_AUTO, SOLVER_ADAM, SOLVER_EXACT } Solver;
typedef enum CorrelationChoice {
    CORRELATION_NONE,
    CORRELATION_BLOCK2,
    CORRELATION_BLOCK4,
    CORRELATION_BLOCK8,
    CORRELATION_AUTO,
} CorrelationChoice;
typedef enum OnNonfinite { NONFINITE_STOP, NONFINITE_SKIP } OnNonfinite;
typedef enum PrecisionChoice { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16 } PrecisionChoice;
typedef enum ConvolutionChoice { CONVOLUTION_AUTO, CONVOLUTION_DIRECT } ConvolutionChoice;

typedef struct Config {
    /* Names the run, whose default directory is checkpoints/<name>. */
    char name[CONFIG_TEXT_SIZE];
    struct {
        DataFormat format;
        /* Paths. "" for none: a mixture needs none, and a checkpoint may describe its model
         * alone. `test` may be CONFIG_TEST_AUTO. */
        char train[CONFIG_TEXT_SIZE];
        char test[CONFIG_TEXT_SIZE];
        /* For numpy. */
        DataFloats floats;
        /* For pictures. */
        DataResize resize;
        DataBackground background;
        OnBroken on_broken;
        DataCache cache;
        /* GiB of the file. */
        double cache_limit;
        int channels;
        /* Images are square. */
        int resolution;
        /* Random horizontal flips in training. */
        bool flip;
    } data;
    struct {
        ScheduleKind schedule;
        /* N. */
        int timesteps;
        /* 0: those of the schedule. */
        double beta_start, beta_end;
        /* [beta_count]: for SCHEDULE_BETAS beta_1 .. beta_N, else none. */
        int beta_count;
        double betas[CONFIG_MAX_BETAS];
    } diffusion;
    struct {
        ModelFamily family;
        int channels;
        /* [levels] */
        int levels;
        int channel_mult[CONFIG_MAX_LEVELS];
        int res_blocks;
        /* [attentions]: the resolutions with self-attention. */
        int attentions;
        int attention[CONFIG_MAX_LEVELS];
        /* Of attention; or, if it is not 0, the channels of a head. */
        int heads, head_channels;
        double dropout;
        int norm_groups;
        /* These may be `auto`, for norm_eps 0 (config_network.h). */
        double norm_eps;
        TimeInto time_into;
        Resampling resampling;
        DownPadding down_padding;
        EmbeddingOrder embedding;
        FreqShift freq_shift;
        /* Whether the attention in the middle normalises its input. */
        bool mid_norm;
        /* The number that the network is told at timestep t. */
        ModelTime time;
        /* What the output of the network stands for. */
        Predicts predicts;
        /* Whether the network has a second output, which says its own variance: RANGE interpolates
         * between the logarithms of both fixed variances. */
        LearnedVariance learned;
    } model;
    struct {
        HeadType type;
    } head;
    struct {
        /* The variance of stage-1 samples. */
        FixedVariance variance;
        /* HYBRID trains the second output too. */
        Stage1Objective objective;
        /* For HYBRID: the weight of the bound, in units of 1 / N. */
        double vlb_weight;
        /* How the timesteps of a batch are drawn. */
        TimeSampling time_sampling;
        int64_t steps;
        int batch;
        double lr;
        /* Steps over which the learning rate rises linearly; 0: none. */
        int64_t warmup;
        /* Largest L2 norm of the gradient; 0: no clipping. */
        double grad_clip;
        double ema;
        /* Whether processes share the optimiser's state (train/shard.h). */
        bool shard;
        /* What gradients are while they are on their way between processes. */
        Transport transport;
    } stage1;
    struct {
        /* config_resolve replaces SOLVER_AUTO. */
        Solver solver;
        int64_t steps;
        int batch;
        double lr;
        double ema;
        /* For SOLVER_EXACT: images to fit, besides the held-out ones. */
        int64_t images;
        /* Last layers of a head, each for its share of the timesteps; 0: the usual bins of
         * SOLVER_EXACT, and config_resolve makes it 1 for SOLVER_ADAM. */
        int time_bins;
        /* For SOLVER_EXACT (stats/least_squares.h); below 0: chosen on held-out images. */
        double ridge;
        /* For SOLVER_EXACT and the loss nll: GiB of the sample of blocks that it is fitted to. */
        double memory;
        /* true reproduces the published code (train/stage2.c). */
        bool trunk_dropout;
        /* The correlations within blocks of pixels that are fitted beside a head
         * (variance/block_covariance.h). AUTO: the blocks whose held-out likelihood is best. */
        CorrelationChoice correlation;
    } stage2;
    struct {
        /* Steps between periodic checkpoints. */
        int64_t every;
        /* How many of the last periodic checkpoints stay as files of their own, besides the
         * newest. */
        int keep;
    } checkpoint;
    struct {
        /* What to do after a step whose loss or gradient is not finite. */
        OnNonfinite on_nonfinite;
    } train;
    uint64_t seed;
    PrecisionChoice precision;
    /* CONVOLUTION_AUTO: by Winograd's algorithm where it is faster (engine/winograd.h). */
    ConvolutionChoice convolution;
} Config;

/* Sets every key to its default, which holds where a text leaves the key out. */
void config_defaults(Config *config);

/* Reads the file `path` over the defaults, then applies `count` overrides "key.sub=value" (a value
 * is YAML: `model.attention=[14, 7]`), then checks that the whole is possible. The file must have a
 * key: an empty one is probably a mistake. Input error; `config` is then as before. */
bool config_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error);

/* config_load in two halves, for a file that is read once and parsed with several sets of overrides: a
 * pipe can be read once only. config_text returns the NUL-terminated text of the file, or NULL with an
 * input error; the caller frees it. */
char *config_text(const char *path, Error *error);
bool config_parse_file(Config *config, const char *text, const char *path,
                       const char *const *overrides, int count, Error *error);

/* config_load from text in memory, as a checkpoint stores it (NULL: the defaults alone). `origin`
 * stands for the path in errors.
 *
 * diffusion.betas may be a list, or in a file and in an override the name of a text file that has
 * one. Where nothing else gives diffusion.schedule and diffusion.timesteps, they follow from it.
 *
 * The default data files hold Fashion-MNIST. If the text changes the image size but gives no
 * data.format, data.train and data.test become "" (no files), and opening the data is an error. If
 * it gives data.format, it must give data.train too; "" is allowed. If it gives data.train but no
 * data.test, data.test becomes CONFIG_TEST_AUTO. */
bool config_parse(Config *config, const char *text, const char *origin,
                  const char *const *overrides, int count, Error *error);

/* Replaces stage2.solver auto by its meaning, exact for simple heads, else adam; and for adam
 * stage2.time_bins 0 by 1. A checkpoint stores the result. (train knows the losses of stage 2, and
 * resolves by train/stages.h.) */
void config_resolve(Config *config);

/* The bins of timesteps that heads get, of a resolved configuration: stage2.time_bins evenly
 * spaced ones, or the usual ones (diffusion/time_bins.h) where it is 0. */
TimeBins config_bins(const Config *config);

/* Pixels along the side of the blocks that stage2.correlation names; 0 where it is auto or none. */
int config_block_size(const Config *config);

/* The whole configuration as YAML, with every key, in the order of the table; the caller frees it
 * with memory_free. Parsing it gives the same configuration, bit for bit. */
char *config_to_yaml(const Config *config);

/* Sets of keys in which two configurations may have to agree. */
typedef enum ConfigScope {
    /* Every key. */
    CONFIG_WHOLE,
    /* The keys that change the numbers of stage 1: a run that continues another must have the same
     * ones. */
    CONFIG_STAGE1,
    /* The same for stage 2. */
    CONFIG_STAGE2,
    /* The keys that change the outputs of a trained trunk. */
    CONFIG_NETWORK,
    /* CONFIG_STAGE1 and CONFIG_STAGE2 without the keys that a run may change on request when it
     * goes on: the learning rate, its warm-up, the clipping of the gradient. */
    CONFIG_STAGE1_STEERED,
    CONFIG_STAGE2_STEERED,
} ConfigScope;

/* Returns the number of keys of `scope` in which a and b differ; `keys` becomes a list of those
 * that fit in it: "stage1.lr, model.channels". */
int config_differences(const Config *a, const Config *b, ConfigScope scope, char *keys,
                       int keys_size);

/* Continues a fingerprint (base/fingerprint.h) by the keys of `scope` that have not their defaults, and
 * by their values. A key that a later version adds changes no fingerprint of a configuration without it. */
uint64_t config_fingerprint(uint64_t before, const Config *config, ConfigScope scope);

/* Takes diffusion.betas from a text file, and so the schedule and its timesteps. Input error. */
bool config_read_betas(Config *config, const char *path, Error *error);

/* The noise schedule that the configuration describes. The caller frees it with schedule_free. */
bool config_make_schedule(Schedule *schedule, const Config *config, Error *error);

/* Two lines per key for --help: name and meaning, then possible values and the default. Caller
 * frees. */
char *config_help(void);
