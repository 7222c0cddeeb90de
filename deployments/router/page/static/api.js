// The HTTP API, with the key that the person gave; it is kept for this tab only.
const KEY = "laar-key";

export class ApiError extends Error {
  constructor(status, message, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const key = () => sessionStorage.getItem(KEY) ?? "";
export const setKey = (value) => sessionStorage.setItem(KEY, value);

const headers = () => (key() ? { authorization: `Bearer ${key()}` } : {});

async function checked(response) {
  if (response.ok) return response;
  let message = `${response.status}`;
  let code = null;
  try {
    ({ message, code } = (await response.json()).error);
  } catch {
    // a proxy's own page says nothing of use
  }
  throw new ApiError(response.status, message, code);
}

export async function get(path) {
  return (await checked(await fetch(`/v1/${path}`, { headers: headers() }))).json();
}

export async function post(path, body, signal) {
  const options = { method: "POST", headers: { ...headers(), "content-type": "application/json" } };
  return checked(await fetch(`/v1/${path}`, { ...options, body: JSON.stringify(body), signal }));
}

// The events of a stream as objects, and the comments in between as text.
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith(":")) yield { comment: line.slice(1).trim() };
      else if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6));
    }
  }
}
