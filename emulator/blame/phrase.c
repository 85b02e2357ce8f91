#include "emulator/blame/internal.h"

#include <stdio.h>
#include <string.h>

#include "sandbox/base/buf.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"

#define SDK_MEND                                                                                   \
    _("the leancloud SDK does not support Python 3.12 and newer: write 3.11 or older into "        \
      ".python-version")

void phrase_culprit(const struct package *package, struct slice file, int line,
                    struct culprit *ret_culprit)
{
    ret_culprit->package = package;
    if (package) {
        snprintf(ret_culprit->name, sizeof ret_culprit->name, "%.80s %.40s", package->name,
                 package->version);
    } else if (file.len) {
        char path[120];
        slice_copy(file, path, sizeof path);
        snprintf(ret_culprit->name, sizeof ret_culprit->name, "%s:%d", path, line);
    } else {
        snprintf(ret_culprit->name, sizeof ret_culprit->name, "%s", _("the app"));
    }
}

// Where the package comes from, and why it is this version.
static void add_origin(struct buf *out, const struct packages *packages,
                       const struct package *package)
{
    const struct requirement *line = packages_requested(packages, package->name);
    const char *wish = NULL;
    const struct package *user = packages_wanted_by(packages, package->name, &wish);
    if (line && requirement_is_pinned(line->text)) {
        buf_addf(out, _("; %s:%d pins it"), line->file, line->line);
    } else if (line) {
        buf_addf(out, _("; %s:%d, \"%s\", lets pip take the newest"), line->file, line->line,
                 line->text);
    } else if (user) {
        size_t len = strcspn(wish, ";"); // without its marker
        while (len > 0 && wish[len - 1] == ' ') {
            len--;
        }
        auto_free char *plain = str_dup_len(wish, len);
        buf_addf(out, _("; it comes with %s %s, which asks for \"%s\""), user->name, user->version,
                 plain);
    }
}

// `"Jinja2<3.1"`, in a line of its own or in the one that is there.
static void add_pin(struct buf *out, const struct packages *packages, const char *name,
                    const char *since)
{
    const struct requirement *line = packages_requested(packages, name);
    if (line) {
        buf_addf(out, _("write \"%s<%s\" in %s:%d"), name, since, line->file, line->line);
    } else {
        buf_addf(out, _("add \"%s<%s\" to requirements.txt"), name, since);
    }
}

static void add_alternative(struct buf *out, const struct culprit *culprit, const char *instead)
{
    if (culprit->package) {
        buf_addf(out, _(", or take a newer %s"), culprit->package->name);
    } else if (*instead) {
        buf_addf(out, _(", or use %s in %s"), instead, culprit->name);
    } else {
        buf_addf(out, _(", or change %s"), culprit->name);
    }
}

static char *name_of(const struct known_break *row)
{
    return *row->name && *row->module ? str_printf("%s.%s", row->module, row->name)
                                      : str_dup(*row->name ? row->name : row->module);
}

void phrase_bound(const struct packages *packages, const struct culprit *culprit,
                  const struct known_break *row, struct blame_cause *cause)
{
    const struct package *package = packages_find(packages, slice_of(row->package));
    auto_free char *what = name_of(row);
    struct buf text = {0};
    struct buf mend = {0};
    if (*what) {
        buf_addf(&text, _("%s uses %s, which is gone since %s %s; %s is installed"), culprit->name,
                 what, package->name, row->since, package->version);
    } else {
        buf_addf(&text, _("%s was not written for %s %s and newer; %s is installed"), culprit->name,
                 package->name, row->since, package->version);
    }
    add_origin(&text, packages, package);
    add_pin(&mend, packages, package->name, row->since);
    add_alternative(&mend, culprit, "");
    *cause = (struct blame_cause){"P-300", buf_steal(&text), buf_steal(&mend)};
}

// "3.9" for "3.10", "2.7" for "3.0".
static void minor_before(const char *since, char out[static 16])
{
    int major = 3;
    int minor = 0;
    sscanf(since, "%d.%d", &major, &minor);
    if (minor > 0) {
        snprintf(out, 16, "%d.%d", major, minor - 1);
    } else {
        snprintf(out, 16, "2.7");
    }
}

