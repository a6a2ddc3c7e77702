/* The table of keys. A new key is an entry of the table and a field of Config. */
#include "config/config_keys.h"

#include "diffusion/time_bins.h"

#define FASHION_MNIST "/usr/share/datasets/fashion-mnist/"
#define CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define FORMAT_NAME(constant, name, help, has_files, channels) #name,
#define FORMAT_NAMES ((const char *const[]){DATA_FORMATS(FORMAT_NAME) "auto", NULL})
#define FORMAT_HELP(constant, name, help, has_files, channels) "; " #name ": " help
#define AT(field) .offset = offsetof(Config, field)
#define COUNT_AT(field) .count_offset = offsetof(Config, field)
#define RANGE(first, last) .low = (first), .high = (last)

/* Values of ConfigKey.ignored_in: the scopes that a key does not belong to. */
enum {
    STEERED1 = 1 << CONFIG_STAGE1_STEERED,
    STEERED2 = 1 << CONFIG_STAGE2_STEERED,
    STAGE1 = 1 << CONFIG_STAGE1 | STEERED1,
    STAGE2 = 1 << CONFIG_STAGE2 | STEERED2,
    NETWORK = 1 << CONFIG_NETWORK,
    EVERYTHING = STAGE1 | STAGE2 | NETWORK,
};

