"""The parts of `bench.soak`: what is asked, who asks, what the processes use meanwhile, and what is told."""
