"""Durable background work: rows of one table, written in the domain's own transaction."""

from msil_mcp.jobs.models import Job
from msil_mcp.jobs.queue import WAKE_TOPIC, Standing, enqueue, unfinished
from msil_mcp.jobs.runner import AbandonJob, Handler, JobRunner, RetryJob, Signals, announce

__all__ = [
    "WAKE_TOPIC",
    "AbandonJob",
    "Handler",
    "Job",
    "JobRunner",
    "RetryJob",
    "Signals",
    "Standing",
    "announce",
    "enqueue",
    "unfinished",
]