/* clang-format off: some lines for the value, one for the meaning */
const ConfigKey config_keys[] = {
    {"name", KEY_NAME, AT(name), .fallback = "fashion-mnist", .ignored_in = EVERYTHING,
     .help = "name of the run; its directory is checkpoints/<name>"},

    {"data.format", KEY_CHOICE, AT(data.format), .choices = FORMAT_NAMES, .fallback = "auto",
     .ignored_in = NETWORK, .help = "of the images; auto: by content" DATA_FORMATS(FORMAT_HELP)},
    {"data.train", KEY_PATHS, AT(data.train),
     .fallback = FASHION_MNIST "train-images-idx3-ubyte.gz", .ignored_in = NETWORK,
     .help = "training images, or a list of several data sets"},
    {"data.test", KEY_PATHS, AT(data.test), .fallback = FASHION_MNIST "t10k-images-idx3-ubyte.gz",
     .ignored_in = EVERYTHING,
     .help = "held-out images; auto: the test images of data.train, else a tenth of its images"},
    {"data.floats", KEY_CHOICE, AT(data.floats), .choices = CHOICES("refuse", "unit", "signed"),
     .fallback = "refuse", .ignored_in = EVERYTHING,
     .help = "what floats of numpy range over: unit 0 to 1, signed -1 to 1; bytes need no word"},
    {"data.resize", KEY_CHOICE, AT(data.resize), .choices = CHOICES("none", "center_crop"),
     .fallback = "none", .ignored_in = EVERYTHING,
     .help = "pictures of another size: none refuses them, center_crop takes the middle, shrunk"},
    {"data.background", KEY_CHOICE, AT(data.background),
     .choices = CHOICES("refuse", "black", "grey", "white"), .fallback = "refuse",
     .ignored_in = EVERYTHING, .help = "what is behind transparent pixels of pictures"},
    {"data.on_broken", KEY_CHOICE, AT(data.on_broken), .choices = CHOICES("stop", "skip"),
     .fallback = "stop", .ignored_in = EVERYTHING,
     .help = "what to do where a picture is damaged; skip leaves it out, with a note"},
    {"data.cache", KEY_CHOICE, AT(data.cache), .choices = CHOICES("auto", "always", "never"),
     .fallback = "auto", .ignored_in = EVERYTHING,
     .help = "whether decoded pictures are kept in the run's directory; auto: those above 64 MiB"},
    {"data.cache_limit", KEY_REAL, AT(data.cache_limit), RANGE(0, 1e6), .fallback = "128",
     .ignored_in = EVERYTHING, .help = "GiB of disk that decoded pictures may take"},
    {"data.channels", KEY_INT, AT(data.channels), RANGE(1, 64), .fallback = "1",
     .help = "channels of an image"},
    {"data.resolution", KEY_INT, AT(data.resolution), RANGE(4, 1024), .fallback = "28",
     .help = "height and width of an image"},
    {"data.flip", KEY_BOOL, AT(data.flip), .fallback = "true", .ignored_in = NETWORK,
     .help = "random horizontal flips in training (a mixture is never flipped)"},

    {"diffusion.schedule", KEY_CHOICE, AT(diffusion.schedule),
     .choices = CHOICES("linear", "cosine", "scaled_linear", "sigmoid", "betas"),
     .fallback = "linear", .help = "noise schedule"},
    {"diffusion.timesteps", KEY_INT, AT(diffusion.timesteps), RANGE(2, SCHEDULE_MAX_TIMESTEPS),
     .fallback = "1000", .help = "timesteps N of the forward process"},
    {"diffusion.beta_start", KEY_REAL, AT(diffusion.beta_start), RANGE(0, 1), .below_high = true,
     .fallback = "0", .help = "first beta; 0: 1e-4, for linear times 1000/N"},
    {"diffusion.beta_end", KEY_REAL, AT(diffusion.beta_end), RANGE(0, 1), .below_high = true,
     .fallback = "0", .help = "last beta; 0: 0.02, for linear times 1000/N"},
    {"diffusion.betas", KEY_REALS, AT(diffusion.betas), COUNT_AT(diffusion.beta_count), RANGE(0, 1),
     .above_low = true, .below_high = true, .fallback = "[]",
     .help = "all betas, in a list or a text file; gives schedule (betas) and timesteps"},

    {"model.family", KEY_CHOICE, AT(model.family), .choices = CHOICES("ddpm", "adm"),
     .fallback = "ddpm",
     .help = "ddpm of Ho et al. 2020, or adm of Dhariwal & Nichol 2021: the meaning of auto below"},
    {"model.channels", KEY_INT, AT(model.channels), RANGE(4, 4096), .fallback = "64",
     .help = "width of the first level"},
    {"model.channel_mult", KEY_LIST, AT(model.channel_mult), COUNT_AT(model.levels),
     .min_entries = 1, RANGE(1, 64), .fallback = "[1, 2, 2]",
     .help = "width of each level, in units of model.channels; one entry per level"},
    {"model.res_blocks", KEY_INT, AT(model.res_blocks), RANGE(1, 16), .fallback = "2",
     .help = "residual blocks per level"},
    {"model.attention", KEY_LIST, AT(model.attention), COUNT_AT(model.attentions), RANGE(1, 1024),
     .fallback = "[14]", .help = "resolutions with self-attention (the middle always has it)"},
    {"model.heads", KEY_INT, AT(model.heads), RANGE(1, 1024), .fallback = "1",
     .help = "heads of self-attention"},
    {"model.head_channels", KEY_INT, AT(model.head_channels), RANGE(0, 8192), .fallback = "0",
     .help = "channels of a head, instead of model.heads; 0: as model.heads says"},
    {"model.dropout", KEY_REAL, AT(model.dropout), RANGE(0, 1), .below_high = true,
     .fallback = "0.1", .ignored_in = NETWORK, .help = "dropout rate inside residual blocks"},
    {"model.norm_groups", KEY_INT, AT(model.norm_groups), RANGE(1, 1024), .fallback = "32",
     .help = "groups of a group norm, each of two or more channels where time is added"},
    {"model.norm_eps", KEY_REAL, AT(model.norm_eps), RANGE(0, 1), .fallback = "0",
     .help = "added to the variance in a group norm; 0: 1e-6 for ddpm, 1e-5 for adm"},
    {"model.time_into", KEY_CHOICE, AT(model.time_into),
     .choices = CHOICES("auto", "add", "scale_shift"), .fallback = "auto",
     .help = "how the time enters a block: added (ddpm), or as scale and shift of its norm (adm)"},
    {"model.resampling", KEY_CHOICE, AT(model.resampling),
     .choices = CHOICES("auto", "conv", "block"), .fallback = "auto",
     .help = "between levels: a convolution (ddpm), or a residual block (adm)"},
    {"model.down_padding", KEY_CHOICE, AT(model.down_padding),
     .choices = CHOICES("auto", "end", "both"), .fallback = "auto",
     .help =
         "zeros around a convolution downwards: on the right and below (ddpm), or on all sides"},
    {"model.embedding", KEY_CHOICE, AT(model.embedding),
     .choices = CHOICES("auto", "sin_cos", "cos_sin"), .fallback = "auto",
     .help = "the order in the time embedding: sines first (ddpm), or cosines (adm)"},
    {"model.freq_shift", KEY_CHOICE, AT(model.freq_shift), .choices = CHOICES("auto", "0", "1"),
     .fallback = "auto",
     .help =
         "frequencies of the time embedding: to 1/10000 inclusive (1, ddpm), exclusive (0, adm)"},
    {"model.mid_norm", KEY_BOOL, AT(model.mid_norm), .fallback = "true",
     .help = "whether the attention in the middle has a norm (some of diffusers have none)"},
    {"model.time", KEY_CHOICE, AT(model.time), .choices = CHOICES("t", "t_minus_1", "index"),
     .fallback = "t",
     .help = "the time that the network is told: t or t - 1, times 1000/N; index: t - 1 as it is "
             "(most networks of other programs are told t - 1)"},
    {"model.predicts", KEY_CHOICE, AT(model.predicts), .choices = CHOICES("eps", "v", "x0"),
     .fallback = "eps", .help = "the meaning of the network's output"},
    {"model.learned", KEY_CHOICE, AT(model.learned), .choices = CHOICES("none", "range"),
     .fallback = "none",
     .help = "range: a second output, between the logarithms of both fixed variances"},

    {"head.type", KEY_CHOICE, AT(head.type), .choices = CHOICES("simple", "complex"),
     .fallback = "simple", .ignored_in = STAGE1 | NETWORK,
     .help = "variance head; complex puts a residual block before its last layer"},

    {"stage1.variance", KEY_CHOICE, AT(stage1.variance), .choices = CHOICES("beta", "beta_tilde"),
     .fallback = "beta_tilde", .ignored_in = EVERYTHING,
     .help = "fixed reverse variance of stage-1 samples"},
    {"stage1.objective", KEY_CHOICE, AT(stage1.objective), .choices = CHOICES("eps", "hybrid"),
     .fallback = "eps", .ignored_in = STAGE2 | NETWORK,
     .help = "hybrid: eps and the bound, for a learned variance (it makes model.learned range)"},
    {"stage1.vlb_weight", KEY_REAL, AT(stage1.vlb_weight), RANGE(0, 1e6), .fallback = "0.001",
     .ignored_in = STAGE2 | NETWORK,
     .help = "weight of the bound in hybrid, times N: with 0.001 it is 1 for 1000 timesteps"},
    {"stage1.time_sampling", KEY_CHOICE, AT(stage1.time_sampling),
     .choices = CHOICES("uniform", "loss_aware"), .fallback = "uniform",
     .ignored_in = STAGE2 | NETWORK,
     .help = "timesteps of a batch; loss_aware: in proportion to the size of their last losses"},
    {"stage1.steps", KEY_INT64, AT(stage1.steps), RANGE(1, 1e9), .fallback = "20000",
     .ignored_in = EVERYTHING, .help = "training steps of the eps-network"},
    {"stage1.batch", KEY_INT, AT(stage1.batch), RANGE(1, 65536), .fallback = "128",
     .ignored_in = STAGE2 | NETWORK, .help = "images per step"},
    {"stage1.lr", KEY_REAL, AT(stage1.lr), RANGE(0, 1), .above_low = true, .fallback = "2.0e-4",
     .ignored_in = STAGE2 | STEERED1 | NETWORK, .help = "learning rate of Adam"},
    {"stage1.warmup", KEY_INT64, AT(stage1.warmup), RANGE(0, 1e9), .fallback = "500",
     .ignored_in = STAGE2 | STEERED1 | NETWORK,
     .help = "steps over which the learning rate rises linearly; 0: none"},
    {"stage1.grad_clip", KEY_REAL, AT(stage1.grad_clip), RANGE(0, 1e9), .fallback = "1.0",
     .ignored_in = STAGE2 | STEERED1 | NETWORK,
     .help = "largest L2 norm of the gradient; 0: no clipping"},
    {"stage1.ema", KEY_REAL, AT(stage1.ema), RANGE(0, 1), .below_high = true, .fallback = "0.9999",
     .ignored_in = STAGE2 | NETWORK, .help = "decay of the moving average of the weights"},
    {"stage1.shard", KEY_BOOL, AT(stage1.shard), .fallback = "false", .ignored_in = EVERYTHING,
     .help = "whether processes of mpirun share the optimiser's state: less memory, more messages"},
    {"stage1.transport", KEY_CHOICE, AT(stage1.transport), .choices = CHOICES("f32", "bf16"),
     .fallback = "f32", .ignored_in = STAGE2 | STEERED1 | NETWORK,
     .help = "gradients between processes of mpirun; bf16 rounds them, and halves the bytes"},

    {"stage2.solver", KEY_CHOICE, AT(stage2.solver), .choices = CHOICES("auto", "adam", "exact"),
     .fallback = "auto", .ignored_in = STAGE1 | NETWORK,
     .help = "how heads are fitted; exact solves a linear system, auto is exact for simple heads"},
    {"stage2.steps", KEY_INT64, AT(stage2.steps), RANGE(1, 1e9), .fallback = "5000",
     .ignored_in = EVERYTHING, .help = "training steps of the variance heads (adam)"},
    {"stage2.batch", KEY_INT, AT(stage2.batch), RANGE(1, 65536), .fallback = "128",
     .ignored_in = STAGE1 | NETWORK, .help = "images per step"},
    {"stage2.lr", KEY_REAL, AT(stage2.lr), RANGE(0, 1), .above_low = true, .fallback = "1.0e-4",
     .ignored_in = STAGE1 | STEERED2 | NETWORK, .help = "learning rate of Adam"},
    {"stage2.ema", KEY_REAL, AT(stage2.ema), RANGE(0, 1), .below_high = true, .fallback = "0.999",
     .ignored_in = STAGE1 | NETWORK, .help = "decay of the moving average of the weights"},
    {"stage2.images", KEY_INT64, AT(stage2.images), RANGE(1, 1e9), .fallback = "10000",
     .ignored_in = EVERYTHING,
     .help = "images that heads are fitted to (exact), besides some held out"},
    {"stage2.time_bins", KEY_INT, AT(stage2.time_bins), RANGE(0, TIME_BINS_MAX), .fallback = "0",
     .ignored_in = STAGE1 | NETWORK,
     .help = "last layers of a head, one for each of so many equal bins of timesteps; 0: for exact "
             "12 and "
             "narrower ones below the first, 1 for adam"},
    {"stage2.ridge", KEY_REAL, AT(stage2.ridge), RANGE(-1, 1), .fallback = "-1",
     .ignored_in = STAGE1 | NETWORK,
     .help = "ridge of exact, in units of the diagonal; below 0: chosen on held-out images"},
    {"stage2.memory", KEY_REAL, AT(stage2.memory), RANGE(0, 1e6), .above_low = true,
     .fallback = "1", .ignored_in = STAGE1 | NETWORK,
     .help = "GiB that exact keeps of the pass for the loss nll, a uniform sample of its pixels"},
    {"stage2.trunk_dropout", KEY_BOOL, AT(stage2.trunk_dropout), .fallback = "false",
     .ignored_in = STAGE1 | NETWORK,
     .help = "leave the frozen trunk's dropout on, as the published code does"},
    {"stage2.correlation", KEY_CHOICE, AT(stage2.correlation),
     .choices = CHOICES("none", "block2", "block4", "block8", "auto"), .fallback = "auto",
     .ignored_in = STAGE1 | NETWORK,
     .help = "correlations of the head nll within blocks of 2x2, 4x4 or 8x8 pixels, for nll_block; "
             "auto tries the first two"},

    {"checkpoint.every", KEY_INT64, AT(checkpoint.every), RANGE(1, 1e9), .fallback = "1000",
     .ignored_in = EVERYTHING, .help = "steps between periodic checkpoints"},
    {"checkpoint.keep", KEY_INT, AT(checkpoint.keep), RANGE(0, 10000), .fallback = "0",
     .ignored_in = EVERYTHING,
     .help = "how many of the last periodic checkpoints stay as stage1-00005000.h5 and the like"},

    {"train.on_nonfinite", KEY_CHOICE, AT(train.on_nonfinite), .choices = CHOICES("stop", "skip"),
     .fallback = "stop", .ignored_in = EVERYTHING,
     .help = "what to do where a loss or a gradient is no number, or has exploded"},

    {"seed", KEY_SEED, AT(seed), .fallback = "1234", .ignored_in = NETWORK,
     .help = "seed of all random numbers"},
    {"precision", KEY_CHOICE, AT(precision), .choices = CHOICES("auto", "f32", "bf16"),
     .fallback = "auto", .ignored_in = NETWORK,
     .help = "arithmetic; auto trains in bf16 where the processor has AMX, and solves in f32"},
    {"convolution", KEY_CHOICE, AT(convolution), .choices = CHOICES("auto", "direct"),
     .fallback = "auto", .ignored_in = NETWORK,
     .help = "auto computes 3x3 convolutions in f32 by Winograd's algorithm; direct never does"},
};
/* clang-format on */

