// From tracebacks to causes: tests/golden/blame/*.txt, one case a file. GENERATE=1 writes their
// answers anew. The same cases, mutated, must not harm anything.
//
//   # python 3.8.18
//   # package Flask 1.0.4 | flask | Jinja2 (>=2.10) & click
//   # require requirements.txt:2 flask==1.0.4
//   # file email.py                    in the project's root
//   # signal 11                        what it died of, if nothing is said
//   Traceback (most recent call last):
//   ...
//   ====
//   rule P-300
//   text ...
//   mend ...
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>

#include "emulator/blame/blame.h"
#include "emulator/blame/known.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/json.h"

#define CASES    TESTS_DIR "/golden/blame"
#define BOUNDARY "====\n"
#define APP_ROOT "/home/leanengine/app"

static const char *const standard[] = {"asyncio", "code", "collections", "email",
                                       "inspect", "json", "logging",     "queue",
                                       "random",  "ssl",  "string"};

struct scene {
    struct packages packages;
    struct strlist names;
    char *python;
    int signal;
    const char *text;
    size_t text_len;
};

// ---- reading a case ----

// "Flask 1.0.4 | flask | Jinja2 (>=2.10) & click"
static void take_package(struct cJSON *list, char *line)
{
    struct strlist modules = {0};
    struct strlist requires = {0};
    char *rest = line;
    char *head = strsep(&rest, "|");
    char *middle = rest ? strsep(&rest, "|") : NULL;
    struct cJSON *package = json_new_object();
    char *name = strtok(head, " ");
    json_put_string(package, "name", name);
    json_put_string(package, "version", strtok(NULL, " "));
    for (char *word = middle ? strtok(middle, " ,") : NULL; word; word = strtok(NULL, " ,")) {
        strlist_add(&modules, word);
    }
    for (char *wish = rest ? strtok(rest, "&") : NULL; wish; wish = strtok(NULL, "&")) {
        wish += strspn(wish, " ");
        wish[strlen(wish) - (str_ends_with(wish, " ") ? 1 : 0)] = '\0';
        strlist_add(&requires, wish);
    }
    json_put_strings(package, "modules", &modules);
    json_put_strings(package, "requires", &requires);
    json_push(list, package);
    strlist_clear(&modules);
    strlist_clear(&requires);
}

// "requirements.txt:2 flask==1.0.4"
static void take_requirement(struct cJSON *list, char *line)
{
    struct cJSON *requirement = json_new_object();
    char *file = strsep(&line, ":");
    char *number = strsep(&line, " ");
    auto_free char *name = str_dup_len(line, requirement_name(line).len);
    json_put_string(requirement, "name", name);
    json_put_string(requirement, "text", line);
    json_put_string(requirement, "file", file);
    json_put_int(requirement, "line", atoi(number));
    json_push(list, requirement);
}

static char *facts_json(struct scene *scene, const char *text)
{
    struct cJSON *tree = json_new_object();
    struct cJSON *packages = json_new_array();
    struct cJSON *requirements = json_new_array();
    struct strlist own = {0};
    while (str_starts_with(text, "# ")) {
        auto_free char *line = str_dup_len(text + 2, strcspn(text + 2, "\n"));
        char *value = line;
        char *word = strsep(&value, " ");
        if (strcmp(word, "python") == 0) {
            str_replace(&scene->python, value);
        } else if (strcmp(word, "package") == 0) {
            take_package(packages, value);
        } else if (strcmp(word, "require") == 0) {
            take_requirement(requirements, value);
        } else if (strcmp(word, "file") == 0) {
            strlist_add(&scene->names, value);
        } else if (strcmp(word, "signal") == 0) {
            scene->signal = atoi(value);
        }
        text += strcspn(text, "\n") + 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(standard); i++) {
        strlist_add(&own, standard[i]);
    }
    scene->text = text;
    const char *end = strstr(text, BOUNDARY);
    scene->text_len = end ? (size_t)(end - text) : strlen(text);
    json_put_string(tree, "python", scene->python);
    json_put_tree(tree, "packages", packages);
    json_put_tree(tree, "requirements", requirements);
    json_put_strings(tree, "standard", &own);
    strlist_clear(&own);
    char *printed = json_print(tree);
    json_free(tree);
    return printed;
}

static void scene_release(struct scene *scene)
{
    packages_release(&scene->packages);
    strlist_clear(&scene->names);
    free(scene->python);
}

static char *answer(const struct scene *scene, const char *text, size_t len)
{
    const struct blame_facts facts = {.packages = &scene->packages,
                                      .python = scene->python,
                                      .app_root = APP_ROOT,
                                      .names = &scene->names};
    struct blame_cause cause = {0};
    bool found = blame_text(&facts, text, len, &cause) ||
                 (scene->signal && blame_signal(&facts, scene->signal, &cause));
    char *printed = found ? str_printf("rule %s\ntext %s\nmend %s\n", cause.rule ? cause.rule : "-",
                                       cause.text, cause.mend)
                          : str_dup("nothing\n");
    blame_cause_release(&cause);
    return printed;
}

// ---- the cases ----

