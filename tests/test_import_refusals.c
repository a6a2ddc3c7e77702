/* Tests of `infer import`: what doesn't fit is refused in one line. */
#define SUITE_TIMEOUT 900
#include "tests/imported.h"

#include <dirent.h>

/* No entry but for this list is left out, so that a new file is tested at once. */
START_TEST(what_must_be_refused_is_refused_in_one_line)
{
    int count = 0;
    program_begin();
    DIR *entries = opendir(IMPORT "refuse");
    ck_assert_ptr_nonnull(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "expected.json") == 0)
            continue;
        infer_fails(2, "", "import " IMPORT "refuse/%s --run $D/run", entry->d_name);
        count++;
    }
    closedir(entries);
    ck_assert_int_eq(count, 52);
    ck_assert_msg(access(in_directory("run"), F_OK) != 0, "a refusal left a run behind");
    program_end();
}
END_TEST

static const struct {
    const char *what, *message;
} refusals[] = {
    {"lucidrains.pt", "denoising-diffusion-pytorch"},
    {"unknown_names.pth", "3 tensors, and they are of no network that is known"},
    {"net-missing", "1 missing, the first mid_block.resnets.1.conv2.bias; of 112 tensors"},
    {"net-extra", "1 unknown, the first mid_block.resnets.2.conv1.bias;"},
    {"net-shape", "conv_out.weight of shape [3, 8, 1, 1] instead of [3, 8, 3, 3]"},
    {"net-nan", "up_blocks.0.resnets.0.conv1.weight has a number that is not finite"},
    {"net-groups", "a divisor of model.channels = 8, got \"3\""},
    {"cfg-classes", "num_class_embeds is 10"},
    {"cfg-fourier", "time_embedding_type is \"fourier\""},
    {"cfg-skip", "SkipDownBlock2D"},
    {"cfg-condition", "UNet2DConditionModel"},
    {"cfg-act", "act_fn is \"gelu\""},
    {"cfg-scale", "mid_block_scale_factor is 1.41421356, expected 1"},
};

START_TEST(a_network_that_does_not_fit_is_refused_with_the_reason)
{
    program_begin();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        infer_fails(2, refusals[i].message, "import " IMPORT "refuse/%s --run $D/run",
                    refusals[i].what);
    infer_fails(2, "not of ddpm", "import " IMPORT "diffusers-new --family ddpm --run $D/run");
    infer_fails(2, "no section data",
                "import " IMPORT "ddim_ckpt.pth --config " IMPORT
                "diffusers-new/unet/config.json --run $D/run");
    infer_fails(2, "--resolution", "import " IMPORT "diffusers-new/unet --run $D/run --resolution");
    infer_fails(2, "without unet/", "import " IMPORT "refuse --run $D/run");
    infer_fails(2, "expected --run DIR", "import " IMPORT "diffusers-new");
    infer_fails(2, "got 2", "import a b --run $D/run");
    program_end();
}
END_TEST

/* A safetensors file of these two tensors, of one number each. */
static void write_tensors(const char *path, const char *first, const char *second)
{
    char header[512];
    const int length = snprintf(header, sizeof header,
                                "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                                "\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                                first, second);
    const unsigned char size[8] = {(unsigned char)(length & 255), (unsigned char)(length >> 8)};
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fwrite(size, 1, sizeof size, file);
    fputs(header, file);
    fwrite((const float[2]){0}, sizeof(float), 2, file);
    ck_assert_int_eq(fclose(file), 0);
}

static const struct {
    const char *first, *second, *message;
} unknown[] = {
    {"model.input_blocks.0.0.weight", "model.out.weight",
     "the nearest family is adm, which has the parts of 1 of them, such as "
     "model.input_blocks.0.0.weight"},
    {"unet.down_blocks.0.a.weight", "unet.mid_block.b.weight",
     "the nearest family is diffusers, which has the parts of 2 of them"},
    {"net.down.0.weight", "net.temb.0.weight", "the nearest family is ddpm"},
    {"layers.0.weight", "countdown.0.weight", "diffusers' UNet2DModel\n"},
};

START_TEST(a_network_of_unknown_names_is_refused_with_the_nearest_family)
{
    program_begin();
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        write_tensors(in_directory("names.safetensors"), unknown[i].first, unknown[i].second);
        infer_fails(2, unknown[i].message, "import $D/names.safetensors --run $D/run");
    }
    program_end();
}
END_TEST

static const struct {
    const char *flag, *value, *message;
} flags[] = {
    {"class_cond", "true", "class_cond is true, expected false"},
    {"class_cond", "\"False\"", "class_cond is \"False\", expected true or false"},
    {"num_heads", "0", "num_heads is 0"},
    {"noise_schedule", "\"quad\"", "noise_schedule is \"quad\""},
    {"channel_mult", "\"0.5,1\"", "channel_mult is 0.5,1, expected at most 8 integers"},
    {"channel_mult", "\"1,1,1,1,1,1,1,1,1\"", "channel_mult is 1,1,1,1,1,1,1,1,1, expected"},
    {"num_head_channels", "0", "num_head_channels is 0, expected -1 or more than 0"},
    {"channel_mult", "\"\"", "no list of integers is usual for images of 16 x 16"},
    {"channel_mult", "\"2,4\"", "channel_mult begins with 2, expected 1"},
    {"num_head_channels", "24", "model.head_channels: expected a divisor of 32"},
    {"use_scale_shift_norm", "false",
     "emb_layers.1.weight of shape [64, 128] instead of [32, 128]"},
    {"resblock_updown", "false", "the first input_blocks.2.0.op.weight"},
    {"learn_sigma", "false", "out.2.weight of shape [6, 32, 3, 3] instead of [3, 32, 3, 3]"},
    {"attention_resolutions", "\"16,8\"", "the first input_blocks.1.1.norm.weight"},
};

