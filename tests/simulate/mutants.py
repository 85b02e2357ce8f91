"""What: machines that are broken on purpose. The simulation has to find each of them.
Why: an invariant that nothing can violate shows nothing.
Order: build/dev is built; for each mutant one file is changed in a copy, compiled and linked with the simulation in
front of the libraries, and played. It is found when an invariant breaks (exit 1) or it does not end.
Not: changes that no promise forbids. They have their rows in the units."""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LEANLOCAL_BUILD", os.path.join(ROOT, "build", "dev"))
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-g", "-O1", "-I" + ROOT, "-I" + BUILD, "-w"]
LIMIT_S = 20
EVENTS = 1000000

FLEET, ROLLOUT, MEMBER = ["emulator/fleet/%s.c" % each for each in ("fleet", "fleet_rollout", "fleet_member")]
DOZE, CHOICE = "emulator/fleet/doze.c", "emulator/gateway/choice.c"
BACKOFF, SETTLE = "emulator/health/backoff.c", "emulator/watch/settle.c"

# name: (file, what is there, what stands there instead)
MUTANTS = {
    "failing-gets-requests": (FLEET, "(failing || !member->failing)", "(failing || member)"),
    "renewed-too-early": (FLEET, "old->state = FLEET_RESTING;", "fleet_drain_member(fleet, old);"),
    "drain-never-ends": (FLEET, "member->leaves_ms <= fleet->now_ms", "member->leaves_ms <= 0"),
    "drain-cloud-forgotten": (FLEET, "!fleet->options.drain_cloud", "fleet"),
    "death-not-planned": (FLEET, "fleet_plan_retry(fleet, FLEET_TELL_DIED, member);", ""),
    "rollout-stands-still": (FLEET, "fleet->rollout.pending &= ~fleet_slot_bit(member->slot);", ""),
    "rival-stays": (FLEET, "fleet_end_member(fleet, rival, 0);", ""),
    "two-after-a-failed-restart": (ROLLOUT, "fleet_drain_member(fleet, rival);", ""),
    "old-ones-stay-aside": (ROLLOUT, "member->state = FLEET_SERVING;\n        } else if (member->state == FLEET_STARTING",
                            "} else if (member->state == FLEET_STARTING"),
    "old-ones-never-drain": (ROLLOUT, "        if (member->state == FLEET_RESTING) {\n            fleet_drain_member",
                             "        if (member->state == FLEET_ENDING) {\n            fleet_drain_member"),
    "superseded-goes-on": (ROLLOUT, "fleet_end_member(fleet, member, 0);\n        } else if (member->state == FLEET_RESTING)",
                           "} else if (member->state == FLEET_RESTING)"),
    "pause-times-ten": (ROLLOUT, "fleet->now_ms + step.pause_ms;", "fleet->now_ms + step.pause_ms * 10;"),
    "no-pause": (ROLLOUT, "fleet->slots[slot].retry_ms <= fleet->now_ms", "fleet->now_ms"),
    "starts-asleep": (ROLLOUT, "fleet->stopping || fleet->asleep ||", "fleet->stopping ||"),
    "starts-when-stopping": (ROLLOUT, "return fleet->stopping || fleet->asleep", "return fleet->asleep"),
    "replacements-pile-up": (ROLLOUT, "!fleet_find_replacement(fleet, slot) &&", ""),
    "never-level": (ROLLOUT, "member->version != fleet->version", "!member->version"),
    "drains-have-no-deadline": (ROLLOUT, "member->state == FLEET_DRAINING && member->leaves_ms < earliest_ms",
                                "member->state == FLEET__NONE && member->leaves_ms < earliest_ms"),
    "drains-take-a-minute": (MEMBER, "fleet->now_ms + LIMIT_DRAIN_CLOUD_MS", "fleet->now_ms + 2 * LIMIT_DRAIN_CLOUD_MS"),
    "drains-are-short": (MEMBER, "fleet->now_ms + LIMIT_DRAIN_CLOUD_MS", "fleet->now_ms + LIMIT_DRAIN_CLOUD_MS / 2"),
    "member-lost": (MEMBER, "fleet->count--;\n", "fleet->count--; return;\n"),
    "end-not-told": (MEMBER, "action->id = member->id;\n    action->ms = grace_ms;", "action->ms = grace_ms;"),
    "suspects-are-asked": (CHOICE, "suspect_until_ms[at] <= now_ms", "suspect_until_ms"),
    "first-one-always": (CHOICE, "choice->turn = (at + 1) % choice->count;", ""),
    "beyond-the-end": (CHOICE, "(choice->turn + i) % choice->count", "choice->turn + i + 1"),
    "refused-asleep": (CHOICE, "choice->asleep || ", ""),
    "refused-at-first": (CHOICE, "!choice->had && !choice->refused", "choice->patient"),
    "sleep-is-due-under-a-request": (DOZE, "if (doze->busy) {", "if (doze->state == DOZE_DOWN) {"),
    "waking-is-not-busy": (DOZE, "doze->busy = true; //", "doze->busy = doze->state == DOZE_AWAKE; //"),
    "crash-forgets-requests": (DOZE, "    end_spell(doze);\n    doze->state", "    end_spell(doze);\n    doze->busy = false;\n    doze->state"),
    "never-woken": (DOZE, "return DOZE_WAKE;", "return DOZE_NOTHING;"),
    "never-allowed": (DOZE, "return DOZE_ALLOW;", "doze->state = DOZE_FORCED;"),
    "runs-too-long": (DOZE, "doze_run_ms(doze, doze->now_ms) > doze->limits.budget_ms", "!doze"),
    "pauses-grow": (BACKOFF, "return pause_ms < policy->max_ms ? pause_ms : policy->max_ms;", "return pause_ms * 4;"),
    "told-for-ever": (SETTLE, "    settle->count = 0;\n    settle->many = false;\n}", "}"),
    "stale-lock": (SETTLE, "now_ms - settle->held_ms < LONGEST_HOLD", "true"),
    "permissions-forgotten": (SETTLE, "    settle->last_ms = now_ms;\n    if (settle->count == SETTLE_ITEMS)",
                              "    if (kind == SETTLE_META) { return; }\n    settle->last_ms = now_ms;\n    if (settle->count == SETTLE_ITEMS)"),
}


