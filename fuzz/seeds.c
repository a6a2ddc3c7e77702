/* Writes the files from which a search begins: small valid files, one for each way of storing them.
 * `seeds DIRECTORY` fills DIRECTORY/<target>/.
 *
 * Most are in HDF5's oldest format, the default of h5py. It has no checksums in its metadata, so
 * that a changed byte gets deep into the library. Files of varhead have checksums and are refused
 * early. */
#include "base/memory.h"
#include "evaluation/feature_net.h"
#include "evaluation/quality_meter.h"
#include "fuzz/target.h"
#include "inference/network.h"
#include "io/checkpoint.h"
#include "io/file_kind.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static const char *root;

static const char *seed_path(const char *target, const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", root, target);
    (void)mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
    return path;
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* -- HDF5 of either format -------------------------------------------------------------------- */

typedef enum Storage { CONTIGUOUS, CHECKED, DEFLATED, COMPACT, STORAGES } Storage;

static hid_t create(const char *path, bool newest)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (newest)
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

static void add(hid_t file, const char *name, Storage storage, hid_t stored, hid_t memory, int rank,
                const hsize_t *dims, const void *values)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    if (storage == COMPACT)
        H5Pset_layout(creation, H5D_COMPACT);
    if (storage == CHECKED || storage == DEFLATED)
        H5Pset_chunk(creation, rank, dims);
    if (storage == CHECKED)
        H5Pset_fletcher32(creation);
    if (storage == DEFLATED) {
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 6);
    }
    hid_t data = H5Dcreate2(file, name, stored, space, links, creation, H5P_DEFAULT);
    H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    H5Dclose(data);
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
}

/* Calls `fill` for a file of each format and storage. */
static void each_kind(const char *target, const char *prefix, void (*fill)(hid_t, Storage))
{
    for (int kind = 0; kind < 2 * STORAGES; kind++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%d.h5", prefix, kind);
        hid_t file = create(seed_path(target, name), kind % 2 != 0);
        fill(file, (Storage)(kind / 2));
        H5Fclose(file);
    }
}

/* -- HDF5 files of the targets ----------------------------------------------------------------- */

static float numbers[1024];

static void fill_images(hid_t file, Storage storage)
{
    static uint8_t pixels[3 * 16] = {1, 2, 3};
    add(file, "images", storage, H5T_STD_U8LE, H5T_NATIVE_UINT8, 4, (hsize_t[]){3, 4, 4, 1},
        pixels);
}

static void fill_predict(hid_t file, Storage storage)
{
    const int64_t t[] = {1, 4};
    hid_t stored = storage == CHECKED ? H5T_IEEE_F64BE : H5T_IEEE_F32LE;
    add(file, "x", storage, stored, H5T_NATIVE_FLOAT, 4, (hsize_t[]){2, 1, 4, 4}, numbers);
    add(file, "t", storage, H5T_STD_I16LE, H5T_NATIVE_INT64, 1, (hsize_t[]){2}, t);
}

static void fill_sampling(hid_t file, Storage storage)
{
    add(file, "x_T", storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){2, 1, 4, 4},
        numbers);
    add(file, "noise", storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 5, (hsize_t[]){2, 2, 1, 4, 4},
        numbers);
}

static void fill_bounds(hid_t file, Storage storage)
{
    const int64_t t[] = {1, 2, 3};
    add(file, "t", storage, H5T_STD_I32LE, H5T_NATIVE_INT64, 1, (hsize_t[]){3}, t);
    add(file, "eps", storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 5, (hsize_t[]){3, 2, 1, 4, 4},
        numbers);
}

static void attribute(hid_t file, const char *name, hid_t stored, hid_t memory, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, memory, value);
    H5Aclose(id);
    H5Sclose(space);
}

static void integer(hid_t file, const char *name, int64_t value)
{
    attribute(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

/* As h5py writes a str (variable length) or numpy bytes (fixed). */
static hid_t string_type(const char *text, bool variable)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, variable ? H5T_VARIABLE : strlen(text));
    H5Tset_strpad(type, variable ? H5T_STR_NULLTERM : H5T_STR_NULLPAD);
    return type;
}

static void string(hid_t file, const char *name, const char *text, bool variable)
{
    hid_t type = string_type(text, variable);
    attribute(file, name, type, type, variable ? (const void *)&text : text);
    H5Tclose(type);
}

static uint64_t network_number;

