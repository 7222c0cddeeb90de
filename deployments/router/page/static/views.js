// The parts of the page that only show: the models, the map of their chances, and the latest attempts.
import { at, choose, fill, line, make, number, rowHead } from "./dom.js";
import { amount, clock, percent, say, seconds } from "./text.js";

const MOST_POINTS = 120;
const medians = [];

export function showStatus(status) {
  const { requests, models, alarms, policy } = status;
  at("summary").textContent = say("summary", { ...requests, policy });
  at("alarms").textContent = alarms
    .map((alarm) => say(`alarm_${alarm.direction}`, { model: alarm.model, task: alarm.task ?? say("all_tasks") }))
    .join(" ");
  const [p50, p95] = [requests.ttca_p50_s, requests.ttca_p95_s];
  at("ttca").textContent = p50 === null ? say("no_ttca") : say("ttca", { p50: seconds(p50), p95: seconds(p95) });
  if (p50 !== null) {
    medians.push(p50);
    medians.splice(0, medians.length - MOST_POINTS);
    at("ttca-line").replaceChildren(line(medians, say("ttca_line")));
  }
  // columns that have nothing to say are left out
  const more = [["price", price], ["budgets", budgets]].filter(([name]) => models.some((model) => model[name] !== null));
  const titles = ["model", "state", "replicas", "load", "success", "failed", "latency", ...more.map(([name]) => name)];
  fill(at("models"), say("this_replica"), titles.map((name) => say(name)), models.map((model) => [
    rowHead(model.model),
    state(model),
    number(`${model.replicas}`),
    number(`${model.in_flight}`),
    success(model),
    number(`${model.failed}`),
    number(seconds(model.mean_latency_s)),
    ...more.map(([, shown]) => shown(model)),
  ]));
}

function price({ price: known }) {
  return number(known ? `${amount(known.prompt_per_million)} / ${amount(known.output_per_million)}` : "–");
}

// By task and language, those that requests come to lately before the others.
function budgets({ budgets: planned }) {
  if (!planned) return "–";
  const mix = [...planned.mix].sort((one, other) => other.share - one.share);
  const told = mix.map(({ task, language, budget }) => make("div", {}, make("bdi", {}, `${task}${language ? ` ${language}` : ""}`), `: ${amount(budget)}`));
  return make("td", {}, ...told);
}

function state({ replicas, is_healthy, is_drifting }) {
  if (replicas === 0) return make("td", { class: "wrong" }, say("starting"));
  if (!is_healthy) return make("td", { class: "wrong" }, say("unhealthy"));
  return make("td", { class: is_drifting ? "wrong" : "correct" }, say(is_drifting ? "drifting" : "ok"));
}

function success({ correct, wrong }) {
  const judged = correct + wrong;
  if (!judged) return number("–");
  return number(`${say("of_prompts", { correct, tried: judged })} (${percent(correct / judged)})`);
}

// One model at a time: languages down, lengths across.
export function showMap(found) {
  choose(at("map-model"), found.models.map(({ model }) => [model, model]));
  choose(at("map-task"), found.tasks.map((task) => [task, task]));
  at("map-task").value = found.task;
  const { cells } = found.models.find(({ model }) => model === at("map-model").value) ?? found.models[0];
  const rows = found.languages.map((language) => [
    rowHead(languageName(language)),
    ...cells.filter((cell) => cell.language === language).map(heat),
  ]);
  fill(at("map"), say("map_title"), [say("prompt_language"), ...found.buckets.map((label) => say("tokens_only", { n: label }))], rows);
}

function heat({ probability, interval, correct, tried }) {
  const [low, high] = interval.map(percent);
  const measured = tried ? say("of_prompts", { correct, tried }) : say("not_measured");
  const shown = [percent(probability), make("small", {}, `${low} – ${high}`), make("small", {}, measured)];
  return make("td", { class: tried ? "heat" : "heat guess", "--chance": `${probability}` }, ...shown);
}

function languageName(language) {
  try {
    return `${new Intl.DisplayNames(document.documentElement.lang, { type: "language" }).of(language)} (${language})`;
  } catch {
    return language;
  }
}

export function showLog(rows, actions) {
  at("log-note").textContent = say("num_attempts", { n: rows.length });
  const titles = ["time", "request", "model", "task", "prompt_language", "bucket", "verdict", "reason", "expected", "feedback"];
  fill(at("log"), say("log_title"), titles.map((name) => say(name)), rows.map((row) => [
    clock(row.arrived_at),
    make("th", { scope: "row", title: row.request_id }, `${row.request_id.slice(5, 13)}/${row.attempt_index + 1}`),
    row.model,
    row.task,
    row.language,
    row.bucket,
    make("td", { class: row.outcome }, row.outcome === row.verdict ? row.verdict : `${row.verdict} → ${row.outcome}`),
    row.reason,
    number(seconds(row.latency_s)),
    row.is_answer ? buttons(row.request_id, actions) : "",
  ]));
}

function buttons(id, { feedback, retry }) {
  const button = (text, name, onclick) =>
    make("button", { type: "button", "aria-label": say(name, { id: id.slice(5, 13) }), onclick }, text);
  const right = button("✓", "mark_right", () => feedback(id, true));
  const wrong = button("✗", "mark_wrong", () => feedback(id, false));
  return make("td", {}, right, " ", wrong, " ", button("↻", "mark_again", () => retry(id)));
}
