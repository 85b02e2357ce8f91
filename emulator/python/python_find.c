// The choice, in this order: what the file names, exactly; its newest stable match; the nearest
// patch of the same minor; else an error that says how to get it. A candidate's directory says its
// version, so only the one that wins is asked (and those of PATH, which do not say).

#include "emulator/python/python.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/formats/python_version.h"
#include "emulator/python/candidates.h"
#include "emulator/python/definitions.h"
#include "emulator/python/facts.h"
#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/log.h"

// P-42, for hosts without pyenv's list. The row to change when a minor comes out.
static const struct {
    const char *version;
    const char *since;
} newest_stable = {"3.14", "2025-10-07"};

#define LEGACY_VERSION "2.7" // P-42
#define NONE           ((size_t)-1)

enum state { UNASKED, GOOD, BAD };

struct search {
    const struct python_options *options;
    const char *cache_dir;
    struct diagnostics *diagnostics;
    struct python_candidates candidates;
    struct python_facts *facts; // one a candidate
    enum state *states;
    int pip_requires; // of the one that was taken
    struct python_offer offer;
    bool unreadable; // pyenv knows it, but root's app could not read it (for_others)
};

static void report_hanging(struct search *search, const char *path, const struct error *error)
{
    if (error->errnum == ETIMEDOUT) {
        diagnostics_add(search->diagnostics, DIAGNOSTIC_WARNING, NULL, 0, 0, NULL, NULL,
                        _("%s gave no answer in 20 s and is left out"), path);
    }
}

static bool ask(struct search *search, size_t index)
{
    if (search->states[index] == UNASKED) {
        struct error error = {0};
        const char *path = search->candidates.items[index].executable;
        struct python_facts *facts = &search->facts[index];
        bool good =
            python_facts_read(path, search->options->env, search->cache_dir, facts, &error) == 0;
        if (!good) {
            log_debug("python: %s: %s", path, error.message);
            report_hanging(search, path, &error);
        } else if (!facts->is_cpython || facts->in_environment) {
            good = false;
        }
        search->states[index] = good ? GOOD : BAD;
    }
    return search->states[index] == GOOD;
}

// A directory's name is believed when it is a whole version, and says enough when it is that of no
// stable release: "3.13.0rc1", "3.13.0t", "3.14-dev" (P-51). Others ("3.12", a link) must be asked.
static bool name_says(const char *name, bool *ret_stable)
{
    int numbers[3];
    *ret_stable = python_version_numbers(name, numbers);
    if (*ret_stable) {
        return numbers[2] >= 0;
    }
    const char *rest = name + strspn(name, "0123456789.");
    auto_free char *plain = python_version_without_threads(name);
    return plain || strspn(rest, "abrc") > 0 || str_ends_with(name, "-dev");
}

// NULL: not a usable stable interpreter.
static const char *stable_version(struct search *search, size_t index)
{
    bool stable;
    const char *name = search->candidates.items[index].name;
    if (search->states[index] == UNASKED && name && name_says(name, &stable)) {
        return stable ? name : NULL;
    }
    bool usable = ask(search, index) && search->facts[index].is_final;
    return usable ? search->facts[index].python.version : NULL;
}

// prefix NULL: any.
static size_t newest_match(struct search *search, const char *prefix)
{
    for (;;) {
        size_t best = NONE;
        for (size_t i = 0; i < search->candidates.count; i++) {
            const char *version = stable_version(search, i);
            if (!version || (prefix && !python_version_has_prefix(version, prefix))) {
                continue;
            }
            if (best == NONE || python_version_compare(version, stable_version(search, best)) > 0) {
                best = i;
            }
        }
        if (best == NONE || (ask(search, best) && search->facts[best].is_final)) {
            return best;
        }
        // It did not work or is not what its directory says; it is not asked again.
        search->states[best] = BAD;
    }
}

// "3.13.0rc1", "3.14-dev": only the directory of that very name (P-51).
static size_t exact_match(struct search *search, const char *name)
{
    for (size_t i = 0; i < search->candidates.count; i++) {
        if (str_equal(search->candidates.items[i].name, name) && ask(search, i)) {
            return i;
        }
    }
    return NONE;
}

