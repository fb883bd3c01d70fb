"""Every measurement of the gateway, one summary line each: `python -m benchmarks`."""

from benchmarks import cold_start, warm

cold_start.main()
warm.main()