static void list_cases(struct strlist *ret_paths)
{
    struct dirent **entries = NULL;
    int count = scandir(CASES, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (str_ends_with(entries[i]->d_name, ".txt")) {
            strlist_take(ret_paths, fs_join(CASES, entries[i]->d_name));
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(ret_paths->count >= 60);
}

static char *open_case(const char *path, struct scene *scene)
{
    char *text = fs_read(path, 1 << 20, NULL, NULL);
    assert_non_null(text);
    auto_free char *json = facts_json(scene, text);
    assert_int_equal(packages_parse(json, strlen(json), &scene->packages, NULL), 0);
    return text;
}

static void test_golden(void **state)
{
    (void)state;
    struct strlist paths = {0};
    int wrong = 0;
    list_cases(&paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct scene scene = {.signal = 0};
        auto_free char *text = open_case(paths.items[i], &scene);
        auto_free char *got = answer(&scene, scene.text, scene.text_len);
        const char *boundary = strstr(text, BOUNDARY);
        const char *expected = boundary ? boundary + strlen(BOUNDARY) : "";
        if (strcmp(got, expected) != 0 && getenv("GENERATE")) {
            size_t head = boundary ? (size_t)(boundary - text) : strlen(text);
            auto_free char *whole = str_printf("%.*s%s%s", (int)head, text, BOUNDARY, got);
            assert_int_equal(fs_write_atomic(paths.items[i], whole, strlen(whole), 0644, NULL), 0);
        } else if (strcmp(got, expected) != 0) {
            print_message("%s\n  expected %s  got %s", paths.items[i], expected, got);
            wrong++;
        }
        scene_release(&scene);
    }
    strlist_clear(&paths);
    assert_int_equal(wrong, 0);
}

// ---- what nobody wrote ----

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void mutate(char *bytes, size_t *len, uint32_t *seed)
{
    static const char spice[] = "\n'\"()., :;<=/\\\x01\xff"
                                "FTM";
    for (uint32_t i = next_random(seed) % 8 + 1; i > 0 && *len > 1; i--) {
        size_t at = next_random(seed) % *len;
        switch (next_random(seed) % 4) {
        case 0:
            bytes[at] = spice[next_random(seed) % (sizeof spice - 1)];
            break;
        case 1:
            bytes[at] = (char)next_random(seed);
            break;
        case 2: // a piece goes
            memmove(bytes + at, bytes + at + 1, *len - at - 1);
            *len -= 1;
            break;
        default: // the end goes
            *len = next_random(seed) % 16 ? *len : at;
        }
    }
}

static void test_mutated_words(void **state)
{
    (void)state;
    struct strlist paths = {0};
    uint32_t seed = 20210902;
    list_cases(&paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct scene scene = {.signal = 0};
        auto_free char *text = open_case(paths.items[i], &scene);
        (void)text; // the scene points into it
        for (int round = 0; round < 200; round++) {
            size_t len = scene.text_len;
            // Exactly as large as the text: reading past its end is seen.
            char *bytes = mem_alloc(len ? len : 1);
            memcpy(bytes, scene.text, len);
            mutate(bytes, &len, &seed);
            char *exact = mem_alloc(len ? len : 1);
            memcpy(exact, bytes, len);
            free(answer(&scene, exact, len));
            free(exact);
            free(bytes);
        }
        scene_release(&scene);
    }
    strlist_clear(&paths);
}

static void test_mutated_facts(void **state)
{
    (void)state;
    struct strlist paths = {0};
    uint32_t seed = 53;
    int parsed = 0;
    list_cases(&paths);
    for (size_t i = 0; i < paths.count; i++) {
        struct scene scene = {.signal = 0};
        auto_free char *text = open_case(paths.items[i], &scene);
        auto_free char *json = facts_json(&scene, text);
        for (int round = 0; round < 50; round++) {
            size_t len = strlen(json);
            char *bytes = mem_alloc(len);
            memcpy(bytes, json, len);
            mutate(bytes, &len, &seed);
            packages_release(&scene.packages);
            parsed += packages_parse(bytes, len, &scene.packages, NULL) == 0;
            free(answer(&scene, scene.text, scene.text_len));
            free(bytes);
        }
        scene_release(&scene);
    }
    assert_true(parsed > 0);
    strlist_clear(&paths);
}

// ---- pieces ----

static void test_versions(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int sign;
    } rows[] = {
        {"1.0", "1.0", 0},    {"1.0", "1.0.0", 0}, {"2.1", "2.1.1", -1}, {"3.10.1", "3.9", 1},
        {"3.0rc1", "3.0", 0}, {"", "1", -1},       {"x", "y", 0},        {"22.10.2", "21.1.0", 1},
        {"1!2", "2", -1},     {"1..2", "1.2", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int got = version_compare(rows[i].a, rows[i].b);
        int back = version_compare(rows[i].b, rows[i].a);
        if ((got > 0) - (got < 0) != rows[i].sign || (back > 0) - (back < 0) != -rows[i].sign) {
            fail_msg("%s and %s: %d, %d", rows[i].a, rows[i].b, got, back);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_true(package_name_equal(slice_of("Flask_SQLAlchemy"), "flask-sqlalchemy"));
    assert_true(package_name_equal(slice_of("ruamel.yaml"), "Ruamel-YAML"));
    assert_false(package_name_equal(slice_of("flask"), "flask2"));
    assert_false(package_name_equal(slice_of(""), ""));
    assert_int_equal(requirement_name("flask[async]>=1.0").len, 5);
    assert_int_equal(requirement_name("-e .").len, 0);
    assert_true(requirement_is_pinned("flask == 1.0"));
    assert_false(requirement_is_pinned("flask>=1; python_version == '2.7'"));
    assert_false(requirement_is_pinned("flask # == 1"));
}

static void test_modules_of_packages(void **state)
{
    (void)state;
    assert_string_equal(known_package_of("yaml"), "PyYAML");
    assert_string_equal(known_package_of("google.cloud.storage.blob"), "google-cloud-storage");
    assert_string_equal(known_package_of("winreg"), "");
    assert_null(known_package_of("requests"));
    assert_null(known_package_of("yamlx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_mutated_words),
        cmocka_unit_test(test_mutated_facts), cmocka_unit_test(test_versions),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_modules_of_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