// "3.13t": the newest of the directories that say so.
static size_t newest_threads(struct search *search, const char *prefix)
{
    size_t best = NONE;
    for (size_t i = 0; i < search->candidates.count; i++) {
        const char *name = search->candidates.items[i].name;
        if (name && python_version_has_prefix(name, prefix) && ask(search, i) &&
            (best == NONE ||
             python_version_compare(name, search->candidates.items[best].name) > 0)) {
            best = i;
        }
    }
    return best;
}

static size_t match(struct search *search, const char *wanted)
{
    int numbers[3];
    size_t found = exact_match(search, wanted);
    if (found != NONE) {
        return found;
    }
    auto_free char *threads = python_version_without_threads(wanted);
    if (threads) {
        return newest_threads(search, wanted);
    }
    return python_version_numbers(wanted, numbers) ? newest_match(search, wanted) : NONE;
}

// The same minor, the patch that is nearest, the higher one of two.
static size_t nearest_patch(struct search *search, const char *wanted)
{
    int numbers[3];
    if (!python_version_numbers(wanted, numbers) || numbers[2] < 0) {
        return NONE;
    }
    auto_free char *minor = str_printf("%d.%d", numbers[0], numbers[1]);
    size_t best = NONE;
    int best_away = 0;
    for (size_t i = 0; i < search->candidates.count; i++) {
        const char *version = stable_version(search, i);
        int found[3];
        if (!version || !python_version_has_prefix(version, minor) ||
            !python_version_numbers(version, found) || !ask(search, i)) {
            continue;
        }
        int away = 2 * abs(found[2] - numbers[2]) - (found[2] > numbers[2]);
        if (best == NONE || away < best_away) {
            best = i;
            best_away = away;
        }
    }
    return best;
}

// ---- what to say ----

// What pyenv would make of the wanted version, with the command for it.
static void make_offer(struct search *search, const char *wanted)
{
    const struct python_candidates *candidates = &search->candidates;
    auto_free char *version =
        definitions_resolve(candidates->pyenv_program, search->options->env, wanted);
    // What the app could not read anyway is not worth making.
    search->unreadable =
        version && search->options->for_others && !fs_is_open_to_all(candidates->pyenv_root);
    if (version && !search->unreadable && !search->offer.version) {
        search->offer = (struct python_offer){.version = steal(version),
                                              .root = str_dup(candidates->pyenv_root),
                                              .program = str_dup(candidates->pyenv_program)};
    }
}

static char *install_hint(const struct search *search, const char *wanted)
{
    if (search->offer.version) {
        return str_printf(_("pyenv install %s; or let leanlocal do it: --install-python, i on the "
                            "screen"),
                          search->offer.version);
    }
    if (search->unreadable) {
        return str_printf(_("install Python %s where every user can read it, with PYENV_ROOT below "
                            "/opt for example"),
                          wanted);
    }
    if (search->candidates.pyenv_program) {
        return str_printf(_("this pyenv does not know it; update pyenv, then: pyenv install %s"),
                          wanted);
    }
    return str_printf(_("get pyenv (git clone https://github.com/pyenv/pyenv ~/.pyenv), then: "
                        "~/.pyenv/bin/pyenv install %s"),
                      wanted);
}

static int newer_first(const void *a, const void *b)
{
    return python_version_compare(*(char *const *)b, *(char *const *)a);
}

static char *known_versions(struct search *search)
{
    struct strlist known = {0};
    for (size_t i = 0; i < search->candidates.count; i++) {
        const char *version = stable_version(search, i);
        if (version && !strlist_contains(&known, version)) {
            strlist_add(&known, version);
        }
    }
    if (known.count) {
        qsort(known.items, known.count, sizeof known.items[0], newer_first);
    }
    struct buf text = {0};
    for (size_t i = 0; i < known.count; i++) {
        buf_addf(&text, "%s%s", i ? ", " : "", known.items[i]);
    }
    strlist_clear(&known);
    return text.len ? buf_steal(&text) : str_dup("");
}

static int fail_missing(struct search *search, const struct python_wanted *wanted,
                        struct error *error)
{
    auto_free char *known = known_versions(search);
    make_offer(search, wanted->text);
    auto_free char *hint = install_hint(search, wanted->text);
    auto_free char *place =
        wanted->line ? str_printf("%s:%d: ", PYTHON_VERSION_NAME, wanted->line) : str_dup("");
    error_set(error, ERROR_HOST, _("%sPython %s is not installed here (found: %s)"), place,
              wanted->text, *known ? known : _("none"));
    error_set_rule(error, "P-40", NULL);
    return error_set_hint(error, "%s", hint);
}

