"""The tests are strict: a number outside its range is an error here, and words for a student (see course.py)."""

import os

os.environ["VAE_STRICT"] = "1"
