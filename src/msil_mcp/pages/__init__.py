"""The two web apps, and the pages shown where there are none."""
