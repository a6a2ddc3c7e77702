/* Prints the state dicts of a file of weights, and the network that `infer import` would make.
 *
 * Only names and shapes are read. A network that can't be imported has the reason in its last line.
 */
#include "infer/info_foreign.h"

#include "exchange/foreign_files.h"
#include "exchange/foreign_network.h"

#include <stdio.h>

enum { MOST_GROUPS = 8 };

bool info_is_foreign(const char *path)
{
    ForeignFiles files = {0};
    Error unused;
    const bool foreign =
        foreign_files_find(&files, path, NULL, &unused) && tensor_file_is_known(files.weights);
    foreign_files_free(&files);
    return foreign;
}

static void print_group(const TensorTable *table, const TensorGroup *group)
{
    int64_t numbers = 0;
    bool has[TENSOR_TYPES] = {0};
    for (int i = group->first; i < group->first + group->count; i++) {
        numbers += table->tensors[i].count;
        has[table->storages[table->tensors[i].storage].type] = true;
    }
    char name[120];
    snprintf(name, sizeof name, "%s%s", group->name, group->name[0] ? ": " : "");
    error_one_line(name);
    printf("  %-10s %s%d tensors, %lld numbers of", "weights", name, group->count,
           (long long)numbers);
    for (int type = 0, printed = 0; type < TENSOR_TYPES; type++)
        if (has[type])
            printf("%s %s", printed++ > 0 ? "," : "", tensor_type_name((TensorType)type));
    putchar('\n');
}

static void print_table(const TensorFile *file)
{
    const TensorTable *table = tensor_file_table(file);
    printf("%s  (%s)\n", tensor_file_path(file), tensor_file_format_name(file));
    for (int g = 0; g < table->group_count && g < MOST_GROUPS; g++)
        print_group(table, &table->groups[g]);
    if (table->group_count > MOST_GROUPS)
        printf("  %-10s and %d more groups of tensors\n", "", table->group_count - MOST_GROUPS);
}

static void print_network(const ForeignNetwork *network)
{
    static const char *const times[] = {"t", "t - 1", "t - 1, not scaled"};
    static const char *const outputs[] = {"eps", "v", "x0"};
    const Config *c = &network->config;
    printf("  %-10s names of %s, %zu parameters, %d channels, %d level%s\n", "network",
           names_of_style(network->style), network->params.size, c->model.channels, c->model.levels,
           c->model.levels == 1 ? "" : "s");
    printf("  %-10s told %s, predicts %s\n", "", times[c->model.time], outputs[c->model.predicts]);
    printf("  %-10s %d x %d, %d channel%s\n", "images", c->data.resolution, c->data.resolution,
           c->data.channels, c->data.channels == 1 ? "" : "s");
    printf("  %-10s %s schedule, %d timesteps\n", "diffusion",
           schedule_kind_name(c->diffusion.schedule), c->diffusion.timesteps);
    if (network->has_head)
        printf("  %-10s %s, %zu parameters; --head npr or sn says what it estimates\n", "head",
               c->head.type == HEAD_COMPLEX ? "complex" : "simple", network->head.size);
    for (int i = 0; i < network->notes.count; i++)
        printf("  %-10s %s\n", "note", network->notes.lines[i]);
    printf("  %-10s possible: infer import makes a run of it\n", "import");
}

bool info_print_foreign(const char *path, const char *config, bool quiet, Error *error)
{
    const ForeignOptions options = {
        .path = path, .config = config, .style = NAMES_UNKNOWN, .time = -1};
    ForeignFiles files = {0};
    TensorFile *file = NULL;
    ForeignNetwork network;
    Error why = {0};
    const bool ok = foreign_files_find(&files, path, NULL, error) &&
                    tensor_file_open(&file, files.weights, error);
    if (ok && !quiet) {
        print_table(file);
        if (foreign_open(&network, &options, &why)) {
            print_network(&network);
            foreign_close(&network);
        } else {
            printf("  %-10s not possible: %s\n", "import", why.message);
        }
    }
    tensor_file_close(file);
    foreign_files_free(&files);
    return ok;
}
