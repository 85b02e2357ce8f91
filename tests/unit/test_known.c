// What the tables of emulator/blame know: tests/golden/known_breaks.txt asks for each row by
// itself. A row that goes, or a version that changes, changes advice that people follow.
#include "tests/unit/unit.h"

#include <stdio.h>

#include "emulator/blame/known.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"

#define QUESTIONS TESTS_DIR "/golden/known_breaks.txt"
#define FIELDS    5

static void install(struct cJSON *list, const char *name, const char *version)
{
    struct cJSON *package = json_new_object();
    struct strlist none = {0};
    json_put_string(package, "name", name);
    json_put_string(package, "version", version);
    json_put_strings(package, "modules", &none);
    json_put_strings(package, "requires", &none);
    json_push(list, package);
}

// A layer with one or two packages.
static void installed(struct packages *packages, const char *name, const char *version,
                      const char *other, const char *other_version)
{
    struct cJSON *tree = json_new_object();
    struct cJSON *list = json_new_array();
    struct strlist none = {0};
    install(list, name, version);
    if (other) {
        install(list, other, other_version);
    }
    json_put_string(tree, "python", "3.10.0");
    json_put_tree(tree, "packages", list);
    json_put_tree(tree, "requirements", json_new_array());
    json_put_strings(tree, "standard", &none);
    auto_free char *text = json_print(tree);
    json_free(tree);
    assert_int_equal(packages_parse(text, strlen(text), packages, NULL), 0);
}

static struct symptom symptom_of(const char *kind, const char *module, const char *name)
{
    struct symptom symptom = {.kind = strcmp(kind, "object") == 0 ? SYMPTOM_OBJECT
                                      : strcmp(kind, "call") == 0 ? SYMPTOM_KEYWORD
                                      : strcmp(kind, "says") == 0 ? SYMPTOM_OTHER
                                      : *name                     ? SYMPTOM_NAME
                                                                  : SYMPTOM_MODULE};
    snprintf(symptom.module, sizeof symptom.module, "%s", module);
    snprintf(symptom.name, sizeof symptom.name, "%s", name);
    return symptom;
}

// Gone in the version that dropped it, there in one from before.
static bool ask_bound(char *const fields[FIELDS])
{
    struct symptom symptom = symptom_of(fields[0], fields[2], fields[3]);
    struct known_break found = {0};
    struct packages packages = {0};
    installed(&packages, fields[1], fields[4], NULL, NULL);
    bool words = strcmp(fields[0], "says") == 0 || strcmp(fields[0], "call") == 0;
    bool good = known_bound(&packages, &symptom, slice_of(fields[2]), &found) &&
                strcmp(found.package, fields[1]) == 0 && strcmp(found.since, fields[4]) == 0 &&
                strcmp(found.module, words ? "" : fields[2]) == 0 &&
                strcmp(found.name, fields[3]) == 0;
    packages_release(&packages);
    packages = (struct packages){0};
    installed(&packages, fields[1], "0.0", NULL, NULL);
    good = good && !known_bound(&packages, &symptom, slice_of(fields[2]), &found);
    packages_release(&packages);
    return good;
}

static bool ask_crash(char *const fields[FIELDS])
{
    struct known_crash found = {0};
    struct packages packages = {0};
    installed(&packages, fields[1], fields[2], fields[3], fields[4]);
    bool good = known_crash(&packages, &found) && strcmp(found.user, fields[1]) == 0 &&
                strcmp(found.package, fields[3]) == 0 && strcmp(found.since, fields[4]) == 0;
    packages_release(&packages);
    return good;
}

static bool ask_standard(char *const fields[FIELDS])
{
    bool added = strcmp(fields[0], "std-new") == 0;
    struct symptom symptom = symptom_of("", fields[1], fields[2]);
    struct known_break found = {0};
    return known_standard(added ? "0.0" : fields[3], &symptom, &found) && found.added == added &&
           strcmp(found.module, fields[1]) == 0 && strcmp(found.name, fields[2]) == 0 &&
           strcmp(found.since, fields[3]) == 0 && strcmp(found.instead, fields[4]) == 0 &&
           !known_standard(added ? fields[3] : "0.0", &symptom, &found);
}

static bool ask(char *const fields[FIELDS])
{
    const char *kind = fields[0];
    if (strncmp(kind, "std-", 4) == 0) {
        return ask_standard(fields);
    }
    if (strcmp(kind, "crash") == 0) {
        return ask_crash(fields);
    }
    if (strcmp(kind, "wants") == 0) {
        return str_equal(known_wanted(slice_of(fields[2])), fields[1]);
    }
    if (strcmp(kind, "import") == 0) {
        return str_equal(known_package_of(fields[1]), fields[2]);
    }
    if (strcmp(kind, "command") == 0) {
        return str_equal(known_command(fields[1]), fields[2]);
    }
    return ask_bound(fields);
}

static void each_row_answers_its_question(void **state)
{
    (void)state;
    auto_free char *text = fs_read(QUESTIONS, 1 << 20, NULL, NULL);
    assert_non_null(text);
    int asked = 0, wrong = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        if (*line == '\0' || *line == '#') {
            continue;
        }
        auto_free char *shown = str_dup(line);
        char *fields[FIELDS];
        for (int i = 0; i < FIELDS; i++) {
            fields[i] = strsep(&line, "|");
            assert_non_null(fields[i]);
        }
        asked++;
        if (!ask(fields)) {
            print_message("not so: %s\n", shown);
            wrong++;
        }
    }
    assert_true(asked > 400);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_answers_its_question),
    };
    return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
