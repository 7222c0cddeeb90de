// Puts the page together: what is asked when, and where trouble is told.
import { get, key, setKey } from "./api.js";
import { at, choose } from "./dom.js";
import { explain, feedback, setWorth, startPlayground } from "./playground.js";
import { locale, locales, say, setLocale, translate } from "./text.js";
import { showLog, showMap, showStatus } from "./views.js";

const STATUS_PERIOD_MS = 2000;
const REST_PERIOD_MS = 10000;
const THEME = "laar-theme";
const VERDICTS = ["correct", "wrong", "unknown", "unverified", "error", "timeout", "cancelled"];
let status = null;
let map = null;
let rows = null;

function tell(error) {
  at("trouble").hidden = error === null;
  if (error !== null) at("trouble").textContent = error.status === 401 ? say("need_key") : say("no_answer", { message: error.message });
}

async function readStatus() {
  const isFirst = status === null;
  status = await get("laar/status");
  if (isFirst) {
    setWorth(status.worth_s);
    const names = status.models.map(({ model }) => [model, model]);
    choose(at("ask-model"), [["auto", "auto"], ...names]);
    choose(at("filter-model"), [["", say("all")], ...names]);
  }
  showStatus(status);
}

async function readMap() {
  const task = at("map-task").value;
  map = await get(`laar/capability${task ? `?${new URLSearchParams({ task })}` : ""}`);
  showMap(map);
}

async function readLog() {
  if (status && !status.has_log) {
    at("log-note").textContent = say("no_log");
    return;
  }
  const wanted = { model: at("filter-model").value, verdict: at("filter-verdict").value, language: at("filter-language").value.trim() };
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  rows = (await get(`laar/attempts?${query}`)).data;
  showLog(rows, onFeedback);
}

async function onFeedback(id, correct) {
  try {
    await feedback(id, correct);
    await readAll();
  } catch (error) {
    tell(error);
  }
}

async function readAll() {
  try {
    await readStatus();
    await Promise.all([readMap(), readLog()]);
    tell(null);
  } catch (error) {
    tell(error);
  }
}

function every(period_ms, read) {
  setInterval(() => {
    if (document.visibilityState === "visible" && status !== null) read().then(() => tell(null)).catch(tell);
  }, period_ms);
}

function setTheme(theme) {
  localStorage.setItem(THEME, theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function show() {
  translate();
  choose(at("locale"), locales);
  at("locale").value = locale();
  choose(at("filter-verdict"), [["", say("all")], ...VERDICTS.map((verdict) => [verdict, verdict])]);
  if (status) showStatus(status);
  if (map) showMap(map);
  if (rows) showLog(rows, onFeedback);
}

setTheme(localStorage.getItem(THEME) ?? "");
at("theme").value = localStorage.getItem(THEME) ?? "";
at("key").value = key();
show();
startPlayground({ onEnded: readAll, onTrouble: tell });
at("theme").addEventListener("change", () => setTheme(at("theme").value));
at("locale").addEventListener("change", () => {
  setLocale(at("locale").value);
  show();
  explain().catch(tell);
});
at("key").addEventListener("change", () => {
  setKey(at("key").value.trim());
  readAll();
});
at("settings").addEventListener("submit", (event) => event.preventDefault());
at("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  readLog().catch(tell);
});
at("map-model").addEventListener("change", () => showMap(map));
at("map-task").addEventListener("change", () => readMap().catch(tell));
readAll();
every(STATUS_PERIOD_MS, readStatus);
every(REST_PERIOD_MS, () => Promise.all([readMap(), readLog()]));
