#include "emulator/health/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "emulator/limits/texts.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"

// ---- the platform's ----

// What Node.js, in which the platform's manager is written (P-108), calls it; %s is the address.
static const struct {
    int errnum;
    const char *name;
} causes[] = {
    {ECONNREFUSED, "connect ECONNREFUSED"}, {ECONNRESET, "read ECONNRESET"},
    {ETIMEDOUT, "connect ETIMEDOUT"},       {EHOSTUNREACH, "connect EHOSTUNREACH"},
    {ENETUNREACH, "connect ENETUNREACH"},
};

static const char *cause_of(const struct health_probe_result *result)
{
    if (!result) {
        return causes[0].name;
    }
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        if (result->errnum == causes[i].errnum) {
            return causes[i].name;
        }
    }
    return result->is_timeout ? "ETIMEDOUT" : "socket hang up";
}

static bool names_the_address(const char *cause)
{
    return str_starts_with(cause, "connect ");
}

char *health_words_no_port(const struct health_probe_result *result, int startup_timeout_s)
{
    return str_printf(TEXT_START_NO_PORT, cause_of(result), startup_timeout_s);
}

char *health_words_bad_answer(const struct health_probe_result *result)
{
    return str_printf(TEXT_START_BAD_STATUS, result->path, result->status, result->body);
}

char *health_words_later(const char *instance, const struct health_probe_result *result,
                         const char *where)
{
    if (result && result->status > 0) {
        return str_printf(TEXT_PERIODIC_BAD_STATUS, instance, result->path, result->status);
    }
    const char *cause = cause_of(result);
    return names_the_address(cause) ? str_printf(TEXT_PERIODIC_FAILED " %s", instance, cause, where)
                                    : str_printf(TEXT_PERIODIC_FAILED, instance, cause);
}

const struct health_probe_result *health_words_culprit(const struct health_round *round,
                                                       bool strict)
{
    return strict ? &round->ping : &round->home;
}

// ---- ours ----

char *health_words_answer(const struct health_probe_result *result)
{
    if (result->status == 0) {
        return str_printf(_("%s gives no answer: %s"), result->path, result->failure);
    }
    if (*result->location) {
        return str_printf(_("%s redirects: %d to %s"), result->path, result->status,
                          result->location);
    }
    return *result->body
               ? str_printf(_("%s answers %d: %s"), result->path, result->status, result->body)
               : str_printf(_("%s answers %d"), result->path, result->status);
}

static bool is_to_https(const struct health_probe_result *result)
{
    return result->status >= 300 && result->status <= 399 &&
           str_starts_with(result->location, "https://");
}

bool health_redirects_to_https(const struct health_round *round)
{
    return is_to_https(&round->ping) && is_to_https(&round->home);
}

static char *describe_signal(int number, const char *format)
{
    const char *name = sigabbrev_np(number);
    const char *meaning = sigdescr_np(number);
    auto_free char *known = name ? str_printf("SIG%s", name) : str_printf("%d", number);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return str_printf(format, known, meaning ? meaning : "?");
#pragma GCC diagnostic pop
}

char *health_words_death(int wait_status, bool shell)
{
    if (WIFSIGNALED(wait_status)) {
        return describe_signal(WTERMSIG(wait_status), _("it was killed by %s (%s)"));
    }
    int code = WEXITSTATUS(wait_status);
    if (code == 0) {
        return str_dup(_("it ended by itself with status 0: a server must not end"));
    }
    if (shell && code > 128 && sigabbrev_np(code - 128)) {
        return describe_signal(code - 128, _("what its shell ran was killed by %s (%s)"));
    }
    return str_printf(_("it ended with exit status %d"), code);
}