static void fill_dp(hid_t file, Storage storage)
{
    add(file, "costs", storage, H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 2,
        (hsize_t[]){FUZZ_TIMESTEPS + 1, FUZZ_TIMESTEPS + 1}, numbers);
    string(file, "format", "varhead-dp", storage == DEFLATED);
    integer(file, "version", 1);
    integer(file, "network", (int64_t)network_number);
    integer(file, "images", 10);
    integer(file, "seed", 1);
    integer(file, "bf16", 0);
}

/* Every group of a checkpoint with the tensors of the smallest network. */
static void add_group(hid_t file, const char *group, const ParamSet *set, Storage storage)
{
    for (int i = 0; i < set->count; i++) {
        const Param *param = &set->items[i];
        hsize_t dims[PARAM_MAX_RANK];
        for (int d = 0; d < param->rank; d++)
            dims[d] = (hsize_t)param->shape[d];
        char *name = memory_format("%s/%s", group, param->name);
        float *values = memory_small(param->count, sizeof *values);
        add(file, name, storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, param->rank, dims, values);
        memory_free(values);
        memory_free(name);
    }
}

static void describe(hid_t file, bool variable)
{
    string(file, "format", "varhead-checkpoint", variable);
    integer(file, "version", 1);
    integer(file, "stage", 2);
    integer(file, "step", 1);
    const char *text = fuzz_network_config;
    hid_t type = string_type(text, variable);
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t data = H5Dcreate2(file, "config", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, variable ? (const void *)&text : text);
    H5Dclose(data);
    H5Sclose(space);
    H5Tclose(type);
}

static void fill_checkpoint(hid_t file, Storage storage)
{
    Error error;
    Config config;
    ParamSet trunk, head;
    const int64_t bins[] = {0, FUZZ_TIMESTEPS};
    if (!config_parse(&config, fuzz_network_config, "small", NULL, 0, &error))
        exit(1);
    network_shapes(&config, 1, &trunk, &head);
    describe(file, storage == DEFLATED);
    add_group(file, "trunk_ema", &trunk, storage);
    add_group(file, "heads_ema/sn", &head, storage);
    add(file, "time_bins", storage, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (hsize_t[]){2}, bins);
    add(file, "analytic/ms_eps", storage, H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 1,
        (hsize_t[]){FUZZ_TIMESTEPS + 1}, numbers);
    params_free(&trunk);
    params_free(&head);
}

/* A checkpoint without tensors: a small file, in which most bytes matter. */
static void fill_description(hid_t file, Storage storage)
{
    describe(file, storage % 2 != 0);
    add(file, "heads_ema/sn/x", storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){5},
        numbers);
    add(file, "trunk_ema/conv_in.bias", storage, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1,
        (hsize_t[]){4}, numbers);
}

static void text_array(hid_t file, const char *name, const char *text)
{
    hid_t type = string_type(text, false), space = H5Screate(H5S_SCALAR);
    hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    H5Dclose(data);
    H5Sclose(space);
    H5Tclose(type);
}

/* A sweep over the bound of one variance on a trajectory of two steps. */
static void fill_sweep(hid_t file, Storage storage)
{
    static const char *const of_timesteps[] = {"terms", "terms_error", "calibration",
                                               "ratio", "floored",     "calibration_error"};
    string(file, "format", "varhead-sweep", false);
    text_array(file, "key", FUZZ_KEY);
    integer(file, "t", FUZZ_TIMESTEPS);
    add(file, "bits", storage, H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){1}, numbers);
    for (size_t i = 0; i < sizeof of_timesteps / sizeof of_timesteps[0]; i++)
        add(file, of_timesteps[i], storage, H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 1,
            (hsize_t[]){FUZZ_TIMESTEPS + 1}, numbers);
}

static void fill_quality(hid_t file, Storage storage)
{
    string(file, "format", "varhead-quality", storage == DEFLATED);
    text_array(file, "key", FUZZ_KEY);
    add(file, "values", storage, H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 3,
        (hsize_t[]){2, QUALITY_METRICS, 3}, numbers);
}

static void fill_labels(hid_t file, Storage storage)
{
    const int64_t labels[] = {1, 0, 2};
    hid_t stored = storage == COMPACT ? H5T_STD_U8BE : H5T_STD_I64LE;
    add(file, "labels", storage, stored, H5T_NATIVE_INT64, 1, (hsize_t[]){3}, labels);
}

