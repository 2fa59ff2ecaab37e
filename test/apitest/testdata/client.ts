// Runs a job by a client of the types that openapi-typescript generated.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

declare const process: { env: Record<string, string> };

function check(ok: boolean, what: unknown): asserts ok {
  if (!ok) throw new Error(JSON.stringify(what));
}

const client = createClient<paths>({
  baseUrl: process.env.SERVER,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});
const submitted = await client.POST("/v1/jobs", {
  body: {
    name: "typescript", program: "wordcount", params: { letters: true },
    input: ["s3://inbox/clients/"], output: "s3://outbox/typescript/", reducers: 1,
  },
});
check(submitted.data !== undefined, submitted.error);
const path = { id: submitted.data.id };
const deadline = Date.now() + 60_000;
for (;;) {
  const job = await client.GET("/v1/jobs/{id}", { params: { path } });
  check(job.data !== undefined && job.data.state !== "FAILED" && Date.now() < deadline, job);
  if (job.data.state === "COMPLETED") break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}
const list = await client.GET("/v1/jobs", { params: { query: { state: ["COMPLETED", "FAILED"] } } });
check(list.data !== undefined && list.data.jobs.some((job) => job.id === path.id && job.error === null), list);
const results = await client.GET("/v1/jobs/{id}/results", { params: { path }, parseAs: "text" });
check(results.data === process.env.WANT, results.data);
const links = await client.GET("/v1/jobs/{id}/results/links", { params: { path } });
check(links.data?.parts.length === 1, links);
const none = await client.GET("/v1/jobs/{id}", { params: { path: { id: "none" } } });
check(none.error?.code === "job_not_found", none);