/* Descriptions of diffusers, of ermongroup/ddim and in YAML, each with one edit by sed. */
static const struct {
    const char *from, *edit, *message;
} edits[] = {
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/DDPMScheduler/FlowMatchEulerDiscreteScheduler/",
     "_class_name is FlowMatchEulerDiscreteScheduler, expected a scheduler with the noise"},
    {"diffusers-new/scheduler/scheduler_config.json", "s/DDPMScheduler/HeunDiscreteScheduler/",
     "_class_name is HeunDiscreteScheduler"},
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/\"_class_name\"/\"timestep_type\": \"continuous\", &/",
     "timestep_type is \"continuous\", expected discrete"},
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/\"_class_name\"/\"predict_epsilon\": \"no\", &/",
     "predict_epsilon is \"no\", expected true or false"},
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/\"beta_end\": [^,]*,/\"beta_end\": 0.95,/;s/\"beta_start\": [^,]*,/\"beta_start\": 0.9,/",
     "the betas of a schedule leave nothing of the data at timestep"},
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/\"beta_start\": [^,]*,/\"beta_start\": 0,/",
     "beta_start is 0, expected a number above 0 and below 1"},
    {"diffusers-new/scheduler/scheduler_config.json", "1!d;s/.*/Entry not found/",
     "has no keys with values, expected the description of a scheduler"},
    {"diffusers-new/scheduler/scheduler_config.json", "1!d;s/.*/{\"error\": \"not found\"}/",
     "has none of _class_name, num_train_timesteps and beta_schedule"},
    {"diffusers-new/scheduler/scheduler_config.json",
     "s/\"_class_name\"/\"use_flow_sigmas\": true, &/", "use_flow_sigmas is true, expected false"},
    {"diffusers-new/unet/config.json", "1!d;s/.*/<html>/",
     "has no keys with values, expected the description of a network"},
    {"diffusers-new/unet/config.json",
     "s/\"_class_name\"/\"attention_head_dim\": 0, &/;s/\"attention_head_dim\": null,//",
     "attention_head_dim is 0, expected an integer from 1"},
    {"diffusers-new/unet/config.json", "s/block_out_channels/blocks/",
     "block_out_channels is missing, expected a list of integers"},
    {"diffusers-new/unet/config.json", "s/\"sample_size\": [^,]*,/\"sample_size\": 7,/",
     "config.json: data.resolution: expected"},
    {"ddim_ckpt.yml", "s/beta_start: .*/beta_start: 0/",
     "beta_start is 0, expected a number above"},
    {"ddim_ckpt.yml", "s/beta_schedule: .*/beta_schedule: 7/",
     "beta_schedule is 7, expected linear or quad"},
    {"ddim_ckpt.yml", "s/rescaled: .*/rescaled: false/", "rescaled is false, expected true"},
    {"ddim_ckpt.yml", "s/in_channels: .*/in_channels: 4/", "in_channels is 4, expected"},
    {"ddim_ckpt.yml", "s/var_type: .*/var_type: learned/",
     "var_type is \"learned\", expected fixedsmall or fixedlarge"},
    {"ddim_ckpt.yml", "s/\\( *\\)beta_start: .*/&\\n\\1beta_start: 0.5/", "a key is there twice"},
    {"ddim_ckpt.yml", "s/^/# /", "it holds nothing"},
    {"ddim_ckpt.yml", "s/beta_start: .*/[1, 2]: 3/", "a key is no text"},
};

START_TEST(descriptions_that_can_not_be_taken_are_refused_with_the_reason)
{
    program_begin();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char command[512];
        const bool is_recipe = strcmp(edits[i].from, "ddim_ckpt.yml") == 0;
        snprintf(command, sizeof command,
                 "rm -rf $D/m && cp -rL " IMPORT "diffusers-new $D/m && cp " IMPORT
                 "ddim_ckpt.yml $D/m && sed -i '%s' $D/m/%s",
                 edits[i].edit, is_recipe ? edits[i].from : strchr(edits[i].from, '/') + 1);
        ck_assert_int_eq(system(command), 0);
        infer_fails(2, edits[i].message, "import %s --run $D/run",
                    is_recipe ? IMPORT "ddim_ckpt.pth --config $D/m/ddim_ckpt.yml" : "$D/m");
    }
    program_end();
}
END_TEST

START_TEST(flags_that_do_not_fit_are_refused_with_the_reason)
{
    program_begin();
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        write_flags("flags.json", flags[i].flag, flags[i].value);
        infer_fails(2, flags[i].message,
                    "import " IMPORT "adm.pt --config $D/flags.json --run $D/run");
    }
    infer_fails(2, "--config FILE says them", "import " IMPORT "adm.pt --run $D/run");
    infer_fails(2, "expected the flags of",
                "import " IMPORT "adm.pt --config " IMPORT "ddim_ckpt.yml --run $D/run");
    infer_fails(2, "not of diffusers",
                "import " IMPORT "adm.pt --family diffusers --config " IMPORT
                "adm.json --run $D/run");
    program_end();
}
END_TEST

SUITE_MAIN("import_refusals", descriptions_that_can_not_be_taken_are_refused_with_the_reason,
           what_must_be_refused_is_refused_in_one_line,
           flags_that_do_not_fit_are_refused_with_the_reason,
           a_network_of_unknown_names_is_refused_with_the_nearest_family,
           a_network_that_does_not_fit_is_refused_with_the_reason)