static void report_other(struct search *search, const struct python_wanted *wanted,
                         const char *version)
{
    make_offer(search, wanted->text);
    auto_free char *hint = install_hint(search, wanted->text);
    diagnostics_add(search->diagnostics, DIAGNOSTIC_DEVIATION, PYTHON_VERSION_NAME, wanted->line, 1,
                    "P-40", hint, _("Python %s is not installed here; %s takes its place"),
                    wanted->text, version);
}

// Of "3.14" in "3.14.2".
static size_t minor_len(const char *version)
{
    const char *point = strchr(version, '.');
    return point ? (size_t)(point - version) + 1 + strspn(point + 1, "0123456789")
                 : strlen(version);
}

// P-42: the cloud takes the newest stable one. file_line 0: there is no file.
static void report_older(struct search *search, const struct python *python, int file_line)
{
    const struct python_candidates *candidates = &search->candidates;
    auto_free char *listed =
        definitions_resolve(candidates->pyenv_program, search->options->env, "3");
    const char *newest = newest_stable.version;
    auto_free char *own = str_printf("%d.%d", python->major, python->minor);
    auto_free char *minor = listed ? str_dup_len(listed, minor_len(listed)) : NULL;
    if (minor && python_version_compare(minor, newest) > 0) {
        newest = minor;
    }
    if (python_version_compare(own, newest) >= 0) {
        return;
    }
    make_offer(search, newest);
    auto_free char *install = install_hint(search, newest);
    auto_free char *hint = str_printf(_("write %s into .python-version, or: %s"), own, install);
    diagnostics_add(search->diagnostics, DIAGNOSTIC_DEVIATION,
                    file_line ? PYTHON_VERSION_NAME : NULL, file_line, file_line ? 1 : 0, "P-42",
                    hint,
                    file_line ? _("Python %s is the newest here; the cloud takes the newest stable "
                                  "one, %s or later")
                              : _("no .python-version: Python %s is the newest here, the cloud "
                                  "takes the newest stable one, %s or later"),
                    python->version, newest);
}

// ---- pip ----

// P-309. An old pip does not start on a newer Python; a new one refuses an older Python.
static bool pip_suits(const struct python_facts *lender, const struct python *python)
{
    static const struct {
        int python;
        const char *pip;
    } lowest[] = {{312, "23.1.2"}, {310, "21.2"}, {0, "9.0"}};
    int wanted = python->major * 100 + python->minor;
    if (!lender->python.pip_version || lender->pip_requires == 0 || lender->pip_requires > wanted ||
        (wanted < 300 && lender->pip_requires >= 300)) {
        return false;
    }
    size_t row = 0;
    while (wanted < lowest[row].python) {
        row++;
    }
    return python_version_compare(lender->python.pip_version, lowest[row].pip) >= 0;
}

// Its own package always does; a wheel of the distribution may be made for another Python.
static bool has_pip(const struct python *python, int requires)
{
    const struct python_facts own = {.python = *python, .pip_requires = requires};
    return python->pip_dir || (python->pip_wheel && pip_suits(&own, python));
}

static void borrow_pip(struct search *search, struct python *python)
{
    str_replace(&python->pip_wheel, NULL);
    str_replace(&python->pip_version, NULL);
    const struct python *best = NULL;
    for (size_t i = 0; i < search->candidates.count; i++) {
        const struct python_facts *facts = &search->facts[i];
        if (!ask(search, i) || !pip_suits(facts, python)) {
            continue;
        }
        if (!best || python_version_compare(facts->python.pip_version, best->pip_version) > 0) {
            best = &facts->python;
        }
    }
    if (best) {
        str_replace(&python->pip_dir, best->pip_dir);
        str_replace(&python->pip_wheel, best->pip_wheel);
        str_replace(&python->pip_version, best->pip_version);
    }
}

// ---- the search ----

