// Puts the page together: what is asked when, and where trouble is told.
import { get, key, setKey } from "./api.js";
import { at, choose } from "./dom.js";
import { explain, feedback, retry, setWorth, startPlayground } from "./playground.js";
import { locale, locales, say, setLocale, translate } from "./text.js";
import { showLog, showMap, showStatus } from "./views.js";

const STATUS_PERIOD_MS = 2000;
const REST_PERIOD_MS = 10000;
const THEME = "laar-theme";
const VERDICTS = ["correct", "wrong", "unknown", "unverified", "error", "timeout", "cancelled"];
let hasRead = false;
let status = null;
let map = null;
let rows = null;
// the trouble of an action stays until the next action, or until it is dismissed: reading that goes well says nothing of it
let isOfAction = false;

function tell(error) {
  if (!isOfAction) showTrouble(error);
}

function tellOfAction(error) {
  isOfAction = error !== null;
  showTrouble(error);
}

function showTrouble(error) {
  at("trouble").hidden = error === null;
  if (error !== null) at("trouble-text").textContent = error.status === 401 ? say("need_key") : say("no_answer", { message: error.message });
}

// What only an operator's key may read; null for other keys.
async function getAsAdmin(path) {
  try {
    return await get(path);
  } catch (error) {
    if (error.status === 403) return null;
    throw error;
  }
}

async function readModels() {
  const names = (await get("models")).data.map(({ id }) => [id, id]);
  choose(at("ask-model"), names);
  choose(at("filter-model"), [["", say("all")], ...names.filter(([id]) => id !== "auto")]);
  hasRead = true;
}

async function readStatus() {
  const isFirst = status === null;
  status = await getAsAdmin("laar/status");
  if (!status) return;
  if (isFirst) setWorth(status.worth_s);
  showStatus(status);
}

async function readMap() {
  const task = at("map-task").value;
  map = await getAsAdmin(`laar/capability${task ? `?${new URLSearchParams({ task })}` : ""}`);
  if (map) showMap(map);
}

async function readLog() {
  if (status && !status.has_log) {
    at("log-note").textContent = say("no_log");
    return;
  }
  const wanted = { model: at("filter-model").value, verdict: at("filter-verdict").value, language: at("filter-language").value.trim() };
  const query = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
  rows = (await get(`laar/attempts?${query}`)).data;
  showLog(rows, actions);
}

// What a row of the log can do.
const actions = {
  feedback: (id, correct) => act(() => feedback(id, correct)),
  retry: (id) => act(() => retry(id, rows.filter((row) => row.request_id === id && row.is_answer).map((row) => row.model))),
};

async function act(action) {
  tellOfAction(null);
  try {
    await action();
  } catch (error) {
    tellOfAction(error);
  }
  await readAll();
}

async function readAll() {
  try {
    if (!hasRead) await readModels();
    await readStatus();
    await Promise.all([readMap(), readLog()]);
    tell(null);
  } catch (error) {
    tell(error);
  }
}

function every(period_ms, read) {
  setInterval(() => {
    if (document.visibilityState === "visible" && hasRead) read().then(() => tell(null)).catch(tell);
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
  if (rows) showLog(rows, actions);
}

setTheme(localStorage.getItem(THEME) ?? "");
at("theme").value = localStorage.getItem(THEME) ?? "";
at("key").value = key();
show();
startPlayground({ act, onTrouble: tellOfAction });
at("dismiss").addEventListener("click", () => tellOfAction(null));
at("theme").addEventListener("change", () => setTheme(at("theme").value));
at("locale").addEventListener("change", () => {
  setLocale(at("locale").value);
  show();
  explain().catch(tellOfAction);
});
at("key").addEventListener("change", () => {
  setKey(at("key").value.trim());
  hasRead = false;
  tellOfAction(null);
  readAll();
});
at("settings").addEventListener("submit", (event) => event.preventDefault());
at("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  act(readLog);
});
at("map-model").addEventListener("change", () => map && showMap(map));
at("map-task").addEventListener("change", () => act(readMap));
readAll();
every(STATUS_PERIOD_MS, readStatus);
every(REST_PERIOD_MS, () => Promise.all([readMap(), readLog()]));