const int config_key_count = (int)(sizeof config_keys / sizeof config_keys[0]);

_Static_assert(sizeof config_keys / sizeof config_keys[0] <= CONFIG_KEY_LIMIT, "too many keys");

/* The fields of choices are read and written as int. */
_Static_assert(sizeof(DataFormat) == sizeof(int) && sizeof(DataFloats) == sizeof(int) &&
                   sizeof(DataResize) == sizeof(int) && sizeof(DataBackground) == sizeof(int) &&
                   sizeof(OnBroken) == sizeof(int) && sizeof(DataCache) == sizeof(int) &&
                   sizeof(ScheduleKind) == sizeof(int) && sizeof(HeadType) == sizeof(int) &&
                   sizeof(FixedVariance) == sizeof(int) && sizeof(Solver) == sizeof(int) &&
                   sizeof(OnNonfinite) == sizeof(int) && sizeof(PrecisionChoice) == sizeof(int) &&
                   sizeof(ModelFamily) == sizeof(int) && sizeof(TimeInto) == sizeof(int) &&
                   sizeof(Resampling) == sizeof(int) && sizeof(DownPadding) == sizeof(int) &&
                   sizeof(EmbeddingOrder) == sizeof(int) && sizeof(FreqShift) == sizeof(int) &&
                   sizeof(LearnedVariance) == sizeof(int) &&
                   sizeof(Stage1Objective) == sizeof(int) && sizeof(TimeSampling) == sizeof(int) &&
                   sizeof(CorrelationChoice) == sizeof(int) && sizeof(Transport) == sizeof(int),
               "an enum is an int");
