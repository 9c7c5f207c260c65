"""`python -m contrib.bench`: everything that has a goal; the exit status is 1 when one is missed."""

import sys
from itertools import chain

from contrib.bench import api, aws_memory, custom_resource, envfiles, memory, placement, startup
from contrib.lab.packages import obstacle

missed = False
parts = [
    startup.measure(),
    placement.measure(),
    memory.measure(),
    custom_resource.measure(),
    envfiles.measure(),
    aws_memory.measure(),
    api.measure(100),
    api.measure(1000),
]
if reason := obstacle():
    print(f"not measured on real engines: {reason}")
else:
    parts.append(memory.measure(real=True))
for measured in chain.from_iterable(parts):
    print(measured, flush=True)
    missed |= not measured.met
sys.exit(missed)
