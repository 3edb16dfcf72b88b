// Talks to the API. Every failure becomes an ApiProblem with the server's words.

const key = { value: sessionStorage.getItem("key") || "" };

export class ApiProblem extends Error {
  constructor(problem) {
    super(problem.detail || "the request failed");
    this.problem = problem;
  }
}

export function useKey(value) {
  key.value = value;
  sessionStorage.setItem("key", value);
}

export function hasKey() {
  return key.value !== "";
}

async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.value) headers.set("Authorization", `Bearer ${key.value}`);
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new ApiProblem({ code: "unreachable", detail: "the service does not answer" });
  }
  if (answer.ok) return answer;
  const type = answer.headers.get("content-type") || "";
  const told = type.includes("json") ? await answer.json() : { detail: answer.statusText };
  throw new ApiProblem({ code: String(answer.status), ...told });
}

export async function getJson(path) {
  return (await request(path)).json();
}

export async function postJson(path, body, headers = {}) {
  const all = { "Content-Type": "application/json", ...headers };
  return (await request(path, { method: "POST", headers: all, body: JSON.stringify(body) })).json();
}

export async function upload(path, file) {
  const query = new URLSearchParams({ name: file.name });
  const headers = { "Content-Type": "application/octet-stream" };
  return (await request(`${path}?${query}`, { method: "POST", headers, body: file })).json();
}

export async function download(path) {
  const answer = await request(path);
  const named = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") || "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = named ? named[1] : "download";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Follows a job's events; after a break it goes on from the last one seen.
export async function follow(jobId, onEvent) {
  let last = "";
  let ended = false;
  for (let trial = 0; !ended && trial < 50; trial += 1) {
    try {
      const answer = await request(`/v1/jobs/${jobId}/events`, {
        headers: last ? { "Last-Event-ID": last } : {},
      });
      for await (const event of parse(answer.body)) {
        trial = 0;
        last = event.id;
        onEvent(event);
        const state = event.kind === "state" ? event.data.state : "";
        ended = ["succeeded", "failed", "cancelled"].includes(state);
      }
    } catch (error) {
      if (error instanceof ApiProblem && !["unreachable", "503", "overloaded"].includes(error.problem.code)) throw error;
    }
    if (!ended) await new Promise((wake) => setTimeout(wake, 1000));
  }
}

async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(
        block.split("\n").filter((line) => line.includes(": ")).map((line) => {
          const at = line.indexOf(": ");
          return [line.slice(0, at), line.slice(at + 2)];
        }),
      );
      if (fields.data) yield { id: fields.id, kind: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
