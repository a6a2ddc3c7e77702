/* The names that a pickle may have, and what is made where it calls one of them. Nothing is ever
 * executed: a call of _rebuild_tensor_v2 makes a value that describes a tensor. */
#include "exchange/pickle_machine.h"

#include <string.h>

/* -- Names ------------------------------------------------------------------------------------- */

typedef enum Action { MAKE_DICT, MAKE_TENSOR, MAKE_PARAMETER, STORAGE_TYPE } Action;

/* All that a pickle may name. */
static const struct {
    const char *module, *name;
    Action action;
    TensorType type;
} names[] = {
    {"collections", "OrderedDict", MAKE_DICT, TENSOR_F32},
    {"torch._utils", "_rebuild_tensor_v2", MAKE_TENSOR, TENSOR_F32},
    {"torch._utils", "_rebuild_tensor", MAKE_TENSOR, TENSOR_F32},
    {"torch._utils", "_rebuild_parameter", MAKE_PARAMETER, TENSOR_F32},
    {"torch", "FloatStorage", STORAGE_TYPE, TENSOR_F32},
    {"torch", "HalfStorage", STORAGE_TYPE, TENSOR_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, TENSOR_BF16},
    {"torch", "DoubleStorage", STORAGE_TYPE, TENSOR_F64},
    {"torch", "LongStorage", STORAGE_TYPE, TENSOR_INT64},
    {"torch", "IntStorage", STORAGE_TYPE, TENSOR_INT32},
    {"torch", "ShortStorage", STORAGE_TYPE, TENSOR_INT16},
    {"torch", "CharStorage", STORAGE_TYPE, TENSOR_INT8},
    {"torch", "ByteStorage", STORAGE_TYPE, TENSOR_INT8},
    {"torch", "BoolStorage", STORAGE_TYPE, TENSOR_INT8},
};

/* -- Names and calls ---------------------------------------------------------------------------- */

/* Pushes the name if it is one of the table. */
static bool push_name(PickleMachine *m, const char *module, size_t module_size, const char *name,
                      size_t name_size)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].module) == module_size && strlen(names[i].name) == name_size &&
            memcmp(names[i].module, module, module_size) == 0 &&
            memcmp(names[i].name, name, name_size) == 0) {
            PickleValue *value = machine_make(m, PICKLE_NAME);
            if (value)
                value->as.name = (int)i;
            return machine_push(m, value);
        }
    return error_input(m->error,
                       "%s: has a pickle that names %.*s.%.*s; only tensors, dictionaries, lists "
                       "and numbers are read, nothing is executed (a state dict has nothing else)",
                       m->origin, (int)(module_size < 80 ? module_size : 80), module,
                       (int)(name_size < 80 ? name_size : 80), name);
}

/* A module and a name, each a line. */
bool machine_push_global(PickleMachine *m)
{
    const char *text[2];
    size_t length[2];
    for (int i = 0; i < 2; i++) {
        const uint8_t *end = memchr(m->bytes + m->at, '\n', m->size - m->at);
        if (!end)
            return machine_fail(m, "it ends inside a name");
        text[i] = (const char *)m->bytes + m->at;
        length[i] = (size_t)(end - m->bytes) - m->at;
        m->at += length[i] + 1;
    }
    return push_name(m, text[0], length[0], text[1], length[1]);
}

bool machine_push_stack_global(PickleMachine *m)
{
    const PickleValue *name = machine_pop(m), *module = name ? machine_pop(m) : NULL;
    if (!module)
        return false;
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return machine_fail_at(m, "a name is no text");
    return push_name(m, module->as.text.bytes, module->as.text.size, name->as.text.bytes,
                     name->as.text.size);
}

static const PickleValue *argument(const PickleValue *tuple, size_t index, PickleKind kind)
{
    const PickleValue *value = index < tuple->as.list.count ? tuple->as.list.items[index] : NULL;
    return value && value->kind == kind ? value : NULL;
}

