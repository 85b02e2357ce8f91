"""What: runs the fuzz targets of the parsers, keeps their corpora small, and measures what these reach.
   ./dev fuzz [TARGET...] [--seconds N] [--coverage] [--distill]
Order: build with the preset fuzz; fuzz each target for N seconds (what it finds goes to build/fuzz/corpus/TARGET);
   --distill brings what reaches something new into tests/fuzz/corpus/TARGET, which every run of the units replays;
   --coverage says how many lines of each parser the corpora in the tree reach.
Owns: build/fuzz. Inputs with a name of their own (seeds, found faults) are never removed by --distill, those named by
   a hash may be.
Not: no list of what a parser must do; that is in the targets (fuzz_*.c) and in the units."""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "fuzz")
BUILD = os.path.join(ROOT, "build", "fuzz")

HEADS = ["emulator/formats/http1.c", "emulator/formats/http1_meaning.c", "emulator/formats/http1_write.c"]
# target: its parser's files, the longest input that is of use
TARGETS = {
    "call_answer": (["emulator/functions/call.c", "emulator/functions/json_text.c", "emulator/functions/metadata.c",
                     "emulator/functions/kinds.c"], 512),
    "cron": (["emulator/formats/cron.c"], 256),
    "dotenv": (["emulator/formats/dotenv.c"], 1024),
    "http1_chunks": (["emulator/formats/http1_chunks.c"], 2048),
    "http1_request": (HEADS, 2048),
    "http1_response": (HEADS, 2048),
    "leanignore": (["emulator/formats/leanignore.c", "emulator/formats/ignore_pattern.c"], 512),
    "python_version": (["emulator/formats/python_version.c"], 256),
    "typed_line": (["emulator/logs/typed_line.c"], 256),
    "yaml": (["emulator/formats/leanengine_yaml.c", "emulator/formats/yaml_tree.c", "emulator/formats/yaml_plain.c",
              "emulator/formats/yaml_differ.c", "emulator/formats/build_steps.c"], 1024),
}
HASHED = re.compile(r"[0-9a-f]{40}")


def say(text):
    print("fuzz: " + text, file=sys.stderr, flush=True)


def program(target):
    return os.path.join(BUILD, "tests", "fuzz", "fuzz_" + target)


def corpus(target):
    return os.path.join(HERE, "corpus", target)


def found(target):
    path = os.path.join(BUILD, "corpus", target)
    os.makedirs(path, exist_ok=True)
    return path


def build(targets):
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["cmake", "--preset", "fuzz"], cwd=ROOT, check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", BUILD, "--target"] + ["fuzz_" + each for each in targets],
                   check=True, stdout=sys.stderr)


def environment(target):
    """Leaks need ptrace, which is not to be had everywhere; the units look for them. A profile for the coverage."""
    return dict(os.environ, ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
                UBSAN_OPTIONS="print_stacktrace=1", LC_ALL="C.UTF-8",
                LLVM_PROFILE_FILE=os.path.join(BUILD, target + ".profraw"))


def run(target, options, directories):
    length = TARGETS[target][1]
    return subprocess.run([program(target), "-max_len=%d" % length, "-timeout=5"] + options + directories,
                          env=environment(target), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)


def number(pattern, text):
    match = re.findall(pattern, text)
    return int(match[-1]) if match else 0


def fuzz(target, seconds):
    """False when it found a fault; the input lies in build/fuzz then."""
    prefix = os.path.join(BUILD, "found-%s-" % target)
    options = ["-max_total_time=%d" % seconds, "-print_final_stats=1", "-artifact_prefix=" + prefix]
    dictionary = os.path.join(HERE, "dict", target + ".dict")
    if os.path.exists(dictionary):
        options.append("-dict=" + dictionary)
    done = run(target, options, [found(target), corpus(target)])
    executions = number(r"stat::number_of_executed_units: (\d+)", done.stdout)
    print("%-15s %10d executions in %d s, %d edges, %s" % (
        target, executions, seconds, number(r"cov: (\d+)", done.stdout),
        "no fault" if done.returncode == 0 else "A FAULT"), flush=True)
    if done.returncode != 0:
        print(done.stdout[-6000:])
        say("the input is %s*; copy it to tests/fuzz/corpus/%s/ under a name that says what it is"
            % (os.path.relpath(prefix, ROOT), target))
    return done.returncode == 0


def distill(target):
    with tempfile.TemporaryDirectory() as fresh:
        named = [name for name in os.listdir(corpus(target)) if not HASHED.fullmatch(name)]
        for name in named:
            shutil.copy(os.path.join(corpus(target), name), fresh)
        # Edges alone, not how often each is taken: a tenth of the inputs; the rest is found again in seconds.
        done = run(target, ["-set_cover_merge=1", "-use_counters=0"], [fresh, corpus(target), found(target)])
        if done.returncode != 0:
            say("%s cannot be distilled:\n%s" % (target, done.stdout[-3000:]))
            return False
        for name in os.listdir(corpus(target)):
            if HASHED.fullmatch(name):
                os.unlink(os.path.join(corpus(target), name))
        for name in os.listdir(fresh):
            shutil.copy(os.path.join(fresh, name), corpus(target))
    sizes = [os.path.getsize(path) for path in glob.glob(corpus(target) + "/*")]
    print("%-15s %d inputs, %d bytes" % (target, len(sizes), sum(sizes)), flush=True)
    return True


def coverage(target):
    done = run(target, ["-runs=0"], [corpus(target)])
    raw = os.path.join(BUILD, target + ".profraw")
    profile = os.path.join(BUILD, target + ".profdata")
    if done.returncode != 0 or subprocess.run(
            ["llvm-profdata", "merge", "-sparse", raw, "-o", profile], check=False).returncode != 0:
        say("no coverage of %s:\n%s" % (target, done.stdout[-3000:]))
        return False
    export = subprocess.run(["llvm-cov", "export", "-format=lcov", "-instr-profile=" + profile, program(target)],
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    parts = {os.path.relpath(part.split("\n", 1)[0], ROOT): part for part in re.split(r"(?m)^SF:", export)[1:]}
    for name in TARGETS[target][0]:
        part = parts[name]
        lines, reached = number(r"(?m)^LF:(\d+)", part), number(r"(?m)^LH:(\d+)", part)
        missed = re.findall(r"(?m)^DA:(\d+),0$", part)
        print("%-15s %5.1f %% of %d lines of %s%s" % (
            target, 100.0 * reached / max(lines, 1), lines, name,
            "; not: " + " ".join(missed) if missed else ""), flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz", description="Fuzzes the parsers of the formats.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, help="how long each is fuzzed (60; 0 with --coverage or --distill)")
    parser.add_argument("--coverage", action="store_true", help="lines of the parsers that the corpora reach")
    parser.add_argument("--distill", action="store_true", help="take what was found into the corpora, as few as do")
    asked = parser.parse_args()
    targets = asked.targets or list(TARGETS)
    unknown = [each for each in targets if each not in TARGETS]
    if unknown:
        parser.error("no target %s: %s" % (unknown[0], ", ".join(TARGETS)))
    seconds = asked.seconds if asked.seconds is not None else 0 if asked.coverage or asked.distill else 60
    try:
        build(targets)
    except subprocess.CalledProcessError:
        return 1
    good = True
    for target in targets:
        good = (seconds == 0 or fuzz(target, seconds)) and good
    for target in targets if asked.distill else []:
        good = distill(target) and good
    for target in targets if asked.coverage else []:
        good = coverage(target) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
