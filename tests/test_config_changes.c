/* Tests of overrides on the command line, and of the differences between two configurations. */
#include "tests/suite.h"

#include "config/config_keys.h"
#include "tests/config_text.h"

#include <math.h>

START_TEST(overrides_are_applied_in_order)
{
    static const char *const overrides[] = {
        "stage1.batch=3",      "model.attention=[28, 7]", "stage1.batch=4", "name=other",
        "data.train=a=b c.gz", "stage1.lr=1e-3",          "data.flip=no"};
    Config config;
    Error error = {0};
    ck_assert(config_parse(&config, "stage1: {batch: 2}\ndata: {train: x, test: y}", "x.yaml",
                           overrides, 7, &error));
    ck_assert_int_eq(config.stage1.batch, 4);
    ck_assert_int_eq(config.model.attentions, 2);
    ck_assert_int_eq(config.model.attention[0], 28);
    ck_assert_int_eq(config.model.attention[1], 7);
    ck_assert_str_eq(config.name, "other");
    ck_assert_str_eq(config.data.train, "a=b c.gz");
    ck_assert_str_eq(config.data.test, "y");
    ck_assert(config.stage1.lr == 1e-3);
    ck_assert(!config.data.flip);

    /* A shorter list leaves nothing of the longer one. */
    Config shorter = parse_with("model: {attention: [28, 14, 7]}", "model.attention=[7]");
    Config direct = parse("model: {attention: [7]}");
    ck_assert_int_eq(memcmp(&shorter, &direct, sizeof direct), 0);
    ck_assert_int_eq(parse_with("seed: 1", "seed=18446744073709551615").seed == UINT64_MAX, 1);
}
END_TEST

START_TEST(differences_are_named)
{
    Config a, b;
    char keys[128];
    config_defaults(&a);
    b = a;
    ck_assert_int_eq(config_differences(&a, &b, CONFIG_WHOLE, keys, sizeof keys), 0);
    ck_assert_str_eq(keys, "");

    b.stage1.lr = nextafter(b.stage1.lr, 1);
    b.model.channels = 32;
    b.model.attentions = 0;
    b.seed++;
    snprintf(b.data.test, sizeof b.data.test, "other");
    ck_assert_int_eq(config_differences(&a, &b, CONFIG_WHOLE, keys, sizeof keys), 5);
    ck_assert_str_eq(keys, "data.test, model.channels, model.attention, stage1.lr, seed");

    ck_assert_int_eq(config_differences(&a, &b, CONFIG_WHOLE, keys, 12), 5);
    ck_assert_str_eq(keys, "data.test");
    ck_assert_int_eq(config_differences(&a, &b, CONFIG_WHOLE, NULL, 0), 5);

    config_differences(&a, &b, CONFIG_STAGE1, keys, sizeof keys);
    ck_assert_str_eq(keys, "model.channels, model.attention, stage1.lr, seed");
    config_differences(&a, &b, CONFIG_STAGE2, keys, sizeof keys);
    ck_assert_str_eq(keys, "model.channels, model.attention, seed");
    config_differences(&a, &b, CONFIG_NETWORK, keys, sizeof keys);
    ck_assert_str_eq(keys, "model.channels, model.attention");
}
END_TEST

/* An override of the resolution alone keeps attention at its levels; what a text says by itself is
 * taken at its word. */
START_TEST(attention_follows_a_resolution_of_the_command_line)
{
    static const char text[] = "data: {resolution: 28, train: x, test: ''}\n"
                               "model: {channel_mult: [1, 2, 2], attention: [14, 7]}\n";
    static const char *const cases[][2] = {
        {"data.resolution=64", NULL},
        {"data.resolution=56", NULL}, /* 14 is a level there, and 7 is not */
        {"data.resolution=64", "model.attention=[16]"},
    };
    static const int expected[][2] = {{32, 16}, {28, 14}, {16, 0}};
    Config config;
    Error error;
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(config_parse(&config, text, "x", cases[i], cases[i][1] ? 2 : 1, &error), "%s",
                      error.message);
        ck_assert_int_eq(config.model.attention[0], expected[i][0]);
        ck_assert_int_eq(config.model.attentions, cases[i][1] ? 1 : 2);
        if (!cases[i][1])
            ck_assert_int_eq(config.model.attention[1], expected[i][1]);
    }
    const char *impossible = "data.resolution=62";
    ck_assert(!config_parse(&config, text, "x", &impossible, 1, &error));
    ck_assert_ptr_nonnull(strstr(error.message, "expected a multiple of 4"));
}
END_TEST

