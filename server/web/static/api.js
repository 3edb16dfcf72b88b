// Talks to the API. Every failure becomes an ApiProblem with the server's words.

const key = { value: sessionStorage.getItem("key") || "" };

export class ApiProblem extends Error {
  constructor(problem) {
    super(problem.detail || "the request failed");
    this.problem = problem;
  }
}

export function problemOf(error) {
  return error instanceof ApiProblem ? error.problem : { code: "page", detail: String(error) };
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
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("unauthorized"));
  const type = answer.headers.get("content-type") || "";
  const told = type.includes("json") ? await answer.json() : { detail: answer.statusText };
  throw new ApiProblem({ code: String(answer.status), ...told });
}

export async function getJson(path) {
  return (await request(path)).json();
}

export async function getText(path) {
  return (await request(path)).text();
}

export async function postJson(path, body, headers = {}) {
  const all = { "Content-Type": "application/json", ...headers };
  return (await request(path, { method: "POST", headers: all, body: JSON.stringify(body) })).json();
}

export async function remove(path) {
  await request(path, { method: "DELETE" });
}

// A request of the older kind: only these tell how much has been sent.
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${path}?${new URLSearchParams({ name: file.name })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (key.value) request.setRequestHeader("Authorization", `Bearer ${key.value}`);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / Math.max(event.total, 1)));
    request.addEventListener("error", () => reject(new ApiProblem({ code: "unreachable", detail: "the upload broke off" })));
    request.addEventListener("load", () => {
      const told = parseJson(request.responseText);
      if (request.status === 401) document.dispatchEvent(new CustomEvent("unauthorized"));
      if (request.status < 300 && told) resolve(told);
      else reject(new ApiProblem({ code: String(request.status), detail: request.statusText, ...told }));
    });
    request.send(file);
  });
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
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

// Follows a job's events and returns the job once it has ended, or when nobody wants to know any more.
// After a break it goes on from the last event seen. The stream of a job that has ended closes by itself.
export async function follow(jobId, onEvent, wanted) {
  let last = "";
  for (let trial = 0; wanted() && trial < 50; trial += 1) {
    try {
      const answer = await request(`/v1/jobs/${jobId}/events`, { headers: last ? { "Last-Event-ID": last } : {} });
      for await (const event of parse(answer.body)) {
        if (!wanted()) return null;
        trial = 0;
        last = event.id;
        onEvent(event);
      }
      const job = await getJson(`/v1/jobs/${jobId}`);
      if (job.done) return job;
    } catch (error) {
      if (error instanceof ApiProblem && !["unreachable", "503", "overloaded"].includes(error.problem.code)) throw error;
    }
    await new Promise((wake) => setTimeout(wake, 1000));
  }
  return null;
}

async function* parse(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
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
  } finally {
    reader.cancel().catch(() => {});
  }
}
