// The judges are asked in the order of how sure they can be: a file that hides a module, a variable
// that is not set, a known break of a package or of Python, a module that nobody has, and last of
// all the package in whose import it happens. The last exception of a chain is asked first, for it
// is what ended the start; the earlier ones only by the tables.
#include "emulator/blame/blame.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "emulator/blame/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/utf8.h"

static bool ask(const struct blame_facts *facts, const struct trace *trace, judge_fn *const *judges,
                size_t count, struct blame_cause *cause)
{
    struct scene scene = {.facts = facts, .trace = trace};
    symptom_read(trace, &scene.symptom);
    for (size_t i = 0; i < count; i++) {
        if (judges[i](&scene, cause)) {
            return true;
        }
    }
    return false;
}

static bool judge_chain(const struct blame_facts *facts, const struct trace_chain *chain,
                        struct blame_cause *cause)
{
    static judge_fn *const all[] = {judge_hiding,  judge_variable, judge_bound,   judge_standard,
                                    judge_six,     judge_unbuilt,  judge_offline, judge_syntax,
                                    judge_missing, judge_lacking,  judge_database};
    static judge_fn *const tables[] = {judge_hiding, judge_bound, judge_standard, judge_offline,
                                       judge_database};
    static judge_fn *const last[] = {judge_inside};
    const struct trace *final = &chain->items[chain->count - 1];
    if (ask(facts, final, all, ARRAY_LEN(all), cause)) {
        return true;
    }
    for (size_t i = chain->count - 1; i > 0; i--) {
        if (ask(facts, &chain->items[i - 1], tables, ARRAY_LEN(tables), cause)) {
            return true;
        }
    }
    return ask(facts, final, last, ARRAY_LEN(last), cause);
}

static void make_valid(char **text)
{
    char *valid = *text ? utf8_valid(*text, strlen(*text)) : NULL;
    free(*text);
    *text = valid;
}

bool blame_text(const struct blame_facts *facts, const char *text, size_t len,
                struct blame_cause *ret_cause)
{
    struct trace_chain chain;
    struct blame_cause cause = {0};
    bool found = trace_parse(text, len, &chain) ? judge_chain(facts, &chain, &cause)
                                                : judge_lines(text, len, &cause);
    if (found) {
        make_valid(&cause.text);
        make_valid(&cause.mend);
        *ret_cause = cause;
    }
    return found;
}

bool blame_signal(const struct blame_facts *facts, int number, struct blame_cause *ret_cause)
{
    struct known_crash crash;
    if ((number != SIGSEGV && number != SIGABRT && number != SIGBUS) ||
        !known_crash(facts->packages, &crash)) {
        return false;
    }
    phrase_crash(facts->packages, &crash, ret_cause);
    return true;
}

void blame_cause_release(struct blame_cause *cause)
{
    free(cause->text);
    free(cause->mend);
    *cause = (struct blame_cause){0};
}
