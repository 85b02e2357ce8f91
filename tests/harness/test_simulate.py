"""The simulation: a machine that is broken on purpose is found, and the failure can be had again, as short as it gets."""

import re
import sys

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/simulate")

import mutants  # noqa: E402


def test_a_broken_machine_is_found_by_its_seed_in_few_steps(tmp_path):
    program = mutants.mutate("two-after-a-failed-restart", str(tmp_path))
    code, output = mutants.play(program, "--events", "3000000")
    assert code == 1, output
    seed, steps, failure = re.match(r"seed (\d+), step (\d+): (slot \d+: 2 serve, .*)", output).groups()
    left = int(re.search(r"^(\d+) steps are enough", output, re.MULTILINE).group(1))
    assert left < 40 and left < int(steps) / 10, output
    assert output.count("!!!") == 1 and "again by: --seed %s --events 1\n" % seed in output
    again = mutants.play(program, "--seed", seed, "--events", "1")
    assert again == (1, output)
    assert failure in output


def test_its_options_are_numbers():
    program = mutants.BUILD + "/tests/simulate/simulate"
    for arguments in (("--seed",), ("--seed", "x"), ("--events", "-1"), ("--nonsense", "1")):
        assert mutants.play(program, *arguments)[0] == 2