static void phrase_too_old(const char *python, const struct culprit *culprit,
                           const struct known_break *row, struct blame_cause *cause)
{
    auto_free char *what = name_of(row);
    struct buf mend = {0};
    buf_addf(&mend, _("write %s or newer into .python-version"),
             strcmp(row->since, "3.0") == 0 ? "3" : row->since);
    if (*row->instead) {
        buf_addf(&mend, _(", or add \"%s\" to requirements.txt"), row->instead);
    } else if (culprit->package) {
        buf_addf(&mend, _(", or take an older %s"), culprit->package->name);
    }
    *cause =
        (struct blame_cause){"P-40",
                             str_printf(_("%s uses %s, which Python has since %s only; this is %s"),
                                        culprit->name, what, row->since, python),
                             buf_steal(&mend)};
}

void phrase_standard(const char *python, const struct culprit *culprit,
                     const struct known_break *row, bool too_new_for_sdk, struct blame_cause *cause)
{
    if (row->added) {
        phrase_too_old(python, culprit, row, cause);
        return;
    }
    auto_free char *what = name_of(row);
    char last[16];
    struct buf mend = {0};
    minor_before(row->since, last);
    if (too_new_for_sdk) {
        buf_adds(&mend, SDK_MEND);
    } else {
        buf_addf(&mend, _("write %s into .python-version"), last);
        add_alternative(&mend, culprit, row->instead);
    }
    const char *rule = culprit->package ? "P-300" : "P-40";
    *cause = (struct blame_cause){too_new_for_sdk ? "P-53" : rule,
                                  str_printf(_("%s uses %s, which is gone since Python %s; this is "
                                               "%s"),
                                             culprit->name, what, row->since, python),
                                  buf_steal(&mend)};
}

static char *pin_it(const struct packages *packages, const struct package *package)
{
    const struct requirement *line = packages_requested(packages, package->name);
    if (line) {
        return str_printf(_("name in %s:%d the release of %s that the project was written with"),
                          line->file, line->line, package->name);
    }
    return str_printf(_("add %s to requirements.txt, with the release that the project was "
                        "written with"),
                      package->name);
}

void phrase_lacks(const struct packages *packages, const struct culprit *culprit, const char *what,
                  const struct package *package, struct blame_cause *cause)
{
    struct buf text = {0};
    buf_addf(&text, _("%s uses %s, which %s %s does not have"), culprit->name, what, package->name,
             package->version);
    add_origin(&text, packages, package);
    *cause = (struct blame_cause){"P-300", buf_steal(&text), pin_it(packages, package)};
}

void phrase_missing(const struct culprit *culprit, const char *module, struct blame_cause *cause)
{
    const char *package = known_package_of(module);
    auto_free char *top = str_dup_len(module, strcspn(module, "."));
    cause->rule = "P-60";
    cause->text =
        str_printf(_("%s imports %s, which no installed package has"), culprit->name, module);
    if (package && !*package) {
        cause->mend = str_printf(_("%s is part of Windows' Python; the cloud runs Linux"), top);
    } else if (package) {
        cause->mend = str_printf(_("add \"%s\" to requirements.txt"), package);
    } else {
        cause->mend = str_printf(_("add \"%s\" to requirements.txt; if it is a file of your own, "
                                   "it is not in the project"),
                                 top);
    }
}

void phrase_inside(const struct packages *packages, const struct package *package,
                   bool too_new_for_sdk, struct blame_cause *cause)
{
    struct buf text = {0};
    buf_addf(&text, _("it breaks while %s %s is imported"), package->name, package->version);
    add_origin(&text, packages, package);
    *cause = (struct blame_cause){too_new_for_sdk ? "P-53" : "P-300", buf_steal(&text),
                                  too_new_for_sdk ? str_dup(SDK_MEND) : pin_it(packages, package)};
}

void phrase_crash(const struct packages *packages, const struct known_crash *crash,
                  struct blame_cause *cause)
{
    const struct package *user = packages_find(packages, slice_of(crash->user));
    const struct package *other = packages_find(packages, slice_of(crash->package));
    struct culprit culprit;
    struct buf text = {0};
    struct buf mend = {0};
    phrase_culprit(user, (struct slice){NULL, 0}, 0, &culprit);
    buf_addf(&text, _("%s was not written for %s %s and newer; %s is installed"), culprit.name,
             other->name, crash->since, other->version);
    add_origin(&text, packages, other);
    add_pin(&mend, packages, other->name, crash->since);
    add_alternative(&mend, &culprit, "");
    *cause = (struct blame_cause){"P-300", buf_steal(&text), buf_steal(&mend)};
}
