/* YAML as a tree of JSON: mappings, sequences and scalars. A plain scalar is a number or a truth
 * value if it looks like one; a quoted one is a text. libyaml takes quadratic time for deep
 * nesting, so that only small files are read, and anchors are refused. */
#include "exchange/json.h"

#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MOST_BYTES = 65536, MOST_DEPTH = 16 };

static json_t *plain_scalar(const char *text, size_t length)
{
    char *end;
    if (strcmp(text, "true") == 0 || strcmp(text, "True") == 0)
        return json_true();
    if (strcmp(text, "false") == 0 || strcmp(text, "False") == 0)
        return json_false();
    if (strcmp(text, "null") == 0 || strcmp(text, "~") == 0 || text[0] == '\0')
        return json_null();
    errno = 0;
    const long long integer = strtoll(text, &end, 10);
    if (*end == '\0' && errno == 0)
        return json_integer(integer);
    const double number = strtod(text, &end);
    json_t *real = *end == '\0' ? json_real(number) : NULL; /* NULL if it is not finite */
    return real ? real : json_stringn(text, length);
}

/* The tree of a node; NULL if it is nested too deeply, or has a key that is no text. */
static json_t *tree_of(yaml_document_t *document, int index, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(document, index);
    if (!node || depth > MOST_DEPTH)
        return NULL;
    if (node->type == YAML_SCALAR_NODE) {
        const char *text = (const char *)node->data.scalar.value;
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            return plain_scalar(text, node->data.scalar.length);
        return json_stringn(text, node->data.scalar.length);
    }
    const bool is_list = node->type == YAML_SEQUENCE_NODE;
    json_t *tree = is_list ? json_array() : json_object();
    bool ok = true;
    for (yaml_node_item_t *item = is_list ? node->data.sequence.items.start : NULL;
         is_list && ok && item < node->data.sequence.items.top; item++)
        ok = json_array_append_new(tree, tree_of(document, *item, depth + 1)) == 0;
    for (yaml_node_pair_t *pair = is_list ? NULL : node->data.mapping.pairs.start;
         !is_list && ok && pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        ok = key && key->type == YAML_SCALAR_NODE &&
             json_object_set_new(tree, (const char *)key->data.scalar.value,
                                 tree_of(document, pair->value, depth + 1)) == 0;
    }
    if (!ok) {
        json_decref(tree);
        return NULL;
    }
    return tree;
}

bool yaml_parse(Json **json, const char *text, size_t size, const char *origin, Error *error)
{
    yaml_parser_t parser;
    yaml_document_t document;
    *json = NULL;
    if (size > MOST_BYTES || memchr(text, '&', size) || !yaml_parser_initialize(&parser))
        return error_input(error, "%s: expected at most %d bytes of YAML without anchors", origin,
                           MOST_BYTES);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    const bool read = yaml_parser_load(&parser, &document) != 0;
    const long line = (long)parser.problem_mark.line + 1;
    const char *problem = parser.problem;
    if (read) {
        *json = tree_of(&document, 1, 0);
        yaml_document_delete(&document);
    }
    const bool ok = *json || error_input(error, "%s: is no YAML that can be read: %s (line %ld)",
                                         origin, problem ? problem : "nested too deeply", line);
    yaml_parser_delete(&parser);
    return ok;
}
