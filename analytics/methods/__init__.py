"""Numbers are computed here, in plain functions over arrays and frames; nothing imports Django."""

import os

# For every large array numpy asks for huge pages, and where memory is in small pieces, as on any
# machine that has been up for a while, Linux stops the process each time to put some together: a
# fit of 77,585 learners took 11.4 s with them and 7.0 s without, 5.5 of them in the kernel. numpy
# reads this when it is loaded, so that livecourse/__init__.py comes by here before all else.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
