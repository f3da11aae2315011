"""How long an answer is kept in the cache."""

from router.core.lookups import Answer, LookupJob
from router.core.rules import Outcome


def is_kept(job: LookupJob) -> bool:
    """Whether what is found may serve another call."""
    return kept_seconds(job, Answer(Outcome.FOUND)) > 0


def kept_seconds(job: LookupJob, answer: Answer) -> float:
    """Zero for an answer that is not kept: an error, or one that serves a single call."""
    if not answer.is_cacheable or job.key.call_id is not None:
        return 0
    if answer.outcome is Outcome.NOT_FOUND:
        return job.cache.absent_seconds
    return job.cache.fresh_seconds + job.cache.stale_seconds