def mutate(name, directory):
    """The simulation with that mutant, built."""
    path, old, new = MUTANTS[name]
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    if text.count(old) != 1:
        sys.exit("simulate: %s: %s has this %d times, not once: %r" % (name, path, text.count(old), old))
    source = os.path.join(directory, os.path.basename(path))
    with open(source, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new.replace("FLEET__NONE", "FLEET_STATE__COUNT")))
    objects = os.path.join(BUILD, "tests", "simulate", "CMakeFiles", "simulate.dir")
    libraries = [os.path.join(BUILD, each) for each in
                 ("emulator/libemulator.a", "sandbox/libsandbox.a", "sandbox/libbase.a")]
    program = os.path.join(directory, "simulate")
    subprocess.run(["cc", *FLAGS, source, *[os.path.join(objects, each) for each in sorted(os.listdir(objects))
                                            if each.endswith(".o")],
                    *libraries, "-lcjson", "-lm", "-o", program], check=True, stdin=subprocess.DEVNULL)
    return program


def play(program, *arguments):
    """(exit code, output); None: it did not end."""
    try:
        done = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return None, "it did not end within %d s" % LIMIT_S
    return done.returncode, done.stdout


def main(names):
    unknown = [each for each in names if each not in MUTANTS]
    if unknown:
        sys.exit("simulate: no mutant %s; there are: %s" % (", ".join(unknown), " ".join(MUTANTS)))
    missed = []
    for name in names or MUTANTS:
        with tempfile.TemporaryDirectory() as directory:
            code, output = play(mutate(name, directory), "--events", str(EVENTS))
        found = code != 0
        missed += [] if found else [name]
        print("%-28s %s" % (name, output.split("\n")[0] if found else "NOT FOUND"), flush=True)
    print("%d of %d found" % (len(names or MUTANTS) - len(missed), len(names or MUTANTS)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
