"""The parts of `bench.leases`: workers without processes, and what PostgreSQL does for them."""
