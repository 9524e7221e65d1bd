"""What does not fit is answered with 429 and when to come again; what is not safe yet, with 503."""

from http_api.helpers import GOOD, Site, check_members, check_problem, lines, served


async def test_a_full_queue_is_answered_with_429_and_when_to_come_again() -> None:
    """The client learns which queue is full, and the job is not stored."""
    async with served(Site(max_waiting=1)) as site:
        await site.submit()
        response = await site.http.post("/v1/jobs", json=GOOD)
        problem = check_problem(response, 429, type="urn:penstock:problem:queue-full")
        assert "media" in problem["detail"]
        assert int(response.headers["Retry-After"]) > 0
        assert (await site.store.facts("media")).ready == 1


async def test_a_batch_is_refused_where_it_does_not_fit_and_stored_where_it_does() -> None:
    """Lines for the queue that is full have an error each; the lines between them are jobs."""
    async with served(Site(max_waiting=1)) as site:
        await site.submit(queue="full")
        batch = [GOOD | {"queue": "full"}, GOOD | {"queue": "roomy"}, GOOD | {"queue": "full"}]
        results = await site.batch(lines(*batch))
        check_members(results[0]["error"], 429, type="urn:penstock:problem:queue-full")
        check_members(results[2]["error"], 429, type="urn:penstock:problem:queue-full")
        assert [job.queue for job in await site.jobs(results)] == ["roomy"]


async def test_a_submission_says_how_safe_it_must_be() -> None:
    """`durable` and `wait_replicas` reach the store; without them it is not asked to wait."""
    async with served(Site()) as site:
        await site.submit()
        await site.submit(durable=True, wait_replicas=2)
        assert [(one.disk, one.replicas) for one in site.store.terms] == [(False, 0), (True, 2)]
        response = await site.http.post("/v1/jobs", json=GOOD | {"wait_replicas": 99})
        check_problem(response, 422, field="wait_replicas")


async def test_a_job_that_is_not_known_to_be_safe_is_answered_with_503() -> None:
    """In a batch that line alone: the others were asked for less."""
    async with served(Site()) as site:
        site.store.syncs = False
        response = await site.http.post("/v1/jobs", json=GOOD | {"durable": True})
        check_problem(response, 503, type="urn:penstock:problem:not-durable")
        results = await site.batch(lines(GOOD, GOOD | {"durable": True}, GOOD))
        check_members(results[1]["error"], 503, type="urn:penstock:problem:not-durable")
        assert len(await site.jobs(results)) == 2
