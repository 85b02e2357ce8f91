// What a save means (DESIGN 4): by path, by key of leanengine.yaml, and inside a build root.
#include "tests/unit/unit.h"

#include "emulator/formats/yaml_differ.h"
#include "emulator/project/save.h"

static void make_project(struct project *project, const char *sub, const char *yaml_name,
                         const char *yaml)
{
    *project = (struct project){
        .dir = str_dup("/p"), .build_sub = str_dup(sub), .yaml_name = str_dup(yaml_name)};
    assert_int_equal(leanengine_yaml_parse(yaml, strlen(yaml), &project->yaml, NULL, NULL), 0);
}

#define INSTALL "install:\n  - require: [wheels, ./setup.py, a//b.txt]\n  - use: default\n"

static const struct {
    const char *sub, *yaml_name, *yaml, *path, *effect;
    int line;
} rows[] = {
    {"", "leanengine.yaml", "", "app.py", "reload", 0},
    {"", "leanengine.yaml", "", "requirements.txt", "install", 0},
    {"", "leanengine.yaml", "", "sub/requirements.txt", "reload", 0},
    {"", "leanengine.yaml", "", ".python-version", "python", 0},
    {"", "leanengine.yaml", "", "leanengine.yaml", "yaml", 0},
    {"", "leanengine.yaml", "", "sub/leanengine.yaml", "reload", 0},
    {"", "leanengine.yaml", "", ".leanignore", "reload", 0},
    {"", "leanengine.yaml", "", ".env", "instance", 0},
    {"", "leanengine.yaml", "", "sub/.env", "reload", 0},
    {"", "leanengine.yaml", "", "more.env", "instance", 0},
    {"", "leanengine.yaml", "exposeEnvironmentsOnBuild: true\n", ".env", "install", 0},
    {"", "leanengine.yaml", "exposeEnvironmentsOnBuild: true\n", "more.env", "install", 0},
    // P-23: required files and what lies in required directories
    {"", "leanengine.yaml", INSTALL, "setup.py", "install", 2},
    {"", "leanengine.yaml", INSTALL, "a/b.txt", "install", 2},
    {"", "leanengine.yaml", INSTALL, "wheels/x.whl", "install", 2},
    {"", "leanengine.yaml", INSTALL, "wheels2/x.whl", "reload", 0},
    {"", "leanengine.yaml", "install:\n  - require: [.]\n", "any/thing.py", "install", 2},
    // P-11: a build root
    {"server", "leanengine.yaml", "", "server/requirements.txt", "install", 0},
    {"server", "leanengine.yaml", "", "requirements.txt", "nothing", 0},
    {"server", "leanengine.yaml", "", "servers/app.py", "nothing", 0},
    {"server", "leanengine.yaml", "", "server/app.py", "reload", 0},
    {"server", "leanengine.yaml", "", "server/.env", "instance", 0},
    {"server", "leanengine.yaml", "", ".env", "nothing", 0},
    {"server", "leanengine.yaml", "", "leanengine.yaml", "yaml", 0},
    {"server", "leanengine.yaml", "", "server/leanengine.yaml", "reload", 0},
    {"server", "leanengine.yaml", "install:\n  - require: [x]\n", "server/x", "install", 2},
    // leanlocal's own options: in the project's directory, wherever the build root is
    {"", "leanengine.yaml", "", ".leanlocal.yaml", "restart", 0},
    {"server", "leanengine.yaml", "", ".leanlocal.yaml", "restart", 0},
    // P-12: named by an option
    {"server", "server/leanengine.yaml", "", "server/leanengine.yaml", "yaml", 0},
    {"server", "server/leanengine.yaml", "", "leanengine.yaml", "nothing", 0},
};

static void rows_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct project project;
        make_project(&project, rows[i].sub, rows[i].yaml_name, rows[i].yaml);
        struct save save = save_judge(&project, "more.env", rows[i].path);
        if (strcmp(save_effect_name(save.effect), rows[i].effect) != 0 ||
            save.line != rows[i].line) {
            fail_msg("%s in \"%s\": %s, line %d", rows[i].path, rows[i].sub,
                     save_effect_name(save.effect), save.line);
        }
        project_release(&project);
    }
}

static const struct {
    const char *before, *after, *key; // NULL: no difference
} pairs[] = {
    {"", "# words\n", NULL},
    {"run: a\n", "\n\nrun: 'a'\n", NULL},
    {"run: a\n", "run: b\n", "run"},
    {"", "startupTimeout: 60\n", "startupTimeout"},
    {"", "functionsMode: strict\n", "functionsMode"},
    {"build: a\n", "build: [a]\n", NULL},
    {"build: a\n", "build: [a, b]\n", "build"},
    {"build: a\n", "", "build"},
    {"install: [{require: [a]}]\n", "install: [{require: [b]}]\n", "install"},
    {"install: pip\n", "install: [{use: default}]\n", "install"},
    {"", "systemDependencies: [ffmpeg]\n", "systemDependencies"},
    {"", "exposeEnvironmentsOnBuild: true\n", "exposeEnvironmentsOnBuild"},
    {"", "buildRoot: server\n", "buildRoot"},
    {"", "installDevDependencies: true\n", NULL},
    // the earliest stage counts
    {"", "run: a\nbuild: b\ninstall: pip c\n", "install"},
    {"run: a\nbuild: b\n", "run: x\nbuild: y\n", "build"},
};

static void differences_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct leanengine_yaml before, after;
        const char *texts[] = {pairs[i].before, pairs[i].after};
        assert_int_equal(leanengine_yaml_parse(texts[0], strlen(texts[0]), &before, NULL, NULL), 0);
        assert_int_equal(leanengine_yaml_parse(texts[1], strlen(texts[1]), &after, NULL, NULL), 0);
        const struct leanengine_yaml_key *key = yaml_differ(&before, &after);
        if (!str_equal(key ? key->name : NULL, pairs[i].key)) {
            fail_msg("\"%s\" to \"%s\": %s", texts[0], texts[1], key ? key->name : "the same");
        }
        leanengine_yaml_release(&before);
        leanengine_yaml_release(&after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_judged),
        cmocka_unit_test(differences_are_found),
    };
    return cmocka_run_group_tests_name("save", tests, NULL, NULL);
}
