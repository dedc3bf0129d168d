// What the page asks the console to do.

export async function ask(path, body) {
  let message = "";
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : null,
    });
    if (!answer.ok) message = (await answer.json().catch(() => ({}))).error || `The console answered ${answer.status}.`;
  } catch {
    message = "The console does not answer.";
  }
  return message;
}
