"""Contract tests: one or more rules of the platform each, named by their P-numbers, with the real program and
a real app: @pytest.mark.contract("P-23", "P-72"). `./dev test --list-contract` prints them by number."""
