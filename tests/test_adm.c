/* Tests of networks of the family adm in the programs: the recipe cifar10-adm trains at a tiny size,
 * goes on as if it had never stopped, and has heads and every command of `infer`. */
#define SUITE_TIMEOUT 300
#include "base/memory.h"
#include "config/config.h"
#include "engine/primitive.h"
#include "tests/infer_program.h"

#define TINY                                                                                       \
    "--config configs/cifar10-adm.yaml --quiet --set data.format=mixture --set data.train= "       \
    "--set data.channels=1 --set data.resolution=8 --set diffusion.timesteps=40 "                  \
    "--set model.channels=16 --set model.channel_mult=[1,2] --set model.res_blocks=1 "             \
    "--set model.attention=[4] --set model.head_channels=8 --set model.norm_groups=8 "             \
    "--set stage1.batch=4 --set stage1.warmup=0 "

__attribute__((format(printf, 1, 2))) static void train_ok(const char *format, ...)
{
    char command[4096] = "OMP_NUM_THREADS=1 train " TINY;
    size_t used = strlen(command);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command + used, sizeof command - used, format, arguments);
    va_end(arguments);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

static void check_same_files(const char *a, const char *b)
{
    char command[1024];
    snprintf(command, sizeof command, "cmp \"%s\" \"%s\"", in_directory(a), in_directory(b));
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

START_TEST(a_continued_run_is_the_uninterrupted_one)
{
    setenv("OMP_NUM_THREADS", "1", 1); /* for little work */
    program_begin();
    train_ok("--stage 1 --run $D/whole --set stage1.steps=6");
    train_ok("--stage 1 --run $D/parts --set stage1.steps=2");
    train_ok("--stage 1 --run $D/parts --set stage1.steps=6");
    infer_ok("export --run $D/whole --format safetensors --out $D/whole.safetensors");
    infer_ok("export --run $D/parts --format safetensors --out $D/parts.safetensors");
    check_same_files("whole.safetensors", "parts.safetensors");
    train_ok("--stage 1 --run $D/other --set stage1.steps=6 --set seed=5");
    infer_ok("export --run $D/other --format safetensors --out $D/other.safetensors");
    ck_assert(system("cmp -s \"$D/whole.safetensors\" \"$D/other.safetensors\"") != 0);
    program_end();
}
END_TEST

/* Heads of both types: a complex one has a block of the trunk's kind. */
START_TEST(heads_are_trained_on_it_and_every_command_works)
{
    program_begin();
    train_ok("--stage 1 --run $D/run --set stage1.steps=2");
    train_ok("--stage 2 --run $D/run --loss npr,sn --set stage2.solver=exact "
             "--set stage2.images=50");
    ck_assert_int_eq(system("cp -r \"$D/run\" \"$D/complex\" && rm \"$D\"/complex/stage2*"), 0);
    train_ok("--stage 2 --run $D/complex --loss npr --set head.type=complex --set stage2.steps=2 "
             "--set stage2.batch=4");
    infer_ok("analytic --run $D/run --images 8");
    infer_ok("nll --run $D/run --variance beta,analytic,npr,sn --steps 5 --images 2");
    infer_ok("nll --run $D/complex --variance npr --steps 5 --images 2");
    infer_ok("sample --run $D/run --variance sn --steps 3 --count 2 --out $D/x.png");
    infer_ok("compare --run $D/run --variance beta,npr,sn --steps 2 --images 2 --samples 10");
    infer_ok("info $D/run/stage1.h5");
    if (primitive_support(DTYPE_BF16) == SUPPORT_NONE)
        suite_skips("bf16, which is AVX-512");
    else
        infer_ok("sample --run $D/run --variance sn --steps 3 --count 2 --precision bf16 "
                 "--out $D/y.h5");
    program_end();
}
END_TEST

/* Where the bound has no weight, a second output changes nothing of the first one. */
START_TEST(a_network_with_a_second_output_trains_as_one_without)
{
    program_begin();
    train_ok("--stage 1 --run $D/one --set stage1.steps=3");
    train_ok("--stage 1 --run $D/two --set stage1.steps=3 --set model.learned=range "
             "--set stage1.objective=hybrid --set stage1.vlb_weight=0");
    infer_ok("sample --run $D/one --variance beta --steps 3 --count 2 --out $D/one.png");
    infer_ok("sample --run $D/two --variance beta --steps 3 --count 2 --out $D/two.png");
    check_same_files("one.png", "two.png");
    program_end();
}
END_TEST

/* Each option by itself. */
START_TEST(every_option_trains)
{
    static const char *const options[] = {
        "model.time_into=add",  "model.resampling=conv", "model.down_padding=end",
        "model.norm_eps=1e-3",  "model.freq_shift=1",    "model.embedding=sin_cos",
        "model.mid_norm=false", "model.heads=2",         "model.head_channels=0",
        "model.family=ddpm",    "model.predicts=v",      "model.time=index"};
    program_begin();
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        train_ok("--stage 1 --run $D/run%zu --set stage1.steps=1 --set %s", i, options[i]);
    }
    program_end();
}
END_TEST

SUITE_MAIN("adm", a_continued_run_is_the_uninterrupted_one,
           heads_are_trained_on_it_and_every_command_works,
           a_network_with_a_second_output_trains_as_one_without, every_option_trains)
