"""Every measurement, one summary line each: `python -m benchmarks [--rounds 9]`."""

from benchmarks import cold_start, embedded_model, warm

for measurement in (cold_start, warm, embedded_model):
    measurement.main()