/* Each key by itself: a change of it alone is seen, and named. */
START_TEST(every_key_makes_a_difference)
{
    static const char *const changes[] = {"name=x",
                                          "data.format=mixture",
                                          "data.train=x",
                                          "data.test=x",
                                          "data.floats=unit",
                                          "data.resize=center_crop",
                                          "data.background=grey",
                                          "data.on_broken=skip",
                                          "data.cache=never",
                                          "data.cache_limit=1",
                                          "data.channels=2",
                                          "data.resolution=56",
                                          "data.flip=false",
                                          "diffusion.schedule=cosine",
                                          "diffusion.timesteps=100",
                                          "diffusion.beta_start=1e-5",
                                          "diffusion.beta_end=0.01",
                                          "diffusion.betas=[0.3, 0.2]",
                                          "model.family=adm",
                                          "model.channels=128",
                                          "model.channel_mult=[1, 2]",
                                          "model.res_blocks=1",
                                          "model.attention=[]",
                                          "model.heads=2",
                                          "model.head_channels=8",
                                          "model.dropout=0",
                                          "model.norm_groups=16",
                                          "model.norm_eps=1e-3",
                                          "model.time_into=add",
                                          "model.resampling=conv",
                                          "model.down_padding=end",
                                          "model.embedding=sin_cos",
                                          "model.freq_shift=1",
                                          "model.mid_norm=false",
                                          "model.time=t_minus_1",
                                          "model.predicts=v",
                                          "model.learned=none",
                                          "head.type=complex",
                                          "stage1.variance=beta",
                                          "stage1.objective=hybrid",
                                          "stage1.vlb_weight=1",
                                          "stage1.time_sampling=loss_aware",
                                          "stage1.steps=1",
                                          "stage1.batch=1",
                                          "stage1.lr=1",
                                          "stage1.warmup=1",
                                          "stage1.grad_clip=2",
                                          "stage1.ema=0",
                                          "stage1.shard=true",
                                          "stage1.transport=bf16",
                                          "stage2.solver=exact",
                                          "stage2.steps=1",
                                          "stage2.batch=1",
                                          "stage2.lr=1",
                                          "stage2.ema=0",
                                          "stage2.images=1",
                                          "stage2.time_bins=2",
                                          "stage2.ridge=0",
                                          "stage2.memory=2",
                                          "stage2.trunk_dropout=true",
                                          "stage2.correlation=none",
                                          "checkpoint.every=1",
                                          "checkpoint.keep=1",
                                          "train.on_nonfinite=skip",
                                          "seed=1",
                                          "precision=f32",
                                          "convolution=direct"};
    ck_assert_int_eq(sizeof changes / sizeof changes[0], config_key_count);
    char *base_text = NULL;
    Config base;
    config_defaults(&base);
    base.data.format = DATA_HDF5;       /* so that two channels are possible */
    base.model.learned = LEARNED_RANGE; /* so that hybrid changes nothing else */
    base.model.attentions = 1;
    base.model.attention[0] = 28; /* and so that a resolution of 56 is */
    base_text = config_to_yaml(&base);
    Config of_betas = base; /* in which betas decide nothing else */
    of_betas.diffusion.schedule = SCHEDULE_BETAS;
    of_betas.diffusion.timesteps = of_betas.diffusion.beta_count = 2;
    of_betas.diffusion.betas[0] = of_betas.diffusion.betas[1] = 0.1;
    char *betas_text = config_to_yaml(&of_betas);
    for (int i = 0; i < config_key_count; i++) {
        const bool betas = strncmp(changes[i], "diffusion.betas=", 16) == 0;
        Config changed = parse_with(betas ? betas_text : base_text, changes[i]);
        char keys[128], key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(changes[i], "="), changes[i]);
        ck_assert_str_eq(key, config_keys[i].path);
        ck_assert_int_eq(config_differences(betas ? &of_betas : &base, &changed, CONFIG_WHOLE, keys,
                                            sizeof keys),
                         1);
        ck_assert_str_eq(keys, key);
    }
    memory_free(base_text);
    memory_free(betas_text);
}
END_TEST

SUITE_MAIN("config_changes", overrides_are_applied_in_order, differences_are_named,
           attention_follows_a_resolution_of_the_command_line, every_key_makes_a_difference)
