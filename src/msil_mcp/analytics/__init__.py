"""What calls amounted to over a time: totals, speed, series, tools, callers, errors, refusals."""