/* OrderedDict(), or OrderedDict([[key, value], ...]). */
static bool make_dict(PickleMachine *m, const PickleValue *arguments)
{
    PickleValue *dict = machine_make(m, PICKLE_DICT);
    const PickleValue *pairs = argument(arguments, 0, PICKLE_LIST);
    if (!dict || (arguments->as.list.count > 0 && !pairs))
        return dict ? machine_fail_at(m, "an OrderedDict is made of something unknown") : false;
    for (size_t i = 0; pairs && i < pairs->as.list.count; i++) {
        const PickleValue *pair = pairs->as.list.items[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->as.list.count != 2)
            return machine_fail_at(m, "an OrderedDict is made of something unknown");
        machine_add_item(dict, pair->as.list.items[0]);
        machine_add_item(dict, pair->as.list.items[1]);
    }
    return machine_push(m, dict);
}

/* Whether the seventh argument of _rebuild_tensor_v2 marks the numbers as negated or conjugate. */
static bool is_marked(const PickleValue *arguments)
{
    const PickleValue *marks = arguments->as.list.count > 6 ? arguments->as.list.items[6] : NULL;
    return marks && marks->kind != PICKLE_NONE &&
           (marks->kind != PICKLE_DICT || marks->as.list.count > 0);
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks, marks). */
static bool make_tensor(PickleMachine *m, const PickleValue *arguments)
{
    PickleValue *tensor = machine_make(m, PICKLE_TENSOR);
    if (!tensor)
        return false;
    tensor->as.tensor.storage = argument(arguments, 0, PICKLE_STORAGE);
    tensor->as.tensor.offset = argument(arguments, 1, PICKLE_INTEGER);
    tensor->as.tensor.shape = argument(arguments, 2, PICKLE_TUPLE);
    tensor->as.tensor.stride = argument(arguments, 3, PICKLE_TUPLE);
    if (!tensor->as.tensor.storage || !tensor->as.tensor.offset || !tensor->as.tensor.shape ||
        !tensor->as.tensor.stride)
        return machine_fail_at(m, "a tensor is made of something unknown");
    if (is_marked(arguments))
        return machine_fail_at(m, "a tensor is marked as negated or conjugate, which is not read");
    return machine_push(m, tensor);
}

bool machine_call(PickleMachine *m)
{
    const PickleValue *arguments = machine_pop(m), *function = arguments ? machine_pop(m) : NULL;
    if (!function)
        return false;
    if (function->kind != PICKLE_NAME || arguments->kind != PICKLE_TUPLE)
        return machine_fail_at(m, "it calls something that is no function");
    const Action action = names[function->as.name].action;
    if (action == MAKE_DICT)
        return make_dict(m, arguments);
    if (action == MAKE_TENSOR)
        return make_tensor(m, arguments);
    PickleValue *data = (PickleValue *)argument(arguments, 0, PICKLE_TENSOR);
    if (action == MAKE_PARAMETER && data)
        return machine_push(m, data);
    return machine_fail_at(m, "it calls something that is no function");
}

/* ("storage", type, key, device, numbers), and in old files None or a view of another storage. */
bool machine_push_storage(PickleMachine *m)
{
    const PickleValue *id = machine_pop(m);
    if (!id)
        return false;
    if (id->kind != PICKLE_TUPLE || !argument(id, 0, PICKLE_TEXT) ||
        !pickle_is_text(argument(id, 0, PICKLE_TEXT), "storage"))
        return machine_fail_at(m, "it refers to something that is no storage of numbers");
    const PickleValue *type = argument(id, 1, PICKLE_NAME), *key = argument(id, 2, PICKLE_TEXT);
    const PickleValue *count = argument(id, 4, PICKLE_INTEGER);
    if (!type || names[type->as.name].action != STORAGE_TYPE || !key || !count ||
        count->as.integer < 0)
        return machine_fail_at(m, "a storage of numbers is made of something unknown");
    if (id->as.list.count > 6 || (id->as.list.count == 6 && !argument(id, 5, PICKLE_NONE)))
        return machine_fail_at(m, "a storage is a view of another one, as very old files have it");
    PickleValue *storage = machine_make(m, PICKLE_STORAGE);
    if (storage) {
        storage->as.storage.type = names[type->as.name].type;
        storage->as.storage.key = key;
        storage->as.storage.count = count->as.integer;
    }
    return machine_push(m, storage);
}

/* Attributes of an OrderedDict (_metadata) are dropped. */
bool machine_build(PickleMachine *m)
{
    return machine_pop(m) && (machine_top(m, PICKLE_DICT) != NULL);
}