static int read_file(const struct python_options *options, struct python_version *ret_version,
                     struct diagnostics *diagnostics, struct error *error)
{
    if (!options->version_file) {
        return 0;
    }
    size_t len = 0;
    struct error reading = {0};
    auto_free char *text = fs_read(options->version_file, 1 << 20, &len, &reading);
    if (text) {
        return python_version_parse(text, len, ret_version, diagnostics, error);
    }
    error_set_errno(error, ERROR_PROJECT, reading.errnum, _("%s cannot be read"),
                    PYTHON_VERSION_NAME);
    return error_set_hint(error, _("it must be a file of one line, such as 3.11"));
}

static size_t find_wanted(struct search *search, const struct python_version *file)
{
    const struct python_wanted *first = &file->items[0];
    for (size_t i = 0; i < file->count; i++) {
        size_t found = match(search, file->items[i].text);
        if (found != NONE) {
            if (i > 0) {
                report_other(search, first, search->facts[found].python.version);
            }
            return found;
        }
    }
    size_t found = nearest_patch(search, first->text);
    if (found != NONE) {
        report_other(search, first, search->facts[found].python.version);
    }
    return found;
}

static void take(struct search *search, size_t index, struct python *ret_python)
{
    *ret_python = search->facts[index].python;
    search->pip_requires = search->facts[index].pip_requires;
    search->facts[index].python = (struct python){0};
    search->states[index] = BAD;
    str_replace(&ret_python->source, search->candidates.items[index].source);
}

static int find(struct search *search, struct python *ret_python, struct error *error)
{
    struct python_version file = {0};
    if (read_file(search->options, &file, search->diagnostics, error) < 0) {
        return -1;
    }
    struct python_wanted legacy = {.text = (char *)(uintptr_t)LEGACY_VERSION};
    const struct python_wanted *wanted = file.count ? &file.items[0] : NULL;
    if (!wanted && search->options->legacy_default) {
        wanted = &legacy;
    }
    size_t found;
    if (file.count) {
        found = find_wanted(search, &file);
    } else {
        found = newest_match(search, wanted ? wanted->text : NULL);
    }
    int result = 0;
    if (found == NONE) {
        struct python_wanted any = {.text = (char *)(uintptr_t)newest_stable.version};
        result = fail_missing(search, wanted ? wanted : &any, error);
    } else {
        take(search, found, ret_python);
        ret_python->from_file = file.count > 0;
        bool open = !wanted || str_equal(wanted->text, "3"); // which means the newest stable too
        if (open) {
            report_older(search, ret_python, wanted ? wanted->line : 0);
        }
    }
    python_version_release(&file);
    return result;
}

// Root's app without mounts: what lies below a home of mode 0700 is there for root alone.
static void leave_out_closed(struct search *search)
{
    const char *first = NULL;
    for (size_t i = 0; i < search->candidates.count; i++) {
        const char *path = search->candidates.items[i].executable;
        if (!fs_is_open_to_all(path)) {
            search->states[i] = BAD;
            first = first ? first : path;
        }
    }
    if (first) {
        diagnostics_add(search->diagnostics, DIAGNOSTIC_DEVIATION, NULL, 0, 0, NULL, NULL,
                        _("the app, which does not run as root, cannot read %s: Pythons there are "
                          "left out on this host"),
                        first);
    }
}

int python_find(const struct python_options *options, const char *cache_dir,
                struct python *ret_python, struct python_offer *ret_offer,
                struct diagnostics *diagnostics, struct error *error)
{
    struct search search = {.options = options, .cache_dir = cache_dir, .diagnostics = diagnostics};
    python_candidates_find(options->env, &search.candidates);
    search.facts = mem_alloc(search.candidates.count * sizeof *search.facts);
    search.states = mem_alloc(search.candidates.count * sizeof *search.states);
    if (options->for_others) {
        leave_out_closed(&search);
    }
    struct python python = {0};
    int result = find(&search, &python, error);
    if (result == 0) {
        if (!has_pip(&python, search.pip_requires)) {
            borrow_pip(&search, &python);
        }
        *ret_python = python;
    }
    *ret_offer = search.offer;
    for (size_t i = 0; i < search.candidates.count; i++) {
        python_facts_release(&search.facts[i]);
    }
    free(search.facts);
    free(search.states);
    python_candidates_release(&search.candidates);
    return result;
}
