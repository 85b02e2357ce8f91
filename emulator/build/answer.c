#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/build/internal.h"
#include "emulator/python/facts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/json.h"

static struct cJSON *error_to_json(const struct error *error)
{
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "kind", error_kind_name(error->kind));
    json_put_int(tree, "errno", error->errnum);
    json_put_string(tree, "message", error->message);
    json_put_string(tree, "hint", error->hint);
    json_put_string(tree, "rule", error->rule);
    json_put_string(tree, "cloud", error->cloud);
    return tree;
}

static const char *text_of(const struct cJSON *tree, const char *name)
{
    const char *text = json_get_string(tree, name);
    return text ? text : "";
}

static void error_from_json(const struct cJSON *tree, struct error *error)
{
    error_set(error, error_kind_from_name(json_get_string(tree, "kind")), "%s",
              text_of(tree, "message"));
    error_set_hint(error, "%s", text_of(tree, "hint"));
    error_set_rule(error, text_of(tree, "rule"), text_of(tree, "cloud"));
    if (error) {
        error->errnum = (int)json_get_int(tree, "errno", 0);
    }
}

static struct cJSON *diagnostic_to_json(const struct diagnostic *diagnostic)
{
    struct cJSON *tree = json_new_object();
    json_put_int(tree, "severity", diagnostic->severity);
    json_put_string(tree, "file", diagnostic->file);
    json_put_int(tree, "line", diagnostic->line);
    json_put_int(tree, "column", diagnostic->column);
    json_put_string(tree, "rule", diagnostic->rule);
    json_put_string(tree, "text", diagnostic->text);
    json_put_string(tree, "hint", diagnostic->hint);
    return tree;
}

static void diagnostic_from_json(const struct cJSON *tree, struct diagnostics *diagnostics)
{
    int64_t severity = json_get_int(tree, "severity", DIAGNOSTIC_WARNING);
    if (severity < DIAGNOSTIC_NOTE || severity > DIAGNOSTIC_ERROR) {
        severity = DIAGNOSTIC_WARNING;
    }
    diagnostics_add(diagnostics, (enum diagnostic_severity)severity, json_get_string(tree, "file"),
                    (int)json_get_int(tree, "line", 0), (int)json_get_int(tree, "column", 0),
                    json_get_string(tree, "rule"), json_get_string(tree, "hint"), "%s",
                    text_of(tree, "text"));
}

static struct cJSON *offer_to_json(const struct python_offer *offer)
{
    struct cJSON *tree = json_new_object();
    json_put_string(tree, "version", offer->version);
    json_put_string(tree, "root", offer->root);
    json_put_string(tree, "program", offer->program);
    return tree;
}

static void offer_from_json(const struct cJSON *tree, struct python_offer *ret_offer)
{
    const char *version = json_get_string(tree, "version");
    const char *root = json_get_string(tree, "root");
    const char *program = json_get_string(tree, "program");
    if (version && root && program) {
        *ret_offer = (struct python_offer){
            .version = str_dup(version), .root = str_dup(root), .program = str_dup(program)};
    }
}

char *build_answer_print(const struct python *python, const struct python_offer *offer,
                         const struct diagnostics *diagnostics, const struct error *error)
{
    struct cJSON *tree = json_new_object();
    struct cJSON *list = json_new_array();
    for (size_t i = 0; i < diagnostics->count; i++) {
        json_push(list, diagnostic_to_json(&diagnostics->items[i]));
    }
    json_put_tree(tree, "diagnostics", list);
    if (offer->version) {
        json_put_tree(tree, "offer", offer_to_json(offer));
    }
    if (python) {
        json_put_tree(tree, "python", python_to_json(python));
    } else {
        json_put_tree(tree, "error", error_to_json(error));
    }
    char *text = json_print(tree);
    json_free(tree);
    return text;
}

int build_answer_parse(const char *text, size_t len, struct python *ret_python,
                       struct python_offer *ret_offer, struct diagnostics *diagnostics,
                       struct error *error)
{
    struct cJSON *tree = len ? json_parse(text, len, "@python", NULL) : NULL;
    if (!tree) {
        return error_set(error, ERROR_SYSTEM, _("the helper that looks for Python ended early"));
    }
    const struct cJSON *list = json_get(tree, "diagnostics");
    for (const struct cJSON *item = json_first(list); item; item = json_next(item)) {
        diagnostic_from_json(item, diagnostics);
    }
    offer_from_json(json_get(tree, "offer"), ret_offer);
    int result = 0;
    if (!python_from_json(json_get(tree, "python"), ret_python)) {
        error_from_json(json_get(tree, "error"), error);
        result = -1;
    }
    json_free(tree);
    return result;
}