/* All weights are 0, and the name says so. */
static void fill_classifier(hid_t file, Storage storage)
{
    enum { CLASSES = 2 };
    ParamSet params = {0};
    Graph *graph = graph_new(&params, (GraphOptions){.batch = 1});
    const ClassifierShape shape = {
        .resolution = 4, .channels = 1, .classes = CLASSES, .width = 8, .blocks = 1};
    classifier_build(graph, &shape);
    graph_free(graph);
    float *weights = memory_small(params.size, sizeof *weights);
    char *name = feature_net_name(weights, params.size);
    string(file, "format", file_kind_format(FILE_CLASSIFIER), storage == DEFLATED);
    string(file, "name", name, false);
    string(file, "data", "the mixture", false);
    integer(file, "version", 2);
    integer(file, "resolution", 4);
    integer(file, "channels", 1);
    integer(file, "classes", CLASSES);
    integer(file, "width", shape.width);
    integer(file, "blocks", shape.blocks);
    integer(file, "steps", 1);
    integer(file, "seed", 1);
    integer(file, "test_images", 10);
    attribute(file, "accuracy", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, numbers);
    add_group(file, "weights", &params, storage);
    params_free(&params);
    memory_free(weights);
    memory_free(name);
}

/* -- Other files ------------------------------------------------------------------------------- */

static void write_idx(void)
{
    uint8_t bytes[16 + 2 * 16] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4, 1, 2, 3};
    write_bytes(seed_path("idx", "plain"), bytes, sizeof bytes);
    gzFile file = gzopen(seed_path("idx", "compressed.gz"), "wb9");
    gzwrite(file, bytes, sizeof bytes);
    gzclose(file);
}

static void write_labels(void)
{
    uint8_t bytes[8 + 3] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 0, 2};
    write_bytes(seed_path("labels", "plain"), bytes, sizeof bytes);
}

static void write_csv(void)
{
    static const char table[] = "variance,trajectory,steps,bits_per_dim,stderr,images\n"
                                "sn,linear,2,3.5,0.1,3\nnpr,dp,10,nan,-1e-3,3\n";
    write_bytes(seed_path("csv", "bounds.csv"), table, strlen(table));
}

static void write_weights(void)
{
    static const char empty[] = "\x02\0\0\0\0\0\0\0{}", pickle[] = "\x80\x02}.";
    write_bytes(seed_path("safetensors", "empty"), empty, sizeof empty - 1);
    write_bytes(seed_path("torch", "pickle"), pickle, sizeof pickle - 1);
    write_bytes(seed_path("pickle", "dictionary"), pickle, sizeof pickle - 1);
}

static void write_configs(void)
{
    static const char list[] = "model: {channel_mult: [1, 2, 2], attention: [14]}\nseed: 1\n"
                               "stage1: {lr: 1.0e-3, steps: 10}\ncheckpoint: {every: 3}\n";
    Config config;
    config_defaults(&config);
    char *yaml = config_to_yaml(&config);
    write_bytes(seed_path("config", "defaults.yaml"), yaml, strlen(yaml));
    write_bytes(seed_path("config", "list.yaml"), list, strlen(list));
    write_bytes(seed_path("config", "small.yaml"), fuzz_network_config,
                strlen(fuzz_network_config));
    memory_free(yaml);
}

static uint64_t find_network_number(void)
{
    Error error;
    Network *network;
    NetworkOptions options = {.batch = 1, .type = DTYPE_F32};
    string_list_add(&options.source.checkpoints, fuzz_network());
    if (!network_open(&network, &options, &error)) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    uint64_t number = network_fingerprint(network, &variance_sn);
    network_close(network);
    string_list_free(&options.source.checkpoints);
    return number;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIRECTORY\n");
        return 2;
    }
    root = argv[1];
    (void)mkdir(root, 0777);
    network_number = find_network_number();
    each_kind("images", "images", fill_images);
    each_kind("predict", "points", fill_predict);
    each_kind("noise", "sampling", fill_sampling);
    each_kind("noise", "bounds", fill_bounds);
    each_kind("dp", "costs", fill_dp);
    each_kind("checkpoint", "whole", fill_checkpoint);
    each_kind("checkpoint", "description", fill_description);
    each_kind("resume", "whole", fill_checkpoint);
    each_kind("sweep", "sums", fill_sweep);
    each_kind("quality", "values", fill_quality);
    each_kind("classifier", "zero", fill_classifier);
    each_kind("labels", "labels", fill_labels);
    write_idx();
    write_labels();
    write_csv();
    write_weights();
    write_configs();
    return 0;
}
