// Calls of the console's HTTP API. Every answer is { ok, status, body }; body.error says what went wrong.

export async function call(method, path, body) {
  try {
    const answer = await fetch(path, {
      method, headers: body === undefined ? {} : { "Content-Type": "application/json" }, body: body === undefined ? null : JSON.stringify(body),
    });
    const found = await answer.json().catch(() => ({}));
    if (!answer.ok && !found.error) found.error = `The console answered ${answer.status}.`;
    return { ok: answer.ok, status: answer.status, body: found };
  } catch {
    return { ok: false, status: 0, body: { error: "The console does not answer." } };
  }
}

export const get = (path) => call("GET", path);
export const post = (path, body) => call("POST", path, body ?? {});
export const put = (path, body) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);

export const of = (application, rest = "") => `/api/applications/${encodeURIComponent(application)}${rest}`;

// For senders and the job: returns what went wrong, or nothing.
export async function ask(path, body) {
  const { ok, body: found } = await post(path, body);
  return ok ? "" : found.error;
}

// A list that several parts of the page use: requested once, and again only when it is old.
const kept = new Map();
export async function list(path, seconds = 10) {
  const known = kept.get(path);
  if (known && Date.now() - known.at < seconds * 1000) return known.answer;
  const answer = get(path);
  kept.set(path, { at: Date.now(), answer });
  answer.then(({ ok }) => ok || kept.delete(path));
  return answer;
}
export const forget = (path) => kept.delete(path);
