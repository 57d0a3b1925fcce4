"""The parts of `bench.load`: loads, who is put under them, and what is told of a run."""
