"""Runs a job by a client that openapi-python-client generated."""

import os
import time

from bucketmill_client import AuthenticatedClient
from bucketmill_client.api.jobs import get_job, get_result_links, get_results, list_jobs, submit_job
from bucketmill_client.api.objects import get_object
from bucketmill_client.models import Code, JobList, LinkList, Problem, Spec, SpecParams, State, Submitted

client = AuthenticatedClient(os.environ["SERVER"], token=os.environ["TOKEN"])
params = SpecParams()
params["letters"] = True
spec = Spec(input_=["s3://inbox/clients/"], output="s3://outbox/python/", name="python", program="wordcount", params=params, reducers=1)
submitted = submit_job.sync(client=client, body=spec)
assert isinstance(submitted, Submitted), submitted
deadline = time.monotonic() + 60
while (job := get_job.sync(submitted.id, client=client)).state != State.COMPLETED:
    assert job.state != State.FAILED and time.monotonic() < deadline, job
    time.sleep(0.1)
jobs = list_jobs.sync(client=client, state=[State.COMPLETED, State.FAILED])
assert isinstance(jobs, JobList) and submitted.id in [job.id for job in jobs.jobs], jobs
results = get_results.sync(submitted.id, client=client).payload.read()
assert results == os.environ["WANT"].encode(), results
links = get_result_links.sync(submitted.id, client=client)
assert isinstance(links, LinkList) and len(links.parts) == 1, links
assert get_object.sync("inbox", "clients/words.txt", client=client).payload.read()
none = get_job.sync("none", client=client)
assert isinstance(none, Problem) and none.code == Code.JOB_NOT_FOUND, none
