// Ask a question and see every attempt; the explanation follows what is typed and where the sliders stand.
import { ApiError, events, post } from "./api.js";
import { at, fill, make, number, rowHead } from "./dom.js";
import { percent, say, seconds } from "./text.js";

const EXPLAIN_AFTER_MS = 300;
let running = null;
let last = null;
let timer = 0;
let explained = 0;
// what this page has sent, by the id of the request without what it says of its tries
const asked = new Map();
let retrying = null;

const plain = (id) => id.split(".")[0];

// From the place of a slider to seconds, and back: equal steps are equal factors.
const fromSlider = (id) => Number((10 ** Number(at(id).value)).toPrecision(2));
const toSlider = (value) => Math.log10(Math.max(value, 0.1));

function verify() {
  const [type, value] = [at("check").value, at("check-value").value];
  switch (type) {
    case "contains": return { type, value };
    case "numeric": return { type, value: Number(value), which: "last" };
    case "choice": return { type, value: value.trim().toUpperCase() };
    case "regex": return { type, pattern: value };
    case "json_schema": return { type, schema: JSON.parse(value) };
    default: return { type };
  }
}

function body() {
  const laar = { verify: verify(), worth_s: fromSlider("worth"), deadline_s: fromSlider("deadline") };
  if (at("task").value.trim()) laar.task = at("task").value.trim();
  const messages = [{ role: "user", content: at("question").value }];
  return { model: at("ask-model").value || "auto", messages, temperature: 0, max_tokens: Number(at("max-tokens").value), laar };
}

function showSliders() {
  for (const id of ["worth", "deadline"]) at(`${id}-shown`).textContent = seconds(fromSlider(id));
}

// `act` runs what a person has done, tells of its trouble and reads everything anew.
export function startPlayground({ act, onTrouble }) {
  const explainSoon = () => {
    showSliders();
    clearTimeout(timer);
    timer = setTimeout(() => explain().catch(onTrouble), EXPLAIN_AFTER_MS);
  };
  at("ask").addEventListener("input", explainSoon);
  at("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    act(() => ask(body(), retrying ?? {}));
  });
  at("stop").addEventListener("click", () => running?.abort());
  at("again").addEventListener("click", () => act(() => ask(body(), { retry_of: last.request_id })));
  for (const [id, correct] of [["right", true], ["wrong", false]])
    at(id).addEventListener("click", () => act(() => feedback(last.request_id, correct)));
  showSliders();
}

export function setWorth(value) {
  at("worth").value = toSlider(value);
  showSliders();
}

export async function feedback(request_id, correct) {
  await post("laar/feedback", { request_id, correct });
  at("verdict").textContent = say("noted");
}

// Ask again what a row of the log is about. Where another page has asked it, the question must be typed: the log keeps none.
export async function retry(id, models) {
  const known = asked.get(id);
  if (known) return ask(known.sent, { retry_of: known.told });
  retrying = { tried: models };
  at("verdict").textContent = say("retry_type", { id: id.slice(5, 13) });
  at("question").focus();
}

async function ask(question, more) {
  const sent = { ...question, laar: { ...question.laar, ...more } };
  retrying = null;
  running?.abort();
  running = new AbortController();
  const mine = running;
  clear();
  at("stop").disabled = false;
  at("verdict").textContent = say("waiting");
  try {
    const response = await post("chat/completions", { ...sent, stream: true }, mine.signal);
    for await (const event of events(response)) take(event, question);
  } catch (error) {
    const told = mine.signal.aborted ? "stopped" : error.code === "nothing_new" ? "nothing_new" : null;
    at("verdict").textContent = told ? say(told) : "";
    if (!told) throw error;
  } finally {
    if (running === mine) at("stop").disabled = true;
  }
}

function clear() {
  last = null;
  at("answer").replaceChildren();
  at("tries").replaceChildren();
  at("answer-actions").hidden = true;
}

function take(event, question) {
  if (event.error) throw new ApiError(null, event.error.message, event.error.code);
  if (event.comment) at("verdict").textContent = say("verifying");
  for (const choice of event.choices ?? []) at("answer").append(choice.delta?.content ?? "");
  if (event.laar) {
    asked.set(plain(event.laar.request_id), { sent: question, told: event.laar.request_id });
    showOutcome(event.laar);
  }
}

function showOutcome(laar) {
  last = laar;
  const told = { true: () => say("verified", { s: seconds(laar.ttca_s) }), false: () => say("not_verified"), null: () => say("no_check") };
  at("verdict").textContent = told[laar.verified]();
  at("tries").replaceChildren(...laar.attempts.map(attempt));
  at("answer-actions").hidden = false;
}

function attempt({ model, latency_s, verdict, reason, read }) {
  const told = [` ${seconds(latency_s)} `, make("span", { class: verdict }, verdict), reason ? ` (${reason})` : ""];
  const seen = read === undefined ? "" : make("span", { dir: "auto" }, ` ${say("read_as", { text: read })}`);
  return make("li", {}, make("bdi", {}, model), ...told, seen);
}

export async function explain() {
  if (!at("question").value.trim()) return;
  const turn = ++explained;
  let found;
  try {
    const sent = body();
    if (sent.laar.verify.type !== "none" && sent.laar.verify.type !== "auto" && !at("check-value").value.trim()) return;
    found = await (await post("laar/explain", sent)).json();
  } catch (error) {
    // what is half typed is no trouble
    if (error instanceof SyntaxError || [400, 403, 404].includes(error.status)) return say400(error);
    throw error;
  }
  if (turn === explained) showExplanation(found);
}

function say400(error) {
  at("explanation").textContent = error.message;
  at("candidates").replaceChildren();
}

function showExplanation({ chosen, reason, order, candidates }) {
  const by = Object.fromEntries(candidates.map((c) => [c.model, c]));
  const first = by[chosen];
  const sentences = [];
  if (!first) sentences.push(say("none_left"));
  else if (reason === "named") sentences.push(say("first_named", { model: chosen }));
  if (first) {
    const [low, high] = first.interval.map(percent);
    sentences.push(say("first", { model: chosen, chance: percent(first.probability), low, high, seconds: seconds(first.expected_latency_s) }));
    const then = order.filter((model) => model !== chosen);
    if (at("check").value === "none") sentences.push(say("one_attempt"));
    else if (then.length) sentences.push(say("then", { models: then.join(", ") }));
  }
  at("explanation").textContent = sentences.join(" ");
  const place = (model) => order.indexOf(model) + 1 || order.length + 1;
  const sorted = [...candidates].sort((a, b) => place(a.model) - place(b.model));
  const titles = ["place", "model", "chance", "interval", "expected", "score", "in_flight", "excluded"].map((name) => say(name));
  fill(at("candidates"), say("why"), titles, sorted.map((c) => [
    number(order.includes(c.model) ? `${place(c.model)}.` : "–"),
    rowHead(c.model),
    number(percent(c.probability)),
    `${percent(c.interval[0])} – ${percent(c.interval[1])}`,
    number(seconds(c.expected_latency_s)),
    number(seconds(c.score_s)),
    number(`${c.in_flight}`),
    c.exclusion ?? "",
  ]));
}
